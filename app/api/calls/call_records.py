"""The JSON interface of the call records."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import Select, select

from app.api.views import CallPage, CallView, EventView, call_view, event_view
from app.calls import queries
from app.calls.lines.line_rows import Line
from app.calls.states import Outcome
from app.errors import Invalid
from app.routing import in_hand
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.web.access import InWork, SignedIn
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["calls"], route_class=StrictRoute)


def readable_by(staff: Staff) -> Select[Any]:
    """Return the statement for the call records that this person may read."""
    return queries.readable_calls(staff, in_hand.own_calls(staff))


async def _line_names(work: Work) -> dict[UUID | None, str]:
    return dict((await work.session.execute(select(Line.id, Line.name))).all())


@router.get("/calls")
async def list_calls(
    work: InWork,
    staff: SignedIn,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    outcome: str | None = None,
    line: str | None = None,
    cursor: str | None = None,
) -> CallPage:
    """List call records, newest first, from `from` until before `to`."""
    if outcome is not None and outcome not in set(Outcome):
        raise Invalid(
            "There is no such outcome. Choose one of: %(outcomes)s.", outcomes=list(Outcome)
        )
    for at in (since, until):
        if at is not None and at.tzinfo is None:
            raise Invalid("Give times with their zone, for example 2026-11-24T08:00:00+01:00.")
    calls, following = await queries.list_calls(
        work,
        readable_by(staff),
        since=since,
        until=until,
        outcome=outcome,
        line=line,
        cursor=cursor,
    )
    names = await _line_names(work)
    return CallPage(
        calls=[call_view(call, names.get(call.line_id)) for call in calls], next_cursor=following
    )


@router.get("/calls/{call_id}")
async def get_call(work: InWork, staff: SignedIn, call_id: UUID) -> CallView:
    """Return one call record. The reading is logged."""
    call = await queries.readable_call(work, readable_by(staff), call_id)
    write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    return call_view(call, (await _line_names(work)).get(call.line_id))


@router.get("/calls/{call_id}/events")
async def get_events(work: InWork, staff: SignedIn, call_id: UUID) -> list[EventView]:
    """Return the log of a call. The reading is logged."""
    call = await queries.readable_call(work, readable_by(staff), call_id)
    write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    return [event_view(one, one.detail) for one in await queries.events_of(work, call)]
