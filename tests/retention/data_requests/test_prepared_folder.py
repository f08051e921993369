"""The folder with the lists of what is erased is prepared once; a list is written only there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyrage import x25519
from sqlalchemy import delete, select, text

from app.api import operations
from app.demo import live
from app.jobs.transaction import flush
from app.retention.data_requests import lists, preparing
from app.retention.data_requests.preparing import Became
from app.safekeeping import erasure_folder, notices
from app.safekeeping.backups.places import BackupRefused
from app.safekeeping.erasure_folder import MARKER
from app.safekeeping.models import ErasureFolder
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work
from tests.support.retention.requested import a_person, approved, found_by


@pytest.fixture
def disk(work: Work, tmp_path: Path) -> Path:
    """The folder on its disk."""
    target = tmp_path / "disk"
    target.mkdir()
    work.settings.erasure_target = target
    work.settings.backup_recipients = str(x25519.Identity.generate().to_public())
    return target / "erased"


async def _refused(work: Work, why: str, *, anew: bool = False) -> None:
    with pytest.raises(BackupRefused, match=why):
        await preparing.prepare(work, anew=anew)


async def _became(work: Work, *, anew: bool = False) -> Became:
    return (await preparing.prepare(work, anew=anew)).became


@pytest.mark.situation
async def test_a_first_erasure_waits_until_the_folder_is_prepared_and_makes_none(
    work: Work, disk: Path
) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    # Also one that lies beneath a disk that is away.
    for empty in (False, True):
        if empty:
            disk.mkdir()
        with pytest.raises(lists.ListNotWritten, match="is not prepared"):
            await lists.keep_list(work, request.id, whole=False)
        assert not empty or list(disk.iterdir()) == []
        assert disk.exists() is empty
    assert await _became(work) is Became.PREPARED
    await lists.keep_list(work, request.id, whole=False)
    assert len(list(disk.glob("*.list"))) == 1
    # The disk is away, and there is a folder in its place.
    disk.rename(disk.parent / "away")
    for empty in (False, True):
        if empty:
            disk.mkdir()
        with pytest.raises(lists.ListNotWritten, match="Bring its disk back"):
            await lists.keep_list(work, request.id, whole=False)
        await _refused(work, "its disk is away")
        assert not empty or list(disk.iterdir()) == []


async def test_a_folder_is_prepared_once_and_anew_only_where_that_is_said(
    work: Work, disk: Path
) -> None:
    assert await _became(work) is Became.PREPARED
    assert await _became(work) is Became.READY
    former = disk.rename(disk.parent / "former")
    await _refused(work, "run it again with --new")
    first = await erasure_folder.known_to(work)
    assert await _became(work, anew=True) is Became.PREPARED
    second = await erasure_folder.known_to(work)
    erasure_folder.check(disk, second)
    with pytest.raises(BackupRefused, match="is not the folder that was prepared last"):
        erasure_folder.check(former, second)
    await flush(work)
    told = await work.session.scalars(
        select(AuditEntry.detail)
        .where(AuditEntry.action == AuditLog.ERASURE_FOLDER_PREPARED)
        .order_by(AuditEntry.id)
    )
    markers = [(one["before"]["marker"], one["after"]["marker"]) for one in told]
    assert markers == [(None, str(first)), (str(first), str(second))]


async def test_after_a_restore_the_folder_is_known_by_its_marker(work: Work, disk: Path) -> None:
    await preparing.prepare(work)
    marker = await erasure_folder.known_to(work)
    await work.session.execute(delete(ErasureFolder))
    assert await _became(work) is Became.FOUND
    assert await erasure_folder.known_to(work) == marker
    await work.session.execute(delete(ErasureFolder))
    # That of another database is refused, whatever is said.
    values = json.loads((disk / MARKER).read_text()) | {"id": str(uuid4())}
    (disk / MARKER).write_text(json.dumps(values))
    for anew in (False, True):
        await _refused(work, "of another database", anew=anew)
    (disk / MARKER).write_text("{")
    await _refused(work, "cannot be read")


async def test_where_lists_may_be_elsewhere_an_empty_folder_is_not_taken_by_itself(
    work: Work, disk: Path
) -> None:
    await work.session.execute(
        text(
            "INSERT INTO data_requests (id, code, kind, person, state, began_at, asked_role,"
            " decided_role, decided_at) VALUES (gen_random_uuid(), 'D-1', 'erasure', 'child',"
            " 'done', :at, 'supervisor', 'admin', :at)"
        ),
        {"at": work.now},
    )
    await _refused(work, "Only if you are sure that no list is elsewhere")
    assert not disk.exists()
    disk.parent.rmdir()
    await _refused(work, "Bring its disk, or make the folder")
    work.settings.erasure_target = None
    await _refused(work, "Say where")


async def test_the_demo_prepares_its_folder_by_itself(
    work: Work, disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def same(*_: Any) -> AsyncIterator[Work]:
        yield work

    monkeypatch.setattr(live, "transaction", same)
    disk.parent.rmdir()
    for _ in range(2):
        await live.prepare_lists(work.ground)
    erasure_folder.check(disk, await erasure_folder.known_to(work))
    assert capsys.readouterr().out == ""
    disk.rename(disk.parent / "away")
    await live.prepare_lists(work.ground)
    assert "its disk is away" in capsys.readouterr().out


async def test_a_letter_says_what_is_missing(work: Work, disk: Path) -> None:
    assert await notices.lists_wait(work.ground, None)
    await preparing.prepare(work)
    marker = await erasure_folder.known_to(work)
    assert not await notices.lists_wait(work.ground, marker)
    disk.rename(disk.parent / "away")
    assert await notices.lists_wait(work.ground, marker)
    assert operations.of_lists(work.settings, None) == (
        "not prepared: run helpline data-requests prepare-folder"
    )
    assert operations.of_lists(work.settings, marker) == "well"
    work.settings.erasure_target = None
    assert not await notices.lists_wait(work.ground, marker)
    assert operations.of_lists(work.settings, None) == "not set up"
