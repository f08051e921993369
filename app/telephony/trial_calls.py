"""A test call to a phone of staff: rung once. It says that it is a test, or a prompt of a line."""

import contextlib
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from procrastinate import JobContext

from app import words
from app.calls.examples import example_values
from app.calls.lines.finding_lines import line_of_id, line_or_any
from app.calls.lines.lines import voice_of
from app.calls.speech import LineScript
from app.calls.states import LegStatus, is_over, read_leg_status
from app.errors import NotFound
from app.jobs.names import Task
from app.outbox.once import send_once
from app.outbox.responses import RequestFailed
from app.people.connection_rows import ConnectionTest, Found
from app.people.connection_test_rows import note_result
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.counsellor import pacing
from app.telephony.counsellor.pacing import LegUrgency
from app.telephony.jobs import parts_of, task
from app.telephony.provider.signature import Signed, read_number
from app.telephony.provider.urls import test_path
from app.telephony.script import Scene
from app.telephony.spoken_times import speak_instant, speak_window
from app.telephony.steps import Ask, HangUp, Say, Spoken, Step
from app.telephony.trial_texts import Trial, lock_test
from app.words.keys import SOUNDS, PromptKey
from app.words.pages import N_, _, page_languages, spoken_in
from app.words.pages import said as said_in
from app.work import Work

# How often a code is asked for.
_ENTRIES = 3
# How long the phone rings, in seconds.
_RINGS = 30
# How long the shipped sound is played, in seconds.
_SOUND = 12
# The largest number that is a code of SIP.
_LARGEST_CODE = 699
_ENDED = {
    LegStatus.BUSY: Found.TOO_BUSY,
    LegStatus.NO_ANSWER: Found.UNDELIVERED,
    LegStatus.CANCELED: Found.UNDELIVERED,
    LegStatus.FAILED: Found.NOT_THERE,
    # It was answered, and the provider did not ask us what to say.
    LegStatus.COMPLETED: Found.NO_CONNECTION,
}


class _TestCall(Trial):
    """A call that is rung once."""

    async def prepare(self, work: Work, row: ConnectionTest) -> bool:
        line = await line_or_any(work, row.line_id)
        if line is None:
            note_result(work, row, Found.REFUSED)
            return False
        wait = await pacing.take_turn(work, row.id, LegUrgency.OTHER)
        if wait is not None:
            self.later(work, wait)
            return False
        self._number, self._from = row.target or "", line.shown_number
        return True

    async def send(self) -> str:
        return await self.platform.ring(
            to=self._number,
            from_=self._from,
            document=test_path(self._id, "lifted"),
            told=test_path(self._id, "leg"),
            seconds=_RINGS,
        )


@task(Task.RING_TEST_PHONE)
async def ring_test_phone(context: JobContext, test_id: str) -> None:
    """Ring the phone of a test."""
    parts = parts_of(context)
    await send_once(parts.ground, _TestCall(parts, Task.RING_TEST_PHONE, test_id))


@task(Task.END_TEST_CALL)
async def end_test_call(context: JobContext, test_id: str) -> None:
    """End a test call of which no end was reported: ask the provider, and let no phone ring on."""
    parts, key = parts_of(context), UUID(test_id)
    async with parts.work() as work:
        row = await lock_test(work, key)
        if row is None or row.ended_at is not None:
            return
        sid = row.provider_sid
    found = None
    if sid is not None:
        with contextlib.suppress(RequestFailed):
            found = await parts.platform.fetch_call(sid)
    status = read_leg_status(found.status) if found is not None else None
    over = status is not None and is_over(status)
    async with parts.work() as work:
        row = await lock_test(work, key)
        if row is not None and row.ended_at is None:
            result = _ENDED[status] if status is not None and over else Found.NOT_IN_TIME
            note_result(work, row, result)
    if sid is not None and not over:
        await parts.platform.end(sid)


# -- what the phone hears ----------------------------------------------------------------------


async def lifted(work: Work, test_id: UUID, signed: Signed) -> list[Step]:
    """Return what the phone hears when it is answered. Raises NotFound."""
    row = await _told(work, test_id, signed)
    if row.proves:
        return _ask_for_code(row, 1)
    said = await _prompt(work, row) or that_it_is_a_test(row.language)
    if row.result != Found.DELIVERED:
        note_result(work, row, Found.DELIVERED)
    return [*said, HangUp()]


async def entered(work: Work, test_id: UUID, signed: Signed, n: int) -> list[Step]:
    """Handle the code that was entered at a phone that is being proven. Raises NotFound."""
    row = await _told(work, test_id, signed)
    person, digits = await _person(work, row), signed.fields.get("Digits", "")
    # The number may have been changed while the phone rang.
    if row.ended_at is None and digits and person.second_phone == row.target:
        proven = await phone_proofs.is_proven(work, person)
        proven = proven or await phone_proofs.prove_phone(work, person, digits, shown=True)
        if not proven and n < _ENTRIES:
            return _ask_for_code(row, n + 1)
    proven = person.second_phone is not None and await phone_proofs.is_proven(work, person)
    if row.ended_at is None:
        note_result(work, row, Found.DELIVERED)
    return [_say_of_proof(row.language, _PROVEN if proven else _NOT_PROVEN), HangUp()]


async def _person(work: Work, row: ConnectionTest) -> Staff:
    return await work.session.get_one(Staff, row.staff_id)


def _ask_for_code(row: ConnectionTest, n: int) -> list[Step]:
    said, then = _say_of_proof(row.language, _ENTER), test_path(row.id, f"entered?n={n}")
    return [Ask([said], then=then, seconds=8, digits=phone_proofs.DIGITS)]


_ENTER = N_(
    "This is the helpline. A counsellor has chosen this phone for calls that the browser does "
    "not answer. If it is you, enter the six digits that the page shows."
)
_PROVEN = N_("Thank you. This phone rings now if the browser does not answer.")
_NOT_PROVEN = N_("This phone is not proven, and no call rings here. Goodbye.")


def _say_of_proof(language: str, text: str) -> Spoken:
    spoken, voice = _spoken(language)
    with spoken_in(spoken):
        return Say(said_in(text), *voice)


async def _prompt(work: Work, row: ConnectionTest) -> list[Spoken]:
    """Return the prompt of a line as a caller hears it; nothing if the test names none."""
    line = await line_of_id(work, row.line_id)
    if line is None or row.key is None:
        return []
    key, scene = PromptKey(row.key), Scene(line, row.id, row.language, work.now)
    said = scene.say(key, **_values(line, key, scene))
    return said or ([scene.sound(_SOUND)] if key in SOUNDS else [])


def _values(line: LineScript, key: PromptKey, scene: Scene) -> dict[str, str]:
    """Return examples for what changes in the prompt: times, and a reason, as they are spoken."""
    language = scene.speaker.language
    with spoken_in(language):
        values = dict(example_values(line, language, key))
    tomorrow = scene.now.astimezone(ZoneInfo(line.timezone)) + timedelta(days=1)
    opens = tomorrow.replace(hour=9, minute=0)
    begins, ends = tomorrow.replace(hour=17, minute=0), tomorrow.replace(hour=19, minute=0)
    values["resumes"] = speak_instant(opens, scene.now, line.timezone, language)
    values["window"] = speak_window(begins, ends, scene.now, line.timezone, language)
    reason = line.prompt(language, PromptKey.ALARM_LONG_WAIT).text
    return {**values, "reason": reason} if reason else values


def that_it_is_a_test(language: str) -> list[Spoken]:
    """Say in a language of the pages that this is a test; in English if it has no voice."""
    spoken, voice = _spoken(language)
    with spoken_in(spoken):
        text = _("This is a test of the helpline: this phone works. You can hang up.")
    return [Say(text, *voice)]


def _spoken(language: str) -> tuple[str, Any]:
    """Return a language of the pages that has a voice, and its voice: English for any other."""
    spoken = words.spoken_as(language)
    voice = voice_of(spoken) if spoken in page_languages() else None
    return (spoken, voice) if voice else (words.SOURCE, words.voice_for(words.SOURCE))


async def leg_status(work: Work, test_id: UUID, signed: Signed) -> None:
    """Handle a status of the leg; only its end matters. Raises NotFound."""
    row = await _told(work, test_id, signed)
    status = read_leg_status(signed.fields.get("CallStatus"))
    if row.ended_at is not None or status is None or not is_over(status):
        return
    code = read_number(signed.fields.get("SipResponseCode", ""))
    known = status is LegStatus.FAILED and code is not None and 0 < code <= _LARGEST_CODE
    note_result(work, row, _ENDED[status], code if known else None)


async def _told(work: Work, test_id: UUID, signed: Signed) -> ConnectionTest:
    """Return the test that the provider speaks of, with its leg. Raises NotFound."""
    row = await lock_test(work, test_id)
    if row is None:
        raise NotFound("There is no such test.")
    row.provider_sid = row.provider_sid or signed.call_sid or None
    return row
