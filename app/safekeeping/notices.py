"""Telling people that an anchor, a back-up or a request about a person's data is late:
administrators by mail, and they and the supervisors by waking a browser.

No phone rings for it: no child waits for a back-up. An alarm on the pages of both, readiness and
metrics say it as long as it lasts, and mail and waking are repeated once a day. Which requests are
late, an area above this one says: it is composed with it where a worker starts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4, uuid5

from sqlalchemy import func, select

from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.outbox.mail import write_to_staff
from app.routing import waking
from app.safekeeping import anchors, erasure_folder
from app.safekeeping.backups import state
from app.safekeeping.backups.places import BackupRefused
from app.safekeeping.models import AdministratorNoticeKind, SafekeepingNotice
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.words.pages import N_, _, said, spoken_in
from app.work import PROGRAM, Ground, Work

LOCK = 116_123
_AGAIN = timedelta(days=1)
_READERS = [role.value for role in Role if may(role, Permission.KEEP_PEOPLE)]
WORDS = {
    AdministratorNoticeKind.ANCHOR_LATE: N_(
        "No anchor of the logs has gone out for more than a day."
    ),
    AdministratorNoticeKind.BACKUP_LATE: N_("The last back-up is older than it may be."),
    AdministratorNoticeKind.BACKUP_LOG_LATE: N_(
        "What was written since the last back-up has not reached the back-ups for some time."
    ),
    AdministratorNoticeKind.REQUEST_LATE: N_(
        "An approved request about a person's data has waited for more than an hour."
    ),
    AdministratorNoticeKind.REQUEST_OVERDUE: N_(
        "A request about a person's data is overdue: the day by which to answer is over."
    ),
}
FOLDER_AWAY = N_(
    "The folder with the lists of what is erased is not there, or not prepared. The operator "
    "brings its disk back, or runs helpline data-requests prepare-folder."
)
LateAbove = Callable[[Work], Awaitable[set[AdministratorNoticeKind]]]
_ABOVE = "late above"


def also_late(ground: Ground, above: LateAbove) -> None:
    """Let this process also tell what `above` finds late in an area above this one."""
    ground.kept[_ABOVE] = above


async def watch(ground: Ground) -> None:
    """Open a notice for what is late, tell administrators and supervisors, and close it later."""
    async with transaction(ground, PROGRAM) as work:
        await look(work)


OPEN_NOTICES = (
    select(SafekeepingNotice)
    .where(SafekeepingNotice.ended_at.is_(None))
    .order_by(SafekeepingNotice.begun_at, SafekeepingNotice.kind)
)


async def open_notices(work: Work) -> list[SafekeepingNotice]:
    """Return what people were told of and is not over, the oldest first."""
    return list(await work.session.scalars(OPEN_NOTICES))


async def late_now(work: Work) -> set[AdministratorNoticeKind]:
    """Return what is late, also in an area above this one."""
    found: set[AdministratorNoticeKind] = set()
    if any(one.late for one in await anchors.states(work)):
        found.add(AdministratorNoticeKind.ANCHOR_LATE)
    now = await state.read(work)
    if now is not None and now.base_late:
        found.add(AdministratorNoticeKind.BACKUP_LATE)
    if now is not None and now.log_late:
        found.add(AdministratorNoticeKind.BACKUP_LOG_LATE)
    above: LateAbove = work.ground.kept[_ABOVE]
    found |= await above(work)
    return found


async def look(work: Work) -> None:
    """Compare what is late with the notices that are open."""
    late = await late_now(work)
    open_ = {AdministratorNoticeKind(one.kind): one for one in await open_notices(work)}
    due = {k for k in late if k not in open_ or work.now - open_[k].told_at >= _AGAIN}
    over = open_.keys() - late
    if not due and not over:
        return
    # Two workers that look at the same time would tell everything twice.
    if not await work.session.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
        return
    for kind in over:
        open_[kind].ended_at = work.now
    for kind in sorted(due):
        row = open_.get(kind)
        if row is None:
            row = SafekeepingNotice(id=uuid4(), kind=kind.value, begun_at=work.now)
            work.session.add(row)
        row.told_at = work.now
        await _tell(work, kind, row.id)
    work.announce(Topic.LOG, Topic.ALARMS)
    await work.session.flush()


async def _tell(work: Work, kind: AdministratorNoticeKind, notice_id: UUID) -> None:
    log().error("an anchor, a back-up or a request is late", area="safekeeping", kind=kind.value)
    people = list(
        await work.session.scalars(
            select(Staff).where(Staff.active, Staff.role.in_(_READERS)).order_by(Staff.name)
        )
    )
    for person in people:
        # If a request is overdue, all who answer or decide get a letter.
        if person.email and kind is not AdministratorNoticeKind.REQUEST_OVERDUE:
            work.defer(Task.MAIL_SAFEKEEPING, notice_id=str(notice_id), staff_id=str(person.id))
    await waking.wake_absent(work, [person.id for person in people])
    await waking.wake_supervisors(work)


async def lists_wait(ground: Ground, marker: UUID | None) -> bool:
    """Return whether lists of what is erased wait: their folder is away, or not prepared."""
    folder = ground.settings.erasure_folder
    if folder is None:
        return False
    try:
        await asyncio.to_thread(erasure_folder.check, folder, marker)
    except (BackupRefused, OSError):
        return True
    return False


async def mail(ground: Ground, notice_id: UUID, staff_id: UUID) -> None:
    """Send one letter about what is late. Raises TryAgain, so that the job is retried."""
    async with transaction(ground, PROGRAM) as work:
        notice = await work.session.get(SafekeepingNotice, notice_id)
        staff = await work.session.get(Staff, staff_id)
        if notice is None or staff is None or not staff.active or not staff.email:
            return
        kind, told_at = AdministratorNoticeKind(notice.kind), notice.told_at
        marker = await erasure_folder.known_to(work)
    about_request = kind is AdministratorNoticeKind.REQUEST_LATE
    away = about_request and await lists_wait(ground, marker)
    with spoken_in(staff.page_language):
        body = said(WORDS[kind])
        subject = body if about_request else _("Helpline: a back-up or an anchor is late")
        todo = _("Ask the operator of the server to look at it:")
        if away:
            body = f"{body}\n\n{said(FOLDER_AWAY)}"
    page = "data-requests" if about_request else "backups"
    await write_to_staff(
        ground,
        staff.email,
        subject,
        f"{body}\n\n{todo}\n{ground.settings.public_url}/admin/{page}\n",
        message_id=uuid5(notice_id, f"{staff_id}{told_at.isoformat()}"),
        area="safekeeping",
        what="a late back-up, anchor or request",
    )
