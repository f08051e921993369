"""Limit how many tables about contents a token, or a person, may request.

Rounding leaves each single number uncertain. One who requests very many numbers, or the same
number again and again while records are being corrected, could narrow it down. So a token may
request a limited number of different tables in a day, and each of them a few times: enough for a
nightly job, too little for a search. A person who reads no records of others may request a limited
number of different tables in a day and in a month; requesting one of them again costs nothing.

All tokens and people together have a budget, too. It is so large that no one token or person uses
it up. What another one has requested already costs nothing there, since it tells nothing new. When
it is used up, each person still has a share: their first few tables are given, so that one who uses
up the budget of all keeps no others from work. A person and the tokens they made have one share
together, and so does an account on its first day with the one who made it: one who makes accounts
and tokens for it has no more than the budget of all. All shares together have a bound of their own.
Beyond that, too, the very first tables of each are given: many accounts of one person keep no other
person from work.

Ready reports are of whole periods that never overlap by half, and the same for all. They cost a
person nothing, so that each day's work goes on when the budget is used up.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, timedelta
from uuid import UUID

from sqlalchemy import Select, delete, func, select, union_all
from sqlalchemy.dialects.postgresql import insert

from app.errors import TooMany
from app.jobs.transaction import transaction
from app.staff.models import Staff
from app.staff.roles import reads_others
from app.statistics.dimensions import Dimension
from app.statistics.exports.exporting import ExportWanted
from app.statistics.exports.files import File
from app.statistics.models import AskedByPerson, AskedTable
from app.statistics.protection.guard import CONTENT_MEASURES, is_content, on_grid, over_by
from app.statistics.protection.makers import of_one_maker
from app.work import Ground, Work

# Different tables about contents that one token may request in a day (UTC), and how often each.
TABLES, TIMES = 200, 4
# Different ones that one person may request in a day (UTC), and in this many days with it.
OF_A_PERSON, IN_ALL, DAYS = 150, 300, 30
# Different ones of all tokens and people together in a day, and of all people in these days.
OF_ALL, OF_ALL_PEOPLE = 500, 900
# Different ones that one person with their tokens is given in a day, and one person in these days,
# also when those of all are used up; and how many more than those of all these may become.
OWN, OWN_IN_ALL = 20, 60
OF_SHARES, OF_SHARES_OF_PEOPLE = 500, 900
# The first of each share, in a day and in these days, are given also when all shares are used up.
FIRST, FIRST_IN_ALL = 3, 10
_TELLING = frozenset({File.REPORT, File.REFERRALS, File.FEEDBACK})
# Requests are counted one after the other, in all processes.
_LOCK = 116_140


def tells(work: Work, wanted: ExportWanted) -> bool:
    """Return whether a table shows what was said in contacts, what became of referrals, or what
    children thought of a conversation."""
    if wanted.what in _TELLING or any(is_content(d) for d in _by(wanted)):
        return True
    told = any(name in CONTENT_MEASURES for name in wanted.names)
    shown = on_grid(wanted.window, wanted.period, work.now)
    return wanted.what is File.SUMMARY and told and shown


def _by(wanted: ExportWanted) -> set[Dimension]:
    return {*wanted.by, *([Dimension.CATEGORY] if wanted.what is File.CATEGORIES else [])}


def key_of(work: Work, wanted: ExportWanted) -> bytes:
    """Return the hash of a table; its format and the columns that are read do not matter.

    What shows the same has the same hash: the file of categories and a summary by category, a
    window and the part of it that is over.
    """
    what, window = wanted.what, wanted.window
    if what in _TELLING:
        window = over_by(window, work.now)
    words = [
        File.SUMMARY if what is File.CATEGORIES else what,
        window.words,
        wanted.period,
        sorted(_by(wanted)),
        wanted.line,
        wanted.referrals_by,
        wanted.report,
    ]
    return hashlib.sha256(json.dumps(words).encode()).digest()


@asynccontextmanager
async def _alone(work: Work) -> AsyncIterator[Work]:
    """Count in a transaction of its own, after other requests: a request that only reads has none,
    so a table that is refused would stay counted, and be given next time.
    """
    async with transaction(work.ground, work.actor, aside=True) as own:
        await own.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        yield own


async def spend(work: Work, token_id: UUID, wanted: ExportWanted) -> None:
    """Count a table against the daily budget of the token that requests it. Raises TooMany."""
    if not tells(work, wanted):
        return
    today = work.now.astimezone(UTC).date()
    values = {"token_id": token_id, "day": today, "question": key_of(work, wanted), "times": 1}
    statement = insert(AskedTable).values(**values)
    counted = statement.on_conflict_do_update(
        index_elements=["token_id", "day", "question"], set_={"times": AskedTable.times + 1}
    ).returning(AskedTable.times)
    mine = AskedTable.token_id == token_id
    number = select(func.count()).where(mine, AskedTable.day == today)
    async with _alone(work) as own:
        session = own.session
        times = (await session.execute(counted)).scalar_one()
        if times > TIMES:
            raise TooMany(
                "This token has requested this table %(times)s times today. Keep the result, "
                "and request it again tomorrow.",
                times=TIMES,
            )
        if times > 1:
            return
        if (await session.scalar(number) or 0) > TABLES:
            raise TooMany(
                "This token has requested %(tables)s tables about contacts today. Request the "
                "rest tomorrow, or request a report, which counts as one table.",
                tables=TABLES,
            )
        await _check_all(own, today, token_id)
        await session.execute(delete(AskedTable).where(mine, AskedTable.day < today))


async def _check_all(work: Work, today: date, who: UUID) -> None:
    """Check what all tokens and people have requested today, or the share of this one's maker.
    Raises TooMany."""
    by_token = select(AskedTable.question).where(AskedTable.day == today)
    by_person = select(AskedByPerson.question).where(AskedByPerson.day == today)
    number = await _number(work, by_token, by_person)
    if number <= OF_ALL:
        return
    theirs = await of_one_maker(work, who)
    share = await _number(
        work,
        by_token.where(AskedTable.token_id.in_(theirs)),
        by_person.where(AskedByPerson.staff_id.in_(theirs)),
    )
    if share > OWN or (number > OF_ALL + OF_SHARES and share > FIRST):
        raise _too_many_of_all(OF_ALL, today, today + timedelta(days=1))


async def _check_all_people(work: Work, today: date, who: UUID) -> None:
    """Check what all people have requested in the days that count, or the share of this one's
    maker. Raises TooMany."""
    asked = select(AskedByPerson.question).where(AskedByPerson.day >= _first(today))
    number = await _number(work, asked)
    if number <= OF_ALL_PEOPLE:
        return
    theirs = await of_one_maker(work, who)
    share = await _number(work, asked.where(AskedByPerson.staff_id.in_(theirs)))
    of_shares = number > OF_ALL_PEOPLE + OF_SHARES_OF_PEOPLE
    if share > OWN_IN_ALL or (of_shares and share > FIRST_IN_ALL):
        days = select(func.min(AskedByPerson.day)).where(AskedByPerson.day >= _first(today))
        oldest = await work.session.scalar(days) or today
        raise _too_many_of_all(OF_ALL_PEOPLE, oldest, oldest + timedelta(days=DAYS))


async def _number(work: Work, *asked: Select[bytes]) -> int:
    """Return how many different tables these are."""
    tables = union_all(*asked).subquery()
    different = select(func.count(tables.c.question.distinct()))
    return await work.session.scalar(different) or 0


async def spend_of_person(work: Work, staff: Staff, wanted: ExportWanted) -> None:
    """Count a table against the budget of the person who requests it. A person who reads the
    records of others has none. Raises TooMany."""
    if reads_others(staff.role) or not tells(work, wanted):
        return
    today = work.now.astimezone(UTC).date()
    mine = AskedByPerson.staff_id == staff.id
    values = {"staff_id": staff.id, "question": key_of(work, wanted), "day": today}
    statement = insert(AskedByPerson).values(**values).on_conflict_do_nothing()
    of_day = func.count().filter(AskedByPerson.day == today)
    counted = select(func.count(), of_day, func.min(AskedByPerson.day)).where(mine)
    async with _alone(work) as own:
        session = own.session
        await session.execute(delete(AskedByPerson).where(mine, AskedByPerson.day < _first(today)))
        if not await session.scalar(statement.returning(AskedByPerson.day)):
            return
        in_all, of_today, oldest = (await session.execute(counted)).one()
        if in_all > IN_ALL:
            raise _too_many(IN_ALL, oldest, oldest + timedelta(days=DAYS))
        if of_today > OF_A_PERSON:
            raise _too_many(OF_A_PERSON, today, today + timedelta(days=1))
        await _check_all(own, today, staff.id)
        await _check_all_people(own, today, staff.id)


def _first(today: date) -> date:
    """Return the first of the days whose tables are counted for a person."""
    return today - timedelta(days=DAYS - 1)


async def forget_old_tables(ground: Ground) -> None:
    """Delete what is counted no more, also of those who request nothing any more."""
    today = ground.clock.now().astimezone(UTC).date()
    async with ground.database.sessions() as session, session.begin():
        await session.execute(delete(AskedTable).where(AskedTable.day < today))
        await session.execute(delete(AskedByPerson).where(AskedByPerson.day < _first(today)))


def _too_many(tables: int, since: date, again: date) -> TooMany:
    return TooMany(
        "You have requested %(tables)s different tables about contacts since %(since)s. Request "
        "further ones from %(again)s on (UTC). Those that you have requested, and the reports, "
        "remain open.",
        tables=tables,
        since=since,
        again=again,
    )


def _too_many_of_all(tables: int, since: date, again: date) -> TooMany:
    return TooMany(
        "All people and programs together have requested %(tables)s different tables about "
        "contacts since %(since)s. Request further ones from %(again)s on (UTC).",
        tables=tables,
        since=since,
        again=again,
    )
