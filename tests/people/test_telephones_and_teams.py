"""A team, and the telephone of who learns of children, are changed by two people."""

from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select

from app.calls import messages
from app.calls.models import VoiceMessage
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.people import changing, leaving, links, phone_codes
from app.people.approval import deciding
from app.people.approval.asking import WaitsAlready
from app.people.approval.deciding import NotSecondPerson
from app.people.approval.rows import AccessRequest
from app.people.changing import Changes
from app.people.provider import access
from app.people.provider.mapping import MappingWanted
from app.staff import accounts, phone_proofs
from app.staff.models import Staff
from app.staff.phone_proofs import EntryResult
from app.staff.roles import Role
from app.work import Work
from tests.support.planted import a_call
from tests.support.profile import by_day
from tests.support.verbs import a_counsellor, a_line, an_administrator, logged, offered, rings

PHONE, OTHER = "+381601234567", "+381607654321"


@pytest.fixture
async def mila(work: Work) -> Staff:
    return await an_administrator(work)


@pytest.fixture
async def rada(work: Work) -> Staff:
    """The one who could approve."""
    password = "correct horse battery"
    return await accounts.add_staff(
        work, name="rada", role=Role.REFERRAL_OFFICER, password=password
    )


@pytest.fixture
async def vera(work: Work, rada: Staff) -> Staff:
    return await accounts.add_staff(
        work, name="vera", role=Role.SUPERVISOR, team="South", endpoint=PHONE
    )


async def waiting(work: Work, of: Staff) -> AccessRequest:
    (found,) = await deciding.waiting(work, None, of.id)
    return found.row


async def nothing_waits(work: Work) -> bool:
    return await deciding.waiting(work, None) == []


async def test_another_team_and_telephone_wait_and_the_rest_is_stored(
    work: Work, vera: Staff, mila: Staff, rada: Staff
) -> None:
    wanted = Changes(team="North", endpoint=OTHER, languages=["sr"])
    await changing.change(work, vera.id, wanted, by=mila)
    assert (vera.team, vera.endpoint, vera.languages) == ("South", PHONE, ["sr"])
    assert OTHER not in str(logged(work)), "the log holds only its ends"
    request = await waiting(work, vera)
    for wrong in (mila, vera):
        with pytest.raises(NotSecondPerson):
            await deciding.decide(work, request.id, by=wrong, approve=True)
    await deciding.decide(work, request.id, by=rada, approve=True)
    assert (vera.team, vera.endpoint) == ("North", OTHER)
    assert await nothing_waits(work)


async def test_what_is_refused_changes_nothing(
    work: Work, vera: Staff, mila: Staff, rada: Staff
) -> None:
    await changing.change(work, vera.id, Changes(team=""), by=mila)
    await deciding.decide(work, (await waiting(work, vera)).id, by=rada, approve=False)
    assert vera.team == "South"


async def test_calls_that_ring_in_her_own_browser_again_do_not_wait(
    work: Work, vera: Staff, mila: Staff
) -> None:
    await changing.change(work, vera.id, Changes(endpoint="browser"), by=mila)
    assert vera.endpoint is None
    assert await nothing_waits(work)


async def test_one_person_alone_lets_no_child_ring_at_a_telephone_in_a_counsellors_place(
    work: Work, mila: Staff, rada: Staff
) -> None:
    """She works in the browser until a second person has approved it."""
    ana = await a_counsellor(work, "ana")
    ana.email = "ana@x.example"
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    work.actor = accounts.actor_of(mila)
    await changing.change(work, ana.id, Changes(endpoint=OTHER, languages=["sr"]), by=mila)
    assert (ana.endpoint_kind, ana.endpoint, ana.languages) == ("browser", None, ["sr"])
    work.actor = accounts.actor_of(rada)
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=True)
    assert (ana.endpoint_kind, ana.endpoint) == ("phone", OTHER)
    (told,) = [job for job in work.jobs if job.task == Task.TELL_OWNER]
    assert (told.arguments["staff_id"], told.arguments["what"]) == (str(ana.id), "phone_changed")
    code, waits = await phone_codes.make(work, ana.id, by=mila)
    assert waits
    assert await phone_proofs.prove(work, ana, code) is EntryResult.WRONG
    work.jobs.clear()
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=True)
    (told,) = [job for job in work.jobs if job.task == Task.TELL_OWNER]
    assert (told.arguments["staff_id"], told.arguments["what"]) == (str(ana.id), "phone_changed")
    assert await phone_proofs.prove(work, ana, code) is EntryResult.HANDED


async def test_no_other_role_and_no_invitation_hide_a_telephone_from_the_second_person(
    work: Work, mila: Staff, rada: Staff
) -> None:
    olga = await accounts.add_staff(work, name="olga", role=Role.AUDITOR)
    await changing.change(work, olga.id, Changes(endpoint=OTHER), by=mila)
    assert olga.endpoint == OTHER, "no call rings there"
    await changing.change(work, olga.id, Changes(role=Role.COUNSELLOR), by=mila)
    wanted = Changes(name="nova", role=Role.COUNSELLOR, endpoint=PHONE)
    nova, _ = await links.invite(work, wanted, by=mila, by_mail=False)
    for person, number in ((olga, OTHER), (nova, PHONE)):
        (found,) = await deciding.waiting(work, rada, person.id)
        assert found.rings_at == number


async def test_in_a_helpline_without_a_second_person_a_telephone_is_given_alone_and_logged(
    work: Work, mila: Staff
) -> None:
    ana = await a_counsellor(work, "ana")
    await changing.change(work, ana.id, Changes(endpoint=OTHER), by=mila)
    code, waits = await phone_codes.make(work, ana.id, by=mila)
    assert (ana.endpoint, waits) == (OTHER, False)
    assert await phone_proofs.prove(work, ana, code) is EntryResult.HANDED
    assert [act for act, _ in logged(work)].count("access_given_alone") == 2


async def a_member(work: Work, name: str, team: str, role: Role = Role.COUNSELLOR) -> Staff:
    return await accounts.add_staff(
        work, name=name, role=role, team=team, password="correct horse battery"
    )


async def hears(work: Work, staff: Staff, message_id: UUID) -> bool:
    try:
        await messages.open_message(work, staff, message_id)
    except NotFound:
        return False
    return True


async def test_a_counsellor_who_moves_hears_and_is_heard_there_when_a_second_person_approves(
    work: Work, mila: Staff, rada: Staff
) -> None:
    ana, vesna = [await a_member(work, name, "South") for name in ("ana", "vesna")]
    boss = await a_member(work, "boss", "North", Role.SUPERVISOR)
    nina = await a_member(work, "nina", "North")
    taken = {}
    for person in (ana, nina):
        call = await a_call(work, f"CA{person.name}")
        message = await work.session.scalar(
            select(VoiceMessage).where(VoiceMessage.call_id == call.id)
        )
        assert message is not None
        taken[person.name] = message.id
        message.heard_at = None
        await flush(work)
        await messages.take(work, person, message.id)
        await flush(work)
    await changing.change(work, ana.id, Changes(team="North", languages=["sr"]), by=mila)
    assert (ana.team, ana.languages) == ("South", ["sr"])
    assert not await hears(work, ana, taken["nina"])
    assert not await hears(work, boss, taken["ana"])
    request = await waiting(work, ana)
    for wrong in (mila, ana, vesna):
        with pytest.raises(NotSecondPerson):
            await deciding.decide(work, request.id, by=wrong, approve=True)
    await deciding.decide(work, request.id, by=boss, approve=True)
    assert await hears(work, ana, taken["nina"])
    assert await hears(work, boss, taken["ana"])


@pytest.mark.parametrize("by_way_of", by_day([Role.AUDITOR, Role.ADMINISTRATOR]))
async def test_no_change_of_role_goes_around_it(
    work: Work, mila: Staff, rada: Staff, by_way_of: Role
) -> None:
    ana = await a_member(work, "ana", "South")
    await changing.change(work, ana.id, Changes(role=by_way_of, team="North"), by=mila)
    assert (ana.role, ana.team) == (by_way_of, "South")
    await changing.change(work, ana.id, Changes(role=Role.COUNSELLOR), by=mila)
    assert (ana.role, ana.team) == (by_way_of, "South")
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=True)
    await leaving.deactivate(work, ana.id, by=mila)
    await flush(work)
    await changing.change(work, ana.id, Changes(team="North"), by=mila)
    with pytest.raises(WaitsAlready):
        await leaving.reactivate(work, ana.id, by=mila)
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=False)
    await leaving.reactivate(work, ana.id, by=mila)
    assert (ana.role, ana.team) == (Role.COUNSELLOR, "South")
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=True)
    assert (ana.active, ana.team) == (True, "South")
    # Nor is a supervisor made of a counsellor in another team at once.
    await changing.change(work, ana.id, Changes(role=Role.SUPERVISOR, team="North"), by=mila)
    assert (ana.role, ana.team) == (Role.COUNSELLOR, "South")
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=True)
    assert (ana.role, ana.team) == (Role.SUPERVISOR, "North")


async def test_a_team_waits_in_an_account_that_was_never_used_and_a_link_from_before_stays(
    work: Work, mila: Staff, rada: Staff
) -> None:
    """With a telephone it could be used without a password. One that learns of no children, and
    that its person could not use yet, is put right at once."""
    await a_line(work)
    auditor = await accounts.add_staff(work, name="olga", role=Role.AUDITOR)
    await changing.change(work, auditor.id, Changes(team="South"), by=mila)
    assert auditor.team == "South"
    ana = await a_counsellor(work, "ana", "+381601234567")
    ana.team = "South"
    address = await links.make_link(work, ana.id, by=None, by_mail=False)
    assert address is not None
    await changing.change(work, ana.id, Changes(team="North"), by=mila)
    assert ana.team == "South"
    await deciding.decide(work, (await waiting(work, ana)).id, by=rada, approve=True)
    assert ana.team == "North"
    await links.find(work, urlsplit(address).fragment)
    # The supervisors of a team would read of a call that she took, whatever she is now.
    call, _ = await rings(work)
    await offered(work, call, ana)
    ana.role = Role.AUDITOR
    await changing.change(work, ana.id, Changes(team="South"), by=mila)
    assert ana.team == "North"


async def test_a_code_for_her_telephone_proves_nothing_until_it_is_approved(
    work: Work, vera: Staff, mila: Staff, rada: Staff
) -> None:
    code, waits = await phone_codes.make(work, vera.id, by=mila)
    assert waits
    assert await phone_proofs.prove(work, vera, code) is EntryResult.WRONG
    await deciding.decide(work, (await waiting(work, vera)).id, by=rada, approve=True)
    assert await phone_proofs.prove(work, vera, code) is EntryResult.HANDED
    # The operator does not wait.
    code, waits = await phone_codes.make(work, vera.id, by=None)
    assert not waits
    assert await phone_proofs.prove(work, vera, code) is EntryResult.HANDED


async def test_a_telephone_that_was_proven_under_a_lesser_role_is_proven_again(
    work: Work, vera: Staff, mila: Staff, rada: Staff
) -> None:
    work.actor = accounts.actor_of(mila)
    for change in (Changes(role=Role.AUDITOR), Changes(endpoint=OTHER)):
        await changing.change(work, vera.id, change, by=mila)
        await flush(work)
    code, waits = await phone_codes.make(work, vera.id, by=mila)
    assert not waits
    assert await phone_proofs.prove_phone(work, vera, code)
    await phone_proofs.set_pin(work, vera, "629473")
    await flush(work)
    await changing.change(work, vera.id, Changes(role=Role.SUPERVISOR), by=mila)
    work.actor = accounts.actor_of(rada)
    await deciding.decide(work, (await waiting(work, vera)).id, by=rada, approve=True)
    assert vera.role == Role.SUPERVISOR
    assert not await phone_proofs.is_paired(work, vera)
    assert await phone_proofs.prove(work, vera, "629473") is EntryResult.WRONG


async def test_a_team_that_the_provider_says_waits_and_replaces_nothing(
    work: Work, vera: Staff, mila: Staff
) -> None:
    provider = MappingWanted(
        name="City",
        issuer="https://id.example",
        client_id="x",
        roles=(("lead", "supervisor"),),
        team_claim="team",
        teams=(("n", "North"),),
    )
    claims = {"sub": "1", "groups": ["lead"], "team": "n"}
    await access.link_own(work, vera, provider, claims)
    for _ in range(2):
        signed_in = await access.signed_in_person(work, provider, claims)
        assert isinstance(signed_in, Staff), "she goes on with the team that she has"
    assert vera.team == "South"
    assert (await waiting(work, vera)).team == "North"
    await changing.change(work, vera.id, Changes(email="vera@new.example"), by=mila)
    await access.signed_in_person(work, provider, claims)
    request = await waiting(work, vera)
    assert (request.email, request.team) == ("vera@new.example", None)
