"""The queue: matching the waiting callers, which runs after every commit that matters."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    CompoundSelect,
    DateTime,
    Row,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    null,
    or_,
    select,
    true,
    union_all,
)

from app.calls import platform
from app.calls.chat_rules import ChatRules, read_chat
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import LineLanguage
from app.calls.models import Call
from app.calls.states import WRITTEN, CallState, Channel, Direction
from app.jobs.transaction import transaction
from app.routing import offers_held
from app.routing.callbacks import rung_by_writer
from app.routing.matching import Free, Waiting, pair
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.offers import open_offer
from app.routing.plan import Plan, read_plan, read_skills
from app.routing.presence import ensure_presence
from app.routing.rota import roster, staffing, takers
from app.routing.rota.shifts import Layer
from app.routing.telephone_state import may_ring
from app.routing.telephones import can_write, seen_since
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

# The most callers of one line and language that one page of matching reads.
_LARGEST_PAGE = 500
_USUAL = Plan()
_ANY_CHAT = ChatRules()
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_PRESENT = (PresenceState.AVAILABLE, PresenceState.WRITING)
# A counsellor with an on-call phone need not be signed in.
_NOT_SIGNED_IN = [PresenceState.OFF_DUTY, PresenceState.AWAY]


async def pairs_now(work: Work) -> list[tuple[Waiting, Free]]:
    """Return which callers should be offered to which counsellors at this instant.

    Callers are read a page at a time, the best of each line and language first. The next page
    is read only while a counsellor is still free, so a long queue costs no more than a
    short one, and no caller is overlooked.
    """
    counsellors = await _free_counsellors(work)
    if not counsellors:
        return []
    room = await staffing.room(work)
    pairs: list[tuple[Waiting, Free]] = []
    size = min(max(8, 2 * len(counsellors)), _LARGEST_PAGE)
    for page in itertools.count():
        taken = {free.counsellor_id for _, free in pairs}
        left = [c for c in counsellors if c.counsellor_id not in taken]
        if not left:
            break
        callers, more = await _callers(work, left, size, page)
        pairs += pair(callers, left, work.now, room)
        if not more:
            break
    return pairs


async def match_once(work: Work) -> Counter["Claimed"]:
    """Offer the best callers to the best free counsellors. Return what came of how many pairs."""
    found = Counter[Claimed]()
    for caller, counsellor in await pairs_now(work):
        found[await _claim(work, caller, counsellor)] += 1
    return found


# Built once: these statements run after every commit that matters.
_SHOWN = (
    Call.id,
    Call.line_id,
    Call.language,
    Call.queued_at,
    Call.priority,
    Call.danger,
    Call.wanted_skills,
    Call.wanted_skills_at,
    Call.preferred_id,
    Call.excluded_ids,
    Call.preferred_at,
    Call.direction,
    Call.channel,
)
_NO_WRITER = cast(null(), Uuid).label("writes_with")
_CHANNELS = (
    func.unnest(bindparam("channels", type_=ARRAY(Text)))
    .table_valued("channel", name="channels")
    .render_derived()
)
_OF_CLASS = (
    select(*_SHOWN, _NO_WRITER)
    .where(
        Call.state == CallState.QUEUED,
        Call.danger.is_(False),
        Call.callback_id.is_(None),
        Call.rings_only_id.is_(None),
        Call.line_id == LineLanguage.line_id,
        Call.language == LineLanguage.language,
        Call.channel == _CHANNELS.c.channel,
    )
    .order_by(Call.ranked_at, Call.id)
    .limit(bindparam("size"))
    .offset(bindparam("offset"))
    .lateral("waiting")
)
_CLASSES = (
    select(*_OF_CLASS.c)
    .select_from(LineLanguage)
    .join(_CHANNELS, true())
    .join(_OF_CLASS, true())
    .where(
        LineLanguage.line_id == any_(bindparam("lines")),
        or_(
            bindparam("any_language", type_=Boolean()),
            LineLanguage.language == any_(bindparam("languages", type_=ARRAY(Text))),
        ),
    )
)
# Calls on an unknown number, call-backs and children in danger are few: the first page has all.
_UNKNOWN_LINE = select(*_SHOWN, _NO_WRITER).where(
    Call.state == CallState.QUEUED, Call.danger.is_(False), Call.line_id.is_(None)
)
_CALLED_BACK = select(*_SHOWN, rung_by_writer.WRITES_WITH.label("writes_with")).where(
    Call.state == CallState.QUEUED,
    Call.danger.is_(False),
    Call.line_id.is_not(None),
    Call.callback_id.is_not(None),
)
_IN_DANGER = select(*_SHOWN, _NO_WRITER).where(
    Call.state.in_((CallState.QUEUED, CallState.OFFERED)), Call.danger.is_(True)
)
_FIRST_PAGE: CompoundSelect[Any] = union_all(_CLASSES, _UNKNOWN_LINE, _CALLED_BACK, _IN_DANGER)
# What a counsellor has in writing: conversations and open offers of them.
_HELD = (
    select(
        func.count().label("writing"),
        func.bool_or(Offer.state == OfferState.OPEN).label("deciding"),
    )
    .where(Offer.counsellor_id == Staff.id, Offer.released_at.is_(None), Offer.slot.is_not(None))
    .lateral("held")
)
_FREE = (
    select(
        Staff.id,
        Presence.idle_since,
        Presence.state,
        func.coalesce(may_ring(), False).label("rings"),
        can_write(bindparam("seen", type_=DateTime(timezone=True))).label("writes"),
        _HELD.c.writing,
        _HELD.c.deciding,
    )
    .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
    .join(_HELD, true())
    .where(
        Staff.active,
        or_(
            and_(
                Presence.state == PresenceState.AVAILABLE,
                or_(may_ring(), can_write(bindparam("seen", type_=DateTime(timezone=True)))),
            ),
            # A state that they chose for afterwards means that they want no more.
            and_(Presence.state == PresenceState.WRITING, Presence.after_call.is_(None)),
            and_(
                Staff.id == any_(bindparam("on_call", type_=ARRAY(Uuid))),
                or_(Presence.state.is_(None), Presence.state.in_(_NOT_SIGNED_IN)),
            ),
        ),
    )
)


async def _callers(
    work: Work, counsellors: list[Free], size: int, page: int
) -> tuple[list[Waiting], bool]:
    """Return a page of callers on lines and in languages that these counsellors take, and whether
    there are more."""
    known = await finding_lines.call_rules(work)
    wanted = [
        line_id
        for line_id, rules in known.items()
        if any(not c.lines or rules.number in c.lines for c in counsellors)
    ]
    values = {
        "size": size,
        "offset": size * page,
        "channels": _channels_of(counsellors),
        "lines": wanted,
        "any_language": not all(c.languages for c in counsellors),
        "languages": sorted({language for c in counsellors for language in c.languages}),
    }
    rows = (await work.session.execute(_CLASSES if page else _FIRST_PAGE, values)).all()
    asked, ringing, accepted, missed = await _offers_of(work, [row.id for row in rows])
    plans: dict[UUID | None, Plan] = {
        line_id: read_plan(rules.plan) for line_id, rules in known.items()
    }
    found = []
    # Where a call-back is dialled from the counsellor's leg, their phone must ring.
    rings_callbacks = platform.rings_callbacks(work)
    silent = frozenset(who for who, one in (await takers.people(work)).items() if not one.rings)
    for row in rows:
        if row.queued_at is None or row.id in accepted:
            continue
        excluded = frozenset(row.excluded_ids)
        if row.direction == Direction.OUTBOUND and not rings_callbacks:
            excluded |= silent
        rules, plan = known.get(row.line_id), plans.get(row.line_id, _USUAL)
        written = Channel(row.channel).is_written
        found.append(
            Waiting(
                row.id,
                rules.number if rules else "",
                row.language or "",
                row.queued_at,
                row.priority,
                row.danger,
                asked.get(row.id, {}),
                {**plan.skills, **read_skills(row.wanted_skills)},
                row.preferred_id,
                excluded,
                frozenset(ringing.get(row.id, ())),
                missed[row.id],
                row.wanted_skills_at,
                row.preferred_at,
                rules.practice if rules else False,
                plan,
                written,
                read_chat(rules.chat) if rules and written else _ANY_CHAT,
                row.writes_with,
            )
        )
    return found, _has_full_class(rows, size)


def _has_full_class(rows: Sequence[Row[Any]], size: int) -> bool:
    """Return whether a page has as many callers of one line and language as it can: there may be
    more."""
    of_class = Counter(
        (row.line_id, row.language, row.channel)
        for row in rows
        if not row.danger and row.direction == Direction.INBOUND
    )
    return any(count == size for count in of_class.values())


def _channels_of(counsellors: list[Free]) -> list[str]:
    """Return in which ways these counsellors can take callers who are not in danger."""
    found = [Channel.VOICE] if any(c.rings and not c.writing for c in counsellors) else []
    if any(c.writing < c.at_once and not c.deciding for c in counsellors):
        found += WRITTEN
    return [channel.value for channel in found]


async def _offers_of(
    work: Work, calls: list[UUID]
) -> tuple[dict[UUID, dict[UUID, datetime]], dict[UUID, set[UUID]], set[UUID], Counter[UUID]]:
    """Return, per call: past offers, who is ringing now, which calls are taken, offers missed."""
    asked: dict[UUID, dict[UUID, datetime]] = {}
    ringing: dict[UUID, set[UUID]] = {}
    accepted: set[UUID] = set()
    missed = Counter[UUID]()
    if not calls:
        return asked, ringing, accepted, missed
    rows = await work.session.execute(_OFFERS, {"calls": calls})
    for call_id, counsellor_id, slot, state, released_at in rows:
        if released_at is None:
            ringing.setdefault(call_id, set()).add(counsellor_id)
            if state != OfferState.OPEN:
                accepted.add(call_id)
        elif state in (OfferState.DECLINED, OfferState.MISSED):
            mine = asked.setdefault(call_id, {})
            mine[counsellor_id] = max(released_at, mine.get(counsellor_id, released_at))
            missed[call_id] += state == OfferState.MISSED
        elif slot is not None and state == OfferState.CONNECTED:
            # They wrote with this child and handed the talk on: others are asked before them.
            asked.setdefault(call_id, {})[counsellor_id] = released_at
    return asked, ringing, accepted, missed


_OFFERS = select(
    Offer.call_id, Offer.counsellor_id, Offer.slot, Offer.state, Offer.released_at
).where(Offer.call_id == any_(bindparam("calls", type_=ARRAY(Uuid))))


async def _free_counsellors(work: Work) -> list[Free]:
    present = await roster.on_shift(work)
    on_call = [who for who, on in present.items() if on.layer is Layer.ON_CALL]
    values = {"on_call": on_call, "seen": seen_since(work)}
    rows = (await work.session.execute(_FREE, values)).all()
    if not rows:
        return []
    people = await takers.people(work)
    rows = [
        row for row in rows if row.state in _PRESENT or (row.id in people and people[row.id].rings)
    ]
    ended = await roster.just_ended(work)
    found = []
    for row in rows:
        on = present.get(row.id) or ended.get(row.id)
        person = people.get(row.id)
        if on is None or person is None:
            continue
        found.append(
            replace(
                person.free,
                idle_since=row.idle_since or _LONG_AGO,
                layer=on.layer,
                until=None if row.id in present else on.until,
                rings=person.reachable and row.rings,
                at_once=person.free.at_once if row.writes else 0,
                writing=row.writing,
                deciding=bool(row.deciding),
            )
        )
    return [free for free in found if (free.speaks and free.rings) or free.at_once]


class Claimed(Enum):
    """What came of a pair."""

    OFFERED = auto()
    # Another transaction has the call or the presence, and may leave it as it is.
    LOCKED = auto()
    UNFIT = auto()


async def _claim(work: Work, caller: Waiting, counsellor: Free) -> Claimed:
    """Lock call and presence and open the offer, if both are unlocked and still suitable."""
    waits = (Call.id == caller.call_id, Call.state.in_((CallState.QUEUED, CallState.OFFERED)))
    call = await work.session.scalar(
        select(Call)
        .where(*waits)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if call is None:
        return await _locked_or_unfit(work, select(Call.id).where(*waits))
    if call.state == CallState.OFFERED and not await _may_ring_more(work, call, caller.plan):
        return Claimed.UNFIT
    if counsellor.layer is Layer.ON_CALL:
        await ensure_presence(work, counsellor.counsellor_id)
    free = (
        Presence.counsellor_id == counsellor.counsellor_id,
        *_still_free(work, call, caller, counsellor),
    )
    row = (
        await work.session.execute(
            select(Presence, Staff)
            .join(Staff, Staff.id == Presence.counsellor_id)
            .where(*free)
            .with_for_update(skip_locked=True, of=Presence)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    if row is None:
        there = select(Presence.counsellor_id).join(Staff, Staff.id == Presence.counsellor_id)
        return await _locked_or_unfit(work, there.where(*free))
    presence, staff = row
    slot = None
    writes = presence.state == PresenceState.WRITING and not call.is_written and not call.danger
    # A conversation may have been offered since the pairs were read.
    if writes and not await rung_by_writer.writes_with_no_other(work, staff.id, call):
        return Claimed.UNFIT
    if call.is_written:
        now = replace(counsellor, at_once=staff.chats_at_once)
        slot = await offers_held.free_slot(work, staff.id, now.may_write(caller))
        if slot is None:
            return Claimed.UNFIT
    await open_offer(work, call, staff, presence, slot=slot)
    return Claimed.OFFERED


def _still_free(
    work: Work, call: Call, caller: Waiting, counsellor: Free
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a counsellor can be asked for a locked call."""
    writes = and_(Presence.state == PresenceState.WRITING, Presence.after_call.is_(None))
    if call.is_written:
        return (can_write(seen_since(work)), or_(Presence.state != PresenceState.WRITING, writes))
    states = [PresenceState.AVAILABLE]
    if counsellor.layer is Layer.ON_CALL:
        states += _NOT_SIGNED_IN
    available = Presence.state.in_(states)
    also_writing = call.danger or caller.writes_with == counsellor.counsellor_id
    return (or_(available, writes) if also_writing else available, may_ring())


async def _locked_or_unfit(work: Work, still: Select[UUID]) -> Claimed:
    found = await work.session.scalar(still)
    return Claimed.UNFIT if found is None else Claimed.LOCKED


async def _may_ring_more(work: Work, call: Call, plan: Plan) -> bool:
    """Return whether a ringing call may ring at one more phone: in danger, until it is taken."""
    if not call.danger:
        return False
    states = await work.session.scalars(
        select(Offer.state).where(Offer.call_id == call.id, Offer.released_at.is_(None))
    )
    found = list(states)
    return all(state == OfferState.OPEN for state in found) and len(found) < plan.ring_at_once


# A caller whose webhook is being decided is locked, and no topic says when the lock is gone. So
# matching looks again after this time, this often; then the sweep is soon there. Seconds.
_LOCKED_FOR, _LOOKS = 0.03, 10


async def match(ground: Ground) -> int:
    """Run matching in transactions of its own until it finds nothing more to pair."""
    total = looks = 0
    while True:
        async with transaction(ground, PROGRAM) as work:
            found = await match_once(work)
        total += found[Claimed.OFFERED]
        if found[Claimed.OFFERED]:
            continue
        if not found[Claimed.LOCKED] or looks == _LOOKS:
            return total
        looks += 1
        await asyncio.sleep(_LOCKED_FOR)
