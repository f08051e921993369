"""Supervisors are told who changed what leads children to a telephone or a page, on which line."""

from dataclasses import fields
from typing import Any
from uuid import UUID

import pytest
from procrastinate import RetryStrategy
from procrastinate.jobs import Job

from app import words
from app.administration import languages, leading_letters, own_settings
from app.administration.jobs import administration_tasks
from app.calls import prompts
from app.calls.chat_rules import ChatRules
from app.calls.lines import chat_lines, finding_lines, line_facts, line_use, lines
from app.calls.lines.leading import TAKEN_BACK, Leads
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import accounts
from app.demo.stage import LINE
from app.jobs.names import Task
from app.outbox.responses import TryAgain
from app.staff.models import Staff
from app.words import catalogues
from app.words.keys import PromptKey
from app.work import PROGRAM, Actor, ActorKind, Work
from tests.support.verbs import a_line, a_supervisor, an_administrator

NUMBER = "+381641234567"
_MP3 = b"ID3" + bytes(20)
_PO = b'msgid "Languages"\nmsgstr "Jezici sveta"\n'


@pytest.fixture(autouse=True)
def _shipped_afterwards() -> Any:
    yield
    catalogues.use({})


async def _scene(work: Work) -> tuple[LineScript, Staff, Staff]:
    """A line, an administrator who acts, and a supervisor; both have an address."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    await a_line(work)
    (row,) = await lines.lock_lines(work)
    mila, vera = await an_administrator(work), await a_supervisor(work)
    for one in (mila, vera):
        one.email = f"{one.name}@x.example"
    away = await a_supervisor(work, "away")
    away.email, away.active = "away@x.example", False
    await a_supervisor(work, "without")
    await work.session.flush()
    work.actor = Actor(ActorKind.PERSON, mila.id, role=mila.role)
    return (await finding_lines.read_line(work, row.id))[1], mila, vera


def _told(work: Work) -> list[dict[str, Any]]:
    """Return what the jobs of letters say, and forget them."""
    jobs = [dict(job.arguments) for job in work.jobs if job.task == Task.TELL_LEADS_ELSEWHERE]
    work.jobs.clear()
    return jobs


async def _prompt(work: Work, line: LineScript | None, **said: Any) -> None:
    await prompts.set_prompt(work, line=line, language="sr", key="comfort", **said)


async def _change(work: Work, line: LineScript, what: Leads) -> None:
    """Change one kind of thing."""
    match what:
        case Leads.NUMBER:
            await line_facts.change_facts(work, line, number=NUMBER)
        case Leads.NUMBERS_BEHIND:
            await lines.change_numbers(work, line, leads_here=[NUMBER], shown_number=None)
        case Leads.SHOWN_NUMBER:
            await lines.change_numbers(work, line, leads_here=None, shown_number=NUMBER)
        case Leads.PROMPT:
            await _prompt(work, line, text=f"Pozovi {NUMBER}.")
        case Leads.RECORDING:
            await _prompt(work, line, audio=_MP3, audio_type="audio/mpeg")
        case Leads.PAGE:
            await chat_lines.change_chat(work, line, exit_site="https://zlo.example/")
        case Leads.MESSENGER:
            await accounts.set_token(work, line, Channel.SIGNAL, NUMBER)
        case Leads.NAME:
            await lines.rename(work, line, "Zovi 064 123 456")
        case Leads.COUNTRY:
            await line_facts.change_facts(work, line, country="HR")
        case Leads.WORDS:
            await chat_lines.change_chat(work, line, closed={"sr": f"Pozovi {NUMBER}."})
        case Leads.SHOWN_IN_CALLBACKS:
            await own_settings.change(work, {"callback_from": LINE})
        case Leads.ADDRESS:
            await chat_lines.change_chat(work, line, slug="tvoja-linija")
        case Leads.SITES:
            await chat_lines.change_chat(work, line, sites=["https://zlo.example"])
        case Leads.TRANSLATION:
            await languages.import_catalogue(work, "sr", "pages", _PO, reviewed=False)


# What the program finds or does by itself: a bot that was led elsewhere is told of where it is
# found, a lost partner with the line that is in use again, a refused one with the refusal.
_BESIDES = (Leads.PARTNER_LOST, Leads.PARTNER_REFUSED, Leads.BOT_ELSEWHERE)


@pytest.mark.parametrize("what", [one for one in Leads if one not in _BESIDES])
async def test_supervisors_are_told_who_changed_where_children_are_led(
    work: Work, what: Leads
) -> None:
    line, mila, vera = await _scene(work)
    await _change(work, line, what)
    (job,) = _told(work)
    of_all = what in (Leads.TRANSLATION, Leads.SHOWN_IN_CALLBACKS)
    of_line = "" if of_all else str(line.id)
    assert (job["staff_id"], job["by"]) == (str(vera.id), str(mila.id))
    assert (job["line_id"], job["changed"]) == (of_line, [what.value])
    assert "64123" not in str(job)
    assert job["taken_back"] == (what in TAKEN_BACK)
    of = UUID(of_line) if of_line else None
    letter = await leading_letters.letter_of(
        work, vera.id, mila.id, work.now, of, [what], taken_back=False
    )
    assert letter is not None
    assert letter[0] == "vera@x.example"
    assert letter[2].startswith("mila has changed something that leads children")
    assert leading_letters.WORDS[what] in letter[2]
    assert (line.name in letter[2] or "Zovi" in letter[2]) == bool(of_line)


async def test_what_leads_nowhere_else_is_told_to_no_supervisor(work: Work) -> None:
    line, *_ = await _scene(work)
    await _prompt(work, line, text=words.prompt("sr", PromptKey.COMFORT))
    await prompts.use_words_of_program(work, line, "sr", "comfort")
    await prompts.take_back(work, line, "sr", "comfort")
    await chat_lines.change_chat(work, line, report_page="", reserve=1, emoji=("🙂",))
    await languages.import_catalogue(
        work, "sr", "definitions", b'msgid "Girl"\nmsgstr "Curica"\n', reviewed=False
    )
    assert _told(work) == []


async def test_each_rule_of_written_conversations_is_told_or_leads_nowhere(work: Work) -> None:
    """A new rule must be put in one of the two."""
    told: dict[str, Any] = {
        "exit_site": "https://zlo.example/",
        "report_page": "https://zlo.example/",
        "closed": {"sr": "Pozovi 064."},
        "title": "Zovi 064",
        "templates": ["sr=HX0123456789abcdef0123456789abcdef"],
        "slug": "tvoja-linija",
        "sites": ["https://zlo.example"],
    }
    # Whether and by what children can write, and what only counsellors see and use.
    not_told = {"on", "languages", "at_once", "reserve", "reserve_seconds", "icon", "emoji"}
    not_told |= {"beginnings", "by", "media"}
    assert told.keys() | not_told == {one.name for one in fields(ChatRules)}
    line, *_ = await _scene(work)
    for name, value in told.items():
        await chat_lines.change_chat(work, line, **{name: value})
        assert len(_told(work)) == 1, name


async def test_a_number_in_words_and_a_page_of_the_same_host_are_told(work: Work) -> None:
    line, *_ = await _scene(work)
    await _prompt(work, line, text="Pozovi nula šest četiri, jedan dva tri.")
    await chat_lines.change_chat(work, line, exit_site="https://www.facebook.com/nas")
    await chat_lines.change_chat(work, line, exit_site="https://www.facebook.com/zlo")
    assert [one["changed"] for one in _told(work)] == [["prompt"], ["page"], ["page"]]


async def test_a_line_that_is_new_or_in_use_again_is_told(work: Work) -> None:
    await _scene(work)
    new = await lines.add_line(
        work,
        number="116000",
        name="Nova",
        country="RS",
        languages=["sr"],
        timezone="Europe/Belgrade",
        leads_here=[NUMBER],
        shown_number=NUMBER,
    )
    all_of_it = ["number", "numbers_behind", "shown_number"]
    # It is in no list of what a second person takes back.
    told = [(one["line_id"], one["changed"], one["taken_back"]) for one in _told(work)]
    assert told == [(str(new.id), all_of_it, False)]
    await line_use.retire(work, new.id)
    assert _told(work) == []
    await line_use.take_into_use(work, new.id)
    told = [(one["line_id"], one["changed"], one["taken_back"]) for one in _told(work)]
    assert told == [(str(new.id), all_of_it[:2], False)]


async def test_a_prompt_that_is_taken_back_to_one_before_is_told(work: Work) -> None:
    line, _mila, vera = await _scene(work)
    await _prompt(work, None, text="Pozovi nula šest četiri.")
    await _prompt(work, None, text="Tu smo.")
    _told(work)
    await prompts.take_back(work, None, "sr", "comfort")
    assert [one["line_id"] for one in _told(work)] == [""]
    await _prompt(work, line, text="Tu smo.")
    _told(work)
    await prompts.use_words_of_program(work, line, "sr", "comfort")
    assert [one["line_id"] for one in _told(work)] == [str(line.id)], "those of every line"
    work.actor = Actor(ActorKind.PERSON, vera.id, role=vera.role)
    await _change(work, line, Leads.NUMBER)
    assert _told(work) == [], "who did it knows it"


@pytest.mark.parametrize("key", ["comfort", "waiting_sound"])
@pytest.mark.parametrize("of_line", [True, False])
async def test_a_prompt_that_goes_back_to_the_words_of_the_program_is_told(
    work: Work, key: str, *, of_line: bool
) -> None:
    """So it is by each way there."""
    line, *_ = await _scene(work)
    where, kind = line if of_line else None, "prompt" if key == "comfort" else "recording"
    for back in (prompts.use_words_of_program, prompts.take_back):
        await prompts.set_prompt(
            work, line=where, language="sr", key=key, audio=_MP3, audio_type="audio/mpeg"
        )
        _told(work)
        await back(work, where, "sr", key)
        (job,) = _told(work)
        assert (job["changed"], job["line_id"]) == ([kind], str(line.id) if of_line else "")
    if key == "comfort":
        await _prompt(work, where, text="Tu smo.")
        _told(work)
        await _prompt(work, where, text=words.prompt("sr", PromptKey.COMFORT))
        assert [one["changed"] for one in _told(work)] == [["prompt"]], "the same words, typed"


async def test_a_translation_that_counts_again_is_told_and_the_words_of_the_program_are_not(
    work: Work,
) -> None:
    _line, _mila, vera = await _scene(work)
    first = await languages.import_catalogue(work, "sr", "pages", _PO, reviewed=False)
    corrected = await languages.import_catalogue(
        work, "sr", "pages", b'msgid "Languages"\nmsgstr "Jezici"\n', reviewed=False
    )
    _told(work)
    await languages.take_back(work, corrected.id)
    assert [(one["staff_id"], one["changed"]) for one in _told(work)] == [
        (str(vera.id), ["translation"])
    ]
    await languages.take_back(work, first.id)
    assert _told(work) == []


def test_the_letter_is_tried_for_days_while_the_mail_server_is_away() -> None:
    strategy = administration_tasks().tasks["tell_leads_elsewhere"].retry_strategy
    assert isinstance(strategy, RetryStrategy)
    after_a_week = Job(
        id=1,
        queue="mail",
        lock=None,
        queueing_lock=None,
        task_name="tell_leads_elsewhere",
        attempts=7 * 24 * 3600 // strategy.wait,
    )
    again = strategy.get_retry_decision(exception=TryAgain("away"), job=after_a_week)
    assert again is not None


async def test_the_command_line_is_told_of_and_the_end_of_an_emergency_is_not(work: Work) -> None:
    line, mila, vera = await _scene(work)
    work.actor = PROGRAM
    await _change(work, line, Leads.SHOWN_NUMBER)
    (job,) = _told(work)
    assert job["by"] == ""
    letter = await leading_letters.letter_of(
        work, vera.id, None, work.now, line.id, [Leads.SHOWN_NUMBER], taken_back=True
    )
    assert letter is not None
    assert letter[2].startswith("command line has changed")
    work.actor = Actor(ActorKind.PROGRAM, emergency=mila.id)
    await _change(work, line, Leads.NUMBER)
    assert _told(work) == []
