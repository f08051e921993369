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
from app.staff import accounts, passwords
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


ALL = [Told.PHONE_CHANGED, Told.NAME_CHANGED, Told.EMAIL_CHANGED]


@pytest.mark.parametrize("email", [NEW, ""])
async def test_what_is_changed_with_the_address_is_told_at_the_one_from_before(
    work: Work, email: str
) -> None:
    work.ground.settings.smtp_url = "smtp://127.0.0.1:1?from=line@example.org"
    ana, mila, vera = (
        await a_counsellor(work, "ana"),
        await an_administrator(work),
        await a_supervisor(work),
    )
    ana.email, vera.password_hash = OLD, "a hash"
    ana.endpoint_kind, ana.endpoint = "phone", "+38164999001"
    await work.session.flush()
    # A person who was only invited opens nothing by a name.
    await changing.change(work, ana.id, Changes(name="Ana M."), by=mila)
    assert _told(work) == []
    # One whose password was taken away will sign in again.
    ana.password_hash = "a hash"
    await passwords.forget_password(work, ana)
    wanted = Changes(name="Ana N.", endpoint="+38164999002", email=email)
    await changing.change(work, ana.id, wanted, by=None)
    assert _told(work, former=True) == [(what, OLD) for what in ALL]
    assert [what for what, _ in _told(work, former=False)] == (ALL[:2] if email else [])
    letters = [await _letter(work, ana, what, to) for what, to in _told(work, former=True)]
    assert {one[0] for one in letters} == {OLD}
    assert "ask an administrator for it" in letters[1][2]
    assert "change your password" not in letters[1][2]
    # Where the telephone waits for a second person, the address waits with it.
    work.jobs.clear()
    work.actor = accounts.actor_of(mila)
    again = Changes(endpoint="+38164999003", email="third@other.example")
    await changing.change(work, ana.id, again, by=mila)
    assert (ana.email or "") == email
    assert _told(work) == []
    work.actor = accounts.actor_of(vera)
    (waits,) = await deciding.waiting(work, vera)
    await deciding.decide(work, waits.row.id, by=vera, approve=True)
    assert ana.email == "third@other.example"
    both = [(what, NEW) for what in (ALL[0], ALL[2])]
    assert _told(work, former=True) == (both if email else [])


def _told(work: Work, *, former: bool | None = None) -> list[tuple[Told, str | None]]:
    """Return what is told, and at which address from before. `former`: only at such, or none."""
    told = [job.arguments for job in work.jobs if job.task == Task.TELL_OWNER]
    return [
        (Told(one["what"]), to)
        for one in told
        for to in [one["former"] and former_address(work, UUID(one["letter_id"]), one["former"])]
        if former in (None, to is not None)
    ]


async def _letter(work: Work, staff: Staff, what: Told, to: str | None) -> tuple[str, str, str]:
    letter = await letter_to_owner(work, staff.id, what, work.now, "", to)
    assert letter is not None
    return letter


async def test_what_was_put_right_meanwhile_does_not_come_back_with_the_next_request(
    work: Work,
) -> None:
    ana, mila, vera = (
        await a_counsellor(work, "ana"),
        await an_administrator(work),
        await a_supervisor(work),
    )
    ana.password_hash = vera.password_hash = "a hash"
    ana.endpoint_kind, ana.endpoint = "phone", "+38164999001"
    await work.session.flush()
    for wanted in (
        Changes(endpoint="+38164999002", email="typo@stranger.example"),
        Changes(email=NEW),
        Changes(endpoint="+38164999002"),
    ):
        work.actor = accounts.actor_of(mila)
        await changing.change(work, ana.id, wanted, by=mila)
    work.actor = accounts.actor_of(vera)
    (waits,) = await deciding.waiting(work, vera)
    await deciding.decide(work, waits.row.id, by=vera, approve=True)
    assert (ana.email, ana.endpoint) == (NEW, "+38164999002")


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
