"""Texts to counsellors who have only a phone, each sent at most once (`outbox/at_most_once.py`).

No row keeps a text. That it is sent is committed first, with what is dialled (`dials`), under an id
made of its job: a job that runs again, as after a process that was killed, sends no second one.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID, uuid5

from procrastinate import JobContext

from app import words
from app.abilities import EndpointKind
from app.calls.lines import finding_lines
from app.dialling import outward
from app.dialling.models import DialledFor, DialWay
from app.jobs.names import Task
from app.log import log
from app.outbox.at_most_once import send_at_most_once
from app.outbox.responses import TryAgain
from app.routing.models import Presence
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.jobs import parts_of, task
from app.work import Work

# Under this, the number of a job is the id of its text.
_JOBS = UUID("5d0c1c1e-6a55-4a0f-8f63-0a4f6f1f7a26")
# After this many runs that were certainly not carried out, a text is too late to be of use.
_RUNS = 8
_Write = Callable[[Work, Staff], Awaitable[str | None]]


def to_counsellor(staff: Staff, key: str, **values: str) -> str:
    """Return a text to a counsellor, in the language of their account."""
    language = staff.page_language
    commands = {
        "available": words.letters(language, "duty_words")["available"][0].upper(),
        "break": words.letters(language, "duty_words")["break"][0].upper(),
        "off": words.letters(language, "duty_words")["off_duty"][0].upper(),
    }
    return words.letter(language, "duty_text", key, **commands, **values)


@task(Task.TEXT_PHONE_CODE)
async def text_phone_code(context: JobContext, counsellor_id: str) -> None:
    """Text a single-use code to the phone of a counsellor who rings about their duty.

    The code is in no row and no job. Without it the counsellor rings again.
    """

    lives: list[datetime] = []

    async def write(work: Work, staff: Staff) -> str | None:
        code = await phone_proofs.text_code(work, staff, None)
        if code is None:
            return None
        lives.append(await phone_proofs.code_until(work, staff.id))
        return to_counsellor(staff, "code", code=code)

    async def undo(work: Work) -> None:
        await phone_proofs.take_back_code(work, UUID(counsellor_id), lives[-1])

    await _text(context, UUID(counsellor_id), write, "a code of a counsellor", undo)


@task(Task.TELL_MISSED)
async def tell_missed(context: JobContext, counsellor_id: str) -> None:
    """Tell a counsellor who has only a phone that calls were missed; the board shows it itself.

    Whether it arrives or not, the alarm tells a person on call.
    """

    async def write(work: Work, staff: Staff) -> str | None:
        presence = await work.session.get(Presence, staff.id)
        if presence is None or presence.warned_at is None:
            return None
        return to_counsellor(staff, "missed")

    await _text(context, UUID(counsellor_id), write, "word of missed calls")


async def _text(
    context: JobContext,
    staff_id: UUID,
    write: _Write,
    what: str,
    undo: Callable[[Work], Awaitable[None]] | None = None,
) -> None:
    """Send what `write` returns, if it returns anything, to the phone of a counsellor. `undo` takes
    back what `write` did for a text that was certainly not sent."""
    parts, key = parts_of(context), uuid5(_JOBS, str(context.job.id))
    async with parts.work() as work:
        staff = await work.session.get(Staff, staff_id)
        line = await finding_lines.any_line(work)
        if staff is None or line is None or staff.endpoint_kind != EndpointKind.PHONE:
            return
        if await outward.was_counted(work, key):
            return
        to, from_, body = staff.endpoint or "", line.shown_number, await write(work, staff)
        if body is None or not await outward.may_dial(
            work, to, key, DialledFor.NOTICE, DialWay.SMS, once=True
        ):
            return
    text = body
    try:
        await send_at_most_once(
            lambda: parts.platform.send_message(
                to=to, from_=from_, body=text, told="/telephony/noted"
            ),
            area="telephony",
            what=what,
        )
    except TryAgain:
        async with parts.work() as work:
            await outward.take_back(work, key)
            if undo is not None:
                await undo(work)
        if context.job.attempts >= _RUNS:
            log().warning(f"{what} was given up", area="telephony")
            return
        raise
