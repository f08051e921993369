"""Which caller goes to which counsellor. Pure: plain values in, pairs out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.calls.chat_rules import ChatRules
from app.routing.plan import Plan
from app.routing.rota.shifts import RANK, Layer

# A counsellor who declined or missed a caller is not asked again for that caller for this long.
COOL_OFF = timedelta(seconds=30)
_ANY_LINE = Plan()
_ANY_CHAT = ChatRules()


@dataclass(frozen=True)
class Waiting:
    """A caller in the queue.

    `asked`: when each counsellor last declined or missed the call. `ringing`: the counsellors to
    whom the call is offered now; the call of a child in danger may ring at several.
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
    # How many offers of this call were missed.
    missed: int = 0
    # Since when skills are asked for: from arrival, or from a transfer to a skill.
    skills_since: datetime | None = None
    # When the caller was transferred to the preferred counsellor; unset if it is their own wish.
    preferred_since: datetime | None = None
    practice: bool = False
    plan: Plan = _ANY_LINE
    # A conversation in writing, and the line's rules for it.
    written: bool = False
    chat: ChatRules = _ANY_CHAT
    # For a call-back: the counsellor who writes with this very child now.
    writes_with: UUID | None = None

    def waited(self, now: datetime) -> float:
        """Return the seconds since the first arrival in the queue."""
        return (now - self.queued_at).total_seconds()

    def any_will_do(self, now: datetime) -> bool:
        """Return whether the caller has waited long enough for a counsellor with the skills."""
        since = self.skills_since or self.queued_at
        return (now - since).total_seconds() >= self.plan.any_skill_after

    def score(self, now: datetime) -> float:
        """Return seconds waited plus priority in seconds; the highest score goes first."""
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
    # When the shift ended; then only for callers who arrived before that.
    until: datetime | None = None
    # The platform can connect calls to them; a counsellor without a telephone can still write.
    speaks: bool = True
    # A call can ring at them now: they are available, and their telephone is ready.
    rings: bool = True
    # How many conversations they can have at once, and how many they have, with open offers.
    at_once: int = 0
    writing: int = 0
    # A conversation is offered to them now.
    deciding: bool = False

    def may_write(self, caller: Waiting) -> int:
        """Return how many conversations they can have when this one is begun.

        A child in danger may come on top: to wait for the end of another talk takes too long.
        """
        if not self.at_once:
            return 0
        return min(self.at_once, caller.chat.at_once) + caller.danger


@dataclass(frozen=True)
class Room:
    """The counsellors at work, whether free, in a talk or in wrap-up.

    `there` is every counsellor on shift who will take calls again, including the free ones.
    """

    there: tuple[Free, ...] = ()
    supervised: bool = True


def speaks(counsellor: Free, language: str) -> bool:
    return not counsellor.languages or language in counsellor.languages


def has_skills(counsellor: Free, wanted: Mapping[str, int]) -> bool:
    return all(counsellor.skills.get(skill, 0) >= level for skill, level in wanted.items())


def writes_with_others(counsellor: Free, caller: Waiting) -> bool:
    """Return whether the counsellor writes with other children than this one, or is asked to."""
    return counsellor.writing > (caller.writes_with == counsellor.counsellor_id)


def takes_line(counsellor: Free, caller: Waiting) -> bool:
    """Return whether the counsellor takes calls of the caller's line.

    A caller who rang a number of no line is answered by any counsellor: none has that line.
    """
    return not counsellor.lines or not caller.line or caller.line in counsellor.lines


def could_take(counsellor: Free, caller: Waiting, now: datetime, room: Room) -> bool:
    """Return whether this counsellor could take this caller at all, ignoring other counsellors.

    The call of a child in danger is offered to every counsellor of the line: one without the
    language or the skill is better than none. Never to a counsellor whom the caller refuses.
    """
    if counsellor.counsellor_id in caller.excluded:
        return False
    if counsellor.until is not None and caller.queued_at > counsellor.until:
        return False
    if not takes_line(counsellor, caller):
        return False
    if counsellor.training and not room.supervised and not caller.practice:
        return False
    if not (counsellor.at_once if caller.written else counsellor.speaks):
        return False
    if caller.danger:
        return True
    if not speaks(counsellor, caller.language):
        return False
    skilled = has_skills(counsellor, caller.skills)
    return skilled or caller.any_will_do(now)


def open_layers(caller: Waiting, now: datetime, room: Room) -> frozenset[Layer]:
    """Return the layers that the caller's wait has opened, by the line's plan.

    If no open layer has a counsellor for this caller, the next layer opens at once. Each
    missed offer also opens one more layer. For a child in danger all layers are open from the
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
    """Return whether this counsellor can be asked for this caller now."""
    if counsellor.layer not in layers or counsellor.counsellor_id in caller.ringing:
        return False
    if caller.written:
        if counsellor.deciding or counsellor.writing >= counsellor.may_write(caller):
            return False
    elif not counsellor.rings or (writes_with_others(counsellor, caller) and not caller.danger):
        return False
    if not could_take(counsellor, caller, now, room):
        return False
    asked = caller.asked.get(counsellor.counsellor_id)
    return asked is None or now - asked >= COOL_OFF


def waits_for_preferred(caller: Waiting, now: datetime, room: Room) -> bool:
    """Return whether the caller still waits for a preferred counsellor who is at work."""
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

    Best caller: highest score, then first arrival. Best counsellor: the preferred one, then one
    who was not asked for this caller before, who speaks the language and has the skills, of the
    first layer, then longest idle. A caller whom no counsellor can take does not block the
    next. A child in danger is offered to more than one counsellor, after all other callers
    have been paired.

    A counsellor who writes gets more conversations while they have room, those with the fewest
    first; the call of a child in danger rings at one of them only if no other can take it. A
    call-back rings at the counsellor who writes with its child and with no other.
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
            calm = left if caller.written else [c for c in left if not c.writing]
            best = _best(caller, calm, now, room, layers)
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
    asked = left
    if waits_for_preferred(caller, now, room):
        asked = [c for c in left if c.counsellor_id == caller.preferred]
    if not asked:
        return None
    opened = _layers(caller, now, room, known)
    able = [c for c in asked if may_take(c, caller, now, room, opened)]
    if caller.written:
        able = [c for c in able if _is_spared(c, caller, left, now)]
    return min(
        able,
        key=lambda c: (
            not caller.written and writes_with_others(c, caller),
            c.counsellor_id != caller.preferred,
            c.counsellor_id in caller.asked,
            not speaks(c, caller.language),
            not has_skills(c, caller.skills),
            RANK[c.layer],
            c.writing,
        ),
        default=None,
    )


def _is_spared(counsellor: Free, caller: Waiting, left: list[Free], now: datetime) -> bool:
    """Return whether enough counsellors are left for calls if this one begins to write."""
    rules = caller.chat
    if caller.danger or not rules.reserve or caller.waited(now) >= rules.reserve_seconds:
        return True
    if counsellor.writing or not counsellor.rings:
        return True
    others = sum(
        c.rings and not c.writing and takes_line(c, caller) for c in left if c is not counsellor
    )
    return others >= rules.reserve


def _layers(
    caller: Waiting, now: datetime, room: Room, known: dict[tuple[object, ...], frozenset[Layer]]
) -> frozenset[Layer]:
    """Return the open layers. Callers that are alike in all that matters share one result."""
    stage = caller.plan.stage(caller.waited(now))
    skills = tuple(sorted(caller.skills.items()))
    key = (
        caller.line,
        caller.language,
        caller.danger,
        skills,
        caller.excluded,
        caller.practice,
        caller.written,
        stage,
        caller.any_will_do(now),
        caller.missed,
        id(caller.plan),
    )
    if key not in known:
        known[key] = open_layers(caller, now, room)
    return known[key]
