"""More than the month of the law for a request: once, with a reason, and if the person was told."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.dashboard.rota.alarms import alarm_values
from app.database.bus import Bus
from app.errors import Conflict, Invalid, Message, NotAllowed
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.retention.data_requests import deadlines, extending, reminding, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    ExtensionReason,
    IdentityCheck,
    RequestBasis,
    RequestKind,
)
from app.retention.data_requests.models import DataRequest
from app.retention.due import count_due
from app.retention.kinds import DataKind
from app.retention.running import ERASERS
from app.safekeeping import notices
from app.safekeeping.models import AdministratorNoticeKind
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.words.pages import message_words
from app.work import PROGRAM, Work
from app.worker import Worker
from tests.support.planted import as_person
from tests.support.retention.requested import NUMBER
from tests.support.verbs import a_counsellor, a_line, a_supervisor, an_administrator, rings

COMPLEX = ExtensionReason.COMPLEX
WHY = "There are many records, and each is looked at."


async def begun(work: Work) -> tuple[Staff, DataRequest]:
    await a_line(work)
    boss = await a_supervisor(work)
    boss.email = "boss@x.example"
    await rings(work, From=NUMBER)
    as_person(work, boss)
    found = await requests.find(work, boss, RequestKind.ACCESS, AskingPerson.CHILD, NUMBER)
    await flush(work)
    return boss, found


async def entry(work: Work, kind: AuditLog) -> Any:
    await flush(work)
    return await work.session.scalar(select(AuditEntry.detail).where(AuditEntry.action == kind))


async def test_an_extension_moves_the_day_when_the_person_was_told(work: Work) -> None:
    boss, request = await begun(work)
    first = deadlines.first_day(work, request)
    work.now += timedelta(days=25)
    await extending.extend(work, boss, request.id, 2, COMPLEX, WHY)
    until = deadlines.extended_day(work, request)
    assert until == deadlines.months_after(deadlines.day_of(work, request.began_at), 3)
    # Not yet: the law wants the person to know.
    assert deadlines.answer_by(work, request) == first
    assert deadlines.must_be_told(request)
    logged = await entry(work, AuditLog.DATA_REQUEST_EXTENDED)
    assert (logged["because"], logged["before"], logged["after"]) == (
        "complex",
        {"extended_until": None},
        {"extended_until": str(until)},
    )
    letter = "\n".join(extending.letter_for(work, boss, request))
    assert request.code in letter
    assert WHY in letter
    assert str(until.year) in letter
    work.now += timedelta(days=1)
    await extending.note_told(work, boss, request.id)
    assert (deadlines.answer_by(work, request), deadlines.must_be_told(request)) == (until, False)
    logged = await entry(work, AuditLog.DATA_REQUEST_EXTENSION_TOLD)
    today = str(deadlines.day_of(work, work.now))
    assert logged["before"] == {"answer_by": str(first), "told_on": None}
    assert logged["after"] == {"answer_by": str(until), "told_on": today}
    assert WHY not in str((await work.session.scalars(select(AuditEntry.detail))).all())
    # Once.
    with pytest.raises(Conflict, match="extended already"):
        await extending.extend(work, boss, request.id, 1, COMPLEX, WHY)
    with pytest.raises(Conflict, match="noted already"):
        await extending.note_told(work, boss, request.id)


async def test_an_extension_is_an_officers_within_the_first_month_with_a_reason(
    work: Work,
) -> None:
    boss, request = await begun(work)
    ana = await a_counsellor(work, "ana")
    with pytest.raises(NotAllowed):
        await extending.extend(work, ana, request.id, 1, COMPLEX, WHY)
    for months, words in ((0, WHY), (3, WHY), (1, "short")):
        with pytest.raises(Invalid):
            await extending.extend(work, boss, request.id, months, COMPLEX, words)
    with pytest.raises(Conflict, match="was not extended"):
        await extending.note_told(work, boss, request.id)
    # To its last day, and no longer.
    first = deadlines.first_day(work, request)
    while deadlines.day_of(work, work.now) < first:
        work.now += timedelta(hours=6)
    assert extending.may_extend(work, request)
    work.now += timedelta(days=1)
    assert not extending.may_extend(work, request)
    with pytest.raises(Conflict, match="first month is over"):
        await extending.extend(work, boss, request.id, 1, COMPLEX, WHY)
    await requests.withdraw(work, boss, request.id)
    with pytest.raises(Conflict, match="already been decided"):
        await extending.extend(work, boss, request.id, 1, COMPLEX, WHY)


async def test_a_person_who_was_told_too_late_has_to_be_answered_at_once(work: Work) -> None:
    """A day that was in time may be noted later: what counts is when the person knew."""
    boss, request = await begun(work)
    # A colleague extends it: the officer who began it may be away.
    nora = await a_supervisor(work, "nora")
    await extending.extend(work, nora, request.id, 1, COMPLEX, WHY)
    extended = deadlines.day_of(work, work.now)
    work.now += timedelta(days=40)
    assert deadlines.is_overdue(work, request)
    today = deadlines.day_of(work, work.now)
    for wrong in (extended - timedelta(days=1), today + timedelta(days=1)):
        with pytest.raises(Invalid):
            await extending.note_told(work, boss, request.id, wrong)
    with pytest.raises(Conflict, match="does not count"):
        await extending.note_told(work, boss, request.id, today)
    await extending.note_told(work, boss, request.id, extended + timedelta(days=3))
    assert not deadlines.is_overdue(work, request)


async def test_people_are_reminded_to_tell_the_person_and_again_before_the_new_day(
    work: Work,
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, request = await begun(work)

    async def reminders() -> list[tuple[str, str]]:
        work.actor = PROGRAM
        await reminding.remind(work)
        jobs = [job.arguments for job in work.jobs if job.task == Task.REMIND_OF_REQUESTS]
        work.jobs.clear()
        assert {job["staff_id"] for job in jobs} <= {str(boss.id)}
        return [(job["state"], job["by"]) for job in jobs]

    first = deadlines.first_day(work, request)
    work.now += timedelta(days=20)
    assert await reminders() == [("found", str(first))]
    await extending.extend(work, boss, request.id, 1, COMPLEX, WHY)
    assert await reminders() == [("found", str(first)), ("untold", str(first))]
    assert await reminders() == []
    await extending.note_told(work, boss, request.id)
    until = deadlines.answer_by(work, request)
    assert until is not None
    assert await reminders() == []
    # As many days before it as before the first one.
    work.now += until - first - timedelta(seconds=1)
    assert (await reminders(), deadlines.is_near(work, request)) == ([], False)
    work.now += timedelta(seconds=1)
    assert (await reminders(), deadlines.is_near(work, request)) == ([("found", str(until))], True)


async def test_who_decides_is_reminded_though_the_person_was_not_told_of_the_extension(
    work: Work,
) -> None:
    """Until then the day is that of the first month."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, request = await begun(work)
    # The officer has not made the account of who decides.
    work.actor = PROGRAM
    mila = await an_administrator(work)
    mila.email = "mila@x.example"
    as_person(work, boss)
    await requests.ask(
        work,
        boss,
        request.id,
        RequestBasis.RIGHT_OF_ACCESS,
        IdentityCheck.DOCUMENT,
        "Her passport was seen.",
    )
    await extending.extend(work, boss, request.id, 1, COMPLEX, WHY)
    await flush(work)
    work.actor = PROGRAM
    work.now += timedelta(days=20)
    assert await reminding.remind(work) == 1
    jobs = [job.arguments for job in work.jobs if job.task == Task.REMIND_OF_REQUESTS]
    assert {(job["staff_id"], job["state"]) for job in jobs} == {
        (str(mila.id), "asked"),
        (str(boss.id), "untold"),
    }
    assert {job["by"] for job in jobs} == {str(deadlines.first_day(work, request))}
    work.jobs.clear()
    assert await reminding.remind(work) == 0


async def test_what_is_overdue_is_an_alarm_of_supervisors_and_administrators(work: Work) -> None:
    """Also without a mail server; it counts the days in the same way, to the month's last one."""
    kind = AdministratorNoticeKind.REQUEST_OVERDUE
    boss, request = await begun(work)
    request.began_at = datetime.fromisoformat("2027-01-31T22:30:00+00:00")
    seen = []
    for hours in range(24 * 27, 24 * 31, 6):
        work.now = request.began_at + timedelta(hours=hours)
        overdue = deadlines.is_overdue(work, request)
        assert (kind in await notices.late_now(work)) is overdue
        seen.append(overdue)
    assert seen == sorted(seen)
    assert set(seen) == {False, True}
    await notices.look(work)
    ((notice, _),) = (await alarm_values(work))["late"]
    assert notice.kind == kind
    # All who answer and decide have a letter each day already.
    assert Task.MAIL_SAFEKEEPING not in {job.task for job in work.jobs}
    request.extension_months, request.extension_because = 2, "complex"
    request.extended_at = request.began_at
    request.told_on = deadlines.day_of(work, request.began_at)
    await flush(work)
    assert kind not in await notices.late_now(work)
    work.now += timedelta(days=65)
    assert (kind in await notices.late_now(work)) is deadlines.is_overdue(work, request) is True
    await requests.withdraw(work, boss, request.id)
    await notices.look(work)
    assert (await alarm_values(work))["late"] == []


async def test_a_worker_looks_for_late_requests_too(work: Work) -> None:
    _, request = await begun(work)
    work.now += timedelta(days=40)
    work.ground.kept.clear()
    Worker(work.ground, Bus(work.ground.database.url))
    assert await notices.late_now(work) == {AdministratorNoticeKind.REQUEST_OVERDUE}
    assert deadlines.is_overdue(work, request)


async def test_what_was_written_to_the_person_goes_with_the_other_words(work: Work) -> None:
    boss, request = await begun(work)
    await extending.extend(work, boss, request.id, 1, COMPLEX, WHY)
    await requests.withdraw(work, boss, request.id)
    assert extending.letter_for(work, boss, request) == []
    assert request.extension_sealed is not None
    work.now += timedelta(days=31)
    kind = DataKind.DATA_REQUESTS
    assert (await count_due(work, kind, 30))[0] == 1
    await ERASERS[kind](work, [request.id], 30)
    await work.session.refresh(request)
    assert request.extension_sealed is None
    assert (await count_due(work, kind, 30))[0] == 0


async def test_the_month_begins_on_the_day_on_which_the_person_asked(work: Work) -> None:
    """A letter was in the post, or the officer was away."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, today_asked = await begun(work)
    today = deadlines.day_of(work, work.now)
    kind, person = RequestKind.ACCESS, AskingPerson.CHILD
    for wrong in (today + timedelta(days=1), deadlines.earliest_asked(work) - timedelta(days=1)):
        with pytest.raises(Invalid, match="within the last year"):
            await requests.find(work, boss, kind, person, NUMBER, wrong)
    asked = today - timedelta(days=19)
    found = await requests.find(work, boss, kind, person, NUMBER, asked)
    assert deadlines.answer_by(work, found) == deadlines.months_after(asked, 1)
    assert deadlines.asked_day(work, today_asked) == today
    await flush(work)
    days = await work.session.scalars(
        select(AuditEntry.detail["day"].astext).where(
            AuditEntry.action == AuditLog.DATA_REQUEST_BEGUN
        )
    )
    assert set(days) == {str(today), str(asked)}
    # The reminder, the letter to the person and the alarm count from it, too.
    work.actor = PROGRAM
    assert await reminding.remind(work) == 0
    work.now += timedelta(days=1)
    assert deadlines.is_near(work, found)
    assert await reminding.remind(work) == 1
    as_person(work, boss)
    await extending.extend(work, boss, found.id, 2, COMPLEX, WHY)
    assert deadlines.extended_day(work, found) == deadlines.months_after(asked, 3)
    letter = extending.letter_for(work, boss, found)[0]
    assert message_words(Message("%(day)s", day=asked)) in letter
    seen = set()
    for _ in range(14):
        work.now += timedelta(days=1)
        overdue = deadlines.is_overdue(work, found)
        late = await notices.late_now(work)
        assert (AdministratorNoticeKind.REQUEST_OVERDUE in late) is overdue
        seen.add(overdue)
    assert seen == {False, True}


async def test_a_request_that_is_begun_again_keeps_its_day(work: Work) -> None:
    boss, request = await begun(work)
    first = deadlines.answer_by(work, request)
    kind, person = RequestKind.ACCESS, AskingPerson.CHILD
    work.now += timedelta(days=27)
    # While it goes on it is not begun again.
    with pytest.raises(Conflict, match="cannot be begun again"):
        await requests.find(work, boss, kind, person, NUMBER, replaces=request.id)
    await requests.withdraw(work, boss, request.id)
    again = await requests.find(work, boss, kind, person, NUMBER, replaces=request.id)
    await flush(work)
    assert deadlines.answer_by(work, again) == first
    assert request.replaced_by == again.id
    logged = await work.session.scalars(
        select(AuditEntry.detail["replaces"].astext).where(
            AuditEntry.action == AuditLog.DATA_REQUEST_BEGUN
        )
    )
    assert set(logged) == {None, request.code}
    with pytest.raises(Conflict, match="cannot be begun again"):
        await requests.find(work, boss, kind, person, NUMBER, replaces=request.id)
    # It is a suggestion: another day may be right. One that is long ago stays as it is.
    await requests.withdraw(work, boss, again.id)
    today = deadlines.day_of(work, work.now)
    other = await requests.find(work, boss, kind, person, NUMBER, today, replaces=again.id)
    assert deadlines.asked_day(work, other) == today
    await requests.withdraw(work, boss, other.id)
    work.now += timedelta(days=400)
    late = await requests.find(work, boss, kind, person, NUMBER, today, replaces=other.id)
    assert deadlines.asked_day(work, late) == today


@pytest.mark.parametrize(
    ("began", "months", "over"),
    [
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-10-15", 3, "2027-01-15"),
    ],
)
def test_months_are_counted_from_the_first_day(began: str, months: int, over: str) -> None:
    assert deadlines.months_after(date.fromisoformat(began), months) == date.fromisoformat(over)
