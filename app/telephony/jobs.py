"""Jobs that send requests to the provider, after the rows that want them are committed.

Every job may be run twice. A request that makes a leg is committed as *sending*
before it is sent. If it gets no response, the next run asks the provider
what became of it, and never sends it again.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from procrastinate import Blueprint, JobContext

from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.telephony.platforms.base import Platform
from app.telephony.retries import BackOff
from app.work import PROGRAM, Ground

# A caller waits for these: after an outage they go on within seconds.
_AWAITED = frozenset(
    {
        Task.RING_COUNSELLOR,
        Task.JOIN_COUNSELLOR,
        Task.RING_PARTICIPANT,
        Task.MOVE_CALLER,
        Task.RETURN_CALLER,
        Task.SETTLE_CONNECTION,
        Task.SETTLE_FINISH,
        Task.SETTLE_LEAVE,
        Task.SETTLE_TALK,
        Task.LOOK_AT_TALK,
        Task.HOLD_FOR_COUNSELLOR,
        Task.END_HOLD,
        Task.ASK_CALLER,
        Task.SET_HOLD,
        Task.WATCH_DIALLED,
        Task.END_DIALLED,
        Task.WATCH_CALLBACK,
        Task.SETTLE_DIALLED,
        Task.SAY_IN_PRACTICE,
    }
)


_SOON = 2.0


F = TypeVar("F", bound=Callable[..., Awaitable[None]])


_FUNCTIONS: dict[Task, Callable[..., Awaitable[None]]] = {}


def task(name: Task) -> Callable[[F], F]:
    """Register a job of this edge under the name by which other areas defer it."""

    def keep(function: F) -> F:
        _FUNCTIONS[name] = function
        return function

    return keep


def telephony_tasks() -> Blueprint:
    """Return the jobs of this edge for one job app, which changes them."""
    tasks = Blueprint()
    for name, function in _FUNCTIONS.items():
        retry = BackOff(_SOON) if name in _AWAITED else BackOff()
        tasks.task(name=name.in_area, retry=retry, pass_context=True)(function)
    return tasks


class Parts:
    """What a job works with."""

    def __init__(self, ground: Ground, platform: Platform) -> None:
        self.ground, self.platform = ground, platform

    def work(self) -> Any:
        return transaction(self.ground, PROGRAM)


def parts_of(context: JobContext) -> Parts:
    parts: Parts = (context.additional_context or {})["parts"]
    return parts
