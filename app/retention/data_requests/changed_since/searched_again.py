"""What the search of a request finds now: which rows it leads to no more, or would mark."""

from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select

from app.calls.models import Call
from app.contacts.models import Contact, Profile, ProfileNumber
from app.contacts.profiles import merged_to
from app.contacts.saving import number_keys
from app.privacy.hash_kinds import HashOf
from app.referrals.models import Referral
from app.retention.data_requests.changed_since.listed import Listed
from app.retention.data_requests.finding import ERASED, SHOWN, follow, marks_of
from app.retention.data_requests.kinds import AskingPerson, Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.own_calls import by_child
from app.retention.data_requests.same_children import RangFrom
from app.retention.data_requests.searched import Sought, profiles_now
from app.retention.data_requests.trail import Trail
from app.routing.participants.participants import Participant
from app.work import Work

# The reasons of a search in its order: what is found by two of them has the first.
_NEARNESS = list(Because)


async def search_again(work: Work, request: DataRequest, sought: Sought, listed: Listed) -> Trail:
    """Return what the search of a request finds now. A new profile leads nowhere."""
    trail = await _leading_on(work, sought.numbers, listed)
    await follow(work, trail, sought.numbers, caller=request.person == AskingPerson.CALLER)
    return trail


async def marked_anew(
    work: Work, request: DataRequest, sought: Sought, listed: Listed, trail: Trail
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


async def lost_rows(
    work: Work, sought: Sought, listed: Listed, trail: Trail
) -> dict[ItemKind, set[UUID]]:
    """Return to which rows the search of a request leads no more, though they are there.

    What leads there now must be as near to the person as what did: a contact of the person's
    profile that is in another one now is lost, whatever else leads to it, also if that one was
    found, too: it is a sister's. A contact that has the number no more stays if the child rang from
    it. The referrals of a lost contact are lost, too.
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
            gone |= await _in_other_profiles(work, sought, listed)
        lost[kind] = await _still_there(work, kind, gone)
    named = {row.subject_id for row in listed[ItemKind.REFERRAL] if row.because == Because.CODE}
    ids = {row.subject_id for row in listed[ItemKind.REFERRAL]} - named
    if ids and lost[ItemKind.CONTACT]:
        of_lost = select(Referral.id).where(
            Referral.id.in_(ids), Referral.contact_id.in_(lost[ItemKind.CONTACT])
        )
        lost[ItemKind.REFERRAL] |= set(await work.session.scalars(of_lost))
    return lost


async def _in_other_profiles(work: Work, sought: Sought, listed: Listed) -> set[UUID]:
    """Return which contacts are in another profile than at the search, unless one was merged into
    the other. One that was in none may be in one of the person's own. What was named stays theirs.
    """
    now = await profiles_now(
        work, [row.subject_id for row in listed[ItemKind.CONTACT] if row.because != Because.CODE]
    )
    own = {str(row.subject_id) for row in listed[ItemKind.PROFILE] if _is_own(sought, row)}
    without = set(sought.without_profile)
    found = set()
    for id_, profile in now.items():
        before = own if id_ in without else {sought.profiles.get(id_, profile)}
        if profile not in before:
            merged = await merged_to(work, [UUID(one) for one in before])
            found |= {UUID(id_)} if UUID(profile) not in merged else set()
    return found


def _is_own(sought: Sought, row: RequestItem) -> bool:
    """Return whether a row is the person's: it may be kept, and for another person it is not."""
    if row.keep is None:
        return True
    return row.keep != Keep.ANOTHER_PERSON and str(row.subject_id) not in sought.marked


def _is_farther(now: Because | None, then: Because) -> bool:
    return now is None or _NEARNESS.index(now) > _NEARNESS.index(then)


async def _of_own_calls(work: Work, listed: Listed) -> set[UUID]:
    """Return the contacts of calls from the number whose child rang, and was not told apart."""
    ids = [row.subject_id for row in listed[ItemKind.CONTACT]]
    calls = [row.subject_id for row in listed[ItemKind.CALL] if row.because == Because.NUMBER]
    if not ids or not calls:
        return set()
    profiles = [row.subject_id for row in listed[ItemKind.PROFILE]]
    known = {None, *profiles, *await merged_to(work, profiles)}
    contacts = await work.session.scalars(
        select(Contact).where(Contact.id.in_(ids), Contact.call_id.in_(calls))
    )
    return {one.id for one in contacts if one.profile_id in known and by_child(work, one) is True}


async def rang_from(work: Work, sought: Sought, listed: Listed) -> RangFrom:
    """Return the numbers that were looked for, and the contacts whose child rang from them.

    Such a one is known by its call: the number may be taken out of its record, or put right.
    """
    numbers = {key for one in sought.numbers for key in number_keys(work, one)}
    return RangFrom(await _of_own_calls(work, listed) if numbers else set(), numbers)


async def _still_there(work: Work, kind: ItemKind, ids: set[UUID]) -> set[UUID]:
    """Return which of these rows still tell of a person."""
    if not ids:
        return set()
    model = SHOWN[kind][0]
    statement: Any = select(model.id).where(model.id.in_(ids))
    if kind in ERASED:
        statement = statement.where(~ERASED[kind])
    if kind is ItemKind.THIRD_PARTY:
        statement = statement.where(Participant.number_sealed.is_not(None))
    return set(await work.session.scalars(statement))


async def _leading_on(work: Work, numbers: list[str], listed: Listed) -> Trail:
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
        if kind is ItemKind.CALL and by_number:
            forgotten: Any = select(Call.id).where(Call.caller_key.is_(None))
            on |= set(await work.session.scalars(forgotten.where(Call.id.in_(by_number))))
        if kind is ItemKind.PROFILE and then:
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
            trail.stands |= set(await work.session.scalars(without)) if had else set()
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
