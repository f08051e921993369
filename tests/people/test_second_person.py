"""Who counts as the second person is one rule, whatever waits for one."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.errors import NotAllowed
from app.jobs.transaction import flush
from app.people.emergency import emergencies
from app.referrals.directory import addresses
from app.referrals.directory.address_rows import AddressChange
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import Because, ItemKind
from app.retention.data_requests.models import DataRequest, RequestItem
from app.staff.audit import write_entry
from app.staff.emergency_rows import EmergencyKind
from app.staff.log_kinds import AuditLog
from app.staff.models import PasswordLink, Staff
from app.staff.second_person import may_approve
from app.statistics.exports import requested
from app.statistics.exports.exporting import read_wanted
from app.work import Actor, ActorKind, Work
from tests.support.verbs import a_supervisor, an_administrator

GROUND = "Both administrators are in hospital."


def acts(work: Work, staff: Staff) -> None:
    work.actor = Actor(ActorKind.PERSON, staff.id, staff.name, staff.role, staff.under_emergency)


async def an_address(work: Work, asker: Staff) -> UUID:
    house = Entry("house", "House", "shelter", ("shelter",), email="duty@house.example")
    work.actor = Actor(ActorKind.PROGRAM)
    await save_agency(work, house)
    acts(work, asker)
    await save_agency(work, replace(house, email="own@other.example"))
    found = select(AddressChange.id).where(AddressChange.state == "waits")
    return (await work.session.scalars(found)).one()


async def decide_address(work: Work, staff: Staff, change: UUID) -> None:
    await addresses.decide(work, staff, [change], approve=True)


async def a_file(work: Work, asker: Staff) -> UUID:
    wanted = read_wanted("records", "2030-01-01", "2030-02-01", "csv")
    return (await requested.ask(work, asker, wanted, "Evaluation by the institute")).id


async def decide_file(work: Work, staff: Staff, export: UUID) -> None:
    await requested.decide(work, staff, export, approve=True)


def a_data_request(kind: str) -> Callable[[Work, Staff], Awaitable[UUID]]:
    async def ask(work: Work, asker: Staff) -> UUID:
        found = DataRequest(
            id=uuid4(),
            code=f"D-{uuid4().hex[:9]}",
            kind=kind,
            person="child",
            state="asked",
            began_at=work.now,
            asked_at=work.now,
            asked_by=asker.id,
            asked_role=asker.role,
            counts={},
            kept={},
        )
        work.session.add(found)
        await work.session.flush()
        # Something was found: otherwise there is nothing to decide.
        item = RequestItem(
            request_id=found.id,
            kind=ItemKind.CALL,
            subject_id=uuid4(),
            because=Because.NUMBER,
            at=work.now,
        )
        work.session.add(item)
        await work.session.flush()
        return found.id

    return ask


async def decide_request(work: Work, staff: Staff, request: UUID) -> None:
    await requests.decide(work, staff, request, approve=True)


class Verb(NamedTuple):
    ask: Callable[[Work, Staff], Awaitable[UUID]]
    decide: Callable[[Work, Staff, UUID], Awaitable[None]]
    # The second person may have the role of who asked.
    of_any_role: bool = False


VERBS = {
    "address": Verb(an_address, decide_address),
    "file": Verb(a_file, decide_file),
    "erasure": Verb(a_data_request("erasure"), decide_request),
    "report": Verb(a_data_request("access"), decide_request, of_any_role=True),
}
each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))


async def entered(work: Work, asker: Staff, second: Staff) -> Staff:
    """Open an emergency access to the accounts. Return the account that acts under it."""
    row = await emergencies.ask(work, asker, EmergencyKind.ACCOUNTS, GROUND, 60)
    await emergencies.decide(work, second, row.id, confirm=True)
    account, _ = await emergencies.enter(work, asker, row.id)
    return account


async def refused(work: Work, verb: Verb, staff: Staff, what: UUID) -> None:
    with pytest.raises(NotAllowed):
        await verb.decide(work, staff, what)


@each_verb
async def test_an_emergency_account_is_no_second_person(work: Work, verb: Verb) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    what = await verb.ask(work, vera)
    account = await entered(work, vera, mila)
    acts(work, account)
    await refused(work, verb, account, what)
    acts(work, mila)
    await verb.decide(work, mila, what)


@each_verb
async def test_what_an_emergency_account_asked_its_person_does_not_decide(
    work: Work, verb: Verb
) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    account = await entered(work, vera, mila)
    what = await verb.ask(work, account)
    acts(work, vera)
    await refused(work, verb, vera, what)


@each_verb
async def test_an_account_of_the_askers_making_or_a_younger_one_does_not_count(
    work: Work, verb: Verb
) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    account = await entered(work, vera, mila)
    changed, changed_under, linked, young = [
        await an_administrator(work, name) for name in ("changed", "under", "linked", "young")
    ]
    acts(work, vera)
    write_entry(work, AuditLog.STAFF_CHANGED, str(changed.id))
    acts(work, account)
    write_entry(work, AuditLog.STAFF_CHANGED, str(changed_under.id))
    link = {
        "kind": "invitation",
        "token_key": uuid4().bytes,
        "expires_at": work.now,
        "by_mail": False,
    }
    by = {"staff_id": linked.id, "made_at": work.now, "made_by": vera.id}
    work.session.add(PasswordLink(id=uuid4(), **link, **by))
    young.created_at = work.now + timedelta(seconds=1)
    await flush(work)
    what = await verb.ask(work, vera)
    for staff in (vera, changed, changed_under, linked, young):
        acts(work, staff)
        await refused(work, verb, staff, what)
    acts(work, mila)
    await verb.decide(work, mila, what)


@each_verb
async def test_a_colleague_of_the_same_role_is_no_second_person(work: Work, verb: Verb) -> None:
    vera, nina = await a_supervisor(work), await a_supervisor(work, "nina")
    what = await verb.ask(work, vera)
    acts(work, nina)
    if verb.of_any_role:
        await verb.decide(work, nina, what)
    else:
        await refused(work, verb, nina, what)


async def test_one_administrator_gets_no_file_by_an_account_of_their_own(work: Work) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    acts(work, mila)
    puppet = await an_administrator(work, "puppet")
    what = await a_file(work, mila)
    await refused(work, VERBS["file"], puppet, what)
    # Any other person who may approve refuses.
    await requested.decide(work, puppet, what, approve=False)
    # In a small helpline with two roles the supervisor asks, also one whom this administrator
    # invited.
    write_entry(work, AuditLog.STAFF_CHANGED, str(vera.id))
    await flush(work)
    what = await a_file(work, vera)
    await decide_file(work, mila, what)


async def test_the_page_says_which_files_a_person_may_approve(work: Work) -> None:
    mila, vera = await an_administrator(work), await a_supervisor(work)
    nina = await a_supervisor(work, "nina")
    what = await a_file(work, vera)
    shown = {
        staff.name: await requested.approvable(
            work, staff, [one for one, _ in await requested.exports_of(work, staff)]
        )
        for staff in (mila, vera, nina)
    }
    assert shown == {"mila": {what}, "vera": set(), "nina": set()}


async def test_a_supervisor_of_an_emergency_account_approves_no_access(work: Work) -> None:
    nina, mila = await a_supervisor(work, "nina"), await an_administrator(work)
    assert may_approve(nina, uuid4(), mila.id, mila.role)
    nina.emergency = True
    assert not may_approve(nina, uuid4(), mila.id, mila.role)
