"""Counsellors with nothing but a telephone."""

import pytest

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.talks import CHILD, rings_at, text_message, waits


async def test_a_counsellor_rings_the_line_and_presses_a_key(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = Phone(picks_up=2)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001", state=None)
    for digit, state in (("1", "available"), ("2", "break"), ("3", "off_duty")):
        leg = stage.ring("+38164999001")
        await stage.advance(2)
        stage.exchange.press(leg, digit)
        await stage.advance(10)
        assert await vera.presence() == state
        assert leg.over
        row = await stage.call_of(leg)
        lines = await stage.rows("SELECT practice FROM lines WHERE id = %s", row["line_id"])
        assert lines[0]["practice"], "it counts in no statistic"
    # In silence they are a caller like any.
    ana = await stage.add_counsellor("ana")
    leg = stage.ring("+38164999001")
    await stage.advance(22)
    stage.exchange.press(leg, "1")
    await stage.advance(3)
    assert await rings_at(stage, ana) == ["ana"]
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    assert await broken_at_the_end(stage) == []


@pytest.mark.parametrize(
    ("words", "state", "said"),
    [
        ("Available", "available", "available"),
        ("pauza.", "break", "on a break"),
        (" OFF duty ", "off_duty", "off duty"),
    ],
)
async def test_a_counsellor_writes_to_the_line(
    stage: Stage, words: str, state: str, said: str
) -> None:
    vera = await stage.add_counsellor("vera", endpoint="+38164999001", state=None)
    answer = await text_message(stage, "+38164999001", words)
    assert f"You are {said} now" in answer.text
    assert await vera.presence() == state
    assert "Write AVAILABLE" in (await text_message(stage, "+38164999001", "offf")).text
    assert await vera.presence() == state


async def test_a_childs_text_is_answered_and_not_kept(stage: Stage) -> None:
    answer = await text_message(stage, CHILD, "Zzpomozi mi")
    assert "Please ring +38111116111" in answer.text
    for table in ("call_events", "audit_entries", "procrastinate_jobs"):
        rows = await stage.rows(f"SELECT t::text AS words FROM {table} t")
        assert not any("Zzpomozi" in row["words"] for row in rows)


async def test_three_misses_and_a_phone_is_left_alone(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = phone = Phone(picks_up=None)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    leg = await waits(stage)
    await stage.advance(240)
    # The last one on duty is told after the third, and has one more.
    assert phone.rung == 4
    assert any("missed calls" in told.text for told in phone.texts)
    assert await vera.presence() == "away"
    await stage.exchange.hang_up(leg)
    await stage.advance(30)
    assert await broken_at_the_end(stage) == []
