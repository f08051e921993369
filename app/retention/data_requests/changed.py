"""Which rows of a request may be about another person since they were searched.

A record that tells of other children than then, or that no longer has the number which led to it,
is neither erased nor shown, and what belongs to it neither: the receipt says so, and the officer
decides anew. What cannot be compared counts as changed.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select

from app.calls.models import Call, VoiceMessage
from app.contacts.cases.models import CaseContact
from app.contacts.models import Case, Contact, MatchKey
from app.contacts.saving import number_keys
from app.contacts.states import KeyKind
from app.referrals.models import Referral
from app.retention.data_requests.children import UNKNOWN, count_children, records_of
from app.retention.data_requests.kinds import AskingPerson, Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.same_children import Only, of_other_children
from app.retention.data_requests.sought import Sought, sought_of
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.work import Work

_RECORDS: dict[ItemKind, Any] = {
    ItemKind.REFERRAL: Referral,
    ItemKind.CASE: Case,
    ItemKind.CONTACT: Contact,
}
# What belongs to a call, with that call.
_OF_CALLS: dict[ItemKind, tuple[Any, Any]] = {
    ItemKind.VOICE_MESSAGE: (VoiceMessage.id, VoiceMessage.call_id),
    ItemKind.CALLBACK: (Callback.id, Callback.call_id),
    ItemKind.THIRD_PARTY: (Participant.id, Participant.call_id),
    ItemKind.CALL: (Call.id, Call.id),
}
_Rows = Iterable[RequestItem]


# -- before an erasure ---------------------------------------------------------------------------


async def of_others(
    work: Work, request: DataRequest, kind: ItemKind, rows: list[RequestItem]
) -> set[UUID]:
    """Return which rows are about other people than the officer was told. Records are locked."""
    sought = sought_of(work, request)
    if kind in _RECORDS:
        changed = await _locked_and_changed(work, sought, kind, rows)
        return changed | await _of_lost_numbers(work, request.id, sought, kind, rows)
    beside = await _contacts_beside(work, kind, {row.subject_id for row in rows})
    contacts = {contact for _, contact in beside}
    every = await _listed(work, request.id, ItemKind.CONTACT)
    listed = [row for row in every if row.subject_id in contacts]
    changed = await _locked_and_changed(work, sought, ItemKind.CONTACT, listed)
    changed |= await _without_number(work, sought, listed)
    return {id_ for id_, contact in beside if contact in changed}


async def _locked_and_changed(
    work: Work, sought: Sought, kind: ItemKind, rows: list[RequestItem]
) -> set[UUID]:
    """Return which records tell of more or other children than the officer was told."""
    # If it is not known what the officer was told, they did not hear of several.
    told = {row.subject_id: max(row.children or 1, 1) for row in rows}
    model = _RECORDS[kind]
    await work.session.execute(select(model.id).where(model.id.in_(told)).with_for_update(of=model))
    counts = await count_children(work, kind, told)
    others = await of_other_children(work, kind, told, sought.children)
    return others | {id_ for id_, known in told.items() if counts[id_] > known}


# -- before a report -----------------------------------------------------------------------------


async def leave_out(work: Work, request: DataRequest, sought: Sought, items: _Rows) -> None:
    """Leave out of a report what may be about another person since it was searched.

    Call it in the transaction that reads the report, which sees one state of the database.
    """
    by_kind: dict[ItemKind, list[RequestItem]] = {kind: [] for kind in ItemKind}
    for item in items:
        by_kind[ItemKind(item.kind)].append(item)
    contacts = await _changed_contacts(work, sought, by_kind[ItemKind.CONTACT])
    for kind, rows in by_kind.items():
        if kind in _RECORDS:
            only = await _entries_shown(work, request, sought, kind, rows)
            ids = [row.subject_id for row in rows]
            others = await of_other_children(work, kind, ids, sought.children, only)
            others |= await _of_lost_numbers(work, request.id, sought, kind, rows)
        else:
            others = await _beside(work, kind, rows, by_kind[ItemKind.CONTACT], contacts)
        for row in rows:
            if row.keep is None and row.subject_id in others:
                row.keep = Keep.ANOTHER_PERSON.value
    await work.session.flush()


async def _changed_contacts(work: Work, sought: Sought, rows: list[RequestItem]) -> set[UUID]:
    ids = [row.subject_id for row in rows]
    others = await of_other_children(work, ItemKind.CONTACT, ids, sought.children)
    return others | await _without_number(work, sought, rows)


async def _beside(
    work: Work, kind: ItemKind, rows: _Rows, listed: _Rows, changed: set[UUID]
) -> set[UUID]:
    """Return which rows belong to a changed contact, or to one that came to the call since."""
    beside = await _contacts_beside(work, kind, {row.subject_id for row in rows})
    if kind in _OF_CALLS:
        came = {contact for _, contact in beside} - {row.subject_id for row in listed}
        changed = changed | {one.id for one in await records_of(work, came) if not one.erased_at}
    return {id_ for id_, contact in beside if contact in changed}


async def _entries_shown(
    work: Work, request: DataRequest, sought: Sought, kind: ItemKind, rows: _Rows
) -> Only:
    """Return of records about several children which entries the report may have.

    Another entry may change or go. Of what is about one child, all is compared, and so is what was
    about one if it is not known in which entry that is.
    """
    if request.person == AskingPerson.CALLER:
        return {}
    told = {row.subject_id: UNKNOWN if row.children is None else row.children for row in rows}
    counts = await count_children(work, kind, told)
    several = {id_ for id_, then in told.items() if max(counts[id_], then) > 1}
    found: dict[UUID, tuple[UUID, list[str]]] = {}
    if kind is not ItemKind.REFERRAL:
        for record in await records_of(work, several):
            asked = sought.entries.get(record.code, [])
            if asked or told[record.id] > 1:
                found[record.id] = record.id, asked
        return found
    for one in await work.session.scalars(select(Referral).where(Referral.id.in_(several))):
        if one.contact_id is not None and one.child_entry is not None:
            found[one.id] = one.contact_id, [one.child_entry]
    return found


# -- what belongs to a contact -------------------------------------------------------------------


async def _contacts_beside(
    work: Work, kind: ItemKind, ids: Iterable[UUID]
) -> list[tuple[UUID, UUID]]:
    """Return rows that are no records, each with a contact of its call, or of the profile."""
    if kind is ItemKind.PROFILE:
        statement: Any = select(Contact.profile_id, Contact.id).where(Contact.profile_id.in_(ids))
    elif kind in _OF_CALLS:
        id_, call = _OF_CALLS[kind]
        statement = (
            select(id_, Contact.id).join(Contact, Contact.call_id == call).where(id_.in_(ids))
        )
    else:
        return []
    return [(one, contact) for one, contact in await work.session.execute(statement)]


async def _listed(work: Work, request_id: UUID, kind: ItemKind) -> list[RequestItem]:
    rows = await work.session.scalars(
        select(RequestItem).where(RequestItem.request_id == request_id, RequestItem.kind == kind)
    )
    return list(rows)


# -- a number that was put right -----------------------------------------------------------------


async def _without_number(work: Work, sought: Sought, rows: _Rows) -> set[UUID]:
    """Return to which records a number in them has led that is no longer there."""
    led = {row.subject_id for row in rows if row.because == Because.NUMBER_IN_RECORD}
    keys = [key for number in sought.numbers for key in number_keys(work, number)]
    there = await work.session.scalars(
        select(MatchKey.subject_id).where(
            MatchKey.subject_id.in_(led), MatchKey.kind == KeyKind.NUMBER, MatchKey.key.in_(keys)
        )
    )
    lost = led.difference(there)
    return {one.id for one in await records_of(work, lost) if not one.erased_at}


async def _of_lost_numbers(
    work: Work, request_id: UUID, sought: Sought, kind: ItemKind, rows: _Rows
) -> set[UUID]:
    """Return which records such a number has led to, also by a contact or case that had it."""
    ids = {row.subject_id for row in rows}
    contacts = await _listed(work, request_id, ItemKind.CONTACT)
    lost = await _without_number(work, sought, contacts)
    if kind is ItemKind.CONTACT:
        return lost & ids
    cases = await _listed(work, request_id, ItemKind.CASE)
    lost_cases = await _without_number(work, sought, cases)
    lost_cases |= await _led_to_by(work, lost, contacts, cases)
    if kind is ItemKind.CASE:
        return lost_cases & ids
    of_lost = or_(
        Referral.contact_id.in_(lost),
        and_(Referral.contact_id.is_(None), Referral.case_id.in_(lost_cases)),
    )
    named = {row.subject_id for row in rows if row.because == Because.CODE}
    return set(
        await work.session.scalars(select(Referral.id).where(Referral.id.in_(ids - named), of_lost))
    )


async def _led_to_by(work: Work, lost: set[UUID], contacts: _Rows, cases: _Rows) -> set[UUID]:
    """Return to which cases no other contacts have led than these."""
    led = {row.subject_id for row in contacts if row.because != Because.CASE}
    by_contact = {row.subject_id for row in cases if row.because == Because.CONTACT}
    rows = await work.session.execute(
        select(CaseContact.case_id, CaseContact.contact_id).where(
            CaseContact.case_id.in_(by_contact), CaseContact.contact_id.in_(led)
        )
    )
    of_case: dict[UUID, set[UUID]] = {}
    for case, contact in rows:
        of_case.setdefault(case, set()).add(contact)
    return {case for case, of_it in of_case.items() if of_it <= lost}
