"""What opened the account of a person who has left opens nothing when it is active again."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from app.people import changing, leaving, links
from app.people.approval import asking
from app.people.approval.asking import AccessWanted
from app.people.links import LinkWithdrawn
from app.people.provider import access, keeping
from app.people.provider.access import AlreadyLinked, Ended, NoAccountHere
from app.people.provider.mapping import MappingWanted
from app.routing import staff_phones
from app.staff import accounts, phone_proofs
from app.staff.models import AccessKind, Staff
from app.staff.phone_proofs import EntryResult
from app.staff.roles import Role
from app.work import Work
from tests.support.identity import claims as claims_of
from tests.support.verbs import a_counsellor, an_administrator, logged

PHONE, OTHER, PIN = "+381601112223", "+381601112224", "280417"
WANTED = MappingWanted(
    name="City",
    issuer="https://id.example",
    client_id="helpline",
    roles=(("help", "counsellor"),),
    unknown="create",
)
ANA: dict[str, Any] = {"sub": "1", "name": "Ana", "groups": ["help"]}
MAIL: dict[str, Any] = {"email": "ana@city.example", "email_verified": True}


async def away_and_back(work: Work, staff: Staff, mila: Staff) -> None:
    await leaving.deactivate(work, staff.id, leaving.shifts_uncovered(), by=mila)
    await leaving.reactivate(work, staff.id, by=mila)


async def paired(work: Work, staff: Staff) -> None:
    await phone_proofs.set_pin(work, staff, PIN)
    await phone_proofs.pair(work, staff)


async def test_the_former_telephone_and_pin_take_no_call_after_a_leaver_is_active_again(
    work: Work,
) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana", endpoint=PHONE)
    await paired(work, ana)
    assert await staff_phones.owner_of(work, PHONE) == ana.id
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=mila)
    assert logged(work)[-1][1] == {
        "before": {"active": True, "endpoint": changing.for_log("endpoint", PHONE)},
        "after": {"active": False, "endpoint": None},
        "role": "counsellor",
    }
    await leaving.reactivate(work, ana.id, by=mila)
    work.ground.memory.forget("roster")
    assert await staff_phones.owner_of(work, PHONE) is None
    # Also if an administrator enters the same telephone again, its PIN proves nothing.
    await changing.change(work, ana.id, changing.Changes(endpoint=PHONE), by=mila)
    assert not await phone_proofs.is_paired(work, ana)
    assert await phone_proofs.prove(work, ana, PIN) is EntryResult.WRONG


async def test_the_telephone_behind_the_browser_of_a_leaver_is_rung_no_more(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    ana.second_phone = OTHER
    await paired(work, ana)
    await away_and_back(work, ana, mila)
    assert ana.second_phone is None
    assert not await phone_proofs.is_proven(work, ana)


@pytest.fixture
async def city(work: Work) -> Work:
    await keeping.save(work, WANTED, "secret", by=None)
    return work


async def comes(work: Work, claims: dict[str, Any], **rules: Any) -> Staff:
    return await claims_of.comes(work, WANTED, claims, **rules)


async def test_a_leaver_comes_in_by_the_provider_only_when_linked_anew(city: Work) -> None:
    mila, ana = await an_administrator(city), await comes(city, ANA)
    await leaving.deactivate(city, ana.id, by=mila)
    # Nor as a new person, while the provider still has a role for them.
    for claims in (ANA, ANA | {"name": "Ana Anić"}):
        with pytest.raises(NoAccountHere):
            await comes(city, claims)
    await leaving.reactivate(city, ana.id, by=mila)
    assert (ana.by_provider, await access.identity_of(city, ana)) == (False, None)
    with pytest.raises(NoAccountHere):
        await comes(city, ANA)
    # A person signs in with the new password, links it, and leaves again.
    await access.link_own(city, ana, WANTED, ANA)
    assert (await comes(city, ANA)).id == ana.id
    with pytest.raises(AlreadyLinked):
        await access.link_own(city, mila, WANTED, ANA)
    await away_and_back(city, ana, mila)
    with pytest.raises(NoAccountHere):
        await comes(city, ANA)
    # An address that the provider has proven links it, where that is set.
    ana.email = "ana@city.example"
    await city.session.flush()
    assert (await comes(city, ANA | MAIL, links_by_email=True)).id == ana.id


async def test_a_leaver_who_is_engaged_anew_links_the_new_account(city: Work) -> None:
    mila, ana = await an_administrator(city), await comes(city, ANA)
    await leaving.deactivate(city, ana.id, by=mila)
    new = await accounts.add_staff(city, name="Ana again", role=Role.COUNSELLOR)
    await access.link_own(city, new, WANTED, ANA)
    assert (await comes(city, ANA)).id == new.id


async def test_a_leaver_does_not_come_in_as_a_new_person_when_the_provider_is_set_up_again(
    city: Work,
) -> None:
    mila, ana = await an_administrator(city), await comes(city, ANA)
    await leaving.deactivate(city, ana.id, by=mila)
    await keeping.remove(city)
    await keeping.save(city, WANTED, "secret", by=None)
    with pytest.raises(NoAccountHere):
        await comes(city, ANA | {"name": "Ana Anić"})
    assert await access.signed_out_there(city, WANTED.issuer, ANA, city.now) == 0


async def test_who_lost_the_role_at_the_provider_keeps_no_pin(city: Work) -> None:
    ana = await comes(city, ANA)
    ana.endpoint_kind, ana.endpoint = "phone", PHONE
    await paired(city, ana)
    assert isinstance(await access.signed_in_person(city, WANTED, ANA | {"groups": []}), Ended)
    assert await phone_proofs.prove(city, ana, PIN) is EntryResult.WRONG


async def test_who_lost_the_role_at_the_provider_keeps_no_link_and_no_request(city: Work) -> None:
    """Unlinked from the provider later, the account would open by the link."""
    ana = await comes(city, ANA)
    shown = await links.make_link(city, ana.id, by=None, by_mail=False)
    assert shown is not None
    await city.session.flush()
    assert await asking.hold_back(city, ana, AccessWanted(AccessKind.FACTOR), by=await a_boss(city))
    assert isinstance(await access.signed_in_person(city, WANTED, ANA | {"groups": []}), Ended)
    assert await asking.waiting_of(city, ana) is None
    await access.unlink(city, ana, by=None)
    with pytest.raises(LinkWithdrawn):
        await links.find(city, urlsplit(shown).fragment)


async def a_boss(work: Work) -> Staff:
    """An administrator, in a helpline with a supervisor who could approve."""
    await accounts.add_staff(work, name="vera", role=Role.SUPERVISOR, password="correct horse")
    return await an_administrator(work)
