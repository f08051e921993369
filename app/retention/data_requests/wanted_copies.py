"""Which copies at the telephony provider go with the rows that are erased.

For a call these are all its legs: to counsellors, to colleagues and third parties, to duty phones.
What is shared with a row that stays, stays: an agency is rung once about brothers and sisters.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app.calls.models import Call, Leg, VoiceMessage
from app.calls.states import BY_PROVIDER
from app.chats.carrier_rows import Arrival, Sent
from app.contacts.models import Contact
from app.outbox.channels import ChannelKind
from app.referrals.channels.models import Attempt
from app.referrals.models import Referral
from app.retention.data_requests.kinds import CopyKind, ItemKind
from app.retention.data_requests.models import ProviderCopy, RequestItem
from app.routing.alarm_rows import Alarm, AlarmAttempt
from app.work import Work

# What the provider has of an attempt to reach a person. An e-mail is none of its copies.
_OF_ATTEMPTS = {ChannelKind.PHONE: CopyKind.CALL, ChannelKind.SMS: CopyKind.MESSAGE}


async def of_recordings(work: Work, request_id: UUID, message_ids: list[UUID]) -> None:
    """Have the recordings of voice messages deleted."""
    sids = await work.session.scalars(
        select(VoiceMessage.recording_sid).where(
            VoiceMessage.id.in_(message_ids), VoiceMessage.provider_deleted_at.is_(None)
        )
    )
    await _want_deleted(work, request_id, CopyKind.RECORDING, sids.all())


async def of_calls(work: Work, request_id: UUID, call_ids: list[UUID]) -> None:
    """Have the rings, legs and texts of calls deleted; legs to a third party who is kept stay."""
    kept = select(RequestItem.subject_id).where(
        RequestItem.request_id == request_id,
        RequestItem.kind == ItemKind.THIRD_PARTY.value,
        RequestItem.keep.is_not(None),
    )
    rings = select(Call.provider_sid).where(
        Call.id.in_(call_ids), Call.provider_sid.is_not(None), Call.provider_sid != ""
    )
    legs = select(Leg.provider_sid).where(
        Leg.call_id.in_(call_ids),
        Leg.provider_sid.is_not(None),
        or_(Leg.participant_id.is_(None), Leg.participant_id.not_in(kept)),
    )
    sids = await work.session.scalars(rings.union(legs))
    await _want_deleted(work, request_id, CopyKind.CALL, sids.all())
    await _want_deleted(work, request_id, CopyKind.MESSAGE, await _carried(work, call_ids))
    # A rule has erased these before: no row of the request stands for them.
    of_call = or_(Referral.call_id.in_(call_ids), Contact.call_id.in_(call_ids))
    over = await work.session.scalars(
        select(Referral.id)
        .join(Contact, Contact.id == Referral.contact_id, isouter=True)
        .where(of_call, Referral.erased_at.is_not(None))
    )
    await of_referrals(work, request_id, list(over))


async def _carried(work: Work, call_ids: list[UUID]) -> list[str]:
    """Return the provider's ids of the messages that it has carried in conversations.

    What another carrier has is no copy of the telephony provider's.
    """
    sent = (
        select(Sent.provider_sid)
        .join(Call, Call.id == Sent.call_id)
        .where(
            Sent.call_id.in_(call_ids),
            Sent.provider_sid.is_not(None),
            Call.channel.in_(BY_PROVIDER),
        )
    )
    arrived = select(Arrival.sid).where(
        Arrival.call_id.in_(call_ids), Arrival.channel.in_(BY_PROVIDER)
    )
    return [sid for sid in await work.session.scalars(sent.union(arrived)) if sid]


async def of_third_parties(work: Work, request_id: UUID, participant_ids: list[UUID]) -> None:
    """Have the legs deleted by which people were rung into a call."""
    legs = select(Leg.provider_sid).where(
        Leg.participant_id.in_(participant_ids), Leg.provider_sid.is_not(None)
    )
    sids = await work.session.scalars(legs)
    await _want_deleted(work, request_id, CopyKind.CALL, sids.all())


async def of_referrals(work: Work, request_id: UUID, referral_ids: list[UUID]) -> None:
    """Have the rings and texts to agencies deleted, once all referrals that they asked about are
    erased. Call it when these are."""
    together, left = aliased(Referral), aliased(Referral)
    groups = select(together.opened_together).where(
        together.id.in_(referral_ids),
        together.opened_together.not_in(
            select(left.opened_together).where(left.erased_at.is_(None))
        ),
    )
    rows = await work.session.execute(
        select(Attempt.kind, Attempt.provider_sid)
        .join(Referral, Referral.id == Attempt.referral_id)
        .where(Referral.opened_together.in_(groups))
    )
    await _of_attempts(work, request_id, [(kind, sid) for kind, sid in rows])


async def of_alarms(work: Work, request_id: UUID, subject_ids: Collection[UUID]) -> None:
    """Have the rings and texts deleted by which our own people were told of these rows."""
    rows = await work.session.execute(
        select(AlarmAttempt.kind, AlarmAttempt.provider_sid)
        .join(Alarm, Alarm.id == AlarmAttempt.alarm_id)
        .where(Alarm.subject_id.in_(subject_ids))
    )
    await _of_attempts(work, request_id, [(kind, sid) for kind, sid in rows])


async def _of_attempts(
    work: Work, request_id: UUID, attempts: list[tuple[str, str | None]]
) -> None:
    for channel, kind in _OF_ATTEMPTS.items():
        sids = [sid for of, sid in attempts if of == channel and sid]
        await _want_deleted(work, request_id, kind, sids)


async def _want_deleted(
    work: Work, request_id: UUID, kind: CopyKind, sids: Iterable[str | None]
) -> None:
    """Note copies at the provider that are to be deleted; a copy is noted once."""
    for sid in sids:
        await work.session.execute(
            insert(ProviderCopy)
            .values(
                id=text("gen_random_uuid()"),
                request_id=request_id,
                kind=kind.value,
                sid=sid,
                wanted_at=work.now,
            )
            .on_conflict_do_nothing()
        )
