"""An erasure, a restore to the moment before it, and the command that erases again."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pyrage import x25519

from app.database.own_server import as_role
from app.database.roles import OWNER
from app.database.roles import PROGRAM as ROLE
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.retention.data_requests import erasing, preparing, requests
from app.retention.data_requests.kinds import ItemKind
from app.retention.data_requests.lists import ListNotWritten
from app.retention.data_requests.models import RequestItem
from app.safekeeping import erasures
from app.safekeeping.erasure_folder import MARKER
from app.work import PROGRAM, Ground, Work, make_ground
from tests.fixtures import ReadingsOf
from tests.support.command_line import run_main
from tests.support.documents.shell import documented
from tests.support.kept.connections import close_kept
from tests.support.kept.databases import named
from tests.support.planted import planted_in
from tests.support.profile import nightly
from tests.support.retention.requested import a_person, approved, found_by

pytestmark = pytest.mark.whole

LIVE, RESTORED = "erased_live", "erased_restored"


@pytest.fixture
def databases(server: str) -> Iterator[dict[str, str]]:
    """Return the addresses of a database, and of the name under which it is restored."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {LIVE} TEMPLATE template_helpline OWNER {OWNER}")
        yield {name: as_role(named(server, name), ROLE) for name in (LIVE, RESTORED)}
        for name in (LIVE, RESTORED):
            close_kept(name)
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _approved(work: Work) -> UUID:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    return request.id


async def _nothing_is_left(ground: Ground) -> bool:
    async with transaction(ground, PROGRAM) as work:
        return not (await planted_in(work)).all


async def _carry_out_and_watch(
    monkeypatch: pytest.MonkeyPatch, server: str, ground: Ground, request_id: UUID
) -> None:
    """Erase the rest; no other job could go on with the request while its list is written."""
    free: list[str] = []
    write = erasures.write

    def watched(*words: Any, **more: Any) -> None:
        """Look whether another job could go on with the request while its list is written."""
        with psycopg.connect(named(server, LIVE)) as other:
            rows = other.execute("SELECT state FROM data_requests FOR UPDATE SKIP LOCKED")
            free.extend(state for (state,) in rows)
        write(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(erasures, "write", watched)
        await erasing.carry_out(ground, request_id)
    assert free == []


async def _lived(monkeypatch: pytest.MonkeyPatch, server: str, folder: Path) -> UUID:
    """Erase a person, with a folder that is away and a process that is killed. Return the request.

    The copy of the database is from before the request was decided.
    """
    ground = make_ground(read_settings())
    async with transaction(ground, PROGRAM) as work:
        # Elsewhere readings are committed by themselves, and would wait for this transaction.
        ground.kept["readings"] = ReadingsOf(work)
        request_id = await _approved(work)
    await ground.database.close()
    close_kept(LIVE)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {RESTORED} TEMPLATE {LIVE} OWNER {OWNER}")
        with psycopg.connect(named(server, RESTORED), autocommit=True) as restored:
            restored.execute("UPDATE data_requests SET state = 'found', decided_role = NULL")
    ground = make_ground(read_settings())
    with pytest.raises(ListNotWritten, match="is not prepared"):
        await erasing.carry_out(ground, request_id)
    async with transaction(ground, PROGRAM) as work:
        await preparing.prepare(work)
    marker = (folder / MARKER).read_bytes()
    shutil.rmtree(folder)
    folder.write_text("a file is in the way")
    with pytest.raises(ListNotWritten, match="Bring its disk back"):
        await erasing.carry_out(ground, request_id)
    folder.unlink()
    folder.mkdir()
    (folder / MARKER).write_bytes(marker)
    async with transaction(ground, PROGRAM) as work:
        assert all(one.erased_at is None for one in await _items(work, request_id))
    one_batch = erasing.one_batch

    async def killed(ground: Ground, request_id: UUID, kind: ItemKind) -> bool:
        if kind == "contact":
            raise KeyboardInterrupt
        return await one_batch(ground, request_id, kind)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "one_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            await erasing.carry_out(ground, request_id)
    assert [head.whole for head in erasures.heads_in(folder)] == [False]
    await _carry_out_and_watch(monkeypatch, server, ground, request_id)
    assert [head.whole for head in erasures.heads_in(folder)] == [True]
    assert await _nothing_is_left(ground)
    await ground.database.close()
    return request_id


async def _items(work: Work, request_id: UUID) -> list[RequestItem]:
    return await requests.items_of(work, await requests.read_request(work, request_id))


async def _on_the_restored(request_id: UUID) -> tuple[bool, str, int]:
    """Return whether nothing is left, the state of the request, and the entries of the log."""
    ground = make_ground(read_settings())
    try:
        async with transaction(ground, PROGRAM) as work:
            request = await requests.read_request(work, request_id)
            entries = await work.session.connection()
            count = await entries.exec_driver_sql(
                "SELECT count(*) FROM audit_entries WHERE action LIKE 'data_request_erased%%'"
            )
            state, told = request.state, int(count.scalar_one())
        return await _nothing_is_left(ground), state, told
    finally:
        await ground.database.close()


@nightly
def test_who_was_erased_is_erased_again_after_a_restore(
    server: str,
    databases: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By day each verb of it is tried (test_erased_again)."""
    made = x25519.Identity.generate()
    key, folder = tmp_path / "key", tmp_path / "target" / "erased"
    key.write_text(f"{made}\n")
    folder.parent.mkdir()
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("HELPLINE_ERASURE_TARGET", str(folder.parent))
    monkeypatch.setenv("HELPLINE_BACKUP_RECIPIENTS", str(made.to_public()))
    monkeypatch.setenv("HELPLINE_DATABASE_URL", databases[LIVE])
    request_id = asyncio.run(_lived(monkeypatch, server, folder))
    (before,) = erasures.heads_in(folder)

    monkeypatch.setenv("HELPLINE_DATABASE_URL", databases[RESTORED])
    here = {"helpline-backup.key": str(key), "/mnt/backups/erased": str(folder)}
    again, carry_out = documented("data-requests erase-again", here)
    assert carry_out == [*again, "--carry-out"]
    # The database does not know the folder any more, and finds it again.
    ran = [
        run_main(capsys, "data-requests", *words)
        for words in documented("data-requests prepare-folder")
    ]
    assert ran[0] == (0, f"{folder}: found again. Lists in it: 1\n")
    assert set(ran[1:]) == {(0, f"{folder}: prepared already. Lists in it: 1\n")}
    code, said = run_main(capsys, "data-requests", *again)
    assert (code, f"{before.code}\t" in said, "to erase\tcontact\t1" in said) == (1, True, True)
    assert "Nothing was erased" in said
    assert asyncio.run(_on_the_restored(request_id)) == (False, "found", 0)
    code, said = run_main(capsys, "data-requests", *again, "--carry-out")
    assert (code, "erased\tcontact\t1" in said) == (0, True), said
    assert asyncio.run(_on_the_restored(request_id)) == (True, "done", 2)
    # Back-ups since the restore hold the rows: the list lasts as long as they do.
    (after,) = erasures.heads_in(folder)
    assert after.whole
    assert after.written_at > before.written_at
    code, said = run_main(capsys, "data-requests", *again, "--carry-out")
    assert (code, "nothing is there again" in said) == (0, True)
    (path,) = erasures.paths_in(folder)
    path.write_bytes(path.read_bytes()[:-9])
    code, said = run_main(capsys, "data-requests", *again)
    assert (code, f"{path.name} was cut or changed" in said) == (1, True)
    set_up_logging("ERROR")
