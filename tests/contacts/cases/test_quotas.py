"""How many documents a person may add in a day, and how many a case may hold."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.contacts.cases import cases, documents, people
from app.contacts.cases.details import Details
from app.contacts.cases.models import CaseDocument
from app.contacts.cases.quotas import CaseIsFull, DayIsFull, Reached, limits_reached
from app.contacts.models import Case
from app.errors import BadSettings, Refusal
from app.jobs.transaction import flush
from app.reading_settings import check_settings
from app.settings import Settings
from app.staff.accounts import actor_of
from app.staff.audit import EntriesWanted, list_entries, write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_counsellor

MEGABYTE = 1024 * 1024


def bounded(work: Work, **limits: int) -> Work:
    settings = work.ground.settings.model_copy(update=limits)
    return replace(work, ground=replace(work.ground, settings=settings))


async def add(work: Work, staff: Staff, case: Case, size: int = 10) -> CaseDocument:
    checked = documents.Checked(
        "a.pdf", b"x" * size, "application/pdf", Details.KEEP, "not_scanned", []
    )
    return await documents.add_document(work, staff, case.id, checked)


@pytest.fixture
async def logged(work: Work, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which limits the log was told of; the rows are committed beside the request."""
    found: list[str] = []

    async def write(_: Work, action: AuditLog, subject: str, **detail: Any) -> None:
        assert action is AuditLog.DOCUMENT_LIMIT_REACHED
        assert subject == "document_limits"
        found.append(detail["limit"])

    monkeypatch.setattr("app.contacts.cases.quotas.write_reading", write)
    return found


@pytest.mark.parametrize(
    ("limits", "sizes", "refusal", "limit"),
    [
        ({"documents_per_day": 2}, [1, 1, 1], DayIsFull, "documents_per_day"),
        (
            {"document_megabytes_per_day": 1},
            [MEGABYTE // 2, MEGABYTE // 2, 1],
            DayIsFull,
            "document_megabytes_per_day",
        ),
        ({"documents_per_case": 2}, [1, 1, 1], CaseIsFull, "documents_per_case"),
        (
            {"document_megabytes_per_case": 1},
            [MEGABYTE // 2, MEGABYTE // 2, 1],
            CaseIsFull,
            "document_megabytes_per_case",
        ),
    ],
)
async def test_more_than_that_is_refused_with_what_to_do_and_the_case_is_written_on(
    work: Work,
    logged: list[str],
    limits: dict[str, int],
    sizes: list[int],
    refusal: type[Refusal],
    limit: str,
) -> None:
    work = bounded(work, **limits)
    ana = await a_counsellor(work, "ana")
    work.actor = actor_of(ana)
    case = await cases.open_case(work, ana, [])
    for size in sizes[:-1]:
        await add(work, ana, case, size)
    with pytest.raises(refusal, match="Write what is urgent as a note or in the form") as refused:
        await add(work, ana, case, sizes[-1])
    assert str(next(iter(limits.values()))) in refused.value.detail
    assert logged == [limit]
    # Only files are refused.
    await cases.add_note(work, ana, case.id, "He is at the door.")
    await flush(work)


async def test_the_day_of_a_person_is_that_of_the_helpline_and_counts_what_was_removed(
    work: Work, logged: list[str]
) -> None:
    work = bounded(work, documents_per_day=2, documents_per_case=3)
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    work.actor = actor_of(ana)
    case = await cases.open_case(work, ana, [])
    await people.add_member(work, ana, case.id, "bora")
    first = await add(work, ana, case)
    await add(work, ana, case)
    await documents.remove_document(work, ana, case.id, first.id, "It is another child's.")
    with pytest.raises(DayIsFull):
        await add(work, ana, case)
    # A colleague adds it; then the case has two of three again, and then three.
    await add(work, bora, case)
    await add(work, bora, case)
    with pytest.raises(CaseIsFull):
        await add(bounded(work, documents_per_day=10), bora, case)
    await documents.remove_document(work, ana, case.id, (await newest(work)).id, "Twice the same.")
    # Tomorrow begins at midnight in Belgrade, an hour before that of UTC.
    midnight = work.now.replace(hour=23, minute=0, second=1, microsecond=0)
    work.now = midnight - timedelta(seconds=2)
    with pytest.raises(DayIsFull):
        await add(work, ana, case)
    work.now = midnight
    await add(work, ana, case)


async def newest(work: Work) -> CaseDocument:
    found = await work.session.scalars(
        select(CaseDocument)
        .where(CaseDocument.removed_at.is_(None))
        .order_by(CaseDocument.at.desc())
        .limit(1)
    )
    return found.one()


async def test_two_files_at_once_do_not_pass_the_limit_together(
    work: Work, logged: list[str]
) -> None:
    work = bounded(work, documents_per_day=1)
    ana = await a_counsellor(work, "ana")
    work.actor = actor_of(ana)
    case = await cases.open_case(work, ana, [])
    await add(work, ana, case)
    async with work.ground.database.engine.connect() as connection:
        # Another process, of the same person and another case, has to wait for this one.
        other = AsyncSession(connection)
        lock = func.pg_try_advisory_xact_lock(116_134, func.hashtext(str(ana.id)))
        assert await other.scalar(select(lock)) is False
        await other.close()


async def test_the_log_is_told_once_a_day(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(inside: Work, action: AuditLog, subject: str, **detail: Any) -> None:
        write_entry(inside, action, subject, **detail)
        await flush(inside)

    monkeypatch.setattr("app.contacts.cases.quotas.write_reading", write)
    work = bounded(work, documents_per_day=1)
    ana = await a_counsellor(work, "ana")
    work.actor = actor_of(ana)
    case = await cases.open_case(work, ana, [])
    await add(work, ana, case)
    for _ in range(3):
        with pytest.raises(DayIsFull):
            await add(work, ana, case)
    wanted = EntriesWanted(action=AuditLog.DOCUMENT_LIMIT_REACHED.value, actor=str(ana.id))
    (entry,) = await list_entries(work, wanted)
    assert entry.detail == {"limit": "documents_per_day", "most": 1, "case": str(case.id)}
    assert await limits_reached(work) == [Reached(work.now, "ana", "documents_per_day", 1)]


def test_limits_that_let_no_document_in_are_refused() -> None:
    with pytest.raises(BadSettings, match="one document must fit"):
        check_settings(Settings(document_megabytes=20, document_megabytes_per_day=10))
