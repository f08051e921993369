"""Whether a request was allowed, and by what: each decision is in the program's log.

A desk asks every few seconds, and a line for each of its requests would bury all others. So this
process counts in its memory: the first decision of a kind is a line at once, and those that follow
are one line a minute that says how many there were. A person without the permission is a line each.
No line has more of an address than its template, so no id, no secret and no name.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from fastapi import Request

from app.clock import Clock
from app.errors import Refusal
from app.log import log
from app.staff.models import Staff
from app.staff.roles import Permission

_EVERY = timedelta(minutes=1)
# Kinds of decisions that are held at most; the one whose line is the oldest gives way. Five hundred
# people at work make far fewer in a minute: above it, each request would be a line.
MOST_KINDS = 20_000
# Lines after which requests have their turn.
_AT_ONCE = 50
# Hexadecimal digits of a session: seven could look like a phone number.
_MARK = 6
_DENIED = frozenset({401, 403, 404})
# What a request carries about itself, in its scope.
_ASKER, _COUNTED, _TOLD = "helpline.asker", "helpline.counted", "helpline.told"


class Right(StrEnum):
    """By what a request without an account is allowed."""

    AGENCY_LINK = "agency_link"
    AGENCY_SIGNATURE = "agency_signature"
    CALENDAR_LINK = "calendar_link"
    CONVERSATION = "conversation_secret"
    FIRST_CODE = "first_code"
    MONITORING = "monitoring"
    PASSWORD_GIVEN = "password_given"
    PASSWORD_LINK = "password_link"
    PEOPLE_TOKEN = "people_token"
    PROVIDER_SIGNATURE = "provider_signature"
    RETURN_CODE = "return_code"
    SIGN_OUT_TOKEN = "sign_out_token"
    STATISTICS_TOKEN = "statistics_token"
    TELEGRAM_SECRET = "telegram_secret"
    WALLBOARD_LINK = "wallboard_link"


class Decision(NamedTuple):
    """What is counted together. What is empty is not in the line."""

    event: str
    path: str
    method: str
    permission: str = ""
    kind: str = ""
    cause: str = ""
    staff_id: UUID | None = None
    role: str = ""
    # The keyed hash of the session's token, of which the line has the beginning.
    session: bytes = b""

    def line(self) -> dict[str, Any]:
        """Return the fields of the line."""
        said = {name: value for name, value in self._asdict().items() if value and name != "event"}
        if self.staff_id is not None:
            said["staff_id"] = str(self.staff_id)
            said["session"] = self.session.hex()[:_MARK]
        return said


@dataclass
class _Count:
    # Since the last line, and when that was.
    number: int
    told_at: datetime


class Decisions:
    """The decisions of one process since their last line."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The one whose line is the oldest is the first.
        self._counts: dict[Decision, _Count] = {}
        self._is_running = False
        self._telling: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write each line when it is due, and at the end what is left."""
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False
            if self._telling is not None:
                self._telling.cancel()
            self.write_rest()

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, decision: Decision) -> None:
        """Count a decision; the first one is written at once."""
        known = self._counts.get(decision)
        if known is not None:
            known.number += 1
            return
        if len(self._counts) >= MOST_KINDS:
            oldest = next(iter(self._counts))
            _write(oldest, self._counts.pop(oldest))
        made = self._counts[decision] = _Count(1, self._clock.now())
        _write(decision, made)
        if self._is_running and self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="decisions")

    def write_due(self) -> bool:
        """Write what was counted for a minute, and forget what was not asked for in it.

        Return whether more is due: only some lines are written at once.
        """
        for _ in range(_AT_ONCE):
            if not self._counts or self._seconds_left() > 0:
                return False
            decision = next(iter(self._counts))
            count = self._counts.pop(decision)
            if count.number:
                _write(decision, count)
                count.told_at = self._clock.now()
                self._counts[decision] = count
        return True

    def write_rest(self) -> None:
        """Write what was counted since the last lines: the process ends."""
        for decision, count in self._counts.items():
            _write(decision, count)
        self._counts.clear()

    async def _tell(self) -> None:
        """Write every line when it is due, as long as anything is counted."""
        while self._counts:
            more = self.write_due()
            await self._clock.sleep(0 if more else max(1.0, self._seconds_left()))
        self._telling = None

    def _seconds_left(self) -> float:
        """Return the seconds until the next line is due, if any is counted."""
        for count in self._counts.values():
            since = self._clock.now() - count.told_at
            # A clock that was put back makes no line wait for longer.
            return (_EVERY - since).total_seconds() if since >= timedelta() else 0
        return 0


def _write(decision: Decision, count: _Count) -> None:
    """Write the line of what was counted, if it was. No request fails with the log."""
    if not count.number:
        return
    with contextlib.suppress(OSError, ValueError):
        log().info(decision.event, area="web", count=count.number, **decision.line())
        count.number = 0


def asked_by(request: Request, staff: Staff, session_key: bytes) -> None:
    """Remember whose request it is, for the lines about it."""
    request.scope[_ASKER] = staff.id, staff.role, session_key


def allow(request: Request, permission: Permission) -> None:
    """Count that the person who asks has the permission."""
    _count(request, _decision(request, "allowed requests", permission=permission.value))


def grant(request: Request, right: Right) -> None:
    """Count that a request without an account has a right; never what it was shown by."""
    _count(request, _decision(request, "allowed requests", kind=right.value))


def deny(request: Request, error: Refusal, right: Right | None = None) -> None:
    """Count that a request was refused, unless it has a line of its own.

    Also what was not found counts: that is the answer for a row which a person may not read.
    """
    if error.status in _DENIED or right is not None:
        cause, kind = type(error).__name__, right.value if right is not None else ""
        _count(request, _decision(request, "refused requests", cause=cause, kind=kind))
        has_line(request)


def denying(request: Request) -> Callable[[Refusal], None]:
    """Return what counts the refusals of a request while it is under way.

    It does not hold the request, which would then be left to the collector of cycles.
    """
    known = weakref.ref(request)

    def note(error: Refusal) -> None:
        if (still := known()) is not None:
            deny(still, error)

    return note


def deny_permission(request: Request, permission: Permission, right: Right | None = None) -> None:
    """Write that the person or the token of a request lacks the permission: a line each."""
    if right is None:
        refused = _decision(request, "refused a request", cause=permission.value)
    else:
        refused = Decision("refused a request", *_where(request), "", right.value, permission.value)
    log().warning(refused.event, area="web", **refused.line())
    has_line(request)


def has_line(request: Request) -> None:
    """Note that the log says that this request was refused."""
    request.scope[_TOLD] = True


def template_of(request: Request) -> str:
    """Return the address as the program declares it: one that was sent may hold the code of a
    record, or whatever a stranger writes."""
    path: str = getattr(request.scope.get("route"), "path", "")
    return path


def _where(request: Request) -> tuple[str, str]:
    return template_of(request), request.scope["method"]


def _decision(
    request: Request, event: str, *, permission: str = "", kind: str = "", cause: str = ""
) -> Decision:
    asker = request.scope.get(_ASKER, ())
    return Decision(event, *_where(request), permission, kind, cause, *asker)


def _count(request: Request, decision: Decision) -> None:
    """Count a decision once in a request, however often it is made there."""
    scope = request.scope
    if not decision.path or _TOLD in scope or scope.get(_COUNTED) == decision:
        return
    scope[_COUNTED] = decision
    decisions: Decisions = request.app.state.decisions
    decisions.count(decision)
