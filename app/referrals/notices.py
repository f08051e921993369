"""Notices about referrals to their owners and to supervisors, and that they were seen."""

from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update

from app.database.topics import Topic
from app.errors import Conflict, NotAllowed, NotFound
from app.referrals.log_kinds import LogKind
from app.referrals.models import Notice, Referral
from app.referrals.scopes import lock_referral, reads_referral
from app.referrals.states import ForWhom, NoticeKind
from app.referrals.trail import By, Via, note
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.second_person import is_person
from app.work import Work


async def notices_for(work: Work, staff: Staff, limit: int = 100) -> list[tuple[Notice, Referral]]:
    """Return the unseen notices for a member of staff, as the owner or as a supervisor."""
    mine = Referral.owner_id == staff.id
    concerns: ColumnElement[bool] = (Notice.for_whom == ForWhom.OWNER) & mine
    if may(staff.role, Permission.SEE_DEADLINES):
        concerns = or_(concerns, Notice.for_whom == ForWhom.SUPERVISORS)
    rows = await work.session.execute(
        select(Notice, Referral)
        .join(Referral, Referral.id == Notice.referral_id)
        .where(Notice.seen_at.is_(None), concerns, reads_referral(staff))
        .order_by(Notice.at.desc())
        .limit(limit)
    )
    return [(notice, referral) for notice, referral in rows]


async def mark_seen(work: Work, staff: Staff, notice_id: UUID) -> None:
    """Record that a member of staff has seen a notice; an override is thereby reviewed.

    Raises NotFound, Conflict, NotAllowed.
    """
    row = (
        await work.session.execute(
            select(Notice, Referral)
            .join(Referral, Referral.id == Notice.referral_id)
            .where(Notice.id == notice_id, reads_referral(staff))
        )
    ).one_or_none()
    if row is None:
        raise NotFound("Not found, or you do not have access.")
    notice, referral = row
    if notice.for_whom == ForWhom.OWNER and referral.owner_id != staff.id:
        raise Conflict("This notice is for the owner of the referral.")
    if notice.for_whom == ForWhom.SUPERVISORS and not may(staff.role, Permission.SEE_DEADLINES):
        raise Conflict("This notice is for a supervisor.")
    if notice.author_id == staff.id:
        raise Conflict("You wrote this. A second person has to see it.")
    if notice.kind == NoticeKind.OVERRIDE and not is_person(staff):
        raise NotAllowed("An emergency account is no second person.")
    if notice.kind == NoticeKind.OVERRIDE and notice.seen_at is None:
        await lock_referral(work, referral.id)
        note(work, referral, LogKind.OVERRIDE_SEEN, By(Via.BY_HAND))
    await work.session.execute(
        update(Notice)
        .where(Notice.id == notice_id, Notice.seen_at.is_(None))
        .values(seen_at=work.now, seen_by=staff.id)
        .execution_options(synchronize_session=False)
    )
    work.announce(Topic.NOTICES)
