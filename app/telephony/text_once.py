"""Texts that no row keeps, each sent at most once (`outbox/at_most_once.py`).

That it is sent is committed first, with what is dialled (`dials`), under an id made of its job: a
job that runs again, as after a process that was killed, sends no second one.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID, uuid5

from procrastinate import JobContext

from app.calls.lines import finding_lines
from app.dialling import outward
from app.dialling.models import DialledFor, DialWay
from app.log import log
from app.outbox.at_most_once import send_at_most_once
from app.outbox.responses import TryAgain
from app.telephony.jobs import parts_of
from app.words import sms
from app.work import Work

# Under this, the number of a job is the id of its text.
_JOBS = UUID("5d0c1c1e-6a55-4a0f-8f63-0a4f6f1f7a26")
# After this many runs that were certainly not carried out, a text is too late to be of use.
_RUNS = 8


class Text(NamedTuple):
    to: str
    body: str

    @property
    def length(self) -> int:
        """In how many parts it is sent and billed."""
        return sms.parts_of(self.body)


async def text_once(
    context: JobContext,
    compose: Callable[[Work], Awaitable[Text | None]],
    what: str,
    undo: Callable[[Work], Awaitable[None]] | None = None,
) -> None:
    """Send what `compose` returns, if it returns anything, from a line of ours. `undo` takes back
    what `compose` did for a text that was certainly not sent."""
    parts, key = parts_of(context), uuid5(_JOBS, str(context.job.id))
    async with parts.work() as work:
        line = await finding_lines.any_line(work)
        if line is None or await outward.was_counted(work, key):
            return
        found = await compose(work)
        if found is None or not await outward.may_dial(
            work,
            found.to,
            key,
            DialledFor.NOTICE,
            DialWay.SMS,
            parts=found.length,
            once=True,
        ):
            return
        text, from_ = found, line.shown_number
    try:
        await send_at_most_once(
            lambda: parts.platform.send_message(
                to=text.to, from_=from_, body=text.body, told="/telephony/noted"
            ),
            area="telephony",
            what=what,
        )
    except TryAgain:
        async with parts.work() as work:
            await outward.take_back(work, key, text.length)
            if undo is not None:
                await undo(work)
        if context.job.attempts >= _RUNS:
            log().warning(f"{what} was given up", area="telephony")
            return
        raise
