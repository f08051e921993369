"""Random events at the whole helpline, and the invariants after each."""

import asyncio
import contextlib
import random
from typing import Any
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from app.abilities import Ability
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end, broken_now
from app.demo.stage import Stage, stage_on
from app.demo.writing import WritingChild, a_child
from app.demo.writing_hour import lost_words
from app.practice.legs import Leg
from app.practice.people import Phone
from app.routing.rota.roster import add_shift
from tests.support.kept.databases import database_for_a_test, put_back
from tests.support.profile import WHOLE

pytestmark = pytest.mark.whole

_URLS: dict[str, Any] = {}

_ANY = list(range(10))
_WHO = list(range(4))
# What may happen, and in which ways.
ACTS: dict[str, dict[str, list[Any]]] = {
    "dial": {"number": ["+381641110001", "+381641110002", "anonymous"]},
    "press": {"which": _ANY, "digit": ["1", "2", "5", "9"]},
    "hang_up": {"which": _ANY},
    "answer": {"who": _WHO, "answer": ["accept", "accept", "decline"]},
    "choose": {"who": _WHO, "state": ["available", "break", "off_duty"]},
    "act": {"who": _WHO, "action": ["hold", "resume", "hang-up"]},
    "drop_a_counsellors_leg": {"which": _ANY},
    "turn_a_knob": {
        "trouble": ["duplicate", "delay", "reorder", "refuse"],
        "where": ["/conference", "/legs/", "/status", "/wait", "Calls", "Partic"],
    },
    "wait": {"seconds": [1, 5, 12, 25, 40]},
    "write": {
        "which": _ANY,
        "how": ["open", "open", "open in danger", "say", "say", "say twice", "danger", "end", "go"],
    },
    "write_back": {"who": [0, 1], "how": ["take", "take", "say", "end", "hand on", "sign out"]},
    "change_the_rota": {"who": _WHO},
    "restart": {},
}


# What brings about the most.
_OFTEN = ("dial", "press", "answer", "answer", "write", "write_back", "wait")


def _ways(act: str) -> dict[str, Any]:
    return {name: st.sampled_from(ways) for name, ways in ACTS[act].items()}


class Helpline(RuleBasedStateMachine):
    """Children, counsellors and the wire do as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.exits = contextlib.AsyncExitStack()
        self.legs: list[Leg] = []
        self.counsellors: list[Counsellor] = []
        # Children who write, and those of them whose page is closed.
        self.children: list[WritingChild] = []
        self.gone: set[str] = set()

    def run(self, doing: Any) -> Any:
        return self.loop.run_until_complete(doing)

    @initialize()
    def open(self) -> None:
        server = _URLS["server"]
        name = database_for_a_test(server)
        self.exits.callback(put_back, server, name)
        url = server.replace("/postgres?", f"/{name}?")
        self.stage: Stage = self.run(
            self.exits.enter_async_context(
                stage_on(url, platform=_URLS["platform"], wrap_up_seconds=10, long_wait_seconds=30)
            )
        )
        self.run(self.furnish())

    async def furnish(self) -> None:
        await self.stage.add_line()
        phones = {
            "+38164999001": Phone(picks_up=2),
            "+38164999002": Phone(picks_up=None),
            "+38164999003": Phone(picks_up=4),
            "sip:ana@desk.example": Phone(picks_up=1),
        }
        self.stage.exchange.phones.update(phones)
        at_desks = ("browser", "browser")
        if not self.stage.settings.abilities.can(Ability.ADD):
            at_desks = ("sip:ana@desk.example", "+38164999003")
        for name, endpoint in (
            ("ana", at_desks[0]),
            ("boris", at_desks[1]),
            ("vera", "+38164999001"),
            ("never", "+38164999002"),
        ):
            chats = 2 if name in ("ana", "boris") else 0
            self.counsellors.append(
                await self.stage.add_counsellor(name, endpoint=endpoint, chats=chats)
            )
        await self.stage.let_write(at_once=2, reserve=1, reserve_seconds=20)

    async def check(self, seconds: float = 0) -> None:
        for child in self.writing():
            await child.look()
        await self.stage.advance(seconds)
        broken = await broken_now(self.stage)
        assert broken == [], broken

    def some(self, number: int) -> Leg | None:
        alive = [leg for leg in self.legs if not leg.over]
        return alive[number % len(alive)] if alive else None

    @rule(**_ways("dial"))
    def dial(self, number: str) -> None:
        async def ring() -> None:
            if len([leg for leg in self.legs if not leg.over]) < 5:
                self.legs.append(self.stage.ring(number))

        self.run(ring())
        self.run(self.check())

    @rule(**_ways("press"))
    def press(self, which: int, digit: str) -> None:
        leg = self.some(which)
        if leg is not None:
            self.stage.exchange.press(leg, digit)
        self.run(self.check(1))

    @rule(**_ways("hang_up"))
    def hang_up(self, which: int) -> None:
        leg = self.some(which)
        if leg is not None:
            self.run(self.stage.exchange.hang_up(leg))
        self.run(self.check())

    @rule(**_ways("answer"))
    def answer(self, who: int, answer: str) -> None:
        async def answer_it() -> None:
            me = self.counsellors[who]
            offer = await me.offer()
            if offer is not None and offer["state"] == "open":
                await me.ask("POST", f"/offers/{offer['id']}/{answer}")

        self.run(answer_it())
        self.run(self.check())

    @rule(**_ways("choose"))
    def choose(self, who: int, state: str) -> None:
        self.run(self.counsellors[who].be(state))
        self.run(self.check())

    @rule(**_ways("act"))
    def act(self, who: int, action: str) -> None:
        async def act() -> None:
            offer = await self.counsellors[who].offer()
            if offer is not None and offer["state"] == "connected":
                await self.counsellors[who].ask("POST", f"/calls/{offer['call_id']}/{action}")

        self.run(act())
        self.run(self.check())

    @rule(**_ways("drop_a_counsellors_leg"))
    def drop_a_counsellors_leg(self, which: int) -> None:
        legs = [
            leg
            for leg in self.stage.exchange.legs.values()
            if leg.direction != "inbound" and not leg.over
        ]
        if legs:
            leg = legs[which % len(legs)]
            status = "completed" if leg.answered_at else "no-answer"
            self.run(self.stage.exchange.end_leg(leg, status, "person"))
        self.run(self.check())

    @rule(**_ways("turn_a_knob"))
    def turn_a_knob(self, trouble: Any, where: str) -> None:
        self.stage.exchange.knobs.turn(trouble, where, seconds=3)

    @rule(**_ways("wait"))
    def wait(self, seconds: int) -> None:
        self.run(self.check(seconds))

    def writing(self) -> list[WritingChild]:
        return [child for child in self.children if child.id not in self.gone]

    @rule(**_ways("write"))
    def write(self, which: int, how: str) -> None:
        async def act() -> None:
            there = self.writing()
            if how.startswith("open"):
                if len(there) < 4:
                    child = a_child(self.stage)
                    (await child.open(danger=how == "open in danger")).raise_for_status()
                    self.children.append(child)
                return
            if not there:
                return
            child = there[which % len(there)]
            if how.startswith("say"):
                key, text = uuid4().hex, f"words {len(child.told)}"
                answers = [await child.say(text, key) for _ in range(1 + (how == "say twice"))]
                assert {answer.status_code for answer in answers} in ({200}, {409})
                child.told += [text] if answers[0].status_code == 200 else []
            elif how == "go":
                self.gone.add(child.id)
            else:
                await child.ask("POST", f"/conversation/{how}")

        self.run(act())
        self.run(self.check())

    @rule(**_ways("write_back"))
    def write_back(self, who: int, how: str) -> None:
        async def act() -> None:
            me = self.counsellors[who]
            if how == "sign out":
                await me.ask("DELETE", "/session")
                await me.sign_in()
                return
            for chat in (await me.ask("GET", "/chats/mine")).json()[:1]:
                path = f"/chats/{chat['call_id']}"
                if how == "take" and chat["state"] == "open":
                    await me.ask("POST", f"/offers/{chat['offer_id']}/accept")
                elif how == "say":
                    body = {"text": "Hi", "client_key": uuid4().hex}
                    await me.ask("POST", f"{path}/messages", body)
                elif how == "end":
                    await me.ask("POST", f"{path}/end")
                elif how == "hand on":
                    skills = {"skills": ["violence"]}
                    await me.ask("POST", f"/calls/{chat['call_id']}/transfer", skills)

        self.run(act())
        self.run(self.check())

    @rule(**_ways("change_the_rota"))
    def change_the_rota(self, who: int) -> None:
        async def change() -> None:
            shifts = await self.stage.rows("SELECT id FROM shifts")
            if len(shifts) > 2:
                await self.stage.watch.execute(
                    "DELETE FROM shifts WHERE id = %s", (shifts[who % len(shifts)]["id"],)
                )
            else:
                from app.jobs.transaction import transaction
                from app.work import PROGRAM

                async with transaction(self.stage.ground, PROGRAM) as work:
                    await add_shift(work, self.counsellors[who].staff, recurrence=None)
            self.stage.ground.memory.forget("everything")

        self.run(change())
        self.run(self.check())

    @rule(**_ways("restart"))
    def restart(self) -> None:
        self.run(self.stage.restart_server())
        self.run(self.check())

    def teardown(self) -> None:
        try:
            if self.counsellors:
                self.run(self.close())
        finally:
            self.run(self.exits.aclose())
            self.loop.close()

    async def close(self) -> None:
        self.stage.exchange.knobs.reset()
        for leg in self.legs:
            if not leg.over:
                await self.stage.exchange.hang_up(leg)
        # A talk in writing has a contact while it goes on, and its outcome only once it is over.
        for child in self.children:
            await child.ask("POST", "/conversation/end")
        assert await lost_words(self.children) == []
        await self.stage.advance(30)
        broken = await broken_at_the_end(self.stage)
        assert broken == [], broken


# What a sequence has to meet. By day it is over as soon as it has.
_WANTED = {"offer", "offer_accepted", "connect", "end", "message_written"}


async def _met(stage: Stage) -> set[str]:
    return {row["kind"] for row in await stage.rows("SELECT DISTINCT kind FROM call_events")}


@pytest.mark.parametrize("platform", ["twilio", "somleng"] if WHOLE else ["twilio"])
def test_whatever_happens_the_invariants_hold(server: str, platform: str) -> None:
    """One long sequence, the same each time."""
    _URLS.update(server=server, platform=platform)
    # By day a seed that soon meets `_WANTED`.
    dice = random.Random(1 if WHOLE else 4)
    helpline = Helpline()
    try:
        helpline.open()
        met = set[str]()
        for number in range(70):
            act = dice.choice([*ACTS, *_OFTEN])
            getattr(helpline, act)(**{name: dice.choice(ways) for name, ways in ACTS[act].items()})
            met = helpline.run(_met(helpline.stage))
            if not WHOLE and number >= 12 and met >= _WANTED:
                break
    finally:
        helpline.teardown()
    assert met >= _WANTED, "it was no sequence of nothing"


@pytest.mark.skipif(not WHOLE, reason="minutes: with TESTS=whole")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("platform", ["twilio", "somleng"])
def test_no_sequence_of_events_breaks_an_invariant(server: str, platform: str) -> None:
    """Twenty sequences; one that breaks is made as short as it can be."""
    _URLS.update(server=server, platform=platform)
    run_state_machine_as_test(
        Helpline,
        settings=settings(
            # Few and long: each begins with a helpline of its own.
            max_examples=20,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
