"""Open shifts: duty that a planner offers, and for which people sign up themselves.

The first who sign up have it. A sign-up is a stretch of duty like any other: it counts at once, and
the planner can move it or take it away.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls.lines import lines
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.routing.rota import changes, free, roster, stretches
from app.routing.rota.models import OpenShift, RotaChange, RotaChangeState
from app.routing.rota.shifts import Layer, Place
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

MOST_PLACES = 20


class NoPlaceLeft(Conflict):
    default = "All places of this shift are taken. Choose another one."


class NotOpen(Conflict):
    default = "This shift has begun or was withdrawn. Choose another one."


class SignedUpAlready(Conflict):
    default = "You have signed up for this shift already."


@dataclass(frozen=True)
class Offered:
    """An open shift, and who has signed up for it."""

    row: OpenShift
    taken_by: tuple[UUID, ...]

    @property
    def left(self) -> int:
        return max(self.row.places - len(self.taken_by), 0)


async def open_shift(
    work: Work,
    by: Staff | None,
    start: datetime,
    end: datetime,
    *,
    layer: Layer = Layer.PRIMARY,
    places: int = 1,
    language: str | None = None,
    note: str = "",
) -> OpenShift:
    """Offer duty for which people sign up. Raises Invalid, NotAllowed."""
    stretches.check_plans(by)
    changes.check_span(work, start, end)
    if start <= work.now:
        raise Invalid("The beginning is in the past. Choose a later one.")
    if not 1 <= places <= MOST_PLACES:
        raise Invalid("An open shift has 1 to %(most)s places.", most=MOST_PLACES)
    if language is not None:
        lines.check_language(language)
    row = OpenShift(
        id=uuid4(),
        from_at=start,
        until_at=end,
        layer=layer.value,
        places=places,
        language=language,
        note=changes.check_reason(note),
        made_by=work.actor.staff_id,
        made_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    write_entry(work, AuditLog.OPEN_SHIFT_MADE, str(row.id), before=None, after=_for_log(row))
    work.announce(Topic.ROSTER)
    return row


async def withdraw(work: Work, by: Staff | None, open_id: UUID) -> None:
    """Withdraw an open shift: no person signs up any more, and those signed up keep it.

    Raises NotAllowed, NotFound, NotOpen.
    """
    stretches.check_plans(by)
    row = await _locked(work, open_id)
    if row.withdrawn_at is not None or row.until_at <= work.now:
        raise NotOpen()
    before = _for_log(row)
    row.withdrawn_at = work.now
    after = _for_log(row)
    write_entry(work, AuditLog.OPEN_SHIFT_WITHDRAWN, str(row.id), before=before, after=after)
    work.announce(Topic.ROSTER)


async def sign_up(work: Work, staff: Staff, open_id: UUID) -> RotaChange:
    """Sign a person up for an open shift; the duty counts at once.

    Raises NotFound, NotOpen, NoPlaceLeft, SignedUpAlready, NotAllowed, OnDutyAlready, AbsentThen,
    Invalid.
    """
    await roster.lock_rota(work)
    row = await _locked(work, open_id)
    await changes.taker(work, staff.id)
    if row.withdrawn_at is not None or row.from_at <= work.now:
        raise NotOpen()
    taken = (await _taken(work, [row.id]))[row.id]
    if staff.id in taken:
        raise SignedUpAlready()
    if len(taken) >= row.places:
        raise NoPlaceLeft()
    if row.language is not None and staff.languages and row.language not in staff.languages:
        raise NotAllowed("This shift is for people who speak another language. Choose another one.")
    place = Place(staff.id, row.from_at, row.until_at, Layer(row.layer))
    await free.check_free(work, await roster.rota_now(work), staff, place)
    change = changes.new_extra(work, place)
    change.open_shift_id = row.id
    return await changes.add_row(work, change)


async def sign_off(work: Work, staff: Staff, open_id: UUID) -> None:
    """Take a person's sign-up back, before the shift begins. Raises NotFound, NotOpen."""
    await roster.lock_rota(work)
    row = await _locked(work, open_id)
    change = await work.session.scalar(
        select(RotaChange)
        .where(
            RotaChange.open_shift_id == row.id,
            RotaChange.counsellor_id == staff.id,
            RotaChange.state == RotaChangeState.IN_FORCE,
        )
        .with_for_update()
    )
    if change is None:
        raise NotFound("You have not signed up for this shift.")
    if row.from_at <= work.now:
        raise NotOpen("The shift has begun. Talk with the person who plans the rota.")
    changes.settle(work, change, RotaChangeState.WITHDRAWN, AuditLog.ROTA_CHANGE_WITHDRAWN)


async def offered_between(work: Work, since: datetime, until: datetime) -> list[Offered]:
    """Return the open shifts that touch a window and were not withdrawn, by their beginning."""
    rows = list(
        await work.session.scalars(
            select(OpenShift)
            .where(
                OpenShift.withdrawn_at.is_(None),
                OpenShift.from_at < until,
                OpenShift.until_at > since,
            )
            .order_by(OpenShift.from_at, OpenShift.id)
        )
    )
    taken = await _taken(work, [row.id for row in rows])
    return [Offered(row, tuple(taken[row.id])) for row in rows]


async def _taken(work: Work, open_ids: list[UUID]) -> dict[UUID, list[UUID]]:
    taken: dict[UUID, list[UUID]] = defaultdict(list)
    rows = await work.session.execute(
        select(RotaChange.open_shift_id, RotaChange.counsellor_id)
        .where(RotaChange.open_shift_id.in_(open_ids), RotaChange.state == RotaChangeState.IN_FORCE)
        .order_by(RotaChange.made_at, RotaChange.id)
    )
    for open_id, staff_id in rows:
        if open_id is not None:
            taken[open_id].append(staff_id)
    return taken


async def _locked(work: Work, open_id: UUID) -> OpenShift:
    row = await work.session.get(OpenShift, open_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such open shift.")
    return row


def _for_log(row: OpenShift) -> dict[str, Any]:
    return {
        "from_at": row.from_at.isoformat(),
        "until_at": row.until_at.isoformat(),
        "layer": row.layer,
        "places": row.places,
        "language": row.language,
        "withdrawn_at": row.withdrawn_at.isoformat() if row.withdrawn_at else None,
    }
