"""Whatever happens, and in any order: a person who reads a contact has a cause for it.

The recount of `app/demo/readers.py` knows nothing of the causes that the program notes, only of
owners, cases and openings. It is asked after each act.
"""

import random
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.contacts import contacts, openings
from app.contacts.cases import cases, people
from app.contacts.models import Case, Contact, Opening
from app.contacts.states import ContactChannel
from app.demo import readers
from app.errors import Refusal
from app.jobs.transaction import flush, send_rows
from app.people import leaving
from app.people.emergency import closing, emergencies
from app.staff.emergency_rows import Emergency, EmergencyKind, EmergencyState
from app.staff.models import Staff
from app.work import Work
from tests.support.profile import WHOLE
from tests.support.verbs import a_counsellor, a_supervisor, a_talk, an_administrator

pytestmark = pytest.mark.whole

_SEEDS = range(30) if WHOLE else (3,)
_ACTS = 60 if WHOLE else 35


class Play:
    """A child whom two colleagues know, its cases, and whatever may happen to them."""

    def __init__(self, work: Work, dice: random.Random) -> None:
        self.work, self.dice = work, dice
        self.crew: list[Staff] = []
        self.during: Contact
        self.contacts: list[Contact] = []
        self.cases: list[Case] = []
        self.emergencies: list[UUID] = []

    async def begin(self) -> None:
        work = self.work
        self.vera = await a_supervisor(work, in_team="south")
        self.mila = await an_administrator(work)
        self.crew = [await a_counsellor(work, name) for name in ("ana", "bora", "cana")]
        call, _ = await a_talk(work, self.crew[1])
        await contacts.open_for_call(work, call, self.crew[1].id)
        await send_rows(work)
        of_call = select(Contact).where(Contact.call_id == call.id)
        self.during = (await work.session.scalars(of_call)).one()
        for owner in (self.crew[0], self.crew[0], self.crew[2]):
            made, _ = await contacts.create_contact(work, owner, channel=ContactChannel.CALL)
            await send_rows(work)
            contact = await work.session.get_one(Contact, made.id)
            contact.profile_id = self.during.profile_id
            self.contacts.append(contact)
        self.cases = [await cases.open_case(work, self.crew[0], []) for _ in range(2)]
        await work.session.flush()

    async def act(self) -> str:
        """Let one act happen; a refusal changes nothing."""
        name = self.dice.choice(
            "open open link link unlink add add remove give give_case ask end wait leave".split()
        )
        try:
            async with self.work.session.begin_nested():
                await getattr(self, f"_{name}")()
                await flush(self.work)
        except Refusal:
            for rows in (self.work.rows, self.work.chained, self.work.last_rows):
                rows.clear()
        return name

    def _one(self) -> tuple[Staff, Contact, Case]:
        return (
            self.dice.choice(self.crew),
            self.dice.choice(self.contacts),
            self.dice.choice(self.cases),
        )

    async def _owner_of(self, row: Contact | Case) -> Staff:
        return await self.work.session.get_one(Staff, row.owner_id)

    async def _open(self) -> None:
        await openings.open_earlier(
            self.work, await self._owner_of(self.during), self.during.id, "?"
        )

    async def _link(self) -> None:
        _, contact, case = self._one()
        await cases.link_contact(self.work, await self._owner_of(case), case.id, contact.code)

    async def _unlink(self) -> None:
        _, contact, case = self._one()
        await cases.unlink_contact(self.work, await self._owner_of(case), case.id, contact.id)

    async def _add(self) -> None:
        staff, _, case = self._one()
        await people.add_member(self.work, await self._owner_of(case), case.id, staff.name)

    async def _remove(self) -> None:
        staff, _, case = self._one()
        await people.remove_member(self.work, await self._owner_of(case), case.id, staff.name)

    async def _give(self) -> None:
        staff, contact, _ = self._one()
        await contacts.assign(self.work, await self._owner_of(contact), contact.id, staff.id)

    async def _give_case(self) -> None:
        staff, _, case = self._one()
        if staff.active:
            await people.hand_over(self.work, case, staff)

    async def _ask(self) -> None:
        staff, contact, case = self._one()
        code = self.dice.choice([contact.code, case.code])
        kind, minutes = EmergencyKind.RECORD, self.dice.choice([15, 240])
        row = await emergencies.ask(self.work, staff, kind, "A child in danger", minutes, code)
        await emergencies.decide(self.work, self.vera, row.id, confirm=True)

    async def _end(self) -> None:
        found = await self.work.session.scalar(
            select(Emergency.id).where(Emergency.state == EmergencyState.OPEN).limit(1)
        )
        if found is not None:
            await closing.end(self.work, self.vera, found)

    async def _wait(self) -> None:
        """Let time pass; the jobs that are due run, a little late."""
        work = self.work
        work.now += self.dice.choice([timedelta(minutes=20), timedelta(hours=13)])
        for row in (await work.session.scalars(select(Emergency.id))).all():
            await closing.close_in_time(work, row)
        due = select(Opening.id).where(Opening.until <= work.now)
        for opening in (await work.session.scalars(due)).all():
            await openings.close_opening(work, opening)

    async def _leave(self) -> None:
        staff, _, _ = self._one()
        to = self.dice.choice([one for one in self.crew if one is not staff])
        await leaving.deactivate(
            self.work, staff.id, leaving.everything_to(to.id, uncovered=True), by=self.mila
        )
        await leaving.reactivate(self.work, staff.id, by=self.mila)

    async def broken(self) -> list[tuple[str, ...]]:
        session = self.work.session
        found = [*await session.execute(text(readers.without_a_cause(self.work.now)))]
        found += await session.execute(text(readers.WITHOUT_READING))
        return [tuple(row) for row in found]


@pytest.mark.parametrize("seed", _SEEDS)
async def test_no_sequence_of_acts_leaves_a_reading_without_a_cause(work: Work, seed: int) -> None:
    play = Play(work, random.Random(seed))
    await play.begin()
    await flush(work)
    assert await play.broken() == []
    happened: list[str] = []
    for _ in range(_ACTS):
        happened.append(await play.act())
        assert await play.broken() == [], happened
