"""Children who write in a random life of a helpline."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls import record
from app.calls.models import Call
from app.calls.states import CallState, Channel, EndedBy
from app.chats import ending, messages
from app.chats.left import answering, left
from app.chats.models import Author
from app.errors import Refusal
from app.routing import offers, offers_held, own_presence, releasing
from app.routing import presence as presences
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.choices import Who
from app.routing.models import PresenceState
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role

if TYPE_CHECKING:
    from tests.support.random_life.life import Life, Step

# Counsellors who write, and take no calls: the days of the others stay as they are.
WRITERS = ("writer 0", "writer 1")
_AT_ONCE = 3


async def begin(life: "Life") -> None:
    """Add the counsellors who write."""
    for name in WRITERS:
        life.writers.append(
            await accounts.add_staff(
                life.work, name=name, role=Role.COUNSELLOR, chats_at_once=_AT_ONCE
            )
        )


async def a_child_writes(life: "Life") -> None:
    """A child opens a conversation on the page or by SMS, and writes, or only thinks about it."""
    dice = life.dice
    life.work.actor = life.program
    channel = dice.choice([Channel.WEB, Channel.WEB, Channel.SMS])
    number = f"+38165{dice.randrange(10_000_000):07d}" if channel is Channel.SMS else None
    call = await record.open_conversation(
        life.work,
        channel=channel,
        line_id=life.lines[dice.choice(sorted(life.lines))],
        language="sr",
        danger=False,
        address=number,
    )
    await record.enter_queue(life.work, call, language="sr", danger=False, priority=0)
    for n in range(dice.choice([0, 0, 1, 2])):
        await messages.add(life.work, call, Author.CHILD, text=f"{n}", client_key=_key(life))
    if dice.random() < 0.6:
        life.later(dice.uniform(2, 90), _take(call.id))
    life.later(dice.uniform(5, 300), _leave(call.id, waiting=True))


def _key(life: "Life") -> str:
    return f"{life.dice.getrandbits(128):032x}"


def _leave(call_id: UUID, *, waiting: bool) -> "Step":
    """The child leaves; what it left behind is answered later, or never."""

    async def step(life: "Life") -> None:
        dice = life.dice
        life.work.actor = life.program
        call = await life.call(call_id)
        if waiting and CallState(call.state) is CallState.CONNECTED:
            return
        await ending.end_as_child(life.work, call_id, typing_on=dice.random() < 0.3)
        if call.messages:
            for seconds in (600, 90_000, 700_000):
                if dice.random() < 0.5:
                    life.later(dice.uniform(1, seconds), _answer(call_id))
            if dice.random() < 0.5:
                life.later(1, _code(call_id))

    return step


def _take(call_id: UUID) -> "Step":
    async def step(life: "Life") -> None:
        call = await life.call(call_id)
        staff = await _writer(life)
        slot = await offers_held.free_slot(life.work, staff.id, _AT_ONCE)
        if CallState(call.state) is not CallState.QUEUED or slot is None:
            return
        presence = await presences.lock_presence(life.work, staff.id)
        if presence.state not in (PresenceState.AVAILABLE, PresenceState.WRITING):
            await own_presence.choose_presence(life.work, staff, PresenceState.AVAILABLE)
            presence = await presences.lock_presence(life.work, staff.id)
        offer = await offers.open_offer(life.work, call, staff, presence, slot=slot)
        await ending.accept(life.work, call, offer)
        _talk(life, call_id, staff.id)

    return step


def _talk(life: "Life", call_id: UUID, staff_id: UUID) -> None:
    """Both write for a while; then one of them ends it."""
    dice = life.dice
    talk = dice.expovariate(1 / 2500)
    for _ in range(dice.choice([0, 2, 5])):
        life.later(dice.uniform(1, talk), _say(call_id, dice.choice([staff_id, None])))
    life.later(talk, _leave(call_id, waiting=False) if dice.random() < 0.5 else _end(call_id))
    life.later(talk + dice.uniform(300, 9000), _sign_off(staff_id))


def _say(call_id: UUID, staff_id: UUID | None) -> "Step":
    async def step(life: "Life") -> None:
        call = await life.call(call_id)
        if CallState(call.state) is not CallState.CONNECTED:
            return
        author = Author.COUNSELLOR if staff_id else Author.CHILD
        await messages.add(
            life.work, call, author, text="x", client_key=_key(life), staff_id=staff_id
        )

    return step


def _end(call_id: UUID) -> "Step":
    async def step(life: "Life") -> None:
        call = await life.call(call_id)
        if CallState(call.state) is CallState.CONNECTED:
            await releasing.end_call(life.work, call, ended_by=EndedBy.COUNSELLOR)

    return step


def _sign_off(staff_id: UUID) -> "Step":
    async def step(life: "Life") -> None:
        presence = await presences.lock_presence(life.work, staff_id)
        if presence.state in (PresenceState.AVAILABLE, PresenceState.WRAP_UP):
            staff = await life.work.session.get_one(Staff, staff_id)
            await own_presence.choose_presence(life.work, staff, PresenceState.OFF_DUTY)

    return step


def _answer(call_id: UUID) -> "Step":
    """A counsellor answers what a child left, if there is a way to."""

    async def step(life: "Life") -> None:
        staff = await _writer(life)
        try:
            await answering.answer(life.work, staff, call_id, text="x", client_key=_key(life))
        except Refusal:
            return

    return step


def _code(call_id: UUID) -> "Step":
    """The child is given its code, and may come back with it."""

    async def step(life: "Life") -> None:
        life.work.actor = life.program
        code = await left.tell_code(life.work, call_id)
        if life.dice.random() < 0.6:
            life.later(life.dice.uniform(60, 500_000), _come_back(code))

    return step


def _come_back(code: str) -> "Step":
    async def step(life: "Life") -> None:
        await left.return_by_code(life.work, code)

    return step


async def _writer(life: "Life") -> Staff:
    staff = await life.work.session.get_one(Staff, life.dice.choice(life.writers).id)
    life.work.actor = life.person(staff.id)
    return staff


async def as_callback(life: "Life", call: Call) -> None:
    """Let a call-back be the answer to a message of the last days, sometimes."""
    asked = await life.work.session.scalars(
        select(Call)
        .where(
            Call.outcome == "voicemail",
            Call.channel == Channel.VOICE,
            Call.caller_key.is_not(None),
            Call.line_id.is_not(None),
            Call.opened_at > life.now - timedelta(days=9),
        )
        .order_by(Call.opened_at)
    )
    found = asked.all()
    if not found or life.dice.random() < 0.3:
        return
    one = life.dice.choice(found)
    values: dict[str, Any] = {"window_from": life.now, "next_at": life.now, "agreed_at": life.now}
    until = life.now + timedelta(hours=3)
    row = Callback(
        id=uuid4(),
        call_id=one.id,
        caller_key=one.caller_key,
        line_id=one.line_id,
        language="sr",
        who=Who.ANYONE,
        window_until=until,
        first_due_until=until,
        # No page waits for it.
        state=CallbackState.CANCELLED,
        **values,
    )
    life.work.session.add(row)
    await life.work.session.flush()
    call.callback_id = row.id
