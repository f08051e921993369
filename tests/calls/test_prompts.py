"""What a line says: changed for the next caller, checked, logged with its texts, and taken back."""

from hashlib import sha256

import pytest

from app.calls import prompts
from app.calls.lines import finding_lines, line_languages, lines
from app.calls.lines.line_scripts import learn_languages, spoken_languages
from app.calls.prompts import NothingEarlier, Source
from app.calls.speech import LineScript
from app.errors import Invalid
from app.staff.log_kinds import AuditLog
from app.words.keys import PROMPT_KEYS, SOUNDS, PromptKey
from app.work import Work
from tests.support.calls.lines import a_line
from tests.support.verbs import logged

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


async def says(work: Work, line: LineScript, key: PromptKey) -> tuple[str | None, Source, bool]:
    (found,) = [one for one in await prompts.heard_of(work, line, "en") if one.key == key]
    return found.text, found.source, found.earlier


async def test_a_change_is_heard_logged_and_taken_back_step_by_step(work: Work) -> None:
    line, key = await a_line(work), PromptKey.GREETING
    shipped, source, earlier = await says(work, line, key)
    assert (source, earlier) == (Source.PROGRAM, False)
    for text in ("Hello, {line}.", "Good day, {line}."):
        await prompts.set_prompt(work, line=line, language="en", key=key, text=text)
    assert await says(work, line, key) == ("Good day, {line}.", Source.LINE, True)
    _, script = await finding_lines.read_line(work, line.id)
    assert script.prompt("en", key).text == "Good day, {line}."
    assert logged(work)[-1] == (
        AuditLog.PROMPT_CHANGED,
        {"key": "greeting", "language": "en"}
        | {"before": {"text": "Hello, {line}."}, "after": {"text": "Good day, {line}."}},
    )
    await prompts.take_back(work, line, "en", key)
    assert await says(work, line, key) == ("Hello, {line}.", Source.LINE, True)
    await prompts.take_back(work, line, "en", key)
    assert await says(work, line, key) == (shipped, Source.PROGRAM, False)
    with pytest.raises(NothingEarlier):
        await prompts.take_back(work, line, "en", key)


async def test_the_words_of_the_program_come_back_and_go_again(work: Work) -> None:
    line, key = await a_line(work), PromptKey.HOLD
    await prompts.set_prompt(
        work, line=line, language="en", key=key, audio=WAV, audio_type="audio/wav"
    )
    (heard,) = [one for one in await prompts.heard_of(work, line, "en") if one.key == key]
    assert heard.recording is not None
    assert await prompts.recording_of(work, line, heard.recording) == (WAV, "audio/wav")
    await prompts.use_words_of_program(work, line, "en", key)
    assert (await says(work, line, key))[1] is Source.PROGRAM
    await prompts.take_back(work, line, "en", key)
    (again,) = [one for one in await prompts.heard_of(work, line, "en") if one.key == key]
    assert again.recording is not None
    assert await prompts.recording_of(work, line, again.recording) == (WAV, "audio/wav")


async def test_a_recording_of_another_line_is_not_given(work: Work) -> None:
    line = await a_line(work)
    other = await a_line(work, "+381112222334", "Druga linija", ["sr"])
    key = PromptKey.HOLD
    await prompts.set_prompt(
        work, line=line, language="sr", key=key, audio=WAV, audio_type="audio/wav"
    )
    (heard,) = [one for one in await prompts.heard_of(work, line, "sr") if one.key == key]
    assert heard.recording is not None
    _, script = await finding_lines.read_line(work, other.id)
    assert await prompts.recording_of(work, script, heard.recording) is None


@pytest.mark.parametrize(
    ("text", "audio", "kind"),
    [
        ("", None, None),
        ("Hello {name}", None, None),
        ("Hello {", None, None),
        ("x" * 1501, None, None),
        (None, b"not a sound", "audio/wav"),
        (None, WAV, "audio/mpeg"),
        (None, WAV, None),
        ("Hello", WAV, "audio/wav"),
    ],
)
async def test_what_could_not_be_spoken_is_refused(
    work: Work, text: str | None, audio: bytes | None, kind: str | None
) -> None:
    line = await a_line(work)
    with pytest.raises(Invalid):
        await prompts.set_prompt(
            work, line=line, language="en", key="greeting", text=text, audio=audio, audio_type=kind
        )
    assert (await says(work, line, PromptKey.GREETING))[2] is False


async def test_only_the_last_five_versions_are_kept(work: Work) -> None:
    line, key = await a_line(work), PromptKey.GREETING
    for number in range(8):
        await prompts.set_prompt(work, line=line, language="en", key=key, text=f"Hello {number}")
    for _each in range(5):
        await prompts.take_back(work, line, "en", key)
    assert (await says(work, line, key))[0] == "Hello 2"
    with pytest.raises(NothingEarlier):
        await prompts.take_back(work, line, "en", key)
    assert set(PROMPT_KEYS) == {one.key for one in await prompts.heard_of(work, line, "en")}


async def _record(work: Work, line: LineScript | None, language: str, *keys: PromptKey) -> None:
    for key in keys:
        await prompts.set_prompt(
            work, line=line, language=language, key=key, audio=WAV, audio_type="audio/wav"
        )


async def test_a_language_without_a_voice_is_recorded_for_every_line_and_then_added(
    work: Work,
) -> None:
    line = await a_line(work)
    assert lines.voice_of("hr") is None
    with pytest.raises(Invalid, match=r"/admin/every-line\?language=hr"):
        await line_languages.add_language(work, line, "hr")
    spoken = [key for key in PROMPT_KEYS if key not in SOUNDS]
    await _record(work, None, "hr", *spoken[1:])
    with pytest.raises(Invalid, match=spoken[0]):
        await line_languages.add_language(work, line, "hr")
    # The line's own recording counts as well, before the line speaks the language.
    await _record(work, line, "hr", spoken[0])
    assert await prompts.languages_of(work, line) == ["hr"]
    assert await line_languages.add_language(work, line, "hr") == "3"
    assert logged(work)[-1] == (
        AuditLog.LINE_LANGUAGE_ADDED,
        {"before": {"languages": ["sr", "en"]}, "after": {"languages": ["sr", "en", "hr"]}},
    )
    # What the first steps ask of the line.
    await lines.check_speakable(work, "hr", line.id)
    with pytest.raises(Invalid):
        await lines.check_speakable(work, "hr")


async def test_a_text_of_the_line_needs_a_voice_although_every_line_has_a_recording(
    work: Work,
) -> None:
    line = await a_line(work)
    await _record(work, None, "hr", *(key for key in PROMPT_KEYS if key not in SOUNDS))
    await prompts.set_prompt(work, line=line, language="hr", key=PromptKey.HOLD, text="Samo tren.")
    with pytest.raises(Invalid, match="hold"):
        await lines.check_speakable(work, "hr", line.id)
    await lines.check_speakable(work, "hr")


async def test_a_prompt_of_every_line_is_taken_back_step_by_step(work: Work) -> None:
    line, key = await a_line(work), PromptKey.HOLD
    shipped, _, _ = await says(work, line, key)
    await prompts.set_prompt(work, line=None, language="en", key=key, text="One moment.")
    await _record(work, None, "en", key)
    digest = sha256(WAV).hexdigest()
    assert logged(work)[-1][1] == {
        "key": "hold",
        "language": "en",
        "before": {"text": "One moment."},
        "after": {"bytes": len(WAV), "digest": digest},
    }
    (heard,) = [one for one in await prompts.heard_of(work, None, "en") if one.key == key]
    assert (heard.source, heard.earlier) == (Source.EVERY_LINE, True)
    assert heard.recording is not None
    assert await prompts.recording_of(work, None, heard.recording) == (WAV, "audio/wav")
    await prompts.take_back(work, None, "en", key)
    # The change was one of every line: the line itself has none to take back.
    assert await says(work, line, key) == ("One moment.", Source.EVERY_LINE, False)
    await prompts.use_words_of_program(work, None, "en", key)
    assert await says(work, line, key) == (shipped, Source.PROGRAM, False)
    await prompts.take_back(work, None, "en", key)
    assert await says(work, line, key) == ("One moment.", Source.EVERY_LINE, False)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        (PromptKey.COMFORT, "We are {line}.", "Text must hold no placeholder in braces"),
        (PromptKey.COMFORT, "{!r}", "Text must hold no placeholder in braces"),
        (PromptKey.COMFORT, "a" * 1501, "Text may have at most 1500 characters"),
        (PromptKey.GREETING, "We are {name}.", "refer only to {line} and have at most 1500"),
        (PromptKey.GREETING, "{line}" + "a" * 1500, "refer only to {line} and have at most 1500"),
        (PromptKey.GREETING, "{line", "braces of the text do not match"),
    ],
)
def test_a_text_is_refused_with_what_its_prompt_may_hold(
    key: PromptKey, text: str, said: str
) -> None:
    with pytest.raises(Invalid) as refused:
        prompts.check_prompt_text(key, text)
    assert said in refused.value.detail


async def test_a_language_that_was_removed_is_no_more_said_when_the_database_is_away(
    work: Work,
) -> None:
    """Each process reads the line again once it hears of the change."""
    line = await a_line(work)
    await learn_languages(work)
    assert spoken_languages(work.ground) == ["sr", "en"]
    await line_languages.remove_language(work, line, "en")
    await finding_lines.read_line(work, line.id)
    assert spoken_languages(work.ground) == ["sr"]
