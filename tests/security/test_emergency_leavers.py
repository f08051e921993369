"""A person who leaves, or loses the role, acts under no emergency access any more."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.contacts import contacts
from app.contacts.cases import cases
from app.contacts.cases.models import CaseContact, CaseMember
from app.contacts.scopes import may_read_any
from app.contacts.states import ContactChannel
from app.errors import Conflict
from app.jobs.names import Task
from app.jobs.transaction import send_rows
from app.people import changing, leaving, provisioning
from app.people.changing import Changes
from app.people.emergency import closing, emergencies
from app.people.provider import access, keeping
from app.people.provider.access import Ended
from app.people.provider.mapping import MappingWanted
from app.people.provisioning import PersonEntry
from app.staff import passwords
from app.staff.emergency_rows import Emergency, EmergencyKind, EmergencyState
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator, sessions_of

GROUND = "Both administrators are in hospital."
WANTED = MappingWanted(
    name="City", issuer="https://id.example", client_id="x", roles=(("lead", "supervisor"),)
)
CLAIMS: dict[str, Any] = {"sub": "1", "groups": ["lead"]}


async def opened(work: Work, vera: Staff, mila: Staff) -> tuple[Emergency, Staff]:
    row = await emergencies.ask(work, vera, EmergencyKind.ACCOUNTS, GROUND, 240)
    await emergencies.decide(work, mila, row.id, confirm=True)
    account, _ = await emergencies.enter(work, vera, row.id)
    return row, account


async def close(work: Work) -> None:
    """Carry out the jobs that end an emergency access at once."""
    found = [job.arguments for job in work.jobs if job.task == Task.CLOSE_EMERGENCY]
    for args in [one for one in found if one.get("at_once")]:
        await closing.close_in_time(work, UUID(args["emergency_id"]), at_once=True)


async def leaves(work: Work, vera: Staff, mila: Staff) -> None:
    await leaving.deactivate(work, vera.id, leaving.shifts_uncovered(), by=mila)


async def leaves_there(work: Work, vera: Staff, _mila: Staff) -> None:
    await provisioning.change(work, vera.id, PersonEntry("vera", active=False))


async def loses_the_role(work: Work, vera: Staff, mila: Staff) -> None:
    await changing.change(work, vera.id, Changes(role=Role.COUNSELLOR), by=mila)


async def loses_it_at_the_provider(work: Work, vera: Staff, _mila: Staff) -> None:
    lost = await access.signed_in_person(work, WANTED, CLAIMS | {"groups": []})
    assert isinstance(lost, Ended)


WAYS = [leaves, leaves_there, loses_the_role, loses_it_at_the_provider]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_a_leaver_is_no_administrator_by_an_emergency_access(
    work: Work, way: Callable[[Work, Staff, Staff], Awaitable[None]]
) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    await keeping.save(work, WANTED, "secret", by=None)
    await access.link_own(work, vera, WANTED, CLAIMS)
    row, account = await opened(work, vera, mila)
    assert await sessions_of(work, account) == 1
    await way(work, vera, mila)
    # At once, also while no worker is there.
    assert await sessions_of(work, account) == 0
    await close(work)
    assert row.state == EmergencyState.ENDED
    assert account.under_emergency is None


async def test_who_is_a_supervisor_no_more_neither_enters_nor_is_confirmed(work: Work) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    row, _ = await opened(work, vera, mila)
    vera.role = Role.COUNSELLOR.value
    with pytest.raises(Conflict, match="another role"):
        await emergencies.enter(work, vera, row.id)
    vera.role, vera.active = Role.SUPERVISOR.value, False
    with pytest.raises(Conflict, match="another role"):
        await emergencies.enter(work, vera, row.id)
    vera.active = True
    await closing.end(work, vera, row.id)
    row = await emergencies.ask(work, vera, EmergencyKind.ACCOUNTS, GROUND, 60)
    vera.active = False
    await work.session.flush()
    with pytest.raises(Conflict, match="another role"):
        await emergencies.decide(work, mila, row.id, confirm=True)


async def test_what_a_leaver_asked_for_is_not_confirmed_later(work: Work) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    row = await emergencies.ask(work, vera, EmergencyKind.ACCOUNTS, GROUND, 60)
    await leaves(work, vera, mila)
    await close(work)
    assert row.state == EmergencyState.LAPSED


@pytest.mark.parametrize("of_case", [False, True])
async def test_a_record_that_was_opened_to_a_counsellor_closes_with_another_role(
    work: Work, of_case: bool
) -> None:
    mila, ana, bob = (
        await an_administrator(work),
        await a_counsellor(work, "ana"),
        await a_counsellor(work, "bob"),
    )
    made, _ = await contacts.create_contact(work, bob, channel=ContactChannel.CALL)
    await send_rows(work)
    code = made.code
    if of_case:
        case = await cases.open_case(work, bob, [])
        work.session.add(CaseContact(case_id=case.id, contact_id=made.id, linked_at=work.now))
        code = case.code
    row = await emergencies.ask(work, ana, EmergencyKind.RECORD, GROUND, 240, code)
    await emergencies.decide(work, mila, row.id, confirm=True)
    await send_rows(work)
    assert await may_read_any(work, ana, made.id)
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR, team="south"), by=None)
    # At once, also while no worker is there.
    assert not await may_read_any(work, ana, made.id)
    members = select(CaseMember.staff_id).where(CaseMember.staff_id == ana.id)
    assert (await work.session.scalars(members)).all() == []
    await close(work)
    assert row.state == EmergencyState.ENDED
    assert not await may_read_any(work, ana, made.id)


async def test_a_new_password_ends_what_its_thief_does_under_an_emergency_access(
    work: Work,
) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    row, account = await opened(work, vera, mila)
    await passwords.set_password(work, vera, "correct horse battery staple")
    assert await sessions_of(work, account) == 0
    await emergencies.enter(work, vera, row.id)
