"""Texts to counsellors who have only a phone, each sent at most once (`text_once.py`)."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from procrastinate import JobContext

from app import words
from app.abilities import EndpointKind
from app.jobs.names import Task
from app.routing.models import Presence
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.jobs import task
from app.telephony.text_once import Text, text_once
from app.work import Work

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
    """Tell a counsellor who has only a phone that calls were missed; the desk shows it itself.

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
    """Send what `write` returns, if it returns anything, to the phone of a counsellor."""

    async def compose(work: Work) -> Text | None:
        staff = await work.session.get(Staff, staff_id)
        if staff is None or staff.endpoint_kind != EndpointKind.PHONE:
            return None
        body = await write(work, staff)
        return Text(staff.endpoint or "", body) if body is not None else None

    await text_once(context, compose, what, undo)
