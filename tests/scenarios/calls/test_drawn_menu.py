"""The menu that is drawn on the page of a line is what a caller meets: each key leads there."""

import re

import pytest

from app.calls import lines, prompts
from app.dashboard.settings.line_menu import Turn, menu_of
from app.dashboard.settings.line_views import parts_of
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.work import PROGRAM
from tests.support.talks import CHILD, talk


async def _drawn(stage: Stage) -> Turn:
    async with transaction(stage.ground, PROGRAM) as work:
        line = await lines.line_of_number(work, LINE)
        assert line is not None
        heard = await prompts.heard_of(work, line, "sr")
        return menu_of(line, parts_of(line, "sr", heard))


def _heard_of(turn: Turn, leg: Leg) -> set[str]:
    """The prompts of a place that a caller has heard: the longest part of each that is fixed."""
    texts = {part.heard.key.value: part.heard.text or "" for part in turn.heard}
    fixed = {key: max(re.split(r"\{\w+\}", text), key=len) for key, text in texts.items()}
    return {key for key, text in fixed.items() if leg.has_heard(text.strip())}


def _behind(turn: Turn, key: str) -> Turn:
    (found,) = (one for one in turn.leads if key in one.keys)
    return found


@pytest.mark.parametrize("on_duty", [True, False])
async def test_each_key_of_the_drawing_leads_where_it_says(stage: Stage, on_duty: bool) -> None:
    ana = await stage.add_counsellor("ana", shift=on_duty, state="available" if on_duty else None)
    if on_duty:
        # She is the counsellor of the child's last call, and then talks with another.
        await stage.exchange.hang_up(await talk(stage, ana, from_=CHILD))
        await stage.advance(1)
        await ana.be("available")
        await talk(stage, ana, from_="+381641110001")
    drawn = await _drawn(stage)
    chosen = _behind(drawn, "1")
    # Where no shift is planned, the line is closed.
    place = chosen.leads[0 if on_duty else 1]
    keys = [key for one in place.leads for key in one.keys]
    assert set(keys) == ({"9", "1", "2", "3"} if on_duty else {"3"})
    for key in keys:
        leg = stage.ring(CHILD)
        await stage.advance(4)
        assert _heard_of(drawn, leg) == {part.heard.key.value for part in drawn.heard}
        stage.exchange.press(leg, "1")
        await stage.advance(3)
        assert _heard_of(place, leg), "what is heard where the language leads"
        there = _behind(place, key)
        before = _heard_of(there, leg)
        stage.exchange.press(leg, key)
        await stage.advance(7)
        assert _heard_of(there, leg) > before, key
        await stage.exchange.hang_up(leg)
        await stage.advance(1)


async def test_danger_is_drawn_at_the_first_words_and_heard_there(stage: Stage) -> None:
    await talk(stage, await stage.add_counsellor("ana"), from_="+381641110001")
    there = _behind(await _drawn(stage), "9")
    leg = stage.ring(CHILD)
    await stage.advance(2)
    stage.exchange.press(leg, "9")
    await stage.advance(7)
    assert _heard_of(there, leg)
    assert (await stage.call_of(leg))["danger"]
