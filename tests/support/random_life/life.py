"""The people, lines and pending steps of a random life."""

import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.calls import record
from app.calls.lines.lines import add_line
from app.calls.models import Call
from app.jobs.transaction import flush
from app.routing.models import Presence, PresenceState
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Actor, ActorKind, Ground, Work
from tests.support.random_life import writing

LINES = {
    "+38111116111": "Europe/Belgrade",
    "+56211116111": "America/Santiago",
    "+61211116111": "Australia/Lord_Howe",
}


Step = Callable[["Life"], Awaitable[None]]


@dataclass
class Life:
    """The work of one instant after the other; `seed` decides everything."""

    ground: Ground
    work: Work
    seed: int
    staff: list[Staff] = field(default_factory=list)
    writers: list[Staff] = field(default_factory=list)
    lines: dict[str, UUID] = field(default_factory=dict)
    _heap: list[tuple[datetime, int, Step]] = field(default_factory=list)
    _order: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    @property
    def now(self) -> datetime:
        return self.work.now

    def later(self, seconds: float, step: Step) -> None:
        at = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._heap, (at, next(self._order), step))

    async def live(self, until: datetime) -> None:
        """Let everything happen that is due before an instant."""
        while self._heap and self._heap[0][0] < until:
            at, _, step = heapq.heappop(self._heap)
            self.work.now = at
            await step(self)
            await self.flush()
        self.work.now = until
        await self.commit()

    async def flush(self) -> None:
        """Write what an instant has changed; no other process is there to do it."""
        self.work.jobs.clear()
        self.work.topics.clear()
        await flush(self.work)

    async def commit(self) -> None:
        await self.flush()
        assert self.work.opened is not None
        await self.work.opened.commit()
        self.work.opened.expunge_all()
        # They stay as they are, and are looked for at every step.
        self.work.opened.add_all([*self.staff, *self.writers])

    # -- people --------------------------------------------------------------------------------

    async def begin(self, counsellors: int) -> None:
        for number, zone in LINES.items():
            line = await add_line(
                self.work,
                number=number,
                name=f"Line in {zone}",
                country="RS",
                languages=["sr", "en"],
                timezone=zone,
            )
            self.lines[number] = line.id
        practice = await add_line(
            self.work,
            number="+38111000000",
            name="Practice",
            country="RS",
            languages=["sr"],
            timezone="Europe/Belgrade",
            practice=True,
        )
        self.lines[practice.number] = practice.id
        for n in range(counsellors):
            self.staff.append(
                await accounts.add_staff(
                    self.work,
                    name=f"counsellor {n}",
                    role=Role.COUNSELLOR,
                    lines=[] if n else ["+38111116111"],
                )
            )
        await writing.begin(self)
        await self.commit()

    @property
    def program(self) -> Actor:
        return Actor(ActorKind.PROGRAM)

    def person(self, staff_id: UUID) -> Actor:
        return Actor(ActorKind.PERSON, staff_id)

    async def free(self) -> Staff | None:
        rows = await self.work.session.scalars(
            select(Staff)
            .join(Presence, Presence.counsellor_id == Staff.id)
            .where(Presence.state == PresenceState.AVAILABLE, Staff.chats_at_once == 0)
            .order_by(Staff.name)
        )
        found = list(rows)
        return self.dice.choice(found) if found else None

    async def call(self, call_id: UUID) -> Call:
        return await record.lock_call(self.work, call_id)


async def any_staff(life: Life) -> Staff:
    staff = await life.work.session.get(Staff, life.dice.choice(life.staff).id)
    assert staff is not None
    life.work.actor = Actor(ActorKind.PERSON, staff.id)
    return staff
