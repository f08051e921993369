"""What must not be erased now: records that are held, and work that is still open."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, VoiceMessage
from app.calls.states import CallState, MessageState
from app.chats.left import untaken
from app.contacts.cases.models import CaseContact, CaseRequest, FollowUp
from app.contacts.contacts import OPEN as OPEN_CONTACTS
from app.contacts.models import Case, Contact
from app.referrals.models import Referral
from app.retention.data_requests.kinds import Because, ItemKind, Keep
from app.retention.held_numbers import held_keys
from app.retention.models import LegalHold
from app.routing.callbacks.callback_rows import OPEN as OPEN_CALLBACKS
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.participants.participants import Participant
from app.work import Work


async def seen_by_program(
    work: Work, found: dict[ItemKind, dict[UUID, Because]]
) -> dict[tuple[ItemKind, UUID], Keep]:
    """Return what must not be erased now: records that are held, and work that is still open."""
    joined = await _joined(work, found)
    held = set(
        await work.session.scalars(
            select(LegalHold.subject_id).where(LegalHold.lifted_at.is_(None))
        )
    )
    alive = await _alive(work, joined.everything)
    keeps = await _held_with_number(work, found)
    for kind, rows in found.items():
        for id_ in rows:
            around = joined.around(kind, id_)
            if around & held:
                keeps[kind, id_] = Keep.LEGAL_HOLD
            elif around & alive:
                keeps[kind, id_] = Keep.STILL_OPEN
    return keeps


async def _held_with_number(
    work: Work, found: dict[ItemKind, dict[UUID, Because]]
) -> dict[tuple[ItemKind, UUID], Keep]:
    """Return the flags and wishes of a number from which a held record has come. Open work does
    not keep them."""
    keeps: dict[tuple[ItemKind, UUID], Keep] = {}
    for kind, model in _OF_NUMBER.items():
        if ids := list(found.get(kind, {})):
            held = await work.session.scalars(
                select(model.id).where(model.id.in_(ids), model.caller_key.in_(held_keys()))
            )
            keeps |= dict.fromkeys([(kind, id_) for id_ in held], Keep.LEGAL_HOLD)
    return keeps


async def that_stay_with(
    work: Work, records: set[UUID], found: dict[ItemKind, dict[UUID, Because]]
) -> dict[ItemKind, set[UUID]]:
    """Return which rows stay if these records do, as they would if these were still open."""
    joined = await _joined(work, found)
    return {
        kind: {id_ for id_ in rows if joined.around(kind, id_) & records}
        for kind, rows in found.items()
    }


_OF_NUMBER: dict[ItemKind, Any] = {ItemKind.FLAG: CallerFlag, ItemKind.WISH: CallerWish}
# How far a hold or open work reaches: a record keeps those that it is joined with and theirs; a
# call is kept with its contact.
_REACH = {
    ItemKind.VOICE_MESSAGE: 4,
    ItemKind.CALLBACK: 4,
    ItemKind.THIRD_PARTY: 4,
    ItemKind.CALL: 3,
    ItemKind.PROFILE: 3,
    ItemKind.CONTACT: 2,
    ItemKind.CASE: 2,
    ItemKind.REFERRAL: 2,
}


@dataclass
class _Joined:
    """Which records, calls and messages belong together."""

    near: dict[UUID, set[UUID]] = field(default_factory=dict)

    @property
    def everything(self) -> set[UUID]:
        return set(self.near)

    def around(self, kind: ItemKind, id_: UUID) -> set[UUID]:
        """Return what keeps a row: itself, and what it belongs to."""
        found = {id_}
        for _ in range(_REACH.get(kind, 0)):
            found |= {far for one in found for far in self.near.get(one, set())}
        return found

    def add(self, *ids: UUID) -> None:
        for id_ in ids:
            self.near.setdefault(id_, set())

    def join(self, one: UUID, other: UUID | None) -> None:
        if other is not None:
            self.add(one, other)
            self.near[one].add(other)
            self.near[other].add(one)


async def _joined(work: Work, found: dict[ItemKind, dict[UUID, Because]]) -> _Joined:
    joined, execute = _Joined(), work.session.execute
    for rows in found.values():
        joined.add(*rows)
    models: list[tuple[Any, ItemKind]] = [
        (VoiceMessage, ItemKind.VOICE_MESSAGE),
        (Callback, ItemKind.CALLBACK),
        (Participant, ItemKind.THIRD_PARTY),
    ]
    calls = set(found.get(ItemKind.CALL, {}))
    for model, kind in models:
        if not (ids := list(found.get(kind, {}))):
            continue
        of_calls = select(model.id, model.call_id).where(model.id.in_(ids))
        for id_, call in await execute(of_calls):
            joined.join(id_, call)
            calls.add(call)
    contacts = set(found.get(ItemKind.CONTACT, {}))
    profiles = list(found.get(ItemKind.PROFILE, {}))
    for contact, profile in await execute(
        select(Contact.id, Contact.profile_id).where(Contact.profile_id.in_(profiles))
    ):
        # One way: a profile is kept with its contacts, and they do not keep each other.
        joined.add(contact)
        assert profile is not None
        joined.near[profile].add(contact)
        contacts.add(contact)
    for contact, call in await execute(
        select(Contact.id, Contact.call_id).where(
            or_(Contact.id.in_(contacts), Contact.call_id.in_(calls))
        )
    ):
        joined.join(contact, call)
        contacts.add(contact)
    cases = set(found.get(ItemKind.CASE, {}))
    for case, contact in await execute(
        select(CaseContact.case_id, CaseContact.contact_id).where(
            or_(CaseContact.contact_id.in_(contacts), CaseContact.case_id.in_(cases))
        )
    ):
        joined.join(case, contact)
        cases.add(case)
    told = or_(
        Referral.id.in_(list(found.get(ItemKind.REFERRAL, {}))),
        Referral.contact_id.in_(contacts),
        Referral.case_id.in_(cases),
        Referral.call_id.in_(calls),
    )
    for referral, *others in await execute(
        select(Referral.id, Referral.contact_id, Referral.case_id, Referral.call_id).where(told)
    ):
        for other in others:
            joined.join(referral, other)
    return joined


async def _alive(work: Work, ids: set[UUID]) -> set[UUID]:
    """Return which of these are work that is not done yet."""
    statements: list[Any] = [
        select(Call.id).where(
            Call.id.in_(ids), or_(Call.state != CallState.ENDED, untaken.waits(Call.id))
        ),
        # A counsellor writes in it: a draft, or a record that was opened again.
        select(Contact.id).where(Contact.id.in_(ids), *OPEN_CONTACTS),
        select(Case.id).where(Case.id.in_(ids), Case.closed_at.is_(None)),
        select(FollowUp.case_id).where(FollowUp.case_id.in_(ids), FollowUp.done_at.is_(None)),
        select(CaseRequest.case_id).where(
            CaseRequest.case_id.in_(ids), CaseRequest.decided_at.is_(None)
        ),
        select(Referral.id).where(Referral.id.in_(ids), Referral.closed_at.is_(None)),
        select(VoiceMessage.id).where(
            VoiceMessage.id.in_(ids),
            VoiceMessage.heard_at.is_(None),
            VoiceMessage.state != MessageState.ABSENT,
        ),
        select(Callback.id).where(
            Callback.id.in_(ids), Callback.state.in_((*OPEN_CALLBACKS, CallbackState.SPOKEN))
        ),
    ]
    # One by one: together they would have more parameters than a statement may have.
    found: set[UUID] = set()
    for statement in statements:
        found |= set(await work.session.scalars(statement))
    return found
