"""What every channel to an agency keeps, whatever it is: one contract, tested for each kind.

A new channel gets a `Bench` here: how its other side is made to fail, and what it received.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.log import set_up_logging
from app.outbox.channels import ChannelKind
from app.practice.people import Phone
from app.referrals.channels.primero import primero as primero_module
from app.referrals.channels.registry import CHANNELS
from app.referrals.channels.webhook import delivery as webhook_module
from tests.support.contacts import until_later
from tests.support.mail import Mail
from tests.support.primero import PrimeroStandIn
from tests.support.profile import by_day
from tests.support.referrals import (
    ADDRESSES,
    BY_HOUSE,
    OVERRIDE,
    add_agency,
    by_hand,
    phone,
    referral_of,
    story,
)
from tests.support.systems import Receiver, with_primero, with_system

CHILD = "Jovana Petrović"
HOUSE, NEXT = "+381113000001", "+381113000009"


_FIRST_ATTEMPT = """
SELECT result AS state FROM attempts WHERE referral_id = %s ORDER BY number LIMIT 1
"""


class Bench(ABC):
    """One channel, with a real other side."""

    # The state of its row once it has succeeded, and where that row of a referral is.
    success: str
    row: str
    ana: Counsellor
    code = ""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._before = (0, 0)

    @abstractmethod
    async def add_house(self) -> None:
        """Enter an agency that is reached by this channel alone."""

    @abstractmethod
    def refuse(self) -> None:
        """Let the other side refuse what it is sent."""

    @abstractmethod
    def keep_silent(self) -> None:
        """Let the other side take what it is sent, and not answer the first time."""

    @abstractmethod
    def fail(self) -> None:
        """Let the other side answer the first request with a server error, and do nothing."""

    @abstractmethod
    def count(self) -> int:
        """Return how many different things the agency has from us; a known repeat is one thing."""

    @abstractmethod
    def in_the_open(self) -> list[str]:
        """Return what others than the agency can read: texts, subjects, addresses."""

    def let_go(self) -> None:
        """Let the other side answer again, if it does not do so by itself."""
        self.stage.exchange.knobs.reset()

    def begin(self) -> None:
        """Count anew from here."""
        self._before = (self.count(), self.stage.exchange.phones[NEXT].rung)

    def arrived(self) -> int:
        """Return how many different things have arrived since the story began."""
        return self.count() - self._before[0]

    def next_rung(self) -> int:
        """Return how often the next agency was rung since the story began."""
        return self.stage.exchange.phones[NEXT].rung - self._before[1]

    async def state(self, referral_id: str) -> str:
        rows = await self.stage.rows(self.row, referral_id)
        return str(rows[0]["state"]) if rows else ""


class _ByProvider(Bench):
    """The telephony provider carries it."""

    row = _FIRST_ATTEMPT
    house: Phone

    def refuse(self) -> None:
        self.house.unreachable = True

    def keep_silent(self) -> None:
        self.stage.exchange.knobs.turn("accept_and_time_out", "POST", times=1, seconds=2)

    def fail(self) -> None:
        self.stage.exchange.knobs.turn("fail", "POST", times=1)


class ByPhone(_ByProvider):
    success = "acknowledged"

    async def add_house(self) -> None:
        await add_agency(self.stage, "house", "shelter", phones=(HOUSE,))
        self.house = phone(self.stage, HOUSE, presses="1")

    def count(self) -> int:
        return self._before[0] if self.house.unreachable else self.house.rung

    def in_the_open(self) -> list[str]:
        return [heard.text for heard in self.house.heard]


class BySms(_ByProvider):
    success = "delivered"

    async def add_house(self) -> None:
        await add_agency(self.stage, "house", "shelter", sms=ADDRESSES["sms"])
        self.house = phone(self.stage, ADDRESSES["sms"])

    def count(self) -> int:
        return len(self.house.texts)

    def in_the_open(self) -> list[str]:
        return [text.text for text in self.house.texts]


class ByEmail(Bench):
    success = "delivered"
    row = _FIRST_ATTEMPT

    def __init__(self, stage: Stage, post: Mail) -> None:
        super().__init__(stage)
        self.post = post

    async def add_house(self) -> None:
        await add_agency(self.stage, "house", "shelter", email=ADDRESSES["email"])

    def refuse(self) -> None:
        self.post.answer = "550 no such mailbox"

    def keep_silent(self) -> None:
        self.post.hangs_up_after_data = True

    def fail(self) -> None:
        self.post.answer = "451 later"

    def let_go(self) -> None:
        self.post.hangs_up_after_data, self.post.answer = False, "250 OK"

    def count(self) -> int:
        return len(set(self.post.ids))

    def in_the_open(self) -> list[str]:
        return [text for _, text in self.post.messages]


class ByWebhook(Bench):
    success = "delivered"
    row = "SELECT state FROM deliveries WHERE referral_id = %s ORDER BY sequence LIMIT 1"

    def __init__(self, stage: Stage, receiver: Receiver) -> None:
        super().__init__(stage)
        self.receiver = receiver

    async def add_house(self) -> None:
        await with_system(self.stage, self.receiver)

    def refuse(self) -> None:
        self.receiver.status = 400

    def keep_silent(self) -> None:
        self.receiver.answers_late = 1.0

    def fail(self) -> None:
        self.receiver.status = 500

    def let_go(self) -> None:
        self.receiver.status, self.receiver.answers_late = 200, 0.0

    def count(self) -> int:
        about = [event["data"] for event in self.receiver.taken]
        return len({one["sequence"] for one in about if one["referral"] == self.code})

    def in_the_open(self) -> list[str]:
        return self.receiver.seen_on_the_way


class ByPrimero(Bench):
    success = "referred"
    row = """
    SELECT c.state FROM agency_cases c JOIN recipients r ON r.id = c.recipient_id
    WHERE r.referral_id = %s
    """

    def __init__(self, stage: Stage, there: PrimeroStandIn, url: str) -> None:
        super().__init__(stage)
        self.there, self.url = there, url

    async def add_house(self) -> None:
        await with_primero(self.stage, self.url)

    def refuse(self) -> None:
        self.there.change_password("another")

    def keep_silent(self) -> None:
        self.there.lost = 1

    def fail(self) -> None:
        self.there.busy = 1

    def count(self) -> int:
        return sum(len(referrals) for referrals in self.there.referrals.values())

    def in_the_open(self) -> list[str]:
        return self.there.asked


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "TIMEOUT", 0.4)
    monkeypatch.setattr(primero_module, "TIMEOUT", 2.0)


# By day e-mail; what the others do is told in stories of their own.
@pytest.fixture(params=by_day(sorted(ChannelKind, key=lambda kind: kind != ChannelKind.EMAIL)))
def kind(request: pytest.FixtureRequest) -> ChannelKind:
    found: ChannelKind = request.param
    return found


@pytest.fixture
def system(request: pytest.FixtureRequest, kind: ChannelKind) -> Any:
    """The system of the agency, where the channel leads to one."""
    systems = {ChannelKind.WEBHOOK: "receiver", ChannelKind.PRIMERO: "primero"}
    return request.getfixturevalue(systems[kind]) if kind in systems else None


@pytest.fixture
async def bench(
    kind: ChannelKind, system: Any, night: Stage, post: Mail, short_patience: None
) -> Bench:
    made: Bench
    match kind:
        case ChannelKind.PHONE:
            made = ByPhone(night)
        case ChannelKind.SMS:
            made = BySms(night)
        case ChannelKind.EMAIL:
            made = ByEmail(night, post)
        case ChannelKind.WEBHOOK:
            made = ByWebhook(night, system)
        case _:
            made = ByPrimero(night, *system)
    await made.add_house()
    await add_agency(night, "next", "shelter", phones=(NEXT,))
    phone(night, NEXT, presses="1")
    return made


@pytest.fixture
def logs(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """All lines that the program logs, with those of its libraries."""
    set_up_logging("DEBUG")
    yield capsys
    set_up_logging("ERROR")


async def refer(bench: Bench) -> str:
    """Refer a child in danger to the house; the agency after it takes what it is offered."""
    bench.begin()
    made = await by_hand(
        bench.ana, override=OVERRIDE, send=True, answers={"child.name": CHILD, "child.age": 9}
    )
    bench.code = made["referrals"][0]["code"]
    return str(made["id"])


async def told(bench: Bench, referral_id: str) -> str:
    return str(story(await referral_of(bench.ana, referral_id)))


async def end(bench: Bench, referral_id: str) -> None:
    """The house is asked no more about this child."""
    path = f"/referrals/{referral_id}/acknowledge"
    await bench.ana.ask("POST", path, BY_HOUSE)
    await bench.stage.advance(5)
    bench.code = ""


def test_every_channel_is_tested() -> None:
    assert {channel.kind for channel in CHANNELS} == set(ChannelKind)


async def test_a_channel_keeps_the_contract(bench: Bench, logs: pytest.CaptureFixture[str]) -> None:
    bench.ana = await bench.stage.add_counsellor("ana", shift=False, state=None)
    await it_arrives_once_and_says_so_and_names_no_child(bench, logs)
    set_up_logging("ERROR")
    await no_response_is_asked_about_and_nothing_arrives_twice(bench)
    await after_a_server_error_it_arrives_once_or_the_next_agency_is_asked(bench)
    await a_refusal_leads_to_the_next_agency(bench)


async def it_arrives_once_and_says_so_and_names_no_child(
    bench: Bench, logs: pytest.CaptureFixture[str]
) -> None:
    made = await refer(bench)
    await bench.stage.advance(30)
    assert bench.arrived() == 1, await told(bench, made)
    assert await bench.state(made) == bench.success
    assert bench.next_rung() == 0
    assert bench.in_the_open() != []
    written = logs.readouterr()
    for text in (*bench.in_the_open(), written.out, written.err):
        assert "Jovana" not in text
        assert "Petrovi" not in text
    await end(bench, made)


async def no_response_is_asked_about_and_nothing_arrives_twice(bench: Bench) -> None:
    bench.keep_silent()
    made = await refer(bench)
    await bench.stage.advance(3)
    bench.let_go()
    await bench.stage.advance(100)
    assert bench.arrived() == 1, await told(bench, made)
    assert await bench.state(made) == bench.success
    await end(bench, made)


async def after_a_server_error_it_arrives_once_or_the_next_agency_is_asked(bench: Bench) -> None:
    bench.fail()
    made = await refer(bench)
    await bench.stage.advance(3)
    bench.let_go()
    await bench.stage.advance(60)
    assert bench.arrived() + bench.next_rung() == 1, await told(bench, made)
    assert (await bench.state(made) == bench.success) is (bench.arrived() == 1)
    await end(bench, made)


async def a_refusal_leads_to_the_next_agency(bench: Bench) -> None:
    bench.refuse()
    made = await refer(bench)
    # A program that refuses events gets as long to reply as the readers of messages.
    await until_later(bench.stage, lambda: bench.next_rung() > 0, 180, "the next agency", every=15)
    await bench.stage.advance(15)
    found = await referral_of(bench.ana, made)
    assert found["state"] == "acknowledged", story(found)
    assert bench.arrived() == 0
    assert await bench.state(made) != bench.success
