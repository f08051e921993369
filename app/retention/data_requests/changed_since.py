"""Which rows of a request may be about another person since they were searched.

A record that tells of other children than then is neither erased nor shown, and what belongs to it
neither. Nor is a row to which the same search leads no more: a number was put right, a contact was
told apart from its profile or taken out of its case. Nor is one that the search would mark, and did
not then: another record has another name by now, or it is known that another person rang. The
receipt says so, and the officer decides anew. What cannot be compared counts as changed.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, or_, select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, VoiceMessage
from app.contacts.models import Case, Contact, Profile, ProfileNumber
from app.contacts.profiles import merged_to
from app.contacts.saving import number_keys
from app.privacy.hash_kinds import HashOf
from app.referrals.models import Referral
from app.retention.data_requests.children import UNKNOWN, count_children, records_of
from app.retention.data_requests.finding import ERASED, SHOWN, follow, marks_of
from app.retention.data_requests.kinds import AskingPerson, Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.own_calls import by_child
from app.retention.data_requests.same_children import Only, RangFrom, of_other_children
from app.retention.data_requests.searched import Sought, sought_of
from app.retention.data_requests.trail import Trail
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
_OF_NUMBERS: dict[ItemKind, Any] = {ItemKind.FLAG: CallerFlag, ItemKind.WISH: CallerWish}
# The reasons of a search in its order: what is found by two of them has the first.
_NEARNESS = list(Because)
_Rows = Iterable[RequestItem]
_Listed = dict[ItemKind, list[RequestItem]]


def _by_kind(items: _Rows) -> _Listed:
    found: _Listed = {kind: [] for kind in ItemKind}
    for item in items:
        found[ItemKind(item.kind)].append(item)
    return found


# -- before an erasure ---------------------------------------------------------------------------


async def keep_others(work: Work, request: DataRequest) -> None:
    """Keep what is about other people than the officer was told, before anything is erased.

    Later less is known: what is erased tells no more where it led to. Records are locked.
    """
    every = await _of_request(work, request)
    for kind in _RECORDS:
        await _lock(work, kind, every[kind])
    sought = sought_of(work, request)
    trail = await _search_again(work, request, sought, every)
    lost = await _lost(work, every, trail)
    anew = await _marked_anew(work, request, sought, every, trail)
    for kind, rows in every.items():
        others = anew[kind] | await _others(work, request, kind, rows, every, lost)
        for row in rows:
            if row.keep is None and row.subject_id in others:
                row.keep = Keep.ANOTHER_PERSON.value
    await work.session.flush()


async def of_others(
    work: Work, request: DataRequest, kind: ItemKind, rows: list[RequestItem]
) -> set[UUID]:
    """Return which rows are about other people than the officer was told. Records are locked."""
    every = await _of_request(work, request)
    locked = kind if kind in _RECORDS else ItemKind.CONTACT
    await _lock(work, locked, every[locked])
    trail = await _search_again(work, request, sought_of(work, request), every)
    lost = await _lost(work, every, trail)
    return await _others(work, request, kind, rows, every, lost)


async def _others(
    work: Work,
    request: DataRequest,
    kind: ItemKind,
    rows: list[RequestItem],
    every: _Listed,
    lost: dict[ItemKind, set[UUID]],
) -> set[UUID]:
    sought = sought_of(work, request)
    if not rows:
        return set()
    rang = await _rang_from(work, sought, every)
    if kind in _RECORDS:
        return lost[kind] | await _changed(work, sought, kind, rows, rang)
    if kind in _OF_NUMBERS:
        return lost[kind] | await _of_their_numbers(work, kind, rows, every, lost)
    beside = await _contacts_beside(work, kind, {row.subject_id for row in rows})
    contacts = {contact for _, contact in beside}
    listed = [row for row in every[ItemKind.CONTACT] if row.subject_id in contacts]
    changed = lost[ItemKind.CONTACT] | await _changed(work, sought, ItemKind.CONTACT, listed, rang)
    # A call that was named, or what is erased again, was decided with the contacts that it has:
    # neither has a label.
    searched = {row.subject_id for row in rows if row.because != Because.CODE or row.label}
    came = await _came(work, beside, every[ItemKind.CONTACT])
    others = {id_ for id_, contact in beside if contact in came and id_ in searched}
    return lost[kind] | others | {id_ for id_, contact in beside if contact in changed}


async def _lock(work: Work, kind: ItemKind, rows: _Rows) -> None:
    model, ids = _RECORDS[kind], [row.subject_id for row in rows]
    await work.session.execute(
        select(model.id).where(model.id.in_(ids)).order_by(model.id).with_for_update(of=model)
    )


async def _of_request(work: Work, request: DataRequest) -> _Listed:
    rows = select(RequestItem).where(RequestItem.request_id == request.id)
    return _by_kind(await work.session.scalars(rows))


async def _changed(
    work: Work, sought: Sought, kind: ItemKind, rows: list[RequestItem], rang: RangFrom
) -> set[UUID]:
    """Return which records tell of more or other children than the officer was told."""
    # If it is not known what the officer was told, they did not hear of several.
    told = {row.subject_id: max(row.children or 1, 1) for row in rows}
    counts = await count_children(work, {kind: told})
    others = await of_other_children(work, kind, told, sought.children, rang)
    return others | {id_ for id_, known in told.items() if counts[id_] > known}


# -- before a report -----------------------------------------------------------------------------


async def leave_out(work: Work, request: DataRequest, sought: Sought, items: _Rows) -> None:
    """Leave out of a report what may be about another person since it was searched.

    Call it in the transaction that reads the report, which sees one state of the database.
    """
    for row in await _shown_of_others(work, request, sought, items):
        row.keep = Keep.ANOTHER_PERSON.value
    await work.session.flush()


async def shows_others(work: Work, request: DataRequest) -> bool:
    """Return whether a finished report has a row that would be left out if it were made now.

    A version that kept no list of what a report shows cannot be asked: its reports last on.
    """
    if request.sought_sealed is None:
        return False
    every = await _of_request(work, request)
    items = [row for rows in every.values() for row in rows]
    return bool(await _shown_of_others(work, request, sought_of(work, request), items))


async def _shown_of_others(
    work: Work, request: DataRequest, sought: Sought, items: _Rows
) -> list[RequestItem]:
    every = _by_kind(items)
    trail = await _search_again(work, request, sought, every)
    lost = await _lost(work, every, trail)
    ids = [row.subject_id for row in every[ItemKind.CONTACT]]
    rang = await _rang_from(work, sought, every)
    contacts = await of_other_children(work, ItemKind.CONTACT, ids, sought.children, rang)
    contacts |= lost[ItemKind.CONTACT]
    anew = await _marked_anew(work, request, sought, every, trail)
    found: list[RequestItem] = []
    for kind, rows in every.items():
        if kind in _RECORDS:
            only = await _entries_shown(work, request, sought, kind, rows)
            ids = [row.subject_id for row in rows]
            others = await of_other_children(work, kind, ids, sought.children, rang, only)
        elif kind in _OF_NUMBERS:
            others = await _of_their_numbers(work, kind, rows, every, lost)
        else:
            others = await _beside(work, kind, rows, every[ItemKind.CONTACT], contacts)
        others = others | lost[kind] | anew[kind]
        found += [row for row in rows if row.keep is None and row.subject_id in others]
    return found


async def _beside(
    work: Work, kind: ItemKind, rows: _Rows, listed: _Rows, changed: set[UUID]
) -> set[UUID]:
    """Return which rows belong to a changed contact, or to one that came to the call since."""
    beside = await _contacts_beside(work, kind, {row.subject_id for row in rows})
    if kind in _OF_CALLS:
        changed = changed | await _came(work, beside, listed)
    return {id_ for id_, contact in beside if contact in changed}


async def _came(work: Work, beside: list[tuple[UUID, UUID]], listed: _Rows) -> set[UUID]:
    """Return which of these contacts came since: to a call, or to a profile."""
    came = {contact for _, contact in beside} - {row.subject_id for row in listed}
    return {one.id for one in await records_of(work, came) if not one.erased_at}


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
    counts = await count_children(work, {kind: told})
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


async def _of_their_numbers(
    work: Work, kind: ItemKind, rows: _Rows, every: _Listed, lost: dict[ItemKind, set[UUID]]
) -> set[UUID]:
    """Return the flags and wishes of a number from which another child has rung, as is known since.

    They belong to the number: that they were made for her, or for the person, is not written down.
    """
    searched = {row.subject_id for row in every[ItemKind.CALL] if row.because != Because.CODE}
    beside = await _contacts_beside(work, ItemKind.CALL, searched)
    others = lost[ItemKind.CONTACT] | await _came(work, beside, every[ItemKind.CONTACT])
    keys = (
        select(func.coalesce(Call.caller_key, Call.visit_key))
        .join(Contact, Contact.call_id == Call.id)
        .where(Contact.id.in_(others))
    )
    model, ids = _OF_NUMBERS[kind], [row.subject_id for row in rows]
    found = select(model.id).where(model.id.in_(ids), model.caller_key.in_(keys))
    return set(await work.session.scalars(found))


# -- searched again ------------------------------------------------------------------------------


async def _search_again(work: Work, request: DataRequest, sought: Sought, listed: _Listed) -> Trail:
    """Return what the search of a request finds now. A new profile leads nowhere."""
    trail = await _leading_on(work, sought.numbers, listed)
    await follow(work, trail, sought.numbers, caller=request.person == AskingPerson.CALLER)
    return trail


async def _marked_anew(
    work: Work, request: DataRequest, sought: Sought, listed: _Listed, trail: Trail
) -> dict[ItemKind, set[UUID]]:
    """Return which rows may be another person's by what is known now, and might not then.

    What was marked then stays as the officer has decided, and what came since is not asked about.
    Another caller is no child: all that was found is marked for them, and the officer has chosen
    what is theirs.
    """
    found: dict[ItemKind, set[UUID]] = {kind: set() for kind in ItemKind}
    if request.person != AskingPerson.CALLER:
        for kind, rows in listed.items():
            of_request = {row.subject_id for row in rows}
            trail.found[kind] = {
                id_: because for id_, because in trail.found[kind].items() if id_ in of_request
            }
        told = {row.subject_id: row.children or 0 for rows in listed.values() for row in rows}
        for kind, id_ in await marks_of(work, trail, told):
            if str(id_) not in sought.marked:
                found[kind].add(id_)
    return found


async def _lost(work: Work, listed: _Listed, trail: Trail) -> dict[ItemKind, set[UUID]]:
    """Return to which rows the search of a request leads no more, though they are there.

    What leads there now must be as near to the person as what did: a contact of the person's
    profile that is in another one now is lost, whatever else leads to it. A contact that has the
    number no more stays if the child rang from it. The referrals of a lost contact are lost, too.
    """
    lost: dict[ItemKind, set[UUID]] = {}
    for kind, rows in listed.items():
        then = {row.subject_id: Because(row.because) for row in rows}
        now = trail.found[kind]
        gone = {id_ for id_, because in then.items() if _is_farther(now.get(id_), because)}
        if kind is ItemKind.CONTACT:
            had = {id_ for id_ in gone if then[id_] is Because.NUMBER_IN_RECORD}
            there = {id_ for id_ in had if now.get(id_) in (Because.PROFILE, Because.CALL)}
            gone -= there & await _of_own_calls(work, listed)
        lost[kind] = await _still_there(work, kind, gone)
    named = {row.subject_id for row in listed[ItemKind.REFERRAL] if row.because == Because.CODE}
    ids = {row.subject_id for row in listed[ItemKind.REFERRAL]} - named
    of_lost = select(Referral.id).where(
        Referral.id.in_(ids), Referral.contact_id.in_(lost[ItemKind.CONTACT])
    )
    lost[ItemKind.REFERRAL] |= set(await work.session.scalars(of_lost))
    return lost


def _is_farther(now: Because | None, then: Because) -> bool:
    return now is None or _NEARNESS.index(now) > _NEARNESS.index(then)


async def _of_own_calls(work: Work, listed: _Listed) -> set[UUID]:
    """Return the contacts of calls from the number whose child rang, and was not told apart."""
    ids = [row.subject_id for row in listed[ItemKind.CONTACT]]
    calls = [row.subject_id for row in listed[ItemKind.CALL] if row.because == Because.NUMBER]
    profiles = [row.subject_id for row in listed[ItemKind.PROFILE]]
    known = {None, *profiles, *await merged_to(work, profiles)}
    contacts = await work.session.scalars(
        select(Contact).where(Contact.id.in_(ids), Contact.call_id.in_(calls))
    )
    return {one.id for one in contacts if one.profile_id in known and by_child(work, one) is True}


async def _rang_from(work: Work, sought: Sought, listed: _Listed) -> RangFrom:
    """Return the numbers that were looked for, and the contacts whose child rang from them.

    Such a one is known by its call: the number may be taken out of its record, or put right.
    """
    numbers = {key for one in sought.numbers for key in number_keys(work, one)}
    return RangFrom(await _of_own_calls(work, listed) if numbers else set(), numbers)


async def _still_there(work: Work, kind: ItemKind, ids: set[UUID]) -> set[UUID]:
    """Return which of these rows still tell of a person."""
    model = SHOWN[kind][0]
    statement: Any = select(model.id).where(model.id.in_(ids))
    if kind in ERASED:
        statement = statement.where(~ERASED[kind])
    if kind is ItemKind.THIRD_PARTY:
        statement = statement.where(Participant.number_sealed.is_not(None))
    return set(await work.session.scalars(statement))


async def _leading_on(work: Work, numbers: list[str], listed: _Listed) -> Trail:
    """Return the rows that lead on as they did: that they cannot be found again says nothing.

    They were named, or they were erased or their number was forgotten since they were searched.
    """
    profiles = [row.subject_id for row in listed[ItemKind.PROFILE]]
    trail = Trail(only_profiles={*profiles, *await merged_to(work, profiles)})
    for kind, rows in listed.items():
        then = {row.subject_id: Because(row.because) for row in rows}
        on = {id_ for id_, because in then.items() if because is Because.CODE}
        by_number = [id_ for id_, because in then.items() if because is Because.NUMBER]
        erased = set(then) - await _still_there(work, kind, set(then)) if kind in ERASED else set()
        on |= erased
        if kind is ItemKind.CALL:
            forgotten: Any = select(Call.id).where(Call.caller_key.is_(None))
            on |= set(await work.session.scalars(forgotten.where(Call.id.in_(by_number))))
        if kind is ItemKind.PROFILE:
            on |= await _without_numbers(work, numbers, by_number)
            if erased:
                # It has no numbers any more.
                calls = listed[ItemKind.CALL]
                by_key = {row.subject_id for row in calls if row.because == Because.NUMBER}
                trail.add(ItemKind.CALL, by_key, Because.NUMBER)
        if kind is ItemKind.CONTACT:
            # An erasure, also another one, took its profile apart: a person gives it another one.
            had = [id_ for id_, because in then.items() if because is Because.PROFILE]
            without = select(Contact.id).where(Contact.id.in_(had), Contact.profile_id.is_(None))
            trail.stands |= set(await work.session.scalars(without))
            on |= trail.stands
        for id_ in on:
            trail.add(kind, [id_], then[id_])
    return trail


async def _without_numbers(work: Work, numbers: list[str], ids: list[UUID]) -> set[UUID]:
    """Return which profiles have no number any more, if no other profile has these either."""
    keys = [key for one in numbers for key in work.keys.match_keys(HashOf.CALLER, one)]
    has_number = exists().where(
        or_(ProfileNumber.profile_id == Profile.id, ProfileNumber.caller_key.in_(keys))
    )
    rows = await work.session.scalars(select(Profile.id).where(Profile.id.in_(ids), ~has_number))
    return set(rows)
