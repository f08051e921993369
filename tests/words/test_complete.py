"""Every language has all words of English, or the program says at its start what is missing."""

import re
import shutil
from pathlib import Path

import pytest
from babel import Locale

from app import words
from app.calls.asked import QUESTIONS
from app.referrals.states import (
    DISPATCH_RESULTS,
    DeadlineKind,
    DispatchState,
    ReferralOutcome,
    RejectionReason,
    Service,
)
from app.routing.rota.working_times import read_available
from app.telephony.messaging.stopping import means_stop
from app.words import danger
from app.words.chats import chat_words
from app.words.folding import folded
from app.words.keys import PROMPT_KEYS, SOUNDS, PromptKey
from tests.support.profile import by_day

APP = words.FOLDER.parent


@pytest.mark.parametrize("language", words.languages())
def test_a_language_has_every_key_and_placeholder_of_english(language: str) -> None:
    assert list(words.problems(language)) == []
    about = words.about(language)
    assert Locale.parse(about.locale).language == language
    assert about.right_to_left == (Locale.parse(about.locale).text_direction == "rtl")


def test_english_has_a_text_for_everything_that_is_said() -> None:
    prompts = words.words_of("en").prompts  # type: ignore[union-attr]
    assert set(prompts) == set(PROMPT_KEYS) - SOUNDS
    for key, text in prompts.items():
        assert words.placeholders(text) <= PROMPT_KEYS[PromptKey(key)], key
    assert {f"ask_{code}" for code in QUESTIONS} <= set(prompts)
    assert set(words.letters("en", "service")) == set(Service)
    assert set(DeadlineKind) <= set(words.letters("en", "referral_form"))
    page = words.letters("en", "agency_page")
    assert {f"reason_{one}" for one in RejectionReason} <= set(page)
    assert {f"outcome_{one}" for one in ReferralOutcome} <= set(page)
    teams = words.letters("en", "dispatch")
    assert {*DispatchState, *(f"result_{one}" for one in DISPATCH_RESULTS)} == set(teams)


@pytest.mark.parametrize("language", [one for one in words.languages() if one != "en"])
def test_no_letter_is_left_in_english(language: str) -> None:
    same = [
        f"{section}.{key}"
        for section, texts in words.words_of("en").letters.items()  # type: ignore[union-attr]
        for key, text in texts.items()
        if isinstance(text, str)
        and len(text.split()) > 1
        and text == words.letters(language, section)[key]
    ]
    prompts = words.words_of(language).prompts  # type: ignore[union-attr]
    same += [key for key, text in prompts.items() if text == words.prompt("en", key)]
    assert same == []


@pytest.fixture
def english(folder: Path) -> Path:
    """A copy of the words with no language but English: to read all of them takes a while."""
    for one in folder.iterdir():
        if one.is_dir() and one.name != "en":
            shutil.rmtree(one)
    words.forget()
    return folder


# The first ones are of different rules.
_HALF = [
    ("prompts.yaml", "  comfort:", "  comfrot:", "prompts.yaml: prompts.comfort is missing"),
    ("letters.yaml", '"Goodbye."', '""', "letters.yaml: duty_phone.bye is empty"),
    ("letters.yaml", "{digits}. Again", "Again", "letters.yaml: duty_phone.code must hold"),
    ("language.yaml", "stop:", "stpo:", "language.yaml: stop is missing"),
    ("language.yaml", "[to, till,", "[on,", "language.yaml: each entry of until must be a te"),
    ("prompts.yaml", ", on Sunday]", "]", "prompts.yaml: times.days needs 7 entries"),
    ("common.yaml", "common:", "comon:", "common.yaml: common must be a list of words"),
    ("letters.yaml", "Your code is", "č" * 300, "letters.yaml: duty_text.code is sent by SMS"),
    ("prompts.yaml", "{emergency} now.", "112 now.", "prompts.yaml: prompts."),
    ("letters.yaml", "  bye:", "  bay:", "letters.yaml: duty_phone.bye is missing"),
    ("letters.yaml", "Your code is", "{Your code is", "letters.yaml: duty_phone.code must"),
    ("language.yaml", "trouble:", "truoble:", "language.yaml: trouble is missing"),
    ("chats.yaml", "danger:", "dangers:", "chats.yaml: danger is missing"),
    ("common.yaml", '"hello"', "on", "common.yaml: each entry must be a text"),
]


@pytest.mark.parametrize(("file", "before", "after", "said"), by_day(_HALF, 8))
def test_half_a_language_stops_the_start(
    english: Path, file: str, before: str, after: str, said: str
) -> None:
    shutil.copytree(english / "en", english / "hu")
    text = (english / "hu" / file).read_text()
    changed = text.replace("{digits}", "", 2) if "digits" in before else text.replace(before, after)
    assert changed != text
    (english / "hu" / file).write_text(changed)
    with pytest.raises(words.BadWords, match="app/words/hu/") as refused:
        words.check()
    assert said.split(":")[0] in str(refused.value)
    assert said.split(": ")[1].rstrip(".") in str(refused.value)


@pytest.mark.parametrize("file", by_day(["hu/letters.yaml", "hu/common.yaml", "en/common.yaml"]))
def test_a_folder_without_a_file_stops_the_start(english: Path, file: str) -> None:
    shutil.copytree(english / "en", english / "hu")
    (english / file).unlink()
    with pytest.raises(words.BadWords, match=rf"app/words/{file} is missing"):
        words.check()


@pytest.mark.parametrize("text", by_day(["", "common: []", "- hello"]))
def test_a_language_without_common_words_stops_the_start(english: Path, text: str) -> None:
    shutil.copytree(english / "en", english / "hu")
    (english / "hu/common.yaml").write_text(text)
    with pytest.raises(words.BadWords, match=r"hu/common\.yaml: common must be a list of words"):
        words.check()


def test_what_people_type_is_understood_in_a_language_that_was_added(english: Path) -> None:
    assert not means_stop("Leiratkozom")
    shutil.copytree(english / "en", english / "hu")
    about = (english / "hu/language.yaml").read_text()
    about = re.sub(r"(?m)^stop: .*", "stop: [leiratkozom]", about)
    (english / "hu/language.yaml").write_text(re.sub(r"(?m)^until: .*", "until: [ig]", about))
    words.forget()
    assert means_stop(" Leiratkozom. ")
    assert means_stop("stop")
    assert read_available({"MO": ["8 ig 16"]}) == ((480, 960),)


def test_no_word_that_ends_messages_means_anything_else_to_a_child_who_talks() -> None:
    """The words that children write all the time, and those that speak of danger."""
    said = {folded(one)[0] for one in words.stop_words()}
    for language in words.languages():
        assert not said & set(danger.common(language)), language
        looked_for = danger.pattern(chat_words(language).danger)
        assert looked_for is not None, language
        assert not [one for one in said if looked_for.search(one)], language


def _named_in(code: str) -> set[str]:
    """Return what the program names: strings, members of enums, names in templates."""
    return set(re.findall(r"""["'.](\w+)""", code))


@pytest.mark.whole
def test_nothing_is_translated_that_is_never_said() -> None:
    files = [one for kind in ("*.py", "*.html", "*.typ") for one in APP.rglob(kind)]
    code = "\n".join(one.read_text() for one in files if words.FOLDER not in one.parents)
    # Made of a beginning and a code: f"reason_{one}", or "reason_" ~ one in a template.
    pairs = re.findall(r'f"([a-z_]+)_\{|"([a-z_]+)_" ~', code)
    begun = {f"{one}_" for pair in pairs for one in pair if one}
    codes = {*Service, *DeadlineKind, *DispatchState}
    english = words.words_of("en")
    assert english is not None
    letters = {key for texts in english.letters.values() for key in texts}
    named = _named_in(code)
    unsaid = {
        key
        for key in (letters | set(english.prompts)) - codes
        if not {key, key.upper()} & named and not any(key.startswith(one) for one in begun)
    }
    assert unsaid == set()
    assert "a_key_that_no_code_names" not in named
