"""The one place that says whether a number is dialled, and counts what was.

A number is checked when it is entered, and again when it is dialled: the rules may have changed.
Limits are for people. What the program itself dials, such as the duty phones of an urgent referral,
is counted and never held up by a limit.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls.lines.line_rows import Line
from app.database.topics import Topic
from app.dialling.models import AnsweredBy, Dial, DialledFor, DiallingRules, DialWay
from app.dialling.rules import (
    Rules,
    Why,
    country_of,
    why_not_address,
    why_not_answered,
    words_of,
)
from app.errors import Invalid, TooMany
from app.jobs.transaction import transaction
from app.log import log
from app.privacy.numbers import dialled_from, international_from
from app.staff import accounts
from app.work import PROGRAM, Ground, Work

_BELIEVED = timedelta(seconds=30)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Texts, by their parts, with which the program itself answers numbers of countries that are not
# dialled, in an hour; and numbers that wrote, are not answered, and become a task. Senders of texts
# can be forged, and each answer costs: with this, less than a talk with a counsellor.
ABROAD_HOUR = 60
# Days for which it is kept what was dialled.
KEPT_DAYS = 31


class NotDialled(Invalid):
    default = "This number is not dialled."


class DialledTooOften(TooMany):
    default = "You have dialled too many numbers."


async def rules_now(work: Work) -> Rules:
    """Return the rules, from memory where possible."""
    known: Rules | None = work.ground.memory.recall(Topic.LINES, "dialling", work.now)
    if known is None:
        known = await read_rules(work)
        work.ground.memory.keep(Topic.LINES, "dialling", known, work.now + _BELIEVED)
    return known


async def read_rules(work: Work) -> Rules:
    """Return the rules as they are stored now."""
    home = await work.session.scalars(
        select(Line.country).where(Line.active).distinct().order_by(Line.country)
    )
    rules = Rules(home=tuple(home))
    row = await work.session.get(DiallingRules, 1, populate_existing=True)
    if row is None:
        return rules
    return replace(
        rules,
        countries=tuple(row.countries),
        kinds=tuple(row.kinds),
        person_hour=row.person_hour,
        person_day=row.person_day,
        alarm_hour=row.alarm_hour,
        alarm_day=row.alarm_day,
        minutes_hour=row.minutes_hour,
        minutes_day=row.minutes_day,
        revision=row.revision,
    )


async def check(work: Work, address: str) -> None:
    """Check a number or SIP address that a person enters. Raises NotDialled, which says why."""
    why = why_not_address(address, await rules_now(work))
    if why is not None:
        raise NotDialled(words_of(why, address))


async def read_number(work: Work, text: str) -> str:
    """Return a number that a person enters as it is dialled from the country of the lines.

    Raises NotDialled.
    """
    rules = await rules_now(work)
    number = dialled_from(text.strip(), rules.home)
    if number is None:
        raise NotDialled(words_of(Why.NOT_A_NUMBER, ""))
    await check(work, number)
    return number


async def read_endpoint(work: Work, text: str) -> str:
    """Return where a person's calls ring as it is stored: `browser`, or an address.

    A number may be written as it is dialled from the country of the lines. Raises NotDialled,
    Invalid.
    """
    text = text.strip()
    number = international_from(text, (await rules_now(work)).home)
    kind, address = accounts.read_endpoint(number or text)
    if address is None:
        return kind
    await check(work, address)
    return address


async def may_dial(
    work: Work,
    address: str,
    key: UUID,
    purpose: DialledFor,
    way: DialWay = DialWay.CALL,
    parts: int = 1,
    once: bool = False,
    answered_by: AnsweredBy | None = None,
) -> bool:
    """Return whether an address may be dialled now, and count it. `key` counts once.

    A text of several `parts` counts as many: each is billed. `once`: what was counted before may
    not be dialled again. Of two jobs that ask at once, one may. `answered_by`: it answers a message
    from this number.
    """
    asked = await ask(work, address, key, purpose, way, parts, answered_by)
    return asked.why is None and (asked.is_new or not once)


class Asked(NamedTuple):
    """Why an address is not dialled, if it is not, and whether it was not counted before."""

    why: Why | None
    is_new: bool


async def ask(
    work: Work,
    address: str,
    key: UUID,
    purpose: DialledFor,
    way: DialWay,
    parts: int = 1,
    answered_by: AnsweredBy | None = None,
) -> Asked:
    """Return whether an address may be dialled now, and count it: see `may_dial`."""
    why = await _why(work, address, answered_by)
    if why is None and _is_browser(address):
        return Asked(None, True)
    is_new = True
    for part in range(1 if why else parts):
        is_new = await _count(work, _key_of(key, part), address, purpose, way, why) and is_new
    if why is not None:
        log().warning(
            "a number is not dialled", area="dialling", cause=why.value, subject=purpose.value
        )
    return Asked(why, is_new)


async def _why(work: Work, address: str, answered_by: AnsweredBy | None) -> Why | None:
    rules = await rules_now(work)
    why = why_not_address(address, rules)
    if why is not Why.COUNTRY or answered_by is None:
        return why
    why = why_not_answered(address, rules)
    if why is not None or answered_by is AnsweredBy.PERSON:
        return why
    here = (*rules.home, *rules.countries)
    abroad = await _texts_lately(work, Dial.refused.is_(None), Dial.country.not_in(here))
    return Why.COUNTRY if abroad >= ABROAD_HOUR else None


async def _texts_lately(work: Work, *which: ColumnElement[bool]) -> int:
    """Return how many texts of conversations were counted within the last hour."""
    counted = select(func.count()).where(
        Dial.at > work.now - _HOUR,
        Dial.purpose == DialledFor.CONVERSATION,
        Dial.way == DialWay.SMS,
        *which,
    )
    return await work.session.scalar(counted) or 0


async def many_unanswered(work: Work) -> bool:
    """Return whether more numbers wrote within the last hour that are not answered than children
    would: their senders are forged."""
    return await _texts_lately(work, Dial.refused.is_not(None)) > ABROAD_HOUR


async def was_counted(work: Work, key: UUID) -> bool:
    """Return whether `may_dial` has counted a key, and its transaction was committed."""
    return await work.session.get(Dial, key, populate_existing=True) is not None


async def take_back(work: Work, key: UUID, parts: int = 1) -> None:
    """Count what was certainly not dialled no more, so that its job may dial it `once`."""
    keys = [_key_of(key, part) for part in range(parts)]
    await work.session.execute(delete(Dial).where(Dial.id.in_(keys)))


def _key_of(key: UUID, part: int) -> UUID:
    return uuid5(key, str(part)) if part else key


def _is_browser(address: str) -> bool:
    """Return whether this is a page: it costs nothing, unlike a number or a SIP address."""
    return address.lower().startswith("client:")


async def _count(
    work: Work,
    key: UUID,
    address: str,
    purpose: DialledFor,
    way: DialWay,
    why: Why | None = None,
    staff_id: UUID | None = None,
) -> bool:
    """Count a key, and return whether it was not counted before."""
    row = {
        "id": key,
        "at": work.now,
        "way": way.value,
        "purpose": purpose.value,
        "staff_id": staff_id,
        "country": country_of(address),
        "refused": why.value if why else None,
    }
    new = pg_insert(Dial).values(row).on_conflict_do_nothing().returning(Dial.id)
    return await work.session.scalar(new) is not None


async def count_for_person(
    work: Work,
    staff_id: UUID,
    key: UUID,
    number: str,
    purpose: DialledFor,
    *,
    way: DialWay = DialWay.CALL,
    danger: bool = False,
) -> None:
    """Count a number that a person wants dialled. Raises DialledTooOften.

    With `danger` it is counted and never refused: a child may be in danger now.
    """
    rules = await rules_now(work)
    # Of two requests at once, the second counts the first.
    await work.session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(str(staff_id), 710031)))
    )
    for limit, window in ((rules.person_hour, _HOUR), (rules.person_day, _DAY)):
        mine = select(Dial.at).where(
            Dial.staff_id == staff_id, Dial.at > work.now - window, Dial.refused.is_(None)
        )
        nth = mine.order_by(Dial.at.desc()).offset(limit - 1).limit(1)
        oldest: datetime | None = await work.session.scalar(nth)
        if oldest is not None and not danger:
            wait = oldest + window - work.now
            raise DialledTooOften(
                "You have had %(limit)s numbers dialled within %(hours)s hours, which is the limit "
                "for one person. Wait %(minutes)s minutes, or ask an administrator to raise it "
                "(Administration, Dialling).",
                limit=limit,
                hours=int(window / _HOUR),
                minutes=max(1, -(-int(wait.total_seconds()) // 60)),
            )
    await _count(work, key, number, purpose, way, staff_id=staff_id)


async def volume(work: Work) -> tuple[int, int]:
    """Return how many calls and messages went out within the last hour, and the last day."""
    out = Dial.refused.is_(None), Dial.way != DialWay.AGREED
    counted = select(func.count().filter(Dial.at > work.now - _HOUR), func.count()).where(
        Dial.at > work.now - _DAY, *out
    )
    hour, day = (await work.session.execute(counted)).one()
    return int(hour), int(day)


async def refusals(work: Work) -> list[Dial]:
    """Return what was refused when it was to be dialled, the newest first."""
    rows = await work.session.scalars(
        select(Dial).where(Dial.refused.is_not(None)).order_by(Dial.at.desc()).limit(50)
    )
    return list(rows)


async def per_person(work: Work) -> list[tuple[UUID, int, int]]:
    """Return who had numbers dialled within the last day: how many in the last hour, and in all."""
    rows = await work.session.execute(
        select(Dial.staff_id, func.count().filter(Dial.at > work.now - _HOUR), func.count())
        .where(Dial.at > work.now - _DAY, Dial.staff_id.is_not(None), Dial.refused.is_(None))
        .group_by(Dial.staff_id)
        .order_by(func.count().desc(), Dial.staff_id)
        .limit(50)
    )
    return [(staff_id, hour, day) for staff_id, hour, day in rows if staff_id is not None]


async def forget_old_dials(ground: Ground) -> None:
    """Delete what was dialled long ago."""
    async with transaction(ground, PROGRAM) as work:
        old = work.now - timedelta(days=KEPT_DAYS)
        await work.session.execute(delete(Dial).where(Dial.at < old))
