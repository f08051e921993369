"""A night with planted names, numbers and words, crashes in its middle, and the search for them.

The program runs as a process of its own on a data folder of its own. Each planted thing comes in by
every way that there is, but for the headlines of records: these are kept in clear, and people are
told to write no name in them. A case is printed, a report is made and opened, a child's data are
erased, and nothing of this is refused.

Everything that the program leaves behind is searched byte by byte: the files of the database with
indexes and write-ahead log, back-ups, what else lies in the folder or was deleted there by the
server, the log, what crashes wrote, mails, and what the provider, push services and browsers were
told. The server writes nothing elsewhere. By day the rows, the log and what others were told are
searched in `test_planted_words.py`.
"""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice.rest import recordings
from app.practice.wire import sign
from tests.support.leaks import places, reasons, records, requested, written
from tests.support.leaks.crashing import Crash
from tests.support.leaks.night import PASSWORD, Night, a_night
from tests.support.leaks.searching import (
    NAME,
    NUMBER,
    SENTENCE,
    found_in,
    said,
)
from tests.support.leaks.watching import written_elsewhere
from tests.support.processes import ready
from tests.support.profile import nightly
from tests.support.waiting import until

Client = httpx2.AsyncClient
# By which ways words come in that are kept, sealed.
SEALED = frozenset(
    "urgency caller-flag story note risk case-flag follow-up transfer recipient ground override"
    " place dispatch feedback agency-name agency-progress agency-ask to-supervisor to-counsellor"
    " voice document web sms mms whatsapp telegram caption reply whisper before left odd"
    " data-request erased hold opening emergency review export extension result help"
    " provider anew".split()
)
# Sealed columns in which the night has nothing, and why.
_SECRET = "a secret that a machine made, and no words"
_BRIEF = "gone when it has been sent, fetched or heard: the files are searched for it"
EMPTY = {
    "address_changes.secret_sealed": _SECRET,
    "agencies.primero_password_sealed": _SECRET,
    "chat_earlier_accounts.token_sealed": _SECRET,
    "identity_providers.client_secret_sealed": _SECRET,
    "passkeys.public_key_sealed": _SECRET,
    "second_factors.secret_sealed": _SECRET,
    "set_up_codes.code_sealed": _SECRET,
    "chat_fetched.content_sealed": _BRIEF,
    "chat_media.source_sealed": _BRIEF,
    "chat_typing.text_sealed": _BRIEF,
    "alarms.words_sealed": "why an alarm ends that sounds after hours",
    "consents.for_what_sealed": "services of a consent: a test of their own seeks them everywhere",
    "emergencies.before_sealed": "settings that were changed under one",
    "practice_remarks.words_sealed": "of practice, in which no child speaks",
    "statistic_columns.data_sealed": "of days that are over",
}
AGENCY = """code,name,sector,services,languages,duty_phones,email
house,Safe House,shelter,shelter,en,+381113000001,duty@house.example
"""


async def _set_up(night: Night) -> Any:
    """People, a line to which children ring and write, and an agency."""
    (night.folder / "agencies.csv").write_text(AGENCY)
    night.backups.mkdir()
    await night.run("line", "add", LINE, "--languages", "en")
    await asyncio.gather(
        _add_person(night, "ana", "--chats", "5"),
        _add_person(night, "mira", "--role", "supervisor"),
        _add_person(night, "nora", "--role", "administrator"),
        night.run("agency", "import", str(night.folder / "agencies.csv")),
        night.run("data-requests", "prepare-folder"),
    )
    await night.run("shift", "add", "ana", "--always")
    return await written.let_write(night)


async def _add_person(night: Night, name: str, *more: str) -> None:
    team = ("--team", "North", "--email", f"{name}@line.example", "--password-stdin")
    await night.run("staff", "add", name, *more, *team, given=PASSWORD + "\n")


async def _odd_ways(night: Night, who: Client) -> None:
    """What goes wrong with a name in it: a text, addresses that are none, input that is refused."""
    base = night.base
    async with httpx2.AsyncClient(
        trust_env=False, timeout=20, base_url=night.api, cookies=who.cookies, headers=who.headers
    ) as client:
        fields = [("MessageSid", "SM" + "1" * 32), ("AccountSid", ACCOUNT), ("From", NUMBER)]
        fields += [("To", LINE), ("Body", said("odd")), ("NumMedia", "0")]
        signed = {"X-Twilio-Signature": sign(TOKEN, f"{base}/telephony/sms", fields)}
        text = await client.post(f"{base}/telephony/sms", data=dict(fields), headers=signed)
        assert text.status_code == 200, text.text
        paths = (f"/contacts/{NAME}", f"/calls/{NUMBER}", f"/r/{SENTENCE}", f"/chat/{NAME}")
        answers = [await client.get(base + path) for path in paths]
        wrong = {"channel": NAME, "answers": {NUMBER: SENTENCE}}
        answers.append(await client.post("/contacts", json=wrong))
        cut = f'{{"name": "{NAME}'.encode()
        answers.append(await client.post("/contacts/search", content=cut))
        wrong = {"username": NAME, "password": SENTENCE}
        answers.append(await client.post(base + "/login", data=wrong))
        assert [one.status_code for one in answers] == [422, 422, 404, 404, 422, 422, 401]
        for path in ("/metrics", "/readyz"):
            night.told.output.append((await client.get(base + path)).text)


async def _crashes(night: Night, client: Client, case: str) -> None:
    """Unforeseen errors with a child's words at hand; the last one ends the process."""
    process = night.program.process
    assert process is not None
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(r"Max core file size +([01]) +\1 ", limits), "no dump, and none by a program"
    statuses = []
    # After a fault the server ends the connection: each has one of its own.
    alone = {"connection": "close"}
    for crash in Crash:
        note = {"text": f"{crash} {said(crash)}"}
        with contextlib.suppress(httpx2.RemoteProtocolError):
            answer = await client.post(f"/cases/{case}/notes", json=note, headers=alone)
            statuses.append(answer.status_code)
    assert statuses == [500, 422, 204, 204, 204], "the last one is not answered"

    async def over() -> bool:
        return process.poll() is not None

    await until(over, within=60)
    log = night.program.read_log()
    assert log.count("leaks.crashing.Unplanned") == 2, "of a thread, and of what was given up"
    assert "Task exception was never retrieved" in log
    assert '"a request failed"' in log


async def _files(night: Night) -> None:
    """Files of figures, and a back-up."""
    now = datetime.now(UTC)
    for what in ("calls", "referrals"):
        days = ("--from", f"{now.year}-01-01", "--to", f"{now.year + 1}-01-01")
        span = (*days, "--format", "csv")
        await night.run("export", what, *span, "--output", str(night.folder / f"{what}.csv"))
    await night.run("backup", "make")


async def _lived(night: Night, bot: Any) -> tuple[set[str], set[str]]:
    """The night: a talk, what is written about it, children who write, a report, an erasure, and
    crashes. Return by which ways words came in that are kept, before some of them are erased; and
    in which sealed columns there are none."""
    people = (night.person(name) for name in ("ana", "mira", "nora"))
    async with contextlib.AsyncExitStack() as stack:
        ana, mira, nora = [await stack.enter_async_context(one) for one in people]
        await written.leave_written_message(night)
        night.push.vapid_key = (await mira.post(night.base + "/sounds/push/key")).json()["key"]
        subscription = night.push.subscription()
        (await mira.post(night.base + "/sounds/push", json=subscription)).raise_for_status()
        await night.at_work(ana)
        await written.write_by_all(night, bot, ana, mira)
        call = await records.talk(night, ana)
        await records.leave_voice_message(night)
        await ana.post(f"/calls/{call}/call-for-help")
        # A busy machine sends it late.
        await until(lambda: night.push.said, within=90)
        contact = await records.write_contact(night, ana, call)
        case = await records.write_case(ana, contact)
        await records.print_case(ana, case)
        await reasons.give_reasons(night, ana, mira, nora, contact, case)
        await records.say_to_team(ana, mira)
        await records.refer(night, ana, contact)
        await _odd_ways(night, ana)
        message = night.row("SELECT id FROM voice_messages")
        assert (await ana.get(f"/voice-messages/{message}")).status_code == 200
        pages = ("/", "/cases", f"/cases/{case}", f"/contacts/{contact}", f"/calls/{call}")
        await records.look_at_pages(night, ana, *pages, "/referrals", "/board/chats")
        await requested.write_contact_of_texts(night, ana)
        await requested.be_shown(mira, nora)
        found = await places.sealed_ways(night)
        await requested.be_erased(night, mira, nora)
        assert night.told.refused == [], "what was planted came in"
        await _crashes(night, ana, case)
        return found


def _leak(night: Night) -> None:
    """Let a job have words among its arguments, as a mistake would, and be done at once."""
    leaks = json.dumps({"words": said("said-leak")})
    with psycopg.connect(night.url) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
            " VALUES ('default', 'x', %s, 'succeeded')",
            (leaks,),
        )
        connection.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'x'")


def _database(night: Night) -> places.Left:
    found = places.in_files(night.folder)
    return {name: words for name, words in found.items() if name.startswith("var/postgres/")}


@nightly
@pytest.mark.anyio
async def test_nothing_of_the_planted_is_left_where_it_must_not_be(
    new_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = recordings.SILENT_MP3
    monkeypatch.setattr(recordings, "SILENT_MP3", silent + said("voice").encode() * 20)
    async with a_night(new_folder()) as night:
        with night.database() as postgres:
            bot = await _set_up(night)
            hearing = asyncio.create_task(night.hear())
            night.program.serve()
            async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
                await ready(client, night.base)
            ways, empty = await _lived(night, bot)
            hearing.cancel()
            await _files(night)
            assert ways >= SEALED, "with the keys all of it is read"
            assert sorted(empty) == sorted(EMPTY)
            left = places.in_rows(postgres, night.program.data_dir)
            left |= places.in_files(night.folder) | places.in_backups(night)
            left |= places.at_others(night) | places.in_announcements(night)
            left |= places.in_browsers(night)
            assert (left, written_elsewhere(night.folder)) == ({}, [])
            _leak(night)
            assert places.in_rows(postgres, night.program.data_dir) == {}, "the row is gone"
            assert any("said-leak" in str(found) for found in _database(night).values())


@pytest.mark.parametrize(
    "written_so",
    [
        f"row {NAME.upper()} here".encode(),
        f"x{SENTENCE}".encode("utf-16-le"),
        f"\\x{SENTENCE.encode().hex()}".encode(),
        b"tel " + NUMBER.encode(),
        b"tel 0" + NUMBER.removeprefix("+381").encode(),
        b"tel +381 64 739 1852",
        b"tel 064/739-1852",
        b"tel +381-64-739.1852",
        b"tel (064) 7391852",
        base64.b64encode(b'{"who": "' + SENTENCE.encode() + b'"}'),
        base64.b64encode(b"a" + SENTENCE.encode() + b"bc"),
        base64.b64encode(b"ab" + SENTENCE.encode() + b"c"),
        zlib.compress(b"packed " + SENTENCE.encode()),
        gzip.compress(b"packed " + SENTENCE.encode(), mtime=0),
        hashlib.sha256(NUMBER.encode()).hexdigest().encode(),
        hashlib.md5(NUMBER.encode()).digest(),
    ],
)
def test_the_search_finds_each_way_of_writing(written_so: bytes) -> None:
    """A search that finds nothing proves something only if it can find."""
    assert found_in(os.urandom(5_000) + written_so + b"nothing"), written_so
    assert found_in(os.urandom(100_000) + b"nothing") == set()
