"""Reports: the right figures, on a page, on paper, by mail; shapes as files; sums that hold."""

import io
import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pypdf
import pytest

from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage, stage_on
from app.demo.stepped_clock import SteppedClock
from app.jobs.transaction import transaction
from app.staff.models import Staff
from app.staff.roles import Role
from app.statistics.counting.shapes import SHIPPED, shapes_in
from app.statistics.protection import budget
from app.statistics.protection.guard import BASE
from app.statistics.reports.reports import Report, kind_of, kinds, window_of
from app.work import PROGRAM
from tests.support.mail import Mail
from tests.support.profile import WHOLE, by_day
from tests.support.random_life.life import Life
from tests.support.recount import grouping, logs, measuring

APRIL = (date(2026, 4, 1), date(2026, 5, 1))


# In the year that runs on, what was said is counted up to the last whole month.
BEFORE_NOVEMBER = datetime(2026, 11, 1, tzinfo=ZoneInfo("Europe/Belgrade"))


async def report_of(life: Life, name: str, day: str, line: str | None = None) -> Report:
    async with transaction(life.ground, PROGRAM) as work:
        work.now = life.now
        kind = kind_of(work, name)
        return await kind.make(work, window_of(work, kind, day), line)


def grid(report: Report, title: str) -> dict[str, list[str]]:
    (found,) = [s.grid for s in report.sections if s.title == title]
    assert found is not None
    return {row[0]: row[1:] for row in found.rows}


def number(text: str) -> int:
    return int(text.replace(",", ""))


async def test_the_monthly_report_says_what_the_naive_count_says(
    life: Life, lived_through: str
) -> None:
    told = logs.told(lived_through)
    ones = grouping.within(told, *APRIL)
    expected = measuring.measured(ones)
    report = await report_of(life, "monthly", "2026-04-17")
    key = grid(report, "Key figures")
    before = measuring.measured(grouping.within(told, date(2026, 3, 1), date(2026, 4, 1)))
    for title, name in (
        ("Calls", "calls"),
        ("Answered", "answered"),
        ("Contacts", "contacts"),
        ("Transfers", "transfers"),
        ("Short abandons", "short_abandons"),
    ):
        assert [number(n) for n in key[title]] == [expected[name], before[name]], title
    share, _, base = key["Service level"][0].partition(" ")
    assert share == f"{expected['service_level']:.1%}"
    quick, of = (int(n) for n in base.strip("()").split(" of "))
    assert round(quick / of, 6) == expected["service_level"], "the counts that it is made of"
    opening = grid(report, "Where every call went")
    lines = [int(row[0]) for title, row in opening.items() if title != "Arrived"]
    assert sum(lines) == int(opening["Arrived"][0]) > expected["calls"] > 0, "practice is said"
    assert len(grid(report, "At a glance")) == 5
    days = grid(report, "By day")
    assert len(days) == 30
    assert sum(number(row[0]) for row in days.values()) == expected["calls"]
    # Hours of several zones share no axis; for one line they are shown.
    assert not [s for s in report.sections if s.title == "Calls by hour and weekday"]
    assert any("several time zones" in note for note in report.notes)
    alone = await report_of(life, "monthly", "2026-04-17", line="+38111116111")
    heat = grid(alone, "Calls by hour and weekday")
    calls = Counter(f"{o.local:%A}" for o in ones if o.is_call and o.line == "+38111116111")
    assert {day: int(row[-1]) for day, row in heat.items()} == dict(calls)
    waits = grid(report, "Waits")
    left = expected["short_abandons"] + expected["abandoned_in_queue"]
    assert [int(n) for n in waits["all"]] == [expected["answered"], left]
    outcomes = grid(report, "Calls by outcome")
    assert number(outcomes["Total"][0]) == expected["calls"]
    about = grid(report, "Contacts by topic")
    assert about["Total"][1] == "100.0%", "a share stands beside the count that it is of"
    cells = [
        number(row[0])
        for name, row in about.items()
        if name not in ("Total", "Counted more than once")
    ]
    assert all(n % BASE == 0 for n in cells), "what was said is rounded"
    assert abs(number(about["Total"][0]) - expected["contacts"]) < BASE
    assert grid(report, "Calls and contacts")["Not explained"] == ["0"]
    # Every chart stands beside a table, and can be read without being seen.
    drawn = [s for s in alone.sections if s.chart is not None]
    assert len(drawn) >= 5
    assert all(s.grid is not None and len(s.chart.words) > 20 for s in drawn if s.chart)
    assert all("<svg" in s.chart.svg() for s in drawn if s.chart)


async def test_the_form_of_notifications_adds_up(life: Life, lived_through: str) -> None:
    report = await report_of(life, "md-notifications", "2026-06-01")
    sums = grid(report, "Sums that have to hold")
    assert len(sums) == 4
    assert "Notifications in total = girls + boys + another answer or not known" in sums
    assert all(row[-1] == "holds" and row[0] == row[1] for row in sums.values())
    children = [
        (one, child)
        for one in grouping.within(logs.told(lived_through), date(2026, 1, 1), date(2026, 11, 1))
        if one.contact
        and one.contact["closed_as"] is None
        and "V" in grouping.DIMENSIONS["category_group"](one)
        and one.contact["kind"] in ("child", "about_child", "professional")
        for child in grouping.children(one)
    ]
    assert len(children) > 30
    total = grid(report, "Notifications about children")["Notifications in total"]
    assert abs(int(total[0]) - len(children)) < BASE
    severest = grid(report, "By the most severe form")
    sexual = sum("V-SEXUAL" in grouping.DIMENSIONS["category"](one) for one, _ in children)
    physical = sum(
        "V-PHYSICAL" in (found := grouping.DIMENSIONS["category"](one)) and "V-SEXUAL" not in found
        for one, _ in children
    )
    shown = [int(severest[n][0]) for n in ("sexual violence", "physical violence")]
    assert [abs(n - m) < BASE for n, m in zip(shown, (sexual, physical), strict=True)] == [
        True,
        True,
    ]
    small = grid(report, "By age")["0 to 2 years"]
    young = sum(child.get("age", 99) <= 2 for _, child in children)
    assert abs(int(small[0]) - young) < BASE
    # What is not recorded is not nought.
    assert grid(report, "What a helpline does not record")["urban and rural"] == ["not recorded"]


async def test_the_yearly_submission_has_every_category(life: Life, lived_through: str) -> None:
    report = await report_of(life, "chi", "2026-06-01")
    categories = grid(report, "Children by category of the framework and gender")
    assert {
        "Violence: Physical violence",
        "Violence: Bullying",
        "Sexuality: Sexual behaviours",
        "Missing children: Child abduction",
    } <= set(categories)
    (columns,) = [
        s.grid.columns
        for s in report.sections
        if s.grid and s.title.endswith("the framework and gender")
    ]
    girls = columns.index("Girl") - 1
    expected = sum(
        child.get("gender") == "girl"
        for one in logs.told(lived_through)
        if one.contact
        and one.contact["closed_as"] is None
        and one.local < BEFORE_NOVEMBER
        and one.contact["state"] == "complete"
        and one.contact["kind"] != "information"
        and "V-PHYSICAL" in grouping.DIMENSIONS["category"](one)
        for child in grouping.children(one)
    )
    assert abs(int(categories["Violence: Physical violence"][girls]) - expected) < BASE
    assert expected > 0
    assert grid(report, "Coverage of the mapping")["of these, counted in the framework"] == [
        "100.0%"
    ]


# One of our own; with WHOLE all of them, also those that come as a file.
_ON_PAPER = ("monthly",)


async def test_every_report_on_a_page_and_on_paper(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = await house.add_counsellor(
        "reader of all", role=Role.ADMINISTRATOR, shift=False, state=None
    )
    auditor = await house.add_counsellor("reads", role=Role.AUDITOR, shift=False, state=None)
    headers = {"Cookie": boss.cookie_header}
    async with transaction(house.ground, PROGRAM) as work:
        names = list(kinds(work))
    assert {"daily", "monthly", "agencies", "chi", "md-notifications", "violence"} <= set(names)
    # By day a long one, and one that comes as a file; a short one is sent in a test below.
    for name in names if WHOLE else ("monthly", "md-notifications"):
        if name != "monthly":
            await _on_page_and_paper(house, name, boss)
            continue
        with monkeypatch.context() as patch:
            # An auditor reads it without a budget for tables.
            patch.setattr(budget, "OF_A_PERSON", 0)
            shown = await _on_page_and_paper(house, name, auditor)
        assert await house.rows("SELECT 1 FROM asked_by_persons") == []
        # An administrator opens the calls of which a figure is made.
        assert "/reports/calls" not in shown
    window = "from=2026-04-01&to=2026-06-01"
    for path in (
        "/reports",
        f"/reports/explore?{window}&by=category&and=sex&period=month",
        "/reports/planning?more=2",
    ):
        page = await house.client.get(house.settings.public_url + path, headers=headers)
        assert page.status_code == 200, path
    for path, status in (
        ("/reports/nothing", 404),
        ("/reports/monthly?day=yesterday", 404),
        ("/reports/explore?by=x", 422),
        ("/reports/explore?from=x", 422),
        ("/reports/planning?more=1000", 422),
    ):
        page = await house.client.get(house.settings.public_url + path, headers=headers)
        assert page.status_code == status, path
    officer = await house.add_counsellor(
        "an officer", role=Role.REFERRAL_OFFICER, shift=False, state=None
    )
    other = {"Cookie": "; ".join(f"{k}={v}" for k, v in officer.cookies.items())}
    daily = await house.client.get(house.settings.public_url + "/reports/daily", headers=other)
    assert daily.status_code == 403, "it holds numbers of single counsellors"


async def _on_page_and_paper(house: Stage, name: str, who: Counsellor) -> str:
    """Read a report of April on its page and on paper; return the page."""
    url, headers = f"{house.settings.public_url}/reports/{name}", {"Cookie": who.cookie_header}
    page = await house.client.get(f"{url}?day=2026-04-10", headers=headers)
    assert page.status_code == 200, name
    assert "What the numbers mean" in page.text
    if name not in _ON_PAPER and not WHOLE:
        return str(page.text)
    paper = await house.client.get(f"{url}.pdf?day=2026-04-10", headers=headers)
    sheets = pypdf.PdfReader(io.BytesIO(paper.content)).pages
    assert name != "monthly" or len(sheets) <= 6
    # To read a sheet takes a third of a second.
    read = sheets if WHOLE else (sheets[0], sheets[-1])
    text = "".join(sheet.extract_text() for sheet in read)
    title = re.search(r"<h1>(.*?):", page.text)
    assert title is not None
    assert title[1].split("(")[0].strip()[:20] in text
    # Each page and the notes say it in the helpline's own zone.
    here = house.clock.now().astimezone(ZoneInfo("Europe/Belgrade"))
    said = re.findall(r"as of (\w+ \d+, \d+, [\d:]+ \w+)", " ".join(text.split()))
    assert len(said) >= 2
    assert set(said) == {f"{here:%b %-d, %Y, %H:%M %Z}"}
    assert "UTC" not in text
    return str(page.text)


async def test_what_a_figure_is_made_of_opens_from_it(house: Stage) -> None:
    """Not for an auditor: see the test above."""
    boss = await house.add_counsellor("opens", role=Role.ADMINISTRATOR, shift=False, state=None)

    async def get(who: Counsellor, path: str) -> str:
        url = house.settings.public_url + path
        answer = await house.client.get(url, headers={"Cookie": who.cookie_header})
        assert answer.status_code == 200, (path, answer.text)
        return str(answer.text)

    text = await get(boss, "/reports/monthly?day=2026-04-10")
    identity = text[text.index('class="identity"') : text.index('class="charts"')]
    links = re.findall(r'<a href="([^"]+)">([^<]+)</a>\s*<strong>(\d+)</strong>', identity)
    assert len(links) == 14
    assert sum(int(number) for _, _, number in links) > 40
    for address, words, number in links if WHOLE else links[:1]:
        page = await get(boss, address.replace("&amp;", "&"))
        assert f"<h1>{number} call" in page, words
        assert page.count('<a href="/calls/') == int(number), words


DAYS = """
report: by-day
version: 1
title: {en: Calls of a day}
period: day
source: our own
tables:
  - {code: outcomes, title: {en: Calls by outcome}, unit: calls, each: outcome}
"""


async def test_a_report_of_calls_is_counted_by_the_day(
    life: Life, lived_through: str, tmp_path: Path
) -> None:
    (tmp_path / "report-by-day.yaml").write_text(DAYS)
    async with (
        stage_on(
            lived_through,
            clock=SteppedClock(life.now),
            with_server=False,
            definitions_dir=tmp_path,
        ) as stage,
        transaction(stage.ground, PROGRAM) as work,
    ):
        kind = kind_of(work, "by-day")
        report = await kind.make(work, window_of(work, kind, "2026-04-10"), None)
    grid = next(s.grid for s in report.sections if s.title == "Calls by outcome" and s.grid)
    ones = grouping.within(logs.told(lived_through), date(2026, 4, 10), date(2026, 4, 11))
    assert grid.rows[-1][-1] == str(sum(one.is_call for one in ones)), "exact, in no grid"


OWN = """
report: schools
version: 1
title: {en: Contacts from schools}
period: month
source: our own
tables:
  - code: who
    title: {en: By profession}
    unit: contacts
    where: {role: [teacher]}
    rows:
      - {code: all, label: {en: All}}
      - {code: urgent, label: {en: Urgent}, where: {urgency: [immediate, urgent]}}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("role: [teacher]", "colour: [blue]", 8, "there is no dimension 'colour'"),
        ("unit: contacts", "unit: cats", 10, "unit"),
        ("    rows:", "    each: category\n    rows:", 8, "either rows or each"),
        ("period: month", "period: week", 5, "what was said is counted by months"),
        ("unit: contacts", "unit: calls", 8, "calls are not counted by what was said"),
        (
            "period: month",
            "period: year\nchecks: [{whole: who.none, parts: [who.all]}]",
            6,
            "there is no row 'who.none'",
        ),
    ],
)
def test_a_wrong_shape_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert old in OWN
    (tmp_path / "report-own.yaml").write_text(OWN.replace(old, new))
    with pytest.raises(BadDefinition, match=re.escape(words)) as found:
        shapes_in(read_folder(tmp_path))
    assert f"report-own.yaml:{line}" in str(found.value)


def test_ages_may_overlap_only_where_it_is_said(tmp_path: Path) -> None:
    text = OWN.replace("    rows:", "    each: category\n    ignored:").split("    ignored:")[0]
    (tmp_path / "report-own.yaml").write_text(text)
    with pytest.raises(BadDefinition, match="overlapping"):
        shapes_in(read_folder(tmp_path))


async def test_a_country_adds_a_shape_as_a_file(
    life: Life, lived_through: str, tmp_path: Path
) -> None:
    (tmp_path / "report-own.yaml").write_text(OWN)
    async with (
        stage_on(
            lived_through, clock=SteppedClock(life.now), with_server=False, definitions_dir=tmp_path
        ) as stage,
        transaction(stage.ground, PROGRAM) as work,
    ):
        kind = kind_of(work, "schools")
        report = await kind.make(work, window_of(work, kind, "2026-04-10"), None)
    expected = sum(
        one.contact is not None and grouping.DIMENSIONS["role"](one) == {"teacher"}
        for one in grouping.within(logs.told(lived_through), *APRIL)
    )
    assert abs(int(grid(report, "By profession")["All"][0]) - expected) < BASE
    assert expected > 0
    assert set(shapes_in(None)) == {
        p.stem.removeprefix("report-") for p in SHIPPED.glob("report-*.yaml")
    }


async def with_mail(stage: Stage, who: Counsellor, address: str) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get(Staff, who.id)
        assert staff is not None
        staff.email = address


async def visit(stage: Stage, who: Counsellor, path: str) -> Any:
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in who.cookies.items())}
    return await stage.client.get(stage.settings.public_url + path, headers=headers)


def link_in(letter: str) -> str:
    found = re.search(r"http://\S+(/reports/files/\S+)", letter)
    assert found is not None, letter
    return found[1]


async def test_a_report_is_sent_as_a_link_to_a_role(night: Stage, post: Mail) -> None:
    boss = await night.add_counsellor("boss", role=Role.ADMINISTRATOR, shift=False, state=None)
    chief = await night.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    await with_mail(night, chief, "chief@example.org")
    await with_mail(night, boss, "boss@example.org")
    wanted: dict[str, Any] = {"report": "daily", "every": "day", "role": "supervisor"}
    made = await boss.ask("POST", "/statistics/schedules", wanted)
    assert made.status_code == 201, made.text
    assert made.json()["next_on"] == "2030-01-15"
    for wrong, words in (
        ({**wanted, "role": "counsellor"}, "may see numbers"),
        ({**wanted, "role": "referral_officer"}, "single counsellors"),
        ({**wanted, "report": "weather"}, "no such report"),
        ({**wanted, "every": "hour"}, "every day, week"),
        ({**wanted, "language": "klingon"}, "not translated"),
        (wanted, "already"),
    ):
        assert words in (await boss.ask("POST", "/statistics/schedules", wrong)).text, words
    # File and letter are in the language of each reader, not in that of who scheduled them.
    mira = await night.add_counsellor("mira", role=Role.SUPERVISOR, shift=False, state=None)
    await with_mail(night, mira, "mira@example.org")
    serbian = "UPDATE staff SET page_language = 'sr' WHERE id = %s RETURNING 1"
    await night.rows(serbian, mira.id)
    night.ring()
    await night.advance(5)
    # Not before the morning after, and not twice.
    night.stepped.move_to(night.clock.now() + timedelta(hours=25))
    await night.advance(61)
    assert [text for text in post.to("chief@example.org") if "uncovered shift" not in text] == []
    night.stepped.move_to(night.clock.now() + timedelta(hours=6))
    await night.advance(125)
    # Supervisors are told of uncovered shifts, too.
    (letter,) = [text for text in post.to("chief@example.org") if "uncovered shift" not in text]
    assert post.to("boss@example.org") == []
    assert "Daily room report, Mon 14 Jan 2030 to Tue 15 Jan 2030 (that day excluded)" in letter
    assert "Plavi" not in letter
    (of_mira,) = [text for text in post.to("mira@example.org") if "/reports/files/" in text]
    assert link_in(of_mira) != link_in(letter)
    for who, status in ((chief, 303), (boss, 404)):
        await who.sign_in()
        answer = await visit(night, who, link_in(letter))
        assert answer.status_code == status
    files = (await chief.ask("GET", "/statistics/exports")).json()
    for file in files:
        assert (file["what"], file["state"], file["asked_by"]) == ("daily", "ready", "by itself")
    assert len(files) == 2
    files_in = ((of_mira, "Kuda je otišao svaki poziv"), (letter, "Where every call went"))
    for sent, words in by_day(files_in):
        number = link_in(sent).rsplit("/")[-1]
        answer = await visit(night, chief, f"/api/v1/statistics/exports/{number}/file")
        assert answer.content.startswith(b"%PDF")
        assert words in pypdf.PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    schedule = made.json()["id"]
    assert (await boss.ask("POST", f"/statistics/schedules/{schedule}/end", {})).status_code == 204
    assert (await boss.ask("POST", f"/statistics/schedules/{schedule}/end", {})).status_code == 404
