"""A counsellor of an administrator's own making reads no records."""

from datetime import timedelta

import pytest

from app.abilities import EndpointKind
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.people import changing, factors, leaving, links, phone_codes
from app.people.approval import deciding
from app.people.approval.deciding import NothingWaits
from app.people.changing import Changes
from app.people.emergency import emergencies
from app.people.links import LinkWaits
from app.people.provider import access, keeping
from app.people.provider.access import Ended
from app.staff import accounts, passkeys, second_factor, session_tokens
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import Staff
from app.staff.passkey_rows import ChallengePurpose
from app.staff.roles import Role
from app.work import Work
from tests.support.identity.approval import (
    PASSWORD,
    WANTED,
    a_reader,
    decide,
    nothing_waits,
    token,
    waiting,
)
from tests.support.identity.authenticator import Authenticator
from tests.support.profile import by_day

pytestmark = pytest.mark.whole


async def test_a_counsellor_who_does_not_exist_opens_no_team(
    work: Work, vera: Staff, mila: Staff
) -> None:
    """An administrator alone invites one, in whatever team, and uses the link."""
    wanted = Changes(name="Nova", team="South")
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.choose_password(work, token(address), PASSWORD, "en")
    assert (
        await session_tokens.staff_of_session(work, await session_tokens.open_session(work, nova))
        is None
    )
    # Changed while it waits, it is asked anew as it is now: what was read before opens nothing.
    first = (await waiting(work, nova)).id
    await changing.change(work, nova.id, Changes(team="North"), by=mila)
    with pytest.raises(NothingWaits):
        await deciding.decide(work, first, by=vera, approve=True)
    assert not nova.active
    await decide(work, vera, nova)
    assert (nova.active, nova.team) == (True, "North")
    # Approved for this team, it gets into no other one before its person comes.
    await changing.change(work, nova.id, Changes(team="South"), by=mila)
    assert (nova.team, (await waiting(work, nova)).team) == ("North", "South")
    assert (await links.find(work, token(address)))[1] is nova


@pytest.mark.parametrize("role", by_day([Role.AUDITOR, Role.ADMINISTRATOR]))
async def test_a_role_without_records_becomes_a_counsellor_by_two_people(
    work: Work, vera: Staff, mila: Staff, role: Role
) -> None:
    work.actor = accounts.actor_of(mila)
    wanted = Changes(name="Nova", role=role)
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    await links.choose_password(work, token(address), PASSWORD, "en")
    await flush(work)
    work.actor = accounts.actor_of(mila)
    await changing.change(work, nova.id, Changes(role=Role.COUNSELLOR, team="South"), by=mila)
    assert (nova.role, nova.team) == (role, "")
    await decide(work, vera, nova)
    assert (nova.role, nova.team) == ("counsellor", "South")
    assert nova.password_hash is None, "another person could have chosen it"


async def test_one_person_alone_takes_no_counsellors_place(
    work: Work, vera: Staff, mila: Staff
) -> None:
    """Neither by a link that is shown, a lost second factor, an address nor a return."""
    work.settings.public_url = "http://localhost:1"
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    ana, phone = await a_reader(work, "ana", Role.COUNSELLOR), Authenticator("http://localhost:1")
    sent = phone.make(await passkeys.begin_adding(work, ana))
    challenge = await passkeys.take_challenge(work, ana, ChallengePurpose.ADDING, sent)
    await passkeys.add(work, ana, "phone", sent, challenge)
    shown = await links.make_link(work, ana.id, by=mila, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.choose_password(work, token(shown), "another password", "en")
    await factors.reset(work, ana.id, by=mila)
    assert (await second_factor.state_of(work, ana)).since is not None
    await decide(work, vera, ana, approve=False)
    # A letter opens nothing without her second factor: it waits for no other person.
    assert await links.make_link(work, ana.id, by=mila, by_mail=True) is None
    assert Task.MAIL_LINK in [job.task for job in work.jobs]
    assert await nothing_waits(work)
    await keeping.save(work, WANTED, "secret", by=mila)
    mine = {"sub": "1", "email": ana.email, "email_verified": True, "groups": ["help"]}
    assert isinstance(await access.signed_in_person(work, WANTED, mine), Ended)
    assert await access.identity_of(work, ana) is None
    await leaving.deactivate(work, ana.id, by=mila)
    await leaving.reactivate(work, ana.id, by=mila)
    assert not ana.active


async def acting_for(work: Work, mila: Staff, who: Role, team: str = "") -> Staff:
    """The account that acts on the accounts for a person of a role."""
    asker = await a_reader(work, "asker", who)
    asker.team = team
    row = await emergencies.ask(work, asker, EmergencyKind.ACCOUNTS, "Mila is ill.", 60)
    await emergencies.decide(work, mila, row.id, confirm=True)
    return (await emergencies.enter(work, asker, row.id))[0]


@pytest.mark.parametrize(
    ("who", "team", "active"),
    [
        (Role.SUPERVISOR, "south", True),
        (Role.SUPERVISOR, "north", False),
        # An officer hears no messages of a team.
        (Role.REFERRAL_OFFICER, "south", False),
        (Role.COUNSELLOR, "south", False),
    ],
)
async def test_under_an_emergency_access_a_supervisor_lets_a_counsellor_in(
    work: Work, vera: Staff, mila: Staff, who: Role, team: str, active: bool
) -> None:
    """Two people have opened it, and she knows the work of her team already. Another person does
    not, and she not that of another team."""
    acting = await acting_for(work, mila, who, "south")
    wanted = Changes(name="Nova", team=team)
    nova, _ = await links.invite(work, wanted, by=acting, by_mail=False)
    assert nova.active is active
    if not active:
        return
    # A link that was lost; and once more, when the person has come in.
    again = await links.make_link(work, nova.id, by=acting, by_mail=False)
    await links.choose_password(work, token(again), PASSWORD, "en")
    again = await links.make_link(work, nova.id, by=acting, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.find(work, token(again))


@pytest.mark.parametrize("who", by_day([Role.SUPERVISOR, Role.REFERRAL_OFFICER]))
async def test_under_an_emergency_access_no_counsellors_place_is_taken_by_one_person(
    work: Work, vera: Staff, mila: Staff, who: Role
) -> None:
    """Neither her link, second factor, telephone nor return, also of the own team."""
    work.settings.public_url = "http://localhost:1"
    ana, phone = await a_reader(work, "ana", Role.COUNSELLOR), Authenticator("http://localhost:1")
    sent = phone.make(await passkeys.begin_adding(work, ana))
    challenge = await passkeys.take_challenge(work, ana, ChallengePurpose.ADDING, sent)
    await passkeys.add(work, ana, "phone", sent, challenge)
    bob = await a_reader(work, "bob", Role.COUNSELLOR)
    bob.endpoint_kind, bob.endpoint = EndpointKind.PHONE.value, "+381601112223"
    gone = await a_reader(work, "gone", Role.COUNSELLOR)
    await leaving.deactivate(work, gone.id, by=mila)
    work.now += timedelta(minutes=1)
    acting = await acting_for(work, mila, who)
    shown = await links.make_link(work, ana.id, by=acting, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.choose_password(work, token(shown), "another password", "en")
    await factors.reset(work, ana.id, by=acting)
    assert (await second_factor.state_of(work, ana)).since is not None
    _, waits = await phone_codes.make(work, bob.id, by=acting)
    assert waits
    cara = await a_reader(work, "cara", Role.COUNSELLOR)
    await changing.change(work, cara.id, Changes(endpoint="+381601112224"), by=acting)
    assert cara.endpoint is None
    await leaving.reactivate(work, gone.id, by=acting)
    assert not gone.active
