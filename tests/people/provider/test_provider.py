"""People from the provider: who is let in, as what, and whose access ends at once."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.administration import still_open
from app.errors import Conflict, Invalid, NotAllowed
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.people import changing, finding, leaving, work_left
from app.people.changing import Changes, LastAdministrator
from app.people.provider import access, keeping
from app.people.provider.access import AlreadyLinked, Ended, NoAccountHere, NoRoleHere
from app.people.provider.mapping import MappingWanted
from app.people.provider.protocol import Client, Discovered, Once, address_of
from app.staff import accounts, session_tokens, tokens
from app.staff.models import Awaits, Staff
from app.staff.roles import Role
from app.staff.sessions import note_provider_session
from app.words.pages import spoken_in
from app.work import Work
from tests.support.identity import claims as claims_of
from tests.support.verbs import (
    a_counsellor,
    a_supervisor,
    an_administrator,
    logged,
    sessions_of,
)

WANTED = MappingWanted(
    name="City",
    issuer="https://id.example",
    client_id="helpline",
    roles=(("boss", "administrator"), ("lead", "supervisor"), ("help", "counsellor")),
)
ANA: dict[str, Any] = {"sub": "1", "name": "Ana  Anić", "groups": ["help"]}
MAIL: dict[str, Any] = {"email": "Ana@City.example", "email_verified": True}


@pytest.fixture
async def city(work: Work) -> Work:
    await keeping.save(work, WANTED, "secret", by=None)
    return work


async def comes(work: Work, claims: dict[str, Any], **rules: Any) -> Staff:
    return await claims_of.comes(work, WANTED, claims, **rules)


async def test_unknown_people_are_refused_or_get_an_account_with_their_role(city: Work) -> None:
    with pytest.raises(NoAccountHere):
        await comes(city, ANA)
    with pytest.raises(NoRoleHere):
        await comes(city, ANA | {"groups": ["other"]}, unknown="create")
    ana = await comes(city, ANA | MAIL, unknown="create")
    assert (ana.name, ana.role, ana.email) == ("Ana Anić", "counsellor", "Ana@City.example")
    assert finding.state_of(ana) == "active"
    again = await comes(city, ANA | {"name": "Another", "groups": ["lead"]})
    assert (again.id, again.name, again.role) == (ana.id, "Ana Anić", "supervisor")
    with pytest.raises(accounts.NameTaken):
        await comes(city, ANA | {"sub": "2"}, unknown="create")


async def test_a_new_account_has_the_language_of_the_provider_or_of_the_browser(city: Work) -> None:
    ana = await comes(city, ANA | {"locale": "uk-UA"}, unknown="create")
    with spoken_in("mk"):
        bora = await comes(city, ANA | {"sub": "2", "name": "Bora"}, unknown="create")
        odd = ANA | {"sub": "3", "name": "Ceca", "locale": ["sr"]}
        ceca = await comes(city, odd, unknown="create")
    assert [one.page_language for one in (ana, bora, ceca)] == ["uk", "mk", "mk"]
    await comes(city, ANA | {"locale": "sr"})
    assert ana.page_language == "uk", "from then on it is the person's"


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ana@city.example"},
        {"email": "ana@city.example", "email_verified": "true"},
        {"email": "ana@city.example", "email_verified": False},
        {"email": "other@city.example", "email_verified": True},
        {"email": ["ana@city.example"], "email_verified": True},
    ],
    ids=str,
)
async def test_an_address_that_is_not_proven_opens_no_account(
    city: Work, claims: dict[str, Any]
) -> None:
    ana = await a_counsellor(city, "ana")
    ana.email = "ana@city.example"
    await city.session.flush()
    with pytest.raises(NoAccountHere):
        await comes(city, ANA | claims, links_by_email=True)


async def test_a_proven_address_links_one_account_where_that_is_set(city: Work) -> None:
    ana = await a_counsellor(city, "ana")
    ana.email = "ana@city.example"
    await city.session.flush()
    with pytest.raises(NoAccountHere):
        await comes(city, ANA | MAIL)
    assert (await comes(city, ANA | MAIL, links_by_email=True)).id == ana.id
    # Another person with the same address has no account: it is linked already.
    with pytest.raises(NoAccountHere):
        await comes(city, ANA | MAIL | {"sub": "2"}, links_by_email=True)


def test_only_the_scopes_whose_claims_are_read_are_asked_for() -> None:
    there = Discovered("https://login.example.org/authorize", "", "", False, False)
    client = Client("https://login.example.org", "helpline", "secret", "https://h.example.org/back")
    for anew in (False, True):
        address = address_of(there, client, Once("state", "nonce", "verifier"), anew=anew)
        asked = parse_qs(urlsplit(address).query)
        # Who it is, the name of an account that is added, and its address: no offline access, no
        # groups, no telephone.
        assert asked["scope"] == ["openid profile email"]
        assert "resource" not in asked
    read = Path(access.__file__).read_text()
    for claim in ("email", "email_verified", "name"):
        assert f'"{claim}"' in read


async def test_an_address_of_two_accounts_or_of_an_emergency_account_links_none(
    city: Work,
) -> None:
    ana, bob = await a_counsellor(city, "ana"), await a_counsellor(city, "bob")
    ana.email = bob.email = "ana@city.example"
    await city.session.flush()
    with pytest.raises(NoAccountHere):
        await comes(city, ANA | MAIL, links_by_email=True)
    bob.email, ana.emergency = None, True
    await city.session.flush()
    with pytest.raises(NoAccountHere):
        await comes(city, ANA | MAIL, links_by_email=True)


async def test_a_person_without_a_role_loses_access_at_once(city: Work) -> None:
    ana = await comes(city, ANA, unknown="create")
    await session_tokens.open_session(city, ana)
    ana.endpoint_kind, ana.endpoint = "phone", "+381641234567"
    await city.session.flush()
    found = await access.signed_in_person(city, WANTED, ANA | {"groups": []})
    assert isinstance(found, Ended)
    assert (await sessions_of(city, ana), ana.password_hash, ana.active) == (0, None, True)
    assert ana.endpoint is None, "no telephone goes on duty for her"
    assert logged(city)[-1] == (
        "access_ended_by_provider",
        {"before": "counsellor", "after": None},
    )
    # What is hers and open alarms, although the account is active.
    assert Task.WATCH_LEAVER in [job.task for job in city.jobs]
    # An earlier version let such a token go on.
    city.actor, ana.role = accounts.actor_of(ana), Role.ADMINISTRATOR
    await tokens.add_token(city, "hers", ["statistics"], 30)
    ana.role = Role.COUNSELLOR
    await flush(city)
    assert [one.name for one in (await still_open.of(city, ana)).tokens] == ["hers"]
    await still_open.watch(city, ana.id)
    assert await work_left.with_open(city) == [ana]
    # It goes on if an administrator deactivates her then.
    async with city.session.begin_nested() as then:
        await leaving.deactivate(city, ana.id, leaving.shifts_uncovered(), by=None)
        await still_open.watch(city, ana.id)
        assert await work_left.with_open(city) == [ana]
        assert await still_open.to_close(city) == []
        await then.rollback()
    await city.session.refresh(ana)
    # She comes back when the provider gives her a role again.
    assert (await comes(city, ANA)).id == ana.id
    await still_open.watch(city, ana.id)
    assert await work_left.with_open(city) == [ana], "her role makes no tokens"
    await tokens.revoke_token(city, "hers")
    await flush(city)
    city.now += tokens.NAMED
    await still_open.watch(city, ana.id)
    assert await work_left.with_open(city) == []


async def test_a_session_keeps_the_providers_when_a_code_completes_it(city: Work) -> None:
    ana = await comes(city, ANA, unknown="create")
    key = access.session_key(city, WANTED.issuer, {"sid": "there"})
    assert key is not None
    assert access.session_key(city, WANTED.issuer, {"sid": 7}) is None
    begun = await session_tokens.open_session(city, ana, awaits=Awaits.CODE)
    await note_provider_session(city, begun, key)
    found = await session_tokens.begun_session(city, begun)
    assert found is not None
    await session_tokens.complete_session(city, *found)
    named = {"sid": "there"}
    assert await access.signed_out_there(city, WANTED.issuer, named, city.now) == 1
    assert await sessions_of(city, ana) == 0


async def test_a_mapping_without_a_role_ends_access_when_it_is_saved(city: Work) -> None:
    mila = await an_administrator(city)
    ana = await comes(city, ANA, unknown="create")
    await session_tokens.open_session(city, ana)
    without = replace(WANTED, roles=WANTED.roles[:2])
    await keeping.save(city, without, None, by=mila)
    assert await sessions_of(city, ana) == 0
    identity = await access.identity_of(city, ana)
    assert identity is not None
    assert identity.lost_at == city.now
    assert {job.task for job in city.jobs} == {Task.TAKE_OUT_OF_SERVICE, Task.WATCH_LEAVER}


async def test_an_administrator_does_not_shut_themselves_or_the_last_one_out(city: Work) -> None:
    mila = await an_administrator(city)
    await access.link_own(city, mila, WANTED, {"sub": "9", "groups": ["boss"]})
    await comes(city, {"sub": "9", "groups": ["boss"]})
    without = replace(WANTED, roles=WANTED.roles[1:])
    with pytest.raises(Invalid, match="yourself"):
        await keeping.save(city, without, None, by=mila)
    with pytest.raises(LastAdministrator):
        await keeping.save(city, without, None, by=None)
    with pytest.raises(LastAdministrator):
        await access.signed_in_person(city, WANTED, {"sub": "9", "groups": ["help"]})


async def test_a_signed_in_person_links_and_parts_their_own_account(city: Work) -> None:
    vera, ana = await a_supervisor(city), await a_counsellor(city, "ana")
    claims = {"sub": "5", "groups": ["lead"]}
    with pytest.raises(NoRoleHere):
        await access.link_own(city, vera, WANTED, {"sub": "5"})
    await access.link_own(city, vera, WANTED, claims)
    for staff in (vera, ana):
        with pytest.raises(AlreadyLinked):
            await access.link_own(city, staff, WANTED, claims)
    assert await access.is_the_same(city, vera, WANTED.issuer, claims)
    assert not await access.is_the_same(city, ana, WANTED.issuer, claims)
    assert not await access.is_the_same(city, vera, "https://other.example", claims)
    with pytest.raises(Conflict, match="no password"):
        await access.unlink(city, vera, by=vera)
    with pytest.raises(NotAllowed):
        await access.unlink(city, vera, by=ana)
    await access.unlink(city, vera, by=await an_administrator(city))
    assert vera.by_provider is False


async def test_an_emergency_account_is_not_the_providers(city: Work) -> None:
    mila, vera = await an_administrator(city), await a_supervisor(city)
    await changing.change(city, mila.id, Changes(emergency=True), by=None)
    with pytest.raises(access.EmergencyAccount):
        await access.link_own(city, mila, WANTED, {"sub": "9", "groups": ["boss"]})
    await access.link_own(city, vera, WANTED, {"sub": "5", "groups": ["lead"]})
    with pytest.raises(Conflict, match="by the provider"):
        await changing.change(city, vera.id, Changes(emergency=True), by=None)


async def test_who_has_left_does_not_come_in_by_the_provider(city: Work) -> None:
    mila = await an_administrator(city)
    ana = await comes(city, ANA, unknown="create")
    await leaving.deactivate(city, ana.id, by=mila)
    with pytest.raises(NoAccountHere):
        await comes(city, ANA, unknown="create")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"issuer": "http://id.example"},
        {"issuer": "https://id.example/?x=1"},
        {"issuer": "id.example"},
        {"roles": ()},
        {"roles": (("boss", "king"),)},
        {"roles": ((" ", "counsellor"),)},
        {"teams": (("x", ""),)},
        {"unknown": "maybe"},
        {"client_id": "x" * 201},
    ],
    ids=str,
)
async def test_settings_that_cannot_be_are_refused(work: Work, wrong: dict[str, Any]) -> None:
    work.settings.reach_own_network = False
    with pytest.raises(Invalid):
        await keeping.save(work, replace(WANTED, **wrong), "secret", by=None)


async def test_the_secret_is_sealed_kept_and_sent_to_no_other_issuer(city: Work) -> None:
    row = await keeping.known_provider(city)
    assert b"secret" not in row.client_secret_sealed
    await keeping.save(city, replace(WANTED, name="Town"), None, by=None)
    assert keeping.client_of(city, row).client_secret == "secret"
    with pytest.raises(Invalid, match="Enter the client secret"):
        await keeping.save(city, replace(WANTED, issuer="https://other.example"), " ", by=None)
    act, detail = logged(city)[-1]
    assert act == "provider_set"
    assert isinstance(detail, dict)
    assert (detail["before"]["name"], detail["after"]["name"]) == ("City", "Town")
    assert "secret'" not in str(logged(city))
    await keeping.remove(city)
    assert await keeping.provider(city) is None
