"""Find every row that is about one person, by a number or by the code of a record.

A number leads to its calls, and they to their contacts, call-backs and messages; a contact leads to
the person's other contacts, and to their cases and referrals. What several persons may share is
found, too, and marked: the officer decides.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.lines.line_rows import Line
from app.calls.models import Call, VoiceMessage
from app.contacts.cases.models import CaseContact
from app.contacts.models import Case, Contact, MatchKey, Profile, ProfileNumber
from app.contacts.profiles import merged_from, merged_to
from app.contacts.saving import number_keys
from app.contacts.states import KeyKind
from app.errors import Invalid, Message, NotFound, TooMany
from app.privacy.hash_kinds import HashOf
from app.privacy.numbers import e164_in
from app.referrals.models import Referral
from app.retention.data_requests.children import (
    count_children,
    has_child,
    none_in_both,
    place_in,
)
from app.retention.data_requests.held_or_open import seen_by_program
from app.retention.data_requests.kinds import Because, ItemKind
from app.retention.data_requests.marks import Marks, find_marks
from app.retention.data_requests.own_calls import by_child
from app.retention.data_requests.trail import Item, Trail
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.work import Work

# More than one person can have: a number of a home, or a number that was mistyped.
MOST = 2000
_CODES: dict[str, Any] = {"K": Contact, "C": Case, "R": Referral, "P": Profile}
_KINDS = {
    Contact: ItemKind.CONTACT,
    Case: ItemKind.CASE,
    Referral: ItemKind.REFERRAL,
    Profile: ItemKind.PROFILE,
}


def read_sought(text: str, countries: list[str]) -> tuple[list[str], list[str]]:
    """Return the numbers and the codes in what was typed, one a line or with commas.

    Raises Invalid.
    """
    numbers: list[str] = []
    codes: list[str] = []
    parts = [part.strip() for line in text.splitlines() for part in line.split(",")]
    for place, part in enumerate([part for part in parts if part], 1):
        if part[:1].upper() in _CODES and part[1:2] == "-":
            codes.append(part.upper())
            continue
        found = e164_in(part, countries)
        if not found:
            raise Invalid(
                "Entry %(place)s is neither a number nor a code. Write a number with + and the "
                "country code, or the code of a contact (K-…), case (C-…), referral (R-…) or "
                "profile (P-…).",
                place=place,
            )
        numbers += found
    if not numbers and not codes:
        raise Invalid("Write the number of the person, or the code of a record about them.")
    return list(dict.fromkeys(numbers)), list(dict.fromkeys(codes))


async def countries_of(work: Work) -> list[str]:
    """Return the countries of the lines, from which a number may be written without its code."""
    rows = await work.session.scalars(select(Line.country).distinct())
    return [country for country in rows if country]


async def find_items(
    work: Work, numbers: list[str], codes: list[str], *, caller: bool = False
) -> list[Item]:
    """Return every row about the person, each with what the program sees against erasing it.

    `caller`: another caller than a child asks, about themselves.
    Raises NotFound if there is no record of a code, TooMany.
    """
    trail = Trail()
    # First: a record that was named by its code is so also if a number in it was looked for.
    await _by_codes(work, trail, codes)
    await follow(work, trail, numbers, caller=caller)
    if sum(len(rows) for rows in trail.found.values()) > MOST:
        raise TooMany(
            "More than %(most)s rows were found: too many for one person. Look for a record by "
            "its code instead.",
            most=MOST,
        )
    keeps = await seen_by_program(work, trail.found)
    counts = await count_children(work, trail.found)
    marks = await find_marks(work, trail, counts)
    return sorted(
        [
            Item(
                kind,
                id_,
                because,
                label,
                at,
                keeps.get((kind, id_)),
                (kind, id_) in marks,
                counts.get(id_),
            )
            for kind in ItemKind
            for id_, because, label, at in await _described(work, trail, kind)
        ],
        key=lambda item: (list(ItemKind).index(item.kind), item.at, item.id),
    )


async def marks_of(work: Work, trail: Trail, told_of: dict[UUID, int]) -> Marks:
    """Return which of the rows that were found may be about another person.

    `told_of`: of how many children some of them told before. Those of several still do.
    """
    counts = await count_children(work, trail.found)
    most = {id_: max(count, told_of.get(id_, 0)) for id_, count in counts.items()}
    return await find_marks(work, trail, most)


async def follow(work: Work, trail: Trail, numbers: list[str], *, caller: bool) -> None:
    """Add to a trail what these numbers and the rows in it lead to."""
    await _by_numbers(work, trail, numbers)
    await _follow_profiles(work, trail, caller=caller)
    await _follow_calls(work, trail)
    await _follow_contacts(work, trail, caller=caller)
    await _of_number(work, trail)


# -- where the search begins ---------------------------------------------------------------------


async def _by_numbers(work: Work, trail: Trail, numbers: list[str]) -> None:
    for number in numbers:
        trail.keys |= set(work.keys.match_keys(HashOf.CALLER, number))
        rows = await work.session.execute(
            select(MatchKey.subject_kind, MatchKey.subject_id, MatchKey.path)
            .where(MatchKey.kind == KeyKind.NUMBER, MatchKey.key.in_(number_keys(work, number)))
            .distinct()
        )
        for kind, id_, path in rows:
            trail.paths.setdefault(id_, set()).add(path)
            trail.add(ItemKind(kind), [id_], Because.NUMBER_IN_RECORD)
    trail.sought |= trail.keys
    await _calls_of_keys(work, trail)


async def _calls_of_keys(work: Work, trail: Trail) -> None:
    if trail.keys:
        calls = await work.session.scalars(
            select(Call.id)
            .join(Line, Line.id == Call.line_id, isouter=True)
            .where(Call.caller_key.in_(trail.keys), Line.practice.is_not(True))
        )
        trail.add(ItemKind.CALL, calls, Because.NUMBER)
        profiles = await work.session.scalars(
            select(ProfileNumber.profile_id).where(ProfileNumber.caller_key.in_(trail.keys))
        )
        trail.add(ItemKind.PROFILE, profiles, Because.NUMBER)


async def _by_codes(work: Work, trail: Trail, codes: list[str]) -> None:
    for code in codes:
        model = _CODES[code[0]]
        named, place = place_in(code)
        id_ = await work.session.scalar(select(model.id).where(model.code == named))
        if id_ is None:
            raise NotFound("There is no record with the code %(code)s.", code=code[:20])
        if place and not await has_child(work, id_, place):
            none = Message("This record has no such child. Choose a child from the record.")
            raise NotFound("%(source)s: %(problem)s", source=code[:20], problem=none)
        trail.add(_KINDS[model], [id_], Because.CODE)
    if not trail.ids(ItemKind.REFERRAL):
        return
    rows = await work.session.execute(
        select(Referral.contact_id, Referral.case_id, Referral.call_id).where(
            Referral.id.in_(trail.ids(ItemKind.REFERRAL))
        )
    )
    for contact, case, call in rows:
        for kind, one in ((ItemKind.CONTACT, contact), (ItemKind.CASE, case)):
            trail.add(kind, [one] if one else [], Because.CODE)
        trail.add(ItemKind.CALL, [call] if call else [], Because.CODE)


# -- where it leads ------------------------------------------------------------------------------


async def _follow_profiles(work: Work, trail: Trail, *, caller: bool) -> None:
    """A contact leads to its profile, and a profile to all its contacts and their calls.

    A profile belongs to the number that rang. If a contact says that another than the child rang,
    it is a reporter's, with what they said about other children: only a `caller` is led there.
    What a contact leads to is marked: the officer looks at it where it does not say who rang.
    A number that a contact came from is the person's own if no other profile shares it.
    """
    trail.profiles |= set(trail.ids(ItemKind.PROFILE))
    known = await work.session.scalars(
        select(Contact).where(
            Contact.id.in_(trail.ids(ItemKind.CONTACT)), Contact.profile_id.is_not(None)
        )
    )
    of_own = [one.profile_id for one in known.all() if caller or by_child(work, one) is not False]
    trail.add(ItemKind.PROFILE, [one for one in of_own if one], Because.CONTACT)
    # The contacts of a profile that was merged are in the other one, which has its numbers, too.
    into = await merged_to(work, trail.ids(ItemKind.PROFILE))
    trail.add(ItemKind.PROFILE, into, Because.PROFILE)
    trail.profiles |= await merged_from(work, trail.profiles)
    merged = await merged_from(work, trail.ids(ItemKind.PROFILE))
    trail.add(ItemKind.PROFILE, merged, Because.PROFILE)
    contacts = await work.session.scalars(
        select(Contact.id).where(Contact.profile_id.in_(trail.ids(ItemKind.PROFILE)))
    )
    trail.add(ItemKind.CONTACT, contacts, Because.PROFILE)
    calls = await work.session.scalars(
        select(Contact.call_id).where(
            Contact.id.in_(trail.ids(ItemKind.CONTACT)), Contact.call_id.is_not(None)
        )
    )
    trail.add(ItemKind.CALL, [one for one in calls if one], Because.CONTACT)
    own, shared = ProfileNumber, ProfileNumber.__table__.alias()
    live = Profile.__table__.alias()
    numbers = await work.session.execute(
        select(own.caller_key, own.profile_id).where(
            own.profile_id.in_(trail.ids(ItemKind.PROFILE)),
            ~exists().where(
                shared.c.caller_key == own.caller_key,
                shared.c.profile_id.not_in(trail.ids(ItemKind.PROFILE)),
                live.c.id == shared.c.profile_id,
                live.c.merged_into.is_(None),
            ),
        )
    )
    for key, profile_id in numbers.all():
        trail.keys.add(bytes(key))
        trail.sought |= {bytes(key)} if profile_id in trail.profiles else set()
    await _calls_of_keys(work, trail)


async def _follow_calls(work: Work, trail: Trail) -> None:
    calls = trail.ids(ItemKind.CALL)
    contacts = await work.session.scalars(select(Contact.id).where(Contact.call_id.in_(calls)))
    trail.add(ItemKind.CONTACT, contacts, Because.CALL)
    referrals = await work.session.scalars(select(Referral.id).where(Referral.call_id.in_(calls)))
    trail.add(ItemKind.REFERRAL, referrals, Because.CALL)


async def _follow_contacts(work: Work, trail: Trail, *, caller: bool) -> None:
    own = CaseContact.contact_id.in_(trail.ids(ItemKind.CONTACT))
    cases = [case for case, _ in await _links(work, own, caller=caller)]
    trail.add(ItemKind.CASE, cases, Because.CONTACT)
    # The other contacts of a case are about the same children, and another caller may have made
    # them: their numbers are not followed.
    of_cases = CaseContact.case_id.in_(trail.ids(ItemKind.CASE))
    others = [contact for _, contact in await _links(work, of_cases, caller=caller)]
    trail.of_others = trail.add(ItemKind.CONTACT, others, Because.CASE)
    referrals = await work.session.scalars(
        select(Referral.id).where(
            or_(
                Referral.contact_id.in_(trail.ids(ItemKind.CONTACT)),
                Referral.case_id.in_(trail.ids(ItemKind.CASE)),
            )
        )
    )
    trail.add(ItemKind.REFERRAL, referrals, Because.CONTACT)


async def _links(
    work: Work, which: ColumnElement[bool], *, caller: bool
) -> list[tuple[UUID, UUID]]:
    """Return cases and their contacts.

    If a colleague has said that the children of a contact are none of the case's, neither leads a
    child to the other.
    """
    links = select(CaseContact.case_id, CaseContact.contact_id).where(which)
    found = [(case, contact) for case, contact in await work.session.execute(links)]
    apart = set() if caller else await none_in_both(work, found)
    return [one for one in found if one not in apart]


async def _of_number(work: Work, trail: Trail) -> None:
    """Find what belongs to the calls and the number, and to no record."""
    calls = trail.ids(ItemKind.CALL)
    agreed = or_(Callback.call_id.in_(calls), Callback.caller_key.in_(trail.keys))
    callbacks = list(await work.session.scalars(select(Callback.id).where(agreed)))
    trail.add(ItemKind.CALLBACK, callbacks, Because.CALL)
    # The calls in which we rang back.
    outbound = await work.session.scalars(select(Call.id).where(Call.callback_id.in_(callbacks)))
    trail.add(ItemKind.CALL, outbound, Because.CALL)
    calls = trail.ids(ItemKind.CALL)
    of_call, of_key = Because.CALL, Because.NUMBER
    third = and_(Participant.call_id.in_(calls), Participant.number_sealed.is_not(None))
    searches: list[tuple[ItemKind, Any, Any, Because]] = [
        (ItemKind.VOICE_MESSAGE, VoiceMessage, VoiceMessage.call_id.in_(calls), of_call),
        (ItemKind.THIRD_PARTY, Participant, third, of_call),
        (ItemKind.FLAG, CallerFlag, CallerFlag.caller_key.in_(trail.keys), of_key),
        (ItemKind.WISH, CallerWish, CallerWish.caller_key.in_(trail.keys), of_key),
    ]
    for kind, model, which, because in searches:
        rows: Any = await work.session.scalars(select(model.id).where(which))
        trail.add(kind, rows, because)


# -- how it is shown -----------------------------------------------------------------------------

SHOWN: dict[ItemKind, tuple[Any, Any, Any]] = {
    ItemKind.REFERRAL: (Referral, Referral.code, Referral.opened_at),
    ItemKind.CASE: (Case, Case.code, Case.opened_at),
    ItemKind.CONTACT: (Contact, Contact.code, Contact.taken_at),
    ItemKind.VOICE_MESSAGE: (VoiceMessage, None, VoiceMessage.created_at),
    ItemKind.CALLBACK: (Callback, None, Callback.agreed_at),
    ItemKind.FLAG: (CallerFlag, None, CallerFlag.made_at),
    ItemKind.WISH: (CallerWish, None, CallerWish.made_at),
    ItemKind.THIRD_PARTY: (Participant, None, Participant.wanted_at),
    ItemKind.PROFILE: (Profile, Profile.code, Profile.created_at),
    ItemKind.CALL: (Call, None, Call.opened_at),
}
# What is erased already is not found again.
ERASED: dict[ItemKind, Any] = {
    ItemKind.REFERRAL: Referral.erased_at.is_not(None),
    ItemKind.CASE: Case.erased_at.is_not(None),
    ItemKind.CONTACT: Contact.erased_at.is_not(None),
    ItemKind.PROFILE: Profile.erased_at.is_not(None),
}


async def _described(
    work: Work, trail: Trail, kind: ItemKind
) -> list[tuple[UUID, Because, str, datetime]]:
    if not trail.ids(kind):
        return []
    model, code, at = SHOWN[kind]
    columns = [model.id, at] if code is None else [model.id, at, code]
    statement: Any = select(*columns).where(model.id.in_(trail.ids(kind)))
    if kind in ERASED:
        statement = statement.where(~ERASED[kind])
    because = trail.found[kind]
    return [
        (row[0], because[row[0]], row[2] if code is not None else "", row[1])
        for row in await work.session.execute(statement)
    ]
