"""Where a planted word could be left, and the search of each place."""

import gzip
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import psycopg
import pyrage
from sqlalchemy import text

from app import tables
from app.cli.running import prepared
from app.database.embedded import EmbeddedPostgres
from app.database.own_server import as_role
from app.database.roles import PROGRAM as PROGRAM_ROLE
from app.jobs.transaction import transaction
from app.privacy.safe import SECRETS, USED_HERE
from app.reading_settings import with_generated_secrets
from app.sealing.places import sealed_places, values_of
from app.settings import Settings
from app.work import PROGRAM
from tests.support.leaks.night import Night
from tests.support.leaks.searching import CODES, HEADLINE, NAMED, PLANTED, SENTENCE, found_in

_DEFINED = {"definitions", "definition_sets"}
# What is outside the database: codes, and the headline, which is in clear in it.
_OUTSIDE = (*PLANTED, *CODES, HEADLINE)
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
# What of a page stands in the address line, in the history, in a bookmark, or in a log of others.
_ADDRESSES = re.compile(
    r'(?:href|src|action|formaction|hx-[a-z-]+|data-[a-z-]*(?:url|href|at))="([^"]*)"'
    r"|<title>([^<]*)</title>"
)

# What stands behind the sentence of what was planted.
_WAY = re.compile(SENTENCE.encode() + rb"-([a-z-]+)")

Left = dict[str, set[str]]
# Each with its name and what is sought in it.
Places = list[tuple[str, str, tuple[str, ...]]]


def in_files(folder: Path) -> Left:
    """Read every file that the program has left: heap, indexes, TOAST, WAL, logs, back-ups."""
    left: Left = {}
    kinds: set[str] = set()
    searched = 0
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if found := found_in(name.encode()):
            left[f"name of {path.suffix or 'a file'}"] = found
        if not path.is_file() or path.is_socket():
            continue
        content = path.read_bytes().rstrip(b"\0")
        searched += len(content)
        kinds.update(part for part in ("base", "pg_wal", "log", "backups") if part in path.parts)
        beside = not {"base", "pg_wal", "global", "written"} & set(path.parts)
        words = _OUTSIDE if beside and path.suffix != ".csv" else PLANTED
        if found := found_in(content, words):
            left[name] = found
        if content.startswith(b"%PDF"):
            # Its words are packed, and are not found in it.
            left[name] = {"a paper"}
    assert searched > 20_000_000, "the files of a database"
    assert {"base", "pg_wal", "log", "backups"} <= kinds
    return left


def in_backups(night: Night) -> Left:
    """Read a back-up as who has its key and no field key."""
    left: Left = {}
    # On a slow machine, the program has made one by itself, too.
    bases = list(night.backups.rglob("base/*.age"))
    assert bases
    for base in bases:
        packed = io.BytesIO(pyrage.decrypt(base.read_bytes(), [night.key]))
        with tarfile.open(fileobj=packed, mode="r|*") as files:
            for one in files:
                content = files.extractfile(one)
                if content is not None and (found := found_in(content.read().rstrip(b"\0"))):
                    left[f"in the back-up: {one.name}"] = found
    segments = list(night.backups.rglob("log/*.age"))
    assert segments, "what was written since is there, too"
    for segment in segments:
        written = gzip.decompress(pyrage.decrypt(segment.read_bytes(), [night.key]))
        if found := found_in(written.rstrip(b"\0")):
            left[f"in the back-up: {segment.name}"] = found
    return left


def in_rows(postgres: EmbeddedPostgres, data_dir: Path) -> Left:
    """Read every row as text, and bring all of it to the files.

    The rows of jobs are among them, and what is left of finished ones.
    """
    left: Left = {}
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
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
            sought = PLANTED if name in _DEFINED else (*PLANTED, *CODES)
            if found := found_in(whole, sought):
                left[f"rows of {name}"] = found
            assert name != "contacts" or found_in(whole, (HEADLINE,)), "it is found where it is"
        left |= _in_files_of_records(connection, data_dir)
    return left


def _in_files_of_records(connection: Any, data_dir: Path) -> Left:
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
    found = found_in(content, CODES)
    return {"files of records": found} if found else {}


async def sealed_ways(night: Night) -> tuple[set[str], set[str]]:
    """Open every sealed value with the keys; return by which ways what is in them has come, and
    which sealed columns have no value."""
    settings = with_generated_secrets(
        Settings(data_dir=night.program.data_dir, database_url=as_role(night.url, PROGRAM_ROLE))
    )
    ways: set[str] = set()
    empty: set[str] = set()
    async with prepared(settings) as ground, transaction(ground, PROGRAM) as work:
        for place in sealed_places(tables.metadata):
            if (place.table, place.column) in (SECRETS, *USED_HERE):
                # These secrets hold no words, and are not told.
                continue
            columns = ", ".join(dict.fromkeys(place.also()))
            rows = await work.session.execute(
                text(
                    f"SELECT {columns}, {place.column} AS stored FROM {place.table}"
                    f" WHERE {place.column} IS NOT NULL"
                )
            )
            found = rows.mappings().all()
            if not any(values_of(place, row["stored"]) for row in found):
                empty.add(place.name)
            for row in found:
                for path, value in values_of(place, row["stored"]).items():
                    opened = work.keys.open(value, **place.bound_to(dict(row), path))
                    ways |= {one.decode() for one in _WAY.findall(opened)}
    return ways, empty


def at_others(night: Night) -> Left:
    """Read what others were told: the provider, Telegram, mail servers, push services.

    The provider knows who called, and what a child is sent. It learns no name, and no address
    holds a number.
    """
    exchange, told = night.exchange, night.told
    assert len(told.documents) > 5
    assert exchange.asked
    assert night.post.messages
    assert night.push.said
    places: Places = []
    for url, document in told.documents:
        places += [
            (f"provider's {url}", url, PLANTED),
            (f"document {url}", document.decode(), NAMED),
        ]
    for _method, path, form, _status, _body in exchange.asked:
        places.append((f"request {path}", path, PLANTED))
        # Where to, and what a child is told by the person who writes with it.
        named = {k: v for k, v in form.items() if k not in ("To", "From", "CallerId", "chat_id")}
        if not _is_to_a_child(form):
            places.append((f"form of {path}", json.dumps(named), PLANTED))
    places += [("mail", words, _OUTSIDE) for _to, words in night.post.whole]
    places += [("push", words, _OUTSIDE) for words in night.push.said]
    return _searched(places)


def _is_to_a_child(form: dict[str, Any]) -> bool:
    """A message that a person wrote to a child who writes by a carrier."""
    return bool(found_in(json.dumps([form.get("Body"), form.get("text")]).encode(), ("-reply",)))


def in_announcements(night: Night) -> Left:
    """Read what was announced in the database, which statements ran, and what commands wrote."""
    told = night.told
    assert len(told.notified) > 20
    assert any("procrastinate" in one for one in told.statements)
    assert any("helpline_" in one for one in told.output), "the metrics"
    places: Places = [("NOTIFY", one, _OUTSIDE) for one in told.notified]
    places += [("statement", one, PLANTED) for one in told.statements]
    places += [("output", one, _OUTSIDE) for one in told.output]
    return _searched(places)


def in_browsers(night: Night) -> Left:
    """Read what a browser keeps of pages: addresses, heads of responses, titles."""
    told = night.told
    assert len(told.heads) > 50
    assert any(found_in(page.encode(), NAMED) for page in told.pages), "a page shows a child"
    places: Places = [("address", url, PLANTED) for url, _heads in told.heads]
    places += [(f"heads of {url}", json.dumps(heads), PLANTED) for url, heads in told.heads]
    for page in told.pages:
        places += [("page", "\n".join("".join(one) for one in _ADDRESSES.findall(page)), PLANTED)]
    return _searched(places)


def _searched(places: Places) -> Left:
    left: Left = {}
    for name, words, sought in places:
        if found := found_in(words.encode(), sought):
            left[name] = found
    return left
