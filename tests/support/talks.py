"""Callers and counsellors: how a story brings them together and what it then sees."""

from itertools import count
from typing import Any

import httpx2

from app.calls import record
from app.calls.lines import finding_lines
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.practice.people import Caller, Phone
from app.practice.rooms import Conference
from app.practice.scripted import Scripted
from app.practice.wire import sign
from app.routing import changing_plans
from app.routing.callbacks import callbacks
from app.routing.callbacks.choices import Slot, Who
from app.work import PROGRAM

CHILD = "+381641234567"


async def asks(stage: Stage, leg: Leg, *keys: str) -> None:
    """Press 3 when it is offered, then these keys at each question."""
    await stage.until(
        lambda: leg.has_heard("kasnije pozovemo, pritisni 3"), limit=120, what="the offer"
    )
    await stage.advance(1)
    stage.exchange.press(leg, "3")
    for words, key in zip(("bezbedno", "niko drugi ne sme", "Što pre možemo"), keys, strict=False):
        await stage.until(lambda words=words: leg.has_heard(words), limit=30, what=words)
        await stage.advance(1)
        stage.exchange.press(leg, key)
    await stage.advance(6)


async def asked_back(stage: Stage, *keys: str, from_: str = CHILD) -> tuple[Leg, Counsellor]:
    """The only counsellor is on a break; a child waits, wants to be called back, and hangs up."""
    ana = await stage.add_counsellor("ana", state="break")
    leg = await waits(stage, from_=from_)
    await asks(stage, leg, *keys)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    return leg, ana


async def agreed_back(stage: Stage, slot: Slot = Slot.SOON) -> Counsellor:
    """A child has agreed to be called back; the only counsellor is not available."""
    ana = await stage.add_counsellor("ana", state="break")
    await agrees(stage, slot)
    return ana


async def agrees(stage: Stage, slot: Slot = Slot.SOON) -> None:
    """A child who waits agrees to be called back, and hangs up.

    Agreed by the verb: what a child hears and presses before has stories of its own.
    """
    leg = await waits(stage, from_=CHILD)
    call_id = (await stage.call_of(leg))["id"]
    async with transaction(stage.ground, PROGRAM) as work:
        call = await record.lock_call(work, call_id)
        line = await finding_lines.any_line(work)
        assert line is not None
        window = await callbacks.window_for(work, slot, line, "sr")
        await callbacks.agree(work, call, Who.CALLER, window, safe=True, slot=slot)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "callback_requested"


_TEXTS = count(1)


async def text_message(stage: Stage, from_: str, body: str) -> httpx2.Response:
    """A text to the line, signed as the provider signs it."""
    url = f"{stage.settings.public_url}/telephony/sms"
    fields = [
        ("AccountSid", stage.exchange.account_sid),
        ("From", from_),
        ("To", "+38111116111"),
        ("Body", body),
        ("MessageSid", f"SM{next(_TEXTS)}"),
    ]
    headers = {"X-Twilio-Signature": sign(stage.exchange.auth_token, url, fields)}
    return await stage.client.post(url, data=dict(fields), headers=headers)


async def is_queued(stage: Stage, leg: Any) -> bool:
    return bool((await stage.call_of(leg))["state"] == "queued")


def leg_of(stage: Stage, **values: object) -> Leg:
    """A leg at the provider that was never reported to us."""
    known: dict[str, object] = {
        "sid": stage.exchange.sids.new("CA"),
        "account": stage.exchange.account_sid,
        "from_": "+381641239999",
        "to": LINE,
        "direction": "inbound",
        "person": Caller(),
        "created_at": stage.clock.now(),
        "status": "in-progress",
        "answered_at": stage.clock.now(),
    }
    leg = Leg(**{**known, **values})  # type: ignore[arg-type]
    stage.exchange.legs[leg.sid] = leg
    return leg


POLICE = "+381112345678"


async def act(who: Counsellor, call: Any, what: str, body: Any = None, status: int = 202) -> Any:
    answer = await who.ask("POST", f"/calls/{call['id']}/{what}", body or {})
    assert answer.status_code == status, answer.text
    await who.stage.advance(2)
    return answer.json() if answer.content else {}


def room(stage: Stage) -> Conference:
    """The conference that goes on."""
    return next(c for c in stage.exchange.conferences.all.values() if c.status != "completed")


def inside(stage: Stage) -> set[str]:
    """Where the legs in the conference are: the caller, clients and phones."""
    return {
        p.leg.from_ if p.leg.direction == "inbound" else p.leg.to
        for p in room(stage).participants.values()
    }


def client(who: Counsellor) -> str:
    return f"client:{who.staff.identity}"


async def a_talk(stage: Stage, *names: str) -> tuple[Leg, Any, list[Counsellor]]:
    """The first of them talks with a child."""
    crew = [await stage.add_counsellor(names[0])]
    leg = await talk(stage, crew[0])
    crew += [await stage.add_counsellor(name) for name in names[1:]]
    return leg, await stage.call_of(leg), crew


async def done(stage: Stage, leg: Leg) -> Any:
    """All have left, and nothing is left over. Return the call's row."""
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
    live = await stage.rows("SELECT state FROM participants WHERE state IN ('ringing', 'in')")
    assert live == []
    return await stage.call_of(leg)


async def die(stage: Stage, who: Counsellor, *, comes_back: bool = True) -> None:
    """The line of a counsellor at a browser breaks."""
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(who))
    if not comes_back:
        stage.exchange.phones[client(who)] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(3)


async def talk(
    stage: Stage,
    counsellor: Counsellor,
    leg: Leg | None = None,
    *,
    digit: str = "1",
    from_: str = "+381641234567",
) -> Leg:
    """Ring, choose the first language, be accepted, talk."""
    leg = leg or stage.ring(from_)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(1)
    assert (await counsellor.accept()).status_code == 200
    await stage.advance(2)
    assert stage.exchange.conferences.of_leg(leg) is not None
    return leg


async def plan(stage: Stage, **changed: Any) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.any_line(work)
        assert line is not None
        await changing_plans.change_plan(work, line, **changed)
    stage.ground.memory.forget("everything")


async def rings_at(stage: Stage, *crew: Counsellor) -> list[str]:
    """At whom a call rings now, by name."""
    return [c.staff.name for c in crew if (o := await c.offer()) and o["state"] == "open"]


PARTNER = "+381112223344"


async def waiting(stage: Stage, number: str = "+381641234567", digit: str = "1") -> Leg:
    leg = stage.ring(number)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(1)
    return leg


async def waits(stage: Stage, digit: str = "1", from_: str = "+381641234567") -> Leg:
    """A caller who has chosen a language."""
    leg = stage.ring(from_)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(2)
    return leg


async def busy(stage: Stage, who: Counsellor, from_: str) -> Leg:
    leg = await waits(stage, from_=from_)
    assert (await who.accept()).status_code == 200
    await stage.advance(2)
    return leg


def child(stage: Stage) -> Scripted:
    (found,) = [
        leg.person for leg in stage.exchange.legs.values() if isinstance(leg.person, Scripted)
    ]
    return found
