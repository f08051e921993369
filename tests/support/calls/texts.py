"""A child who writes by text, and what it is sent."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from app.calls.models import Call
from app.calls.speech import LineScript
from app.chats import reading
from app.demo.stage import LINE
from app.jobs.names import Task
from app.telephony.messaging import receiving
from app.telephony.provider.signature import Signed
from app.work import Work
from tests.support.calls.conversations import a_chat_line, forget

CHILD = "+381641234567"


async def texts(
    work: Work, body: str, *, from_: str = CHILD, sid: str | None = None, **more: str
) -> str:
    """Let a text arrive."""
    prefix = "whatsapp:" if from_.startswith("whatsapp:") else ""
    fields = {
        "From": from_,
        "To": prefix + LINE,
        "Body": body,
        "MessageSid": sid or f"SM{uuid4().hex}",
        "NumMedia": "0",
        **more,
    }
    forget(work)
    return await receiving.text_arrived(work, Signed(fields, "/telephony/sms"))


async def a_line_for_texts(work: Work, *by: str, **rules: Any) -> LineScript:
    return await a_chat_line(work, by=by or ("sms",), **rules)


async def calls(work: Work) -> Sequence[Call]:
    rows = await work.session.scalars(
        select(Call).order_by(Call.opened_at, Call.id).execution_options(populate_existing=True)
    )
    return rows.all()


async def said(work: Work, call: Call) -> list[tuple[str, str | None]]:
    """Return who wrote what; what the program says by its name."""
    rows = await reading.all_of(work, call.id)
    return [(row.author.value, row.words or (row.sentence and row.sentence.value)) for row in rows]


def sends(work: Work) -> list[str]:
    return [job.task for job in work.jobs if job.task == Task.SEND_TO_CHILD]
