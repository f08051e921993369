"""`helpline bench contacts`: save, open, list and search at a busy helpline, on one web process.

100,000 contacts and 10,000 cases are written straight into the tables, sealed like any other;
then 32 clients at once send requests to one server process. The floor of the calls' benchmark
(a bare route with one transaction of two inserts) is measured in the same run, for scale. The
targets are what another open helpline platform reached on a similar machine.
"""

import asyncio
import base64
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg

from app.clock import SystemClock
from app.contacts.finding.words import normal_words, sound_of
from app.contacts.sealed_answers import filled_up
from app.database.embedded import EmbeddedPostgres
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.database.running import make_ready
from app.definitions.library import load
from app.demo.bench.floor import make_tables
from app.demo.bench.load import Prepared, Result, run_load
from app.demo.bench.processes import CLIENTS, environment_of, load_floor, wait_until_up
from app.demo.counsellor import Counsellor
from app.demo.results import report
from app.demo.served import free_port
from app.demo.stage import stage_on
from app.privacy.hash_kinds import HashOf
from app.privacy.keys import Keys
from app.staff.roles import Role
from app.web.access import COOKIE

CONTACTS, CASES = 100_000, 10_000
COUNSELLORS = 40
ROUNDS = 3
# Requests of each kind in one round.
REQUESTS = {"create": 600, "save": 600, "open": 2000, "list": 400, "search": 400}
# What another open helpline platform reached on a similar machine, in requests per second.
OTHERS = {"create": 300.0, "open": 1200.0, "search by name": 120.0}
# Names as in a phone book: a few hundred of each kind, some of them common.
_BEGIN = ("Jo", "Мар", "Mi", "Ste", "Ана", "Lu", "Te", "Ни", "Sa", "Vu", "Đo", "Žar")
_END = ("vana", "ko", "лица", "fan", "ra", "ka", "na", "кола", "ša", "rđe")
_ROOT = ("Petr", "Јован", "Nikol", "Ђорђ", "Il", "Mark", "Живк", "Sav", "Mil", "Lak")
_SUFFIX = ("ović", "ić", "евић", "čević", "анић", "inac", "ski", "ац", "ušić", "ov", "ица", "ilo")
_FIRST = [begin + end for begin in _BEGIN for end in _END]
_LAST = [root + suffix for root in _ROOT for suffix in _SUFFIX]


def run_records_bench() -> None:
    """Fill, measure, report."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_tables(server.owner_url)
        make_ready(server.url, server.owner_url)
        asyncio.run(_measure(server.url))


def name_of(dice: random.Random) -> str:
    """Return a name; the first names in the lists are more common than the last."""
    first = _FIRST[int(len(_FIRST) * dice.random() ** 2)]
    return f"{first} {_LAST[int(len(_LAST) * dice.random() ** 2)]}"


# -- filling -----------------------------------------------------------------------------------


class _Filler:
    """Writes rows like those that the verbs write, many at once."""

    def __init__(self, keys: Keys, staff: list[UUID]) -> None:
        self._keys, self._staff = keys, staff
        self._dice = random.Random(7)
        self._library = load(None)
        self._leaves = sorted(self._library.categories.choices())
        self._paths = self._library.categories.paths()
        self._places = self._library.places.paths()
        self._names: dict[str, list[tuple[str, bytes]]] = {}
        self.match_rows: list[tuple[str, UUID, str, str, bytes]] = []

    def sealed(self, table: str, record: UUID, path: str, value: str | list[str]) -> str:
        body = json.dumps(value, ensure_ascii=False).encode()
        body = filled_up(body) if isinstance(value, list) else body
        return base64.b64encode(
            self._keys.seal(body, table=table, column=path, row=record)
        ).decode()

    def name(self) -> str:
        return name_of(self._dice)

    def keys_of(self, name: str) -> list[tuple[str, bytes]]:
        if name not in self._names:
            self._names[name] = [
                pair
                for word in normal_words(name)
                for pair in (
                    ("name", self._keys.match_key(HashOf.NAME, word)),
                    ("heard", self._keys.match_key(HashOf.HEARD, sound_of(word))),
                )
            ]
        return self._names[name]

    def row(self, kind: str, number: int) -> tuple[Any, ...]:
        record, dice = uuid4(), self._dice
        table, top = ("contacts", "contact") if kind == "contact" else ("cases", "case")
        leaf, place = dice.choice(self._leaves), dice.choice(list(self._places))
        name, headline = self.name(), f"Dete zove zbog {leaf.lower()} {number}"
        answers: dict[str, Any] = {
            f"{top}.headline": headline,
            f"{top}.place": place,
            "child.a1": 1,
            "child.a1.age": dice.randint(0, 17),
        }
        narrative = "actions.summary" if kind == "contact" else "case.story"
        words = "Razgovarano je o tome šta dete želi i ko može da pomogne. " * dice.randint(1, 12)
        sealed = {
            "child.a1.name": self.sealed(table, record, "child.a1.name", name),
            narrative: self.sealed(table, record, narrative, words),
            f"{top}.categories": self.sealed(table, record, f"{top}.categories", [leaf]),
        }
        if kind == "contact":
            answers |= {"contact.kind": "child"}
            sealed["actions.taken"] = self.sealed(table, record, "actions.taken", ["listening"])
        versions = dict.fromkeys([*answers, *sealed], 1)
        self.match_rows += [
            (kind, record, "child.a1.name", key_kind, key) for key_kind, key in self.keys_of(name)
        ]
        at = datetime.now(UTC) - timedelta(minutes=number * 5)
        return (
            record,
            f"{'K' if kind == 'contact' else 'C'}-{number:09d}",
            at,
            json.dumps(answers),
            json.dumps(sealed),
            json.dumps(versions),
            headline,
            " ".join(normal_words(headline)),
            self._keys.seal(
                filled_up(json.dumps(list(self._paths[leaf])).encode()),
                table=table,
                column="categories_sealed",
                row=record,
            ),
            place,
            list(self._places[place]),
            dice.choice(self._staff),
        )


_SHARED = (
    "form_version, categories, categories_version, places, places_version, team, revision, form, "
)
_COLUMNS = (
    "id, code, opened_at, answers, sealed, versions, headline, headline_words, categories_sealed, "
    "place, place_path, owner_id"
)


async def _fill(url: str, keys: Keys, staff: list[UUID]) -> None:
    filler = _Filler(keys, staff)
    contacts = [filler.row("contact", n) for n in range(CONTACTS)]
    cases = [filler.row("case", n) for n in range(CASES)]
    superuser = as_role(url, SUPERUSER)
    async with await psycopg.AsyncConnection.connect(superuser) as connection:
        cursor = connection.cursor()
        async with cursor.copy(
            f"COPY contacts ({_SHARED} state, channel, source, taken_at, completed_at, {_COLUMNS})"
            " FROM STDIN"
        ) as copy:
            for row in contacts:
                form = load(None).form_for("contact").version
                fixed = (form, "chi", 1, "rs", 1, "", 1, "contact", "draft", "call", "live")
                await copy.write_row((*fixed, row[2], row[2], *row))
        async with cursor.copy(
            f"COPY cases ({_SHARED} workflow, workflow_version, status, {_COLUMNS}) FROM STDIN"
        ) as copy:
            for row in cases:
                form = load(None).form_for("case").version
                begins = (form, "chi", 1, "rs", 1, "", 1, "case", "case", 1, "open")
                await copy.write_row((*begins, *row))
        for table, column, found in (
            ("contact_readers", "contact_id", contacts),
            ("case_members", "case_id", cases),
        ):
            more = ", cause" if table == "contact_readers" else ""
            async with cursor.copy(
                f"COPY {table} (staff_id, {column}, opened_at, since{more}) FROM STDIN"
            ) as copy:
                for row in found:
                    fields = (row[11], row[0], row[2], row[2], *(("owner",) if more else ()))
                    await copy.write_row(fields)
        async with cursor.copy(
            "COPY match_keys (subject_kind, subject_id, path, kind, key) FROM STDIN"
        ) as copy:
            for key_row in filler.match_rows:
                await copy.write_row(key_row)
        async with cursor.copy(
            "COPY case_contacts (case_id, contact_id, linked_at) FROM STDIN"
        ) as copy:
            for n, row in enumerate(cases):
                for contact in contacts[n * 3 : n * 3 + 2]:
                    await copy.write_row((row[0], contact[0], row[2]))
        await connection.commit()
        await connection.set_autocommit(True)
        await connection.execute("VACUUM ANALYZE")


# -- measuring ---------------------------------------------------------------------------------


def _ask(kind: str, method: str, url: str, cookie: str, body: Any = None) -> Prepared:
    parts = urlsplit(url)
    payload = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {COOKIE}={cookie}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return kind, head.encode() + payload


def _answers(filler: random.Random) -> dict[str, Any]:
    return {
        "contact.kind": "child",
        "contact.headline": "Dete se plaši oca",
        "contact.categories": ["V-PHYSICAL"],
        "contact.place": "RS-06",
        "child.a1": 1,
        "child.a1.name": name_of(filler),
        "child.a1.age": 9,
        "child.a1.gender": "girl",
        "wishes.safe_to_contact": "no",
        "consent.services": "no",
        "consent.authorities": "no",
        "actions.taken": ["listening"],
        "actions.summary": "Razgovarano je o tome šta dete želi. " * 8,
    }


async def _measure(url: str) -> None:
    async with stage_on(url, clock=SystemClock(), with_server=False) as stage:
        # The measured server fills its own memory; this one only creates the people.
        stage.settings = stage.settings.model_copy(update={"public_url": "http://127.0.0.1:1"})
        people = [
            await stage.add_counsellor(f"b{n}", state=None, shift=False) for n in range(COUNSELLORS)
        ]
        boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None, shift=False)
        await _fill(url, stage.ground.keys, [p.id for p in people])
        owners = {
            row["id"]: row["owner_id"]
            for row in await stage.rows("SELECT id, owner_id FROM contacts LIMIT 20000")
        }
    await _statements(url)
    port, floor_port = free_port(), free_port()
    base, floor_base = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{floor_port}"
    server = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--no-worker"],
        env=environment_of(url, base),
        stdout=subprocess.DEVNULL,
    )
    floor = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "app.demo.bench.floor"],
        env=environment_of(url, floor_base, FLOOR_PORT=str(floor_port)),
    )
    try:
        await wait_until_up(base + "/healthz")
        await wait_until_up(floor_base + "/floor")
        cookies = {p.id: p.cookies[COOKIE] for p in people}
        await _load_everything(base, port, floor_base, floor_port, cookies, boss, owners)
    finally:
        for process in (server, floor):
            process.terminate()
            process.wait(10)


async def _load_everything(
    base: str,
    port: int,
    floor_base: str,
    floor_port: int,
    cookies: dict[UUID, str],
    boss: Counsellor,
    owners: dict[UUID, UUID],
) -> None:
    dice = random.Random(3)
    api, supervisor = f"{base}/api/v1", boss.cookies[COOKIE]
    mine = list(owners)
    drafts: list[tuple[str, UUID]] = []
    forms: list[list[Prepared]] = []

    def some(kind: str) -> list[list[Prepared]]:
        chains = []
        for n in range(REQUESTS["search" if kind.startswith("search") else kind]):
            owner = dice.choice(list(cookies))
            match kind:
                case "create":
                    body = {"channel": "call", "answers": _answers(dice)}
                    made = _ask(kind, "POST", f"{api}/contacts", cookies[owner], body)
                case "open":
                    contact = dice.choice(mine)
                    url = f"{api}/contacts/{contact}"
                    made = _ask(kind, "GET", url, cookies[owners[contact]])
                case "list":
                    made = _ask(kind, "GET", f"{api}/contacts", cookies[owner])
                case "save":
                    # Each request has its own contact: a save is measured, not a conflict. Its form
                    # was opened before, so the log has the reading.
                    code, who = drafts.pop()
                    forms.append([_ask("open", "GET", f"{api}/contacts/{code}", cookies[who])])
                    change = {"path": "incident.account", "value": f"text {n} " * 40, "base": 0}
                    saved = {"changes": [change]}
                    url = f"{api}/contacts/{code}/answers"
                    made = _ask(kind, "PUT", url, cookies[who], saved)
                case "search by name":
                    body = {"name": name_of(dice)}
                    made = _ask(kind, "POST", f"{api}/cases/search", supervisor, body)
                case _:
                    body = {"headline": f"zbog {dice.randint(1, 9999)}"}
                    made = _ask(kind, "POST", f"{api}/cases/search", supervisor, body)
            chains.append([made])
        return chains

    floors: list[Result] = []
    results: dict[str, list[Result]] = {}
    kinds = ("create", "save", "open", "list", "search by name", "search by headline")
    last = mine[-(ROUNDS + 1) * REQUESTS["save"] :]
    drafts += [(str(contact), owners[contact]) for contact in last]
    for _ in range(ROUNDS + 1):
        floors.append(await load_floor(floor_base, floor_port))
        for kind in kinds:
            chains = some(kind)
            await run_load(port, forms, CLIENTS)
            forms.clear()
            results.setdefault(kind, []).append(await run_load(port, chains, CLIENTS))
    _report_all(results, statistics.median(r.rate for r in floors[1:]))


def _report_all(results: dict[str, list[Result]], floor_rate: float) -> None:
    report("floor, requests per second", floor_rate, None, "requests/s", None)
    for kind, measured in results.items():
        rounds = measured[1:]
        if any(r.refused for r in rounds):
            raise RuntimeError(f"a request of the load was refused: {kind}")
        rate = statistics.median(r.rate for r in rounds)
        report(f"{kind}: per second, 32 at once", rate, floor_rate, "requests/s", None)
        if kind in OTHERS:
            words = f"{kind}: per second, against what another platform gave"
            report(words, rate, OTHERS[kind], "requests/s", 1.5)
        for part in (0.5, 0.99):
            value = statistics.median(r.percentile(part) for r in rounds)
            report(f"{kind}: p{int(part * 100)}, 32 at once", value, None, "ms", None)


async def _statements(url: str) -> None:
    """Count the statements that each request sends, without BEGIN and COMMIT."""
    async with stage_on(url, clock=SystemClock()) as stage:
        rows = await stage.rows(
            "SELECT c.id, s.name FROM contacts c JOIN staff s ON s.id = c.owner_id LIMIT 1"
        )
        people = await stage.rows("SELECT * FROM staff WHERE name = %s", rows[0]["name"])
        from app.staff.models import Staff

        who = Counsellor(stage, Staff(**people[0]))
        await who.sign_in()
        counts: Counter[str] = Counter()
        least: dict[str, int] = {}
        current = ""
        plain = psycopg.AsyncCursor.execute

        async def counted(cursor: Any, *args: Any, **more: Any) -> Any:
            counts[current] += 1
            return await plain(cursor, *args, **more)

        # At the driver, so that statements that bypass the ORM are counted as well.
        psycopg.AsyncCursor.execute = counted  # type: ignore[method-assign, assignment]
        body = {"channel": "call", "answers": _answers(random.Random(1))}
        made = (await who.ask("POST", "/contacts", body)).json()["id"]
        change = {"changes": [{"path": "actions.summary", "value": "text", "base": 1}]}
        asked = {
            "create": ("POST", "/contacts", body),
            "save": ("PUT", f"/contacts/{made}/answers", change),
            "open": ("GET", f"/contacts/{rows[0]['id']}", None),
            "list": ("GET", "/contacts", None),
            "search by name": ("POST", "/cases/search", {"name": "Јована Ilić"}),
        }
        for turn in range(6):
            for kind, (method, path, sent) in asked.items():
                current = kind
                counts[kind] = 0
                (await who.ask(method, path, sent)).raise_for_status()
                await asyncio.sleep(0.05)
                # The first turn fills the process's memory; the worker sends some meanwhile.
                if turn:
                    least[kind] = min(counts[kind], least.get(kind, counts[kind]))
        psycopg.AsyncCursor.execute = plain  # type: ignore[method-assign]
    for kind in asked:
        report(f"{kind}: SQL statements", least[kind], None, "statements", None)
