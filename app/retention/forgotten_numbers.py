"""What is only known by the number of erased calls: it goes with the last call of the number.

A profile that was merged, or from which another was split, has kept all its numbers, so a number
stands in profiles that are not the person's. What a number has only as long as a call has it goes:
its places in profiles, flags, wishes, and that it wants no messages. Where a call of another person
has it still, it goes from the profiles of the erased calls alone, if none of their calls has it.
An erased contact leaves a profile that is another person's.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, or_, select

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call
from app.chats.carrier_rows import OptOut
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Contact, ProfileNumber
from app.contacts.profiles import merged_from, merged_to
from app.contacts.states import Subject
from app.retention.data_requests.held_or_open import seen_by_program
from app.retention.data_requests.kinds import Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.work import Work

_OF_NUMBER: tuple[tuple[ItemKind, Any, Any], ...] = (
    (ItemKind.FLAG, CallerFlag, CallerFlag.made_at),
    (ItemKind.WISH, CallerWish, CallerWish.made_at),
)


async def profiles_of(work: Work, call_ids: Collection[UUID]) -> set[UUID]:
    """Return the profiles of the contacts of calls, with those that were merged into them."""
    found = await work.session.scalars(
        select(Contact.profile_id).where(
            Contact.call_id.in_(call_ids), Contact.profile_id.is_not(None)
        )
    )
    own = {one for one in found if one is not None}
    return own | await merged_from(work, own)


async def forget_numbers(
    work: Work, request: DataRequest, keys: Iterable[bytes], profiles: Collection[UUID] = ()
) -> None:
    """Forget numbers of which no call is left; others, in these profiles. May be run twice.

    Call it in a transaction that erases, after the calls have given up their numbers.
    """
    wanted = set(keys)
    if not wanted:
        return
    left = await work.session.scalars(
        select(Call.caller_key).where(Call.caller_key.in_(wanted)).distinct()
    )
    still = {bytes(key) for key in left if key is not None}
    gone = wanted - still
    stay = await _numbers_stay(work, request, wanted)
    place = and_(ProfileNumber.caller_key.in_(gone), ProfileNumber.profile_id.not_in(stay))
    await _delete(work, ProfileNumber, place)
    await _delete(work, OptOut, OptOut.caller_key.in_(gone))
    for kind, model, at in _OF_NUMBER:
        await _erase_rows(work, request, kind, model, at, gone)
    for profile in set(profiles) - stay:
        await _leave_profile(work, profile, still)


async def leave_profiles(work: Work, request: DataRequest) -> None:
    """Take erased contacts out of profiles that are another person's, too, and stay.

    Such a one is kept for that, or another one was merged into it while the request waited. Call
    it in a transaction that erases, after all other rows. May be run twice.
    """
    erased = select(RequestItem.subject_id).where(
        RequestItem.request_id == request.id,
        RequestItem.kind == ItemKind.CONTACT.value,
        RequestItem.erased_at.is_not(None),
    )
    contacts = list(
        await work.session.scalars(
            select(Contact).where(Contact.id.in_(erased), Contact.profile_id.is_not(None))
        )
    )
    keeps = await _keeps(work, request, {one.profile_id for one in contacts if one.profile_id})
    for contact in contacts:
        profile = contact.profile_id
        assert profile is not None
        if keeps.get(profile, Keep.ANOTHER_PERSON) is Keep.ANOTHER_PERSON:
            contact.profile_id = None
            note_event(
                work,
                Subject.PROFILE,
                profile,
                RecordLog.CONTACT_UNLINKED,
                contact_id=str(contact.id),
            )
    await work.session.flush()


async def _numbers_stay(work: Work, request: DataRequest, keys: set[bytes]) -> set[UUID]:
    """Return the profiles that are kept with all their numbers, with those merged into them.

    One that is kept for open work has them, too: by them the person's work is found when it is
    done. One that is kept for another person alone loses those of the person who asks.
    """
    found = await work.session.scalars(
        select(ProfileNumber.profile_id).where(ProfileNumber.caller_key.in_(keys))
    )
    ids = set(found)
    ids |= await merged_to(work, ids)
    keeps = await _keeps(work, request, ids)
    stay = {id_ for id_, keep in keeps.items() if keep is not Keep.ANOTHER_PERSON}
    return stay | await merged_from(work, stay)


async def _keeps(work: Work, request: DataRequest, ids: Collection[UUID]) -> dict[UUID, Keep]:
    """Return why profiles are kept: those of a request, and which of these are held."""
    profile = ItemKind.PROFILE
    listed = await work.session.execute(
        select(RequestItem.subject_id, RequestItem.keep).where(
            RequestItem.request_id == request.id, RequestItem.kind == profile.value
        )
    )
    keeps = {id_: Keep(keep) for id_, keep in listed if keep is not None}
    seen = await seen_by_program(work, {profile: dict.fromkeys(ids, Because.NUMBER)})
    return keeps | {id_: keep for (_, id_), keep in seen.items() if keep is Keep.LEGAL_HOLD}


async def _delete(work: Work, model: Any, which: Any) -> None:
    await work.session.execute(
        delete(model).where(which).execution_options(synchronize_session=False)
    )


async def _erase_rows(
    work: Work, request: DataRequest, kind: ItemKind, model: Any, at: Any, keys: set[bytes]
) -> None:
    """Delete flags or wishes of numbers that are not kept with a ground, and count them."""
    kept = select(RequestItem.subject_id).where(
        RequestItem.request_id == request.id,
        RequestItem.kind == kind.value,
        RequestItem.keep.is_not(None),
    )
    rows = await work.session.execute(
        select(model.id, at).where(model.caller_key.in_(keys), model.id.not_in(kept))
    )
    for id_, made_at in rows.all():
        item = RequestItem(
            request_id=request.id,
            kind=kind.value,
            subject_id=id_,
            because=Because.NUMBER.value,
            label="",
            at=made_at,
            erased_at=work.now,
        )
        await work.session.merge(item)
        await _delete(work, model, model.id == id_)
    await work.session.flush()


async def _leave_profile(work: Work, profile: UUID, keys: set[bytes]) -> None:
    """Take numbers from a profile to which no call with them belongs, as far as contacts say."""
    family = {profile, *await merged_to(work, [profile])}
    known = exists().where(Contact.call_id == Call.id, Contact.profile_id.is_not(None))
    own = exists().where(Contact.call_id == Call.id, Contact.profile_id.in_(family))
    perhaps = exists().where(Call.caller_key == ProfileNumber.caller_key, or_(~known, own))
    which = and_(ProfileNumber.profile_id == profile, ProfileNumber.caller_key.in_(keys), ~perhaps)
    await _delete(work, ProfileNumber, which)
