"""Scheduled reports: made when their period is over, and announced to a role by e-mail.

The e-mail holds a link and no figure; the file behind it is sealed, and opened for that role only.
"""

from datetime import date, time, timedelta
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.contacts.registry import library_of
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.staff.accounts import check_page_language
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.statistics.counting.summary import today, zone_of
from app.statistics.exports import carrying_out
from app.statistics.models import Export, ExportState, ReportSchedule
from app.statistics.periods import OF_MONTHS, REPORTED, Period, Window, last_whole, whole_period
from app.statistics.protection.guard import on_grid
from app.statistics.reports.printing import print_report
from app.statistics.reports.reports import kind_of, kinds
from app.words.pages import N_, SOURCE, _, date_words, read_in, spoken_in
from app.work import PROGRAM, Ground, Work

# The local time of day from which reports of a period that is over are made.
SENT_FROM = time(6)


async def schedule(
    work: Work, report: str, every: str, role: str, language: str | None = None
) -> ReportSchedule:
    """Send a report from its next period on, in one language or in that of each reader's pages.

    Raises NotFound, Invalid, Conflict.
    """
    kind = kind_of(work, report)
    if language:
        check_page_language(language)
    if every not in REPORTED:
        raise Invalid("A report is sent every day, week, month, quarter or year.")
    if role not in set(Role) or not may(role, Permission.SEE_STATISTICS):
        raise Invalid("Choose a role that may see numbers.")
    if kind.only_of_months and every not in OF_MONTHS:
        raise Invalid(
            "This report counts what was said, so it is sent every month, quarter or year."
        )
    if kind.staff and not may(role, Permission.SEE_STAFF_STATISTICS):
        raise Invalid("It shows numbers of single counsellors. Choose a role that may see them.")
    same = select(ReportSchedule.id).where(
        ReportSchedule.report == report,
        ReportSchedule.every == every,
        ReportSchedule.role == role,
        ReportSchedule.ended_at.is_(None),
    )
    if await work.session.scalar(same):
        raise Conflict("This report is already sent to this role.")
    running = whole_period(Period(every), today(work))
    assert isinstance(running.ends, date)
    row = ReportSchedule(
        id=uuid4(),
        report=report,
        every=every,
        role=role,
        language=language or None,
        created_by=work.actor.staff_id,
        created_at=work.now,
        next_on=running.ends,
    )
    work.session.add(row)
    await work.session.flush()
    after = _for_log(row)
    write_entry(work, AuditLog.REPORT_SCHEDULED, f"schedule:{row.id}", before=None, after=after)
    return row


def _for_log(row: ReportSchedule) -> dict[str, str | None]:
    return {
        "report": row.report,
        "every": row.every,
        "role": row.role,
        "language": row.language,
    }


async def unschedule(work: Work, schedule_id: UUID) -> None:
    """Stop sending a report. Raises NotFound."""
    row = await work.session.get(ReportSchedule, schedule_id, with_for_update=True)
    if row is None or row.ended_at is not None:
        raise NotFound("There is no such schedule.")
    row.ended_at = work.now
    before = _for_log(row)
    write_entry(
        work, AuditLog.REPORT_SCHEDULE_ENDED, f"schedule:{row.id}", before=before, after=None
    )


async def schedules(work: Work) -> list[ReportSchedule]:
    rows = await work.session.scalars(
        select(ReportSchedule)
        .where(ReportSchedule.ended_at.is_(None))
        .order_by(ReportSchedule.report, ReportSchedule.every)
    )
    return list(rows)


async def take_due(work: Work) -> int:
    """Move every schedule whose period is over to the next period, and have its report made.

    Return how many reports are to be made.
    """
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    local = work.now.astimezone(zone)
    if local.time() < SENT_FROM:
        return 0
    rows = await work.session.scalars(
        select(ReportSchedule)
        .where(ReportSchedule.ended_at.is_(None), ReportSchedule.next_on <= local.date())
        .with_for_update(skip_locked=True)
    )
    count = 0
    for row in rows.all():
        # After an outage the newest period is sent, not a pile of old ones.
        window = last_whole(Period(row.every), local.date())
        if row.every in OF_MONTHS and not on_grid(window, None, work.now):
            # Over here, and not yet in every time zone: until then what was said is not counted.
            continue
        following = whole_period(Period(row.every), local.date())
        assert isinstance(following.ends, date)
        row.next_on = following.ends
        count += await _order(work, row, window)
    return count


async def _order(work: Work, row: ReportSchedule, window: Window) -> int:
    """Have the files of a report made, one for each language. Return how many were not yet."""
    languages = [row.language] if row.language else await languages_of(work, row)
    count = 0
    for language in languages:
        named = window.words if row.language else f"{window.words} {language}"
        export = Export(
            id=uuid5(row.id, named),
            what=row.report,
            format="pdf",
            begins=window.begins.isoformat(),
            ends=window.ends.isoformat(),
            options={"language": language, "languages": languages},
            personal=False,
            asked_at=work.now,
            role=row.role,
            state=ExportState.APPROVED,
        )
        if await work.session.get(Export, export.id) is None:
            work.session.add(export)
            work.defer(Task.SEND_REPORT, export_id=str(export.id))
            count += 1
    return count


async def languages_of(work: Work, row: ReportSchedule) -> list[str]:
    """Return the languages in which the readers of a report read the pages; without readers, that
    of the person who scheduled it. English comes first, or else that of this person: the first is
    also for those whose language has no file."""
    chosen = await work.session.scalars(
        select(Staff.page_language).where(Staff.active, Staff.role == row.role).distinct()
    )
    person = await work.session.get(Staff, row.created_by) if row.created_by else None
    theirs = read_in(person.page_language if person is not None else SOURCE)
    found = {read_in(one) for one in chosen} or {theirs}
    return sorted(found, key=lambda one: (one != SOURCE, one != theirs, one))


def is_for(export: Export, language: str) -> bool:
    """Return whether a file is that of a reader whose pages are in this language. The first file
    is also for those whose language has none, as for a person who came meanwhile."""
    own = export.options.get("language", SOURCE)
    languages = export.options.get("languages", [own])
    found = read_in(language)
    return bool(own == (found if found in languages else languages[0]))


async def make_report(ground: Ground, export_id: UUID) -> None:
    """Make a report that is due, keep it sealed, and announce it. A second run does nothing."""
    async with carrying_out.alone_with(ground, export_id) as alone:
        if not alone:
            return
        try:
            await _make_report(ground, export_id)
        except Exception as error:
            if not isinstance(error, PASSING):
                await carrying_out.fail(
                    ground, export_id, "The file could not be made. The log says why."
                )
            raise


async def _make_report(ground: Ground, export_id: UUID) -> None:
    async with transaction(ground, PROGRAM) as work:
        export = await work.session.get(Export, export_id, with_for_update=True)
        if export is None or export.state not in (ExportState.APPROVED, ExportState.IN_PROGRESS):
            return
        export.state, export.as_of = ExportState.IN_PROGRESS.value, work.now
        wanted = export
    async with transaction(ground, PROGRAM) as work:
        if wanted.what not in kinds(work):
            await carrying_out.set_export(
                work, export_id, state=ExportState.FAILED, problem=N_("There is no such report.")
            )
            return
        window = whole_window(wanted.begins, wanted.ends)
        with spoken_in(wanted.options.get("language", SOURCE)):
            report = await kinds(work)[wanted.what].make(work, window, None)
            content = await print_report(report, zone_of(work))
    await carrying_out.clear_parts(ground, export_id)
    await carrying_out.keep_file(ground, export_id, content)
    async with transaction(ground, PROGRAM) as work:
        await carrying_out.set_export(
            work, export_id, state=ExportState.READY, expires_at=work.now + timedelta(days=90)
        )
        write_entry(work, AuditLog.REPORT_MADE, f"export:{export_id}", report=wanted.what)
        people = await work.session.execute(
            select(Staff.id, Staff.page_language).where(
                Staff.active, Staff.role == wanted.role, Staff.email.is_not(None)
            )
        )
        for staff_id, language in people.all():
            if is_for(wanted, language):
                work.defer(Task.ANNOUNCE_REPORT, export_id=str(export_id), staff_id=str(staff_id))
        work.announce(Topic.EXPORTS)


def whole_window(begins: str, ends: str) -> Window:
    """Return the window of a stored report."""
    return Window(date.fromisoformat(begins), date.fromisoformat(ends))


async def announce(ground: Ground, export_id: UUID, staff_id: UUID) -> None:
    """Send one e-mail with a link. Raises TryAgain, so that the job runs again."""
    async with transaction(ground, PROGRAM) as work:
        export = await work.session.get(Export, export_id)
        staff = await work.session.get(Staff, staff_id)
        if export is None or staff is None or not staff.active or not staff.email:
            return
        with spoken_in(staff.page_language):
            kind = kinds(work).get(export.what)
            title = kind.title if kind is not None else export.what
    url = f"{ground.settings.public_url}/reports/files/{export_id}"
    subject, body = _letter(export, title, url, staff.page_language)
    await write_to_staff(
        ground,
        staff.email,
        subject,
        body,
        message_id=uuid5(export_id, str(staff_id)),
        area="statistics",
        what="a report",
    )


def _letter(export: Export, title: str, url: str, language: str) -> tuple[str, str]:
    """Return subject and body of the letter, in the language of the reader's pages."""
    with spoken_in(language):
        begins, ends = (
            date_words(date.fromisoformat(day), N_("EEE dd MMM yyyy"))
            for day in (export.begins, export.ends)
        )
        subject = _("Helpline: %(title)s", title=title)
        body = _(
            "%(title)s, %(begins)s to %(ends)s (that day excluded), is ready.",
            title=title,
            begins=begins,
            ends=ends,
        )
        body += "\n\n" + _("Sign in to read it:") + f"\n{url}\n"
        if export.expires_at:
            until = date_words(export.expires_at.date(), N_("EEE dd MMM yyyy"))
            body += "\n" + _("It is kept until %(until)s.", until=until) + "\n"
    return subject, body
