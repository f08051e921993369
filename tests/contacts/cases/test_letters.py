"""Which of our own people get a letter about a request or a follow-up, and what each one says."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.contacts.cases import case_requests, cases, follow_ups
from app.contacts.states import FollowUpAbout, ReminderTo, RequestTo
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_counsellor, a_supervisor


async def _people(work: Work) -> Staff:
    """Return ana, whose team is led by vera; nora leads the team north. All have an address."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    ana = await a_counsellor(work, "ana")
    for person in (ana, await a_supervisor(work), await a_supervisor(work, "nora", "north")):
        person.email = f"{person.name}@example.org"
    await work.session.flush()
    return ana


def _deferred(work: Work, task: Task) -> list[tuple[str, timedelta | None]]:
    """Return for each deferred letter who it is for, and after what time it is sent."""
    return [(job.arguments["to"], job.delay) for job in work.jobs if job.task == task]


async def test_a_request_goes_to_who_decides_it_and_after_a_day_to_the_supervisors(
    work: Work,
) -> None:
    ana = await _people(work)
    case = await cases.open_case(work, ana, [])
    request = await case_requests.ask_transfer(
        work, ana, case.id, name="", team="north", reason="She lives there now."
    )
    (first, at_once), (second, later) = _deferred(work, Task.MAIL_REQUEST)
    # Letters that wait to be sent over an update carry these codes.
    assert (first, second) == ("deciders", "supervisors")
    assert (at_once, later) == (None, timedelta(days=1))
    told = [
        (address, body.split("\n")[0])
        for to in (first, second)
        for _, address, _, body in await case_requests.letters_of(work, request.id, RequestTo(to))
    ]
    assert told == [
        ("nora@example.org", "Please decide."),
        ("vera@example.org", "It has been undecided for a day."),
    ]


async def test_a_follow_up_goes_to_its_owner_and_overdue_a_day_later_to_the_supervisors(
    work: Work,
) -> None:
    ana = await _people(work)
    case = await cases.open_case(work, ana, [])
    due = await follow_ups.add_follow_up(work, case, ana, FollowUpAbout.CHECK, days=3)
    await work.session.flush()
    assert await _told(work, due.id, overdue=False) == [
        ("ana@example.org", f"{case.code}: a follow-up is due today")
    ]
    subject = f"{case.code}: a follow-up is overdue"
    assert await _told(work, due.id, overdue=True) == [
        ("ana@example.org", subject),
        ("vera@example.org", subject),
    ]


async def test_a_closed_case_reminds_of_nothing(work: Work) -> None:
    ana = await _people(work)
    case = await cases.open_case(work, ana, [])
    due = await follow_ups.add_follow_up(work, case, ana, FollowUpAbout.CHECK, days=3)
    case.status = "closed"
    await work.session.flush()
    for overdue in (False, True):
        assert await _told(work, due.id, overdue=overdue) == []
    assert (due.reminded_at, due.overdue_at) == (None, None)
    case.status = "in_progress"
    assert await _told(work, due.id, overdue=True) != []


async def test_a_reminder_waits_for_a_server_that_has_not_read_the_workflow_of_the_case(
    work: Work,
) -> None:
    """Another process put it in force: the job is tried again, and not given up."""
    ana = await _people(work)
    case = await cases.open_case(work, ana, [])
    due = await follow_ups.add_follow_up(work, case, ana, FollowUpAbout.CHECK, days=3)
    case.workflow_version += 1
    await work.session.flush()
    with pytest.raises(PASSING):
        await follow_ups.ring_bell(work, due.id, overdue=False)
    with pytest.raises(PASSING):
        await follow_ups.letters_of(work, due.id, ReminderTo.OWNER)


async def _told(work: Work, follow_up_id: UUID, *, overdue: bool) -> list[tuple[str, str]]:
    """Let a follow-up fall due or be overdue; return the address and subject of each letter."""
    work.jobs.clear()
    await follow_ups.ring_bell(work, follow_up_id, overdue=overdue)
    return [
        (address, subject)
        for to, _ in _deferred(work, Task.MAIL_FOLLOW_UP)
        for _, address, subject, _ in await follow_ups.letters_of(
            work, follow_up_id, ReminderTo(to)
        )
    ]
