"""Which caller goes to which counsellor. Pure: plain values in, pairs out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.routing.plan import Plan
from app.routing.shifts import RANK, Layer

# Who declined or missed a caller is not asked again for the same caller for so long.
COOL_OFF = timedelta(seconds=30)
_ANY_LINE = Plan()


@dataclass(frozen=True)
class Waiting:
    """A caller in the queue. `asked` says when whom was last asked in vain.

    `ringing` are those to whom the call is held out just now: for a child in danger
    it may be held out to several at once.
    """

    call_id: UUID
    line: str
    language: str
    queued_at: datetime
    priority: int = 0
    danger: bool = False
    asked: Mapping[UUID, datetime] = field(default_factory=dict)
    skills: Mapping[str, int] = field(default_factory=dict)
    preferred: UUID | None = None
    excluded: frozenset[UUID] = frozenset()
    ringing: frozenset[UUID] = frozenset()
    # How many phones have rung in vain for the caller.
    missed: int = 0
    # Since when skills are asked for: from arrival, or since they were sent on for them.
    skills_since: datetime | None = None
    # Since when they were sent on to the preferred one; unset where it is their own wish.
    preferred_since: datetime | None = None
    practice: bool = False
    plan: Plan = _ANY_LINE

    def waited(self, now: datetime) -> float:
        """Seconds since the first arrival in the queue."""
        return (now - self.queued_at).total_seconds()

    def any_will_do(self, now: datetime) -> bool:
        """Whether skills have been waited for long enough."""
        since = self.skills_since or self.queued_at
        return (now - since).total_seconds() >= self.plan.any_skill_after

    def score(self, now: datetime) -> float:
        """Seconds waited plus priority in seconds; the highest goes first."""
        return self.waited(now) + self.priority


@dataclass(frozen=True)
class Free:
    """A counsellor who is on shift. Empty sets of languages and lines mean no limit."""

    counsellor_id: UUID
    idle_since: datetime
    languages: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()
    skills: Mapping[str, int] = field(default_factory=dict)
    layer: Layer = Layer.PRIMARY
    training: bool = False
    # The shift has ended: only for callers who came before that.
    until: datetime | None = None


@dataclass(frozen=True)
class Room:
    """Who is there besides those who are free: at work, in a talk, writing up.

    `there` is everybody on shift who will come back to the queue, the free ones too.
    """

    there: tuple[Free, ...] = ()
    supervised: bool = True


def speaks(counsellor: Free, language: str) -> bool:
    return not counsellor.languages or language in counsellor.languages


def has_skills(counsellor: Free, wanted: Mapping[str, int]) -> bool:
    return all(counsellor.skills.get(skill, 0) >= level for skill, level in wanted.items())


def could_take(counsellor: Free, caller: Waiting, now: datetime, room: Room) -> bool:
    """Whether this counsellor is one for this caller at all, whoever else there is.

    A child in danger is held out to anyone on the line: a counsellor without the language
    or the skill is better than nobody. Never to one whom the caller does not want.
    """
    if counsellor.counsellor_id in caller.excluded:
        return False
    if counsellor.until is not None and caller.queued_at > counsellor.until:
        return False
    if counsellor.lines and caller.line not in counsellor.lines:
        return False
    if counsellor.training and not room.supervised and not caller.practice:
        return False
    if caller.danger:
        return True
    if not speaks(counsellor, caller.language):
        return False
    skilled = has_skills(counsellor, caller.skills)
    return skilled or caller.any_will_do(now)


def open_layers(caller: Waiting, now: datetime, room: Room) -> frozenset[Layer]:
    """Whom the caller's wait has opened by the line's plan.

    A layer in which nobody is there for this caller is not waited for: the next one opens
    at once, and so it does for each ring that was missed. In danger all are open from the
    beginning.
    """
    if caller.danger:
        return frozenset(Layer)
    waited = caller.waited(now)
    manned = {c.layer for c in room.there if could_take(c, caller, now, room)}
    opened: set[Layer] = set()
    missed = caller.missed
    for layer in Layer:
        if waited < caller.plan.opens_after(layer) and opened & manned:
            if not missed:
                break
            missed -= 1
        opened.add(layer)
    return frozenset(opened)


def may_take(
    counsellor: Free, caller: Waiting, now: datetime, room: Room, layers: Collection[Layer]
) -> bool:
    """Whether this counsellor can be asked for this caller now."""
    if counsellor.layer not in layers or counsellor.counsellor_id in caller.ringing:
        return False
    if not could_take(counsellor, caller, now, room):
        return False
    asked = caller.asked.get(counsellor.counsellor_id)
    return asked is None or now - asked >= COOL_OFF


def waits_for_preferred(caller: Waiting, now: datetime, room: Room) -> bool:
    """Whether the caller wants somebody who is there, and has not waited too long for them."""
    sent_on = caller.preferred_since
    if caller.preferred is None or (caller.danger and sent_on is None):
        return False
    waited = (now - (sent_on or caller.queued_at)).total_seconds()
    asked = caller.asked.get(caller.preferred)
    if waited >= caller.plan.preferred_for or (asked is not None and asked >= (sent_on or asked)):
        return False
    return any(
        c.counsellor_id == caller.preferred and could_take(c, caller, now, room) for c in room.there
    )


def pair(
    callers: Iterable[Waiting], counsellors: Iterable[Free], now: datetime, room: Room | None = None
) -> list[tuple[Waiting, Free]]:
    """Pair callers, best first, each with the best counsellor left.

    Best caller: highest score, then first arrival. Best counsellor: the one whom the caller
    wants, then one who was not asked for this caller before, who speaks the language and has
    the skills, of the first layer, then longest idle. A caller whom nobody can take does
    not stand in the way of the next. Children in danger are held out to more than one once
    everybody else has been looked after.
    """
    left = sorted(counsellors, key=lambda c: (c.idle_since, c.counsellor_id))
    room = room or Room(tuple(left))
    waiting = sorted(callers, key=lambda c: (-c.score(now), c.queued_at, c.call_id))
    pairs: list[tuple[Waiting, Free]] = []
    layers: dict[tuple[object, ...], frozenset[Layer]] = {}
    for caller in waiting:
        if not left:
            return pairs
        if not caller.ringing:
            best = _best(caller, left, now, room, layers)
            if best is not None:
                left.remove(best)
                pairs.append((caller, best))
    for caller in waiting:
        if not caller.danger or waits_for_preferred(caller, now, room):
            continue
        rung = len(caller.ringing) + sum(1 for other, _ in pairs if other is caller)
        while left and 0 < rung < caller.plan.ring_at_once:
            best = _best(caller, left, now, room, layers)
            if best is None:
                break
            left.remove(best)
            pairs.append((caller, best))
            rung += 1
    return pairs


def _best(
    caller: Waiting,
    left: list[Free],
    now: datetime,
    room: Room,
    known: dict[tuple[object, ...], frozenset[Layer]],
) -> Free | None:
    if waits_for_preferred(caller, now, room):
        left = [c for c in left if c.counsellor_id == caller.preferred]
    if not left:
        return None
    opened = _layers(caller, now, room, known)
    able = [c for c in left if may_take(c, caller, now, room, opened)]
    return min(
        able,
        key=lambda c: (
            c.counsellor_id != caller.preferred,
            c.counsellor_id in caller.asked,
            not speaks(c, caller.language),
            not has_skills(c, caller.skills),
            RANK[c.layer],
        ),
        default=None,
    )


def _layers(
    caller: Waiting, now: datetime, room: Room, known: dict[tuple[object, ...], frozenset[Layer]]
) -> frozenset[Layer]:
    """The open layers; callers who differ in nothing that matters share the answer."""
    stage = caller.plan.stage(caller.waited(now))
    skills = tuple(sorted(caller.skills.items()))
    key = (
        caller.line, caller.language, caller.danger, skills, caller.excluded, caller.practice,
        stage, caller.any_will_do(now), caller.missed, id(caller.plan),
    )  # fmt: skip
    if key not in known:
        known[key] = open_layers(caller, now, room)
    return known[key]
