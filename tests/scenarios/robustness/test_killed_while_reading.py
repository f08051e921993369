"""A server killed with -9 while a person reads: no words leave before their row of the log is kept.

What a person reads is logged first, and the row is committed before the first byte of the answer.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from app.database.embedded import folder_of
from app.staff import audit
from tests.support.contacts import WHOLE as WHOLE_FORM
from tests.support.processes import Program, ready, sign_in
from tests.support.profile import nightly
from tests.support.waiting import until

PASSWORD = "correct horse battery"
WORDS = "Quarrel with a friend"
# More than what the system takes of an answer before its reader does.
LARGE = b"%PDF-1.4\n" + b"helpline " * 1_000_000


class House:
    """A program, and two people who are signed in."""

    def __init__(self, folder: Path) -> None:
        self.program = Program(folder)
        self.api = self.program.base + "/api/v1"
        self.boss = httpx2.AsyncClient(trust_env=False, timeout=30)
        self.admin = httpx2.AsyncClient(trust_env=False, timeout=30)

    async def open(self) -> None:
        given = PASSWORD + "\n"
        for name, role in (("boss", "supervisor"), ("admin", "administrator")):
            words = ("staff", "add", name, "--role", role, "--password-stdin")
            done = await asyncio.to_thread(self.program.run, *words, given=given)
            assert done.returncode == 0, done.stderr
        self.program.serve()
        await ready(self.boss, self.program.base)
        await sign_in(self.boss, self.program.base, "boss", PASSWORD)
        await sign_in(self.admin, self.program.base, "admin", PASSWORD)

    async def ask(self, client: httpx2.AsyncClient, method: str, path: str, **more: Any) -> Any:
        answer = await client.request(method, self.api + path, **more)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    async def close(self) -> None:
        await self.boss.aclose()
        await self.admin.aclose()
        self.program.stop()
        self.program.log.close()


async def _addresses(house: House) -> list[str]:
    """Return what boss may read: a contact, a case with a large document, a report of what is kept
    of the child, a list and a file that is streamed."""
    told = {"channel": "email", "answers": WHOLE_FORM | {"contact.headline": WORDS}}
    contact = await house.ask(house.boss, "POST", "/contacts", json=told)
    await house.ask(house.boss, "POST", f"/contacts/{contact['id']}/complete")
    case = await house.ask(house.boss, "POST", "/cases", json={"contacts": [contact["id"]]})
    path = f"/cases/{case['id']}/documents"
    headers = {
        "X-Document-Name": "letter.pdf",
        "X-Document-Details": "keep",
        "Content-Type": "application/octet-stream",
    }
    document = await house.ask(house.boss, "POST", path, content=LARGE, headers=headers)
    return [
        f"{path}/{document['id']}",
        f"/contacts/{contact['id']}",
        f"/cases/{case['id']}",
        await _report(house, str(contact["code"])),
        "/contacts",
        "/statistics/calls.csv?from=2020-01-01&to=2020-02-01",
    ]


async def _report(house: House, code: str) -> str:
    sought = {"kind": "access", "person": "child", "sought": code}
    found = await house.ask(house.boss, "POST", "/data-requests", json=sought)
    path = f"/data-requests/{found['id']}"
    ground = {"basis": "right_of_access", "identity": "document", "words": "Shown on Monday."}
    await house.ask(house.boss, "POST", f"{path}/ask", json=ground)
    await house.ask(house.admin, "POST", f"{path}/decision", json={"approve": True})

    async def made() -> bool:
        request: Any = await house.ask(house.boss, "GET", path)
        return bool(request["state"] == "done")

    await until(made, "a job makes the report")
    return f"{path}/report.json"


@contextlib.contextmanager
def _database(house: House) -> Iterator[psycopg.Connection[Any]]:
    address = f"host={folder_of(house.program.data_dir)} user=postgres dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


def _logged(database: psycopg.Connection[Any]) -> list[str]:
    rows = database.execute("SELECT action FROM audit_entries ORDER BY id").fetchall()
    return [action for (action,) in rows]


def _waiting(database: psycopg.Connection[Any]) -> list[tuple[int]]:
    """The transactions that wait for the log."""
    return database.execute(
        "SELECT pid FROM pg_locks WHERE relation = 'audit_entries'::regclass AND NOT granted"
    ).fetchall()


async def _read(house: House, path: str, got: dict[str, bytes]) -> None:
    """Keep what comes of an answer, until the server ends."""
    with contextlib.suppress(httpx2.HTTPError):
        async with house.boss.stream("GET", house.api + path) as answer:
            got[path] = b""
            async for piece in answer.aiter_raw():
                got[path] += piece


_write = audit.write_reading_of


async def killed_when_kept(*given: Any, **more: Any) -> None:
    """Keep a reading in the log, and kill the server before it does anything else."""
    await _write(*given, **more)
    os.kill(os.getpid(), signal.SIGKILL)


@nightly
@pytest.mark.anyio
async def test_no_words_leave_before_their_reading_is_kept(
    new_folder: Callable[[], Path],
) -> None:
    house = House(new_folder())
    try:
        await house.open()
        paths = await _addresses(house)
        with _database(house) as database:
            await _killed_during_an_answer_and_before_rows_are_kept(house, database, paths)
            for path in paths[:4]:
                await _killed_when_a_row_is_kept(house, database, path)
        verified = await asyncio.to_thread(house.program.run, "audit", "verify")
        assert verified.returncode == 0, verified.stdout
    finally:
        await house.close()


async def _killed_during_an_answer_and_before_rows_are_kept(
    house: House, database: psycopg.Connection[Any], paths: list[str]
) -> None:
    before = len(_logged(database))
    async with contextlib.AsyncExitStack() as stack:
        answer = await stack.enter_async_context(house.boss.stream("GET", house.api + paths[0]))
        assert (await anext(answer.aiter_raw())).startswith(b"%PDF-")
        assert _logged(database)[before:] == ["case_read", "document_read"]
        before = len(_logged(database))
        got: dict[str, bytes] = {}
        with psycopg.connect(database.info.dsn) as holds_the_log:
            holds_the_log.execute("LOCK TABLE audit_entries IN EXCLUSIVE MODE")
            reads = [asyncio.create_task(_read(house, path, got)) for path in [*paths, "/events"]]
            # Readings share a transaction; the file has one of its own.
            await until(lambda: len(_waiting(database)) == 2 and got.get("/events"))
            house.program.kill()
            await asyncio.gather(*reads)
            stack.pop_all()
        assert set(got) == {"/events"}, "nothing else was answered, not even its head"
        assert WORDS.encode() not in got["/events"]


async def _killed_when_a_row_is_kept(
    house: House, database: psycopg.Connection[Any], path: str
) -> None:
    house.program.sooner = [("app.staff.audit", "write_reading_of", killed_when_kept)]
    house.program.serve()
    await ready(house.admin, house.program.base)
    before, got = len(_logged(database)), dict[str, bytes]()
    await _read(house, path, got)
    assert got == {}
    assert len(_logged(database)) == before + 1
    # What it had started.
    house.program.kill()
