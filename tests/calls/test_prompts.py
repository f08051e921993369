"""What a line says: changed for the next caller, checked, logged with its texts, and taken back."""

import pytest

from app.calls import lines, prompts
from app.calls.lines import add_line
from app.calls.prompts import NothingEarlier, Source
from app.calls.speech import LineScript
from app.errors import Invalid
from app.staff.log_kinds import AuditLog
from app.words.keys import PROMPT_KEYS, PromptKey
from app.work import Work
from tests.support.verbs import logged

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


async def a_line(work: Work) -> LineScript:
    row = await add_line(
        work,
        number="+381112222333",
        name="Plavi telefon",
        country="RS",
        languages=["sr", "en"],
        timezone="Europe/Belgrade",
    )
    await work.session.flush()
    return (await lines.read_line(work, row.id))[1]


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
    _, script = await lines.read_line(work, line.id)
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
    other = await add_line(
        work,
        number="+381112222334",
        name="Druga linija",
        country="RS",
        languages=["sr"],
        timezone="Europe/Belgrade",
    )
    await work.session.flush()
    key = PromptKey.HOLD
    await prompts.set_prompt(
        work, line=line, language="sr", key=key, audio=WAV, audio_type="audio/wav"
    )
    (heard,) = [one for one in await prompts.heard_of(work, line, "sr") if one.key == key]
    assert heard.recording is not None
    _, script = await lines.read_line(work, other.id)
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
