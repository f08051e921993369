"""Requests that a second person decides: moving a case on where the workflow requires approval,
and handing it over to a colleague or to another team.

Until the request is decided, the case keeps its status and its owner. The deciders see the request
on the desk and are told by mail; after a day the supervisors of the team are told, too.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import ColumnElement, and_, false, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.contacts.cases.cases import apply_move, check_move
from app.contacts.cases.models import CaseRequest
from app.contacts.cases.people import colleague_of, hand_over
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, RecordEvent
from app.contacts.records import Opened
from app.contacts.registry import workflow_of
from app.contacts.scopes import lock_writable, reads_case
from app.contacts.states import RequestTo, Subject
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.staff import receiving
from app.staff.accounts import names_of
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.staff.second_person import is_person
from app.words.pages import _, spoken_in
from app.work import Work

# The time after which the supervisors of the team are told that a request is undecided.
ESCALATES = timedelta(days=1)
_DECIDERS = frozenset(role for role in Role if Permission.WRITE_CASES in PERMISSIONS[role])


@dataclass(frozen=True)
class WaitingCaseRequest:
    """An open request, with what a list shows about it."""

    request: CaseRequest
    case: Case
    asked_by: str
    to: str
    reason: str
    # Whether the reader can decide it, and whether the reader asked for it.
    decides: bool
    asked: bool


# -- asking ------------------------------------------------------------------------------------


async def move_or_ask(
    work: Work, staff: Staff, case_id: UUID, to: str, reason: str
) -> tuple[Case, CaseRequest | None]:
    """Move a case on, or ask for approval where the workflow requires a second person.

    An approver who has never owned the case is that second person. Raises Invalid, Conflict,
    NotFound.
    """
    case = await lock_writable(work, staff, Case, case_id)
    move = check_move(work, staff, case, to, reason)
    if staff.role in move.approved_by and not await _has_owned(work, staff, case):
        await apply_move(work, case, to, reason)
        await _end(work, CaseRequest.case_id == case.id, CaseRequest.to_status.is_not(None))
        return case, None
    if not move.approved_by:
        await apply_move(work, case, to, reason)
        return case, None
    asked = await _ask(work, staff, case, reason, to_status=to)
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.MOVE_REQUESTED,
        words=reason.strip() or None,
        after=to,
    )
    return case, asked


async def _has_owned(work: Work, staff: Staff, case: Case) -> bool:
    """Return whether the person owns or has owned a case, and so cannot be its second person."""
    if case.owner_id == staff.id:
        return True
    owned = select(RecordEvent.id).where(
        RecordEvent.subject_id == case.id,
        RecordEvent.kind.in_((RecordLog.OPENED.value, RecordLog.CASE_GIVEN.value)),
        RecordEvent.detail["owner_id"].astext == str(staff.id),
    )
    return await work.session.scalar(owned.limit(1)) is not None


async def ask_transfer(
    work: Work, staff: Staff, case_id: UUID, *, name: str, team: str, reason: str
) -> CaseRequest:
    """Ask a colleague, or the supervisors of a team, to take over a case.

    Raises NotFound, Invalid, Conflict, and NotAllowed unless the person owns the case or
    supervises its team.
    """
    other = await colleague_of(work, name) if name.strip() else None
    case = await lock_writable(work, staff, Case, case_id)
    _check_leads(staff, case)
    if workflow_of(work, case).status(case.status).ends:
        raise Conflict("The case is closed. There is nothing to hand over.")
    if not reason.strip():
        raise Invalid("Write why it is handed over, and what is still open.")
    to_id = None
    if other is not None:
        if other.id == case.owner_id:
            raise Invalid("This colleague owns the case already.")
        to_id, team = other.id, other.team
    elif not team.strip() or team.strip() == case.team:
        raise Invalid("Choose a colleague, or another team.")
    elif not await _deciders_of(work, team.strip()):
        raise Invalid("There is no such team, or it has no supervisor. Choose another team.")
    asked = await _ask(work, staff, case, reason, to_team=team.strip(), to_id=to_id)
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.TRANSFER_REQUESTED,
        words=reason.strip(),
        to=str(to_id) if to_id else None,
        team=team.strip(),
    )
    return asked


async def _ask(work: Work, staff: Staff, case: Case, reason: str, **what: Any) -> CaseRequest:
    if len(reason) > 2000 or "\x00" in reason:
        raise Invalid("Write the reason in at most 2000 characters.")
    request_id = uuid4()
    sealed = work.keys.seal(
        reason.strip().encode(), table="case_requests", column="reason_sealed", row=request_id
    )
    made: CaseRequest | None = await work.session.scalar(
        insert(CaseRequest)
        .values(
            id=request_id,
            case_id=case.id,
            reason_sealed=sealed,
            asked_at=work.now,
            asked_by=staff.id,
            **what,
        )
        .on_conflict_do_nothing()
        .returning(CaseRequest)
    )
    if made is None:
        raise Conflict("This was already asked for and is not decided yet.")
    if not await _who_decides(work, made, case):
        raise Conflict("The team has no other supervisor to decide this. Ask an administrator.")
    await _tell(work, made, case)
    return made


async def _tell(work: Work, request: CaseRequest, case: Case) -> None:
    for person in await _who_decides(work, request, case):
        work.announce(Topic.FOLLOW_UPS.of(person.id))
    if work.settings.smtp_url is not None:
        for to, delay in ((RequestTo.DECIDERS, None), (RequestTo.SUPERVISORS, ESCALATES)):
            work.defer(Task.MAIL_REQUEST, delay=delay, request_id=str(request.id), to=to)


# -- deciding ----------------------------------------------------------------------------------


async def decide(
    work: Work, staff: Staff, request_id: UUID, *, approve: bool, reason: str, name: str = ""
) -> Case:
    """Approve a request or refuse it, with the reason. A transfer to a team goes to the named
    colleague, or else to the supervisor who approves.

    Raises NotFound, NotAllowed, Invalid, and Conflict if it was decided already.
    """
    if not approve and not reason.strip():
        raise Invalid("Write why you refuse.")
    if len(reason) > 2000 or "\x00" in reason:
        raise Invalid("Write the reason in at most 2000 characters.")
    await receiving.check_receives(work, staff)
    request, case = await _lock(work, staff, request_id)
    request.decided_at, request.decided_by, request.approved = work.now, staff.id, approve
    words = reason.strip() or None
    if not approve:
        kind = RecordLog.MOVE_REFUSED if request.to_status else RecordLog.TRANSFER_REFUSED
        note_event(work, Subject.CASE, case.id, kind, words=words, request=str(request.id))
    elif request.to_status is not None:
        asker = await work.session.get(Staff, request.asked_by)
        assert asker is not None
        check_move(work, asker, case, request.to_status, "asked for with a reason")
        note_event(
            work,
            Subject.CASE,
            case.id,
            RecordLog.MOVE_APPROVED,
            words=words,
            request=str(request.id),
        )
        await apply_move(work, case, request.to_status, "")
    else:
        if workflow_of(work, case).status(case.status).ends:
            raise Conflict("The case was closed in the meantime.")
        heir = staff
        if request.to_id is None and name.strip():
            heir = await colleague_of(work, name)
            if heir.team != request.to_team:
                raise Invalid("Choose a colleague of your own team.")
        note_event(
            work,
            Subject.CASE,
            case.id,
            RecordLog.TRANSFER_APPROVED,
            words=words,
            request=str(request.id),
        )
        await hand_over(work, case, heir)
    work.announce(Topic.FOLLOW_UPS.of(request.asked_by))
    return case


async def take_back(work: Work, staff: Staff, request_id: UUID) -> None:
    """Take a request back. A supervisor of the case's team can do it, too, because the colleague
    who asked or was asked may have left. Raises NotFound, Conflict.
    """
    own = CaseRequest.asked_by == staff.id
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        own = or_(own, Case.team == staff.team)
    request = await work.session.scalar(
        select(CaseRequest)
        .join(Case, Case.id == CaseRequest.case_id)
        .where(CaseRequest.id == request_id, own)
    )
    if request is None:
        raise NotFound("Not found, or you did not ask for it.")
    case = await work.session.get(Case, request.case_id, with_for_update=True)
    assert case is not None
    await work.session.refresh(request, with_for_update=True)
    if request.decided_at is not None:
        raise Conflict("The request was decided already.")
    await _end(work, CaseRequest.id == request.id)
    note_event(work, Subject.CASE, case.id, RecordLog.REQUEST_WITHDRAWN, request=str(request.id))


async def _end(work: Work, *which: ColumnElement[bool]) -> None:
    """End requests without approval: they were taken back, or are no longer needed."""
    await work.session.execute(
        update(CaseRequest)
        .where(*which, CaseRequest.decided_at.is_(None))
        .values(decided_at=work.now, decided_by=work.actor.staff_id, approved=False)
    )


async def _lock(work: Work, staff: Staff, request_id: UUID) -> tuple[CaseRequest, Case]:
    case_id = await work.session.scalar(
        select(CaseRequest.case_id)
        .join(Case, Case.id == CaseRequest.case_id)
        .where(CaseRequest.id == request_id, _decides(staff))
    )
    if case_id is None:
        raise NotFound("Not found, or only a colleague can decide it.")
    case = await work.session.get(Case, case_id, with_for_update=True, populate_existing=True)
    request = await work.session.get(
        CaseRequest, request_id, with_for_update=True, populate_existing=True
    )
    assert case is not None
    assert request is not None
    if request.decided_at is not None:
        raise Conflict("The request was decided already.")
    if request.to_status is not None:
        flow = workflow_of(work, case)
        approvers = {r for m in flow.moves if m.to == request.to_status for r in m.approved_by}
        if staff.role not in approvers:
            raise NotAllowed("Your role cannot decide this request.")
    return request, case


def _check_leads(staff: Staff, case: Case) -> None:
    leads = may(staff.role, Permission.READ_TEAM_RECORDS) and case.team == staff.team
    if case.owner_id != staff.id and not leads:
        raise NotAllowed("Only its owner or a supervisor can hand over a case.")


# -- who sees and decides ----------------------------------------------------------------------


def _decides(staff: Staff) -> ColumnElement[bool]:
    """Return the condition for requests that a person can decide; never their own."""
    if not may(staff.role, Permission.WRITE_CASES):
        return false()
    # A supervisor who reads the case decides a move; the workflow says which roles may.
    moves = and_(CaseRequest.to_status.is_not(None), reads_case(staff))
    if not may(staff.role, Permission.READ_TEAM_RECORDS) or not is_person(staff):
        moves = and_(moves, false())
    mine = CaseRequest.to_id == staff.id
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        mine = or_(mine, and_(CaseRequest.to_id.is_(None), CaseRequest.to_team == staff.team))
    return and_(CaseRequest.asked_by != staff.id, or_(moves, mine))


async def _deciders_of(work: Work, team: str) -> list[Staff]:
    leads = [role for role in _DECIDERS if may(role, Permission.READ_TEAM_RECORDS)]
    rows = await work.session.scalars(
        select(Staff).where(Staff.active, Staff.team == team, Staff.role.in_(leads))
    )
    return list(rows)


async def _who_decides(work: Work, request: CaseRequest, case: Case) -> list[Staff]:
    if request.to_id is not None:
        one = await work.session.get(Staff, request.to_id)
        return [one] if one is not None and one.active else []
    found = await _deciders_of(work, request.to_team or case.team)
    return [person for person in found if person.id != request.asked_by]


async def waiting_for(
    work: Work, staff: Staff, *, case_id: UUID | None = None, with_reasons: bool = False
) -> list[WaitingCaseRequest]:
    """Return the open requests that a person can decide or has asked for, oldest first.

    The reasons are sealed. They are opened only `with_reasons`, and the reading is logged first.
    A colleague asked to take over a case reads the reason, and nothing else of the case yet.
    """
    decides = _decides(staff)
    statement = (
        select(CaseRequest, Case, Staff.name, decides)
        .join(Case, Case.id == CaseRequest.case_id)
        .join(Staff, Staff.id == CaseRequest.asked_by)
        .where(CaseRequest.decided_at.is_(None), or_(decides, CaseRequest.asked_by == staff.id))
        .order_by(CaseRequest.asked_at)
        .limit(50)
    )
    if case_id is not None:
        statement = statement.where(CaseRequest.case_id == case_id)
    rows = (await work.session.execute(statement)).all()
    ids = {request.to_id for request, *_ in rows if request.to_id}
    known = await names_of(work, ids)
    if rows and with_reasons:
        read = [str(case.id) for _, case, *_ in rows]
        await write_reading(work, AuditLog.REQUESTS_READ, "cases", by=[FoundBy.REQUEST], ids=read)
    found = []
    for request, case, asked_by, mine in rows:
        opened = Opened(work, case)
        found.append(
            WaitingCaseRequest(
                request,
                case,
                asked_by,
                request.to_status or known.get(request.to_id or case.id) or request.to_team or "",
                opened.words(
                    request.reason_sealed if with_reasons else None,
                    table="case_requests",
                    column="reason_sealed",
                    row=request.id,
                ),
                bool(mine),
                request.asked_by == staff.id,
            )
        )
    return found


async def letters_of(
    work: Work, request_id: UUID, to: RequestTo
) -> list[tuple[UUID, str, str, str]]:
    """Return the letters about a request that is still open: for each a key, the address, the
    subject and the body. They say nothing about a child.
    """
    request = await work.session.get(CaseRequest, request_id)
    if request is None or request.decided_at is not None:
        return []
    case = await work.session.get(Case, request.case_id)
    assert case is not None
    if to is RequestTo.DECIDERS:
        people = await _who_decides(work, request, case)
    else:
        # Supervisors can decide it, or end a request that its recipient can no longer decide.
        people = await _deciders_of(work, case.team)
        people = [person for person in people if person.id != request.asked_by]
    return [
        (
            uuid5(request.id, f"{person.id} {to}"),
            person.email,
            *_letter(work, person, request, case, to),
        )
        for person in people
        if person.email
    ]


def _letter(
    work: Work, reader: Staff, request: CaseRequest, case: Case, to: RequestTo
) -> tuple[str, str]:
    """Return subject and body of a letter, in the language of its reader's pages."""
    with spoken_in(reader.page_language):
        subject = (
            _("%(code)s: a request to close it or move it on", code=case.code)
            if request.to_status
            else _("%(code)s: a request to take it over", code=case.code)
        )
        words = (
            _("Please decide.")
            if to is RequestTo.DECIDERS
            else _("It has been undecided for a day.")
        )
    return subject, f"{words}\n\n{work.settings.public_url.rstrip('/')}/cases\n"
