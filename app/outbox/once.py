"""Send once; without a response, ask what became of it, and never send it blindly again.

The rule, for whatever is sent:

1. A row is committed as *wanted*, together with the job that sends it.
2. The job commits the row as *sending*, and only then sends, outside of any transaction.
3. The response decides. Accepted: *sent*. Refused: *failed*. Certainly not carried out: *wanted*
   again. No response, a server error, or a process that was killed: the row stays *sending*.
4. A job that finds the row *sending* asks the other side whether it has it. If it says several
   times that it has not, the row is *failed*. Where it cannot be asked, the same thing is sent
   again under the same id after a wait, by which a receiver knows a repeat.
"""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Generic, Protocol, TypeVar

from app.jobs.names import Task
from app.jobs.transaction import run_verb
from app.outbox.responses import Refused, RequestFailed, TryAgain, Uncertain
from app.outbox.states import Sending
from app.work import PROGRAM, Ground, Work

# After this many "no trace of it" the request was not carried out.
ASKS = 4
# By how much the other side's clock, in whole seconds, may be behind ours.
_CLOCKS_DIFFER = timedelta(seconds=2)


class Row(Protocol):
    """What a row says about its sending; `SentOnce` has these as columns."""

    sending: Any
    sent_at: Any
    asks: Any
    provider_sid: Any


R = TypeVar("R", bound=Row)


class Outgoing(ABC, Generic[R]):
    """One thing to be sent: the area that keeps its row says how; `send_once` says when."""

    # How long to wait before the same thing is sent again without asking; None: it can be asked.
    repeat_after: timedelta | None = None

    def __init__(self, task: Task, **arguments: Any) -> None:
        # The job that sends it, by which it can be run again later.
        self.task, self.arguments = task, arguments

    # -- what each kind of row says for itself --

    @abstractmethod
    async def lock(self, work: Work) -> R | None:
        """Lock the row, after the rows that are locked before it. Return None if it is gone."""

    def is_over(self, row: R) -> bool:
        """Return whether nothing is to be sent or asked any more."""
        return False

    @abstractmethod
    async def prepare(self, work: Work, row: R) -> bool:
        """Read what is sent, and keep it in this object.

        Return False if it must not be sent: the row then says why, or the job runs again `later`.
        """

    async def may_go(self, work: Work, row: R) -> bool:
        """Return whether what was prepared may leave; otherwise it has failed."""
        return True

    @abstractmethod
    async def send(self) -> str | None:
        """Send it, and return the other side's id of it, if it gives one.

        Raises TryAgain, Uncertain, Refused.
        """

    async def prepare_to_ask(self, work: Work, row: R, since: datetime) -> None:
        """Read what `find` needs. It was sent at `since` or later."""

    async def find(self) -> str | None:
        """Ask the other side for its id of it. Return None if it has no trace of it.

        Raises TryAgain, Uncertain.
        """
        raise NotImplementedError

    async def accepted(self, work: Work, row: R) -> None:
        """Act on it: the other side has it."""

    async def failed(self, work: Work, row: R, error: Refused | None) -> None:
        """Act on it: it was refused, or the other side has no trace of it (`error` is None)."""

    async def put_off(self, work: Work, row: R, error: RequestFailed) -> bool:
        """Plan the next attempt after TryAgain or Uncertain; return False to leave it to the job.

        A job that it is left to runs again by its own schedule.
        """
        return False

    def later(self, work: Work, wait: timedelta) -> None:
        """Run the job again after `wait`."""
        work.defer(self.task, delay=wait, **self.arguments)


class _Next(Enum):
    SEND = auto()
    ASK = auto()


async def send_once(ground: Ground, out: Outgoing[Any]) -> None:
    """Do the next step of sending one thing. May be run any number of times.

    Raises TryAgain or Uncertain if the job has to be run again.
    """
    following = await run_verb(ground, PROGRAM, lambda work: _begin(work, out))
    if following is _Next.ASK:
        their_id = await out.find()
        if their_id is None:
            if await run_verb(ground, PROGRAM, lambda work: _no_trace(work, out)):
                raise Uncertain("no trace of it yet")
            return
        await run_verb(ground, PROGRAM, lambda work: _accepted(work, out, their_id))
    elif following is _Next.SEND:
        await _send(ground, out)


async def _begin(work: Work, out: Outgoing[Any]) -> _Next | None:
    row = await out.lock(work)
    if row is None or out.is_over(row):
        return None
    if row.sending == Sending.SENDING and row.provider_sid is None:
        # An earlier run was killed, or got no response.
        assert row.sent_at is not None
        if out.repeat_after is None:
            await out.prepare_to_ask(work, row, row.sent_at - _CLOCKS_DIFFER)
            return _Next.ASK
        left = row.sent_at + out.repeat_after - work.now
        if left > timedelta(0):
            out.later(work, left)
            return None
    elif row.sending != Sending.WANTED:
        return None
    if not await out.prepare(work, row):
        return None
    if not await out.may_go(work, row):
        row.sending = Sending.FAILED.value
        await out.failed(work, row, Refused("it may not leave"))
        return None
    row.sending, row.sent_at = Sending.SENDING.value, work.now
    return _Next.SEND


async def _send(ground: Ground, out: Outgoing[Any]) -> None:
    try:
        their_id = await out.send()
    except (TryAgain, Uncertain) as failure:
        error: RequestFailed = failure
        if not await run_verb(ground, PROGRAM, lambda work: _not_sent(work, out, error)):
            raise
    except Refused as failure:
        refusal = failure
        await run_verb(ground, PROGRAM, lambda work: _failed(work, out, refusal))
    else:
        await run_verb(ground, PROGRAM, lambda work: _accepted(work, out, their_id))


async def _accepted(work: Work, out: Outgoing[Any], their_id: str | None) -> None:
    row = await out.lock(work)
    if row is None:
        return
    row.sending = Sending.SENT.value
    # A report of the other side may have brought its id before the response did.
    row.provider_sid = row.provider_sid or their_id
    await out.accepted(work, row)


async def _not_sent(work: Work, out: Outgoing[Any], error: RequestFailed) -> bool:
    """Return whether the next attempt is planned, or there is nothing left to do."""
    row = await out.lock(work)
    if row is None or row.sending != Sending.SENDING or row.provider_sid is not None:
        return True
    if isinstance(error, TryAgain):
        row.sending, row.sent_at = Sending.WANTED.value, None
    if out.is_over(row):
        return True
    return await out.put_off(work, row, error)


async def _no_trace(work: Work, out: Outgoing[Any]) -> bool:
    """Count that the other side has no trace of it. Return whether to ask again."""
    row = await out.lock(work)
    if row is None or row.sending != Sending.SENDING or row.provider_sid is not None:
        return False
    row.asks += 1
    if row.asks < ASKS:
        return True
    await _failed(work, out, None)
    return False


async def _failed(work: Work, out: Outgoing[Any], error: Refused | None) -> None:
    row = await out.lock(work)
    if row is None or row.sending != Sending.SENDING or row.provider_sid is not None:
        return
    row.sending = Sending.FAILED.value
    await out.failed(work, row, error)
