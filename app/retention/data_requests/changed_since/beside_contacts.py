"""What belongs to a contact: rows of its call, its profile, and the flags and wishes of its number.

They are about another person if their contact is, or if another contact came to them since.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, VoiceMessage
from app.contacts.models import Contact
from app.retention.data_requests.changed_since.listed import Listed, Rows
from app.retention.data_requests.children import records_of
from app.retention.data_requests.kinds import Because, ItemKind
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.work import Work

# What belongs to a call, with that call.
OF_CALLS: dict[ItemKind, tuple[Any, Any]] = {
    ItemKind.VOICE_MESSAGE: (VoiceMessage.id, VoiceMessage.call_id),
    ItemKind.CALLBACK: (Callback.id, Callback.call_id),
    ItemKind.THIRD_PARTY: (Participant.id, Participant.call_id),
    ItemKind.CALL: (Call.id, Call.id),
}
OF_NUMBERS: dict[ItemKind, Any] = {ItemKind.FLAG: CallerFlag, ItemKind.WISH: CallerWish}


async def contacts_beside(
    work: Work, kind: ItemKind, ids: Iterable[UUID]
) -> list[tuple[UUID, UUID]]:
    """Return rows that are no records, each with a contact of its call, or of the profile."""
    ids = set(ids)
    if not ids:
        return []
    if kind is ItemKind.PROFILE:
        statement: Any = select(Contact.profile_id, Contact.id).where(Contact.profile_id.in_(ids))
    elif kind in OF_CALLS:
        id_, call = OF_CALLS[kind]
        statement = (
            select(id_, Contact.id).join(Contact, Contact.call_id == call).where(id_.in_(ids))
        )
    else:
        return []
    return [(one, contact) for one, contact in await work.session.execute(statement)]


async def came_since(work: Work, beside: list[tuple[UUID, UUID]], listed: Rows) -> set[UUID]:
    """Return which of these contacts came since: to a call, or to a profile."""
    came = {contact for _, contact in beside} - {row.subject_id for row in listed}
    return {one.id for one in await records_of(work, came) if not one.erased_at}


async def of_their_numbers(
    work: Work, kind: ItemKind, rows: Rows, every: Listed, lost: dict[ItemKind, set[UUID]]
) -> set[UUID]:
    """Return the flags and wishes of a number from which another child has rung, as is known since.

    They belong to the number: that they were made for her, or for the person, is not written down.
    """
    rows = list(rows)
    if not rows:
        return set()
    searched = {row.subject_id for row in every[ItemKind.CALL] if row.because != Because.CODE}
    beside = await contacts_beside(work, ItemKind.CALL, searched)
    others = lost[ItemKind.CONTACT] | await came_since(work, beside, every[ItemKind.CONTACT])
    keys = (
        select(func.coalesce(Call.caller_key, Call.visit_key))
        .join(Contact, Contact.call_id == Call.id)
        .where(Contact.id.in_(others))
    )
    model, ids = OF_NUMBERS[kind], [row.subject_id for row in rows]
    found = select(model.id).where(model.id.in_(ids), model.caller_key.in_(keys))
    return set(await work.session.scalars(found))
