"""Which questions by key a line asks: set in order, logged, and no other is asked in its calls."""

import pytest

from app.calls import key_questions
from app.calls.asked import QUESTIONS
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.dashboard.desk_values import key_question
from app.dashboard.settings.lines.line_views import key_questions as on_the_page
from app.dashboard.settings.lines.line_views import questions_in_order
from app.errors import Invalid
from app.routing.participants import questions
from app.staff.log_kinds import AuditLog
from app.work import Work
from tests.support.calls.lines import a_line
from tests.support.verbs import a_counsellor, logged


async def test_a_line_asks_what_it_has_chosen_and_all_without_a_choice(work: Work) -> None:
    line = await a_line(work)
    assert key_questions.questions_of(line) == list(QUESTIONS)
    await key_questions.set_questions(work, line, ["hurt", "safe"])
    row, line = await finding_lines.read_line(work, line.id)
    assert key_questions.questions_of(line) == row.key_questions == ["hurt", "safe"]
    assert logged(work)[-1] == (
        AuditLog.LINE_KEY_QUESTIONS_SET,
        {
            "before": {"key_questions": list(QUESTIONS)},
            "after": {"key_questions": ["hurt", "safe"]},
        },
    )
    count = len(logged(work))
    await key_questions.set_questions(work, line, ["hurt", "safe"])
    assert len(logged(work)) == count, "what changes nothing is not logged"
    for wrong, why in ((["hurt", "weather"], "weather"), (["hurt", "hurt"], "twice")):
        with pytest.raises(Invalid, match=why):
            await key_questions.set_questions(work, line, wrong)
    await key_questions.set_questions(work, line, [])
    _, line = await finding_lines.read_line(work, line.id)
    assert key_questions.questions_of(line) == []


async def test_a_question_that_the_line_does_not_ask_is_refused(work: Work) -> None:
    line = await a_line(work)
    await key_questions.set_questions(work, line, ["hurt"])
    ana = await a_counsellor(work, "ana")
    call = Call(line_id=line.id)
    with pytest.raises(Invalid, match=r"does not ask that.*hurt"):
        await questions.ask(work, ana, call, "safe")


async def test_the_desk_shows_what_the_caller_hears_in_their_language(work: Work) -> None:
    line = await a_line(work)
    for language, words in (("sr", "Da li si sada na bezbednom mestu"), ("en", "Are you safe")):
        shown = key_question("safe", line, Call(language=language))
        assert (shown.words, shown.language) == ("Are you safe where you are?", language)
        assert words.casefold() in shown.heard.casefold()


async def test_the_page_puts_questions_into_their_order(work: Work) -> None:
    line = await a_line(work)
    await key_questions.set_questions(work, line, ["who", "safe"])
    _, line = await finding_lines.read_line(work, line.id)
    shown = on_the_page(line)
    assert [(one.code, one.place) for one in shown[:3]] == [
        ("who", "1"),
        ("safe", "2"),
        ("alone", ""),
    ]
    assert len(shown) == len(QUESTIONS)
    sent = {"place.who": "2", "place.safe": "", "place.hurt": "1", "place.alone": "2"}
    assert questions_in_order(sent) == ["hurt", "who", "alone"]
    with pytest.raises(Invalid, match="number"):
        questions_in_order({"place.who": "first"})
