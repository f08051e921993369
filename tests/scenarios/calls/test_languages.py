"""A line loses a language, or gets it back, while children ring: no child is left alone in it."""

from app.calls.lines.finding_lines import line_of_number
from app.calls.lines.line_languages import add_language, remove_language
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.work import PROGRAM
from tests.support.profile import WHOLE
from tests.support.talks import CHILD

ENGLISH = "English: press 2."


async def _change(stage: Stage, language: str, *, remove: bool) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        line = await line_of_number(work, LINE)
        assert line is not None
        if remove:
            await remove_language(work, line, language)
        else:
            await add_language(work, line, language)


async def _is_offered_english(stage: Stage) -> bool:
    """Whether the next caller, who presses nothing, is offered English."""
    leg = stage.ring("+381641110099")
    await stage.advance(8)
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    return leg.has_heard(ENGLISH)


async def test_who_waits_in_a_removed_language_is_still_answered(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", languages="en", state="break")
    assert not WHOLE or await _is_offered_english(stage)
    waiting, at_the_menu = stage.ring(CHILD), stage.ring("+381641110002")
    await stage.advance(4)
    stage.exchange.press(waiting, "2")
    await stage.advance(3)
    await _change(stage, "en", remove=True)
    # She heard the menu of a moment ago: its key does not lead her into another language.
    stage.exchange.press(at_the_menu, "2")
    await stage.advance(3)
    assert (await stage.call_of(at_the_menu))["language"] is None
    await stage.advance(15)
    assert (await stage.call_of(at_the_menu))["language"] == "sr"
    assert not await _is_offered_english(stage)
    await ana.be("available")
    await stage.advance(2)
    assert (await ana.accept()).status_code == 200
    await stage.advance(2)
    assert stage.exchange.conferences.of_leg(waiting) is not None
    call = await stage.call_of(waiting)
    assert (call["language"], call["state"]) == ("en", "connected")
    await _change(stage, "en", remove=False)
    assert await _is_offered_english(stage), "it has its key back"
