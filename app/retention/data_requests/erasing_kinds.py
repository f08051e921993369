"""Erase the rows of each kind, and what links them to the person's other rows."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, CallQuestion, VoiceMessage
from app.chats import erasing as chat_erasing
from app.chats.models import Access, Message
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact, Profile, ProfileNumber, RecordEvent
from app.contacts.states import Subject
from app.database.logs import Why, change_rows
from app.database.topics import Topic
from app.privacy.numbers import CallerKind
from app.referrals.models import Referral
from app.retention import records
from app.retention.callers import forget_callbacks, forget_callers
from app.retention.data_requests import wanted_copies
from app.retention.data_requests.kinds import ItemKind
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.searched import seal_sought, sought_of
from app.retention.forgotten_numbers import forget_numbers, profiles_of
from app.retention.kinds import DataKind
from app.retention.records import empty
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.work import Work


async def _referrals(work: Work, request: DataRequest, ids: list[UUID]) -> list[UUID]:
    erased = await _of_records(DataKind.REFERRALS, Referral)(work, request, ids)
    await wanted_copies.of_referrals(work, request.id, erased)
    return erased


def _of_records(
    kind: DataKind, model: Any
) -> Callable[[Work, DataRequest, list[UUID]], Awaitable[list[UUID]]]:
    async def erase(work: Work, _request: DataRequest, ids: list[UUID]) -> list[UUID]:
        locked = await work.session.scalars(
            select(model.id).where(model.id.in_(ids)).with_for_update(of=model)
        )
        return await records.erase_records(work, kind, list(locked), None)

    return erase


async def _messages(work: Work, request: DataRequest, ids: list[UUID]) -> list[UUID]:
    await wanted_copies.of_recordings(work, request.id, ids)
    await _update(work, VoiceMessage, ids, audio_sealed=None, audio_type=None, erased_at=work.now)
    return ids


async def _callbacks(work: Work, _request: DataRequest, ids: list[UUID]) -> list[UUID]:
    await forget_callbacks(work, Callback.id.in_(ids))
    work.announce(Topic.CALLBACKS)
    return ids


async def _rows(model: Any, work: Work, ids: list[UUID]) -> list[UUID]:
    await work.session.execute(
        delete(model).where(model.id.in_(ids)).execution_options(synchronize_session=False)
    )
    return ids


async def _flags(work: Work, _request: DataRequest, ids: list[UUID]) -> list[UUID]:
    return await _rows(CallerFlag, work, ids)


async def _wishes(work: Work, _request: DataRequest, ids: list[UUID]) -> list[UUID]:
    return await _rows(CallerWish, work, ids)


async def _third_parties(work: Work, request: DataRequest, ids: list[UUID]) -> list[UUID]:
    await wanted_copies.of_third_parties(work, request.id, ids)
    await empty(work, Participant.number_sealed, Participant.id, ids)
    return ids


async def _profiles(work: Work, _request: DataRequest, ids: list[UUID]) -> list[UUID]:
    """Take a profile apart: its numbers, what was written in its log, and its contacts."""
    # The log gives up words only of a profile that is erased.
    await _update(work, Profile, ids, erased_at=work.now)
    await empty(work, RecordEvent.words_sealed, RecordEvent.subject_id, ids)
    await _empty_words_about(work, ids)
    await work.session.execute(delete(ProfileNumber).where(ProfileNumber.profile_id.in_(ids)))
    await work.session.execute(
        update(Contact)
        .where(Contact.profile_id.in_(ids))
        .values(profile_id=None)
        .execution_options(synchronize_session=False)
    )
    for id_ in ids:
        note_event(work, Subject.PROFILE, id_, RecordLog.ERASED)
    return ids


async def _empty_words_about(work: Work, ids: list[UUID]) -> None:
    """Erase why profiles that stay were merged with these, or split from them: it names both."""
    there = select(RecordEvent.detail).where(
        RecordEvent.subject_kind == Subject.PROFILE.value,
        RecordEvent.subject_id.in_(ids),
        RecordEvent.kind.in_((RecordLog.MERGED_INTO, RecordLog.SPLIT)),
    )
    others = {
        UUID(detail[name])
        for detail in await work.session.scalars(there)
        for name in ("into", "other")
        if name in detail
    }
    events = await work.session.scalars(
        select(RecordEvent.id).where(
            RecordEvent.subject_kind == Subject.PROFILE.value,
            RecordEvent.subject_id.in_(others),
            RecordEvent.detail["other"].astext.in_([str(one) for one in ids]),
            RecordEvent.words_sealed.is_not(None),
        )
    )
    emptied = [({"id": one}, {"words_sealed": None}) for one in events]
    await change_rows(work.session, Why.ERASING, RecordEvent.__tablename__, emptied)


async def _calls(work: Work, request: DataRequest, ids: list[UUID]) -> list[UUID]:
    rows = (
        await work.session.execute(
            select(Call.id, Call.caller_number_sealed, Call.caller_kind).where(Call.id.in_(ids))
        )
    ).all()
    numbers = {
        work.keys.open(
            row.caller_number_sealed, table="calls", column="caller_number_sealed", row=row.id
        ).decode()
        for row in rows
        # The provider knows nothing of an address at a carrier.
        if row.caller_number_sealed is not None and row.caller_kind != CallerKind.WRITTEN
    }
    sought = sought_of(work, request)
    if new := sorted(numbers - set(sought.numbers)):
        # The provider is asked for what it has of these numbers, too.
        both = sought._replace(numbers=[*sought.numbers, *new])
        request.sought_sealed = seal_sought(work, request.id, both)
    await wanted_copies.of_calls(work, request.id, ids)
    await work.session.execute(
        update(CallQuestion)
        .where(CallQuestion.call_id.in_(ids))
        .values(answer_sealed=None)
        .execution_options(synchronize_session=False)
    )
    await erase_words(work, ids)
    await _forget_writing(work, ids)
    known = await work.session.scalars(
        select(Call.caller_key).where(Call.id.in_(ids), Call.caller_key.is_not(None))
    )
    keys = {bytes(key) for key in known if key is not None}
    await forget_callers(work, ids)
    await forget_numbers(work, request, keys, await profiles_of(work, ids))
    return ids


async def _forget_writing(work: Work, call_ids: list[UUID]) -> None:
    """Forget the secrets with which children come back."""
    await work.session.execute(delete(Access).where(Access.call_id.in_(call_ids)))
    await _update(work, Call, call_ids, visit_key=None)


async def erase_words(work: Work, call_ids: list[UUID]) -> None:
    """Erase what was written in conversations, and what came with it."""
    messages = list(
        await work.session.scalars(
            select(Message.id).where(Message.call_id.in_(call_ids), Message.erased_at.is_(None))
        )
    )
    await chat_erasing.erase(work, messages)


async def _update(work: Work, model: Any, ids: list[UUID], **values: Any) -> None:
    await work.session.execute(
        update(model)
        .where(model.id.in_(ids))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


ERASERS: dict[ItemKind, Callable[[Work, DataRequest, list[UUID]], Awaitable[list[UUID]]]] = {
    ItemKind.REFERRAL: _referrals,
    ItemKind.CASE: _of_records(DataKind.CASES, Case),
    ItemKind.CONTACT: _of_records(DataKind.CONTACTS, Contact),
    ItemKind.VOICE_MESSAGE: _messages,
    ItemKind.CALLBACK: _callbacks,
    ItemKind.FLAG: _flags,
    ItemKind.WISH: _wishes,
    ItemKind.THIRD_PARTY: _third_parties,
    ItemKind.PROFILE: _profiles,
    ItemKind.CALL: _calls,
}
