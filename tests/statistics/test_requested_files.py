"""Files that are asked for and made later: who may have them, and how they are fetched."""

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app.cli import commands, export
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.retention.running import run_now
from app.staff.roles import Role
from app.statistics import staff_measures
from app.statistics.exports import carrying_out
from app.work import PROGRAM
from tests.support.command_line import typed_on
from tests.support.documents.shell import documented
from tests.support.people import person
from tests.support.profile import WHOLE
from tests.support.random_life.files import (
    FIRST,
    LAST,
    RECORDS,
    WINDOW,
    calls_in_logs,
    fetch,
    in_serbian,
    read_csv,
)
from tests.support.recount import grouping


@pytest.fixture
def house(busy_house: Stage) -> Stage:
    """Files are made by the worker."""
    return busy_house


async def test_a_requested_file_keeps_its_language(house: Stage, boss: Counsellor) -> None:
    body = {"what": "room", "from": FIRST, "to": LAST, "format": "json", "language": "sr"}
    made = await boss.ask("POST", "/statistics/exports", body)
    assert made.status_code == 202, made.text
    await house.settle()
    path = f"/statistics/exports/{made.json()['id']}"
    file = json.loads((await fetch(boss, f"{path}/file")).text)
    fairness = next(row for row in file["rows"] if row["measure"] == "fairness")
    assert fairness["measure_label"] == in_serbian("fairness")
    assert fairness["words"] == in_serbian(staff_measures.FAIRNESS_WORDS)


# By day those of a month.
_WANTED = RECORDS if WHOLE else {**RECORDS, "from": "2026-04-01", "to": "2026-05-01"}
# Other tests have approved other ones in this house.
_APPROVED = "SELECT detail FROM audit_entries WHERE action = 'export_approved' AND subject = %s"


async def test_single_contacts_need_a_second_person_and_leave_a_trail(
    house: Stage, boss: Counsellor, lived_through: str
) -> None:
    assert (await boss.ask("GET", f"/statistics/records.csv?{WINDOW}")).status_code == 422
    chief = await person(house, "chief", Role.SUPERVISOR)
    short = await boss.ask("POST", "/statistics/exports", {**RECORDS, "reason": "because"})
    assert (short.status_code, "what it is needed for" in short.text) == (422, True)
    asked = (await boss.ask("POST", "/statistics/exports", _WANTED)).json()
    assert asked["state"] == "asked"
    path = f"/statistics/exports/{asked['id']}"
    await house.settle()
    assert (await boss.ask("GET", f"{path}/file")).status_code == 409
    own = await boss.ask("POST", f"{path}/approve", {})
    assert (own.status_code, "your own request" in own.text) == (403, True)
    await _is_told_why_not(house, await person(house, "other", Role.ADMINISTRATOR), path)
    listed = (await chief.ask("GET", "/statistics/exports")).json()
    assert [e["reason"] for e in listed if e["id"] == asked["id"]] == [RECORDS["reason"]]
    assert (await chief.ask("POST", f"{path}/approve", {})).json()["state"] == "approved"
    (said,) = await house.rows(_APPROVED, f"export:{asked['id']}")
    assert (said["detail"]["before"], said["detail"]["after"]) == ("asked", "approved")
    await house.settle()
    assert (await chief.ask("POST", f"{path}/refuse", {})).status_code == 409
    # The person who approves does not get it by that; nor does any third person.
    assert (await chief.ask("GET", f"{path}/file")).status_code == 403
    auditor = await person(house, "auditor", Role.AUDITOR)
    assert (await auditor.ask("GET", f"{path}/file")).status_code == 404
    file = await fetch(boss, f"{path}/file")
    _, rows = read_csv(file.text)
    ones = [one for one in calls_in_logs(lived_through) if WHOLE or one.local.month == 4]
    assert len(rows) == len(ones) > (100 if WHOLE else 50)
    said = {row["contact_id"]: row for row in rows if row["contact_id"]}
    for one in ones:
        if one.contact:
            row = said[str(one.contact["id"])]
            codes = grouping.DIMENSIONS["category"](one)
            assert set(row["categories"].split(";")) == {
                c.replace("?", "not_recorded") for c in codes
            }
    trail = await house.rows(
        "SELECT action FROM audit_entries WHERE subject = %s ORDER BY id", f"export:{asked['id']}"
    )
    assert [t["action"] for t in trail] == [
        "export_requested",
        "export_approved",
        "export_made",
        "export_downloaded",
    ]
    await _is_lost_with_the_role(house, boss, f"{path}/file")
    # Neither the reason nor the file can be read in the database.
    for table in ("exports", "export_parts", "audit_entries"):
        for row in await house.rows(f"SELECT t::text AS words FROM {table} t"):
            assert "institute" not in row["words"]
            assert "V-PHYSICAL" not in row["words"]
    house.stepped.move_to(house.clock.now() + timedelta(days=8))
    await house.settle()
    await run_now(house.ground)
    await boss.sign_in()
    assert (await boss.ask("GET", f"{path}/file")).status_code == 409
    assert await house.rows("SELECT FROM export_parts WHERE export_id = %s", asked["id"]) == []


async def test_an_approved_request_is_taken_out_once_on_the_command_line(
    house: Stage, boss: Counsellor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chief = await person(house, "chief", Role.SUPERVISOR)
    monkeypatch.chdir(tmp_path)
    # By day by one of the documented commands.
    for number in range(len(documented("export records")) if WHOLE else 1):
        asked = (await boss.ask("POST", "/statistics/exports", _WANTED)).json()
        path = f"/statistics/exports/{asked['id']}"
        assert (await chief.ask("POST", f"{path}/approve", {})).status_code == 200
        await house.settle()
        words = documented("export records", {"ID": asked["id"]})[number]
        for fails in (False, True):
            async with transaction(house.ground, PROGRAM) as work:
                types = typed_on(work, monkeypatch, commands.app, export)
                await types("export", *words, fails=fails)
        file = tmp_path / words[words.index("--output") + 1]
        assert len(read_csv(file.read_text())[1]) > (100 if WHOLE else 50)
        file.unlink()
        assert (await boss.ask("GET", f"{path}/file")).status_code == 409, "gone from the page"


async def _is_lost_with_the_role(house: Stage, who: Counsellor, file: str) -> None:
    for role, status in (("auditor", 403), ("administrator", 200)):
        await house.watch.execute("UPDATE staff SET role = %s WHERE id = %s", (role, who.id))
        house.ground.memory.forget("everything")
        assert (await who.ask("GET", file)).status_code == status, role


async def _is_told_why_not(house: Stage, other: Counsellor, path: str) -> None:
    same = await other.ask("POST", f"{path}/approve", {})
    assert (same.status_code, same.json()["error"]) == (403, "SecondPerson")
    page = await house.client.get(
        f"{house.settings.public_url}/reports", headers={"Cookie": other.cookie_header}
    )
    assert f"{path}/approve" not in page.text
    assert f"{path}/refuse" in page.text
    assert "A second person with another role decides: not the person who asked" in page.text


async def test_a_refused_request_is_never_made(house: Stage, boss: Counsellor) -> None:
    asked = (await boss.ask("POST", "/statistics/exports", RECORDS)).json()
    other = await person(house, "another", Role.ADMINISTRATOR)
    await other.ask("POST", f"/statistics/exports/{asked['id']}/refuse", {})
    await house.settle()
    again = await other.ask("POST", f"/statistics/exports/{asked['id']}/approve", {})
    assert again.status_code == 409
    parts = await house.rows("SELECT FROM export_parts WHERE export_id = %s", asked["id"])
    assert parts == []
    officer = await person(house, "officer", Role.REFERRAL_OFFICER)
    assert (await officer.ask("POST", "/statistics/exports", RECORDS)).status_code == 403


async def test_a_file_is_made_by_one_run_at_a_time_and_a_download_goes_on_where_it_broke_off(
    house: Stage, boss: Counsellor
) -> None:
    body = {"what": "calls", "from": FIRST, "to": LAST, "format": "json"}
    asked = (await boss.ask("POST", "/statistics/exports", body)).json()
    await asyncio.gather(*(carrying_out.make(house.ground, UUID(asked["id"])) for _ in range(3)))
    await house.settle()
    path = f"/statistics/exports/{asked['id']}"
    found = (await boss.ask("GET", path)).json()
    assert (found["state"], found["done"]) == ("ready", found["of"])
    whole = await fetch(boss, f"{path}/file")
    assert len(whole.content) == found["size"]
    assert hashlib.sha256(whole.content).hexdigest() == found["sha256"]
    assert len(json.loads(whole.content)["rows"]) > 200
    url = f"{house.settings.public_url}/api/v1{path}/file"
    cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in boss.cookies.items())}
    for asked_for, begin, end in (
        ("bytes=1000-", 1000, None),
        ("bytes=0-9", 0, 10),
        ("bytes=-7", -7, None),
    ):
        part = await house.client.get(url, headers={**cookie, "Range": asked_for})
        assert (part.status_code, part.content) == (206, whole.content[begin:end]), asked_for
    assert part.headers["etag"] == whole.headers["etag"]
    other = {**cookie, "Range": "bytes=5-", "If-Range": '"something else"'}
    assert (await house.client.get(url, headers=other)).status_code == 200
    beyond = {**cookie, "Range": "bytes=99999999-"}
    assert (await house.client.get(url, headers=beyond)).status_code == 416
