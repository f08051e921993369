"""Access to the records of others: one person alone cannot give it in any way."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.jobs.names import Task
from app.people import changing, factors, leaving, links
from app.people.approval import deciding
from app.people.approval.asking import WaitsAlready
from app.people.approval.deciding import ChangedSinceAsked, NothingWaits, NotSecondPerson
from app.people.approval.rows import AccessRequest
from app.people.changing import Changes
from app.people.emergency import emergencies
from app.people.links import LinkWaits, LinkWithdrawn
from app.staff import passkeys, second_factor, session_tokens
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import Staff
from app.staff.passkey_rows import ChallengePurpose
from app.staff.passkeys import WrongPasskey
from app.staff.roles import Permission, Role, may, reads_others, reads_records
from app.work import Work
from tests.support.identity.approval import (
    PASSWORD,
    a_reader,
    acts_of,
    decide,
    nothing_waits,
    token,
    waiting,
)
from tests.support.identity.authenticator import Authenticator
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator

pytestmark = pytest.mark.whole

READERS = [role for role in Role if reads_others(role)]


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
    # A new secret key ends a link that is not mailed yet; its page says so, and another one goes.
    link.token_key = work.keys.session_key("of another secret key")
    assert await links.letter_of(work, link.id) is None
    assert link.withdrawn_at == work.now
    assert await links.make_link(work, nova.id, by=mila, by_mail=True) is None


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
    opened = await session_tokens.open_session(work, rada)
    assert await session_tokens.staff_of_session(work, opened) is None
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
