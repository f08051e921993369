"""Every document that we can hand out, read as strictly as the provider would."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import get_args
from uuid import UUID

import pytest

from app import words
from app.calls.speech import PromptText
from app.practice.profiles import SOMLENG, TWILIO
from app.practice.twiml import parse
from app.routing.alarm_rows import AlarmKind
from app.telephony import answers, script
from app.telephony.answers import Answer
from app.telephony.documents import twiml
from app.telephony.platforms.choose import platform_of
from app.telephony.spoken_times import speak_instant, speak_window
from app.telephony.steps import Ask, Say
from app.words.keys import PROMPT_KEYS, SOUNDS, PromptKey
from tests.support.answers import (
    ANSWERS,
    CALL,
    CONFERENCES,
    DIALLED,
    LINE,
    NOW,
    OFFER,
    SETTINGS,
    line_beside,
)

CONFERENCE = platform_of(SETTINGS)
DIAL = platform_of(SETTINGS.model_copy(update={"telephony_platform": "somleng"}))


def test_every_kind_of_answer_is_tried() -> None:
    assert {type(answer) for answer in ANSWERS} == set(get_args(Answer))


@pytest.mark.parametrize("language", words.languages())
def test_a_provider_takes_every_document(language: str) -> None:
    scene = script.Scene(line_beside(language), CALL, language, NOW, OFFER)
    for answer in ANSWERS:
        _is_taken(answer, scene.where(to="+38164999001", shows="1"))


def test_a_provider_takes_every_document_before_a_language_is_chosen() -> None:
    scene = script.Scene(LINE, CALL, None, NOW, OFFER)
    for answer in ANSWERS:
        _is_taken(answer, scene.where(to="+38164999001", shows="1"))


def _is_taken(answer: Answer, scene: script.Scene) -> None:
    for platform, profile, others in (
        (CONFERENCE, TWILIO, DIALLED),
        (DIAL, SOMLENG, CONFERENCES),
    ):
        if isinstance(answer, others):
            continue
        body = twiml(script.steps_for(answer, scene), platform)
        parse(body.encode(), "text/xml", None, profile)
        assert len(body) < 8000
        assert "{" not in body
        assert "None" not in body


def test_a_sip_phone_is_dialled_and_no_document_is_heard_there() -> None:
    scene = script.Scene(LINE, CALL, "sr", NOW, OFFER).where(to="sip:ana@desk.example")
    steps = script.steps_for(answers.Dial(offer_id=OFFER), scene)
    body = twiml(steps, DIAL)
    assert "<Sip>sip:ana@desk.example</Sip>" in body
    assert 'timeout="15"' in body


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: a.kind)
def test_only_a_finished_talk_or_a_counsellors_phone_is_hung_up(answer: Answer) -> None:
    scene = script.Scene(LINE, CALL, "sr", NOW, OFFER).where(to="+38164999001", shows="1")
    may_end = (
        answers.Farewell,
        answers.Goodbye,
        answers.HangUp,
        answers.Taken,
        answers.JoinCounsellor,
        answers.JoinParticipant,
        answers.DutySet,
        answers.RingsAgain,
    )
    for platform in (CONFERENCE, DIAL):
        body = twiml(script.steps_for(answer, scene), platform)
        assert ("<Hangup" in body) == isinstance(answer, may_end)
        # Everything else leads on: nothing of the caller's ends in silence.
        leads_on = ("<Redirect", "<Enqueue", "<Leave", "<Hangup")
        if not isinstance(answer, answers.Nothing):
            assert any(verb in body for verb in leads_on)


def test_a_recorded_prompt_is_played() -> None:
    prompts = {("sr", "goodbye"): PromptText(None, UUID(int=9))}
    line = replace(LINE, prompts=prompts)
    body = twiml(
        script.steps_for(answers.Goodbye(), script.Scene(line, CALL, "sr", NOW)), CONFERENCE
    )
    assert f"<Play>https://helpline.example.org/telephony/prompts/{UUID(int=9)}</Play>" in body


def test_the_time_of_return_is_said_in_the_callers_language() -> None:
    at = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
    assert speak_instant(at, NOW, "Europe/Belgrade", "sr") == "sutra u 8:00"
    assert speak_instant(at, NOW, "Europe/Belgrade", "en") == "tomorrow at 8:00"
    today = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    assert speak_instant(today, NOW, "Europe/Belgrade", "en") == "at 23:00"


def test_a_weekday_and_a_date_are_said_as_one_says_them() -> None:
    friday = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)
    assert speak_instant(friday, NOW, "Europe/Belgrade", "sr") == "u petak u 8:00"
    assert speak_instant(friday, NOW, "Europe/Belgrade", "en") == "on Friday at 8:00"
    later = datetime(2026, 12, 24, 7, 0, tzinfo=UTC)
    assert speak_instant(later, NOW, "Europe/Belgrade", "en") == "on 24 December at 8:00"
    assert speak_instant(later, NOW, "Europe/Belgrade", "sr") == "24. decembra u 8:00"
    window = speak_window(friday, friday + timedelta(hours=3), NOW, "Europe/Belgrade", "en")
    assert window == "on Friday between 8:00 and 11:00"
    window = speak_window(later, later + timedelta(hours=3), NOW, "Europe/Belgrade", "en")
    assert window == "on 24 December between 8:00 and 11:00"


def test_midnight_is_that_of_the_day_which_ends_then() -> None:
    midnight = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
    assert speak_instant(midnight, NOW, "Europe/Belgrade", "sr") == "večeras u ponoć"
    assert speak_instant(midnight, NOW, "Europe/Belgrade", "en") == "tonight at midnight"
    later = midnight + timedelta(days=2)
    assert speak_instant(later, NOW, "Europe/Belgrade", "sr") == "u četvrtak u ponoć"
    assert speak_instant(later, NOW, "Europe/Belgrade", "en") == "on Thursday at midnight"
    assert speak_instant(midnight + timedelta(days=7), NOW, "Europe/Belgrade", "en") == (
        "on 1 December at midnight"
    )


@pytest.mark.parametrize("language", words.languages())
def test_a_silent_caller_is_through_the_menu_within_twelve_seconds(language: str) -> None:
    """At fifteen letters a second, with the pause for a key at the end."""
    scene = script.Scene(line_beside(language), CALL, None, NOW)
    ask = script.steps_for(answers.Menu(), scene)[0]
    assert isinstance(ask, Ask)
    said = [part.text for part in ask.spoken if isinstance(part, Say)]
    assert sum(len(text) for text in said) / 15 + ask.seconds <= 12
    # The danger key comes in the first seconds.
    assert "9" in said[1]
    assert len(said[0] + said[1]) / 15 <= 4


def test_trouble_speaks_without_a_database() -> None:
    body = twiml(script.trouble_steps("/telephony/voice", ["sr", "en"]), CONFERENCE)
    parse(body.encode(), "text/xml")
    assert body.index("Ostani na vezi") < body.index("Please stay on the line")


def test_trouble_speaks_the_languages_of_the_lines_that_the_provider_can_speak() -> None:
    said = [one for one in script.trouble_steps("/", ["hr", "ro"]) if isinstance(one, Say)]
    # No caller waits through all languages that there are.
    assert [(one.text, one.locale) for one in said] == [(words.about("ro").trouble, "ro-RO")]
    (english,) = [one for one in script.trouble_steps("/", ["hr"]) if isinstance(one, Say)]
    assert english.text == words.about("en").trouble


@pytest.mark.parametrize("language", ["en", "sr"])
def test_every_alarm_has_words_for_the_telephone(language: str) -> None:
    for kind in AlarmKind:
        assert PromptKey(f"alarm_{kind.value}") in PROMPT_KEYS
        assert words.prompt(language, f"alarm_{kind.value}")


@pytest.mark.parametrize("language", words.languages())
def test_every_prompt_is_there_in_every_language(language: str) -> None:
    shipped = words.words_of(language)
    assert shipped is not None
    # The waiting sound is made, not spoken.
    assert set(shipped.prompts) == set(PromptKey) - SOUNDS
    for key, text in shipped.prompts.items():
        used = {name for _, name, _, _ in Formatter().parse(text) if name}
        assert used <= PROMPT_KEYS[PromptKey(key)], key
