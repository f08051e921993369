"""A night with planted names and numbers, a crash in its middle, and the search for what is left.

The program runs as a process of its own on a data folder of its own. Everything that it leaves
behind is searched byte by byte: the files of the database with indexes and write-ahead log, what
else lies in the folder, the log, what a crash wrote, the mails, and what the provider was told.
"""

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres
from app.demo.stage import ACCOUNT, LINE, TOKEN, Served, start_silent_telephone
from app.practice.exchange import Exchange, Number
from app.practice.people import Phone
from app.practice.rest.app import rest_app
from app.practice.wire import sign
from tests.support.mail import Mail, mail
from tests.support.planted import CHILD
from tests.support.planted import WORD as NAME
from tests.support.processes import KEY, SECRET, Program, ready, sign_in, true, until

# Nothing else holds these; the first is the name in every answer of `CHILD`.
SENTENCE = "zelenikisobran"
NUMBER, OTHER = "+381647391852", "+381641112223"
# Codes about health, origin and sexual violence, as answers. They stand in the definitions, too.
CODES = ("psychosocial", "lgbtqi", "V-SEXUAL", "sexual_violence", "mental_health")
SPECIAL = {
    "child.a1.disability": ["psychosocial"],
    "child.a1.groups": ["lgbtqi"],
    "contact.categories": ["V-SEXUAL"],
    "danger.signs": ["sexual_violence"],
    "actions.taken": ["mental_health"],
}
_DEFINED = {"definitions", "definition_sets"}
# Where they would lie if they were not sealed: their files are read byte by byte.
_OF_RECORDS = (
    "contacts",
    "completed_versions",
    "earlier_answers",
    "cases",
    "referrals",
    "urgency_decisions",
    "record_events",
    "statistic_columns",
)
PASSWORD = "correct horse battery"
AGENCY = """code,name,sector,services,languages,duty_phones,email
house,Safe House,shelter,shelter,en,+381113000001,duty@house.example
"""


def spelt(words: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Each word with each way in which it could lie in a file; letters are small by then."""
    for word in words:
        digits = word.lstrip("+")
        for one in {word.lower(), digits.lower(), digits.removeprefix("381")}:
            yield one, one.encode()
            yield f"{one} as UTF-16", one.encode("utf-16-le")
            yield f"{one} in hexadecimal", one.encode().hex().encode()
        for shift in range(3):
            # They depend on what stands before, and those at the ends on what is beside.
            coded = base64.b64encode(b" " * shift + word.encode())
            yield f"{word} in base64", coded[4 if shift else 0 : -4].lower()


def found_in(content: bytes, words: Iterable[str]) -> set[str]:
    small = content.lower()
    return {told for told, form in spelt(words) if len(form) > 5 and form in small}


class Night:
    """The program, the provider and the mail server of one night."""

    def __init__(self, folder: Path, post: Mail) -> None:
        self.program, self.post = Program(folder), post
        self.program.environment["HELPLINE_LOG_LEVEL"] = "DEBUG"
        self.program.environment["HELPLINE_SMTP_URL"] = post.url
        self.exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
        self.exchange.api_keys[KEY] = SECRET
        self.exchange.phones["+381113000001"] = Phone(picks_up=1.0, presses="1")
        base = self.program.base
        self.exchange.numbers[LINE] = Number(
            *(f"{base}/telephony/{path}" for path in ("voice", "voice/fallback", "status"))
        )
        # Every address that the provider was given, and every document.
        self.told_provider: list[tuple[str, bytes]] = []
        self.answers: list[str] = []
        deliver = self.exchange.sender._deliver

        async def noted(url: str, *rest: Any) -> Any:
            answer = await deliver(url, *rest)
            self.told_provider.append((url, answer[0].content))
            return answer

        self.exchange.sender._deliver = noted  # type: ignore[method-assign,assignment]

    async def run(self, *words: str, given: str = "") -> str:
        done = await asyncio.to_thread(self.program.run, *words, given=given)
        assert done.returncode == 0, (words, done.stderr)
        self.answers.append(done.stdout + done.stderr)
        return done.stdout

    async def crash(self, client: httpx2.AsyncClient) -> None:
        self.program.kill()
        self.program.serve()
        await ready(client, self.program.base)


@contextlib.asynccontextmanager
async def a_night(folder: Path) -> AsyncIterator[Night]:
    async with mail() as post:
        night = Night(folder, post)
        rest = Served(rest_app(night.exchange), night.program.rest_port)
        await rest.start()
        try:
            yield night
        finally:
            night.program.stop()
            await night.exchange.close()
            await rest.stop()
            night.program.log.close()


async def ask(client: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.status_code < 300, (method, path, answer.text)
    return answer.json() if answer.content else None


async def _talk(night: Night, client: httpx2.AsyncClient) -> str:
    """A child reaches the counsellor; return the call."""
    leg = night.exchange.ring(NUMBER, LINE)
    await until(lambda: true(leg.heard))
    night.exchange.press(leg, "1")

    async def offered() -> Any:
        return await ask(client, "GET", "/offers/mine")

    offer = (await until(offered))[0]
    await ask(client, "POST", f"/offers/{offer['id']}/accept")

    async def connected() -> bool:
        found = await offered()
        return bool(found) and found[0]["state"] == "connected"

    await until(connected, 120)
    calls = (await ask(client, "GET", "/calls"))["calls"]
    return str(calls[0]["id"])


def changes(answers: dict[str, Any]) -> dict[str, Any]:
    return {"changes": [{"path": path, "value": v, "base": 0} for path, v in answers.items()]}


async def _records(night: Night, client: httpx2.AsyncClient, call: str) -> None:
    """What is written down: in the contact, its case, a document, and to the agency."""
    answers = {**CHILD, **SPECIAL, "contact.headline": "Beaten at home"}
    half = len(answers) // 2
    first, rest = dict(list(answers.items())[:half]), dict(list(answers.items())[half:])
    saved = await ask(client, "PUT", f"/calls/{call}/contact", changes(first))
    await night.crash(client)
    assert (await ask(client, "PUT", f"/calls/{call}/contact", changes(rest)))["refused"] == {}
    contact = saved["id"]
    # Its readers read it, and find it by what is sealed.
    told = (await ask(client, "GET", f"/contacts/{contact}"))["answers"]
    assert {path: told[path] for path in SPECIAL} == SPECIAL
    found = await ask(client, "POST", "/contacts/search", {"category": "V-SEXUAL"})
    assert [one["id"] for one in found["contacts"]] == [contact]
    # A later answer in place of one that is kept.
    urgency = {"urgency": "immediate", "reason": f"{SENTENCE}, and as suggested"}
    await ask(client, "POST", f"/contacts/{contact}/urgency", urgency)
    case = (await ask(client, "POST", "/cases", {"contacts": [contact]}))["id"]
    await ask(
        client, "PUT", f"/cases/{case}/answers", changes({"case.story": f"{SENTENCE} {NAME}"})
    )
    await ask(client, "POST", f"/cases/{case}/notes", {"text": f"{SENTENCE} of {NAME}, {NUMBER}"})
    sent = await client.post(
        f"/cases/{case}/documents",
        content=b"%PDF-1.4\n" + f"{SENTENCE} {NAME} ".encode() * 200,
        headers={
            "Content-Type": "application/octet-stream",
            "X-Document-Name": f"{NAME}.pdf",
            "X-Document-Details": "keep",
        },
    )
    assert sent.status_code == 201, sent.text
    until_ = datetime.now(UTC) + timedelta(hours=3)
    agreed = {
        "from": (until_ - timedelta(hours=1)).isoformat(),
        "until": until_.isoformat(),
        "safe": True,
    }
    await ask(client, "POST", f"/calls/{call}/callback", agreed)
    override = {"basis": "vital_interests", "reason": f"{SENTENCE} tonight"}
    body = {"urgency": "immediate", "services": ["shelter"], "override": override}
    referral = await ask(
        client, "POST", "/referrals", {**body, "contact_id": contact, "send": True}
    )
    for search in (NAME, NUMBER):
        await ask(client, "POST", "/contacts/search", {"name": search})
    await night.crash(client)

    async def acknowledged() -> bool:
        found = await ask(client, "GET", f"/referrals/{referral['id']}")
        return found["state"] != "sent" and bool(night.post.messages)

    await until(acknowledged, 240, every=0.5)


async def _odd_ways(night: Night, client: httpx2.AsyncClient) -> None:
    """What goes wrong with a name in it: a text, addresses that are none, input that is refused."""
    base = night.program.base
    fields = [("MessageSid", "SM" + "1" * 32), ("AccountSid", ACCOUNT), ("From", NUMBER)]
    fields += [("To", LINE), ("Body", f"{SENTENCE} {NAME}"), ("NumMedia", "0")]
    signed = {"X-Twilio-Signature": sign(TOKEN, f"{base}/telephony/sms", fields)}
    text = await client.post(f"{base}/telephony/sms", data=dict(fields), headers=signed)
    assert text.status_code == 200, text.text
    for path in (f"/contacts/{NAME}", f"/calls/{NUMBER}", f"/r/{SENTENCE}"):
        await client.get(base + path)
    await client.post("/contacts", json={"channel": NAME, "answers": {NUMBER: SENTENCE}})
    await client.post("/contacts/search", content=f'{{"name": "{NAME}'.encode())
    await client.post(base + "/login", data={"username": NAME, "password": SENTENCE})
    night.answers.append((await client.get(base + "/metrics")).text)
    night.answers.append((await client.get(base + "/readyz")).text)


@pytest.mark.anyio
async def test_nothing_of_the_planted_is_left_where_it_must_not_be(
    new_folder: Callable[[], Path],
) -> None:
    folder = new_folder()
    planted = (NAME, SENTENCE, NUMBER, OTHER)
    async with a_night(folder) as night:
        await night.run("staff", "add", "ana", "--password-stdin", given=PASSWORD + "\n")
        await night.run("line", "add", LINE, "--languages", "en")
        await night.run("shift", "add", "ana", "--always")
        (folder / "agencies.csv").write_text(AGENCY)
        await night.run("agency", "import", str(folder / "agencies.csv"))
        night.program.serve()
        api = night.program.base + "/api/v1"
        async with httpx2.AsyncClient(trust_env=False, timeout=20, base_url=api) as client:
            await ready(client, night.program.base)
            await sign_in(client, night.program.base, "ana", PASSWORD)
            await start_silent_telephone(night.exchange, client, night.program.base)
            await ask(client, "PUT", "/me/presence", {"state": "available"})
            call = await _talk(night, client)
            await _records(night, client, call)
            await _odd_ways(night, client)
        night.program.kill()
        # The jobs of the night, and files.
        now = datetime.now(UTC)
        # What was said is counted by whole months that have begun.
        ends = {"categories": f"{now:%Y-%m}-01"}
        for what in ("calls", "summary", "categories", "referrals"):
            until_ = ends.get(what, f"{now.year + 1}-01-01")
            span = ("--from", f"{now.year - 1}-01-01", "--to", until_, "--format", "csv")
            await night.run("export", what, *span, "--output", str(folder / f"{what}.csv"))

        left = _left_in(folder, planted)
        assert left == {}
        # It was really there: with the keys it can be read.
        assert _rows_of(night.program.data_dir, planted) == set()
        for text in night.answers:
            assert found_in(text.encode(), (*planted, *CODES)) == set()
        for _to, words in night.post.whole:
            assert found_in(words.encode(), (*planted, *CODES)) == set()
        assert night.post.messages, "the agency was written to"
        _check_provider(night)


def _left_in(folder: Path, planted: tuple[str, ...]) -> dict[str, set[str]]:
    """Read every file that the program has left: heap, indexes, TOAST, WAL, logs, dumps."""
    left: dict[str, set[str]] = {}
    kinds: set[str] = set()
    searched = 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_socket():
            continue
        content = path.read_bytes()
        searched += len(content)
        kinds.update(part for part in ("base", "pg_wal", "log") if part in path.parts)
        beside = not {"base", "pg_wal", "global"} & set(path.parts) and path.suffix != ".csv"
        if found := found_in(content, (*planted, *CODES) if beside else planted):
            left[str(path.relative_to(folder))] = found
    assert searched > 20_000_000, "the files of a database"
    assert {"base", "pg_wal"} <= kinds
    return left


def _rows_of(data_dir: Path, planted: tuple[str, ...]) -> set[str]:
    """Read every row as text: a long value is packed in its file, and cannot be found there.

    The rows of jobs are among them, and what is left of finished ones.
    """
    found: set[str] = set()
    with EmbeddedPostgres(data_dir) as postgres, psycopg.connect(postgres.url) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            )
        ]
        assert {"calls", "contacts", "procrastinate_jobs", "audit_entries"} <= set(names)
        for name in names:
            rows = connection.execute(f'SELECT t::text FROM "{name}" t').fetchall()
            whole = "\n".join(row[0] for row in rows).encode()
            sought = planted if name in _DEFINED else (*planted, *CODES)
            found.update(f"{name}: {one}" for one in found_in(whole, sought))
        (jobs,) = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() or (0,)
        assert jobs
        (sealed,) = connection.execute("SELECT count(*) FROM case_documents").fetchone() or (0,)
        assert sealed == 1
        found |= _files_of_records(connection, data_dir)
    return found


def _files_of_records(connection: Any, data_dir: Path) -> set[str]:
    """Read the files of the tables of records byte by byte: rows that are dead are in them, too."""
    rows = connection.execute(
        "WITH own AS (SELECT oid, reltoastrelid FROM pg_class WHERE relname = ANY(%s)"
        " AND relnamespace = 'public'::regnamespace)"
        " SELECT pg_relation_filepath(oid) FROM own UNION ALL"
        " SELECT pg_relation_filepath(reltoastrelid) FROM own WHERE reltoastrelid <> 0 UNION ALL"
        " SELECT pg_relation_filepath(i.indexrelid)"
        " FROM own JOIN pg_index i ON i.indrelid = own.oid",
        (list(_OF_RECORDS),),
    ).fetchall()
    folders = [
        path.parent for path in data_dir.rglob("PG_VERSION") if (path.parent / "base").is_dir()
    ]
    (folder,) = folders
    assert len(rows) > 3 * len(_OF_RECORDS)
    content = b"".join((folder / name).read_bytes() for (name,) in rows)
    assert b"about_child" in content, "what is not sealed is found there"
    return {f"files of records: {one}" for one in found_in(content, CODES)}


def _check_provider(night: Night) -> None:
    """The provider knows who called. It learns no name, and no address holds a number."""
    assert len(night.told_provider) > 5
    for url, document in night.told_provider:
        assert found_in(url.encode(), (NAME, SENTENCE, NUMBER, OTHER)) == set(), url
        assert found_in(document, (NAME, SENTENCE, OTHER)) == set(), url
    assert night.exchange.asked
    for _method, path, form, _status, _body in night.exchange.asked:
        assert found_in(path.encode(), (NAME, SENTENCE, NUMBER, OTHER)) == set(), path
        named = {k: v for k, v in form.items() if k not in ("To", "From", "CallerId")}
        assert found_in(json.dumps(named).encode(), (NAME, SENTENCE, NUMBER, OTHER)) == set(), path
        assert found_in(json.dumps(form).encode(), (NAME, SENTENCE, OTHER)) == set(), path


def test_the_search_finds_each_way_of_writing(tmp_path: Path) -> None:
    """A search that finds nothing proves something only if it can find."""
    for written in (
        f"row {NAME.upper()} here".encode(),
        f"x{SENTENCE}".encode("utf-16-le"),
        f"\\x{SENTENCE.encode().hex()}".encode(),
        b"tel " + NUMBER.encode(),
        b"tel 0" + NUMBER.removeprefix("+381").encode(),
        base64.b64encode(b'{"who": "' + SENTENCE.encode() + b'"}'),
        base64.b64encode(b"a" + SENTENCE.encode() + b"bc"),
        base64.b64encode(b"ab" + SENTENCE.encode() + b"c"),
    ):
        assert found_in(written, (NAME, SENTENCE, NUMBER)), written
    assert found_in(os.urandom(100_000) + b"nothing", (NAME, SENTENCE, NUMBER)) == set()
