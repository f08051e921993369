"""The people who can take calls, and what each of them can take."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.abilities import EndpointKind
from app.calls import platform
from app.database.topics import Topic
from app.routing.matching import Free
from app.routing.models import Presence, PresenceState
from app.routing.plan import read_skills
from app.routing.rota.shifts import Layer
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import Work

# The roles that may be on duty.
TAKERS = [role.value for role in Role if may(role, Permission.TAKE_CALLS)]
# Presences change all the time, so they are cached for less time.
_BELIEVED_PRESENCE = timedelta(seconds=1)


class Person(NamedTuple):
    """A member of staff who takes calls: what they can take, and whether they are signed in."""

    free: Free
    there: bool
    supervises: bool
    # Whether the telephony platform can connect a call to them, and whether their phone rings by
    # itself.
    reachable: bool
    rings: bool
    # Whether they are still at work when their shift has ended.
    stays: bool

    def counts(self, layer: Layer) -> bool:
        """Return whether a caller can wait for them: signed in, or on call with a ringing phone."""
        return self.there or (layer is Layer.ON_CALL and self.rings)

    @property
    def now(self) -> Free:
        """Return what they can take now: only a person who is signed in can write."""
        return self.free if self.there else replace(self.free, at_once=0)


_AT_WORK = (
    PresenceState.AVAILABLE,
    PresenceState.OFFERED,
    PresenceState.ON_CALL,
    PresenceState.WRITING,
    PresenceState.WRAP_UP,
)
_PEOPLE = (
    select(
        Staff.id,
        Staff.languages,
        Staff.lines,
        Staff.skills,
        Staff.training,
        Staff.role,
        Staff.endpoint_kind,
        Staff.chats_at_once,
        Presence.state,
        Presence.heartbeat_at,
    )
    .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
    .where(
        Staff.active, Staff.role.in_([role for role in Role if may(role, Permission.TAKE_CALLS)])
    )
)


async def people(work: Work) -> dict[UUID, Person]:
    """Return all who take calls, and whether they are signed in for duty.

    A counsellor on a break or in wrap-up counts, because they come back. A counsellor who was set
    away counts only while their browser still sends requests.
    """
    known: dict[UUID, Person] | None = work.ground.memory.recall(Topic.PRESENCE, "all", work.now)
    if known is not None:
        return known
    stale = work.now - timedelta(seconds=work.settings.heartbeat_seconds)
    found = {}
    for row in await work.session.execute(_PEOPLE):
        signed_in = row.state is not None and row.state != PresenceState.OFF_DUTY
        there = signed_in
        if row.state == PresenceState.AWAY:
            there = row.endpoint_kind == EndpointKind.BROWSER and row.heartbeat_at > stale
        reachable = platform.rings(work.settings, row.endpoint_kind)
        free = Free(
            row.id,
            work.now,
            frozenset(row.languages),
            frozenset(row.lines),
            _skills(row.skills),
            training=row.training,
            speaks=reachable,
            at_once=row.chats_at_once,
        )
        writes = row.chats_at_once > 0
        supervises = (
            signed_in
            and may(row.role, Permission.SUPERVISE)
            and row.state not in (PresenceState.AWAY, PresenceState.BREAK)
        )
        rings = platform.rings_first(work, row.endpoint_kind)
        stays = (reachable or writes) and row.state in _AT_WORK
        there = there and (reachable or writes)
        found[row.id] = Person(free, there, supervises, reachable, rings, stays)
    work.ground.memory.keep(Topic.PRESENCE, "all", found, work.now + _BELIEVED_PRESENCE)
    return found


def _skills(words: list[str]) -> dict[str, int]:
    try:
        return read_skills(words)
    except ValueError:
        # Stored before skills had levels, as free text.
        return {}
