"""The program as a process of its own, and all with which it talks: provider, mail, push, pages.

Everything that leaves the program is kept here, to be searched at the end.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from pypdf import PdfReader
from pyrage import x25519

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres
from app.demo.counsellor import start_silent_telephone
from app.demo.served import Served
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice.exchange import Exchange, Number
from app.practice.people import Phone
from app.practice.rest.app import rest_app
from tests.support.leaks.crashing import FAULTS
from tests.support.leaks.watching import WATCHED
from tests.support.mail import Mail, mail
from tests.support.processes import KEY, SECRET, Program, ready, sign_in
from tests.support.push import PushService

PASSWORD = "correct horse battery"
DUTY_PHONE = "+381113000001"
# What is announced in the database, by the program and by the job store.
_CHANNELS = (
    "helpline",
    "procrastinate_any_queue_v1",
    *(f"procrastinate_queue_v1#{one}" for one in ("default", "mail", "outside", "media")),
)
# Nothing is packed, so that each value lies in its pages, in its indexes and in the write-ahead log
# as it is; all of that log is kept, with the rows that are gone; and no row is cleared away.
_UNPACKED = """
DO $$ DECLARE r record; BEGIN
FOR r IN SELECT c.oid::regclass AS t, a.attname AS n FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage IN ('x', 'm')
LOOP EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTERNAL', r.t, r.n); END LOOP;
END $$
"""
_KEPT = ("wal_keep_size = '2GB'", "autovacuum = off", "wal_compression = off")
# Statements as others see them, without what is bound to them.
_STATEMENTS = "SELECT DISTINCT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


@dataclass
class Told:
    """What left the program, by the way that it took."""

    # The addresses that the provider was given, and the documents.
    documents: list[tuple[str, bytes]] = field(default_factory=list)
    # What commands, metrics and health wrote.
    output: list[str] = field(default_factory=list)
    # Payloads of NOTIFY, and statements that ran.
    notified: list[str] = field(default_factory=list)
    statements: set[str] = field(default_factory=set)
    # Each address that a browser was at, with the heads of its response; the pages.
    heads: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    # What was not carried out: with which status, and what it was.
    refused: list[str] = field(default_factory=list)


class Night:
    """The program and the world of one night."""

    def __init__(self, folder: Path, post: Mail) -> None:
        self.folder, self.post = folder, post
        self.told = Told()
        self.program = Program(folder, sooner=(*FAULTS, *WATCHED))
        self.base, self.api = self.program.base, self.program.base + "/api/v1"
        self.push = PushService(SystemClock())
        self.key = x25519.Identity.generate()
        self.backups = folder / "backups"
        # Of the database, as its superuser.
        self.url = ""
        (folder / "tmp").mkdir()
        self.program.environment |= {
            "HELPLINE_LOG_LEVEL": "DEBUG",
            "HELPLINE_WRAP_UP_SECONDS": "0",
            "HELPLINE_SMTP_URL": post.url,
            "HELPLINE_TELEGRAM_API_BASE_URL": f"http://127.0.0.1:{self.program.rest_port}",
            "HELPLINE_PUSH_SERVICES": self.push.origin,
            "HELPLINE_REACH_OWN_NETWORK": "true",
            "HELPLINE_BACKUP_TARGET": str(self.backups),
            "HELPLINE_BACKUP_RECIPIENTS": str(self.key.to_public()),
            "TMPDIR": str(folder / "tmp"),
        }
        self.exchange = self._exchange()

    def _exchange(self) -> Exchange:
        made = Exchange(SystemClock(), ACCOUNT, TOKEN)
        made.api_keys[KEY] = SECRET
        made.phones[DUTY_PHONE] = Phone(picks_up=1.0, presses="1")
        at = f"{self.base}/telephony"
        made.numbers[LINE] = Number(
            f"{at}/voice", f"{at}/voice/fallback", f"{at}/status", f"{at}/sms"
        )
        made.texts.senders.add(LINE)
        deliver = made.sender.deliver

        async def noted(url: str, *rest: Any) -> Any:
            answer = await deliver(url, *rest)
            if answer[0].status_code >= 400:
                self.told.refused.append(f"{answer[0].status_code} {url}")
            self.told.documents.append((url, answer[0].content))
            return answer

        made.sender.deliver = noted  # type: ignore[method-assign,assignment]
        return made

    async def run(self, *words: str, given: str = "") -> str:
        done = await asyncio.to_thread(self.program.run, *words, given=given)
        assert done.returncode == 0, (words, done.stderr)
        self.told.output.append(done.stdout + done.stderr)
        return done.stdout

    def row(self, statement: str) -> str:
        """Return the only value that a statement finds, as text."""
        with psycopg.connect(self.url) as connection:
            ((found,),) = connection.execute(statement).fetchall()
        return str(found)

    async def crash(self, client: httpx2.AsyncClient) -> None:
        self.program.kill()
        self.program.serve()
        await ready(client, self.base)

    @contextlib.asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A person who is signed in, with a telephone in the page; each response is noted."""
        async with httpx2.AsyncClient(trust_env=False, timeout=20, base_url=self.api) as client:
            await sign_in(client, self.base, name, PASSWORD)
            client.event_hooks["response"].append(self.note)
            yield client

    async def at_work(self, client: httpx2.AsyncClient) -> None:
        """Open the telephone of a page, and be available."""
        await start_silent_telephone(self.exchange, client, self.base)
        await ask(client, "PUT", "/me/presence", {"state": "available"})

    async def note(self, response: httpx2.Response) -> None:
        """Note what a client was told: the headers, and the text of a page."""
        request = response.request
        if response.status_code >= 400:
            self.told.refused.append(f"{response.status_code} {request.method} {request.url.path}")
        self.told.heads.append((str(request.url), response.headers.multi_items()))
        if "text/html" in response.headers.get("content-type", ""):
            await response.aread()
            self.told.pages.append(response.text)

    @contextlib.contextmanager
    def database(self) -> Any:
        """Keep the database running, unpack it, and hear what is announced in it."""
        with EmbeddedPostgres(self.program.data_dir, 60) as postgres:
            with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
                for one in _KEPT:
                    connection.execute(f"ALTER SYSTEM SET {one}")
                connection.execute("SELECT pg_reload_conf()")
                connection.execute(_UNPACKED)
            self.url = postgres.superuser_url
            yield postgres

    async def hear(self) -> None:
        """Note what is announced in the database, and which statements run, until cancelled."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            for one in _CHANNELS:
                await connection.execute(f'LISTEN "{one}"')
            while True:
                async for notice in connection.notifies(timeout=1.0):
                    self.told.notified.append(notice.payload)
                found = await (await connection.execute(_STATEMENTS)).fetchall()
                self.told.statements.update(query for (query,) in found)


@contextlib.asynccontextmanager
async def a_night(folder: Path) -> AsyncIterator[Night]:
    async with mail() as post:
        night = Night(folder, post)
        served = [
            Served(rest_app(night.exchange), night.program.rest_port),
            Served(night.push.app, night.push.port),
        ]
        for one in served:
            await one.start()
        try:
            yield night
        finally:
            night.program.stop()
            await night.exchange.close()
            for one in served:
                await one.stop()
            night.program.log.close()


async def answered(
    client: httpx2.AsyncClient, method: str, path: str, body: Any = None
) -> httpx2.Response:
    answer = await client.request(method, path, json=body)
    assert answer.status_code < 300, (method, path, answer.text)
    return answer


async def ask(client: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await answered(client, method, path, body)
    return answer.json() if answer.content else None


def words_of(paper: httpx2.Response) -> str:
    """Return the words of a PDF."""
    return " ".join(page.extract_text() for page in PdfReader(BytesIO(paper.content)).pages)


def changes(answers: dict[str, Any]) -> dict[str, Any]:
    return {"changes": [{"path": path, "value": v, "base": 0} for path, v in answers.items()]}
