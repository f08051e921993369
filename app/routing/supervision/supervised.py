"""Talks as supervisors see them: those of their team, and those that call for help."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    literal,
    or_,
    select,
)

from app.calls.lines.line_rows import Line
from app.calls.log_kinds import CallLog, stored_kinds
from app.calls.models import Call, RecordedEvent
from app.calls.states import CallState
from app.database.quick import is_one_of
from app.errors import NotFound
from app.routing.models import Offer, OfferState
from app.staff import accounts
from app.staff.models import Staff
from app.work import Work


class Talk(NamedTuple):
    """A live talk, as supervisors see it."""

    call: Call
    line: str
    counsellor: str
    training: bool
    since: datetime | None
    # The counsellor called for help, and no supervisor has taken it yet; then the name of the
    # supervisor who has.
    calls_for_help: bool
    practice: bool
    taken_by: str = ""
    # The team of the counsellor, and the supervisor who took the call for help.
    team: str = ""
    taker: UUID | None = None

    def is_seen_by(self, by: Staff) -> bool:
        """Return whether a supervisor sees this talk: the same rule as `supervised_by`."""
        return self.team == by.team or self.calls_for_help or self.taker == by.id

    @property
    def written(self) -> bool:
        """Whether supervisors can read along, and cannot listen."""
        return self.call.is_written


_OPEN = stored_kinds(CallLog.CALL_FOR_HELP)
# What the log of a call says last about a call for help.
_CALLS_FOR_HELP = is_one_of(
    RecordedEvent.kind, stored_kinds(CallLog.CALL_FOR_HELP, CallLog.CALL_FOR_HELP_TAKEN)
)


_LAST = (
    select(RecordedEvent.kind)
    .where(RecordedEvent.call_id == Call.id, _CALLS_FOR_HELP)
    .order_by(RecordedEvent.id.desc())
    .limit(1)
    .correlate(Call)
)


_LAST_CALL_FOR_HELP = _LAST.scalar_subquery()


TAKEN_BY = _LAST.with_only_columns(
    RecordedEvent.detail["taken_by"].astext, maintain_column_froms=True
).scalar_subquery()


def open_call_for_help() -> ColumnElement[bool]:
    """Return the condition for calls in which a call for help has not been taken."""
    return any_(literal(_OPEN, ARRAY(Text))) == _LAST_CALL_FOR_HELP


async def has_open_call_for_help(work: Work, call_id: UUID) -> bool:
    """Return whether a call for help in this call has not been taken."""
    found = select(Call.id).where(Call.id == call_id, open_call_for_help())
    return await work.session.scalar(found) is not None


async def help_taken_by(work: Work, call_id: UUID) -> UUID | None:
    """Return the supervisor who took the last call for help in this call, if any."""
    found = await work.session.scalar(select(TAKEN_BY).where(Call.id == call_id))
    return UUID(found) if found else None


def _talks(*which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            Call, Line.name, Staff, Offer.connected_at, Line.practice, _LAST_CALL_FOR_HELP, TAKEN_BY
        )
        .join(Offer, Offer.call_id == Call.id)
        .join(Staff, Staff.id == Offer.counsellor_id)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(
            Call.state == CallState.CONNECTED,
            Offer.released_at.is_(None),
            Offer.state == OfferState.CONNECTED,
            *which,
        )
        .order_by(Offer.connected_at)
    )


async def live_talks(work: Work, by: Staff) -> list[Talk]:
    """Return the live talks of a supervisor's team, and all whose counsellor calls for help.

    A call for help that the supervisor has taken stays. Calls for help come first, then the
    longest talks.
    """
    talks = await _read_talks(work, _talks(supervised_by(by)))
    return sorted(talks, key=lambda talk: not talk.calls_for_help)


# Built once: they are read with nearly every change of a call.
OPEN_CALLS_FOR_HELP = _talks(open_call_for_help())
_AROUND = _talks(
    or_(
        Staff.team == bindparam("team", type_=Text()),
        open_call_for_help(),
        TAKEN_BY.is_not(None),
    )
)


async def talks_around(work: Work, team: str) -> list[Talk]:
    """Return the live talks that any supervisor of a team may see, in the order of `live_talks`.

    They are read once for all of them: what one supervisor sees is `Talk.is_seen_by`.
    """
    talks = await _read_talks(work, _AROUND, team=team)
    return sorted(talks, key=lambda talk: not talk.calls_for_help)


async def open_calls_for_help(work: Work) -> list[Talk]:
    """Return the talks of all teams in which a call for help has not been taken."""
    return await _read_talks(work, OPEN_CALLS_FOR_HELP)


async def _read_talks(work: Work, statement: Select[Any], **values: Any) -> list[Talk]:
    rows = (await work.session.execute(statement, values)).all()
    names = await accounts.names_of(work, {UUID(row[6]) for row in rows if row[6]})
    return [
        Talk(
            call,
            line or "",
            counsellor.name,
            counsellor.training,
            since,
            last in _OPEN,
            bool(practice),
            names.get(UUID(taken_by), "") if taken_by else "",
            counsellor.team,
            UUID(taken_by) if taken_by else None,
        )
        for call, line, counsellor, since, practice, last, taken_by in rows
    ]


def supervised_by(by: Staff) -> ColumnElement[bool]:
    """Return the condition for the talks of a team, and the calls for help, open or taken by them.

    A supervisor of another team who has taken a call for help can still come into the talk.
    """
    return or_(
        Staff.team == by.team, open_call_for_help(), TAKEN_BY.is_not_distinct_from(str(by.id))
    )


async def check_supervises(work: Work, by: Staff, call_id: UUID) -> None:
    """Check that a supervisor may act on a live talk. Raises NotFound."""
    which = (Call.id == call_id, supervised_by(by))
    if (await work.session.execute(_talks(*which))).first() is None:
        raise NotFound("Not found, or not a talk of your team.")
