"""Erase again what was erased since the moment to which the database was restored.

The lists are outside the database (`app/safekeeping/erasures.py`). What is held, or open again as
it was at that moment, stays and is said: the same may be run again when that is over.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.orm import aliased

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, CallQuestion, VoiceMessage
from app.chats.models import Access, Message
from app.contacts.models import Case, Contact, Profile
from app.database.topics import Topic
from app.jobs.transaction import transaction
from app.referrals.models import Referral
from app.retention.data_requests import erasing
from app.retention.data_requests.children import count_children
from app.retention.data_requests.held_or_open import seen_by_program
from app.retention.data_requests.kinds import Because, ItemKind, Keep, RequestKind, RequestState
from app.retention.data_requests.lists import MOMENTS, RECEIPT
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.requests import items_of
from app.retention.data_requests.same_children import write_children
from app.retention.data_requests.searched import seal_sought, sought_of
from app.retention.due import NOTHING_SEALED
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.safekeeping.backups import sealing
from app.safekeeping.erasures import Erased, write
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, Ground, Work

_ANY = aliased(Call)
# Which rows still tell of a person.
_LEFT: dict[ItemKind, tuple[Any, ColumnElement[bool] | None]] = {
    ItemKind.REFERRAL: (Referral, Referral.erased_at.is_(None)),
    ItemKind.CASE: (Case, Case.erased_at.is_(None)),
    ItemKind.CONTACT: (Contact, Contact.erased_at.is_(None)),
    ItemKind.VOICE_MESSAGE: (VoiceMessage, VoiceMessage.erased_at.is_(None)),
    # An erased one has a hash that no number has.
    ItemKind.CALLBACK: (
        Callback,
        or_(
            Callback.number_sealed.is_not(None),
            exists().where(_ANY.caller_key == Callback.caller_key),
        ),
    ),
    ItemKind.FLAG: (CallerFlag, None),
    ItemKind.WISH: (CallerWish, None),
    ItemKind.THIRD_PARTY: (
        Participant,
        func.octet_length(Participant.number_sealed) > NOTHING_SEALED,
    ),
    ItemKind.PROFILE: (Profile, Profile.erased_at.is_(None)),
    ItemKind.CALL: (
        Call,
        or_(
            Call.caller_key.is_not(None),
            Call.caller_number_sealed.is_not(None),
            Call.visit_key.is_not(None),
            exists().where(Access.call_id == Call.id),
            exists().where(Message.call_id == Call.id, Message.erased_at.is_(None)),
            exists().where(
                CallQuestion.call_id == Call.id, CallQuestion.answer_sealed.is_not(None)
            ),
        ),
    ),
}


@dataclass(frozen=True)
class Left:
    """Which rows of a list are in the database again, and why some of them stay."""

    rows: dict[ItemKind, list[UUID]]
    keeps: dict[tuple[ItemKind, UUID], Keep]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each kind are erased."""
        found = Counter(
            kind.value
            for kind, ids in self.rows.items()
            for id_ in ids
            if (kind, id_) not in self.keeps
        )
        return {kind.value: found[kind.value] for kind in ItemKind if found[kind.value]}

    @property
    def is_others(self) -> bool:
        """Whether rows stay, and all of them because they may be another person's."""
        return set(self.keeps.values()) == {Keep.ANOTHER_PERSON}

    @property
    def kept(self) -> dict[str, int]:
        """How many rows stay, by the ground."""
        return dict(sorted(Counter(keep.value for keep in self.keeps.values()).items()))


async def look(work: Work, erased: Erased) -> Left:
    """Return what of a list is there again. Nothing is changed."""
    rows: dict[ItemKind, list[UUID]] = {}
    for kind, (model, left) in _LEFT.items():
        ids = [UUID(one) for one in erased.rows.get(kind.value, [])]
        which = [model.id.in_(ids)] if left is None else [model.id.in_(ids), left]
        found = await work.session.scalars(select(model.id).where(*which).order_by(model.id))
        if there := list(found):
            rows[kind] = there
    keeps = await seen_by_program(
        work, {kind: dict.fromkeys(ids, Because.CODE) for kind, ids in rows.items()}
    )
    return Left(rows, keeps)


async def begin(work: Work, erased: Erased) -> Left:
    """Make the request anew as it was approved, with the rows that are there again.

    If it is being carried out, the other rows stay: its own list must name what was erased.
    """
    left = await look(work, erased)
    if not left.counts:
        return left
    request = await work.session.get(DataRequest, erased.head.id, with_for_update=True)
    if request is None or request.state != RequestState.APPROVED:
        request = await _approved_as(work, erased, request)
    await _keep_children(work, request, left)
    kept = {(ItemKind(one.kind), one.subject_id): one for one in await items_of(work, request)}
    counts = await count_children(work, left.rows)
    for kind, ids in left.rows.items():
        for id_ in ids:
            item = kept.get((kind, id_))
            if item is None:
                item = RequestItem(
                    request_id=request.id,
                    kind=kind.value,
                    subject_id=id_,
                    because=Because.CODE.value,
                    label="",
                    at=work.now,
                )
                work.session.add(item)
            if item.children is None:
                # It was decided of how many children the records of a list tell.
                item.children = counts.get(id_)
            keep = left.keeps.get((kind, id_))
            item.keep, item.erased_at = keep.value if keep else None, None
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REQUEST_ERASED_AGAIN,
        f"data_request:{request.id}",
        rows=sum(left.counts.values()),
        left=sum(left.kept.values()),
    )
    work.announce(Topic.DATA_REQUESTS)
    return left


async def _keep_children(work: Work, request: DataRequest, left: Left) -> None:
    """Write down of which children the rows of a list tell: it was decided that they are erased.

    In a request that is being carried out, what was written when it was searched stays.
    """
    sought = sought_of(work, request)
    children = await write_children(work, left.rows) | sought.children
    # It was decided, too, that they are the person's.
    decided = {str(one) for ids in left.rows.values() for one in ids}
    kept = sought._replace(children=children, marked=sorted({*sought.marked, *decided}))
    request.sought_sealed = seal_sought(work, request.id, kept)


async def _approved_as(work: Work, erased: Erased, request: DataRequest | None) -> DataRequest:
    """Return the request of a list, approved as its receipt says, and with no rows."""
    if request is None:
        request = DataRequest(
            id=erased.head.id, code=erased.head.code, counts={}, kept={}, asked_by=None
        )
        work.session.add(request)
    elif request.sought_sealed is not None:
        # It was decided of which children the records of a list tell.
        sought = sought_of(work, request)._replace(children={})
        request.sought_sealed = seal_sought(work, request.id, sought)
    request.kind, request.state = RequestKind.ERASURE.value, RequestState.APPROVED.value
    for name in RECEIPT:
        setattr(request, name, erased.receipt[name])
    for name in MOMENTS:
        at = erased.receipt[name]
        setattr(request, name, datetime.fromisoformat(at) if at else None)
    request.done_at = None
    await work.session.flush()
    await work.session.execute(
        delete(RequestItem)
        .where(RequestItem.request_id == request.id)
        .execution_options(synchronize_session="fetch")
    )
    return request


async def erase_again(
    ground: Ground,
    folder: Path,
    recipients: sealing.Recipients,
    erased: Erased,
    *,
    decided: bool = False,
) -> Left:
    """Erase what of a list is there again. Return what was there, and what stays.

    May be stopped at any moment and run again. Back-ups since the restore hold the rows, so the
    list counts as written now; it lasts as long as rows of it stay. One that a job has written
    meanwhile is left as it is. `decided`: an officer has decided anew of what may be another
    person's, so the list is done while nothing else of it stays. Raises BackupRefused, OSError.
    """
    async with transaction(ground, PROGRAM) as work:
        left = await look(work, erased)
    if not left.rows and erased.head.whole:
        return left

    written_at = erased.head.written_at

    async def renew(*, whole: bool) -> None:
        nonlocal written_at
        head = replace(erased.head, written_at=ground.clock.now(), whole=whole)
        newer = replace(erased, head=head)
        if await asyncio.to_thread(write, folder, recipients, ground.keys, newer, written_at):
            written_at = head.written_at

    after, kept = left, left.keeps
    if left.rows:
        await renew(whole=False)
    if left.counts:
        async with transaction(ground, PROGRAM, long=True) as work:
            await begin(work, erased)
        kept = await erasing.carry_out(ground, erased.head.id, listed=True)
        async with transaction(ground, PROGRAM) as work:
            after = await look(work, erased)
    stays = {
        (kind, id_): after.keeps.get((kind, id_)) or kept.get((kind, id_), Keep.STILL_OPEN)
        for kind, ids in after.rows.items()
        for id_ in ids
    }
    there = Left(left.rows, stays)
    if not after.rows or (decided and there.is_others):
        await renew(whole=True)
    return there
