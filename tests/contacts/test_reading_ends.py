"""Reading that was given for a while ends: no sequence of acts makes it outlast its cause."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from app.contacts import contacts, openings
from app.contacts.cases import cases, people
from app.contacts.models import Case, Contact, Opening
from app.contacts.scopes import may_read_any
from app.jobs.transaction import send_rows
from app.people import leaving
from app.people.emergency import closing, emergencies
from app.staff.emergency_rows import EmergencyKind
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_contact, a_counsellor, a_supervisor, a_talk, an_administrator

WHY = "She says that it is as it was in June."


async def a_known_child(work: Work, knows: Staff, talks: Staff) -> tuple[Contact, Contact]:
    """Return the contact of a colleague who knows a child, and that of one who talks with it."""
    call, _ = await a_talk(work, talks)
    await contacts.open_for_call(work, call, talks.id)
    await send_rows(work)
    mine = (await work.session.scalars(select(Contact).where(Contact.call_id == call.id))).one()
    earlier = await a_contact(work, knows)
    earlier.profile_id = mine.profile_id
    await work.session.flush()
    return earlier, mine


async def opened(work: Work, staff: Staff, during: Contact) -> Opening:
    await openings.open_earlier(work, staff, during.id, WHY)
    await send_rows(work)
    found = select(Opening).where(Opening.staff_id == staff.id)
    return (await work.session.scalars(found)).one()


async def a_case_with(work: Work, owner: Staff, contact: Contact) -> Case:
    case = await cases.open_case(work, owner, [])
    await cases.link_contact(work, owner, case.id, contact.code)
    await send_rows(work)
    return case


async def in_emergency(work: Work, reader: Staff, second: Staff, code: str) -> UUID:
    asked = await emergencies.ask(work, reader, EmergencyKind.RECORD, "A child in danger", 60, code)
    await emergencies.decide(work, second, asked.id, confirm=True)
    await send_rows(work)
    return asked.id


@pytest.mark.parametrize("how", ["removed", "left"])
async def test_a_reader_of_that_night_does_not_read_on_through_a_case_that_they_left(
    work: Work, how: str
) -> None:
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    earlier, mine = await a_known_child(work, ana, bora)
    opening = await opened(work, bora, mine)
    case = await a_case_with(work, ana, earlier)
    await people.add_member(work, ana, case.id, bora.name)
    await send_rows(work)
    work.now += openings.LASTS
    await openings.close_opening(work, opening.id)
    assert await may_read_any(work, bora, earlier.id), "she works on its case"
    if how == "removed":
        await people.remove_member(work, ana, case.id, bora.name)
    else:
        mila = await an_administrator(work)
        await leaving.deactivate(
            work, bora.id, leaving.everything_to(ana.id, uncovered=True), by=mila
        )
        await leaving.reactivate(work, bora.id, by=mila)
    assert not await may_read_any(work, bora, earlier.id)


async def test_who_leaves_a_case_within_the_night_reads_until_the_opening_ends(work: Work) -> None:
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    earlier, mine = await a_known_child(work, ana, bora)
    opening = await opened(work, bora, mine)
    case = await a_case_with(work, ana, earlier)
    await people.add_member(work, ana, case.id, bora.name)
    await send_rows(work)
    await people.remove_member(work, ana, case.id, bora.name)
    assert await may_read_any(work, bora, earlier.id), "the child may ring again"
    work.now += openings.LASTS
    await openings.close_opening(work, opening.id)
    assert not await may_read_any(work, bora, earlier.id)


async def test_a_leaver_takes_no_opening_of_that_night_along(work: Work) -> None:
    ana, bora, mila = (
        await a_counsellor(work, "ana"),
        await a_counsellor(work, "bora"),
        await an_administrator(work),
    )
    earlier, mine = await a_known_child(work, ana, bora)
    await opened(work, bora, mine)
    await leaving.deactivate(work, bora.id, leaving.everything_to(ana.id, uncovered=True), by=mila)
    await leaving.reactivate(work, bora.id, by=mila)
    assert not await may_read_any(work, bora, earlier.id)


async def test_what_was_opened_for_a_reason_is_not_kept_by_an_emergency_on_its_case(
    work: Work,
) -> None:
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    vera = await a_supervisor(work, in_team="south")
    earlier, mine = await a_known_child(work, ana, bora)
    opening = await opened(work, bora, mine)
    case = await a_case_with(work, ana, earlier)
    emergency = await in_emergency(work, bora, vera, case.code)
    await closing.end(work, vera, emergency)
    assert await may_read_any(work, bora, earlier.id), "what she opened herself goes on"
    assert not await may_read_any(work, bora, case.id)
    work.now += openings.LASTS
    await openings.close_opening(work, opening.id)
    assert not await may_read_any(work, bora, earlier.id)


@pytest.mark.parametrize("of_case", [False, True], ids=["contact", "case"])
async def test_an_emergency_access_that_is_ended_late_ends(work: Work, of_case: bool) -> None:
    """A job never runs at the very instant for which it was asked."""
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    vera = await a_supervisor(work, in_team="south")
    contact = await a_contact(work, ana)
    code = (await a_case_with(work, ana, contact)).code if of_case else contact.code
    emergency = await in_emergency(work, bora, vera, code)
    assert await may_read_any(work, bora, contact.id)
    work.now += timedelta(minutes=60, milliseconds=1)
    await closing.close_in_time(work, emergency)
    assert not await may_read_any(work, bora, contact.id)


async def test_an_owner_who_leaves_the_case_and_an_earlier_owner_read_on(work: Work) -> None:
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    contact = await a_contact(work, ana)
    case = await a_case_with(work, ana, contact)
    await people.add_member(work, ana, case.id, bora.name)
    await send_rows(work)
    await contacts.assign(work, ana, contact.id, bora.id)
    await send_rows(work)
    await people.remove_member(work, ana, case.id, bora.name)
    assert await may_read_any(work, bora, contact.id), "it is hers"
    await contacts.assign(work, bora, contact.id, ana.id)
    await send_rows(work)
    assert await may_read_any(work, bora, contact.id), "it was hers"
