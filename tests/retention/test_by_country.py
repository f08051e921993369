"""The rules of a country come into force with its definitions, as any rule: never shorter at once.

What the helpline has decided itself stays until it follows its country again.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.country import following, sets
from app.country.sets import NotAccepted, put_in_force, take_back
from app.definitions.models import DefinitionOrder
from app.errors import ChangedMeanwhile
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.retention import by_country
from app.retention.by_country import RuleChange
from app.retention.country import FILE
from app.retention.kinds import DataKind, Decider
from app.retention.rules import WAITS, Rules, read_rules, set_rules
from app.staff.accounts import actor_of
from app.work import PROGRAM, Work
from tests.support.definitions.sets import at, taken
from tests.support.verbs import a_line, an_administrator, logged, rings

pytestmark = pytest.mark.whole

NUMBERS, CONTACTS, CASES = DataKind.CALLER_NUMBERS, DataKind.CONTACTS, DataKind.CASES
LAW = "The law on records of 2026"
COUNTRY, HELPLINE, DEFAULT = Decider.COUNTRY, Decider.HELPLINE, Decider.PROGRAM


def said(version: int = 1, **days: int | str) -> dict[str, str]:
    """Return the definitions of a country that speaks of these kinds."""
    listed = ", ".join(f"{kind}: {one}" for kind, one in days.items())
    words = f"retention: ours\nversion: {version}\nsource: {LAW}\ndays: {{{listed}}}\n"
    return {FILE: words}


async def a_helpline(work: Work) -> None:
    """Add a line that has had a call: there is something to be lost."""
    await a_line(work)
    await rings(work)


async def in_force(
    work: Work, files: dict[str, str], from_at: datetime | None = None
) -> DefinitionOrder:
    return await put_in_force(work, await taken(work, files), from_at=from_at, accept=True)


def of(rules: Rules, kind: DataKind) -> tuple[int | None, int | None, Decider]:
    """Return for how many days a kind is kept now, and by what was decided last, and by whom."""
    return rules.days[kind], rules.decided(kind), rules.deciders[kind]


async def test_a_longer_rule_of_the_country_holds_at_once_and_a_shorter_one_after_seven_days(
    work: Work,
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    mila, rada = await an_administrator(work), await an_administrator(work, "rada")
    mila.email, rada.email = "mila@x.example", "rada@x.example"
    await a_helpline(work)
    await flush(work)
    work.actor, begun = actor_of(mila), work.now
    await in_force(work, said(caller_numbers=180, contacts=3650, export_files=30))
    rules = await read_rules(work)
    assert of(rules, NUMBERS) == (365, 180, COUNTRY)
    assert rules.coming[NUMBERS].at == rules.coming[CONTACTS].at == begun + WAITS
    assert of(rules, CONTACTS) == (None, 3650, COUNTRY)
    assert of(rules, DataKind.EXPORT_FILES) == (30, 30, COUNTRY)
    assert of(rules, CASES) == (None, None, DEFAULT)
    kinds = ("caller_numbers", "contacts", "export_files")
    assert logged(work)[-1] == (
        "retention_changed",
        {
            "before": {"caller_numbers": 365, "contacts": "for_ever", "export_files": 7}
            | {f"{kind}_decided_by": "program" for kind in kinds},
            "after": {"caller_numbers": 180, "contacts": 3650, "export_files": 30}
            | {f"{kind}_decided_by": "country" for kind in kinds},
            "source": LAW,
            "from": (begun + WAITS).isoformat(),
        },
    )
    told = [job.arguments for job in work.jobs if job.task == Task.TELL_SHORTER_RULES]
    assert [(job["staff_id"], job["by"]) for job in told] == [(str(rada.id), str(mila.id))]
    work.now += WAITS
    assert of(await read_rules(work), NUMBERS) == (180, 180, COUNTRY)


async def test_where_nothing_is_kept_yet_the_rules_of_the_country_hold_from_the_start(
    work: Work, tmp_path: Path
) -> None:
    """A first start, with a folder of the server."""
    (tmp_path / FILE).write_text(said(contacts=1825)[FILE])
    work.settings.definitions_dir = tmp_path
    await following.start(work)
    rules = await read_rules(work)
    assert (of(rules, CONTACTS), rules.coming) == ((1825, 1825, COUNTRY), {})
    assert logged(work)[-1][0] == "retention_changed"
    assert "'from'" not in str(logged(work)[-1])
    entries = len(logged(work))
    await following.start(work)
    assert len(logged(work)) == entries, "once"
    # Another folder, at a later start, is for a helpline that has records.
    await a_helpline(work)
    (tmp_path / FILE).write_text(said(version=2, contacts=365)[FILE])
    work.ground.kept.pop("definition folder")
    await following.start(work)
    assert of(await read_rules(work), CONTACTS) == (1825, 365, COUNTRY)


async def test_a_file_that_cannot_be_read_stops_no_start_and_changes_no_rule(
    work: Work, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text(said(contacts=3)[FILE])
    work.settings.definitions_dir = tmp_path
    await following.start(work)
    assert of(await read_rules(work), CONTACTS) == (None, None, DEFAULT)


async def test_the_rule_that_the_helpline_has_decided_stays_until_it_follows_again(
    work: Work,
) -> None:
    await a_helpline(work)
    await set_rules(work, {NUMBERS: 400}, at_once=True)
    await in_force(work, said(caller_numbers=180, contacts=3650))
    assert of(await read_rules(work), NUMBERS) == (400, 400, HELPLINE)
    # What a person only sends back with the page stays the country's.
    rules = await set_rules(work, {NUMBERS: 400, CONTACTS: 3650})
    assert of(rules, CONTACTS) == (None, 3650, COUNTRY)
    with pytest.raises(ChangedMeanwhile):
        await by_country.follow_again(work, NUMBERS, revision=rules.revision - 1)
    rules = await by_country.follow_again(work, NUMBERS, revision=rules.revision)
    assert of(rules, NUMBERS) == (400, 180, COUNTRY)
    assert logged(work)[-1][1] == {
        "before": {"caller_numbers": 400, "caller_numbers_decided_by": "helpline"},
        "after": {"caller_numbers": 180, "caller_numbers_decided_by": "country"},
        "source": LAW,
        "from": rules.coming[NUMBERS].at.isoformat(),
    }
    assert await by_country.follow_again(work, NUMBERS) == rules, "once"
    # An administrator who objects within the seven days decides for the helpline again, at once.
    assert of(await set_rules(work, {NUMBERS: 400}), NUMBERS) == (400, 400, HELPLINE)


async def test_a_kind_of_which_no_country_speaks_goes_back_to_the_default(work: Work) -> None:
    await a_helpline(work)
    await set_rules(work, {NUMBERS: 700, CONTACTS: 100}, at_once=True)
    assert of(await by_country.follow_again(work, CONTACTS), CONTACTS) == (None, None, DEFAULT)
    assert of(await by_country.follow_again(work, NUMBERS), NUMBERS) == (700, 365, DEFAULT)
    # The default is that of the day, and what is longer does not wait.
    work.settings.number_retention_days = 800
    assert of(await read_rules(work), NUMBERS) == (800, 800, DEFAULT)
    work.settings.number_retention_days = 100
    assert of(await read_rules(work), NUMBERS) == (700, 100, DEFAULT)
    work.now += WAITS
    assert of(await read_rules(work), NUMBERS) == (100, 100, DEFAULT)


async def test_the_next_version_changes_the_rules_again_and_one_that_it_drops_ends_no_sooner(
    work: Work,
) -> None:
    await a_helpline(work)
    begun = work.now
    await in_force(work, said(caller_numbers=700, contacts=3650, cases=3650))
    await at(work, begun + WAITS)
    await in_force(work, said(version=2, contacts=1825, cases=3650))
    rules = await read_rules(work)
    assert of(rules, CONTACTS) == (3650, 1825, COUNTRY)
    assert of(rules, CASES) == (3650, 3650, COUNTRY)
    assert of(rules, NUMBERS) == (700, 365, DEFAULT)
    await at(work, begun + 2 * WAITS)
    await in_force(work, {"rest.yaml": REST})
    rules = await read_rules(work)
    assert of(rules, CONTACTS) == (None, None, DEFAULT), "for ever erases nothing"
    assert of(rules, NUMBERS) == (365, 365, DEFAULT)


REST = "rest: ours\nversion: 1\nsource: x\ndaily_hours: 12\nweekly_hours: 48\n"


async def test_what_is_taken_back_takes_its_rules_along(work: Work) -> None:
    await a_helpline(work)
    begun = work.now
    first = await in_force(work, said(caller_numbers=180, contacts=3650))
    await at(work, begun + timedelta(days=6))
    second = await in_force(work, said(version=2, caller_numbers=700, contacts=1825))
    rules = await read_rules(work)
    assert of(rules, NUMBERS) == (700, 700, COUNTRY)
    assert rules.coming[CONTACTS] == (1825, work.now + WAITS)
    await take_back(work, second.id)
    rules = await read_rules(work)
    # Longer than what waited: it does not wait anew, and nothing is erased before it.
    assert rules.coming[CONTACTS] == (3650, work.now + WAITS)
    assert rules.coming[NUMBERS] == (180, work.now + WAITS)
    assert rules.days[NUMBERS] == 700
    await take_back(work, first.id)
    rules = await read_rules(work)
    assert of(rules, CONTACTS) == (None, None, DEFAULT)
    assert of(rules, NUMBERS) == (700, 365, DEFAULT), "never shorter at once"


async def test_within_seven_days_a_shorter_rule_leaves_nothing_behind(work: Work) -> None:
    await a_helpline(work)
    before = await read_rules(work)
    order = await in_force(work, said(caller_numbers=180, contacts=3650))
    await take_back(work, order.id)
    rules = await read_rules(work)
    assert (rules.days, rules.coming) == (before.days, {})
    assert rules.deciders == before.deciders


async def test_what_begins_later_is_decided_then_by_the_person_who_ordered_it(work: Work) -> None:
    mila = await an_administrator(work)
    await a_helpline(work)
    work.actor, begun = actor_of(mila), work.now
    begins = begun + timedelta(days=3)
    order = await in_force(work, said(caller_numbers=180), begins)
    (job,) = [job for job in work.jobs if job.task == Task.FOLLOW_COUNTRY]
    assert (job.arguments, job.delay) == ({"order_id": order.id}, begins - begun)
    work.actor = PROGRAM
    # The database's clock is ahead of ours: the job is asked for again.
    await by_country.begin_to_follow(work, order.id)
    assert of(await read_rules(work), NUMBERS) == (365, 365, DEFAULT)
    assert len([job for job in work.jobs if job.task == Task.FOLLOW_COUNTRY]) == 2
    await at(work, begins)
    for _ in range(2):
        await by_country.begin_to_follow(work, order.id)
        rules = await read_rules(work)
        assert rules.coming[NUMBERS] == (180, begins + WAITS)
        work.now += timedelta(days=1)
    (entry,) = [row for row in work.last_rows if b"retention_changed" in str(row).encode()]
    assert str(mila.id) in str(entry)


async def test_what_was_to_begin_and_was_taken_back_changes_no_rule(work: Work) -> None:
    await a_helpline(work)
    begins = work.now + timedelta(days=3)
    order = await in_force(work, said(caller_numbers=180), begins)
    await take_back(work, order.id)
    await at(work, begins)
    await by_country.begin_to_follow(work, order.id)
    assert of(await read_rules(work), NUMBERS) == (365, 365, DEFAULT)


async def test_a_run_that_erases_looks_first_whether_the_country_keeps_more(work: Work) -> None:
    """Whatever became of the job: rules and definitions agree before anything is erased."""
    await a_helpline(work)
    await in_force(work, said(caller_numbers=700), work.now + timedelta(days=3))
    await at(work, work.now + timedelta(days=3))
    await by_country.look_again(work)
    assert of(await read_rules(work), NUMBERS) == (700, 700, COUNTRY)
    entries = len(logged(work))
    await by_country.look_again(work)
    assert len(logged(work)) == entries


async def test_what_becomes_of_the_rules_is_shown_before_and_a_shorter_one_is_meant(
    work: Work,
) -> None:
    await a_helpline(work)
    await set_rules(work, {CONTACTS: 400, CASES: 400}, at_once=True)
    set_id = await taken(work, said(caller_numbers=180, contacts=3650, export_files=30, cases=400))
    now, files = work.now, DataKind.EXPORT_FILES
    compared = await sets.compare_set(work, set_id)
    assert compared.rules == [
        RuleChange(NUMBERS, 365, 180, now + WAITS),
        RuleChange(CONTACTS, 400, 3650, None),
        RuleChange(files, 7, 30, now),
    ]
    assert [one.erases_more for one in compared.rules] == [True, False, False]
    with pytest.raises(NotAccepted):
        await put_in_force(work, set_id)
    begins = now + timedelta(days=30)
    later = (await sets.compare_set(work, set_id, at=begins)).rules
    assert later[0].from_at == begins + WAITS
    longer = await taken(work, said(caller_numbers="for_ever"))
    assert not (await sets.compare_set(work, longer)).needs_acceptance
    await put_in_force(work, longer)
    assert of(await read_rules(work), NUMBERS) == (None, None, COUNTRY)
    assert (await sets.compare_set(work, longer, against=set_id)).rules == []
