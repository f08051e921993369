"""Follow-ups of a case: they remind on the morning of their day; a day later they are overdue."""

from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.contacts.cases.models import FollowUp
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case
from app.contacts.records import Opened
from app.contacts.registry import library_of, workflow_of
from app.contacts.scopes import let_work, lock_writable, reads_case
from app.contacts.states import (
    DONE,
    INTERVENED,
    REVIEWED,
    FollowUpAbout,
    ReminderTo,
    SeparationOutcome,
    Subject,
)
from app.database.topics import Topic
from app.definitions.library import Country
from app.definitions.own_values import decided, times
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.staff.models import Staff
from app.staff.roles import Role
from app.words.pages import N_, _, date_words, spoken_in
from app.work import Ground, Work

# The time from the end of its day until the supervisors are told of an overdue follow-up.
ESCALATES = timedelta(days=1)
# What a helpline decides itself in place of its country, and the country's name for it.
DAYS = {"separation_follow_up_days": "separation_follow_up_days"}
TIMES = {"follow_up_reminds_at": "reminds_at"}


def moments_of(due_on: date, reminds_at: time, timezone: str) -> tuple[datetime, datetime]:
    """Return when a follow-up reminds, and when it is overdue: at the end of its local day."""
    zone = ZoneInfo(timezone)
    reminds = datetime.combine(due_on, reminds_at, zone)
    overdue = datetime.combine(due_on + timedelta(days=1), time(), zone)
    return reminds, overdue


def country_rules(ground: Ground) -> Country:
    """Return the country's rules of follow-ups, with what the helpline has decided."""
    own = {**decided(ground, DAYS), **times(ground, TIMES)}
    return library_of(ground).country.model_copy(update=own)


async def add_follow_up(
    work: Work,
    case: Case,
    owner: Staff,
    about: FollowUpAbout,
    *,
    due_on: date | None = None,
    days: int | None = None,
    words: str = "",
    goal: str = "",
    provider: str = "",
) -> FollowUp:
    """Add a follow-up to a locked or new case. Raises Invalid."""
    country = country_rules(work.ground)
    today = work.now.astimezone(ZoneInfo(country.timezone)).date()
    due = due_on or today + timedelta(days=days or 0)
    if not today <= due <= today + timedelta(days=3660):
        raise Invalid("The date must be from today to ten years ahead.")
    if len(words) > 2000 or "\x00" in words:
        raise Invalid("Describe it in at most 2000 characters.")
    if len(provider) > 200 or "\x00" in provider:
        raise Invalid("Name the provider in at most 200 characters.")
    if about is FollowUpAbout.INTERVENTION and not words.strip():
        raise Invalid("Describe the intervention.")
    if about is not FollowUpAbout.INTERVENTION and (goal or provider.strip()):
        raise Invalid("Only an intervention can have a goal or a provider.")
    follow_up_id = uuid4()

    def sealed(text: str, column: str) -> bytes | None:
        if not text.strip():
            return None
        body = text.strip().encode()
        return work.keys.seal(body, table="follow_ups", column=column, row=follow_up_id)

    follow_up = FollowUp(
        id=follow_up_id,
        case_id=case.id,
        owner_id=owner.id,
        about=about.value,
        due_on=due,
        words_sealed=sealed(words, "words_sealed"),
        goal=goal or None,
        provider_sealed=sealed(provider, "provider_sealed"),
        created_at=work.now,
    )
    work.session.add(follow_up)
    await work.session.flush()
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.FOLLOW_UP_SET,
        follow_up=str(follow_up_id),
        about=about.value,
        due_on=due.isoformat(),
    )
    _set_bells(work, follow_up)
    return follow_up


def _set_bells(work: Work, follow_up: FollowUp) -> None:
    country = country_rules(work.ground)
    moments = moments_of(follow_up.due_on, country.reminds_at, country.timezone)
    for task, at in zip((Task.REMIND, Task.OVERDUE), moments, strict=True):
        wait = max(at - work.now, timedelta(0))
        work.defer(task, delay=wait or None, follow_up_id=str(follow_up.id))


async def ring_again(work: Work, case: Case) -> None:
    """Set the reminders of the open follow-ups again, because the case was reopened."""
    rows = await work.session.scalars(
        select(FollowUp).where(FollowUp.case_id == case.id, FollowUp.done_at.is_(None))
    )
    for follow_up in rows.all():
        _set_bells(work, follow_up)


async def finish_follow_up(
    work: Work, staff: Staff, follow_up_id: UUID, result: str, words: str
) -> FollowUp:
    """Record the result of a follow-up; for one about separation, where the child is now.

    Raises NotFound, Invalid, Conflict.
    """
    found = await work.session.scalar(select(FollowUp.case_id).where(FollowUp.id == follow_up_id))
    if found is None:
        raise NotFound("Not found, or you do not have access.")
    case = await lock_writable(work, staff, Case, found)
    follow_up = await work.session.get(FollowUp, follow_up_id, with_for_update=True)
    assert follow_up is not None
    if follow_up.done_at is not None:
        raise Conflict("The follow-up was done already.")
    allowed = results_of(follow_up.about)
    if result not in allowed:
        raise Invalid("The result must be one of: %(allowed)s.", allowed=list(allowed))
    follow_up.done_at, follow_up.done_by, follow_up.result = work.now, staff.id, result
    if words.strip():
        follow_up.result_sealed = work.keys.seal(
            words.strip()[:2000].encode(),
            table="follow_ups",
            column="result_sealed",
            row=follow_up.id,
        )
    if follow_up.about == FollowUpAbout.SEPARATION:
        case.separation_risk, case.separation_outcome = True, result
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.FOLLOW_UP_DONE,
        follow_up=str(follow_up.id),
        result=result,
        about=follow_up.about,
    )
    return follow_up


async def give_follow_ups(work: Work, owner: Staff, to: Staff) -> int:
    """Give the open follow-ups of a person who leaves to a colleague, who then works on their
    cases. Return how many there were."""
    open_ones = (FollowUp.owner_id == owner.id, FollowUp.done_at.is_(None))
    cases = await work.session.scalars(
        select(Case)
        .where(Case.id.in_(select(FollowUp.case_id).where(*open_ones)))
        .order_by(Case.id)
        .with_for_update()
    )
    number = 0
    for case in cases.all():
        await let_work(work, case, to.id)
        rows = await work.session.scalars(
            select(FollowUp).where(FollowUp.case_id == case.id, *open_ones).with_for_update()
        )
        for follow_up in rows.all():
            follow_up.owner_id = to.id
            number += 1
            note_event(
                work,
                Subject.CASE,
                case.id,
                RecordLog.FOLLOW_UP_GIVEN,
                follow_up=str(follow_up.id),
                before=str(owner.id),
                owner_id=str(to.id),
            )
    work.announce(Topic.FOLLOW_UPS.of(to.id))
    return number


def results_of(about: str) -> list[str]:
    """Return the possible results of a follow-up."""
    match about:
        case FollowUpAbout.SEPARATION:
            return list(SeparationOutcome)
        case FollowUpAbout.INTERVENTION:
            return list(INTERVENED)
        case FollowUpAbout.REVIEW:
            return list(REVIEWED)
        case _:
            return list(DONE)


def _rests(work: Work, case: Case) -> bool:
    return workflow_of(work, case).status(case.status).ends


async def ring_bell(work: Work, follow_up_id: UUID, *, overdue: bool) -> None:
    """Mark a follow-up as due on its morning, or overdue after its day. May run twice."""
    case_id = await work.session.scalar(select(FollowUp.case_id).where(FollowUp.id == follow_up_id))
    # Lock the case before its rows, as everywhere.
    case = await work.session.scalar(select(Case).where(Case.id == case_id).with_for_update())
    if case is None or _rests(work, case):
        # Nothing is overdue in a closed case; reopening it sets the reminders again.
        return
    follow_up = await work.session.get(
        FollowUp, follow_up_id, with_for_update=True, populate_existing=True
    )
    if follow_up is None or follow_up.done_at is not None:
        return
    if overdue and follow_up.overdue_at is None:
        follow_up.overdue_at = work.now
    elif not overdue and follow_up.reminded_at is None:
        follow_up.reminded_at = work.now
    else:
        return
    kind = RecordLog.FOLLOW_UP_OVERDUE if overdue else RecordLog.FOLLOW_UP_DUE
    note_event(work, Subject.CASE, follow_up.case_id, kind, follow_up=str(follow_up.id))
    work.announce(Topic.FOLLOW_UPS.of(follow_up.owner_id))
    if work.settings.smtp_url is not None:
        work.defer(Task.MAIL_FOLLOW_UP, follow_up_id=str(follow_up.id), to=ReminderTo.OWNER)
        if overdue:
            # An owner who is ill or has left does not see it, so the supervisors are told.
            work.defer(
                Task.MAIL_FOLLOW_UP,
                delay=ESCALATES,
                follow_up_id=str(follow_up.id),
                to=ReminderTo.SUPERVISORS,
            )


async def letters_of(
    work: Work, follow_up_id: UUID, to: ReminderTo
) -> list[tuple[UUID, str, str, str]]:
    """Return the letters about a follow-up that is still open: for each a key, the address, the
    subject and the body. They say nothing about a child.
    """
    row = (
        await work.session.execute(
            select(FollowUp, Case)
            .join(Case, Case.id == FollowUp.case_id)
            .where(FollowUp.id == follow_up_id)
        )
    ).one_or_none()
    if row is None or row[0].done_at is not None or _rests(work, row[1]):
        return []
    follow_up, case = row
    readers = select(Staff).where(Staff.active, Staff.email.is_not(None))
    if to is ReminderTo.OWNER:
        readers = readers.where(Staff.id == follow_up.owner_id)
    else:
        readers = readers.where(Staff.role == Role.SUPERVISOR, Staff.team == case.team)
    # Part of the key of the letter, whatever its language.
    when = "is due today" if follow_up.overdue_at is None else "is overdue"
    people = await work.session.scalars(readers.order_by(Staff.name))
    return [
        (
            uuid5(follow_up.id, f"{person.id} {when}"),
            person.email or "",
            *_letter(work, person, case, follow_up),
        )
        for person in people
    ]


def _letter(work: Work, reader: Staff, case: Case, follow_up: FollowUp) -> tuple[str, str]:
    """Return subject and body of a reminder, in the language of its reader's pages."""
    with spoken_in(reader.page_language):
        due_on = date_words(follow_up.due_on, N_("EEE dd MMM yyyy"))
        if follow_up.overdue_at is None:
            subject = _("%(code)s: a follow-up is due today", code=case.code)
            words = _("The follow-up of %(due_on)s is due today.", due_on=due_on)
        else:
            subject = _("%(code)s: a follow-up is overdue", code=case.code)
            words = _("The follow-up of %(due_on)s is overdue.", due_on=due_on)
    return subject, f"{words}\n\n{work.settings.public_url.rstrip('/')}/cases/{case.id}\n"


def provider_of(opened: Opened[Case], follow_up: FollowUp) -> str:
    """Return who does an intervention; empty if no provider is named."""
    return opened.words(
        follow_up.provider_sealed, table="follow_ups", column="provider_sealed", row=follow_up.id
    )


async def follow_ups_of(opened: Opened[Case]) -> list[tuple[FollowUp, str, str]]:
    """Return the follow-ups of a case with their words, open ones first."""
    rows = await opened.work.session.scalars(
        select(FollowUp)
        .where(FollowUp.case_id == opened.id)
        .order_by(FollowUp.done_at.is_not(None), FollowUp.due_on)
    )
    return [
        (
            row,
            opened.words(row.words_sealed, table="follow_ups", column="words_sealed", row=row.id),
            opened.words(row.result_sealed, table="follow_ups", column="result_sealed", row=row.id),
        )
        for row in rows
    ]


async def bells_of(work: Work, staff: Staff) -> list[tuple[FollowUp, Case]]:
    """Return the follow-ups due or overdue in cases that the person may read."""
    rows = await work.session.execute(
        select(FollowUp, Case)
        .join(Case, Case.id == FollowUp.case_id)
        .where(
            FollowUp.done_at.is_(None),
            FollowUp.reminded_at.is_not(None) | FollowUp.overdue_at.is_not(None),
            reads_case(staff),
        )
        .order_by(FollowUp.due_on)
        .limit(50)
    )
    return [(follow_up, case) for follow_up, case in rows]
