"""Files: read back as a user would, equal to the naive count, only for those who may have them."""

import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet as pq
import pytest

from app.api.statistics.requested_files import read_range
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.staff.tokens import add_token, revoke_token
from app.statistics.counting.reconcile import reconcile, unexplained
from app.statistics.exports.writers import safe
from app.statistics.measures import NAMES, definition
from app.statistics.protection.guard import CONTENT_MEASURES
from app.statistics.sums import SUMS
from app.work import PROGRAM
from tests.support.documents.shell import ROOT, requests
from tests.support.people import person
from tests.support.profile import WHOLE, nightly
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
from tests.support.recount import grouping, measuring

INTEGRATORS = ROOT / "docs/integrators.md"


async def test_a_summary_is_the_same_in_every_format(
    house: Stage, boss: Counsellor, lived_through: str, tmp_path: Path
) -> None:
    path = f"/statistics/summary.{{}}?{WINDOW}&by=month,outcome"
    comments, rows = read_csv((await fetch(boss, path.format("csv"))).text)
    whole = json.loads((await fetch(boss, path.format("json"))).text)
    (tmp_path / "s.parquet").write_bytes((await fetch(boss, path.format("parquet"))).content)
    (tmp_path / "s.xlsx").write_bytes((await fetch(boss, path.format("xlsx"))).content)
    parquet = pq.read_table(tmp_path / "s.parquet").to_pylist()
    book = openpyxl.load_workbook(tmp_path / "s.xlsx")
    sheet = list(book["Data"].values)
    excel = [dict(zip(sheet[0], line, strict=True)) for line in sheet[1:]]
    assert book["Data"].freeze_panes == "A2"
    assert len(rows) == len(whole["rows"]) == len(parquet) == len(excel) > 50
    assert whole["rows"] == parquet
    ones = calls_in_logs(lived_through)
    for line, row, cells in zip(rows, parquet, excel, strict=True):
        if row["row"] == "cell":
            mine = [
                one
                for one in ones
                if (
                    grouping.PERIODS["month"](one) == row["period"]
                    and one.outcome == row["outcome"]
                )
                or (
                    one.outcome == "-"
                    and row["outcome"] == "does_not_apply"
                    and grouping.PERIODS["month"](one) == row["period"]
                )
            ]
            told = measuring.measured(mine)
            shown = [n for n in NAMES if n not in CONTENT_MEASURES]
            assert {n: row[n] for n in shown} == {n: told[n] for n in shown}, row["period"]
            # These tell what was said, and this window is not one of whole months.
            assert [row[n] for n in CONTENT_MEASURES] == [None, None]
        for name in NAMES:
            value = row[name]
            assert (line[name] == "") == (value is None)
            if value is not None:
                assert float(line[name]) == pytest.approx(value)
                assert cells[name] == pytest.approx(value)
    # Each measure's words stand in each file, and as of when.
    as_of = f"as of {house.clock.now():%Y-%m-%d}"
    for words in ("# asa: ASA (seconds): average speed of answer", as_of):
        assert any(words in comment for comment in comments), words
    assert whole["definitions"]["service_level"].startswith("Service level (share): formula 3")
    definitions = {line[0]: line[1] for line in book["Definitions"].values}
    assert definitions["rona"] == "RONA (share): missed offers ÷ offers"
    field = pq.read_schema(tmp_path / "s.parquet").field("rona")
    assert field.metadata[b"words"].decode() == definitions["rona"]


# By day a summary is the same in every format, and single calls are read in two of them.
_KINDS = ("csv", "parquet", "json", "xlsx") if WHOLE else ("parquet", "json")


async def test_single_calls_add_up_to_the_summary(
    house: Stage, boss: Counsellor, lived_through: str, tmp_path: Path
) -> None:
    for kind in _KINDS:
        answer = await fetch(boss, f"/statistics/calls.{kind}?{WINDOW}")
        (tmp_path / f"calls.{kind}").write_bytes(answer.content)
        assert f"calls-{FIRST}-{LAST}.{kind}" in answer.headers["content-disposition"]
    connection = duckdb.connect()
    counted = {}
    for kind in ("csv", "parquet") if WHOLE else ("parquet",):
        counted[kind] = connection.sql(
            "SELECT outcome, count(*), sum(wait_seconds), sum(talk_seconds), sum(offers),"
            " min(arrived_at)::text, count(called_before), bool_or(danger)"
            f" FROM '{tmp_path}/calls.{kind}' GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert not WHOLE or counted["csv"] == counted["parquet"]
    calls = [one for one in calls_in_logs(lived_through) if one.is_call]
    assert sum(row[1] for row in counted["parquet"]) == len(calls)
    answered = next(row for row in counted["parquet"] if row[0] == "answered")
    told = [one for one in calls if one.outcome == "answered"]
    assert answered[3] == sum(one.talk for one in told)
    assert answered[4] == sum(one.offers for one in told)
    rows = json.loads((tmp_path / "calls.json").read_text())["rows"]
    by_id = {row["id"]: row for row in rows}
    for one in calls:
        row = by_id[str(one.id)]
        assert row["arrived_local"] == one.local.strftime("%Y-%m-%dT%H:%M:%S")
        assert row["line"] == (None if one.line == "-" else one.line.replace("?", "not_recorded"))
        assert (row["hold_seconds"], row["transfers"]) == (one.hold, one.transfers)
        assert row["called_before"] == one.before
    assert not any(name in rows[0] for name in ("place", "ages", "categories", "contact_id"))
    if "xlsx" not in _KINDS:
        return
    sheet = openpyxl.load_workbook(tmp_path / "calls.xlsx")["Data"]
    header = [cell.value for cell in sheet[1]]
    second = sheet[2]
    assert second[header.index("arrived_at")].is_date
    assert isinstance(second[header.index("offers")].value, int)
    assert isinstance(second[header.index("danger")].value, bool)


VOICEMAIL = definition("voice_messages").title


async def test_a_reader_has_headings_and_codes_in_words_and_a_program_its_codes(
    house: Stage, boss: Counsellor, lived_through: str, tmp_path: Path
) -> None:
    path = f"/statistics/summary.{{}}?{WINDOW}&by=month,outcome"
    plain = json.loads((await fetch(boss, path.format("json"))).text)
    spoken = json.loads((await fetch(boss, path.format("json") + "&language=sr")).text)
    # Codes and numbers stay; words stand beside them.
    for before, after in zip(plain["rows"], spoken["rows"], strict=True):
        words = {name for name in after if name.endswith("_label")}
        assert words == {"outcome_label", "row_label"}
        assert {n: v for n, v in after.items() if n not in words} == {
            n: v for n, v in before.items() if n not in words
        }
    assert {one["row_label"] for one in spoken["rows"]} >= {in_serbian("total")}
    said_outcomes = {one["outcome"]: one["outcome_label"] for one in spoken["rows"]}
    assert said_outcomes["voicemail"] == in_serbian(VOICEMAIL) != VOICEMAIL
    assert "headings" not in plain
    _, rows = read_csv((await fetch(boss, path.format("csv") + "&language=sr")).text)
    assert in_serbian("outcome") in rows[0]
    assert in_serbian(definition("asa").title) in rows[0]
    (tmp_path / "s.xlsx").write_bytes(
        (await fetch(boss, path.format("xlsx") + "&language=ar")).content
    )
    book = openpyxl.load_workbook(tmp_path / "s.xlsx")
    assert all(sheet.sheet_view.rightToLeft for sheet in book.worksheets)
    asked = await boss.ask("GET", path.format("csv") + "&language=tlh")
    assert asked.status_code == 422
    assert "Choose one of: ar, bg" in asked.json()["detail"]


@nightly
async def test_single_calls_are_read_in_words_beside_their_codes(
    house: Stage, boss: Counsellor, lived_through: str
) -> None:
    """By day a summary is read so, and single calls by their codes."""
    path = f"/statistics/calls.json?{WINDOW}"
    plain = json.loads((await fetch(boss, path)).text)["rows"]
    spoken = json.loads((await fetch(boss, path + "&language=sr")).text)
    assert len(plain) == len(spoken["rows"]) > 100
    for before, after in zip(plain, spoken["rows"], strict=True):
        assert before.items() <= after.items()
    one = next(row for row in spoken["rows"] if row["outcome"] == "voicemail")
    assert one["outcome_label"] == in_serbian(VOICEMAIL)
    languages = {row["language"]: row["language_label"] for row in spoken["rows"]}
    assert languages["sr"] == "srpski"
    assert "counsellor_label" not in one, "a person is named in no file of single calls"
    assert spoken["headings"]["outcome"].startswith(in_serbian("outcome"))


async def test_calls_and_contacts_are_reconciled_to_nought(
    house: Stage, boss: Counsellor, lived_through: str
) -> None:
    found = json.loads((await fetch(boss, f"/statistics/calls.json?{WINDOW}")).text)
    lines = {line["words"]: line["number"] for line in found["reconciliation"]}
    ones = calls_in_logs(lived_through)
    assert lines["Not explained"] == 0
    assert lines["Answered calls"] == sum(one.outcome == "answered" for one in ones)
    told = sum(one.contact is not None for one in ones)
    assert lines["Contacts"] == lines["Contacts in the record, counted separately"] == told
    messages = [o for o in ones if o.contact and o.outcome in ("voicemail", "message_left")]
    assert lines["plus contacts of voice messages and messages left"] == len(messages) > 0
    assert sum(list(lines.values())[:7]) == lines["Contacts"]
    # What the facts leave out is seen.
    sums = {
        **dict.fromkeys(SUMS, 0),
        "contacts": 5,
        "answered": 5,
        "answered_with_contact": 5,
        "call_contacts": 5,
    }
    assert unexplained(reconcile(sums, 5)) == 0
    assert unexplained(reconcile(sums, 6)) == 1


def test_nothing_in_a_file_is_a_formula() -> None:
    for text in ("=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "--1"):
        assert safe(text) == "'" + text
    for text in ("+38111116111", "-5", "plain", "a=b", "", "−5"):
        assert safe(text) == text


async def test_a_name_that_is_a_formula_stays_a_name(
    house: Stage, boss: Counsellor, tmp_path: Path
) -> None:
    (who,) = await house.rows("SELECT id, name FROM staff WHERE name = 'counsellor 2'")
    await house.watch.execute("UPDATE staff SET name = '=HYPERLINK(1)' WHERE id = %s", (who["id"],))
    try:
        text = (await fetch(boss, f"/statistics/counsellors.csv?{WINDOW}")).text
        content = (await fetch(boss, f"/statistics/counsellors.xlsx?{WINDOW}")).content
    finally:
        await house.watch.execute(
            "UPDATE staff SET name = %s WHERE id = %s", (who["name"], who["id"])
        )
    _, rows = read_csv(text)
    assert "'=HYPERLINK(1)" in [row["name"] for row in rows]
    cells = [row[1] for row in openpyxl.load_workbook(io.BytesIO(content))["Data"].rows]
    (cell,) = [c for c in cells if c.value == "'=HYPERLINK(1)"]
    assert cell.data_type == "s"


async def test_a_program_comes_with_a_token(busy_house: Stage) -> None:
    async with transaction(busy_house.ground, PROGRAM) as work:
        plain = await add_token(work, "press", ["statistics"], 30)
        token = await add_token(work, "ministry", ["statistics", "single_calls"], 30)
        staff = await add_token(work, "room", ["staff_statistics"], 30)
    base = f"{busy_house.settings.public_url}/api/v1/statistics"

    async def ask(path: str, bearer: str) -> int:
        answer = await busy_house.client.get(
            base + path, headers={"Authorization": f"Bearer {bearer}"}
        )
        return answer.status_code

    assert await ask(f"/summary?{WINDOW}&by=outcome", token) == 200
    assert await ask(f"/calls.csv?{WINDOW}", token) == 200
    # Two windows that differ by a minute show a single call: not for a plain token.
    assert await ask(f"/calls.csv?{WINDOW}", plain) == 403
    assert await ask(f"/summary?{WINDOW}&by=place", token) == 403
    assert await ask(f"/summary?{WINDOW}&by=counsellor", token) == 403
    assert await ask(f"/summary?{WINDOW}&by=counsellor", staff) == 200
    assert await ask("/summary", token[:-1]) == 401
    assert await ask("/exports", token) == 401
    headers = {"Authorization": f"Bearer {token}"}
    body = {"what": "calls", "from": FIRST, "to": LAST, "format": "csv"}
    asked = await busy_house.client.post(base + "/exports", json=body, headers=headers)
    assert asked.status_code == 202, asked.text
    await busy_house.settle()
    path = f"{base}/exports/{asked.json()['id']}/file"
    whole = await busy_house.client.get(path, headers=headers)
    rest = await busy_house.client.get(path, headers={**headers, "Range": "bytes=100-"})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert "counsellor" not in read_csv(whole.text)[1][-1]
    # What the page for integrators tells a program to send.
    for address, told in requests(INTEGRATORS):
        target = re.sub(r"/exports/[0-9a-f-]+/", f"/exports/{asked.json()['id']}/", address)
        sent = {name: value.replace("hl_...", token) for name, value in told.items()}
        assert sent["Authorization"] == f"Bearer {token}"
        here = target.replace("https://helpline.example.org", busy_house.settings.public_url)
        answer = await busy_house.client.get(here, headers=sent)
        assert answer.status_code == (206 if "Range" in sent else 200), answer.text
    personal = await busy_house.client.post(base + "/exports", json=RECORDS, headers=headers)
    assert personal.status_code == 403
    other = await busy_house.client.get(path, headers={"Authorization": f"Bearer {staff}"})
    assert other.status_code == 404
    rows = await busy_house.rows("SELECT token_key::text AS k FROM api_tokens")
    assert token not in str(rows)
    async with transaction(busy_house.ground, PROGRAM) as work:
        await revoke_token(work, "ministry")
    assert await ask("/summary", token) == 401
    busy_house.stepped.move_to(busy_house.clock.now() + timedelta(days=31))
    assert await ask("/summary", staff) == 401


RUBBISH = (
    ("/statistics/summary?by=colour", "There is no dimension"),
    ("/statistics/summary?by=line,outcome,channel", "at most two"),
    ("/statistics/summary?by=day,month", "one period"),
    ("/statistics/summary?from=2026-13-01", "neither a date"),
    ("/statistics/summary?from=2026-05-01&to=2026-04-01", "before it ends"),
    ("/statistics/summary?from=1990-01-01&to=2026-01-01", "ten years"),
    ("/statistics/summary?line=nonsense", "Write the line as its number"),
    ("/statistics/summary?line=%2B38199999", "There is no line"),
    ("/statistics/summary?measures=beauty", "There is no measure"),
)


async def test_rubbish_is_refused_in_words(house: Stage, boss: Counsellor) -> None:
    for path, words in RUBBISH:
        answer = await boss.ask("GET", path)
        assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text


def test_the_dictionary_names_every_column() -> None:
    from app.statistics.exports.exporting import data_dictionary
    from app.statistics.exports.files import WHAT
    from app.statistics.exports.record_tables import record_columns

    entries = data_dictionary()
    assert {file for file, _, _ in entries} == set(WHAT)
    assert len({(file, name) for file, name, _ in entries}) == len(entries)
    assert all(str(words).strip() for _, _, words in entries)
    names = {name for file, name, _ in entries if file == "records"}
    assert names == {column.name for column in record_columns(("call", "staff", "record"))}


async def test_strange_windows_and_ranges_are_refused_and_break_nothing(
    busy_house: Stage,
) -> None:
    boss = await person(busy_house, "boss", Role.ADMINISTRATOR)
    for path in (
        "/statistics/summary?from=0001-01-01&to=0001-01-02",
        "/statistics/summary?from=9999-12-30&to=9999-12-31",
        "/statistics/counsellors.csv?from=1500-01-01&to=2026-11-03",
        "/statistics/referrals.csv?from=2026-05-02&to=2026-05-01",
        "/statistics/calls.csv?from=1990-01-01&to=2026-01-01",
        "/statistics/calls.csv?from=2026-05-01&to=2026-05-02&line=%2B38199999",
        "/statistics/referrals.csv?by=sector&line=%2B38111116111",
        "/statistics/counsellors.csv?by=day",
        "/statistics/report.csv?report=weather&from=2026-05-01&to=2026-06-01",
    ):
        answer = await boss.ask("GET", path)
        assert answer.status_code == 422, (path, answer.status_code)
    for number in range(5):
        # A place for a long file is given back, whatever became of it.
        answer = await boss.ask("GET", "/statistics/calls.csv?from=2026-05-01&to=2026-05-02")
        assert answer.status_code == 200, number
    for path, status in (
        ("/reports/monthly?day=0001-01-15", 404),
        ("/reports/daily?day=9999-12-31", 404),
    ):
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in boss.cookies.items())}
        page = await busy_house.client.get(busy_house.settings.public_url + path, headers=headers)
        assert page.status_code == status, path
    assert read_range("bytes=\u00b2-", 10) == (0, 10)
    assert read_range("bytes=" + "9" * 5000 + "-", 10) == (0, 10)
    assert read_range("bytes=3-5", 10) == (3, 6)
    assert read_range("bytes=20-", 10) == (20, 10)
    impossible = {
        "what": "counsellors",
        "format": "csv",
        "to": "2026-05-02",
        "from": "2026-05-01T23:00:00+00:00",
    }
    asked = (await boss.ask("POST", "/statistics/exports", impossible)).json()
    await busy_house.settle()
    found = (await boss.ask("GET", f"/statistics/exports/{asked['id']}")).json()
    assert (found["state"], "before it ends" in found["problem"]) == ("failed", True)


async def test_what_the_page_of_numbers_may_not_show(house: Stage) -> None:
    officer: Any = await person(house, "officer2", Role.REFERRAL_OFFICER)
    for path in ("/statistics/counsellors.csv", "/statistics/summary?by=counsellor"):
        assert (await officer.ask("GET", path)).status_code == 403
