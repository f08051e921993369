"""A directory and a provider of identities give no access to the records of others alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import NotAllowed
from app.people import leaving, links, provisioning
from app.people.approval import asking, deciding
from app.people.approval.asking import AccessWanted
from app.people.approval.deciding import ChangedSinceAsked, NothingWaits, NotSecondPerson
from app.people.links import LinkWithdrawn
from app.people.provider import access, keeping
from app.people.provider.access import Ended, WaitsForApproval
from app.staff.models import AccessKind, Staff
from app.work import Work
from tests.support.identity.approval import (
    WANTED,
    a_reader,
    acts_of,
    decide,
    token,
    waiting,
)
from tests.support.verbs import a_counsellor, logged

pytestmark = pytest.mark.whole


@pytest.mark.parametrize("role", ["counsellor", "supervisor"])
async def test_a_directory_gives_no_such_access_with_its_token_alone(
    work: Work, vera: Staff, role: str
) -> None:
    entry = provisioning.PersonEntry("nova", role=role)
    nova = (await provisioning.add(work, entry)).staff
    assert not nova.active
    # It sends the same again and again; that is one request.
    await provisioning.change(work, nova.id, replace(entry, active=True))
    first = await waiting(work, nova)
    await provisioning.change(work, nova.id, replace(entry, active=True))
    assert (await waiting(work, nova)).id == first.id
    assert (first.asked_by, first.asked_role) == (None, "directory")
    await decide(work, vera, nova)
    assert nova.active
    ana = await a_counsellor(work, "ana")
    await provisioning.change(work, ana.id, provisioning.PersonEntry("ana", role="supervisor"))
    rada = await a_reader(work, "rada")
    taken = provisioning.PersonEntry("rada", email="mine@elsewhere.example")
    await provisioning.change(work, rada.id, taken)
    assert (ana.role, rada.email) == ("counsellor", "rada@helpline.example")


@pytest.mark.parametrize("end", ["change", "leave", "delete"])
async def test_who_leaves_while_their_account_waits_comes_in_by_no_approval(
    work: Work, vera: Staff, mila: Staff, end: str
) -> None:
    entry = provisioning.PersonEntry("nova")
    nova = (await provisioning.add(work, entry)).staff
    shown = await links.make_link(work, nova.id, by=mila, by_mail=False)
    request = await waiting(work, nova)
    assert await provisioning.could_come_in(work, nova)
    if end == "change":
        await provisioning.change(work, nova.id, replace(entry, active=False))
    else:
        await (provisioning.leave if end == "leave" else provisioning.delete)(work, nova.id)
    assert not await provisioning.could_come_in(work, nova)
    ended = {"before": {"kind": "account", "role": "counsellor"}, "after": None}
    assert logged(work)[-1] == ("left_by_directory", ended)
    with pytest.raises(NothingWaits):
        await deciding.decide(work, request.id, by=vera, approve=True)
    assert not nova.active
    with pytest.raises(LinkWithdrawn):
        await links.find(work, token(shown))
    written = len(logged(work))
    if end != "delete":
        await provisioning.change(work, nova.id, replace(entry, active=False))
        assert len(logged(work)) == written, "said again, nothing is changed"


async def test_no_request_from_before_a_deletion_lets_an_account_in(
    work: Work, vera: Staff, mila: Staff
) -> None:
    nova = (await provisioning.add(work, provisioning.PersonEntry("nova"))).staff
    await provisioning.delete(work, nova.id)
    # As an earlier version left it.
    await asking.hold_back(work, nova, AccessWanted(AccessKind.ACCOUNT), by=mila)
    with pytest.raises(ChangedSinceAsked):
        await decide(work, vera, nova)
    assert not nova.active
    await decide(work, vera, nova, approve=False)
    # What an administrator asks for after it can be approved.
    work.now += timedelta(minutes=1)
    await leaving.reactivate(work, nova.id, by=mila)
    await decide(work, vera, nova)
    assert nova.active


async def test_a_provider_of_ones_own_opens_no_such_account(
    work: Work, vera: Staff, mila: Staff
) -> None:
    rada = await a_reader(work, "rada")
    await keeping.save(work, WANTED, "secret", by=mila)
    mine = {"sub": "1", "name": "R", "email": rada.email, "email_verified": True}
    claims = mine | {"groups": ["lead"]}
    for _again in range(2):
        found = await access.signed_in_person(work, WANTED, claims)
        assert isinstance(found, Ended)
        assert isinstance(found.refusal, WaitsForApproval)
    assert await access.identity_of(work, rada) is None
    request = await waiting(work, rada)
    assert (request.kind, request.issuer) == (AccessKind.IDENTITY, WANTED.issuer)
    with pytest.raises(NotSecondPerson):
        await decide(work, rada, rada)
    await decide(work, vera, rada)
    assert await access.signed_in_person(work, WANTED, claims) is rada
    # Another issuer is another person, also with the same subject.
    other = replace(WANTED, issuer="https://other.example")
    await keeping.save(work, other, "secret", by=mila)
    with pytest.raises(NotAllowed):
        await access.signed_in_person(work, replace(other, unknown="refuse"), claims)


@pytest.mark.parametrize("what", ["link", "factor"])
async def test_a_person_from_outside_replaces_nothing_that_was_asked_here(
    work: Work, vera: Staff, mila: Staff, what: str
) -> None:
    rada = await a_reader(work, "rada")
    await keeping.save(work, WANTED, "secret", by=mila)
    if what == "link":
        await links.make_link(work, rada.id, by=mila, by_mail=False)
    else:
        await asking.hold_back(work, rada, AccessWanted(AccessKind.FACTOR), by=mila)
    asked = await waiting(work, rada)
    claims = {"sub": "8", "email": rada.email, "email_verified": True, "groups": ["lead"]}
    found = await access.signed_in_person(work, WANTED, claims)
    assert isinstance(found, Ended)
    assert isinstance(found.refusal, WaitsForApproval)
    still = await waiting(work, rada)
    assert (still.id, still.kind) == (asked.id, what)
    link = await links.latest(work, rada)
    withdrawn = [one.withdrawn_at for one in [link] if one is not None]
    assert withdrawn == ([None] if what == "link" else [])


async def test_the_first_reader_of_a_helpline_may_come_from_the_provider_alone(
    work: Work, mila: Staff
) -> None:
    await keeping.save(work, WANTED, "secret", by=mila)
    nova = {"sub": "2", "name": "Nova", "groups": ["lead"]}
    first = await access.signed_in_person(work, WANTED, nova)
    assert isinstance(first, Staff)
    assert (first.active, first.role) == (True, "supervisor")
    assert {act for act, _ in acts_of(work)} == {"access_given_alone"}
    # From now on there is a person who could approve.
    second = {"sub": "3", "name": "Neda", "groups": ["lead"]}
    assert isinstance(await access.signed_in_person(work, WANTED, second), Ended)


@pytest.mark.parametrize("group", ["lead", "help"])
async def test_a_role_by_the_mapping_of_a_provider_waits(
    work: Work, vera: Staff, mila: Staff, group: str
) -> None:
    await keeping.save(work, WANTED, "secret", by=mila)
    new = {"sub": "2", "name": "Nova", "groups": [group]}
    assert isinstance(await access.signed_in_person(work, WANTED, new), Ended)
    nova = await work.session.scalar(select(Staff).where(Staff.name == "Nova"))
    assert nova is not None
    with pytest.raises(WaitsForApproval):
        await access.signed_in_person(work, WANTED, new)
    await decide(work, vera, nova)
    assert await access.signed_in_person(work, WANTED, new) is nova
    # A counsellor whom a new mapping would raise stays one, and may work.
    if group == "help":
        raised = replace(WANTED, roles=(("help", "supervisor"),))
        assert await access.signed_in_person(work, raised, new) is nova
        assert nova.role == "counsellor"
        assert (await waiting(work, nova)).role == "supervisor"
