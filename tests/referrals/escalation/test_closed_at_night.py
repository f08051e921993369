"""Agencies that are closed at night are asked in the morning, and our people hear so meanwhile."""

from datetime import timedelta

from sqlalchemy import func, select

from app.contacts.models import RecordEvent
from app.demo.stage import MONDAY
from app.jobs.transaction import flush
from app.referrals.channels.models import Attempt
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.escalation.trying import escalate_on
from app.referrals.models import Notice, Recipient, Referral
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral

FIRST = "+381113000000"


async def _goes_on_for(work: Work, referral: Referral, time: timedelta) -> None:
    """Take each turn that is due within a time."""
    until = work.now + time
    while referral.escalates_at is not None and referral.escalates_at <= until:
        work.now = max(work.now, referral.escalates_at)
        await escalate_on(work, referral)
        await flush(work)
    work.now = until


async def test_they_are_not_offered_what_they_cannot_hear_of_and_fill_no_log(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    work.now = MONDAY.replace(hour=1)
    for n in range(4):
        phones = (Phone(f"+38111300000{n}", "Mo-Fr 08:00-16:00"),)
        await save_agency(
            work, Entry(f"day-{n}", f"Day {n}", "shelter", ("shelter",), duty_phones=phones)
        )
    referral = await a_referral(work, ana)
    await _goes_on_for(work, referral, timedelta(minutes=25))
    assert (await work.session.scalars(select(Recipient))).all() == []
    written = select(func.count()).where(RecordEvent.subject_id == referral.id)
    number = await work.session.scalar(written)
    assert number is not None
    assert 0 < number < 25, number
    assert "no_agency_left" in set(await work.session.scalars(select(Notice.kind)))
    work.now += timedelta(hours=7)
    await _goes_on_for(work, referral, timedelta(minutes=1))
    rung = list(await work.session.scalars(select(Attempt.target).order_by(Attempt.number)))
    assert rung[:1] == [FIRST], "in the morning they are asked"
