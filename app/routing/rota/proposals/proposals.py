"""A proposed rota: asked for, stored, accepted or discarded, whole or by person and day.

Nothing of a proposal is in force. What is accepted becomes duty like any other, by the verb that
adds duty, and is checked again: the rota may have changed meanwhile.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound, Refusal
from app.jobs.names import Task
from app.routing.rota import changes, roster, stretches
from app.routing.rota.copying import LeftOut, monday_of
from app.routing.rota.planning_rows import DutyState, ProposalState, ProposedDuty, RotaProposal
from app.routing.rota.proposals.limits import read_limits
from app.routing.rota.proposals.problem import Bar, Problem
from app.routing.rota.proposals.shortfalls import Shortfall
from app.routing.rota.proposals.solving import Solution
from app.routing.rota.shifts import Place, first_instant
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

MOST_WEEKS = 4
_WEEK = timedelta(days=7)
_FURTHEST = timedelta(days=366)


class ProposalOpen(Conflict):
    default = "There is a proposed rota that is not decided. Accept or discard it first."


class ProposalDecided(Conflict):
    default = "This is not proposed any more. Look at the proposal as it is now."


class ProposalNotReady(Conflict):
    default = "The rota is still being worked out. Wait until it is ready, or discard it."


@dataclass(frozen=True)
class Accepted:
    """How many stretches are duty now, and what could not be, with the reason."""

    made: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Choice:
    """Which part of a proposal is meant: of one person, of one day, one stretch, or all."""

    staff_id: UUID | None = None
    day: date | None = None
    duty_id: UUID | None = None


ALL = Choice()


async def propose(
    work: Work, by: Staff | None, first: date | None = None, weeks: int = 1
) -> RotaProposal:
    """Ask for a rota of one to four weeks, from the week of a day on (default: the next week).

    A job works it out. Raises Invalid, NotAllowed, ProposalOpen.
    """
    stretches.check_plans(by)
    if not 1 <= weeks <= MOST_WEEKS:
        raise Invalid("A rota is proposed for 1 to %(most)s weeks.", most=MOST_WEEKS)
    zone = await roster.home_zone(work)
    today = work.now.astimezone(zone).date()
    first = monday_of(first if first is not None else today + _WEEK)
    if _midnight(first + weeks * _WEEK, zone) <= work.now:
        raise Invalid("That week is over: the rota of the past is not changed.")
    if first - today > _FURTHEST:
        raise Invalid("A rota is proposed for weeks within a year. Choose an earlier one.")
    await roster.lock_rota(work)
    known = await open_proposal(work)
    if known is not None:
        raise ProposalOpen()
    row = RotaProposal(
        id=uuid4(),
        first_on=first,
        weeks=weeks,
        state=ProposalState.ASKED,
        made_by=work.actor.staff_id,
        made_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    after = {"first_on": first.isoformat(), "weeks": weeks}
    write_entry(work, AuditLog.PROPOSAL_ASKED, str(row.id), before=None, after=after)
    work.defer(Task.PROPOSE_ROTA, proposal_id=str(row.id))
    work.announce(Topic.ROSTER)
    return row


async def open_proposal(work: Work) -> RotaProposal | None:
    """Return the proposal that is asked for or not decided. One whose weeks are over is decided."""
    zone = await roster.home_zone(work)
    row = await work.session.scalar(
        select(RotaProposal).where(
            RotaProposal.state.in_((ProposalState.ASKED, ProposalState.READY))
        )
    )
    if row is not None and _midnight(row.first_on + row.weeks * _WEEK, zone) <= work.now:
        row.state, row.decided_at = ProposalState.DECIDED, work.now
        await work.session.flush()
        return None
    return row


async def latest(work: Work) -> RotaProposal | None:
    """Return the proposal that is open, or else the one that was asked for last."""
    return await open_proposal(work) or await work.session.scalar(
        select(RotaProposal).order_by(RotaProposal.made_at.desc(), RotaProposal.id).limit(1)
    )


async def find(work: Work, proposal_id: UUID) -> RotaProposal:
    """Return a proposal. Raises NotFound."""
    row = await work.session.get(RotaProposal, proposal_id)
    if row is None:
        raise NotFound("There is no such proposal.")
    return row


async def duties_of(work: Work, proposal: RotaProposal) -> list[ProposedDuty]:
    """Return the stretches of a proposal, whatever became of them, by their beginning."""
    rows = await work.session.scalars(
        select(ProposedDuty)
        .join(Staff, Staff.id == ProposedDuty.counsellor_id)
        .where(ProposedDuty.proposal_id == proposal.id)
        .order_by(ProposedDuty.from_at, Staff.name, ProposedDuty.id)
    )
    return list(rows)


async def keep(
    work: Work, proposal_id: UUID, problem: Problem, solution: Solution, left: Iterable[Shortfall]
) -> None:
    """Store what was worked out. A proposal that was discarded meanwhile stays so."""
    row = await _locked(work, proposal_id)
    if row.state != ProposalState.ASKED:
        return
    for one in solution.stretches:
        work.session.add(
            ProposedDuty(
                id=uuid4(),
                proposal_id=row.id,
                counsellor_id=one.person.id,
                from_at=one.span[0],
                until_at=one.span[1],
                state=DutyState.PROPOSED,
            )
        )
    row.uncovered = [_as_stored(problem, one) for one in left]
    row.stopped = solution.stopped
    row.state = ProposalState.READY if solution.stretches else ProposalState.DECIDED
    await work.session.flush()
    work.announce(Topic.ROSTER)


def _as_stored(problem: Problem, one: Shortfall) -> dict[str, Any]:
    want = problem.wants[one.want] if one.want is not None else None
    return {
        "from_at": one.span[0].isoformat(),
        "until_at": one.span[1].isoformat(),
        "short": one.short,
        "writing": one.writing,
        "line_id": str(want.line_id) if want else None,
        "line": want.line if want else None,
        "language": want.language if want else None,
        "why": [[str(who), bar.value] for who, bar in one.why],
    }


@dataclass(frozen=True)
class Uncovered:
    """Hours that a proposal leaves uncovered, and what kept each person from them."""

    begins: datetime
    ends: datetime
    short: int
    line: str | None
    language: str | None
    why: tuple[tuple[UUID, Bar], ...]
    # Those who can write are too few.
    writing: bool = False


def uncovered_of(row: RotaProposal) -> list[Uncovered]:
    """Return what a proposal could not cover."""
    return [
        Uncovered(
            datetime.fromisoformat(one["from_at"]),
            datetime.fromisoformat(one["until_at"]),
            one["short"],
            one["line"],
            one["language"],
            tuple((UUID(who), Bar(bar)) for who, bar in one["why"]),
            one.get("writing", False),
        )
        for one in row.uncovered
    ]


async def fail(work: Work, proposal_id: UUID) -> None:
    """Note that a proposal could not be worked out."""
    row = await _locked(work, proposal_id)
    if row.state == ProposalState.ASKED:
        row.state, row.decided_at = ProposalState.FAILED, work.now
        work.announce(Topic.ROSTER)


async def accept(work: Work, by: Staff | None, proposal_id: UUID, choice: Choice = ALL) -> Accepted:
    """Make duty of a proposal, or of a part of it. What cannot be duty any more stays proposed.

    Raises NotAllowed, NotFound, ProposalDecided, ProposalNotReady.
    """
    stretches.check_plans(by)
    await roster.lock_rota(work)
    row, chosen = await _chosen(work, proposal_id, choice)
    found = await roster.rota_now(work)
    takers = {staff.id: staff for staff in await changes.people_of_rota(work)}
    limits = await read_limits(work)
    made, left_out = 0, list[LeftOut]()
    for duty in chosen:
        place = Place(duty.counsellor_id, duty.from_at, duty.until_at)
        try:
            staff = takers.get(place.counsellor_id)
            if staff is None:
                raise NotFound("This person was not found, or does not take calls.")
            if place.start <= work.now:
                raise Invalid("The beginning is in the past. Choose a later one.")
            limits.check(found, staff, place)
            _, found = await stretches.put(work, found, staff, place)
        except Refusal as refusal:
            left_out.append(LeftOut(place, refusal.message))
            continue
        duty.state = DutyState.ACCEPTED
        made += 1
    await _end_if_decided(work, row)
    write_entry(
        work,
        AuditLog.PROPOSAL_ACCEPTED,
        str(row.id),
        made=made,
        left_out=len(left_out),
        **_for_log(choice),
    )
    return Accepted(made, tuple(left_out))


async def discard(work: Work, by: Staff | None, proposal_id: UUID, choice: Choice = ALL) -> int:
    """Discard a proposal, or a part of it. Return how many stretches it was.

    Raises NotAllowed, NotFound, ProposalDecided, ProposalNotReady.
    """
    stretches.check_plans(by)
    await roster.lock_rota(work)
    row = await _locked(work, proposal_id)
    if row.state == ProposalState.ASKED and choice == ALL:
        chosen, before = list[ProposedDuty](), row.state
        row.state, row.decided_at = ProposalState.DECIDED, work.now
    else:
        row, chosen = await _chosen(work, proposal_id, choice)
        before = DutyState.PROPOSED.value
    for duty in chosen:
        duty.state = DutyState.DISCARDED
    await _end_if_decided(work, row)
    write_entry(
        work,
        AuditLog.PROPOSAL_DISCARDED,
        str(row.id),
        before=before,
        after=DutyState.DISCARDED.value,
        number=len(chosen),
        **_for_log(choice),
    )
    work.announce(Topic.ROSTER)
    return len(chosen)


def _for_log(choice: Choice) -> dict[str, str | None]:
    return {
        "counsellor": str(choice.staff_id) if choice.staff_id else None,
        "day": choice.day.isoformat() if choice.day else None,
        "duty": str(choice.duty_id) if choice.duty_id else None,
    }


async def _locked(work: Work, proposal_id: UUID) -> RotaProposal:
    row = await work.session.get(
        RotaProposal, proposal_id, with_for_update=True, populate_existing=True
    )
    if row is None:
        raise NotFound("There is no such proposal.")
    return row


async def _chosen(
    work: Work, proposal_id: UUID, choice: Choice
) -> tuple[RotaProposal, list[ProposedDuty]]:
    """Return a proposal and its stretches that are chosen and not decided. Raises
    ProposalDecided, ProposalNotReady."""
    row, zone = await _locked(work, proposal_id), await roster.home_zone(work)
    if row.state == ProposalState.ASKED:
        raise ProposalNotReady()
    chosen = [
        duty
        for duty in await duties_of(work, row)
        if duty.state == DutyState.PROPOSED
        and choice.staff_id in (None, duty.counsellor_id)
        and choice.day in (None, duty.from_at.astimezone(zone).date())
        and choice.duty_id in (None, duty.id)
    ]
    if row.state != ProposalState.READY or not chosen:
        raise ProposalDecided()
    return row, chosen


async def _end_if_decided(work: Work, row: RotaProposal) -> None:
    await work.session.flush()
    left = await work.session.scalar(
        select(ProposedDuty.id)
        .where(ProposedDuty.proposal_id == row.id, ProposedDuty.state == DutyState.PROPOSED)
        .limit(1)
    )
    if left is None and row.state != ProposalState.DECIDED:
        row.state, row.decided_at = ProposalState.DECIDED, work.now
        await work.session.flush()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return first_instant(datetime.combine(day, time()), zone)
