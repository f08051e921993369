"""A shorter rule waits for a week, colleagues are told, and a run erases only by what holds."""

import asyncio
from datetime import timedelta

import pytest

from app.country.sets import put_in_force
from app.definitions.datafile import BadDefinition
from app.definitions.folder import folder_with
from app.demo.stage import Stage
from app.jobs.names import Task
from app.jobs.transaction import flush, transaction
from app.retention import by_country, country, letters, running
from app.retention.kinds import DataKind
from app.retention.rules import WAITS, read_rules, set_rules
from app.staff.accounts import actor_of
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.contacts import completed
from tests.support.definitions.sets import taken
from tests.support.profile import nightly
from tests.support.referrals import page
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator, logged

NAME = "Јована"
CONTACTS, NUMBERS = DataKind.CONTACTS, DataKind.CALLER_NUMBERS


async def test_one_administrator_shortens_no_rule_and_erases_by_it_the_same_evening(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    here = f"/contacts/{await completed(ana)}"
    stage.stepped.move_to((stage.clock.now() + timedelta(days=100)).replace(hour=12))
    for who in (ana, mila):
        await who.sign_in()
    rule = {"revision": "0", "contacts": "90"}
    saved = await page(stage, mila, "/admin/retention", **rule)
    assert "A shorter rule takes effect after 7 days." in saved.text
    assert "90 days from" in saved.text
    assert 'value="90"' in saved.text, "the field says what was decided"
    assert "What is due" in (await page(stage, mila, "/admin/retention/run", sent="x")).text
    await stage.settle()
    assert NAME in str((await ana.ask("GET", here)).json())
    stage.stepped.move_to(stage.clock.now() + WAITS)
    for who in (ana, mila):
        await who.sign_in()
    assert (await mila.ask("POST", "/retention/run")).status_code == 202
    await stage.settle()
    assert NAME not in str((await ana.ask("GET", here)).json())


async def test_a_longer_rule_holds_at_once_and_ends_the_one_that_waits(work: Work) -> None:
    await set_rules(work, {CONTACTS: 400}, at_once=True)
    begun = work.now
    rules = await set_rules(work, {CONTACTS: 100})
    assert (rules.days[CONTACTS], rules.coming[CONTACTS]) == (400, (100, begun + WAITS))
    work.now = begun + timedelta(days=3)
    # Less short, it does not wait anew; still shorter, it does.
    assert (await set_rules(work, {CONTACTS: 200})).coming[CONTACTS] == (200, begun + WAITS)
    assert (await set_rules(work, {CONTACTS: 90})).coming[CONTACTS] == (90, work.now + WAITS)
    rules = await set_rules(work, {CONTACTS: 500})
    assert (rules.days[CONTACTS], dict(rules.coming)) == (500, {})
    work.now += WAITS
    assert (await read_rules(work)).days[CONTACTS] == 500
    (due,) = [one for one in await running.dry_run(work) if one.kind is CONTACTS]
    assert due.days == 500


async def test_saving_the_page_again_leaves_what_waits(work: Work) -> None:
    rules = await set_rules(work, {CONTACTS: 100})
    again = await set_rules(work, {CONTACTS: 100, NUMBERS: 400})
    assert again.coming[CONTACTS] == rules.coming[CONTACTS]
    work.now += WAITS
    assert (await read_rules(work)).days[CONTACTS] == 100
    # What has come into force is what the next change begins from.
    assert (await set_rules(work, {CONTACTS: 95})).days[CONTACTS] == 100


@pytest.mark.parametrize("days", [100, None])
async def test_the_colleagues_are_told_of_a_shorter_rule_and_not_of_a_longer_one(
    work: Work, days: int | None
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    mila, rada = await an_administrator(work), await an_administrator(work, "rada")
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    for one in (mila, rada, vera, ana):
        one.email = f"{one.name}@x.example"
    await set_rules(work, {CONTACTS: 400}, at_once=True)
    await flush(work)
    work.actor = actor_of(mila)
    await set_rules(work, {CONTACTS: days})
    jobs = [job.arguments for job in work.jobs if job.task == Task.TELL_SHORTER_RULES]
    shorter = {str(rada.id), str(vera.id)}
    assert {job["staff_id"] for job in jobs} == (shorter if days else set())
    assert ("'from':" in str(logged(work)[-1])) == bool(days)
    letter = await letters.letter_of(work, vera.id, mila.id, work.now + WAITS)
    assert letter is not None
    assert letter[0] == "vera@x.example"
    assert f"{mila.name} has decided that data is kept for fewer days" in letter[2]


_COUNTRY = """retention: ours
version: 1
source: The law on records of 2026
days: {contacts: 400, cases: for_ever}
"""


async def _imported(stage: Stage, text: str) -> int:
    async with transaction(stage.ground, PROGRAM) as work:
        return await taken(work, {country.FILE: text})


async def test_the_page_says_whose_rule_it_is_and_the_helpline_follows_its_country_again(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await completed(ana)
    assert (await mila.ask("GET", "/retention")).json()["country"] is None
    rule = {"rules": {"contacts": 3650}}
    assert (await mila.ask("PUT", "/retention", rule)).status_code == 200
    stage.stepped.move_to(stage.clock.now() + WAITS)
    await mila.sign_in()
    shown = (await page(stage, mila, "/admin/retention")).text
    assert "Your own rule" in shown
    assert "Back to the default" in shown
    number = await _imported(stage, _COUNTRY)
    here = f"/definitions/sets/{number}"
    (rule,) = (await mila.ask("GET", f"{here}/compare")).json()["retention"]
    assert (rule["kind"], rule["before_days"], rule["after_days"]) == ("contacts", 3650, 400)
    assert (rule["from_at"], rule["caution"]) == (None, False)
    seen = (await page(stage, mila, f"/admin/definitions/{number}")).text
    assert "your own rule stays (3650); the country says 400." in seen
    # In force from an hour later on, by the job.
    begins = stage.clock.now() + timedelta(hours=1)
    order = {"from": begins.isoformat()}
    assert (await mila.ask("POST", f"{here}/put-in-force", order)).status_code == 201
    await stage.settle()
    assert await _decided(stage) == {"contacts": "helpline"}
    stage.stepped.move_to(begins)
    await stage.settle()
    assert await _decided(stage) == {"contacts": "helpline", "cases": "country"}
    (entry,) = await stage.rows(
        "SELECT actor FROM audit_entries WHERE detail->'after' ? 'cases_decided_by'"
    )
    assert entry["actor"] == str(mila.id)
    await mila.sign_in()
    shown = (await page(stage, mila, "/admin/retention")).text
    assert "The rule of the country" in shown
    assert "The country: 400" in shown
    assert "The law on records of 2026" in shown
    revision = str((await mila.ask("GET", "/retention")).json()["revision"])
    form = {"kind": "contacts", "revision": "0"}
    refused = (await page(stage, mila, "/admin/retention/follow", **form)).text
    assert "Another person has changed this" in refused
    form["revision"] = revision
    followed = (await page(stage, mila, "/admin/retention/follow", **form)).text
    assert "A shorter rule takes effect after 7 days." in followed
    assert "400 days from" in followed
    assert "Follow the country again" not in followed
    again = await mila.ask("POST", "/retention/follow", {"kind": "contacts"})
    (told,) = [one for one in again.json()["rules"] if one["kind"] == "contacts"]
    assert (told["decided_by"], told["days"], told["next_days"]) == ("country", 3650, 400)


async def _decided(stage: Stage) -> dict[str, str]:
    rows = await stage.rows("SELECT kind, decided_by FROM retention_rules")
    return {row["kind"]: row["decided_by"] for row in rows}


@nightly
async def test_rules_and_definitions_agree_whatever_looks_while_these_change(
    stage: Stage,
) -> None:
    """By day a run that erases looks first, without others at the same moment (test_by_country)."""
    first, second, third = [
        await _imported(
            stage, _COUNTRY.replace("version: 1", f"version: {n}").replace("400", f"{n}00")
        )
        for n in (1, 2, 3)
    ]

    async def looked() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            await by_country.look_again(work)

    # Orders whose job was lost; one while other definitions are being put in force.
    await _ordered_alone(stage, first)
    async with transaction(stage.ground, PROGRAM) as work:
        await put_in_force(work, second, accept=True)
        looking = asyncio.create_task(looked())
        while not (looking.done() or await stage.rows("SELECT FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.02)
    await looking
    assert await _days_of_contacts(stage) == 200, "those that are in force"
    stage.stepped.move_to(stage.clock.now() + timedelta(hours=1))
    await _ordered_alone(stage, third)
    assert await _days_of_contacts(stage) == 200
    await running.run_now(stage.ground)
    assert await _days_of_contacts(stage) == 300, "before anything is erased"


async def _ordered_alone(stage: Stage, number: int) -> None:
    order = "INSERT INTO definition_orders (set_id, from_at, ordered_at) VALUES (%s, %s, %s)"
    await stage.watch.execute(order, (number, stage.clock.now(), stage.clock.now()))


async def _days_of_contacts(stage: Stage) -> int:
    (rule,) = await stage.rows("SELECT days FROM retention_rules WHERE kind = 'contacts'")
    return int(rule["days"])


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("{contacts: 10}", "contacts: write 90 to 36500 days, or for_ever"),
        ("{names: 400}", "names"),
        ("{contacts: never}", "contacts"),
        ("{}", "days"),
    ],
)
def test_a_rule_of_a_country_that_is_no_rule_is_refused_with_its_line(
    said: str, wrong: str
) -> None:
    text = _COUNTRY.replace("{contacts: 400, cases: for_ever}", said)
    with pytest.raises(BadDefinition, match=r"^retention.yaml:4: ") as refused:
        country.read_country(folder_with({country.FILE: text}))
    assert wrong in str(refused.value)
