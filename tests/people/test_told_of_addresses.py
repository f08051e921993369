"""The owner of an account hears of another e-mail address where they were written to before."""

import ast
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from app.jobs.names import Task
from app.jobs.transaction import flush
from app.people import changing, finding, provisioning
from app.people.approval import deciding
from app.people.changing import Changes
from app.people.letters import letter_to_owner
from app.people.provisioning import PersonEntry
from app.staff import accounts
from app.staff.models import Staff
from app.staff.telling import Told, former_address
from app.work import Work
from tests.support.program import sources
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator

OLD, NEW = "ana@helpline.example", "own@other.example"


async def by_administrator(work: Work, staff: Staff) -> None:
    mila = await an_administrator(work)
    await changing.change(work, staff.id, Changes(email=NEW), by=mila)


async def by_command(work: Work, staff: Staff) -> None:
    await changing.change(work, staff.id, Changes(email=NEW), by=None)


async def by_directory(work: Work, staff: Staff) -> None:
    await provisioning.change(work, staff.id, PersonEntry(staff.name, email=NEW))


async def taken_away(work: Work, staff: Staff) -> None:
    await changing.change(work, staff.id, Changes(email=""), by=None)


async def by_approval(work: Work, staff: Staff) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    staff.role = "supervisor"
    vera.password_hash = staff.password_hash = "a hash"
    await work.session.flush()
    await with_one_person_alone(work, staff, mila)
    work.actor = accounts.actor_of(vera)
    (waits,) = await deciding.waiting(work, vera)
    await deciding.decide(work, waits.row.id, by=vera, approve=True)


async def with_one_person_alone(work: Work, staff: Staff, mila: Staff) -> None:
    """It waits for a second person, and nothing is told."""
    await changing.change(work, staff.id, Changes(email=NEW), by=mila)
    assert staff.email == OLD
    assert Task.TELL_OWNER not in [job.task for job in work.jobs]


ROADS = [by_administrator, by_command, by_directory, by_approval, taken_away]


@pytest.mark.parametrize("road", ROADS, ids=[road.__name__ for road in ROADS])
async def test_an_address_that_is_changed_is_told_at_the_one_from_before(
    work: Work, road: Callable[[Work, Staff], Awaitable[None]]
) -> None:
    work.ground.settings.smtp_url = "smtp://127.0.0.1:1?from=line@example.org"
    ana = await a_counsellor(work, "ana")
    ana.email = OLD
    await work.session.flush()
    await road(work, ana)
    assert ana.email == (None if road is taken_away else NEW)
    (job,) = [job for job in work.jobs if job.task == Task.TELL_OWNER]
    told = job.arguments
    assert OLD not in str(told), "job arguments are named in log lines"
    former = former_address(work, UUID(told["letter_id"]), told["former"])
    assert former_address(work, UUID(told["staff_id"]), told["former"]) is None
    # The person who changed it may have made the account inactive since.
    ana.active = False
    letter = await letter_to_owner(work, ana.id, Told(told["what"]), work.now, "", former)
    assert letter is not None
    assert letter[0] == OLD
    assert "e-mail address of your account was changed" in letter[2]
    assert NEW not in str(letter)
    await flush(work)
    shown = await finding.events_of(work, ana)
    assert [one.detail["after"].keys() for one in shown] == [{"email"}]


def test_no_other_road_changes_the_address_of_an_account() -> None:
    """Pages, API, command, directory and provider store it by the verb that tells of it."""
    found = [
        path.name
        for path, tree in sources.naming("staff.email")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node) == "staff.email"
    ]
    assert found == ["changing.py"]


async def test_a_first_address_and_another_field_are_told_nowhere(work: Work) -> None:
    work.ground.settings.smtp_url = "smtp://127.0.0.1:1?from=line@example.org"
    ana, mila = await a_counsellor(work, "ana"), await an_administrator(work)
    await changing.change(work, ana.id, Changes(email=NEW), by=mila)
    await changing.change(work, ana.id, Changes(training=True), by=mila)
    await flush(work)
    assert [job.task for job in work.jobs if job.task == Task.TELL_OWNER] == []
    assert len(await finding.events_of(work, ana)) == 1
