"""Reading call records: every list is a statement that returns only what the reader may see."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, func, select, tuple_

from app.calls import messages
from app.calls.lines.line_rows import Line
from app.calls.models import Call, RecordedEvent, VoiceMessage
from app.calls.states import MessageState, Outcome
from app.errors import Invalid, NotFound
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

PAGE = 100


def readable_calls(staff: Staff, own: Any) -> Select[Any]:
    """Return the statement of the calls that a person may see: all, their own, or none.

    `own` is the statement of the ids of the calls that they were offered and took.
    """
    statement = select(Call)
    if may(staff.role, Permission.SEE_ALL_CALLS):
        return statement
    if may(staff.role, Permission.SEE_OWN_CALLS):
        return statement.where(Call.id.in_(own))
    return statement.where(false())


async def list_calls(
    work: Work,
    readable: Select[Any],
    *,
    since: datetime | None,
    until: datetime | None,
    outcome: str | None,
    line: str | None,
    cursor: str | None,
) -> tuple[list[Call], str | None]:
    """Return a page of calls, newest first, and the cursor of the next page. Raises Invalid."""
    statement = readable.order_by(Call.opened_at.desc(), Call.id.desc()).limit(PAGE + 1)
    if since is not None:
        statement = statement.where(Call.opened_at >= since)
    if until is not None:
        statement = statement.where(Call.opened_at < until)
    if outcome is not None:
        statement = statement.where(Call.outcome == outcome)
    if line is not None and not line.isprintable():
        raise Invalid("Give the line by its number or its name.")
    if line is not None:
        statement = statement.where(
            Call.line_id.in_(select(Line.id).where((Line.number == line) | (Line.name == line)))
        )
    if cursor is not None:
        statement = statement.where(tuple_(Call.opened_at, Call.id) < _read_cursor(cursor))
    calls = list(await work.session.scalars(statement))
    more = len(calls) > PAGE
    calls = calls[:PAGE]
    return calls, _cursor(calls[-1]) if more else None


def _cursor(call: Call) -> str:
    return base64.urlsafe_b64encode(f"{call.opened_at.isoformat()} {call.id}".encode()).decode()


def _read_cursor(text: str) -> Any:
    try:
        at, _, call_id = base64.urlsafe_b64decode(text.encode()).decode().rpartition(" ")
        return tuple_(datetime.fromisoformat(at), UUID(call_id))
    except (ValueError, binascii.Error):
        raise Invalid("The cursor is not valid. Leave it out to start at the first page.") from None


async def readable_call(work: Work, readable: Select[Any], call_id: UUID) -> Call:
    """Return one call. Raises NotFound if there is none, or the reader may not see it."""
    call: Call | None = await work.session.scalar(readable.where(Call.id == call_id))
    if call is None:
        raise NotFound("Call not found, or you do not have access.")
    return call


async def events_of(work: Work, call: Call) -> list[RecordedEvent]:
    """Return the events of a call that the reader may see, in order."""
    return list(
        await work.session.scalars(
            select(RecordedEvent).where(RecordedEvent.call_id == call.id).order_by(RecordedEvent.id)
        )
    )


async def count_unreachable(work: Work) -> int:
    """Count the rings of the last 24 hours that came and went while we could not answer."""
    found: int | None = await work.session.scalar(
        select(func.count()).where(
            Call.outcome == Outcome.UNREACHABLE, Call.opened_at > work.now - timedelta(days=1)
        )
    )
    return found or 0


def messages_open_of(team: str | ColumnElement[str]) -> Select[VoiceMessage]:
    """Select at most 100 voice messages that a team is still to hear, oldest first."""
    return (
        select(VoiceMessage)
        .where(
            VoiceMessage.heard_at.is_(None),
            VoiceMessage.state != MessageState.ABSENT,
            messages.of_team(team),
        )
        .order_by(VoiceMessage.created_at)
        .limit(100)
    )


async def open_messages(work: Work, team: str) -> list[VoiceMessage]:
    """Return the voice messages that a team is still to hear, as `messages_open_of`."""
    return list(await work.session.scalars(messages_open_of(team)))
