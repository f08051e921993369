"""A record in which a counsellor writes is not erased under their hands."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.calls.models import Call
from app.contacts import completing, contacts
from app.contacts.models import Case, Contact
from app.contacts.records import Opened
from app.contacts.saving import Change
from app.contacts.scopes import Erased
from app.contacts.states import ContactChannel
from app.jobs.transaction import flush, transaction
from app.retention.data_requests import answering, erasing, lists, requests
from app.retention.data_requests.kinds import ItemKind, Keep, RequestKind, RequestState
from app.retention.data_requests.models import DataRequest, RequestItem
from app.staff.models import Staff
from app.work import PROGRAM, Actor, ActorKind, Ground, Work
from tests.fixtures import ReadingsOf
from tests.support import planted
from tests.support.planted import as_person
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.retention.requested import (
    NUMBER,
    a_caller,
    a_person,
    approved,
    erase,
    found_by,
)
from tests.support.retention.written_once import Told

pytestmark = pytest.mark.whole

OPEN = Keep.STILL_OPEN
# What a counsellor writes: of another child, and of a new danger.
WORDS = "Sestra se boji oca"
SUMMARY = "actions.summary"


async def save(work: Work, staff: Staff, contact_id: UUID) -> None:
    """Write into an open record."""
    as_person(work, staff)
    contact = await work.session.get_one(Contact, contact_id)
    change = Change(SUMMARY, WORDS, contact.revision)
    _, saved = await contacts.save(work, staff, contact_id, [change])
    assert (saved.refused, saved.conflicts) == ({}, {})
    await flush(work)


async def kept_of(work: Work, request: DataRequest) -> dict[str, str | None]:
    items = await requests.items_of(work, request)
    return {item.kind: item.keep for item in items}


async def reopened(work: Work, staff: Staff, contact_id: UUID) -> None:
    as_person(work, staff)
    await completing.reopen(work, staff, contact_id, "She rang again.")
    await flush(work)


async def read(work: Work, contact_id: UUID) -> Any:
    contact = await work.session.get_one(Contact, contact_id, populate_existing=True)
    return Opened(work, contact).answer(SUMMARY)


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_a_record_that_was_reopened_since_stays_with_what_belongs_to_it(work: Work) -> None:
    boss, call, contact = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await reopened(work, boss, contact.id)
    await save(work, boss, contact.id)
    await erase(work, request)
    for one in (contact, call):
        await work.session.refresh(one)
    assert contact.erased_at is None
    assert call.caller_key is not None
    # What is the number's alone stays with it: the officer has the request again, with the reason.
    assert (request.state, request.counts) == (RequestState.FOUND, {})
    assert request.kept == {OPEN: 9}
    # The form goes on, and nothing that was written is lost.
    assert await read(work, contact.id) == WORDS
    await save(work, boss, contact.id)
    await completing.complete(work, boss, contact.id)


@nightly
@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_if_a_record_in_work_keeps_all_the_officer_has_the_request_again(work: Work) -> None:
    boss, _, contact = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await reopened(work, boss, contact.id)
    await erase(work, request)
    assert (request.state, request.counts) == (RequestState.FOUND, {})
    assert set((await kept_of(work, request)).values()) == {OPEN}


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_an_open_draft_is_kept_when_it_is_found_and_a_report_shows_it(work: Work) -> None:
    boss, _, _ = await a_person(work)
    as_person(work, boss)
    changes = planted.changes_of(planted.CHILD)
    draft, _ = await contacts.create_contact(
        work, boss, channel=ContactChannel.WALK_IN, changes=changes
    )
    await flush(work)
    request = await found_by(work, boss, draft.code)
    assert await kept_of(work, request) == {"contact": OPEN}
    request = await found_by(work, boss, draft.code, RequestKind.ACCESS)
    assert await kept_of(work, request) == {"contact": None}
    # One whose time was over is no work any more.
    await work.session.execute(
        text("UPDATE contacts SET erased_at = now() WHERE id = :id"), {"id": draft.id}
    )
    request = await found_by(work, boss)
    assert OPEN not in (await kept_of(work, request)).values()


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_what_is_in_work_when_an_erasure_begins_is_not_in_its_list(work: Work) -> None:
    """A restore erases by the list alone."""
    boss, _, contact = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await reopened(work, boss, contact.id)
    await erasing.keep_first(work, request.id)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    assert listed.rows == {}


@nightly
@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_a_call_stays_with_a_record_that_was_completed_again_before_its_turn(
    work: Work,
) -> None:
    """The record was kept as it was open: its call must not go without it."""
    boss, call, contact = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    work.actor = PROGRAM
    assert await erasing.erase_some(work, request.id, ItemKind.REFERRAL)
    await reopened(work, boss, contact.id)
    await save(work, boss, contact.id)
    work.actor = PROGRAM
    while await erasing.erase_some(work, request.id, ItemKind.CONTACT):
        pass
    as_person(work, boss)
    await completing.complete(work, boss, contact.id)
    await flush(work)
    await erase(work, request)
    for one in (contact, call):
        await work.session.refresh(one)
    assert contact.erased_at is None
    assert contact.profile_id is not None
    assert call.caller_key is not None
    case = (await work.session.scalars(select(Case))).one()
    assert case.erased_at is None
    assert request.counts == {"referral": 1, "flag": 1, "wish": 1}


# -- at the same instant -------------------------------------------------------------------------


async def _approved(ground: Ground, of: Told[Any] = a_caller) -> tuple[UUID, UUID, UUID]:
    """Return an approved erasure, and the counsellor and the contact of the person."""
    async with transaction(ground, PROGRAM) as work:
        # Elsewhere readings are committed by themselves, and would wait for this transaction.
        ground.kept["readings"] = ReadingsOf(work)
        boss, _, contact = await of(work)
        request = await found_by(work, boss, NUMBER)
        await approved(work, boss, request)
        found = request.id, boss.id, contact.id
    del ground.kept["readings"]
    return found


async def _waits_for_a_row(ground: Ground) -> None:
    """Return when a transaction waits for a row that another one has locked."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(20):
        while True:
            async with transaction(ground, PROGRAM, aside=True) as work:
                if await work.session.scalar(waiting):
                    return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("begun", by_day([False, True]))
async def test_a_record_that_is_reopened_at_the_same_instant_is_kept(
    ground: Ground, begun: bool
) -> None:
    """The erasure comes to the record while the counsellor has it locked."""
    request_id, boss_id, contact_id = await _approved(
        ground, a_person if begun or WHOLE else a_caller
    )
    if begun:
        assert await erasing.one_batch(ground, request_id, ItemKind.REFERRAL)
    person = Actor(ActorKind.PERSON, boss_id)
    async with transaction(ground, person) as work:
        boss = await work.session.get_one(Staff, boss_id)
        await completing.reopen(work, boss, contact_id, "She rang again.")
        # The rows of the contact are written, and are not to be seen yet.
        await save(work, boss, contact_id)
        running = asyncio.create_task(
            erasing.one_batch(ground, request_id, ItemKind.CONTACT)
            if begun
            else answering.carry_out(ground, request_id)
        )
        await _waits_for_a_row(ground)
    await running
    async with transaction(ground, person) as work:
        contact = await work.session.get_one(Contact, contact_id)
        assert contact.erased_at is None
        assert await read(work, contact_id) == WORDS
        item = await work.session.scalar(
            select(RequestItem).where(RequestItem.subject_id == contact_id)
        )
        assert item is None or item.keep == OPEN
        request = await requests.read_request(work, request_id)
        # With all that belongs to it; by day the record of a caller has less.
        assert begun or request.kept == {OPEN: 9 if WHOLE else 3}


@nightly
async def test_a_record_that_an_erasure_has_locked_is_not_reopened(ground: Ground) -> None:
    """The counsellor hears at once that it is erased, and has no form that saves into nothing."""
    request_id, boss_id, contact_id = await _approved(ground)
    person = Actor(ActorKind.PERSON, boss_id)

    async def reopen() -> None:
        async with transaction(ground, person) as work:
            boss = await work.session.get_one(Staff, boss_id)
            await completing.reopen(work, boss, contact_id, "She rang again.")

    async with transaction(ground, PROGRAM) as work:
        assert await erasing.erase_some(work, request_id, ItemKind.CONTACT)
        running = asyncio.create_task(reopen())
        await _waits_for_a_row(ground)
    with pytest.raises(Erased):
        await running
    async with transaction(ground, PROGRAM) as work:
        contact = await work.session.get_one(Contact, contact_id)
        assert contact.erased_at is not None
        assert contact.state == "complete"
        assert await work.session.scalar(select(Call.id)) is not None
