"""The contract of carriers: whatever brings a child's words passes this, with a real other side."""

from abc import ABC, abstractmethod

import pytest

from app.calls.chat_rules import SERVED
from app.calls.states import Channel
from app.chats import accounts
from app.demo.invariants import broken_now
from app.demo.stage import LINE, Stage
from app.practice.texts import WHATSAPP, Pocket
from app.telephony.messaging.registry import CARRIERS
from tests.support.children.who_text import (
    CHILD,
    PERSON,
    SECRETIVE,
    has_bot,
    has_signal,
    read_by,
    says,
    takes,
    takes_texts,
    writer,
)
from tests.support.leaks.deferred import in_jobs
from tests.support.profile import WHOLE


class Bench(ABC):
    """The other side of a carrier, with a child at it. A new carrier brings one."""

    channel: Channel
    # What stands in no row: the child's number or its id at the carrier.
    child = CHILD

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def begins(self) -> None:
        """Let children write to the line by the carrier."""
        await takes_texts(self.stage, self.channel.value)

    @abstractmethod
    def child_writes(self, text: str) -> None:
        """Let the child write."""

    @abstractmethod
    def child_read(self) -> list[str]:
        """Return what has arrived at the child, in order."""

    @abstractmethod
    def brings_twice(self) -> None:
        """Let each message of the child be brought twice from now on."""

    @abstractmethod
    def loses_its_answer(self) -> None:
        """Let the next message be carried out, and the response never come."""

    @abstractmethod
    def is_busy(self, times: int) -> None:
        """Let the next requests be refused as too many."""

    @abstractmethod
    def cannot_reach(self) -> None:
        """Let no more message arrive at the child."""


class ByProviderBench(Bench):
    prefix = ""

    def child_writes(self, text: str) -> None:
        self.stage.exchange.texts.write(self.prefix + CHILD, self.prefix + LINE, text)

    def child_read(self) -> list[str]:
        return read_by(self.stage, self.prefix + CHILD)

    def brings_twice(self) -> None:
        self.stage.exchange.knobs.turn("duplicate", "/telephony/sms", times=None)

    def loses_its_answer(self) -> None:
        self.stage.exchange.knobs.turn("accept_and_time_out", "/Messages.json", seconds=6)

    def is_busy(self, times: int) -> None:
        self.stage.exchange.knobs.turn("refuse", "/Messages.json", times=times)

    def cannot_reach(self) -> None:
        self.stage.exchange.texts.pockets[self.prefix + CHILD] = Pocket(fails=30003)


class SmsBench(ByProviderBench):
    channel = Channel.SMS


class WhatsAppBench(ByProviderBench):
    channel, prefix = Channel.WHATSAPP, WHATSAPP


class TelegramBench(Bench):
    channel, child = Channel.TELEGRAM, str(PERSON)

    async def begins(self) -> None:
        await super().begins()
        self.bot = await has_bot(self.stage)

    def child_writes(self, text: str) -> None:
        self.stage.exchange.telegram.write(self.bot, PERSON, text)

    def child_read(self) -> list[str]:
        return [one.text for one in self.bot.chats[PERSON].texts]

    def brings_twice(self) -> None:
        self.stage.exchange.knobs.turn("duplicate", "/telephony/telegram", times=None)

    def loses_its_answer(self) -> None:
        self.stage.exchange.knobs.turn("accept_and_time_out", "/telegram/sendMessage", seconds=1)

    def is_busy(self, times: int) -> None:
        self.stage.exchange.knobs.turn("refuse", "/telegram/sendMessage", times=times)

    def cannot_reach(self) -> None:
        self.bot.chats[PERSON].deactivated = True


class SignalBench(Bench):
    channel, child = Channel.SIGNAL, SECRETIVE

    async def begins(self) -> None:
        await super().begins()
        self.person = await has_signal(self.stage)

    def child_writes(self, text: str) -> None:
        self.stage.exchange.signal.write(LINE, self.person, text)

    def child_read(self) -> list[str]:
        return [one.text for one in self.person.texts]

    def brings_twice(self) -> None:
        self.stage.exchange.knobs.turn("duplicate", "/signal/receive", times=None)

    def loses_its_answer(self) -> None:
        self.stage.exchange.knobs.turn("accept_and_time_out", "/signal/send", seconds=2)

    def is_busy(self, times: int) -> None:
        self.stage.exchange.knobs.turn("refuse", "/signal/send", times=times)

    def cannot_reach(self) -> None:
        self.person.unregistered = True


BENCHES = (SmsBench, WhatsAppBench, TelegramBench, SignalBench)


def test_every_carrier_has_a_bench_and_can_be_chosen() -> None:
    served = [carrier.channel for carrier in CARRIERS]
    assert [bench.channel for bench in BENCHES] == served
    assert sorted(SERVED) == sorted(served)
    assert [one.channel for one in CARRIERS if one.is_asked] == list(accounts.ASKED)


# By day WhatsApp; the others have their stories in `test_texts.py` and in files of their own.
@pytest.mark.parametrize("bench_of", BENCHES if WHOLE else BENCHES[1:2])
async def test_words_go_once_in_both_ways(stage: Stage, bench_of: type[Bench]) -> None:
    bench = bench_of(stage)
    await bench.begins()
    ana = await writer(stage)
    bench.brings_twice()
    bench.child_writes("Zzdravo")
    bench.child_writes("Zzima li koga?")
    await stage.advance(4)
    call_id = await takes(stage, ana)
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    heard = [one["text"] for one in said if one["author"] == "child"]
    assert sorted(heard) == ["Zzdravo", "Zzima li koga?"]
    bench.loses_its_answer()
    bench.is_busy(2)
    await says(stage, ana, call_id, "Zztu sam")
    await says(stage, ana, call_id, "Zzpričaj mi")
    await stage.advance(30)
    assert [text for text in bench.child_read() if text.startswith("Zz")] == [
        "Zztu sam",
        "Zzpričaj mi",
    ]
    bench.cannot_reach()
    await says(stage, ana, call_id, "Zzjesi li tu?")
    await stage.advance(5)
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    assert said[-1]["failure"] == "unreachable"
    rows = await stage.rows(
        "SELECT channel, provider_sid, caller_number_sealed FROM calls WHERE id = %s", call_id
    )
    assert (rows[0]["channel"], rows[0]["provider_sid"]) == (bench.channel, None)
    assert bench.child.encode() not in bytes(rows[0]["caller_number_sealed"])
    assert await broken_now(stage) == []
    assert in_jobs("Zz", bench.child) == []
    for table in ("call_events", "chat_sent", "chat_arrivals"):
        found = await stage.rows(f"SELECT row.*::text AS row FROM {table} AS row")
        assert found, table
        assert not [one for one in found if "Zz" in one["row"] or bench.child in one["row"]], table
