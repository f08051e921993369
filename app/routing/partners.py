"""A line's callers are rung through to a new number only when a second person has approved it.

Until then the partner from before is rung. Otherwise a person who keeps the lines could have
children rung through to a phone of their own. A number that is taken out is gone at once.
"""

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls.lines import finding_lines, lines, partner_doubts
from app.calls.lines.leading import Leads, tell_supervisors
from app.calls.lines.line_rows import Line, PartnerRequest
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.privacy import ends
from app.routing.plan import Plan, check_plan, read_plan
from app.staff import accounts, former_addresses
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import PartnerAsked
from app.staff.models import Staff
from app.staff.second_person import Asker, ChangeState, SecondPerson, could_be_approved, second
from app.words.pages import N_
from app.work import ActorKind, Work


class NothingWaits(NotFound):
    default = "This number has already been decided about, or withdrawn."


class OfALeaver(Conflict):
    default = (
        "This is the phone of a person who has left. It can be the partner once a colleague "
        "has proven it as their own."
    )


class PerhapsOfALeaver(Conflict):
    default = (
        "A person who has left had entered this phone as their own, and never proved it. "
        "Approve it only if the partner answers there."
    )


# The same for a reader who cannot approve it.
PERHAPS = N_("A person who has left had entered this phone as their own, and never proved it.")


class NotInDoubt(Conflict):
    default = "This number is not in doubt, or not that of the partner any more."


class AnotherWaits(Conflict):
    default = "Another number of the partner waits for a second person. Withdraw that first."


@dataclass(frozen=True)
class WaitingNumber:
    """A number that waits, for the page and for programs."""

    row: PartnerRequest
    line: str
    # The name of who asked.
    asked_by: str
    # Whether the reader may approve.
    may_approve: bool
    # Whether a person who has left had entered it as a second phone that was never proven.
    perhaps_of_leaver: bool
    # Whether it is that of the partner now, in doubt, and the reader may approve: it is taken out
    # if they refuse it.
    is_taken_out: bool


async def hold_back(
    work: Work, line: LineScript, before: str | None, after: str | None, *, again: bool = False
) -> bool:
    """Return whether a line's new number of its partner waits for a second person.

    The line must be locked. On the server's own command line, for the program itself, and while no
    account of the helpline could be a second person, it does not wait. `again`: a number in doubt
    is to be confirmed. Raises OfALeaver.
    """
    is_asked = after is not None and (after != before or again)
    waits = is_asked and work.actor.kind is ActorKind.PERSON and await could_be_approved(work)
    if after is not None and is_asked and not waits:
        await _check_of_no_leaver(work, after)
    earlier = await _waiting_of(work, line.id)
    if earlier is not None:
        is_same = earlier.number == after
        if is_same and not is_asked:
            # It is sent as it is, while a second person is asked to confirm it: that is for them.
            return False
        if is_same and waits:
            return True
        state = ChangeState.IN_FORCE if is_same else ChangeState.REPLACED
        earlier.state, earlier.decided_at = state.value, work.now
        await work.session.flush()
        work.announce(Topic.STAFF)
    if after is None or not waits:
        return False
    row = PartnerRequest(
        id=uuid4(),
        line_id=line.id,
        number=after,
        before=before,
        state=ChangeState.WAITS.value,
        asked_by=work.actor.staff_id,
        asked_role=work.actor.role or "",
        asked_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.PARTNER_ASKED,
        str(line.id),
        before=_logged(before),
        after=_logged(after),
        **PartnerAsked(str(row.id)).kept(),
    )
    work.announce(Topic.STAFF)
    return True


async def confirm(work: Work, line: LineScript, row: Line, seen: str) -> None:
    """Confirm the number of the partner of a locked line, though a person who has left had entered
    it as their own, or have a second person confirm it. `seen`: the number that was looked at.

    Raises NotInDoubt, AnotherWaits, OfALeaver.
    """
    now = read_plan(row.plan).partner_number
    if seen != now or not await partner_doubts.is_in_doubt(work, row):
        raise NotInDoubt()
    waits = await _waiting_of(work, line.id)
    if waits is not None and waits.number != now:
        raise AnotherWaits()
    if await hold_back(work, line, now, now, again=True):
        return
    number = _logged(now)
    await partner_doubts.end(work, row)
    by = str(work.actor.staff_id or work.actor.role or "")
    write_entry(
        work,
        AuditLog.PARTNER_APPROVED,
        str(row.id),
        before=number,
        after=number,
        asked_by=by,
        perhaps_of_leaver=True,
    )


async def _check_of_no_leaver(work: Work, number: str) -> None:
    """Refuse the phone of a person who has left. The line is locked: one who leaves at the same
    time has left by now, or finds the number. Raises OfALeaver."""
    if await former_addresses.of_leavers(work, [number]):
        raise OfALeaver()


async def is_of_leaver(work: Work, plan: Plan) -> bool:
    """Return whether the partner of a plan has the phone of a person who has left."""
    number = plan.partner_number
    return number is not None and bool(await former_addresses.of_leavers(work, [number]))


def _logged(number: str | None) -> dict[str, str]:
    return {"partner_number": ends.of_number(number) if number else ""}


async def _waiting_of(work: Work, line_id: UUID) -> PartnerRequest | None:
    return await work.session.scalar(
        select(PartnerRequest)
        .where(PartnerRequest.line_id == line_id, PartnerRequest.state == ChangeState.WAITS.value)
        .with_for_update()
    )


async def waiting(work: Work, staff: Staff | None, of: UUID | None = None) -> list[WaitingNumber]:
    """Return the numbers that wait, the oldest first, or that of one line. Without a reader: the
    command line."""
    statement = (
        select(PartnerRequest, Line.name, Line.plan["partner_number"].astext)
        .join(Line, Line.id == PartnerRequest.line_id)
        .where(PartnerRequest.state == ChangeState.WAITS.value)
        .order_by(PartnerRequest.asked_at, Line.name)
    )
    if of is not None:
        statement = statement.where(PartnerRequest.line_id == of)
    rows = (await work.session.execute(statement)).all()
    if not rows:
        return []
    names = await accounts.names_of(work, {row.asked_by for row, *_ in rows if row.asked_by})
    reader = await second(work, staff) if staff is not None else None
    perhaps = await _perhaps_of_leavers(work, {row.number for row, *_ in rows})
    found = []
    for row, line, now in rows:
        asked_by = names.get(row.asked_by, "") if row.asked_by else ""
        may_approve = reader is None or reader.may_decide(_asked(row))
        is_out = may_approve and row.number == now
        found.append(WaitingNumber(row, line, asked_by, may_approve, row.number in perhaps, is_out))
    return found


async def _perhaps_of_leavers(work: Work, numbers: set[str]) -> set[str]:
    return set().union(*(await former_addresses.perhaps_of_leavers(work, numbers)).values())


async def is_rung(work: Work, request_id: UUID) -> bool:
    """Return whether callers are connected with a number that waits: it is in doubt."""
    found = await work.session.scalar(
        select(PartnerRequest.number == Line.plan["partner_number"].astext)
        .join(Line, Line.id == PartnerRequest.line_id)
        .where(PartnerRequest.id == request_id, PartnerRequest.state == ChangeState.WAITS.value)
    )
    return bool(found)


def _asked(row: PartnerRequest) -> Asker:
    return Asker(row.asked_by, row.asked_role, row.asked_at)


async def decide(
    work: Work,
    request_id: UUID,
    *,
    by: Staff | None,
    approve: bool,
    knowingly: bool = False,
    withdrawn: bool = False,
) -> bool:
    """Let a new number be rung, or refuse it. `by` is None for the operator. `knowingly`: although
    it is perhaps the phone of a person who has left.

    One in doubt is taken out of the plan if a person refuses it who could approve it, or the
    operator does. By any other person the question is only given up, as if `withdrawn`: the number
    stays, in doubt. Return whether it is taken out.

    Raises NothingWaits, SecondPerson, OfALeaver, PerhapsOfALeaver.
    """
    line_row, row = await _locked(work, request_id)
    may_approve = by is None or (await second(work, by)).may_decide(_asked(row))
    if approve and not may_approve:
        raise SecondPerson()
    # Asked for before they left, perhaps.
    if approve:
        await _check_of_no_leaver(work, row.number)
    perhaps = approve and bool(await _perhaps_of_leavers(work, {row.number}))
    if perhaps and not knowingly:
        raise PerhapsOfALeaver()
    plan = read_plan(line_row.plan)
    row.state = (ChangeState.IN_FORCE if approve else ChangeState.REFUSED).value
    row.decided_by, row.decided_at = by.id if by is not None else None, work.now
    await work.session.flush()
    is_rung = row.number == plan.partner_number
    is_out = is_rung and may_approve and not approve and not withdrawn
    # Refused: what was asked for is given up for what stays.
    now, asked = _logged(None if is_out else plan.partner_number), _logged(row.number)
    before, after = (now, asked) if approve else (asked, now)
    kind = AuditLog.PARTNER_APPROVED if approve else AuditLog.PARTNER_REFUSED
    asker = str(row.asked_by or row.asked_role)
    known = {"perhaps_of_leaver": True} if perhaps else {}
    write_entry(work, kind, str(row.line_id), before=before, after=after, asked_by=asker, **known)
    if approve:
        _row, line = await finding_lines.read_line(work, row.line_id)
        await lines.set_plan(work, line, check_plan(replace(plan, partner_number=row.number)))
        await partner_doubts.end(work, line_row)
    elif is_out:
        await _take_out(work, line_row, plan)
    work.announce(Topic.STAFF)
    return is_out


async def _locked(work: Work, request_id: UUID) -> tuple[Line, PartnerRequest]:
    """Return a line and its request that waits, locked. Raises NothingWaits."""
    line_id = await work.session.scalar(
        select(PartnerRequest.line_id).where(PartnerRequest.id == request_id)
    )
    if line_id is None:
        raise NothingWaits()
    # In the order of those who ask: first the line, then its request.
    line_row = await lines.lock_line(work, line_id)
    row = await work.session.get_one(
        PartnerRequest, request_id, with_for_update=True, populate_existing=True
    )
    if row.state != ChangeState.WAITS:
        raise NothingWaits()
    return line_row, row


async def _take_out(work: Work, row: Line, plan: Plan) -> None:
    """Take the number of the partner out of the plan of a locked line: the next caller is not
    connected with it. Supervisors and administrators are told, and the line says so until it has
    another one, or none is wanted."""
    line = await finding_lines.line_of_id(work, row.id)
    if line is not None:
        await lines.set_plan(work, line, check_plan(replace(plan, partner_number=None)))
        row.partner_lost_at = work.now
        await work.session.flush()
        await tell_supervisors(work, row.id, Leads.PARTNER_REFUSED, administrators=True)
