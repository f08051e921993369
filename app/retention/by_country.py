"""The rules of retention that the definitions of a country bring: in force with them.

A country's rule is decided as one of a person: a longer one holds at once, a shorter one after
seven days, with the log, the letters and the way back of any rule. What the helpline has decided
itself stays until it follows its country again. A kind of which the definitions no longer speak
goes back to the default of the program in the same way.

What the rules shall be follows from the orders of definitions alone, so it can be worked out at any
moment, and twice. It is decided in the transaction that puts definitions in force or takes them
back. A job does so where they begin later; the start of a server, and each run that erases, look
again.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import literal, or_, select

from app.calls.caller_rows import CallerFlag
from app.calls.models import Call
from app.contacts.models import Case, Contact
from app.definitions import in_force
from app.definitions.datafile import BadDefinition
from app.definitions.folder import Folder, folder_with
from app.definitions.models import DefinitionOrder, DefinitionSet
from app.errors import ChangedMeanwhile
from app.jobs.names import Task
from app.log import log
from app.referrals.models import Referral
from app.retention.country import CountryRules, read_country
from app.retention.data_requests.models import DataRequest
from app.retention.kinds import DataKind, Decider
from app.retention.rules import (
    Decision,
    Rules,
    alone,
    decide,
    default_of,
    is_shorter,
    next_of,
    read_rules,
)
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.statistics.models import Export
from app.work import Work

# What a rule could erase is in one of these tables, or belongs to a row of them.
_KEPT = (Call, Contact, Case, Referral, Export, CallerFlag, DataRequest)


class RuleChange(NamedTuple):
    """What becomes of a rule when definitions come into force; days of None: for ever."""

    kind: DataKind
    before: int | None
    after: int | None
    # From when on; None: never, because the helpline has a rule of its own.
    from_at: datetime | None

    @property
    def erases_more(self) -> bool:
        """Return whether something is erased that would have been kept."""
        return self.from_at is not None and is_shorter(self.after, self.before)


async def follow(work: Work) -> Rules:
    """Let the rules be those of the definitions in force. May run twice.

    Call it in the transaction that puts definitions in force or takes them back. Raises
    BadDefinition.
    """
    # First, so that a job which looks at the same moment decides before this, or sees the order.
    await alone(work)
    _order, folder = await _in_force(work)
    return await _follow(work, read_country(folder))


def follow_later(work: Work, order: DefinitionOrder) -> None:
    """Have the rules follow definitions when they come into force."""
    work.defer(Task.FOLLOW_COUNTRY, delay=order.from_at - work.now, order_id=order.id)


async def begin_to_follow(work: Work, order_id: int) -> None:
    """Let the rules follow definitions that should be in force by now. May run twice."""
    order = await work.session.get(DefinitionOrder, order_id)
    if order is None or order.taken_back_at is not None:
        return
    if order.from_at > work.now:
        # The clock of the database is ahead of ours.
        follow_later(work, order)
        return
    await look_again(work)


async def look_again(work: Work, *, at_start: bool = False) -> None:
    """Let the rules follow the definitions in force if they do not yet, as decided by the person
    who ordered these. Definitions that cannot be read leave the rules as they are.

    `at_start`: the files of the server's own folder count then, and as they were then.
    """
    try:
        order, folder = await _in_force(work)
        if order is None and not at_start:
            return
        # Nearly always there is nothing to do: then no batch is waited for.
        if not _wanted(work, await read_rules(work), read_country(folder)):
            return
        await alone(work)
        order, folder = await _in_force(work)
        country = read_country(folder)
    except BadDefinition as bad:
        log().error("rules of retention cannot be read", area="retention", where=bad.source)
        return
    if order is not None and order.ordered_by is not None:
        work.actor = actor_of(await work.session.get_one(Staff, order.ordered_by))
    await _follow(work, country)


async def follow_again(work: Work, kind: DataKind, *, revision: int | None = None) -> Rules:
    """Give up the helpline's own rule of a kind: that of the country counts again, or the default
    of the program. A shorter rule waits. `revision` is that of the reader's page.

    Raises ChangedMeanwhile.
    """
    await alone(work)
    before = await read_rules(work)
    if revision is not None and before.revision != revision:
        raise ChangedMeanwhile()
    if before.deciders[kind] is not Decider.HELPLINE:
        return before
    _order, folder = await _in_force(work)
    country = read_country(folder)
    wanted = {kind: _of(work, country, kind)}
    return await decide(work, before, wanted, source=_source(country, wanted))


async def changes_of(work: Work, folder: Folder | None, begins: datetime) -> list[RuleChange]:
    """Return what becomes of the rules when files come into force at an instant. What other
    definitions change until then is not foreseen.

    Raises BadDefinition.
    """
    rules, country = await read_rules(work, at=begins), read_country(folder)
    at_once = await _nothing_kept(work)
    found = []
    for kind, before in ((kind, rules.decided(kind)) for kind in DataKind):
        after = _of(work, country, kind).days
        own = rules.deciders[kind] is Decider.HELPLINE
        if after == before or (own and not _speaks(country, kind)):
            continue
        waits = next_of(rules, kind, after, begins, at_once=at_once)["next_at"]
        found.append(RuleChange(kind, before, after, None if own else waits or begins))
    return found


# -- what the rules shall be ---------------------------------------------------------------------


async def _in_force(work: Work) -> tuple[DefinitionOrder | None, Folder | None]:
    """Return by which order which files are in force now, as the database says."""
    # This transaction may have waited for another one, whose order began meanwhile.
    at = max(work.now, work.ground.clock.now())
    found = in_force.order_at(await in_force.read_orders(work), at)
    if found is None:
        return None, in_force.own_folder(work.ground)
    files = await work.session.scalar(
        select(DefinitionSet.files).where(DefinitionSet.id == found.set_id)
    )
    return await work.session.get_one(DefinitionOrder, found.id), folder_with(files or {})


def _speaks(country: CountryRules | None, kind: DataKind) -> bool:
    return country is not None and kind in country.rules


def _of(work: Work, country: CountryRules | None, kind: DataKind) -> Decision:
    """Return the rule of a kind of which the helpline has decided nothing."""
    if country is not None and kind in country.rules:
        return Decision(country.rules[kind], Decider.COUNTRY)
    return Decision(default_of(work, kind), Decider.PROGRAM)


def _wanted(work: Work, rules: Rules, country: CountryRules | None) -> dict[DataKind, Decision]:
    """Return the rules that are not yet as the definitions want them."""
    wanted = {
        kind: _of(work, country, kind)
        for kind, by in rules.deciders.items()
        if by is not Decider.HELPLINE
    }
    return {kind: one for kind, one in wanted.items() if rules.decision(kind) != one}


async def _follow(work: Work, country: CountryRules | None) -> Rules:
    rules = await read_rules(work)
    wanted = _wanted(work, rules, country)
    if not wanted:
        return rules
    at_once = await _nothing_kept(work)
    return await decide(work, rules, wanted, at_once=at_once, source=_source(country, wanted))


async def _nothing_kept(work: Work) -> bool:
    """Return whether there is nothing yet that a rule could erase, as at the first start."""
    some = (select(literal(1)).select_from(table).exists() for table in _KEPT)
    return not await work.session.scalar(select(or_(*some)))


def _source(country: CountryRules | None, wanted: dict[DataKind, Decision]) -> str | None:
    """Return why the country says so; None if no rule is the country's."""
    of_country = any(one.by is Decider.COUNTRY for one in wanted.values())
    return country.source if country is not None and of_country else None
