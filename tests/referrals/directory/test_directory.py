"""The directory: imported and exported as CSV, with errors by line."""

import re
from typing import Any

import pytest

from app.jobs.transaction import transaction
from app.referrals.directory.agencies import entries
from app.referrals.directory.directory_csv import COLUMNS, import_directory, write_directory
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage
from tests.support.referrals import add_agency, approve_all, page

HEADER = "code,name,sector,services,areas,age_to,hours,duty_phones,email,deputy,verified_on\n"


GOOD = (
    "safe-house,Sigurna kuća,shelter,shelter,RS-BG,,24/7,"
    '"+381113000001 (22:00-06:00) | +381113000002",,,2026-11-01\n'
    "centre,Centar za socijalni rad,social_welfare,child_protection | shelter,RS-BG | RS-VO,17,"
    '"Mo-Fr 08:00-16:00; PH off",,csr@example.org,safe-house,\n'
)


async def upload(quiet: QuietStage, who: Any, text: str | bytes, kind: str = "text/csv") -> Any:
    return await quiet.client.post(
        quiet.settings.public_url + "/api/v1/agencies/import",
        content=text if isinstance(text, bytes) else text.encode(),
        headers={"content-type": kind, "cookie": f"{COOKIE}={who.cookies[COOKIE]}"},
    )


@pytest.fixture
async def keeper(quiet: QuietStage) -> Any:
    return await quiet.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)


async def test_an_export_can_be_imported_again(quiet: QuietStage, keeper: Any) -> None:
    taken = await upload(quiet, keeper, "\ufeff" + HEADER + GOOD)
    assert taken.json() == {"agencies": 2}, taken.text
    await approve_all(quiet)
    out = await keeper.ask("GET", "/agencies.csv")
    assert "'+381113000001 (22:00-06:00) | +381113000002" in out.text, "no formula"
    assert (await upload(quiet, keeper, out.text)).json() == {"agencies": 2}
    again = await keeper.ask("GET", "/agencies.csv")
    assert again.text == out.text
    listed = (await keeper.ask("GET", "/agencies")).json()
    assert listed[1]["duty_phones"] == [
        {"number": "+381113000001", "hours": "22:00-06:00"},
        {"number": "+381113000002", "hours": ""},
    ]
    log = await quiet.rows("SELECT action FROM audit_entries WHERE action LIKE 'agency%%'")
    # A file that is imported again unchanged changes nothing.
    assert len(log) == 2


async def test_the_languages_of_an_agency_are_chosen_by_name(
    quiet: QuietStage, keeper: Any
) -> None:
    entry = {"code": "house", "name": "House", "sector": "shelter", "services": "shelter"}
    entry |= {"email": "a@house.example", "languages": "sr-Cyrl | hu | en"}
    assert (await keeper.ask("POST", "/agencies", entry)).status_code < 300
    await page(quiet, keeper, "/page-language", language="sr")
    shown = (await page(quiet, keeper, "/agencies/house/entry")).text
    assert '<option value="sr-Cyrl" selected>srpski (ćirilica)</option>' in shown
    boxes = re.findall(r'name="languages" value="([\w-]+)" checked> (\w+)<', shown)
    # One that has no letters stays, too.
    assert boxes == [("en", "engleski"), ("hu", "mađarski")]
    assert re.search(r'<input(?![^>]* type="checkbox")[^>]* name="languages"', shown) is None


async def test_errors_have_their_line_and_nothing_is_half_imported(
    quiet: QuietStage, keeper: Any
) -> None:
    bad = (
        HEADER
        + GOOD
        + "x,,shelter,shelter,,,,,a@b,,\n"
        + "house-2,Two,castle,shelter,RS-XX,,Mo-Fx,12345,a@b,nobody,yesterday\n"
        + "safe-house,Again,shelter,shelter,,,,,a@b,,\n"
    )
    refused = await upload(quiet, keeper, bad)
    assert refused.status_code == 422
    detail = refused.json()["detail"]
    assert "line 5: verified_on: 'yesterday' is not a date" in detail
    assert "line 6: code 'safe-house' is also in line 2" in detail
    bad = bad.replace(",yesterday", ",").replace("safe-house,Again", "third,Again")
    detail = (await upload(quiet, keeper, bad)).json()["detail"]
    for words in (
        "line 4: code:",
        "name: 1 to 200",
        "line 5: sector: one of",
        "there is no place 'RS-XX'",
        "'Mo-Fx' cannot be read",
        "'12345' needs a +",
        "line 5: deputy: there is no agency",
    ):
        assert words in detail, words
    assert await quiet.rows("SELECT 1 FROM agencies") == []


WRONG = (
    ("", "the column 'code' is missing"),
    ("code,name\nx,y\n", "the column 'sector' is missing"),
    (HEADER.replace("email", "fax") + GOOD, "there is no column 'fax'"),
    (HEADER + "a,b,c\n", "fewer values than columns"),
    (HEADER + "a" + ",b" * 30 + "\n", "more values than columns"),
    (HEADER + 'a,"b\n', "this is not CSV"),
    (HEADER + "h,H,shelter,shelter,,minus,,,a@b,,\n", "is not a whole number of years"),
    (HEADER + "h\x00,H,shelter,shelter,,,,,a@b,,\n", ""),
    (HEADER + 'h,H,shelter,shelter,,,,"+381113000001 (22:00",a@b,,\n', "closing bracket"),
    (HEADER + "hh,H,shelter,shelter,,,,,,,\n", "give at least one way to reach"),
    (HEADER + "hh,H,shelter,supervisor_on_call,,,,,a@b,,\n", "are for own_house only"),
)


async def test_a_wrong_file_is_refused_with_its_reason_and_changes_nothing(
    quiet: QuietStage, keeper: Any
) -> None:
    for text, problem in WRONG:
        answer = await upload(quiet, keeper, text)
        assert answer.status_code == 422, problem
        assert problem in answer.json()["detail"]
        assert await quiet.rows("SELECT 1 FROM agencies") == [], problem


async def test_only_a_csv_file_of_some_size(quiet: QuietStage, keeper: Any) -> None:
    assert (await upload(quiet, keeper, b"\xff\xfe")).status_code == 422
    assert (await upload(quiet, keeper, HEADER, "text/plain")).status_code == 422
    assert (await upload(quiet, keeper, b"x" * (5 * 1024 * 1024 + 1))).status_code == 413
    ana = await quiet.add_counsellor("ana", state=None)
    assert (await upload(quiet, ana, HEADER + GOOD)).status_code == 403


async def test_the_right_one_is_shown_with_the_reasons(quiet: QuietStage, keeper: Any) -> None:
    await upload(quiet, keeper, HEADER + GOOD)
    await approve_all(quiet)
    nine = {"service": "shelter", "place": "RS-BG", "age": 9}
    found = (await keeper.ask("POST", "/agencies/match", nine)).json()
    assert [f["agency"] for f in found["right"]] == ["centre", "safe-house"]
    eighteen = {"service": "shelter", "place": "RS-01", "age": 18}
    old = (await keeper.ask("POST", "/agencies/match", eighteen)).json()
    assert old["right"] == []
    reasons = {f["agency"]: f["reasons"] for f in old["left_out"]}
    assert reasons["safe-house"] == ["does not serve this place"]
    assert "takes children up to 17 years" in reasons["centre"]
    shown = await page(quiet, keeper, "/agencies/right", service="shelter", place="RS-BG", age="9")
    assert "serves this place" in shown.text
    assert "Sigurna kuća" in shown.text


async def test_every_column_survives_export_and_import(quiet: QuietStage, keeper: Any) -> None:
    await add_agency(quiet, "deputy", "shelter", email="d@example.org")
    await add_agency(
        quiet,
        "whole",
        "shelter,police",
        sector="police",
        areas=("RS-BG",),
        age_from=3,
        age_to=17,
        hours="Mo-Fr 08:00-16:00; PH off",
        timezone="Europe/London",
        languages=("sr", "en"),
        email="w@example.org",
        sms="+381640000001",
        phones=(("+381113000001", "22:00-06:00"),),
        deputy="deputy",
        verified_by="=HYPERLINK(1)",
        mandated_for=("police@*", "shelter@RS-BG"),
        webhook_url="https://system.example.org/hook",
        primero={
            "url": "https://p.example.org",
            "user": "u",
            "owned_by": "o",
            "mapping": "primero-cp",
        },
    )
    async with transaction(quiet.ground, PROGRAM) as work:
        before = [entry for _, entry in await entries(work)]
        text = write_directory(await entries(work))
    assert "'=HYPERLINK" in text
    assert (await upload(quiet, keeper, text)).status_code == 200
    async with transaction(quiet.ground, PROGRAM) as work:
        assert [entry for _, entry in await entries(work)] == before
    assert set(COLUMNS) >= set(text.splitlines()[0].split(","))
    # A mandate belongs to one agency only.
    changed = await keeper.ask(
        "POST",
        "/agencies",
        {
            "code": "deputy",
            "name": "Deputy",
            "sector": "shelter",
            "services": "shelter",
            "email": "d@example.org",
            "mandated_for": "shelter@RS-BG",
        },
    )
    assert "is the mandate of whole" in changed.json()["detail"]
    rows = await quiet.rows("SELECT service, place FROM mandates WHERE place = 'RS-BG'")
    assert len(rows) == 1
    wrong = await keeper.ask("POST", "/agencies", {"code": "x", "colour": "red"})
    assert "There is no column 'colour'" in wrong.json()["detail"]


async def test_a_column_that_a_file_does_not_have_keeps_what_is_there(quiet: QuietStage) -> None:
    whole = HEADER + "house,House,shelter,shelter,,,,+381113000001,h@a.example,,\n"
    async with transaction(quiet.ground, PROGRAM) as work:
        await import_directory(work, whole)
        await import_directory(work, "code,name,sector,services\nhouse,New name,shelter,shelter\n")
        ((agency, entry),) = await entries(work)
    assert agency.name == "New name"
    assert (entry.email, [p.number for p in entry.duty_phones]) == (
        "h@a.example",
        ["+381113000001"],
    )
