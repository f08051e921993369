"""Random life of a helpline, lived by the program's own verbs, one instant after the other."""

import contextlib
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from app.calls import record
from app.calls.lines.lines import add_line
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call, VoiceMessage
from app.calls.record import WebhookDelivery
from app.calls.states import CallEvent, CallState, EndedBy, Unstaffed
from app.chats.models import ReturnCode
from app.contacts import completing, contacts
from app.contacts.models import Contact
from app.contacts.saving import Change
from app.contacts.states import ContactChannel, NonCounselling, Source
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import Conflict
from app.jobs.transaction import flush
from app.routing import leaving, offers, own_presence, releasing, sound
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.settings import Settings
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.telephony import answers
from app.work import Actor, ActorKind, Ground, Work, make_ground
from tests.support.calls import life_in_writing as writing
from tests.support.profile import WHOLE

LINES = {
    "+38111116111": "Europe/Belgrade",
    "+56211116111": "America/Santiago",
    "+61211116111": "Australia/Lord_Howe",
}


CATEGORIES = ("V-PHYSICAL", "V-SEXUAL", "MH-SUICIDE", "FR-GENERAL", "PR-FRIENDS", "V-NEGLECT")


PLACES = ("RS-BG", "RS-01", "RS-08", "RS-VO", "unknown")


Step = Callable[["Life"], Awaitable[None]]


@dataclass
class Life:
    """The work of one instant after the other; `seed` decides everything."""

    ground: Ground
    work: Work
    seed: int
    staff: list[Staff] = field(default_factory=list)
    writers: list[Staff] = field(default_factory=list)
    lines: dict[str, UUID] = field(default_factory=dict)
    _heap: list[tuple[datetime, int, Step]] = field(default_factory=list)
    _order: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    @property
    def now(self) -> datetime:
        return self.work.now

    def later(self, seconds: float, step: Step) -> None:
        at = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._heap, (at, next(self._order), step))

    async def live(self, until: datetime) -> None:
        """Let everything happen that is due before an instant."""
        while self._heap and self._heap[0][0] < until:
            at, _, step = heapq.heappop(self._heap)
            self.work.now = at
            await step(self)
            await self.flush()
        self.work.now = until
        await self.commit()

    async def flush(self) -> None:
        """Write what an instant has changed; no other process is there to do it."""
        self.work.jobs.clear()
        self.work.topics.clear()
        await flush(self.work)

    async def commit(self) -> None:
        await self.flush()
        assert self.work.opened is not None
        await self.work.opened.commit()
        self.work.opened.expunge_all()
        # They stay as they are, and are looked for at every step.
        self.work.opened.add_all([*self.staff, *self.writers])

    # -- people --------------------------------------------------------------------------------

    async def begin(self, counsellors: int) -> None:
        for number, zone in LINES.items():
            line = await add_line(
                self.work,
                number=number,
                name=f"Line in {zone}",
                country="RS",
                languages=["sr", "en"],
                timezone=zone,
            )
            self.lines[number] = line.id
        practice = await add_line(
            self.work,
            number="+38111000000",
            name="Practice",
            country="RS",
            languages=["sr"],
            timezone="Europe/Belgrade",
            practice=True,
        )
        self.lines[practice.number] = practice.id
        for n in range(counsellors):
            self.staff.append(
                await accounts.add_staff(
                    self.work,
                    name=f"counsellor {n}",
                    role=Role.COUNSELLOR,
                    lines=[] if n else ["+38111116111"],
                )
            )
        await writing.begin(self)
        await self.commit()

    @property
    def program(self) -> Actor:
        return Actor(ActorKind.PROGRAM)

    def person(self, staff_id: UUID) -> Actor:
        return Actor(ActorKind.PERSON, staff_id)

    async def free(self) -> Staff | None:
        rows = await self.work.session.scalars(
            select(Staff)
            .join(Presence, Presence.counsellor_id == Staff.id)
            .where(Presence.state == PresenceState.AVAILABLE, Staff.chats_at_once == 0)
            .order_by(Staff.name)
        )
        found = list(rows)
        return self.dice.choice(found) if found else None

    async def call(self, call_id: UUID) -> Call:
        return await record.lock_call(self.work, call_id)


async def plan_day(life: Life, day: datetime, calls: float) -> None:
    """What happens on one day: shifts of counsellors, rings, visits, late writing."""
    dice = life.dice
    life.work.now = day
    for n, _ in enumerate(life.staff):
        begins = dice.uniform(0, 16 * 3600)
        life.later(begins, _choice(n, PresenceState.AVAILABLE))
        for _ in range(dice.randrange(2)):
            pause = begins + dice.uniform(600, 20_000)
            life.later(pause, _choice(n, PresenceState.BREAK))
            life.later(pause + dice.uniform(60, 3000), _choice(n, PresenceState.AVAILABLE))
        if dice.random() < 0.9:
            life.later(begins + dice.uniform(4, 12) * 3600, _choice(n, PresenceState.OFF_DUTY))
    for _ in range(int(calls * dice.uniform(0.5, 1.5)) + 1):
        life.later(dice.uniform(0, 86_400), _ring)
    for _ in range(dice.randrange(5)):
        life.later(dice.uniform(0, 86_400), _visit)
    if dice.random() < 0.5:
        life.later(dice.uniform(0, 86_400), _ring_out)
    evening = dice.uniform(0, 80_000)
    for _ in range(dice.randrange(5) if life.writers else 0):
        life.later(evening + dice.uniform(0, 3000), writing.a_child_writes)
    for _ in range(dice.randrange(4)):
        life.later(dice.uniform(0, 2 * 86_400), _write_more)


def _choice(n: int, state: PresenceState) -> Step:
    async def step(life: Life) -> None:
        life.work.actor = Actor(ActorKind.PERSON, life.staff[n].id)
        staff = await life.work.session.get(Staff, life.staff[n].id)
        assert staff is not None
        await own_presence.choose_presence(life.work, staff, state)

    return step


async def _ring(life: Life) -> None:
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
        staff = await _any_staff(life)
        await contacts.create_contact(
            life.work,
            staff,
            channel=ContactChannel.VOICE_MESSAGE,
            call_id=call_id,
            changes=_said(life.dice),
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
            delivery=WebhookDelivery(uuid4().hex),
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
        life.later(dice.uniform(5, talk + 100), _write(call_id))
        if dice.random() < 0.7:
            late = dice.choice([300, 3000, 90_000])
            life.later(talk + dice.uniform(10, late), _complete(call_id))

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


async def _ring_out(life: Life) -> None:
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
    staff = await _any_staff(life)
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
        await leaving.lose_counsellor(life.work, call, offer, Cause.LINE_LOST)
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


def _said(dice: random.Random) -> list[Change]:
    answers: dict[str, Any] = {
        "contact.kind": dice.choice(["child", "about_child", "professional", "information"]),
        "contact.headline": "What it was",
        "contact.categories": dice.sample(CATEGORIES, dice.choice([1, 1, 2, 3])),
        "contact.place": dice.choice(PLACES),
    }
    if answers["contact.kind"] == "professional":
        answers["caller.role"] = dice.choice(["teacher", "police"])
    if answers["contact.kind"] == "about_child":
        answers["caller.relationship"] = dice.choice(["parent", "neighbour"])
    if answers["contact.kind"] != "information":
        for n in range(dice.choice([0, 1, 1, 1, 2, 3])):
            answers[f"child.c{n}"] = n + 1
            if dice.random() < 0.9:
                answers[f"child.c{n}.age"] = dice.randrange(0, 19)
            if dice.random() < 0.9:
                answers[f"child.c{n}.gender"] = dice.choice(["girl", "boy", "unknown"])
            if dice.random() < 0.3:
                answers[f"child.c{n}.disability"] = dice.choice(
                    [["none"], ["hearing"], ["seeing", "physical"]]
                )
            if dice.random() < 0.5:
                answers[f"child.c{n}.living"] = dice.choice(["parents", "foster"])
        if dice.random() < 0.5:
            answers["incident.where"] = dice.choice(["own_home", "school"])
            answers["incident.who"] = dice.sample(["parent", "stranger", "sibling"], 2)
    asked = [p for p in answers if dice.random() < 0.92 or p == "contact.headline"]
    return [Change(path, answers[path], 0) for path in asked]


async def _any_staff(life: Life) -> Staff:
    staff = await life.work.session.get(Staff, life.dice.choice(life.staff).id)
    assert staff is not None
    life.work.actor = Actor(ActorKind.PERSON, staff.id)
    return staff


async def _visit(life: Life) -> None:
    staff = await _any_staff(life)
    before = timedelta(seconds=life.dice.choice([0, 3600, 86_400]))
    await contacts.create_contact(
        life.work,
        staff,
        channel=life.dice.choice([ContactChannel.WALK_IN, ContactChannel.EMAIL]),
        source=Source.PAPER,
        taken_at=life.now - before,
        changes=_said(life.dice),
    )


def _write(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        # What is read on the way is logged by a transaction of its own, which would wait for this.
        await life.commit()
        contact = await life.work.session.scalar(
            select(Contact).where(Contact.call_id == call_id).with_for_update()
        )
        if contact is None or contact.state == "complete":
            return
        owner = await life.work.session.get(Staff, contact.owner_id)
        assert owner is not None
        life.work.actor = Actor(ActorKind.PERSON, owner.id)
        if life.dice.random() < 0.15:
            with contextlib.suppress(Conflict):
                await completing.close_as(
                    life.work, owner, contact.id, life.dice.choice(list(NonCounselling))
                )
                return
        await contacts.save(life.work, owner, contact.id, _said(life.dice))
        if life.dice.random() < 0.2:
            contact.urgency = life.dice.choice(["immediate", "urgent", "priority"])

    return step


def _complete(call_id: UUID) -> Step:
    async def step(life: Life) -> None:
        contact = await life.work.session.scalar(
            select(Contact).where(Contact.call_id == call_id).with_for_update()
        )
        if contact is None or contact.state == "complete":
            return
        contact.state, contact.completed_at = "complete", life.now

    return step


async def _write_more(life: Life) -> None:
    """A contact of some earlier day is opened again and says something else."""
    rows = await life.work.session.scalars(
        select(Contact.id)
        .where(Contact.state == "complete")
        .order_by(Contact.taken_at.desc())
        .limit(20)
    )
    found = list(rows)
    if found:
        await say_another_place(life, life.dice.choice(found), life.dice.choice(PLACES))


async def say_another_place(life: Life, contact_id: UUID, place: str) -> None:
    """A completed contact is opened again, and says that it was somewhere else."""
    contact = await life.work.session.get(Contact, contact_id)
    assert contact is not None
    owner = await life.work.session.get(Staff, contact.owner_id)
    assert owner is not None
    life.work.actor = Actor(ActorKind.PERSON, owner.id)
    await completing.reopen(life.work, owner, contact.id, "more was said")
    seen = contact.versions.get("contact.place", 0)
    await contacts.save(life.work, owner, contact.id, [Change("contact.place", place, seen)])
    if life.dice.random() < 0.6:
        contact.state, contact.completed_at = "complete", life.now


async def lived(
    database: str, begins: datetime, days: int, *, calls: float, seed: int, counsellors: int = 4
) -> Life:
    """A ground on which this many days have been lived."""
    settings = Settings(
        database_url=database,
        secret_key="x" * 40,
        twilio_api_key_sid="SK1",
        twilio_api_key_secret="x" * 40,
        wrap_up_seconds=40,
        field_keys="1:" + "cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
    )
    ground = make_ground(settings)
    session = ground.database.sessions()
    life = Life(ground, Work(session, begins, Actor(ActorKind.PROGRAM), ground), seed)
    await life.begin(counsellors)
    for n in range(days):
        day = begins + timedelta(days=n)
        if WHOLE or not _is_quiet(n, day):
            await plan_day(life, day, calls)
        await life.live(day + timedelta(days=1))
    # Persons have them all by then: a message that waits would be an alarm, which rings for days.
    await life.work.session.execute(update(VoiceMessage).values(taken_at=VoiceMessage.created_at))
    await life.work.session.execute(update(ReturnCode).values(taken_at=ReturnCode.made_at))
    await life.commit()
    return life


# When much happens: the days on which the clocks of a line change. April is reported.
_BUSY = (
    ((3, 24), (3, 24)),
    ((3, 28), (3, 30)),
    ((4, 3), (4, 6)),
    ((9, 5), (9, 7)),
    ((10, 3), (10, 5)),
    ((10, 24), (10, 26)),
    ((11, 1), (11, 4)),
)


def _is_quiet(n: int, day: datetime) -> bool:
    """Return whether nothing new happens: on most days, as some towns have in summer."""
    on = (day.month, day.day)
    every = 3 if day.month == 4 else 24
    return n % every > 0 and not any(begins <= on <= ends for begins, ends in _BUSY)


# From before the clocks change in spring until after they have in autumn, in three zones.
BEGINS, DAYS = datetime(2026, 3, 24, tzinfo=UTC), 226


async def person(house: Stage, name: str, role: Role) -> Counsellor:
    return await house.add_counsellor(
        f"{name} {uuid4().hex[:8]}", role=role, shift=False, state=None
    )
