"""A person who reads no records of others cannot subtract very many tables from each other."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import combinations
from uuid import UUID, uuid4

import httpx2
import pytest

from app.database.engine import open_database
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import TooMany
from app.jobs.transaction import transaction
from app.staff.accounts import add_staff
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.staff.tokens import add_token, list_tokens
from app.statistics.exports.exporting import ExportWanted, read_wanted
from app.statistics.protection import budget
from app.words.pages import refusal_words
from app.work import PROGRAM, Actor, ActorKind, Ground
from tests.support.people import person
from tests.support.profile import WHOLE, by_day, nightly

MAY = "from=2026-05-01&to=2026-06-01"
# Windows of whole months that are over.
WINDOWS = [
    f"from={begins}&to={ends}"
    for begins, ends in combinations(
        [f"{2024 + n // 12}-{n % 12 + 1:02d}-01" for n in range(27)], 2
    )
]


def day(one: date) -> str:
    return f"{one:%b} {one.day}, {one.year}"


async def page(house: Stage, who: Counsellor, path: str) -> httpx2.Response:
    headers = {"Cookie": who.cookie_header}
    return await house.client.get(f"{house.settings.public_url}{path}", headers=headers)


async def states(who: Counsellor, *paths: str) -> list[int]:
    return [(await who.ask("GET", f"/statistics{path}")).status_code for path in paths]


async def later(house: Stage, who: Counsellor, at: datetime) -> None:
    """Move on to an instant; the person signs in again."""
    house.stepped.move_to(at)
    await who.sign_in()


async def file_of(who: Counsellor, begins: str, ends: str, kind: str) -> httpx2.Response:
    asked = {"what": "summary", "from": begins, "to": ends, "by": ["place"], "format": kind}
    return await who.ask("POST", "/statistics/exports", asked)


async def test_a_person_has_a_budget_on_pages_in_answers_and_for_files(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_A_PERSON", 3)
    auditor = await person(house, "auditor of a budget", Role.AUDITOR)
    first, second, third, fourth, fifth, *_ = WINDOWS
    # One table on a page, in each format, and as a file that is asked for: as often as they like.
    for _ in range(3 if WHOLE else 2):
        found = await page(house, auditor, f"/reports/explore?{first}&by=place")
        assert found.status_code == 200
        assert (
            await states(
                auditor,
                f"/summary?{first}&by=place",
                f"/summary.csv?{first}&by=place&measures=contacts&language=sr",
                f"/summary.parquet?{first}&by=place",
            )
            == [200] * 3
        )
        assert (await file_of(auditor, "2024-01-01", "2024-02-01", "xlsx")).status_code == 202
    assert await states(auditor, f"/summary?{second}&by=place,sex") == [200]
    # In another order it is the same table, and so is one that another file holds.
    assert await states(auditor, f"/summary?{second}&by=sex,place") == [200]
    assert await states(auditor, f"/summary?{third}&by=category,place") == [200]
    assert await states(auditor, f"/categories.csv?{third}&by=place") == [200]
    # Three are used up: in each way of asking.
    today = house.clock.now().date()
    words = (
        f"You have requested 3 different tables about contacts since {day(today)}. Request "
        f"further ones from {day(today + timedelta(days=1))} on (UTC). Those that you have "
        "requested, and the reports, remain open."
    )
    refused = await auditor.ask("GET", f"/statistics/summary?{fourth}&by=place")
    assert (refused.status_code, refused.json()["error"]) == (429, "TooMany")
    assert refused.json()["detail"] == words
    again = await auditor.ask("GET", f"/statistics/summary?{fourth}&by=place")
    assert again.status_code == 429, "what was refused is not given next time"
    file = await file_of(auditor, "2024-01-01", "2024-05-01", "csv")
    assert (file.status_code, file.json()["detail"]) == (429, words)
    shown = await page(house, auditor, f"/reports/explore?{fourth}&by=place")
    assert shown.status_code == 429
    assert "You have requested 3 different tables about contacts" in shown.text
    assert (await page(house, auditor, "/referrals/accountability")).status_code == 429
    assert (
        await states(
            auditor,
            f"/report.json?report=chi&{fourth}",
            f"/referrals.csv?{fourth}",
            f"/feedback.csv?{fourth}",
            f"/categories.csv?{fourth}",
            # Whole months of urgent contacts, whatever they are counted by.
            f"/summary?{fifth}&measures=urgent_contacts",
            f"/summary?{fifth}&by=month",
        )
        == [429] * 6
    )


async def test_what_was_asked_stays_open_and_so_does_what_tells_nothing_of_contents(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_A_PERSON", 1)
    auditor = await person(house, "auditor of what stays", Role.AUDITOR)
    first, _, _, fourth, fifth, *_ = WINDOWS
    assert await states(auditor, f"/summary?{first}&by=place", f"/summary?{fourth}&by=place") == [
        200,
        429,
    ]
    assert (
        await states(
            auditor,
            f"/summary.csv?{first}&by=place",
            f"/summary?{fifth}&by=outcome&measures=calls",
            f"/at_once.csv?{fifth}",
            "/summary?by=outcome",
            "/planning",
        )
        == [200] * 5
    )
    # The next day is a new one.
    await later(house, auditor, house.clock.now() + timedelta(days=1))
    assert await states(auditor, f"/summary?{fourth}&by=place", f"/summary?{first}&by=place") == [
        200,
        200,
    ]


@nightly
async def test_pages_without_a_table_of_contents_stay_open(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day one of them does, in the last test of this file."""
    monkeypatch.setattr(budget, "OF_A_PERSON", 0)
    auditor = await person(house, "auditor of pages", Role.AUDITOR)
    for path in ("/reports", "/reports/explore", "/reports/monthly?day=2026-05-01", "/reports/chi"):
        assert (await page(house, auditor, path)).status_code == 200, path


async def test_a_days_work_meets_no_limit_and_readers_of_records_have_none(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert budget.OF_A_PERSON >= 150
    assert budget.IN_ALL >= 2 * budget.OF_A_PERSON
    async with transaction(house.ground, PROGRAM) as work:
        boss, chief, officer = [
            await work.session.get_one(Staff, (await person(house, f"r {role}", role)).id)
            for role in (Role.ADMINISTRATOR, Role.SUPERVISOR, Role.REFERRAL_OFFICER)
        ]
        for window in by_day(WINDOWS[:100], 20):
            await budget.spend_of_person(work, boss, _by_place(window))
        monkeypatch.setattr(budget, "OF_A_PERSON", 5)
        for window in WINDOWS[100:110]:
            await budget.spend_of_person(work, chief, _by_place(window))
            await budget.spend_of_person(work, officer, _by_place(window))


def _by_place(window: str) -> ExportWanted:
    begins, ends = (part.split("=")[1] for part in window.split("&"))
    return read_wanted("summary", begins, ends, "csv", {"by": ["place"]})


async def _made_by(house: Stage, maker: UUID, name: str) -> UUID:
    """Return a new auditor whom a person made, or a token."""
    async with transaction(house.ground, Actor(ActorKind.PERSON, maker)) as work:
        staff = await add_staff(work, name=f"{name} {uuid4().hex[:8]}", role=Role.AUDITOR)
        return staff.id


async def _refused(house: Stage, who: UUID, window: str) -> str:
    """Ask for a table as a person; return why it is refused, if it is."""
    async with transaction(house.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, who)
        try:
            await budget.spend_of_person(work, staff, _by_place(window))
        except TooMany as refusal:
            return refusal_words(refusal)
    return ""


async def test_the_days_of_a_month_are_counted_together(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_A_PERSON", 2)
    monkeypatch.setattr(budget, "IN_ALL", 5)
    who = await person(house, "administrator of a month", Role.ADMINISTRATOR)
    begins, passed = house.clock.now(), []

    async def given(*windows: str) -> list[bool]:
        return [not await _refused(house, who.id, window) for window in windows]

    for n_day in range(4):
        house.stepped.move_to(begins + timedelta(days=n_day))
        passed.append(await given(*WINDOWS[10 * n_day : 10 * n_day + 3], WINDOWS[0]))
    assert passed == [
        [True, True, False, True],
        [True, True, False, True],
        [True, False, False, True],
        [False, False, False, True],
    ]
    refused = await _refused(house, who.id, WINDOWS[60])
    assert f"since {day(begins.date())}" in refused
    again = begins.date() + timedelta(days=budget.DAYS)
    assert f"from {day(again)} on" in refused
    house.stepped.move_to(begins + timedelta(days=budget.DAYS - 1))
    assert await given(WINDOWS[60]) == [False]
    house.stepped.move_to(begins + timedelta(days=budget.DAYS))
    assert await given(*WINDOWS[60:63]) == [True, True, False]
    # Nothing is kept of a person who asks nothing any more.
    house.stepped.move_to(begins + timedelta(days=3 * budget.DAYS))
    await budget.forget_old_tables(house.ground)
    assert await house.rows("SELECT 1 FROM asked_by_persons") == []


async def test_accounts_that_are_made_for_it_have_one_budget_together(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_A_PERSON", 3)
    monkeypatch.setattr(budget, "OF_ALL_PEOPLE", 5)
    monkeypatch.setattr(budget, "OWN_IN_ALL", 2)
    boss = await person(house, "administrator who makes accounts", Role.ADMINISTRATOR)
    one, two, three, four = [await _made_by(house, boss.id, f"auditor {n}") for n in range(4)]
    begins = house.clock.now()
    for who, windows in ((one, WINDOWS[:3]), (two, WINDOWS[3:5]), (three, WINDOWS[:3])):
        assert [await _refused(house, who, window) for window in windows] == [""] * len(windows)
    assert await _refused(house, four, WINDOWS[5]), "its maker has no further share by it"
    assert await _refused(house, boss.id, WINDOWS[5])
    said = await _refused(house, two, WINDOWS[5])
    again = begins.date() + timedelta(days=budget.DAYS)
    assert said == (
        "All people and programs together have requested 5 different tables about contacts since "
        f"{day(begins.date())}. Request further ones from {day(again)} on (UTC)."
    )
    # What a colleague has requested tells nothing new.
    assert await _refused(house, two, WINDOWS[0]) == ""
    house.stepped.move_to(begins + timedelta(days=budget.DAYS))
    assert await _refused(house, two, WINDOWS[5]) == ""


async def _tokens(house: Stage, *names: str, maker: UUID | None = None) -> list[UUID]:
    """Return new tokens of a person, or of the operator."""
    actor = PROGRAM if maker is None else Actor(ActorKind.PERSON, maker)
    async with transaction(house.ground, actor) as work:
        for name in names:
            await add_token(work, name, ["statistics"], 30)
        ids = {one.name: one.id for one in await list_tokens(work)}
    return [ids[name] for name in names]


async def _refused_to(house: Stage, token: UUID, window: str) -> bool:
    """Ask for a table with a token; return whether it is refused."""
    async with transaction(house.ground, PROGRAM) as work:
        try:
            await budget.spend(work, token, _by_place(window))
        except TooMany:
            return True
    return False


async def test_each_maker_of_tokens_and_person_keeps_a_share_though_others_used_up_that_of_all(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL", 6)
    monkeypatch.setattr(budget, "OWN", 2)
    boss, other = [
        await person(house, f"administrator {n} of shares", Role.ADMINISTRATOR) for n in range(2)
    ]
    (spender,) = await _tokens(house, "that of a spender", maker=boss.id)
    (nightly,) = await _tokens(house, "that of a ministry", maker=other.id)
    auditor = await person(house, "auditor with a share", Role.AUDITOR)
    tables = iter(WINDOWS)
    spent = [await _refused_to(house, spender, next(tables)) for _ in range(8)]
    assert spent == [False] * 6 + [True] * 2
    # By day one of them; the next day is a new one in other tests.
    for day_of in by_day(range(2)):
        asked = [await _refused_to(house, nightly, next(tables)) for _ in range(3)]
        assert asked == [False, False, True], day_of
        said = [await _refused(house, auditor.id, next(tables)) for _ in range(3)]
        assert [not one for one in said] == [True, True, False], day_of
        await later(house, auditor, house.clock.now() + timedelta(days=1))
        for _ in range(6):
            await _refused_to(house, spender, next(tables))


async def test_each_person_keeps_a_share_of_the_days_that_count(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL_PEOPLE", 4)
    monkeypatch.setattr(budget, "OWN_IN_ALL", 3)
    spender, auditor = [
        await person(house, f"auditor {name} a share", Role.AUDITOR) for name in ("taking", "of")
    ]
    tables = iter(WINDOWS)
    spent = [await _refused(house, spender.id, next(tables)) for _ in range(6)]
    assert [not one for one in spent] == [True] * 4 + [False] * 2
    given = []
    for _ in range(2):
        given += [not await _refused(house, auditor.id, next(tables)) for _ in range(2)]
        await later(house, auditor, house.clock.now() + timedelta(days=1))
    assert given == [True, True, True, False]


@nightly
async def test_one_who_makes_tokens_has_no_more_than_the_budget_of_all(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL", 8)
    monkeypatch.setattr(budget, "OWN", 2)
    boss, other = [
        await person(house, f"administrator {n} of tokens", Role.ADMINISTRATOR) for n in range(2)
    ]
    tables, given = iter(WINDOWS), []
    for n in range(6):
        body = {"name": f"made for it {n}", "scopes": ["statistics"], "days": 1}
        made = await boss.ask("POST", "/tokens", body)
        assert made.status_code == 201
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        path = f"{house.settings.public_url}/api/v1/statistics/summary?by=place&"
        for _ in range(3):
            answer = await house.client.get(path + next(tables), headers=headers)
            given.append(answer.status_code)
    assert given == [200] * 8 + [429] * 10
    assert await states(boss, f"/summary?{next(tables)}&by=place") == [429]
    # Another one is not kept out, and neither are the tokens that they made.
    assert await states(other, f"/summary?{next(tables)}&by=place") == [200]
    (nightly,) = await _tokens(house, "that of another one", maker=other.id)
    assert [await _refused_to(house, nightly, next(tables)) for _ in range(2)] == [False, True]


async def test_the_tokens_of_the_operator_have_one_share(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL", 3)
    monkeypatch.setattr(budget, "OWN", 2)
    tokens = await _tokens(house, *[f"of the operator {n}" for n in range(5)])
    asked = [await _refused_to(house, token, WINDOWS[n]) for n, token in enumerate(tokens)]
    assert asked == [False] * 3 + [True] * 2


async def test_an_account_shares_with_who_could_be_behind_it_for_a_day(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL", 3)
    monkeypatch.setattr(budget, "OWN", 2)
    boss = await person(house, "administrator of a day", Role.ADMINISTRATOR)
    old = await person(house, "auditor of long ago", Role.AUDITOR)
    token, directory = await _tokens(house, "spending", "of a directory", maker=boss.id)
    by_boss = await _made_by(house, boss.id, "auditor of an administrator")
    by_token = await _made_by(house, directory, "auditor of a directory")
    by_both = await _made_by(house, by_boss, "auditor of an auditor")
    tables = iter(WINDOWS)
    for _ in range(3):
        assert not await _refused_to(house, token, next(tables))
    for who in (by_boss, by_token, by_both):
        assert await _refused(house, who, next(tables))
    assert not await _refused(house, old.id, next(tables))
    async with transaction(house.ground, Actor(ActorKind.PERSON, boss.id)) as work:
        write_entry(work, AuditLog.SECOND_FACTOR_RESET, str(old.id))
    assert await _refused(house, old.id, next(tables)), "it could be its administrator now"
    # The next day, each of them is another person.
    await later(house, boss, house.clock.now() + timedelta(days=1))
    for _ in range(3):
        assert not await _refused_to(house, token, next(tables))
    for who in (by_boss, by_token, by_both, old.id):
        assert not await _refused(house, who, next(tables))
    assert await _refused(house, boss.id, next(tables)), "their token has their share"


async def test_all_shares_together_have_a_bound(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL", 2)
    monkeypatch.setattr(budget, "OWN", 2)
    monkeypatch.setattr(budget, "OF_SHARES", 3)
    people = [await person(house, f"auditor {n} of shares", Role.AUDITOR) for n in range(4)]
    tables = iter(WINDOWS)
    monkeypatch.setattr(budget, "FIRST", 1)
    late = await person(house, "auditor who comes last", Role.AUDITOR)
    asked = [bool(await _refused(house, one.id, next(tables))) for one in [*people, *people]]
    assert asked == [False] * 5 + [True] * 3
    # One who has requested nothing yet is kept from no work by them.
    asked = [bool(await _refused(house, late.id, next(tables))) for _ in range(2)]
    assert asked == [False, True]
    # The same for the days that count.
    house.stepped.move_to(house.clock.now() + timedelta(days=1))
    monkeypatch.setattr(budget, "OF_SHARES", 100)
    monkeypatch.setattr(budget, "OF_ALL_PEOPLE", 4)
    monkeypatch.setattr(budget, "OWN_IN_ALL", 4)
    monkeypatch.setattr(budget, "OF_SHARES_OF_PEOPLE", 3)
    monkeypatch.setattr(budget, "FIRST_IN_ALL", 1)
    asked = [bool(await _refused(house, one.id, next(tables))) for one in [*people, late]]
    assert asked == [False] + [True] * 4
    last = await person(house, "auditor of the last day", Role.AUDITOR)
    asked = [bool(await _refused(house, last.id, next(tables))) for _ in range(2)]
    assert asked == [False, True]


def test_the_share_of_each_account_is_a_tenth_of_the_budget_at_most() -> None:
    assert 10 * budget.OWN <= budget.TABLES
    assert 5 * budget.OWN_IN_ALL <= budget.IN_ALL


def test_the_shares_together_are_no_more_than_the_budget_and_no_few_use_them_up() -> None:
    assert 25 * budget.OWN <= budget.OF_SHARES <= budget.OF_ALL
    # A hundred accounts take no more by their first ones than there is without them.
    assert 100 * budget.FIRST <= budget.OF_ALL
    assert 100 * budget.FIRST_IN_ALL <= budget.OF_ALL_PEOPLE + budget.OF_SHARES_OF_PEOPLE
    assert 15 * budget.OWN_IN_ALL <= budget.OF_SHARES_OF_PEOPLE <= budget.OF_ALL_PEOPLE


async def test_tokens_and_people_have_one_budget_of_a_day(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_ALL", 4)
    monkeypatch.setattr(budget, "OWN", 1)
    who = await person(house, "auditor beside tokens", Role.AUDITOR)
    tokens = await _tokens(house, "first of two", "second of two")

    async def refused(token: UUID, window: str) -> bool:
        return await _refused_to(house, token, window)

    assert [await refused(tokens[0], window) for window in WINDOWS[:2]] == [False] * 2
    assert [await refused(tokens[1], window) for window in WINDOWS[1:3]] == [False] * 2
    assert await _refused(house, who.id, WINDOWS[3]) == ""
    assert "since" in await _refused(house, who.id, WINDOWS[4])
    assert await refused(tokens[0], WINDOWS[4])
    assert not await refused(tokens[0], WINDOWS[3]), "it was requested by another one"
    await later(house, who, house.clock.now() + timedelta(days=1))
    assert not await refused(tokens[0], WINDOWS[4])


def test_no_one_person_or_token_uses_the_budget_of_all_up() -> None:
    assert budget.TABLES + 2 * budget.OF_A_PERSON <= budget.OF_ALL
    assert 3 * budget.IN_ALL <= budget.OF_ALL_PEOPLE


async def test_two_processes_count_together(
    house: Stage, lived_through: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_A_PERSON", 4)
    who = await person(house, "auditor of two processes", Role.AUDITOR)
    other = replace(house.ground, database=open_database(lived_through), kept={})
    tables = [_by_place(window) for window in WINDOWS[:20]]

    async def ask(ground: Ground, wanted: ExportWanted) -> bool:
        try:
            async with transaction(ground, PROGRAM) as work:
                staff = await work.session.get_one(Staff, who.id)
                await budget.spend_of_person(work, staff, wanted)
        except TooMany:
            return False
        return True

    grounds = (house.ground, other)
    passed = await asyncio.gather(*(ask(grounds[n % 2], one) for n, one in enumerate(tables)))
    await other.database.close()
    assert sum(passed) == 4
    assert await house.rows(
        f"SELECT count(*) AS n FROM asked_by_persons WHERE staff_id='{who.id}'"
    ) == [{"n": 4}]


async def test_a_window_that_says_the_same_in_other_words_is_the_same_table(house: Stage) -> None:
    def key(what: str, begins: str, ends: str, **options: object) -> bytes:
        return budget.key_of(work, read_wanted(what, begins, ends, "csv", options))

    async with transaction(house.ground, PROGRAM) as work:
        over = work.now.date().replace(day=1)
        long = f"{over.year + 1}-01-01"
        for what, options in (("report", {"report": "chi"}), ("referrals", {}), ("feedback", {})):
            assert key(what, "2026-01-01", long, **options) == key(
                what, "2026-01-01", str(over), **options
            )
        one = key("summary", "2026-05-01", "2026-06-01", by=["place"])
        for other in (
            key("summary", "2026-05-01", "2026-07-01", by=["place"]),
            key("summary", "2026-05-01", "2026-06-01", by=["place"], line="+38111116111"),
            key("summary", "2026-05-01", "2026-06-01", by=["place"], period="month"),
            key("summary", "2026-05-01", "2026-06-01", by=["place", "sex"]),
        ):
            assert other != one
        # By instants, in whatever zone, no contents are counted at all.
        for edge in ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00+02:00"):
            wanted = read_wanted("summary", edge, "2026-06-01", "csv", {})
            assert not budget.tells(work, wanted)


async def test_reports_that_are_sent_cost_no_person_anything(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "OF_A_PERSON", 0)
    who = await person(house, "administrator of sent reports", Role.ADMINISTRATOR)
    reader = await person(house, "auditor of sent reports", Role.AUDITOR)
    asked = "SELECT 1 FROM asked_by_persons"
    assert await states(who, *[f"/summary?{MAY}&by=place"] * 2) == [429, 429]
    assert await house.rows(asked) == [], "a refusal costs nothing"
    body = {"report": "monthly", "every": "month", "role": "auditor"}
    assert (await who.ask("POST", "/statistics/schedules", body)).status_code == 201
    # By day an auditor reads the report of a month in `test_reports.py`.
    pages = ("/", "/reports/monthly?day=2026-04-10", "/reports/agencies", "/reports/monthly.pdf")
    for path in by_day(pages):
        shown = await page(house, reader, path)
        assert shown.status_code == 200, path
        # An administrator opens the calls of which a figure is made.
        assert "/reports/calls" not in shown.text, path
        assert await house.rows(asked) == [], path
