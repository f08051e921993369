"""Wallboards: a screen in the room shows figures of now, without names, at a secret address.

The address is shown once; only its keyed hash is stored. The screen shows counts and the
states of the lines, and nothing about a single caller or counsellor.
"""

import secrets
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Select, func, select, update

from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import Unstaffed
from app.errors import Invalid, NotFound
from app.routing.models import Offer, Presence, PresenceState
from app.routing.rota import takers
from app.routing.rota.staffing import staffing
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.statistics.counting import today
from app.statistics.models import Wallboard
from app.work import Work

# All screens of a helpline share one reading for this time.
_BELIEVED = timedelta(seconds=2)
_LONGEST_NAME = 60


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


def address_of(work: Work, token: str) -> str:
    """Return the secret address of a wallboard."""
    return f"{work.settings.public_url.rstrip('/')}/wall/{token}"


async def make(work: Work, by: Staff, name: str) -> str:
    """Make a wallboard and return its secret, which is shown only now. Raises Invalid."""
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME:
        raise Invalid("Say in a few words where the screen hangs.")
    token = secrets.token_urlsafe(32)
    made = Wallboard(
        id=uuid4(),
        name=name,
        language=by.page_language,
        token_key=work.keys.session_key(token),
        made_at=work.now,
        made_by=by.id,
    )
    work.session.add(made)
    await work.session.flush()
    write_entry(work, AuditLog.WALLBOARD_MADE, str(made.id), before=None, after=_for_log(made))
    return token


def _for_log(row: Wallboard) -> dict[str, str]:
    return {"name": row.name, "language": row.language}


async def withdraw(work: Work, wallboard_id: UUID) -> None:
    """Withdraw the address of a wallboard: its screen goes dark. May run twice. Raises NotFound."""
    found = await work.session.get(Wallboard, wallboard_id)
    if found is None:
        raise NotFound("There is no such wallboard.")
    gone = await work.session.scalar(
        update(Wallboard)
        .where(Wallboard.id == wallboard_id, Wallboard.withdrawn_at.is_(None))
        .values(withdrawn_at=work.now)
        .returning(Wallboard.id)
    )
    if gone is not None:
        before = _for_log(found)
        write_entry(
            work, AuditLog.WALLBOARD_WITHDRAWN, str(wallboard_id), before=before, after=None
        )


async def in_use(work: Work) -> list[Wallboard]:
    """Return the wallboards whose address works, by name."""
    rows = await work.session.scalars(
        select(Wallboard).where(Wallboard.withdrawn_at.is_(None)).order_by(Wallboard.name)
    )
    return list(rows)


async def made_by(work: Work, staff: Staff) -> list[Wallboard]:
    """Return the wallboards that a person made and whose address works, by name."""
    return [one for one in await in_use(work) if one.made_by == staff.id]


async def find(work: Work, token: str) -> Wallboard:
    """Return the wallboard of a secret address. Raises NotFound, also if it was withdrawn."""
    found: Wallboard | None = await work.session.scalar(
        select(Wallboard).where(
            Wallboard.token_key == work.keys.session_key(token), Wallboard.withdrawn_at.is_(None)
        )
    )
    if found is None:
        raise NotFound("There is no such wallboard. Ask an administrator for a new address.")
    return found


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
