"""The menu that is drawn on the page of a line is what a caller meets: each key leads there."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.calls import prompts
from app.calls.lines import finding_lines
from app.dashboard.settings.lines.line_menu import Turn, menu_of
from app.dashboard.settings.lines.line_views import parts_of
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.practice.people import Phone
from app.words.keys import PromptKey
from app.work import PROGRAM
from tests.support import answers
from tests.support.profile import WHOLE, nightly
from tests.support.talks import CHILD, PARTNER, busy, plan, talk


async def _drawn(stage: Stage) -> Turn:
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
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


# Each key of a line that is staffed is pressed in `test_waiting.py`, too.
@pytest.mark.parametrize("on_duty", [True, False] if WHOLE else [False])
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
    await stage.add_counsellor("ana", state="break")
    there = _behind(await _drawn(stage), "9").leads[0]
    leg = stage.ring(CHILD)
    await stage.advance(2)
    stage.exchange.press(leg, "9")
    await stage.advance(7)
    assert _heard_of(there, leg)
    assert (await stage.call_of(leg))["danger"]


@nightly
async def test_a_partner_is_drawn_where_a_caller_hears_of_it(stage: Stage) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=None)
    await plan(stage, partner_after=60, partner_number=PARTNER)
    drawn = _behind(await _drawn(stage), "1")
    (waits, away) = drawn.leads
    leg = stage.ring(CHILD)
    await stage.advance(4)
    stage.exchange.press(leg, "1")
    await stage.advance(3)
    # No message yet: another service is rung at once.
    assert _heard_of(away, leg) == {"partner"}
    assert not any(_heard_of(one, leg) for one in away.leads)
    await stage.advance(50)
    assert _heard_of(away.leads[1], leg), "and if it does not take the call, why no one is there"
    await stage.exchange.hang_up(leg)
    other = await busy(stage, await stage.add_counsellor("ana"), "+381641110001")
    leg = stage.ring("+381641110002")
    await stage.advance(4)
    stage.exchange.press(leg, "1")
    await stage.advance(40)
    (rung,) = (
        one for one in waits.leads if [p.heard.key for p in one.heard] == [PromptKey.PARTNER]
    )
    assert _heard_of(waits, leg)
    assert not _heard_of(rung, leg)
    await stage.advance(40)
    assert _heard_of(rung, leg) == {"partner"}
    for one in (leg, other):
        await stage.exchange.hang_up(one)


@nightly
async def test_a_caller_whose_last_counsellor_goes_is_rung_through_to_the_partner(
    stage: Stage,
) -> None:
    """As one who rings when no counsellor is there, and before the tone of a voice message."""
    stage.exchange.phones[PARTNER] = Phone(picks_up=3)
    await plan(stage, partner_after=600, partner_number=PARTNER)
    ana = await stage.add_counsellor("ana", state="break")
    leg = stage.ring(CHILD)
    await stage.advance(4)
    stage.exchange.press(leg, "1")
    await stage.advance(20)
    assert (await stage.call_of(leg))["state"] == "queued"
    await ana.be("off_duty")
    await stage.until(lambda: leg.talks_with is not None, limit=60, what="the partner")
    assert not leg.has_heard("Posle zvučnog signala")
    assert any(one.to == PARTNER and not one.over for one in stage.exchange.legs.values())


# What a caller hears besides, and what others hear, with the reason why no place of the menu is it.
_BESIDES = {
    "hold line_lost returned transferred": "in a talk, where the counsellor decides",
    "ask_alone ask_safe ask_hurt ask_someone_there ask_help_come ask_call_back ask_about ask_who "
    "question_heard": "a counsellor asks in a talk",
    "whisper whisper_dialled whisper_again whisper_proof rings_again rings_them taken": "her phone",
    "ask_colleague ask_outside partner_ask": "the phone of a person who is asked into a call",
    "duty_menu duty_available duty_break duty_off duty_pin duty_code duty_wrong duty_refused "
    "duty_pin_new duty_pin_again duty_pin_refused": "a counsellor rings her own line",
}


def test_every_prompt_is_drawn_or_is_not_of_the_menu() -> None:
    line = replace(answers.LINE, plan={"partner_number": PARTNER})
    heard = {key: key for key in PromptKey}
    drawn = set(_says(menu_of(line, heard)))  # type: ignore[arg-type]
    besides = {PromptKey(one) for names in _BESIDES for one in names.split()}
    alarms = {one for one in PromptKey if one.value.startswith("alarm")}
    assert not drawn & (besides | alarms)
    assert drawn | besides | alarms == set(PromptKey)
    alone = menu_of(replace(line, plan={}), heard)  # type: ignore[arg-type]
    assert drawn - set(_says(alone)) == {PromptKey.PARTNER}


def _says(turn: Turn) -> Iterator[PromptKey]:
    yield from turn.heard  # type: ignore[misc]
    for one in turn.leads:
        yield from _says(one)
