"""Requests about a person's data and their reports outlast no erasure, and none falls silent."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.errors import Conflict, NotAllowed
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.retention.data_requests import (
    answering,
    deadlines,
    ending,
    erasing,
    letters,
    reminding,
    requests,
)
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    RequestBasis,
    RequestEnd,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest, RequestFile, RequestItem
from app.retention.data_requests.searched import sought_of
from app.safekeeping import notices
from app.safekeeping.models import AdministratorNoticeKind
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.work import PROGRAM, Work
from tests.support.planted import as_person
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import (
    NUMBER,
    WORDS,
    a_caller,
    a_person,
    approved,
    erase,
    found_by,
    reminders,
)
from tests.support.verbs import a_counsellor, a_supervisor, rings

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

S = RequestState


async def count(work: Work, model: Any, request: DataRequest) -> int:
    rows = select(func.count()).select_from(model).where(model.request_id == request.id)
    found: int | None = await work.session.scalar(rows)
    return found or 0


async def _told_by_erasing(work: Work, request: DataRequest) -> list[tuple[str, str]]:
    """Carry an erasure out; return who is told that which of their requests has ended, sorted."""
    work.actor = PROGRAM
    for kind in ItemKind:
        await erasing.erase_some(work, request.id, kind)
    await flush(work)
    await erasing.finish(work, request.id)
    jobs = [job.arguments for job in work.jobs if job.task == Task.TELL_REQUEST_ENDED]
    return sorted((job["staff_id"], job["state"]) for job in jobs)


@pytest.mark.situation(by=a_caller)
async def test_neither_a_report_nor_another_request_outlasts_an_erasure(work: Work) -> None:
    boss, _, _ = await a_caller(work)
    work.settings.smtp_url, boss.email = "smtp://127.0.0.1:1", "boss@x.example"
    other_number = "+381641999999"
    await rings(work, "CA9", From=other_number)
    seen = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, seen)
    await answering.keep_files(work, seen.id, {"json": b"What is held about her"})
    # One is prepared, one is asked, and of one the report is being made.
    prepared = await found_by(work, boss)
    asked = await found_by(work, boss)
    await requests.ask(work, boss, asked.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS)
    made = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, made)
    of_another = await found_by(work, boss, other_number)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    work.jobs.clear()
    ended = await _told_by_erasing(work, request)
    assert {*ended} == {(str(boss.id), "expired"), (str(boss.id), "overtaken")}
    await flush(work)
    assert seen.state == S.EXPIRED
    assert await count(work, RequestFile, seen) == 0
    with pytest.raises(Conflict, match="no report to open"):
        await answering.open_report(work, boss, seen.id, "json")
    for one in (prepared, asked, made):
        await work.session.refresh(one)
        assert (one.state, one.sought_sealed, one.done_at) == (S.LAPSED, None, work.now)
        assert await count(work, RequestItem, one) == 0
    # What the report has read before the erasure is not kept after it.
    await answering.keep_files(work, made.id, {"json": b"What is held about her"})
    assert await count(work, RequestFile, made) == 0
    assert of_another.state == S.FOUND
    assert sought_of(work, of_another).numbers == [other_number]
    told = await work.session.scalars(
        select(AuditEntry.subject).where(AuditEntry.action == AuditLog.DATA_REQUEST_LAPSED)
    )
    assert set(told) == {f"data_request:{one.id}" for one in (prepared, asked, made)}


@nightly
@pytest.mark.situation(by=a_caller)
async def test_a_larger_request_loses_the_rows_that_another_erased_and_goes_on(work: Work) -> None:
    boss, _, _ = await a_caller(work)
    other_number = "+381641999999"
    call, _ = await rings(work, "CA9", From=other_number)
    await work.session.execute(
        text("UPDATE calls SET state = 'ended', outcome = 'lost', ended_at = :now WHERE id = :id"),
        {"now": work.now, "id": call.id},
    )
    larger = await found_by(work, boss, f"{NUMBER}, {other_number}")
    await requests.ask(
        work, boss, larger.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
    )
    prepared = await found_by(work, boss, f"{NUMBER}, {other_number}", RequestKind.ACCESS)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    for one in (larger, prepared):
        await work.session.refresh(one)
        assert {item.kind for item in await requests.items_of(work, one)} == {ItemKind.CALL}
    assert (larger.state, prepared.state) == (S.ASKED, S.FOUND)
    told = await work.session.scalars(
        select(AuditEntry.detail).where(
            AuditEntry.action == AuditLog.DATA_REQUEST_KEPT,
            AuditEntry.subject == f"data_request:{larger.id}",
        )
    )
    assert [one for one in told.all() if one["after"] == {"call": 1}] != []
    mila = await work.session.scalar(select(Staff).where(Staff.name == "mila"))
    assert mila is not None
    as_person(work, mila)
    await requests.decide(work, mila, larger.id, approve=True)
    await erase(work, larger)
    assert (larger.state, larger.counts) == (S.DONE, {"call": 1})


@nightly
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.situation(by=a_caller)
async def test_who_began_what_ended_by_itself_is_told(work: Work, left: bool) -> None:
    """A leaver is not: then the officers are, each once.

    By day the one who began them is, where neither a report nor another request outlasts an
    erasure.
    """
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_caller(work)
    nora = await a_supervisor(work, "nora")
    for one in (boss, nora):
        one.email = f"{one.name}@x.example"
    for _ in range(2):
        seen = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
        await approved(work, boss, seen)
        await answering.keep_files(work, seen.id, {"json": b"What is held about her"})
    old = await found_by(work, boss)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    boss.active = not left
    ended = await _told_by_erasing(work, request)
    person = nora if left else boss
    assert ended == [(str(person.id), "expired"), (str(person.id), "overtaken")]
    for end in RequestEnd:
        letter = await letters.letter_of(work, person.id, end)
        assert letter is not None
        assert letter[0] == person.email
        assert not [one.code for one in (old, request, seen) if one.code in "".join(letter)]


async def test_the_letter_of_each_end_says_in_whole_sentences_what_can_be_done(work: Work) -> None:
    boss = await a_supervisor(work)
    boss.email = "boss@x.example"
    await flush(work)
    for end in RequestEnd:
        letter = await letters.letter_of(work, boss.id, end)
        assert letter is not None
        assert letter[0] == boss.email
        # The last of them says what can be done.
        assert 2 <= letter[2].count(". ") + letter[2].count(".\n") <= 3
        assert letter[2][0].isupper()


@pytest.mark.situation
async def test_a_request_ends_by_no_waiting_and_is_told_each_day_when_it_is_overdue(
    work: Work,
) -> None:
    """All are told who answer and decide, also of one that is approved and not carried out."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    prepared, stuck = await found_by(work, boss), await found_by(work, boss)
    await approved(work, boss, stuck)
    work.actor = PROGRAM
    nora = await a_supervisor(work, "nora")
    mila = await work.session.scalar(select(Staff).where(Staff.name == "mila"))
    assert mila is not None
    for one in (boss, nora, mila):
        one.email = f"{one.name}@x.example"
    by = deadlines.answer_by(work, prepared)
    assert by is not None
    await flush(work)
    work.now += timedelta(days=20)
    assert await reminding.remind(work) == 1
    assert reminders(work) == [(str(boss.id), "found", str(by))]
    # The last hour of its day is not over yet.
    while deadlines.day_of(work, work.now) < by:
        work.now += timedelta(hours=6)
    assert (await reminding.remind(work), deadlines.is_overdue(work, prepared)) == (0, False)
    work.now += timedelta(days=1)
    everyone = sorted((str(one.id), "overdue", str(by)) for one in (boss, nora, mila))
    for _ in range(2):
        assert await reminding.remind(work) == 2
        assert reminders(work) == everyone
        assert await reminding.remind(work) == 0
        work.now += timedelta(days=1)
    assert await answering.forget_reports(work.ground) == 0
    await work.session.refresh(prepared)
    assert (prepared.state, deadlines.is_overdue(work, stuck)) == (S.FOUND, True)
    assert await count(work, RequestItem, prepared) > 0
    as_person(work, boss)
    await requests.withdraw(work, boss, prepared.id)
    assert (deadlines.answer_by(work, prepared), deadlines.is_near(work, prepared)) == (None, False)


@pytest.mark.situation
async def test_who_asked_for_a_report_that_cannot_be_made_is_told(work: Work) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    boss.email = "boss@x.example"
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, request)
    work.actor = PROGRAM
    await answering.fail(work, request.id)
    assert request.state == S.FAILED
    jobs = [job.arguments for job in work.jobs if job.task == Task.TELL_REQUEST_ENDED]
    assert [(job["staff_id"], job["state"]) for job in jobs] == [(str(boss.id), "failed")]


@pytest.mark.situation
async def test_another_officer_withdraws_what_a_leaver_began(work: Work) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    own = await found_by(work, boss)
    nora = await a_supervisor(work, "nora")
    ana = await a_counsellor(work, "ana")
    boss.email, nora.email = "boss@x.example", "nora@x.example"
    await requests.withdraw(work, boss, own.id)
    with pytest.raises(NotAllowed):
        await requests.withdraw(work, ana, request.id)
    as_person(work, nora)
    await requests.withdraw(work, nora, request.id)
    jobs = [job.arguments for job in work.jobs if job.task == Task.TELL_REQUEST_ENDED]
    assert [(job["staff_id"], job["state"]) for job in jobs] == [(str(boss.id), "withdrawn")]
    await flush(work)
    assert (request.state, request.sought_sealed) == (S.WITHDRAWN, None)
    assert await count(work, RequestItem, request) == 0


async def a_report(work: Work, boss: Staff) -> DataRequest:
    """A report that can be opened for a few days."""
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, request)
    work.actor = PROGRAM
    await answering.keep_files(work, request.id, {"json": b"What is held about her"})
    await flush(work)
    return request


async def is_alarm(work: Work) -> bool:
    return AdministratorNoticeKind.REQUEST_OVERDUE in await notices.late_now(work)


@pytest.mark.situation
async def test_a_report_answers_the_person_when_it_was_opened(work: Work) -> None:
    boss, _, _ = await a_person(work)
    request = await a_report(work, boss)
    assert deadlines.answer_by(work, request) == deadlines.first_day(work, request)
    as_person(work, boss)
    await answering.open_report(work, boss, request.id, "json")
    first = work.now
    work.now += timedelta(hours=1)
    await answering.open_report(work, boss, request.id, "json")
    await work.session.refresh(request)
    assert (request.opened_at, deadlines.answer_by(work, request)) == (first, None)
    # Nothing more is to be answered when its days are over.
    work.now += timedelta(days=60)
    assert await answering.expire_files(work) == 1
    assert (request.state, deadlines.is_overdue(work, request)) == (S.EXPIRED, False)
    assert not await is_alarm(work)
    with pytest.raises(Conflict, match="already been decided"):
        await requests.withdraw(work, boss, request.id)


@pytest.mark.parametrize("how", by_day(["failed", "unopened", "erased"]))
@pytest.mark.situation
async def test_a_person_without_a_report_is_told_each_day_until_the_request_is_closed(
    work: Work, how: str
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    boss.email = "boss@x.example"
    request = await _without_report(work, boss, how)
    work.jobs.clear()
    by = deadlines.answer_by(work, request)
    assert by is not None
    # It is said before the day is over, and on each day after it.
    work.now = request.began_at + timedelta(days=20)
    assert await reminding.remind(work) == 1
    assert reminders(work) == [(str(boss.id), "unopened", str(by))]
    assert not await is_alarm(work)
    work.now += timedelta(days=40)
    for _ in range(2):
        assert (await reminding.remind(work), await is_alarm(work)) == (1, True)
        assert reminders(work) == [(str(boss.id), "overdue", str(by))]
        work.now += timedelta(days=1)
    as_person(work, boss)
    if how == "failed":
        again = await requests.find(
            work, boss, RequestKind.ACCESS, AskingPerson.CHILD, NUMBER, replaces=request.id
        )
        await flush(work)
        assert request.replaced_by == again.id
        # It is overdue itself: the person has waited since that day.
        assert deadlines.answer_by(work, again) == by
        assert deadlines.is_overdue(work, again)
        await requests.withdraw(work, boss, again.id)
    else:
        await requests.withdraw(work, boss, request.id)
        assert (request.state, request.counts, request.kept) == (S.WITHDRAWN, {}, {})
    await flush(work)
    work.actor = PROGRAM
    assert (await reminding.remind(work), await is_alarm(work)) == (0, False)
    assert deadlines.answer_by(work, request) is None


async def _without_report(work: Work, boss: Staff, how: str) -> DataRequest:
    if how == "failed":
        request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
        await approved(work, boss, request)
        work.actor = PROGRAM
        await answering.fail(work, request.id)
    else:
        request = await a_report(work, boss)
        if how == "unopened":
            work.now += timedelta(days=8)
            assert await answering.expire_files(work) == 1
        else:
            await ending.end_others(work, request.id)
    await flush(work)
    assert request.state == (S.FAILED if how == "failed" else S.EXPIRED)
    return request


@pytest.mark.situation
async def test_another_officer_takes_over_the_report_of_a_leaver(work: Work) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    nora, rada = await a_supervisor(work, "nora"), await a_supervisor(work, "rada")
    nora.email, rada.email = "nora@x.example", "rada@x.example"
    ana = await a_counsellor(work, "ana")
    request = await a_report(work, boss)
    work.jobs.clear()
    mila = await work.session.scalar(select(Staff).where(Staff.name == "mila"))
    assert mila is not None
    as_person(work, nora)
    # The officer is there: it stays theirs.
    with pytest.raises(NotAllowed):
        await answering.take_over(work, nora, request.id)
    boss.active = False
    with pytest.raises(NotAllowed):
        await answering.open_report(work, nora, request.id, "json")
    # No counsellor, and not who has decided it.
    mila.role = "supervisor"
    for wrong in (ana, mila):
        with pytest.raises(NotAllowed):
            await answering.take_over(work, wrong, request.id)
    await answering.take_over(work, nora, request.id)
    await flush(work)
    assert requests.may_read_whom(nora, request)
    assert not requests.may_read_whom(boss, request)
    boss.active = True
    for wrong in (boss, rada):
        with pytest.raises(NotAllowed):
            await answering.take_over(work, wrong, request.id)
        with pytest.raises(NotAllowed):
            await answering.open_report(work, wrong, request.id, "json")
    work.actor, work.now = PROGRAM, request.began_at + timedelta(days=20)
    assert await reminding.remind(work) == 1
    assert [(id_, state) for id_, state, _ in reminders(work)] == [(str(nora.id), "unopened")]
    work.now = request.began_at + timedelta(days=1)
    # The person who took it over is an officer no more: the next one may.
    nora.role = "counsellor"
    as_person(work, rada)
    await answering.take_over(work, rada, request.id)
    assert await answering.open_report(work, rada, request.id, "json")
    await flush(work)
    logged = await work.session.scalars(
        select(AuditEntry.detail)
        .where(AuditEntry.action == AuditLog.DATA_REQUEST_TAKEN_OVER)
        .order_by(AuditEntry.id)
    )
    assert [(one["before"]["staff_id"], one["after"]["staff_id"]) for one in logged] == [
        (str(boss.id), str(nora.id)),
        (str(nora.id), str(rada.id)),
    ]
    # When its days are over there is nothing to take over.
    work.now += timedelta(days=8)
    with pytest.raises(Conflict, match="no report to open"):
        await answering.take_over(work, rada, request.id)


@pytest.mark.parametrize("left", by_day([True, False]))
@pytest.mark.situation
async def test_the_officers_are_told_of_a_report_whose_own_one_has_left(
    work: Work, left: bool
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    nora = await a_supervisor(work, "nora")
    boss.email, nora.email = "boss@x.example", "nora@x.example"
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, request)
    boss.active = not left
    work.actor = PROGRAM
    work.jobs.clear()
    await answering.keep_files(work, request.id, {"json": b"What is held about her"})
    told = [(id_, state) for id_, state, _ in reminders(work)]
    assert told == ([(str(nora.id), "unopened")] if left else [])
