"""Every document that we can hand out, read as strictly as the provider would."""

from datetime import UTC, datetime, timedelta
from string import Formatter
from uuid import UUID

import pytest

from app import words
from app.calls.lines import PROMPT_KEYS
from app.calls.speech import LineScript, PromptText, Spoken
from app.practice.profiles import SOMLENG, TWILIO
from app.practice.twiml import parse
from app.routing.models import AlarmKind
from app.settings import Settings
from app.telephony import script
from app.telephony.documents import twiml
from app.words import words_of

SETTINGS = Settings(public_url="https://helpline.example.org")
SOMLENG_SETTINGS = SETTINGS.model_copy(update={"telephony_platform": "somleng"})
# What only a platform with conferences is told, and what only one without.
CONFERENCES = {"question_over", "join", "join_counsellor", "join_party", "hold", "silence"}
DIALLED = {"dial", "dial_back", "rings_again"}
NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
CALL, OFFER = UUID(int=1), UUID(int=2)
TEXTS = {
    (language, key): PromptText(text, None)
    for language in ("en", "sr")
    for key, text in words_of(language).prompts.items()  # type: ignore[union-attr]
}
LINE = LineScript(
    id=UUID(int=3),
    number="+38111116111",
    name="Plavi telefon",
    country="RS",
    timezone="Europe/Belgrade",
    danger_digit="9",
    languages=(Spoken("sr", "1", "sr-RS", None), Spoken("en", "2", "en-GB", None)),
    prompts=TEXTS,
    plan={"partner_number": "+38111222333"},
)
ANSWERS: list[script.Answer] = [
    {"kind": "menu", "attempt": 0},
    {"kind": "menu", "attempt": 2},
    {"kind": "enqueue", "entry": 1},
    {"kind": "enqueue", "entry": 2, "returned": True},
    {"kind": "wait", "entry": 1, "step": 0, "ahead": 0},
    {"kind": "wait", "entry": 1, "step": 3, "ahead": 4},
    {"kind": "wait", "entry": 1, "step": 4, "ahead": 4, "long": True},
    {"kind": "wait", "entry": 1, "step": 1},
    {"kind": "leave"},
    {"kind": "message", "n": 1, "reason": "out_of_hours", "resumes_at": NOW.isoformat()},
    {"kind": "message", "n": 1, "reason": "out_of_hours"},
    {"kind": "message", "n": 1, "reason": "no_counsellor_on_duty"},
    {"kind": "message", "n": 2, "thanks": True},
    {"kind": "message", "n": 2, "reason": None},
    {"kind": "join", "offer_id": str(OFFER)},
    {"kind": "join_counsellor", "offer_id": str(OFFER)},
    {"kind": "dial", "offer_id": str(OFFER)},
    {"kind": "dial_back", "offer_id": str(OFFER)},
    {"kind": "rings_again"},
    {"kind": "whisper", "attempt": 0},
    {"kind": "taken"},
    {"kind": "go_to", "path": "/telephony/x"},
    {"kind": "goodbye"},
    {"kind": "hang_up"},
    {"kind": "nothing"},
    {"kind": "hold"},
    {"kind": "silence"},
    {"kind": "enqueue", "entry": 2, "transferred": True},
    {"kind": "wait", "entry": 1, "step": 0, "ahead": 0, "last": True},
    {"kind": "wait", "entry": 1, "step": 1, "wish": True},
    {"kind": "wait", "entry": 1, "step": 4, "ahead": 1, "long": True, "callback": True},
    {"kind": "wait", "entry": 1, "step": 5, "danger": True},
    {"kind": "wait", "entry": 1, "step": 5, "draining": True, "ahead": 1},
    {"kind": "farewell"},
    {"kind": "question", "code": "safe", "q": str(OFFER), "n": 2},
    {"kind": "question_over", "offer_id": str(OFFER), "heard": True},
    {"kind": "hold", "lost": True},
    {"kind": "whisper", "attempt": 0, "again": True},
    {"kind": "wait", "entry": 1, "step": 5, "said": "callback_not"},
    {
        "kind": "wait",
        "entry": 1,
        "step": 5,
        "said": "callback_kept",
        "from": NOW.isoformat(),
        "until": (NOW + timedelta(hours=3)).isoformat(),
    },
    {"kind": "message", "n": 2, "reason": None, "callback": True},
    {"kind": "callback", "question": "safe", "n": "1.5"},
    {"kind": "callback", "question": "who", "n": "1.5"},
    {"kind": "callback", "question": "when", "n": "1.5", "who": "anyone"},
    {"kind": "partner", "n": 3},
    {"kind": "partner_ask", "attempt": 0},
    {"kind": "blocked", "n": 1},
    {"kind": "duty_menu", "n": 1},
    {"kind": "duty_set", "state": "break"},
    {"kind": "party_whisper", "party_id": str(OFFER), "attempt": 0, "outside": True},
    {"kind": "party_whisper", "party_id": str(OFFER), "attempt": 1},
    {
        "kind": "join_party",
        "party_id": str(CALL),
        "room_id": str(OFFER),
        "muted": True,
        "coach": None,
    },
    {"kind": "join_party", "party_id": str(CALL), "room_id": str(OFFER), "coach": "CA1"},
]


SCENE = script.Scene(LINE, CALL, "sr", NOW, OFFER)


def test_every_kind_of_answer_is_tried() -> None:
    assert {answer["kind"] for answer in ANSWERS} == set(script._KINDS)


@pytest.mark.parametrize("language", ["sr", "en", None])
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: a["kind"])
def test_documents_are_right(answer: script.Answer, language: str | None) -> None:
    scene = script.Scene(LINE, CALL, language, NOW, OFFER).where(to="+38164999001", shows="1")
    for settings, profile, others in (
        (SETTINGS, TWILIO, DIALLED),
        (SOMLENG_SETTINGS, SOMLENG, CONFERENCES),
    ):
        if answer["kind"] in others:
            continue
        body = twiml(script.steps_for(answer, scene), settings)
        parse(body.encode(), "text/xml", None, profile)
        assert len(body) < 8000
        assert "{" not in body
        assert "None" not in body


def test_a_sip_phone_is_dialled_and_no_document_is_heard_there() -> None:
    scene = script.Scene(LINE, CALL, "sr", NOW, OFFER).where(to="sip:ana@desk.example")
    steps = script.steps_for({"kind": "dial", "offer_id": str(OFFER)}, scene)
    body = twiml(steps, SOMLENG_SETTINGS)
    assert "<Sip>sip:ana@desk.example</Sip>" in body
    assert 'timeout="15"' in body


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: a["kind"])
def test_only_a_finished_talk_or_a_counsellors_phone_is_hung_up(answer: script.Answer) -> None:
    scene = script.Scene(LINE, CALL, "sr", NOW, OFFER).where(to="+38164999001", shows="1")
    may_end = {
        "farewell",
        "goodbye",
        "hang_up",
        "taken",
        "join_counsellor",
        "join_party",
        "duty_set",
        "rings_again",
    }
    for settings in (SETTINGS, SOMLENG_SETTINGS):
        body = twiml(script.steps_for(answer, scene), settings)
        assert ("<Hangup" in body) == (answer["kind"] in may_end)
        # Everything else leads on: nothing of the caller's ends in silence.
        leads_on = ("<Redirect", "<Enqueue", "<Leave", "<Hangup")
        if answer["kind"] != "nothing":
            assert any(verb in body for verb in leads_on)


def test_a_recorded_prompt_is_played() -> None:
    prompts = {**TEXTS, ("sr", "goodbye"): PromptText(None, UUID(int=9))}
    line = LineScript(**{**LINE.__dict__, "prompts": prompts})
    body = twiml(
        script.steps_for({"kind": "goodbye"}, script.Scene(line, CALL, "sr", NOW)), SETTINGS
    )
    assert f"<Play>https://helpline.example.org/telephony/prompts/{UUID(int=9)}</Play>" in body


def test_the_time_of_return_is_said_in_the_callers_language() -> None:
    at = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
    assert script.speak_instant(at, NOW, "Europe/Belgrade", "sr") == "sutra u 8:00"
    assert script.speak_instant(at, NOW, "Europe/Belgrade", "en") == "tomorrow at 8:00"
    today = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    assert script.speak_instant(today, NOW, "Europe/Belgrade", "en") == "at 23:00"


def test_a_weekday_and_a_date_are_said_as_one_says_them() -> None:
    friday = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)
    assert script.speak_instant(friday, NOW, "Europe/Belgrade", "sr") == "u petak u 8:00"
    assert script.speak_instant(friday, NOW, "Europe/Belgrade", "en") == "on Friday at 8:00"
    later = datetime(2026, 12, 24, 7, 0, tzinfo=UTC)
    assert script.speak_instant(later, NOW, "Europe/Belgrade", "en") == "on 24 December at 8:00"
    assert script.speak_instant(later, NOW, "Europe/Belgrade", "sr") == "24. decembra u 8:00"
    window = script.speak_window(friday, friday + timedelta(hours=3), NOW, "Europe/Belgrade", "en")
    assert window == "on Friday between 8:00 and 11:00"
    window = script.speak_window(later, later + timedelta(hours=3), NOW, "Europe/Belgrade", "en")
    assert window == "on 24 December between 8:00 and 11:00"


def test_the_coming_midnight_is_not_called_tomorrow() -> None:
    midnight = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
    assert script.speak_instant(midnight, NOW, "Europe/Belgrade", "sr") == "večeras u ponoć"
    assert script.speak_instant(midnight, NOW, "Europe/Belgrade", "en") == "tonight at midnight"


def test_a_silent_caller_is_through_the_menu_within_twelve_seconds() -> None:
    """At fifteen letters a second, with the pause for a key at the end."""
    ask = script.steps_for({"kind": "menu", "attempt": 0}, SCENE)[0]
    assert isinstance(ask, script.Ask)
    said = [part.text for part in ask.spoken if isinstance(part, script.Say)]
    assert sum(len(text) for text in said) / 15 + ask.seconds <= 12
    # The danger key comes in the first seconds.
    assert "9" in said[1]
    assert len(said[0] + said[1]) / 15 <= 4


def test_trouble_speaks_without_a_database() -> None:
    body = twiml(script.trouble_steps("/telephony/voice"), SETTINGS)
    parse(body.encode(), "text/xml")
    assert "Please stay on the line" in body
    assert "Ostani na vezi" in body


@pytest.mark.parametrize("language", ["en", "sr"])
def test_every_alarm_has_words_for_the_telephone(language: str) -> None:
    for kind in AlarmKind:
        assert f"alarm_{kind.value}" in PROMPT_KEYS
        assert words.prompt(language, f"alarm_{kind.value}")


@pytest.mark.parametrize("language", words.languages())
def test_every_prompt_is_there_in_every_language(language: str) -> None:
    shipped = words.words_of(language)
    assert shipped is not None
    # The waiting sound is made, not spoken.
    assert set(shipped.prompts) == set(PROMPT_KEYS) - {"waiting_sound"}
    for key, text in shipped.prompts.items():
        used = {name for _, name, _, _ in Formatter().parse(text) if name}
        assert used <= PROMPT_KEYS[key], key
