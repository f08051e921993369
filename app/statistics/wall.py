"""What a wallboard shows: counts and the states of the lines, and nothing about a single caller or
counsellor. Its address is in `app/people/wallboards.py`.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select

from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import Unstaffed
from app.routing.models import Offer, Presence, PresenceState
from app.routing.rota import takers
from app.routing.rota.staffing import staffing
from app.staff.models import Staff
from app.statistics.counting import today
from app.work import Work

# All screens of a helpline share one reading for this time.
_BELIEVED = timedelta(seconds=2)


class WallLine(NamedTuple):
    """A line, and the languages in which no counsellor can take a caller now, each with why."""

    name: str
    languages: int
    unstaffed: list[tuple[str, Unstaffed]]

    @property
    def state(self) -> str:
        """Return `open`, `partly`, `closed`, or `no_counsellor`."""
        if not self.unstaffed:
            return "open"
        if len(self.unstaffed) < self.languages:
            return "partly"
        alone = any(why is Unstaffed.NO_COUNSELLOR_ON_DUTY for _, why in self.unstaffed)
        return "no_counsellor" if alone else "closed"


class Wall(NamedTuple):
    """What a wallboard shows: counts and lines."""

    today: today.Today
    available: int
    talking: int
    away: int
    lines: list[WallLine]


async def look(work: Work) -> Wall:
    """Return the figures of now. Only `find` leads here, and no name of a person leaves here."""
    known: Wall | None = work.ground.memory.recall("wall", "now", work.now)
    if known is not None:
        return known
    states = await _states(work)
    found = Wall(
        await today.so_far(work),
        states.get(PresenceState.AVAILABLE, 0),
        states.get(PresenceState.OFFERED, 0)
        + states.get(PresenceState.ON_CALL, 0)
        + states.get(PresenceState.WRITING, 0)
        + states.get(PresenceState.WRAP_UP, 0),
        states.get(PresenceState.BREAK, 0) + states.get(PresenceState.AWAY, 0),
        await _lines(work),
    )
    work.ground.memory.keep("wall", "now", found, work.now + _BELIEVED)
    return found


async def _states(work: Work) -> dict[PresenceState, int]:
    rows = await work.session.execute(
        select(Presence.state, func.count())
        .join(Staff, Staff.id == Presence.counsellor_id)
        .where(Staff.active, Staff.role.in_(takers.TAKERS), Staff.id.not_in(_practising()))
        .group_by(Presence.state)
    )
    return {PresenceState(state): number for state, number in rows}


def _practising() -> Select[Any]:
    """Return a query for the people who hold a practice call: they are in no figure."""
    return (
        select(Offer.counsellor_id)
        .join(Call, Call.id == Offer.call_id)
        .join(Line, Line.id == Call.line_id)
        .where(Offer.released_at.is_(None), Line.practice)
    )


async def _lines(work: Work) -> list[WallLine]:
    rows = await work.session.execute(
        select(Line.id, Line.name)
        .where(Line.active, Line.practice.is_(False))
        .order_by(Line.name, Line.id)
    )
    found = []
    for line_id, name in rows.all():
        line = await finding_lines.line_of_id(work, line_id)
        if line is None:
            continue
        unstaffed = []
        for language in line.languages:
            why = (await staffing(work, line, language.language, danger=False)).unstaffed
            if why is not None:
                unstaffed.append((language.language, why))
        found.append(WallLine(name, len(line.languages), unstaffed))
    return found
