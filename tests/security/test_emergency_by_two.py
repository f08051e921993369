"""One person behind two accounts opens nothing in an emergency."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.contacts import contacts
from app.contacts.scopes import may_read_any
from app.contacts.states import ContactChannel
from app.jobs.transaction import flush, send_rows
from app.people import factors, leaving, links, phone_codes
from app.people.approval import deciding
from app.people.changing import Changes, change
from app.people.emergency import closing, emergencies, reviewing
from app.people.emergency.emergencies import MadeByOne
from app.staff import accounts, second_factor
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency, EmergencyKind, EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.models import SecondFactor, Staff
from app.staff.roles import Role
from app.staff.second_person import note_could_approve
from app.work import PROGRAM, Work
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator

pytestmark = pytest.mark.whole

GROUND = "A child in danger."


async def acts(work: Work, staff: Staff) -> None:
    await flush(work)
    work.actor = accounts.actor_of(staff)


async def by_program(work: Work) -> None:
    await flush(work)
    work.actor = PROGRAM


async def invited(work: Work, by: Staff, name: str, role: Role = Role.COUNSELLOR) -> Staff:
    await acts(work, by)
    staff, _ = await links.invite(work, Changes(name=name, role=role), by=by, by_mail=False)
    await by_program(work)
    return staff


async def asked_by(work: Work, asker: Staff, code: str) -> Emergency:
    return await emergencies.ask(work, asker, EmergencyKind.RECORD, GROUND, 60, code)


async def a_record(work: Work) -> str:
    """A contact of a counsellor who has nothing to do with it."""
    made, _ = await contacts.create_contact(
        work, await a_counsellor(work, "owner"), channel=ContactChannel.CALL
    )
    await send_rows(work)
    return made.code


async def refused(work: Work, row: Emergency, staff: Staff) -> None:
    assert not await emergencies.may_confirm(work, row, staff)
    with pytest.raises(MadeByOne):
        await emergencies.decide(work, staff, row.id, confirm=True)
    assert row.state == EmergencyState.ASKED


async def linked(work: Work, by: Staff, staff: Staff) -> None:
    await links.make_link(work, staff.id, by=by, by_mail=False)


async def changed(work: Work, by: Staff, staff: Staff) -> None:
    await change(work, staff.id, Changes(email="own@other.example"), by=by)


async def factor_reset(work: Work, by: Staff, staff: Staff) -> None:
    await second_factor.begin(work, staff)
    for factor in await work.session.scalars(select(SecondFactor)):
        factor.confirmed_at = work.now
    await work.session.flush()
    await factors.reset(work, staff.id, by=by)


async def code_made(work: Work, by: Staff, staff: Staff) -> None:
    staff.endpoint_kind, staff.endpoint = "phone", "+381601112223"
    await work.session.flush()
    await phone_codes.make(work, staff.id, by=by)


async def made_active_again(work: Work, by: Staff, staff: Staff) -> None:
    await leaving.deactivate(work, staff.id, leaving.shifts_uncovered(), by=by)
    await leaving.reactivate(work, staff.id, by=by)


WAYS = [linked, changed, factor_reset, code_made, made_active_again]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_an_administrator_who_holds_a_counsellors_account_opens_no_record_by_both(
    work: Work, way: Callable[[Work, Staff, Staff], Awaitable[None]]
) -> None:
    mila, olga = await an_administrator(work), await an_administrator(work, "olga")
    ana, vera = await a_counsellor(work, "ana"), await a_supervisor(work)
    code = await a_record(work)
    row = await asked_by(work, ana, code)
    assert await emergencies.may_confirm(work, row, mila)
    # Also after it was asked.
    await acts(work, mila)
    await way(work, mila, ana)
    await by_program(work)
    await refused(work, row, mila)
    await emergencies.decide(work, olga, row.id, confirm=True)
    assert row.state == EmergencyState.OPEN
    await closing.end(work, vera, row.id)


async def test_an_administrator_opens_no_record_by_accounts_that_they_have_invited(
    work: Work,
) -> None:
    """Neither by an account that one of their making has made, nor by two of their making."""
    mila, code = await an_administrator(work), await a_record(work)
    puppet = await invited(work, mila, "puppet", Role.ADMINISTRATOR)
    other = await invited(work, mila, "other", Role.ADMINISTRATOR)
    child_of_puppet = await invited(work, puppet, "ana")
    row = await asked_by(work, child_of_puppet, code)
    for administrator in (mila, puppet, other):
        await refused(work, row, administrator)
    # The supervisor on duty does not need an account of their own making, and confirms.
    vera = await a_supervisor(work)
    vera.created_at = row.asked_at
    await emergencies.decide(work, vera, row.id, confirm=True)
    assert row.state == EmergencyState.OPEN


async def test_who_approved_what_an_administrator_asked_is_still_a_second_person(
    work: Work,
) -> None:
    """A supervisor approves that a counsellor moves to another team, and confirms later."""
    mila, vera = await an_administrator(work), await a_supervisor(work)
    ana = await a_counsellor(work, "ana")
    ana.password_hash = vera.password_hash = "a hash"
    await work.session.flush()
    await acts(work, mila)
    await change(work, ana.id, Changes(team="north"), by=mila)
    await acts(work, vera)
    (waits,) = await deciding.waiting(work, vera)
    await deciding.decide(work, waits.row.id, by=vera, approve=True)
    await by_program(work)
    assert ana.team == "north"
    row = await asked_by(work, ana, await a_record(work))
    assert await emergencies.may_confirm(work, row, vera)


async def test_a_person_who_set_up_the_provider_confirms_for_no_account_linked_by_it(
    work: Work,
) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    row = await asked_by(work, ana, await a_record(work))
    await acts(work, mila)
    write_entry(work, AuditLog.PROVIDER_SET, "identity_provider", before=None, after=None)
    await by_program(work)
    assert await emergencies.may_confirm(work, row, mila)
    write_entry(work, AuditLog.IDENTITY_LINKED, str(ana.id), before=None, after="https://own")
    await flush(work)
    await refused(work, row, mila)


async def test_a_helpline_of_two_people_opens_no_record_and_the_operator_adds_a_second_person(
    work: Work,
) -> None:
    mila, code = await an_administrator(work), await a_record(work)
    ana = await invited(work, mila, "ana")
    row = await asked_by(work, ana, code)
    await refused(work, row, mila)
    (shown,) = await reviewing.shown_to(work, mila)
    assert not shown.may_confirm
    # They may refuse it, as before.
    await emergencies.decide(work, mila, row.id, confirm=False)
    work.now = work.now.replace(minute=59)
    vera = await accounts.add_staff(work, name="vera", role=Role.SUPERVISOR, team="south")
    await flush(work)
    row = await asked_by(work, ana, code)
    (shown, _) = await reviewing.shown_to(work, vera)
    assert shown.may_confirm
    await emergencies.decide(work, vera, row.id, confirm=True)
    await send_rows(work)
    assert row.subject_id is not None
    assert await may_read_any(work, ana, row.subject_id)


async def test_a_supervisor_who_was_let_in_alone_is_not_confirmed_by_a_second_account_of_one(
    work: Work,
) -> None:
    mila, code = await an_administrator(work), await a_record(work)
    puppet = await invited(work, mila, "puppet", Role.ADMINISTRATOR)
    vera = await invited(work, mila, "vera", Role.SUPERVISOR)
    vera.team, vera.active = "south", True
    await work.session.flush()
    row = await asked_by(work, vera, code)
    await refused(work, row, puppet)


# -- a small helpline ----------------------------------------------------------------------


@pytest.fixture
async def small(work: Work) -> dict[str, Staff]:
    """An administrator, the first supervisor, whom they let in alone, and who else came then."""
    mila = await an_administrator(work)
    vera = await invited(work, mila, "vera", Role.SUPERVISOR)
    vera.password_hash = "a hash"
    note_could_approve(vera)
    await work.session.flush()
    return {"mila": mila, "vera": vera}


async def approved(work: Work, small: dict[str, Staff], name: str, role: Role) -> Staff:
    """A person whom the administrator invites, and the supervisor approves."""
    work.now += timedelta(minutes=1)
    staff = await invited(work, small["mila"], name, role)
    work.now += timedelta(minutes=1)
    await acts(work, small["vera"])
    (waits,) = await deciding.waiting(work, small["vera"], staff.id)
    await deciding.decide(work, waits.row.id, by=small["vera"], approve=True)
    await by_program(work)
    work.now += timedelta(minutes=1)
    assert staff.active
    small[name] = staff
    return staff


async def who_confirms(work: Work, small: dict[str, Staff], asker: str) -> set[str]:
    row = await emergencies.ask(work, small[asker], EmergencyKind.ACCOUNTS, GROUND, 60)
    found = {name for name, one in small.items() if await emergencies.may_confirm(work, row, one)}
    await closing.end(work, None, row.id)
    return found


async def test_an_administrator_and_the_first_supervisor_open_nothing_and_are_told_what_to_do(
    work: Work, small: dict[str, Staff]
) -> None:
    for asker in ("mila", "vera"):
        assert await who_confirms(work, small, asker) == set()
    assert "the operator adds one at the server" in str(MadeByOne())
    # A second administrator of the same making is no other person.
    small["nina"] = await invited(work, small["mila"], "nina", Role.ADMINISTRATOR)
    assert await who_confirms(work, small, "vera") == set()


async def test_two_people_of_a_small_helpline_open_it(work: Work, small: dict[str, Staff]) -> None:
    await approved(work, small, "rade", Role.REFERRAL_OFFICER)
    await approved(work, small, "sara", Role.SUPERVISOR)
    await approved(work, small, "ana", Role.COUNSELLOR)
    for asker, confirm in (
        ("vera", {"rade"}),
        # All others were invited by the administrator, and these were approved by another person.
        ("mila", {"rade", "sara"}),
        ("rade", {"vera", "sara"}),
        ("sara", {"rade"}),
        ("ana", {"vera", "rade", "sara"}),
    ):
        assert await who_confirms(work, small, asker) == confirm, asker


async def test_who_invited_all_confirms_no_reading_although_another_approved(
    work: Work, small: dict[str, Staff]
) -> None:
    """A link that was shown is theirs as well; also when they are not an administrator any more."""
    rade = await approved(work, small, "rade", Role.REFERRAL_OFFICER)
    code, mila = await a_record(work), small["mila"]
    row = await asked_by(work, rade, code)
    await refused(work, row, mila)
    await closing.end(work, None, row.id)
    mila.role = Role.COUNSELLOR.value
    await work.session.flush()
    await refused(work, await asked_by(work, mila, code), rade)


@pytest.mark.parametrize(
    ("changes", "confirms"),
    [
        (Changes(name="ana-maria", languages=["sr"], page_language="sr"), True),
        (Changes(name="ana-maria", email="own@other.example"), False),
    ],
    ids=["routine", "address"],
)
async def test_a_change_by_which_no_person_comes_in_makes_no_account(
    work: Work, changes: Changes, confirms: bool
) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await acts(work, mila)
    await change(work, ana.id, changes, by=mila)
    await by_program(work)
    row = await asked_by(work, ana, await a_record(work))
    assert await emergencies.may_confirm(work, row, mila) is confirms
