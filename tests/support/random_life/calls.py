"""Calls of a random life: from the ring to the wrap-up, and call-backs."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls import record
from app.calls.delivery_keys import DeliveryKey
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call, VoiceMessage
from app.calls.record import WebhookDelivery
from app.calls.states import CallEvent, CallState, EndedBy, Unstaffed
from app.contacts import contacts
from app.contacts.models import Contact
from app.contacts.states import ContactChannel
from app.routing import lost_counsellor, offers, releasing, sound
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, PresenceState
from app.telephony import answers
from tests.support.random_life import writing
from tests.support.random_life.life import LINES, Life, Step, any_staff
from tests.support.random_life.records import complete, said, write


async def ring(life: Life) -> None:
    dice = life.dice
    number = dice.choice([*LINES, "+38111116111", "+38111000000"])
    caller = dice.choice(["anonymous", *(f"+38164{n:07d}" for n in range(40))])
    line_id = life.lines[number] if dice.random() < 0.98 else None
    call, _ = await record.open_call(
        life.work,
        provider_sid=f"CA{uuid4().hex}",
        raw_from=caller,
        line_id=line_id,
        greeted=dice.random() < 0.85,
    )
    await record.record(life.work, call, CallLog.OPENED)
    call_id = call.id
    fate = dice.random()
    if fate < 0.1:
        life.later(dice.uniform(1, 25), _hang_up(call_id))
    elif fate < 0.16:
        life.later(dice.uniform(1, 60), _unstaffed(call_id))
    elif fate < 0.19:
        life.later(dice.uniform(60, 4000), _hang_up(call_id, lost=True))
    else:
        life.later(dice.uniform(3, 20), _enter(call_id))


def _hang_up(call_id: UUID, *, lost: bool = False, impatient: bool = False) -> Step:
    async def step(life: Life) -> None:
        call = await life.call(call_id)
        talks = CallState(call.state) is CallState.CONNECTED
        if CallState(call.state) is CallState.ENDED or (impatient and talks):
            return
        if CallState(call.state) is CallState.OFFERED and life.dice.random() < 0.2:
            # They had met, and the word of it comes when all is over.
            life.later(5, _heard_late(call_id, life.now - timedelta(seconds=3)))
        # Some ends are told late, and belong to when they happened.
        late = timedelta(seconds=life.dice.choice([0, 0, 0, 7.5]))
        await releasing.end_call(
            life.work,
            call,
            ended_by=EndedBy.PROGRAM if lost else EndedBy.CALLER,
            at=life.now - late,
            lost=lost,
        )
        if call.outcome == "voicemail" and life.dice.random() < 0.5:
            life.later(600, _message_heard(call_id))

    return step


def _heard_late(call_id: UUID, at: datetime) -> Step:
    async def step(life: Life) -> None:
        await record.add_late_answer(life.work, await life.call(call_id), at=at)

    return step


def _unstaffed(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        call = await life.call(call_id)
        if CallState(call.state) not in (CallState.GREETING, CallState.QUEUED):
            return
        call.unstaffed = life.dice.choice(list(Unstaffed)).value
        if CallState(call.state) is CallState.QUEUED:
            await record.move(life.work, call, CallEvent.LEAVE_QUEUE)
        if life.dice.random() < 0.4:
            await _leave_message(life, call)
        await releasing.end_call(life.work, call, ended_by=EndedBy.CALLER)
        if call.outcome == "voicemail":
            life.later(600, _message_heard(call_id))

    return step


async def _leave_message(life: Life, call: Call) -> None:
    call.messages += 1
    life.work.session.add(
        VoiceMessage(
            id=uuid4(), call_id=call.id, recording_sid=f"RE{uuid4().hex}", created_at=life.now
        )
    )
    await life.work.session.flush()


def _message_heard(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        if await life.work.session.scalar(select(Contact.id).where(Contact.call_id == call_id)):
            return
        staff = await any_staff(life)
        await contacts.create_contact(
            life.work,
            staff,
            channel=ContactChannel.VOICE_MESSAGE,
            call_id=call_id,
            changes=said(life.dice),
        )

    return step


def _enter(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        call = await life.call(call_id)
        if CallState(call.state) is not CallState.GREETING:
            return
        danger = life.dice.random() < 0.1
        await record.enter_queue(
            life.work,
            call,
            language=life.dice.choice(["sr", "en"]),
            danger=danger,
            priority=3600 if danger else 0,
            delivery=WebhookDelivery(DeliveryKey(uuid4().hex)),
            answer=answers.Enqueue(entry=1),
        )
        life.later(life.dice.expovariate(1 / 120), _hang_up(call_id, impatient=True))
        if life.dice.random() < 0.1:
            life.later(life.dice.uniform(5, 200), _to_message(call_id))
        if life.dice.random() < 0.2:
            # The last counsellor goes home while the caller waits.
            life.later(life.dice.uniform(5, 400), _unstaffed(call_id))
        life.later(0.2, _offer(call_id))

    return step


def _to_message(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        call = await life.call(call_id)
        if CallState(call.state) is CallState.QUEUED:
            await record.move(life.work, call, CallEvent.LEAVE_QUEUE)
            await _leave_message(life, call)

    return step


def _offer(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        call = await life.call(call_id)
        if CallState(call.state) is not CallState.QUEUED:
            return
        staff = await life.free()
        if staff is None:
            life.later(life.dice.uniform(5, 40), _offer(call_id))
            return
        presence = await presences.lock_presence(life.work, staff.id)
        offer = await offers.open_offer(life.work, call, staff, presence)
        life.later(life.dice.uniform(1, 19), _answer_offer(call_id, offer.id))

    return step


def _answer_offer(call_id: UUID, offer_id: UUID) -> Step:
    async def step(life: Life) -> None:
        call, offer = await offers.lock_offer(life.work, offer_id)
        if offer.state != OfferState.OPEN:
            return
        fate = life.dice.random()
        if fate < 0.12:
            await offers.decline_offer(life.work, call, offer)
        elif fate < 0.25:
            await offers.miss_offer(life.work, call, offer, Cause.MISSED)
        else:
            await offers.accept_offer(life.work, call, offer)
            life.later(life.dice.uniform(0.5, 3), _connect(call_id, offer_id))
            return
        life.later(0.5, _offer(call_id))

    return step


def _connect(call_id: UUID, offer_id: UUID) -> Step:
    async def step(life: Life) -> None:
        dice = life.dice
        call, offer = await offers.lock_offer(life.work, offer_id)
        if offer.state != OfferState.ACCEPTED or CallState(call.state) is CallState.ENDED:
            return
        await offers.connect_offer(life.work, call, offer, at=life.now)
        await contacts.open_for_call(life.work, call, offer.counsellor_id)
        talk = dice.expovariate(1 / 500)
        if dice.random() < 0.2:
            held = dice.uniform(0, talk)
            life.later(held, _hold(call_id, True))
            if dice.random() < 0.8:
                life.later(held + dice.uniform(1, 90), _hold(call_id, False))
        life.later(talk + 600, _hang_up(call_id))
        fate = dice.random()
        if fate < 0.08:
            life.later(talk, _lose(call_id, offer_id))
        elif fate < 0.2:
            life.later(talk, _hand_over(call_id, offer_id))
        else:
            life.later(talk, _hang_up(call_id))
        life.later(talk + dice.uniform(5, 50), _free_again(offer.counsellor_id))
        life.later(dice.uniform(5, talk + 100), write(call_id))
        if dice.random() < 0.7:
            late = dice.choice([300, 3000, 90_000])
            life.later(talk + dice.uniform(10, late), complete(call_id))

    return step


def _hold(call_id: UUID, held: bool) -> Step:
    async def step(life: Life) -> None:
        call = await life.call(call_id)
        if CallState(call.state) is not CallState.CONNECTED or (call.held_at is not None) == held:
            return
        await sound.set_hold(life.work, call, held)
        if life.dice.random() < 0.3:
            life.later(life.dice.uniform(0.5, 4), _refuse_hold(call_id, held))

    return step


def _refuse_hold(call_id: UUID, held: bool) -> Step:
    """The provider says no: the caller is as before."""

    async def step(life: Life) -> None:
        call = await life.call(call_id)
        if CallState(call.state) is CallState.CONNECTED and (call.held_at is not None) == held:
            call.held_at = None if held else life.now
            await record.record(life.work, call, CallLog.HOLD_FAILED)

    return step


async def ring_out(life: Life) -> None:
    """A call-back: the person is reached or not, sometimes on a practice line."""
    dice = life.dice
    number = dice.choice([*LINES, "+38111000000"])
    call, _ = await record.open_call(
        life.work,
        provider_sid=f"CA{uuid4().hex}",
        raw_from=f"+38164{dice.randrange(40):07d}",
        line_id=life.lines[number],
        greeted=True,
    )
    call.direction, call.sending = "outbound", "sent"
    await writing.as_callback(life, call)
    staff = await any_staff(life)
    begun = life.now
    if dice.random() < 0.7:
        offer = Offer(
            id=uuid4(),
            call_id=call.id,
            counsellor_id=staff.id,
            state=OfferState.CONNECTED,
            opened_at=begun,
            expires_at=begun + timedelta(seconds=20),
            accepted_at=begun,
            connected_at=begun,
            released_at=begun + timedelta(seconds=dice.uniform(20, 900)),
        )
        await life.work.session.flush()
        life.work.session.add(offer)
        call.answered_at = begun
        await record.record(
            life.work, call, CallEvent.OFFER, offer_id=str(offer.id), counsellor_id=str(staff.id)
        )
        await record.record(life.work, call, CallLog.OFFER_ACCEPTED, offer_id=str(offer.id))
        await record.record(life.work, call, CallEvent.CONNECT)
        await contacts.open_for_call(life.work, call, staff.id)
        ends: datetime | None = offer.released_at
    else:
        ends = begun + timedelta(seconds=dice.uniform(5, 40))
    call.state = CallState.GREETING
    await record.end_call(life.work, call, ended_by=EndedBy.PROGRAM, at=ends)


def _lose(call_id: UUID, offer_id: UUID) -> Step:
    async def step(life: Life) -> None:
        call, offer = await offers.lock_offer(life.work, offer_id)
        if offer.released_at is not None or CallState(call.state) is CallState.ENDED:
            return
        await lost_counsellor.lose_counsellor(life.work, call, offer, Cause.LINE_LOST)
        life.later(life.dice.expovariate(1 / 60), _hang_up(call_id, impatient=True))
        life.later(0.3, _offer(call_id))

    return step


def _hand_over(call_id: UUID, offer_id: UUID) -> Step:
    """A talk goes over to another counsellor: the one is released, the other has it."""

    async def step(life: Life) -> None:
        call, offer = await offers.lock_offer(life.work, offer_id)
        to = await life.free()
        if offer.released_at is not None or CallState(call.state) is CallState.ENDED:
            return
        life.later(life.dice.uniform(5, 300), _hang_up(call_id))
        if to is None or call.held_at is not None:
            return
        offer.released_at = life.now
        presence = await presences.lock_presence(life.work, offer.counsellor_id)
        if presence.state == PresenceState.ON_CALL:
            await presences.start_wrap_up(life.work, presence, Cause.HANDED_OVER)
        new = Offer(
            id=uuid4(),
            call_id=call_id,
            counsellor_id=to.id,
            state=OfferState.CONNECTED,
            opened_at=life.now,
            expires_at=life.now,
            accepted_at=life.now,
            connected_at=life.now,
        )
        await life.work.session.flush()
        life.work.session.add(new)
        await life.work.session.flush()
        await presences.set_presence(
            life.work,
            await presences.lock_presence(life.work, to.id),
            PresenceState.ON_CALL,
            Cause.OFFER,
        )
        await record.record(
            life.work,
            call,
            CallLog.HANDED_OVER,
            offer_id=str(new.id),
            counsellor_id=str(to.id),
            inherited=True if life.dice.random() < 0.3 else None,
        )
        await contacts.open_for_call(life.work, call, to.id)
        if life.dice.random() < 0.3:
            # The second line is lost, too; a counsellor who takes the call then has not been handed
            # it.
            life.later(life.dice.uniform(1, 4), _lose(call_id, new.id))

    return step


def _free_again(counsellor_id: UUID) -> Step:
    async def step(life: Life) -> None:
        presence = await presences.lock_presence(life.work, counsellor_id)
        if presence.state == PresenceState.WRAP_UP:
            await presences.set_free(life.work, presence, Cause.WRAP_UP_OVER)

    return step
