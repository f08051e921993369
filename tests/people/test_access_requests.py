"""Access to the records of others: one person alone cannot give it in any way."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.errors import NotAllowed
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.people import changing, factors, leaving, links, phone_codes, provisioning
from app.people.approval import asking, deciding
from app.people.approval.asking import AccessWanted, WaitsAlready
from app.people.approval.deciding import ChangedSinceAsked, NothingWaits, NotSecondPerson
from app.people.approval.rows import AccessRequest
from app.people.changing import Changes
from app.people.emergency import emergencies
from app.people.links import LinkWaits, LinkWithdrawn
from app.people.provider import access, keeping
from app.people.provider.access import Ended, WaitsForApproval
from app.people.provider.mapping import MappingWanted
from app.staff import accounts, passkeys, second_factor
from app.staff.access_kinds import AccessKind
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import EndpointKind, Staff
from app.staff.passkey_rows import ChallengePurpose
from app.staff.passkeys import WrongPasskey
from app.staff.roles import Permission, Role, may, reads_others, reads_records
from app.work import Work
from tests.support.identity.authenticator import Authenticator
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator, logged

PASSWORD = "correct horse battery"
READERS = [role for role in Role if reads_others(role)]
WANTED = MappingWanted(
    name="City",
    issuer="https://id.example",
    client_id="helpline",
    roles=(("lead", "supervisor"), ("help", "counsellor")),
    unknown="create",
    links_by_email=True,
)


@pytest.fixture
async def vera(work: Work) -> Staff:
    """A supervisor who can sign in: the one who could approve."""
    return await a_reader(work, "vera")


@pytest.fixture
async def mila(work: Work) -> Staff:
    return await an_administrator(work)


async def a_reader(work: Work, name: str, role: Role = Role.SUPERVISOR) -> Staff:
    email = f"{name}@helpline.example"
    return await accounts.add_staff(work, name=name, role=role, password=PASSWORD, email=email)


def token(address: str | None) -> str:
    assert address is not None
    return urlsplit(address).fragment


async def waiting(work: Work, of: Staff) -> AccessRequest:
    (found,) = await deciding.waiting(work, None, of.id)
    return found.row


async def nothing_waits(work: Work) -> bool:
    return await deciding.waiting(work, None) == []


async def decide(work: Work, by: Staff | None, of: Staff, *, approve: bool = True) -> None:
    await deciding.decide(work, (await waiting(work, of)).id, by=by, approve=approve)
    await work.session.refresh(of)


def acts_of(work: Work) -> list[tuple[str, Any]]:
    return [(act, detail) for act, detail in logged(work) if act.startswith("access_")]


def test_only_roles_that_read_the_records_of_others_see_what_waits_to_be_approved() -> None:
    assert set(READERS) == {Role.SUPERVISOR, Role.REFERRAL_OFFICER}
    deciders = {role for role in Role if may(role, Permission.SEE_ACCESS_REQUESTS)}
    assert deciders == {*READERS, Role.ADMINISTRATOR}, "administrators see what they asked"


@pytest.mark.parametrize("role", list(Role))
async def test_an_invitation_with_such_a_role_opens_nothing_until_another_approves(
    work: Work, vera: Staff, mila: Staff, role: Role
) -> None:
    wanted = Changes(name="Nova", role=role)
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    if not reads_records(role):
        assert (await links.find(work, token(address)))[1].id == nova.id
        assert await nothing_waits(work)
        return
    assert not nova.active
    with pytest.raises(LinkWaits):
        await links.choose_password(work, token(address), PASSWORD, "en")
    others = [mila, await an_administrator(work, "nina"), await a_counsellor(work, "ana"), nova]
    for wrong in others:
        with pytest.raises(NotSecondPerson):
            await decide(work, wrong, nova)
    # What was asked late has its full time once it is approved.
    work.now += timedelta(days=work.settings.invitation_days + 1)
    await decide(work, vera, nova)
    assert nova.active
    await links.choose_password(work, token(address), PASSWORD, "en")
    assert await nothing_waits(work)
    (asked, again, approved) = acts_of(work)
    assert (asked[0], again[0], approved[0]) == ("access_asked", "access_asked", "access_approved")
    assert approved[1]["before"] == {"role": role.value, "active": False}
    assert approved[1]["after"] == {"kind": "account", "role": role.value}
    assert approved[1]["asked_by"] == str(mila.id)


async def test_a_letter_with_a_link_goes_out_when_it_is_approved(
    work: Work, vera: Staff, mila: Staff
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    wanted = Changes(name="Nova", role=Role.SUPERVISOR, email="nova@x.example")
    nova, _ = await links.invite(work, wanted, by=mila, by_mail=True)
    letters = [job for job in work.jobs if job.task == Task.MAIL_LINK]
    link = await links.latest(work, nova)
    assert link is not None
    assert (letters, await links.letter_of(work, link.id)) == ([], None)
    await decide(work, vera, nova)
    assert [job.task for job in work.jobs].count(Task.MAIL_LINK) == 1
    assert await links.letter_of(work, link.id) is not None


async def test_a_refused_account_stays_inactive_and_its_link_opens_nothing(
    work: Work, vera: Staff, mila: Staff
) -> None:
    wanted = Changes(name="Nova", role=Role.REFERRAL_OFFICER)
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    await decide(work, vera, nova, approve=False)
    assert not nova.active
    with pytest.raises(LinkWithdrawn):
        await links.find(work, token(address))
    assert acts_of(work)[-1][0] == "access_refused"
    # Asked again, the newer link is the one that counts; the former one does not come back.
    await leaving.reactivate(work, nova.id, by=mila)
    newer = await links.make_link(work, nova.id, by=mila, by_mail=False)
    await decide(work, vera, nova)
    assert nova.active
    assert (await links.find(work, token(newer)))[1].id == nova.id
    with pytest.raises(LinkWithdrawn):
        await links.find(work, token(address))


async def test_a_counsellor_who_was_invited_gets_such_a_role_only_with_a_second_person(
    work: Work, vera: Staff, mila: Staff
) -> None:
    nova, address = await links.invite(work, Changes(name="Nova"), by=mila, by_mail=False)
    await decide(work, vera, nova)
    wanted = Changes(role=Role.SUPERVISOR, languages=["sr"])
    await changing.change(work, nova.id, wanted, by=mila, revision=nova.revision)
    assert (nova.role, nova.languages) == ("counsellor", ["sr"]), "the rest is in force"
    with pytest.raises(NotSecondPerson):
        await decide(work, nova, nova)
    await decide(work, vera, nova)
    assert nova.role == "supervisor"
    with pytest.raises(LinkWithdrawn):
        # The link was shown to the administrator, for an account that read nothing of others.
        await links.find(work, token(address))


async def test_from_one_such_role_to_another_waits_too_and_a_lesser_one_does_not(
    work: Work, vera: Staff, mila: Staff
) -> None:
    rada = await a_reader(work, "rada", Role.REFERRAL_OFFICER)
    await changing.change(work, rada.id, Changes(role=Role.SUPERVISOR), by=mila)
    assert rada.role == "referral_officer"
    with pytest.raises(NotSecondPerson):
        await decide(work, rada, rada)
    await changing.change(work, rada.id, Changes(role=Role.COUNSELLOR), by=mila)
    assert rada.role == "counsellor", "what takes access away is in force at once"
    with pytest.raises(ChangedSinceAsked):
        await decide(work, vera, rada)


async def test_a_link_for_such_an_account_opens_nothing_and_the_password_stays(
    work: Work, vera: Staff, mila: Staff
) -> None:
    rada = await a_reader(work, "rada")
    before = rada.password_hash
    address = await links.make_link(work, rada.id, by=mila, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.choose_password(work, token(address), "another password", "en")
    for wrong in (rada, mila):
        with pytest.raises(NotSecondPerson):
            await decide(work, wrong, rada)
    # A pending link cannot be taken over: each new one is asked for anew.
    first = (await waiting(work, rada)).id
    newer = await links.make_link(work, rada.id, by=mila, by_mail=False)
    with pytest.raises(NothingWaits):
        await deciding.decide(work, first, by=vera, approve=True)
    assert rada.password_hash == before
    await decide(work, vera, rada)
    await links.choose_password(work, token(newer), "another password", "en")
    with pytest.raises(LinkWithdrawn):
        await links.find(work, token(address))


async def test_a_new_address_of_such_a_person_waits_and_a_reset_goes_nowhere_else(
    work: Work, vera: Staff, mila: Staff
) -> None:
    rada = await a_reader(work, "rada")
    wanted = Changes(email="mine@elsewhere.example")
    await changing.change(work, rada.id, wanted, by=mila, revision=rada.revision)
    assert rada.email == "rada@helpline.example"
    assert acts_of(work)[-1][1]["after"]["email"] == "m…@elsewhere.example"
    await decide(work, vera, rada, approve=False)
    await changing.change(work, rada.id, wanted, by=mila)
    await decide(work, vera, rada)
    assert rada.email == "mine@elsewhere.example"
    # With a role that reads nothing of others, the address needs no second person.
    lesser = Changes(role=Role.COUNSELLOR, email="rada@home.example")
    await changing.change(work, rada.id, lesser, by=mila)
    assert (rada.role, rada.email) == ("counsellor", "rada@home.example")
    assert await nothing_waits(work)


async def test_a_second_factor_of_such_a_person_is_reset_by_two_people(
    work: Work, vera: Staff, mila: Staff
) -> None:
    work.settings.public_url = "http://localhost:1"
    rada, phone = await a_reader(work, "rada"), Authenticator("http://localhost:1")
    sent = phone.make(await passkeys.begin_adding(work, rada))
    challenge = await passkeys.take_challenge(work, rada, ChallengePurpose.ADDING, sent)
    await passkeys.add(work, rada, "phone", sent, challenge)
    await factors.reset(work, rada.id, by=mila)
    assert (await second_factor.state_of(work, rada)).since is not None
    await decide(work, vera, rada)
    assert (await second_factor.state_of(work, rada)).since is None


async def test_a_passkey_from_before_opens_no_account_that_waits_to_come_back(
    work: Work, vera: Staff, mila: Staff
) -> None:
    work.settings.public_url = "http://localhost:1"
    rada, phone = await a_reader(work, "rada"), Authenticator("http://localhost:1")
    sent = phone.make(await passkeys.begin_adding(work, rada))
    challenge = await passkeys.take_challenge(work, rada, ChallengePurpose.ADDING, sent)
    await passkeys.add(work, rada, "phone", sent, challenge)
    answer = phone.answer(await passkeys.begin_using(work, rada, ChallengePurpose.SIGN_IN))
    await leaving.deactivate(work, rada.id, by=mila)
    await leaving.reactivate(work, rada.id, by=mila)
    assert not rada.active
    challenge = await passkeys.take_challenge(work, rada, ChallengePurpose.SIGN_IN, answer)
    with pytest.raises(WrongPasskey):
        await passkeys.use(work, rada, answer, challenge)
    opened = await accounts.open_session(work, rada)
    assert await accounts.staff_of_session(work, opened) is None
    await decide(work, vera, rada)
    assert (rada.active, rada.password_hash) == (True, None)


async def test_what_has_changed_since_is_not_approved_unread(
    work: Work, vera: Staff, mila: Staff
) -> None:
    ana = await a_counsellor(work, "ana")
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR), by=mila)
    await changing.change(work, ana.id, Changes(email="mine@elsewhere.example"), by=mila)
    with pytest.raises(ChangedSinceAsked):
        await decide(work, vera, ana)
    assert ana.role == "counsellor"
    await decide(work, vera, ana, approve=False)
    assert await nothing_waits(work)


async def test_what_waits_ends_when_the_person_leaves(work: Work, vera: Staff, mila: Staff) -> None:
    ana = await a_counsellor(work, "ana")
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR), by=mila)
    request = await waiting(work, ana)
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=mila)
    with pytest.raises(NothingWaits):
        await deciding.decide(work, request.id, by=vera, approve=True)


# -- a counsellor of an administrator's own making ----------------------------------------


async def test_a_counsellor_who_does_not_exist_opens_no_team(
    work: Work, vera: Staff, mila: Staff
) -> None:
    """An administrator alone invites one, in whatever team, and uses the link."""
    wanted = Changes(name="Nova", team="South")
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.choose_password(work, token(address), PASSWORD, "en")
    assert await accounts.staff_of_session(work, await accounts.open_session(work, nova)) is None
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


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
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


@pytest.mark.parametrize("who", [Role.SUPERVISOR, Role.REFERRAL_OFFICER])
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


# -- the first ones ----------------------------------------------------------------------


async def test_the_first_of_a_helpline_are_given_alone_and_the_log_says_so(
    work: Work, mila: Staff
) -> None:
    wanted = Changes(name="Vera", role=Role.SUPERVISOR)
    vera, address = await links.invite(work, wanted, by=mila, by_mail=False)
    assert vera.active
    assert {act for act, _ in acts_of(work)} == {"access_given_alone"}
    # She was invited and could not approve yet; so the next one is given alone as well.
    nina, _ = await links.invite(work, replace(wanted, name="Nina"), by=mila, by_mail=False)
    assert nina.active
    # Nor does a counsellor wait yet; that she was given alone is in the log as well.
    ana, _ = await links.invite(work, Changes(name="Ana"), by=mila, by_mail=False)
    assert ana.active
    assert acts_of(work)[-1][1]["after"] == {"kind": "link", "role": "counsellor"}
    await links.choose_password(work, token(address), PASSWORD, "en")
    sanja, _ = await links.invite(work, Changes(name="Sanja"), by=mila, by_mail=False)
    rada, _ = await links.invite(work, replace(wanted, name="Rada"), by=mila, by_mail=False)
    assert (sanja.active, rada.active) == (False, False)
    await decide(work, vera, rada)
    assert rada.active


@pytest.mark.parametrize("how", ["leaves", "another role", "new password, never used"])
async def test_an_administrator_is_not_alone_again_when_the_second_person_is_gone(
    work: Work, mila: Staff, how: str
) -> None:
    vera = await a_reader(work, "vera")
    if how == "leaves":
        await leaving.deactivate(work, vera.id, by=mila)
    else:
        await changing.change(work, vera.id, Changes(role=Role.COUNSELLOR), by=mila)
    if how.startswith("new"):
        await links.make_link(work, vera.id, by=mila, by_mail=False)
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    nova, address = await links.invite(work, wanted, by=mila, by_mail=False)
    assert not nova.active
    with pytest.raises(LinkWaits):
        await links.find(work, token(address))


async def test_a_role_given_to_a_person_who_signs_in_ends_the_exemption(
    work: Work, mila: Staff
) -> None:
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=PASSWORD)
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR), by=mila)
    assert ana.role == "supervisor"
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    assert not (await links.invite(work, wanted, by=mila, by_mail=False))[0].active


async def test_the_operator_of_the_server_is_outside_and_in_the_log(
    work: Work, vera: Staff, mila: Staff
) -> None:
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    nova, address = await links.invite(work, wanted, by=None, by_mail=False)
    assert (await links.find(work, token(address)))[1].id == nova.id
    assert "staff_added" in {act for act, _ in logged(work)}
    assert acts_of(work) == []
    # It also ends what waits: that would not be right any more.
    await leaving.deactivate(work, nova.id, by=mila)
    await leaving.reactivate(work, nova.id, by=mila)
    assert not nova.active
    await leaving.reactivate(work, nova.id, by=None)
    assert nova.active
    assert await nothing_waits(work)


# -- two requests about one account --------------------------------------------------------


@pytest.mark.parametrize("first", ["factor", "link"])
async def test_a_lost_password_and_a_lost_second_factor_are_approved_at_once(
    work: Work, vera: Staff, mila: Staff, first: str
) -> None:
    work.settings.public_url = "http://localhost:1"
    ana, phone = await a_reader(work, "ana", Role.COUNSELLOR), Authenticator("http://localhost:1")
    sent = phone.make(await passkeys.begin_adding(work, ana))
    challenge = await passkeys.take_challenge(work, ana, ChallengePurpose.ADDING, sent)
    await passkeys.add(work, ana, "phone", sent, challenge)
    shown = None
    for what in (first, "link" if first == "factor" else "factor"):
        if what == "factor":
            await factors.reset(work, ana.id, by=mila)
        else:
            shown = await links.make_link(work, ana.id, by=mila, by_mail=False)
    with pytest.raises(LinkWaits):
        await links.find(work, token(shown))
    await decide(work, vera, ana)
    assert acts_of(work)[-1][1]["after"] == {
        "kind": "factor",
        "role": "counsellor",
        "also": "link",
    }
    assert (await second_factor.state_of(work, ana)).since is None
    await links.choose_password(work, token(shown), "another long password", "en")
    assert await nothing_waits(work)


async def test_what_waits_is_not_pushed_out_by_another_request(
    work: Work, vera: Staff, mila: Staff
) -> None:
    ana = await a_reader(work, "ana", Role.COUNSELLOR)
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR), by=mila)
    # The same person asks for more: both are decided together.
    await changing.change(work, ana.id, Changes(team="North"), by=mila)
    with pytest.raises(WaitsAlready):
        await links.make_link(work, ana.id, by=mila, by_mail=False)
    nina = await an_administrator(work, "nina")
    with pytest.raises(WaitsAlready):
        await changing.change(work, ana.id, Changes(team="South"), by=nina)
    await decide(work, vera, ana)
    assert (ana.role, ana.team) == ("supervisor", "North")


# -- from outside ------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["counsellor", "supervisor"])
async def test_a_directory_gives_no_such_access_with_its_token_alone(
    work: Work, vera: Staff, role: str
) -> None:
    entry = provisioning.Entry("nova", role=role)
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
    await provisioning.change(work, ana.id, provisioning.Entry("ana", role="supervisor"))
    rada = await a_reader(work, "rada")
    taken = provisioning.Entry("rada", email="mine@elsewhere.example")
    await provisioning.change(work, rada.id, taken)
    assert (ana.role, rada.email) == ("counsellor", "rada@helpline.example")


@pytest.mark.parametrize("end", ["change", "leave", "delete"])
async def test_who_leaves_while_their_account_waits_comes_in_by_no_approval(
    work: Work, vera: Staff, mila: Staff, end: str
) -> None:
    entry = provisioning.Entry("nova")
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
    nova = (await provisioning.add(work, provisioning.Entry("nova"))).staff
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
    assert link is None or link.withdrawn_at is None


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


# -- two people --------------------------------------------------------------------------


async def test_who_acts_under_an_emergency_access_does_not_approve_it(
    work: Work, vera: Staff, mila: Staff
) -> None:
    row = await emergencies.ask(work, vera, EmergencyKind.ACCOUNTS, "Both are ill.", 60)
    await emergencies.decide(work, mila, row.id, confirm=True)
    acting, _ = await emergencies.enter(work, vera, row.id)
    wanted = Changes(name="Nova", role=Role.SUPERVISOR)
    nova, _ = await links.invite(work, wanted, by=acting, by_mail=False)
    for wrong in (vera, acting):
        with pytest.raises(NotSecondPerson):
            await decide(work, wrong, nova)
    await decide(work, await a_supervisor(work, "nina"), nova)
    assert nova.active


async def test_the_database_takes_neither_the_asker_nor_the_account_as_the_second_person(
    work: Work, vera: Staff, mila: Staff
) -> None:
    ana = await a_counsellor(work, "ana")
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR), by=mila)
    request = await waiting(work, ana)
    for wrong in (mila, ana):
        with pytest.raises(IntegrityError, match="two_people"):
            async with work.session.begin_nested():
                await work.session.execute(
                    update(AccessRequest)
                    .where(AccessRequest.id == request.id)
                    .values(state="in_force", decided_by=wrong.id)
                )
