"""The details after an acknowledgement: they are sent, opened by a deadline, and kept up to date.

An agency that has acknowledged gets a link and, by another channel, its code. A deadline runs until
the details are opened, by any channel. Later answers are announced to the agency that holds the
referral, at most once a minute.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.jobs.names import Task
from app.referrals.channels.links import gets_codes, send_links, send_links_with_code
from app.referrals.channels.registry import systems_of, writing_to
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.disclosures import needed_by
from app.referrals.log_kinds import LogKind
from app.referrals.models import Disclosure, Notice, Recipient, Referral
from app.referrals.reasons import RingAbout
from app.referrals.scopes import lock_referral
from app.referrals.states import (
    HELD,
    DeadlineKind,
    NoticeKind,
    Purpose,
    ReferralState,
    ToldHow,
)
from app.referrals.trail import By, Via, ask_to_ring, note
from app.work import Work

# An agency that replies by these channels has the details, or the page that leads to them.
_HAVE_THEM = (Via.LINK, Via.SYSTEM, Via.PRIMERO)
# At most one announcement in this time for each referral.
ANNOUNCED_EVERY = timedelta(minutes=1)
# Answers written within this time are announced together.
_GATHERED = timedelta(seconds=20)


async def hand_out(work: Work, referral: Referral, recipient: Recipient, by: By) -> str | None:
    """Send the details of a locked referral to the agency that has just acknowledged it.

    Return a code to be read out on the phone, if the agency has only one written channel for
    the link and `by` is its own duty phone; else None.
    """
    await tracking.run_details(work, referral, done=recipient.details_at is not None)
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    knows = recipient.details_at is not None and await _was_told(work, referral, agency, recipient)
    if by.how in _HAVE_THEM:
        if by.how is Via.LINK and not knows:
            tell_to_ring(work, referral, agency)
        return None
    lives = tracking.protocol_of(work, referral).link_lives
    spoken: str | None = None
    opens = gets_codes(work, agency)
    if by.how is Via.PHONE and len(writing_to(agency)) == 1 and opens:
        spoken = await send_links_with_code(
            work, referral, agency, recipient.id, lives=lives, read_out_to=by.phone or None
        )
        sent = 1
    else:
        sent = await send_links(
            work, referral, agency, recipient.id, lives=lives, purpose=Purpose.LINK
        )
    if sent:
        note(work, referral, LogKind.DETAILS_SENT, By(Via.PROGRAM, agency.code))
        if not knows:
            tell_to_ring(work, referral, agency)
    elif not systems_of(agency):
        ask_to_ring(work, referral, agency.code, RingAbout.DETAILS)
    return spoken


def tell_to_ring(work: Work, referral: Referral, agency: Agency) -> None:
    """Ask the owner to ring an agency that can open nothing at its links, and has no system."""
    if not gets_codes(work, agency) and not systems_of(agency):
        ask_to_ring(work, referral, agency.code, RingAbout.DETAILS)


async def waits_to_ring(work: Work, referral: Referral, agency: Agency, about: RingAbout) -> bool:
    """Return whether a notice that asks to ring an agency waits to be seen."""
    await work.session.flush()
    told = select(Notice.id).where(
        Notice.referral_id == referral.id,
        Notice.kind == NoticeKind.RING_THEM,
        Notice.detail["purpose"].astext == about,
        Notice.detail["agency"].astext == agency.code,
        Notice.seen_at.is_(None),
    )
    return await work.session.scalar(told.limit(1)) is not None


async def note_opened(work: Work, referral: Referral, recipient: Recipient, how: ToldHow) -> None:
    """Record that an agency has the details, and stop the deadline. May be called twice."""
    recipient.read_at, recipient.read_revision = work.now, referral.revision
    if recipient.details_at is not None:
        return
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    recipient.details_at = work.now
    note(work, referral, LogKind.DETAILS_OPENED, By(Via.PROGRAM, agency.code), way=how)
    if referral.recipient_id == recipient.id:
        await tracking.stop(work, referral, DeadlineKind.DETAILS)


async def _was_told(work: Work, referral: Referral, agency: Agency, recipient: Recipient) -> bool:
    """Return whether an agency was told all that it is told now, also what was confirmed since."""
    if await more_written(work, referral, agency, recipient):
        return False
    each = select(Disclosure.fields).where(Disclosure.recipient_id == recipient.id)
    told = {path for fields in await work.session.scalars(each) for path in fields}
    return told.issuperset(await needed_by(work, referral, agency))


# -- later answers -------------------------------------------------------------------------------


async def more_written(
    work: Work, referral: Referral, agency: Agency, recipient: Recipient
) -> bool:
    """Return whether answers that an agency is told were written since it last knew them."""
    read = recipient.read_revision
    if read is None:
        return False
    told = await needed_by(work, referral, agency)
    return any(referral.versions.get(path, 0) > read for path in told)


async def note_written(work: Work, referral: Referral, paths: Iterable[str]) -> None:
    """Announce new answers of a locked referral to its agency, within a minute."""
    if referral.recipient_id is None or ReferralState(referral.state) not in HELD:
        return
    agency = await work.session.get(Agency, referral.agency_id)
    assert agency is not None
    if set(paths) & set(await needed_by(work, referral, agency)):
        await announce_soon(work, referral)


async def announce_soon(work: Work, referral: Referral) -> None:
    """Tell the agency that holds a locked referral, within a minute, that there is news."""
    if referral.recipient_id is None or ReferralState(referral.state) not in HELD:
        return
    if referral.update_due_at is not None:
        return
    due = work.now + _GATHERED
    if referral.announced_at is not None:
        due = max(due, referral.announced_at + ANNOUNCED_EVERY)
    referral.update_due_at = due
    work.defer(Task.ANNOUNCE_UPDATE, delay=due - work.now, referral_id=str(referral.id))


async def announce_update(work: Work, referral_id: UUID) -> None:
    """Tell the agency that holds a referral, by each of its channels, that more was written."""
    referral = await lock_referral(work, referral_id)
    due = referral.update_due_at
    if due is None:
        return
    if due > work.now:
        work.defer(Task.ANNOUNCE_UPDATE, delay=due - work.now, referral_id=str(referral_id))
        return
    referral.update_due_at = None
    if referral.recipient_id is None or ReferralState(referral.state) not in HELD:
        return
    recipient = await work.session.get(Recipient, referral.recipient_id, populate_existing=True)
    assert recipient is not None
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    referral.announced_at = work.now
    note(work, referral, LogKind.UPDATE_ANNOUNCED, By(Via.PROGRAM, agency.code))
    for system in systems_of(agency):
        await system.update(work, referral, agency, recipient)
    # An agency that has not read since the last message finds everything behind its current link.
    # If it can open nothing there, the owner may have seen the last notice already.
    if (
        recipient.read_at is None
        or (recipient.announced_at or recipient.read_at) > recipient.read_at
    ):
        if not await waits_to_ring(work, referral, agency, RingAbout.DETAILS):
            tell_to_ring(work, referral, agency)
        return
    recipient.announced_at = work.now
    lives = tracking.protocol_of(work, referral).link_lives
    await send_links(work, referral, agency, recipient.id, lives=lives, purpose=Purpose.UPDATE)
    tell_to_ring(work, referral, agency)
