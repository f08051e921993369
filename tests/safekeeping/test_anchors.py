"""The ends of the logs leave the database, and show later what is missing or altered."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.dashboard.rota.alarms import alarm_values
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import Invalid
from app.jobs.names import Task
from app.jobs.transaction import flush, transaction
from app.safekeeping import anchors, documents, notices
from app.safekeeping.backups import state
from app.safekeeping.documents import Anchored, Heads, ranges, read, written
from app.safekeeping.models import AdministratorNoticeKind, Anchor, AnchorDelivery, BackupKind, Way
from app.safekeeping.time_stamps import is_stamped
from app.safekeeping.verifying import verdict_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.mail import Mail
from tests.support.referrals import page
from tests.support.safekeeping.time_authority import authority
from tests.support.talks import talk
from tests.support.verbs import a_line, an_administrator, rings, with_settings

DAY = timedelta(days=1)


async def a_file_of_all(work: Work) -> bytes:
    """Return all anchors as a file holds them."""
    rows = await work.session.scalars(select(Anchor).order_by(Anchor.made_at))
    return "\n".join(one.document for one in rows).encode()


async def anchored(work: Work) -> Anchored:
    return read((await a_file_of_all(work)).decode())


async def an_anchor(work: Work) -> UUID | None:
    await flush(work)
    made = await anchors.make_anchor(work)
    work.now += DAY
    return made


async def some_entries(work: Work, count: int) -> None:
    for n in range(count):
        write_entry(work, AuditLog.LOG_CHECK_ASKED, f"s{n}")
    await flush(work)


async def a_file(forger: Work, tmp_path: Path) -> Work:
    """Two days of a helpline with two calls, each with its anchor; as a forger of rows."""
    work = with_settings(forger, anchor_file=tmp_path / "anchors")
    await a_line(work)
    await some_entries(work, 5)
    await rings(work)
    assert await an_anchor(work) is not None
    await some_entries(work, 5)
    await rings(work, "CA2")
    assert await an_anchor(work) is not None
    await some_entries(work, 2)
    await work.session.execute(text("SET LOCAL session_replication_role = replica"))
    return work


async def said(work: Work) -> list[str]:
    verdict = await verdict_of(work, await a_file_of_all(work))
    return [f"{one.log}: {one.sentence}" for one in verdict.findings]


@pytest.mark.parametrize(
    ("forgery", "told"),
    [
        ("SELECT 1", []),
        # The end of a log is cut off: no chain is broken by it.
        ("DELETE FROM audit_entries WHERE id > 8", ["audit_entries: Entries 9-11 are missing."]),
        ("DELETE FROM audit_entries WHERE id > 11", []),
        (
            "DELETE FROM audit_entries WHERE id IN (3, 7)",
            ["audit_entries: Entries 3 are missing.", "audit_entries: Entries 3, 7 are missing."],
        ),
        (
            "UPDATE audit_entries SET hash = sha256(hash) WHERE id > 6",
            ["audit_entries: An entry from 7 to 11 was altered."],
        ),
        (
            "DELETE FROM call_events WHERE id = (SELECT max(id) FROM call_events)",
            [
                "call_events: Entries LAST are missing, each the last of its chain when the anchor "
                "was made."
            ],
        ),
        (
            "UPDATE call_events SET hash = sha256(hash) WHERE call_id = (SELECT call_id FROM"
            " call_events ORDER BY id DESC LIMIT 1)",
            ["call_events: The chains that ended with the entries LAST were altered."],
        ),
    ],
)
async def test_what_is_missing_or_altered_since_an_anchor_is_named(
    forger: Work, tmp_path: Path, forgery: str, told: list[str]
) -> None:
    work = await a_file(forger, tmp_path)
    newest = await work.session.scalar(text("SELECT max(id) FROM audit_entries"))
    last = await work.session.scalar(text("SELECT max(id) FROM call_events"))
    # Thirteen entries are of this test. A reading of another one may have been logged before.
    earlier = newest - 13 if "audit_entries" in forgery else 0

    def numbered(words: str) -> str:
        return re.sub(r"\b\d+\b", lambda found: str(int(found[0]) + earlier), words)

    await work.session.execute(text(numbered(forgery)))
    assert await said(work) == [numbered(one).replace("LAST", str(last)) for one in told]


async def test_one_a_day_and_each_names_the_one_before(work: Work, tmp_path: Path) -> None:
    assert await an_anchor(work) is None, "no way is set up"
    work = with_settings(work, anchor_file=tmp_path / "anchors")
    early = replace(work, now=work.now.replace(hour=0, minute=10))
    assert await anchors.make_anchor(early) is None
    made = await anchors.make_anchor(work)
    assert made is not None
    assert await anchors.make_anchor(work) is None
    work.now += DAY
    assert await an_anchor(work) is not None
    found = (await anchored(work)).documents
    assert [one.before for one in found] == [None, found[0].digest]
    file = await a_file_of_all(work)
    assert (await verdict_of(work, file)).findings == []
    third = written("2030-01-03", "x" * 64, {})
    (told,) = (await verdict_of(work, file + b"\n" + third.text.encode())).findings
    assert (told.log, told.at) == ("anchors", "2030-01-03")


async def test_an_anchor_goes_out_by_every_way_and_holds_nothing_about_a_person(
    night: Stage, post: Mail, tmp_path: Path
) -> None:
    """By a file, by mail to two addresses, and by the time stamp of an authority."""
    mila = await night.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await talk(night, await night.add_counsellor("ana"))
    file = tmp_path / "anchors.jsonl"
    with authority(tmp_path) as (url, certificate):
        settings = night.settings.model_copy(
            update={
                "anchor_file": file,
                "anchor_mail": "court@example.org, auditor@example.org",
                "anchor_time_stamp_url": url,
                "anchor_time_stamp_certificate": certificate,
            }
        )
        ground = replace(night.ground, settings=settings)
        async with transaction(ground, PROGRAM) as work:
            anchor_id = await anchors.make_anchor(work)
            work.jobs.clear()
        assert anchor_id is not None
        for way in Way:
            await anchors.deliver(ground, anchor_id, way)
    kept = read(file.read_text())
    (document,) = kept.documents
    assert is_stamped(settings, document.text.encode(), kept.time_stamps[document.digest])
    assert not is_stamped(settings, b"another", kept.time_stamps[document.digest])
    assert sorted(to for to, _ in post.messages) == ["auditor@example.org", "court@example.org"]
    assert document.digest in post.messages[0][1]
    # Numbers, hashes and an instant; no id of a call or a person, no kind of an event.
    values = json.loads(document.text)
    assert set(values) == {"anchor", "at", "before", "logs"}
    for one in values["logs"].values():
        assert set(one) == {"entries", "newest", "heads"}
        assert all(number.isdecimal() and len(h) == 64 for number, h in one["heads"].items())
    night.ground = replace(night.ground, settings=settings)
    night.app.state.ground = night.ground
    olga = await night.add_counsellor("olga", role=Role.AUDITOR, shift=False, state=None)
    for who, address in ((mila, "/admin/backups"), (olga, "/admin/log")):
        shown = (await page(night, who, address)).text
        section = shown[shown.index('<section id="anchors"') :]
        assert section[: section.index("</section>")].count("<time data-clock") == len(Way)
    await _is_compared(night, olga, file.read_bytes())


async def _is_compared(night: Stage, olga: Counsellor, file: bytes) -> None:
    """An auditor sends the file on the page, and by the interface, and reads what is missing."""
    headers = {"Cookie": olga.cookie_header, "Origin": night.settings.public_url}

    async def both(sent: bytes) -> tuple[str, dict[str, Any]]:
        base = night.settings.public_url
        seen = await night.client.post(
            f"{base}/admin/log/anchors", files={"file": ("a", sent)}, headers=headers
        )
        kind = {"Content-Type": "application/octet-stream"}
        told = await night.client.post(
            f"{base}/api/v1/log/anchors", content=sent, headers=headers | kind
        )
        return seen.text, told.json()

    seen, told = await both(file)
    assert "Nothing is missing or altered since these anchors: 1" in seen
    assert (told["anchors"], told["whole"], told["findings"]) == (1, True, [])
    cut = written("2030-01-03", "x" * 64, {}).text.encode()
    seen, told = await both(file + b"\n" + cut)
    assert "The anchor before this one is missing from the file" in seen
    assert (told["whole"], len(told["findings"])) == (False, 1)
    seen, told = await both(b"\xff{")
    assert "The file holds no anchor." in seen
    assert told["error"] == "Invalid"
    seen, _ = await both(b'{"anchor":9}')
    assert "The file was written by a newer version of the program." in seen
    # Who reads that in another language is led back to the form.
    base, where = night.settings.public_url, "/admin/log/anchors"
    chosen = await night.client.post(
        f"{base}/page-language",
        data={"language": "sr"},
        headers=headers | {"Referer": f"{base}{where}"},
    )
    assert (chosen.status_code, chosen.headers["location"]) == (303, where)
    back = await night.client.get(base + where, headers=headers)
    assert (back.status_code, back.headers["location"]) == (303, "/admin/log#anchors")


async def test_a_way_that_fails_is_tried_again_and_told(
    night: Stage, post: Mail, tmp_path: Path
) -> None:
    await night.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await night.rows("UPDATE staff SET email = 'mila@example.org' RETURNING id")
    away = tmp_path / "away" / "anchors"
    settings = night.settings.model_copy(update={"anchor_file": away})
    ground = replace(night.ground, settings=settings)
    async with transaction(ground, PROGRAM) as work:
        anchor_id = await anchors.make_anchor(work)
        work.jobs.clear()
    assert anchor_id is not None
    with pytest.raises(anchors.CannotDeliver, match="FileNotFoundError"):
        await anchors.deliver(ground, anchor_id, Way.FILE)
    async with transaction(ground, PROGRAM) as work:
        row = await work.session.get_one(AnchorDelivery, (anchor_id, "file"))
        assert (row.done_at, row.problem) == (None, "FileNotFoundError")
        await notices.look(work)
        assert work.jobs == [], "it is not late yet"
        work.now += anchors.LATE + timedelta(minutes=1)
        await notices.look(work)
        await notices.look(work)
        (job,) = work.jobs
        told = job.arguments
        work.jobs.clear()
    await notices.mail(ground, UUID(told["notice_id"]), UUID(told["staff_id"]))
    (letter,) = post.to("mila@example.org")
    assert "/admin/backups" in letter
    away.parent.mkdir()
    for _ in range(2):
        await anchors.deliver(ground, anchor_id, Way.FILE)
    assert len(read(away.read_text()).documents) == 1


async def test_an_approved_request_that_waits_is_told_after_an_hour(
    work: Work,
) -> None:
    """The folder of the lists may be away for a week-end, and a deadline of the law runs."""
    mila = await an_administrator(work)
    mila.email = "mila@example.org"
    insert = (
        "INSERT INTO data_requests (id, code, kind, person, state, began_at, asked_role,"
        " decided_role, decided_at) VALUES (gen_random_uuid(), 'D-1', 'erasure', 'child',"
        " 'approved', :at, 'supervisor', 'admin', :at)"
    )
    await work.session.execute(text(insert), {"at": work.now - timedelta(minutes=59)})
    assert await notices.late_now(work) == set()
    work.now += timedelta(minutes=2)
    await notices.look(work)
    assert await notices.late_now(work) == {AdministratorNoticeKind.REQUEST_LATE}
    assert {job.task for job in work.jobs} >= {Task.MAIL_SAFEKEEPING}
    (told,) = (await alarm_values(work))["late"]
    assert "waited for more than an hour" in told[1]
    await work.session.execute(text("UPDATE data_requests SET state = 'done'"))
    await notices.look(work)
    assert (await alarm_values(work))["late"] == []


async def test_a_late_back_up_is_told_once_a_day_until_it_is_there(work: Work) -> None:
    assert await notices.late_now(work) == set(), "this server makes none"
    await state.note(work, BackupKind.BASE, begun_at=work.now, name="dump")
    assert await notices.late_now(work) == set()
    work.now += timedelta(hours=27)
    told = []
    for _ in range(4):
        work.topics.clear()
        await notices.look(work)
        told.append(bool(work.topics))
        work.now += timedelta(hours=13)
    assert told == [True, False, True, False]
    assert await notices.late_now(work) == {AdministratorNoticeKind.BACKUP_LATE}
    await state.note(work, BackupKind.BASE, begun_at=work.now, name="dump")
    await notices.look(work)
    assert await notices.late_now(work) == set()
    kept = with_settings(work, backup_target=Path("/srv/backups"))
    await state.note_log(kept)
    kept.now += state.LOG_LATE + timedelta(minutes=1)
    assert await notices.late_now(kept) == {AdministratorNoticeKind.BACKUP_LOG_LATE}
    await state.note_log(kept)
    assert await notices.late_now(kept) == set()
    await state.note(kept, BackupKind.BASE, begun_at=kept.now, problem="pg_basebackup failed: x")
    now = await state.read(kept)
    assert now is not None
    assert now.problem == "pg_basebackup failed: x"


@pytest.mark.parametrize(
    "text_",
    [
        *("", "no anchor", '{"anchor":1', '{"anchor":1,"at":"x"}', '{"anchor":9}'),
        '{"anchor":1e400}',
        '{"anchor":' + "[" * 100_000,
        *(
            '{"anchor":1,"at":"x","before":null,'
            f'"logs":{{"audit_entries":{{"entries":1,"newest":{wrong},"heads":{{}}}}}}}}'
            for wrong in ("-1", "9223372036854775808", "1e400")
        ),
    ],
)
def test_what_is_no_anchor_is_refused(text_: str) -> None:
    with pytest.raises(Invalid):
        read(text_)


def test_a_document_is_read_as_it_was_written() -> None:
    one = written("2027-01-30T00:00:00+00:00", None, {"audit_entries": Heads(3, 3, {3: "ab"})})
    two = written(
        "2027-01-31T00:00:00+00:00", one.digest, {"audit_entries": Heads(4, 4, {4: "cd"})}
    )
    stamp = documents.line_of_time_stamp(one.digest, b"proof")
    found = read(f"{one.text}\n{stamp}\n\n{two.text}\n")
    assert found.documents == [one, two]
    assert found.time_stamps == {one.digest: b"proof"}
    assert documents.breaks(found.documents) == []
    assert documents.breaks([two, one]) == [one.at]
    assert ranges([7, 9, 10, 11, 12]) == "7, 9-12"
