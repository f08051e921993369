"""Emergency access: two people of two roles, a limited time, marks in the log, and a review."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.contacts.cases import cases
from app.contacts.cases.models import CaseContact, CaseRequest
from app.contacts.scopes import may_read_any
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.jobs.transaction import flush, send_rows
from app.people.emergency import closing, emergencies, reviewing
from app.people.emergency.emergencies import NoEmergency, OtherPerson
from app.people.emergency.reviewing import ActOutcome
from app.people.letters import emergency_letter
from app.staff import accounts, second_factor, session_tokens
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency, EmergencyKind, EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff, StaffSession
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import (
    a_contact,
    a_counsellor,
    a_supervisor,
    an_administrator,
    logged,
    sessions_of,
)

ACCOUNTS, RECORD = EmergencyKind.ACCOUNTS, EmergencyKind.RECORD
GROUND = "Both administrators are in hospital."


async def an_auditor(work: Work) -> Staff:
    return await accounts.add_staff(work, name="olga", role=Role.AUDITOR)


async def opened(work: Work, asker: Staff, second: Staff, **asked: Any) -> Emergency:
    kind = asked.pop("kind", ACCOUNTS)
    row = await emergencies.ask(work, asker, kind, GROUND, 60, **asked)
    return await emergencies.decide(work, second, row.id, confirm=True)


async def test_the_second_person_is_another_one_with_another_role(work: Work) -> None:
    vera, nina = await a_supervisor(work), await a_supervisor(work, "nina")
    ana, mila = await a_counsellor(work, "ana"), await an_administrator(work)
    row = await emergencies.ask(work, vera, ACCOUNTS, GROUND, 60)
    for wrong in (vera, nina, ana, await an_auditor(work)):
        with pytest.raises(OtherPerson):
            await emergencies.decide(work, wrong, row.id, confirm=True)
    mila.emergency = True
    with pytest.raises(OtherPerson):
        await emergencies.decide(work, mila, row.id, confirm=True)
    mila.emergency = False
    await emergencies.decide(work, mila, row.id, confirm=False)
    assert row.state == EmergencyState.REFUSED
    with pytest.raises(NoEmergency):
        await emergencies.decide(work, mila, row.id, confirm=True)


async def test_what_is_asked_for_is_checked(work: Work) -> None:
    vera, olga = await a_supervisor(work), await an_auditor(work)
    for ground, minutes in ((" ", 60), ("x" * 2001, 60), (GROUND, 14), (GROUND, 241)):
        with pytest.raises(Invalid):
            await emergencies.ask(work, vera, ACCOUNTS, ground, minutes)
    with pytest.raises(NotAllowed):
        await emergencies.ask(work, olga, ACCOUNTS, GROUND, 60)
    with pytest.raises(NotAllowed):
        await emergencies.ask(work, await an_administrator(work), RECORD, GROUND, 60, "K-1")
    with pytest.raises(NotFound):
        await emergencies.ask(work, vera, RECORD, GROUND, 60, "K-1")
    await emergencies.ask(work, vera, ACCOUNTS, GROUND, 60)
    ana = await a_counsellor(work, "ana")
    for asker in (vera, ana):
        with pytest.raises(Conflict, match="already"):
            await emergencies.ask(work, asker, ACCOUNTS, GROUND, 60)


async def test_what_is_not_confirmed_in_time_opens_nothing(work: Work) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    row = await emergencies.ask(work, vera, ACCOUNTS, GROUND, 60)
    work.now += emergencies.CONFIRM_WITHIN
    with pytest.raises(Conflict, match="in time"):
        await emergencies.decide(work, mila, row.id, confirm=True)
    for _ in range(2):
        await closing.close_in_time(work, row.id)
    assert row.state == EmergencyState.LAPSED
    with pytest.raises(NoEmergency):
        await emergencies.enter(work, vera, row.id)


async def test_the_accounts_are_opened_to_who_asked_each_act_is_marked_and_it_ends(
    work: Work,
) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    row = await opened(work, vera, mila)
    with pytest.raises(OtherPerson):
        await emergencies.enter(work, mila, row.id)
    account, token = await emergencies.enter(work, vera, row.id)
    assert (account.role, account.password_hash) == (Role.ADMINISTRATOR, None)
    session = await work.session.scalar(
        select(StaffSession).where(StaffSession.staff_id == account.id)
    )
    assert session is not None
    assert session.expires_at == row.until
    acting = await session_tokens.staff_of_session(work, token)
    assert acting is not None
    work.actor = accounts.actor_of(acting)
    write_entry(work, AuditLog.STAFF_CHANGED, "x", before=1, after=2)
    assert logged(work)[-1][1] == {"before": 1, "after": 2, "emergency": str(row.id)}
    # What is set up meanwhile opens nothing later.
    account = await work.session.get_one(Staff, account.id)
    account.password_hash = "a hash"
    await second_factor.begin(work, account)
    work.now += timedelta(minutes=60)
    await closing.close_in_time(work, row.id)
    assert row.state == EmergencyState.ENDED
    account = await work.session.get_one(Staff, account.id, populate_existing=True)
    assert (await sessions_of(work, account), account.password_hash) == (0, None)
    assert account.under_emergency is None
    with pytest.raises(NoEmergency):
        await emergencies.enter(work, vera, row.id)
    again = await opened(work, vera, mila)
    assert again.account_id == account.id


@pytest.mark.parametrize("of_case", [False, True], ids=["contact", "case"])
async def test_a_record_is_opened_and_closed_again(work: Work, of_case: bool) -> None:
    ana, bob = await a_counsellor(work, "ana"), await a_counsellor(work, "bob")
    vera = await a_supervisor(work, in_team="south")
    contact = await a_contact(work, bob)
    code, subject = contact.code, contact.id
    if of_case:
        case = await cases.open_case(work, bob, [])
        work.session.add(CaseContact(case_id=case.id, contact_id=contact.id, linked_at=work.now))
        code, subject = case.code, case.id
    row = await opened(work, ana, vera, kind=RECORD, code=f" {code.lower()} ")
    await send_rows(work)
    assert await may_read_any(work, ana, subject)
    assert await may_read_any(work, ana, contact.id)
    assert not await may_read_any(work, vera, subject), "who confirms reads nothing by it"
    assert accounts.actor_of(ana).emergency == row.id
    with pytest.raises(Conflict, match="already read"):
        await emergencies.ask(work, ana, RECORD, GROUND, 60, code)
    if of_case:
        asked = CaseRequest(
            id=uuid4(),
            case_id=subject,
            to_status="closed",
            reason_sealed=b"x",
            asked_at=work.now,
            asked_by=ana.id,
        )
        work.session.add(asked)
    await closing.end(work, vera, row.id)
    if of_case:
        await work.session.refresh(asked)
        assert (asked.approved, asked.decided_at) == (False, work.now)
    assert not await may_read_any(work, ana, subject)
    assert not await may_read_any(work, ana, contact.id)
    assert accounts.actor_of(ana).emergency is None


async def test_it_is_reviewed_by_a_third_person_once(work: Work) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    olga = await an_auditor(work)
    row = await opened(work, vera, mila)
    with pytest.raises(NoEmergency):
        await reviewing.review(work, olga, row.id, fitting=True, words="Right.")
    await closing.end(work, vera, row.id)
    for wrong in (vera, mila, await a_counsellor(work, "ana")):
        with pytest.raises(OtherPerson):
            await reviewing.review(work, wrong, row.id, fitting=True, words="Right.")
    with pytest.raises(Invalid):
        await reviewing.review(work, olga, row.id, fitting=True, words=" ")
    (due,) = await reviewing.shown_to(work, olga, alarms=True)
    assert due.row.id == row.id
    await reviewing.review(work, olga, row.id, fitting=False, words="One could sign in.")
    with pytest.raises(Conflict):
        await reviewing.review(work, olga, row.id, fitting=True, words="Right.")
    assert await reviewing.shown_to(work, olga, alarms=True) == []
    (shown,) = await reviewing.shown_to(work, olga)
    assert (shown.review, shown.asked_by, shown.decided_by) == (
        "One could sign in.",
        "vera",
        "mila",
    )
    assert [act for act, _ in logged(work) if act.startswith("emergency")] == [
        "emergency_asked",
        "emergency_opened",
        "emergency_ended",
        "emergency_reviewed",
    ]
    assert GROUND not in str(logged(work))


async def test_the_review_says_what_is_not_known_of_an_access_from_before_that_was_noted(
    work: Work,
) -> None:
    """Such a row holds neither what could be put back, nor when it was."""
    vera, mila = await a_supervisor(work), await an_administrator(work)
    olga = await an_auditor(work)
    row = await opened(work, vera, mila)

    async def outcomes() -> set[str | None]:
        await flush(work)
        (shown,) = await reviewing.shown_to(work, olga)
        assert shown.acts
        return {act.outcome for act in shown.acts}

    work.actor = replace(work.actor, emergency=row.id)
    work.now += timedelta(minutes=1)
    write_entry(work, AuditLog.TOKEN_REVOKED, "desk", before=1, after=2)
    await flush(work)
    work.now += timedelta(minutes=1)
    await closing.end(work, vera, row.id)
    assert await outcomes() == {None}, "it is put back in a moment"
    row.before_sealed = None
    assert await outcomes() == {ActOutcome.UNKNOWN}
    row.settings_back_at = work.now
    assert await outcomes() == {ActOutcome.STAYS}


async def test_everyone_concerned_is_told_and_who_reads_no_records_reads_no_ground(
    work: Work,
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    ana, bob = await a_counsellor(work, "ana"), await a_counsellor(work, "bob")
    vera, mila = await a_supervisor(work, in_team="south"), await an_administrator(work)
    for one in (bob, vera, mila):
        one.email = f"{one.name}@x.example"
    await work.session.flush()
    contact = await a_contact(work, bob)
    row = await emergencies.ask(work, ana, RECORD, "Zzorica is in danger.", 60, contact.code)
    told = {j.arguments["staff_id"] for j in work.jobs if j.task == Task.TELL_EMERGENCY}
    assert told == {str(one.id) for one in (ana, bob, vera, mila)}
    letter = await emergency_letter(work, row.id, mila.id, row.state)
    assert letter is not None
    assert "ana has asked for emergency access: a record." in letter[2]
    assert "Zzorica" not in str(letter)
    (seen,) = await reviewing.shown_to(work, mila, alarms=True)
    assert (seen.is_new, seen.ground) == (True, "")
    (seen,) = await reviewing.shown_to(work, vera, alarms=True)
    assert seen.ground == "Zzorica is in danger."
    for _ in range(2):
        await reviewing.seen(work, vera, row.id)
    (seen,) = await reviewing.shown_to(work, vera, alarms=True)
    assert seen.is_new is False
    await emergencies.decide(work, vera, row.id, confirm=True)
    (seen,) = await reviewing.shown_to(work, vera, alarms=True)
    assert seen.is_new is True, "open, it sounds again"
    assert await reviewing.shown_to(work, bob) == []


async def test_who_may_not_see_it_does_not_end_it(work: Work) -> None:
    vera, mila = await a_supervisor(work), await an_administrator(work)
    row = await opened(work, vera, mila)
    with pytest.raises(NotAllowed):
        await closing.end(work, await a_counsellor(work, "ana"), row.id)
