"""Every process follows what is in force, without a restart.

Which set counts is worked out from the orders at each instant, so nothing has to happen when a set
comes into force. What was ordered is read from the database after each change.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from app.contacts import registry
from app.database.bus import Bus, Subscription
from app.database.topics import Topic
from app.definitions import in_force
from app.definitions import library as libraries
from app.definitions.datafile import BadDefinition
from app.definitions.folder import Folder
from app.definitions.library import Library
from app.definitions.shelves import Key
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.referrals import library as protocols
from app.referrals.library import ProtocolLibrary
from app.retention import by_country
from app.work import PROGRAM, Ground, Work

# Seconds until a process that could not ask the database asks again.
_AGAIN = 1.0
# Until then, every process has heard of new marks and seals what they are about.
_NOTICE = timedelta(seconds=60)


class _Ready(NamedTuple):
    library: Library
    protocols: ProtocolLibrary


async def start(work: Work) -> None:
    """Work by what the database says is in force, enter new versions into the register, and let the
    rules of retention be those of the country.

    Raises BadDefinition with file and line, and DefinitionChanged.
    """
    await learn(work, anew=True)
    if await registry.register(work, registry.library_of(work.ground)):
        seal_marked_soon(work)
    await protocols.register(work, protocols.protocols_of(work.ground))
    await by_country.look_again(work, at_start=True)


def seal_marked_soon(work: Work) -> None:
    """Have answers sealed whose question a new version of a form marks as special."""
    work.defer(Task.SEAL_MARKED, delay=_NOTICE)


async def learn(work: Work, *, anew: bool = False) -> None:
    """Read the orders, and work by them from now on. Raises BadDefinition."""
    ground = work.ground
    orders = await in_force.read_orders(work)
    if orders == in_force.known_of(ground).read and not anew:
        return
    known = await in_force.read_known(work, orders)
    folders: dict[int | None, Folder | None] = dict(known.folders.items())
    folders[None] = in_force.own_folder(ground)
    register = await registry.registered(work)
    order = in_force.order_at(orders, work.now)
    now = order.set_id if order is not None else None
    # Reading files takes time, and calls are answered meanwhile.
    ready = await asyncio.to_thread(_prepare, folders, register, now)
    # The one before stays in force where a set cannot be read by this process.
    usable = tuple(one for one in known.orders if one.set_id in ready)
    ground.kept["libraries"] = {set_id: one.library for set_id, one in ready.items()}
    ground.kept["protocols"] = {set_id: one.protocols for set_id, one in ready.items()}
    in_force.work_by(ground, replace(known, orders=usable))


def _prepare(
    folders: dict[int | None, Folder | None], register: dict[Key, str], now: int | None
) -> dict[int | None, _Ready]:
    """Read and check the sets, each with the versions that records were written with.

    A set that is to come and cannot be read is left out. Raises BadDefinition for the one in force.
    """
    found = {}
    for set_id, folder in folders.items():
        try:
            library, protocol = libraries.load(folder).copy(), protocols.load(folder).copy()
        except BadDefinition:
            if set_id == now:
                raise
            log().error("a set of definitions cannot be read", area="definitions")
            continue
        there = library.texts | protocol.texts
        for key, text in register.items():
            if key not in there:
                kind = key[0]
                library.restore(kind, text)
                protocol.restore(kind, text)
        found[set_id] = _Ready(library, protocol)
    return found


async def learn_now(ground: Ground, *, anew: bool = False) -> None:
    """Read what is in force, in a transaction of its own. Raises BadDefinition."""
    async with transaction(ground, PROGRAM) as work:
        await learn(work, anew=anew)


async def watch(ground: Ground, bus: Bus) -> None:
    """Read it again after each change. Runs for ever."""
    with bus.listening(Subscription(), {Topic.DEFINITIONS, Topic.EVERYTHING}) as news:
        while True:
            await news.take()
            try:
                await learn_now(ground)
            except BadDefinition as bad:
                # This process is of another version than the one that imported the set.
                log().error("definitions cannot be read", area="definitions", where=bad.source)
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                kind = type(error).__name__
                log().warning("definitions were not read", area="database", exception_type=kind)
                await ground.clock.sleep(_AGAIN)
                news.put(Topic.DEFINITIONS)
