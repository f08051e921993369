"""Which counsellors callers can reach now, who is the last one, and when a line is staffed next."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.calls.speech import LineScript
from app.calls.states import Unstaffed
from app.routing.matching import Free, Room, Waiting, could_take
from app.routing.plan import read_plan
from app.routing.rota import on_duty
from app.routing.rota.roster import just_ended, on_shift, rota_of
from app.routing.rota.shifts import Layer
from app.routing.rota.takers import people
from app.work import Work

# Longer than any limit of a line's plan: finds all who could be asked sooner or later.
_ANY_WAIT = timedelta(days=2)


async def lingering(work: Work) -> dict[UUID, on_duty.OnShift]:
    """Return those of `just_ended` who still work: available, offered, on a call or in wrap-up."""
    ended = await just_ended(work)
    if not ended:
        return {}
    takers = await people(work)
    return {who: shift for who, shift in ended.items() if who in takers and takers[who].stays}


async def is_draining(work: Work, line: LineScript, language: str) -> bool:
    """Return whether only counsellors whose shift has ended are left for a line."""
    if not await just_ended(work):
        return False
    found = await staffing(work, line, language, danger=False)
    return found.unstaffed is not None


async def is_last(work: Work, counsellor_id: UUID) -> bool:
    """Return whether no other counsellor on shift serves the same lines and languages.

    Trainees do not count.
    """
    present, takers = await on_shift(work), await people(work)
    mine = takers.get(counsellor_id)
    if mine is None or counsellor_id not in present:
        return False
    for who in present:
        other = takers.get(who)
        if who == counsellor_id or other is None or not other.stays or other.free.training:
            continue
        speaks = not other.free.languages or other.free.languages >= mine.free.languages
        takes = not other.free.lines or other.free.lines >= mine.free.lines
        if speaks and takes and (mine.free.languages or not other.free.languages):
            return False
    return True


# How far ahead the rota is searched.
_STAFFED_WITHIN = timedelta(days=14)


async def next_staffed(
    work: Work, line: LineScript, language: str, *, written: bool = False
) -> datetime | None:
    """Return the next instant by day at which the rota has a counsellor for such a call."""
    probe = Waiting(
        UUID(int=0),
        line.number,
        language,
        work.now - _ANY_WAIT,
        practice=line.practice,
        plan=read_plan(line.plan),
        written=written,
    )
    now = Room((), supervised=True)
    able = {
        who
        for who, person in (await people(work)).items()
        if could_take(replace(person.free, speaks=True), probe, work.now, now)
    }
    plan, zone = read_plan(line.plan), ZoneInfo(line.timezone)
    found = (await rota_of(work)).of(able)
    for duty in on_duty.stretches(found, work.now, work.now + _STAFFED_WITHIN):
        at = max(duty.start, work.now)
        if duty.counsellor_id not in able:
            continue
        if plan.is_night(at, zone):
            at = plan.morning_after(at, zone)
        if at < duty.end:
            return at
    return None


class Staffing(NamedTuple):
    """Whether a counsellor on duty can take such a call; if not, why, and from when on."""

    unstaffed: Unstaffed | None
    resumes_at: datetime | None


async def staffing(
    work: Work,
    line: LineScript,
    language: str,
    *,
    danger: bool,
    excluded: Iterable[UUID] = (),
    arrived_at: datetime | None = None,
    written: bool = False,
) -> Staffing:
    """Ask the rota and the presences about a caller of this line and language.

    `arrived_at`: counsellors who were on shift when the caller arrived still count. `written`: the
    counsellor must be one who writes.
    """
    probe = Waiting(
        UUID(int=0),
        line.number,
        language,
        work.now - _ANY_WAIT,
        danger=danger,
        excluded=frozenset(excluded),
        practice=line.practice,
        plan=read_plan(line.plan),
        written=written,
    )
    present, takers = await on_shift(work), await people(work)
    # A trainee is on the rota, but does not count unless a supervisor is there.
    now = await room(work)
    # A counsellor whose telephone cannot be rung is on duty all the same, and the caller is told
    # so.
    able = {
        who: person
        for who, person in takers.items()
        if could_take(replace(person.free, speaks=True), probe, work.now, now)
    }
    if arrived_at is not None:
        stay = await lingering(work)
        if any(who in able and arrived_at <= ended.until for who, ended in stay.items()):
            return Staffing(None, None)
    on = [who for who in able if who in present]
    if any(able[who].there if written else able[who].counts(present[who].layer) for who in on):
        return Staffing(None, None)
    if on:
        return Staffing(Unstaffed.NO_COUNSELLOR_ON_DUTY, None)
    upcoming = on_duty.next_duty((await rota_of(work)).of(able), work.now, able)
    return Staffing(Unstaffed.OUT_OF_HOURS, upcoming.start if upcoming else None)


def _on_layer(one: Free, layer: Layer) -> Free:
    """Return what a person on a layer can take; a copy takes time, and most are on the first."""
    return one if one.layer is layer else replace(one, layer=layer)


async def room(work: Work) -> Room:
    """Return who is at work on shift now, and whether a supervisor is there."""
    present, takers = await on_shift(work), await people(work)
    there = tuple(
        _on_layer(takers[who].now, on.layer)
        for who, on in present.items()
        if who in takers and takers[who].counts(on.layer)
    ) + tuple(
        replace(takers[who].now, layer=ended.layer, until=ended.until)
        for who, ended in (await lingering(work)).items()
    )
    return Room(there, any(person.supervises for person in takers.values()))
