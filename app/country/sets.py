"""Sets of definitions: import one, compare it, put it in force from a date, take it back.

Pages, the JSON API and the command line call these verbs. A set is refused as a whole, with
everything that is wrong with it, each with its file and line.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from app.contacts import registry
from app.country import following, whole
from app.country.archive import Received
from app.country.comparing import Comparison, Whole, compare
from app.country.effects import Effects, effects_of
from app.database.topics import Topic
from app.definitions import in_force
from app.definitions import library as libraries
from app.definitions.datafile import BadDefinition
from app.definitions.folder import Folder, folder_with
from app.definitions.in_force import Order
from app.definitions.models import DefinitionOrder, DefinitionSet
from app.definitions.shelves import Key
from app.errors import Conflict, Invalid, Joined, NotFound
from app.referrals import library as protocols
from app.retention import by_country
from app.retention.by_country import RuleChange
from app.routing.rota.shifts import first_instant
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import SetSaid
from app.words import SOURCE
from app.work import Work

_LOCK = 116_115
_LONGEST_NAME = 100
_AT_MOST = timedelta(days=2 * 366)
# Problems that a refusal names; a page and an answer list all.
_NAMED = 20


class BadSet(Invalid):
    """A set that cannot be used. `problems` holds everything that is wrong with it."""

    def __init__(self, problems: list[BadDefinition]) -> None:
        self.problems = problems
        super().__init__(
            "The definitions were not imported, and nothing was changed. %(problems)s",
            problems=Joined([one.located for one in problems[:_NAMED]]),
        )


class WouldBreak(Conflict):
    default = "These definitions cannot come into force."


class NotAccepted(Conflict):
    default = (
        "These definitions change what stored codes mean, or take something away. Look at the "
        "comparison, and confirm that it is intended."
    )


class AlreadyInForce(Conflict):
    default = "These definitions are in force then already. Nothing was changed."


class TakenBackAlready(Conflict):
    default = "This was taken back already. Nothing was changed."


@dataclass(frozen=True)
class Uploaded:
    """A set that was imported; `new` is false if the same files were there before."""

    set: DefinitionSet
    new: bool
    left_out: list[str]


@dataclass(frozen=True)
class Compared:
    """What a set changes against what is in force, and what follows from it."""

    comparison: Comparison
    effects: Effects
    # What becomes of the rules of retention.
    rules: list[RuleChange]

    @property
    def needs_acceptance(self) -> bool:
        if self.effects.cautions or any(one.erases_more for one in self.rules):
            return True
        return any(one.caution for one in self.comparison.changes)


# -- reading -------------------------------------------------------------------------------------


async def all_sets(work: Work) -> list[DefinitionSet]:
    """Return every set, the newest first."""
    rows = await work.session.scalars(select(DefinitionSet).order_by(DefinitionSet.id.desc()))
    return list(rows)


async def read_set(work: Work, set_id: int) -> DefinitionSet:
    """Return a set. Raises NotFound."""
    found = await work.session.get(DefinitionSet, set_id)
    if found is None:
        raise NotFound("There is no such set of definitions.")
    return found


async def all_orders(work: Work) -> list[DefinitionOrder]:
    """Return when sets were, are and will be in force, the latest beginning first."""
    rows = await work.session.scalars(
        select(DefinitionOrder).order_by(DefinitionOrder.from_at.desc(), DefinitionOrder.id.desc())
    )
    return list(rows)


async def folder_at(work: Work, at: datetime) -> tuple[int | None, Folder | None]:
    """Return the set that is in force at an instant, and its files."""
    order = in_force.order_at(await in_force.read_orders(work), at)
    if order is None:
        return None, in_force.own_folder(work.ground)
    return order.set_id, folder_of(await read_set(work, order.set_id))


def folder_of(found: DefinitionSet) -> Folder:
    """Return the files of a set."""
    return folder_with(found.files)


def versions_of(folder: Folder | None) -> dict[str, str]:
    """Return the name and version of each definition that new records are written with."""
    library = libraries.load(folder)
    found = {record: library.form_for(record) for record in ("contact", "case", "referral")}
    flow, protocol = library.workflow, protocols.load(folder).current
    return {
        **{f"{record}_form": f"{form.form} {form.version}" for record, form in found.items()},
        "categories": f"{library.categories.tree} {library.categories.version}",
        "places": f"{library.places.tree} {library.places.version}",
        "workflow": f"{flow.workflow} {flow.version}",
        "risk": f"{library.risk.risk} {library.risk.version}",
        "family_support": f"{library.support.support} {library.support.version}",
        "guidance": f"{library.guidance.guidance} {library.guidance.version}",
        "protocol": f"{protocol.protocol} {protocol.version}",
    }


def zone_of(work: Work) -> ZoneInfo:
    """Return the zone in which dates of the helpline are meant."""
    return ZoneInfo(registry.library_of(work.ground).country.timezone)


def instant_of(work: Work, wall: datetime) -> datetime:
    """Return the instant at which the clocks of the helpline first show a time."""
    if abs(wall.year - work.now.year) > _AT_MOST.days // 365 + 1:
        raise Invalid("Choose a time from now on, within two years.")
    return first_instant(wall, zone_of(work)) if wall.tzinfo is None else wall


# -- importing -----------------------------------------------------------------------------------


async def check(work: Work, received: Received) -> tuple[Folder, list[str]]:
    """Check what was sent, and return what differs from the shipped files. Raises BadSet."""
    folder, as_shipped = whole.without_shipped(received.folder)
    # Forms are tried with many answers: calls are answered meanwhile.
    problems = await asyncio.to_thread(whole.problems_of, folder, is_new=True)
    if problems:
        raise BadSet(problems)
    if changed := await registry.changed_texts(work, whole.own_texts(folder)):
        raise BadSet([BadDefinition(one.source, 1, one.problem) for one in changed])
    if not folder.files:
        raise Invalid("Every file is as it comes with the program: there is nothing to import.")
    return folder, [*received.left_out, *as_shipped]


async def upload(work: Work, name: str, received: Received) -> Uploaded:
    """Import a set; nothing is in force by this. The same files are the same set.

    Raises BadSet with everything that is wrong.
    """
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Invalid("Give the set a name of 1 to %(most)s characters.", most=_LONGEST_NAME)
    folder, left_out = await check(work, received)
    known = await work.session.scalar(
        select(DefinitionSet).where(DefinitionSet.digest == folder.digest)
    )
    if known is not None:
        return Uploaded(known, False, left_out)
    found = DefinitionSet(
        name=name,
        digest=folder.digest,
        files=dict(folder.files),
        uploaded_at=work.now,
        uploaded_by=work.actor.staff_id,
    )
    work.session.add(found)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DEFINITIONS_UPLOADED,
        f"definitions:{found.id}",
        before={},
        after={
            "name": name,
            "files": [name for name, _ in folder.files],
            "digest": folder.digest.hex(),
        },
    )
    work.announce(Topic.DEFINITIONS)
    return Uploaded(found, True, left_out)


# -- comparing -----------------------------------------------------------------------------------


async def compare_set(
    work: Work,
    set_id: int,
    *,
    at: datetime | None = None,
    against: int | None = None,
    language: str = SOURCE,
) -> Compared:
    """Return what a set changes against what is in force at an instant, or now.

    `against` another set there are only the changes: what they would do to records is said of what
    is in force alone.

    Raises BadSet if the set cannot be used with this version of the program any more.
    """
    after = folder_of(await read_set(work, set_id))
    if against is not None:
        before: Folder | None = folder_of(await read_set(work, against))
    else:
        _, before = await folder_at(work, at or work.now)
    problems = await asyncio.to_thread(whole.problems_of, after)
    if problems:
        raise BadSet(problems)
    old, new, comparison = await asyncio.to_thread(_compared, before, after, language)
    if against is not None:
        return Compared(comparison, Effects([], [], []), [])
    rules = await by_country.changes_of(work, after, at or work.now)
    return Compared(comparison, await effects_of(work, before, after, old, new), rules)


def _compared(
    before: Folder | None, after: Folder, language: str
) -> tuple[Whole, Whole, Comparison]:
    old, new = whole.whole_of(before), whole.whole_of(after)
    return old, new, compare(old, new, language)


# -- in force ------------------------------------------------------------------------------------


async def put_in_force(
    work: Work, set_id: int, *, from_at: datetime | None = None, accept: bool = False
) -> DefinitionOrder:
    """Let a set be in force from an instant on, or from now, with its rules of retention. `accept`:
    its changes are meant.

    Raises WouldBreak, NotAccepted, AlreadyInForce, BadSet.
    """
    begins = from_at or work.now
    if not work.now <= begins <= work.now + _AT_MOST:
        raise Invalid("Choose a time from now on, within two years.")
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    found = await read_set(work, set_id)
    before_id, before = await folder_at(work, begins)
    if before_id == set_id:
        raise AlreadyInForce()
    compared = await compare_set(work, set_id, at=begins)
    if compared.effects.stops:
        raise WouldBreak(Joined(compared.effects.stops, " "))
    if compared.needs_acceptance and not accept:
        raise NotAccepted()
    after = folder_of(found)
    if await _register(work, after):
        # What is registered holds from now on, for new answers, too.
        following.seal_marked_soon(work)
    order = DefinitionOrder(
        set_id=set_id, from_at=begins, ordered_at=work.now, ordered_by=work.actor.staff_id
    )
    work.session.add(order)
    await work.session.flush()
    was, now = _different(before, after)
    write_entry(
        work,
        AuditLog.DEFINITIONS_PUT_IN_FORCE,
        f"definitions:{set_id}",
        before={"set": before_id, **was},
        after={**SetSaid(set_id).kept(), "from": begins.isoformat(), **now},
    )
    if begins > work.now:
        by_country.follow_later(work, order)
    else:
        await by_country.follow(work)
    work.announce(Topic.DEFINITIONS)
    return order


async def take_back(work: Work, order_id: int) -> int | None:
    """Take back that a set is in force, or will be. Return the set that counts again now.

    Records keep the versions that they were written with. Rules of retention that came with it go
    back, a shorter one after its days of waiting. Raises TakenBackAlready.
    """
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    orders = await in_force.read_orders(work)
    order = next((one for one in orders if one.id == order_id), None)
    if order is None:
        raise NotFound("There is no such order.")
    if order.taken_back_at is not None:
        raise TakenBackAlready()
    at = max(work.now, order.from_at)
    left = [one for one in orders if one.id != order_id]
    before, after = in_force.order_at(orders, at), in_force.order_at(left, at)
    if after != before:
        await _check_again(work, after)
    await work.session.execute(
        update(DefinitionOrder)
        .where(DefinitionOrder.id == order_id)
        .values(taken_back_at=work.now, taken_back_by=work.actor.staff_id)
    )
    write_entry(
        work,
        AuditLog.DEFINITIONS_TAKEN_BACK,
        f"definitions:{order.set_id}",
        before=_in_log(before, at),
        after=_in_log(after, at),
    )
    await by_country.follow(work)
    work.announce(Topic.DEFINITIONS)
    return after.set_id if after is not None else None


async def _check_again(work: Work, order: Order | None) -> None:
    """Check that what counts again can be used by this version of the program. Raises BadSet."""
    folder = (
        in_force.own_folder(work.ground)
        if order is None
        else folder_of(await read_set(work, order.set_id))
    )
    if problems := await asyncio.to_thread(whole.problems_of, folder):
        raise BadSet(problems)
    await _register(work, folder)


async def _register(work: Work, folder: Folder | None) -> set[Key]:
    """Enter what records will be written with into the register, and return what is a new version.
    Raises DefinitionChanged."""
    library, found = libraries.load(folder), protocols.load(folder)
    texts, needed = library.texts | found.texts, library.needed() | found.needed()
    return await registry.register_texts(work, texts, needed)


def _in_log(order: Order | None, at: datetime) -> dict[str, object]:
    return {"set": order.set_id if order is not None else None, "at": at.isoformat()}


def _different(before: Folder | None, after: Folder) -> tuple[dict[str, str], dict[str, str]]:
    was, now = versions_of(before), versions_of(after)
    names = [name for name in now if was[name] != now[name]]
    return {name: was[name] for name in names}, {name: now[name] for name in names}
