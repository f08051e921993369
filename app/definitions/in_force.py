"""Which files of a country are in force, worked out from the orders that this process knows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from app.definitions.folder import Folder, folder_with, read_folder
from app.definitions.models import DefinitionOrder, DefinitionSet
from app.work import Ground, Work

_KEPT, _OWN = "definition orders", "definition folder"


class Order(NamedTuple):
    """That a set is in force from an instant on, until the order is taken back."""

    id: int
    set_id: int
    from_at: datetime
    taken_back_at: datetime | None


@dataclass(frozen=True)
class OrdersInForce:
    """The orders that count, and the files of their sets."""

    orders: tuple[Order, ...] = ()
    folders: dict[int, Folder] = field(default_factory=dict)
    # All orders, as they were read.
    read: tuple[Order, ...] = ()


def order_at(orders: Iterable[Order], at: datetime) -> Order | None:
    """Return the order that counts at an instant; None where the program's own files do."""
    begun = [
        one
        for one in orders
        if one.from_at <= at and (one.taken_back_at is None or one.taken_back_at > at)
    ]
    return max(begun, key=lambda one: (one.from_at, one.id), default=None)


def set_of(ground: Ground) -> int | None:
    """Return the set in force now, as far as this process knows."""
    known: OrdersInForce | None = ground.kept.get(_KEPT)
    if known is None or not known.orders:
        return None
    order = order_at(known.orders, ground.clock.now())
    return order.set_id if order is not None else None


def folder_of(ground: Ground) -> Folder | None:
    """Return the country's own files that are in force now; None if it has none."""
    set_id = set_of(ground)
    return own_folder(ground) if set_id is None else ground.kept[_KEPT].folders[set_id]


def own_folder(ground: Ground) -> Folder | None:
    """Return the files of the folder in the settings, as they were when the process started.

    Raises BadDefinition.
    """
    path = ground.settings.definitions_dir
    if path is None:
        return None
    if _OWN not in ground.kept:
        ground.kept[_OWN] = read_folder(path)
    found: Folder = ground.kept[_OWN]
    return found


def known_of(ground: Ground) -> OrdersInForce:
    """Return what this process knows."""
    found: OrdersInForce = ground.kept.get(_KEPT) or OrdersInForce()
    return found


def work_by(ground: Ground, known: OrdersInForce) -> None:
    """Let this process work by these orders from now on."""
    ground.kept[_KEPT] = known


async def read_orders(work: Work) -> tuple[Order, ...]:
    """Return all orders, oldest first."""
    rows = await work.session.execute(
        select(
            DefinitionOrder.id,
            DefinitionOrder.set_id,
            DefinitionOrder.from_at,
            DefinitionOrder.taken_back_at,
        ).order_by(DefinitionOrder.id)
    )
    return tuple(Order(*row) for row in rows)


async def read_known(work: Work, orders: tuple[Order, ...]) -> OrdersInForce:
    """Return the orders that were not taken back, with the files of their sets.

    An earlier set comes back when a later order is taken back, so its files are wanted, too.
    """
    counting = tuple(one for one in orders if one.taken_back_at is None)
    wanted = {one.set_id for one in counting}
    rows = await work.session.execute(
        select(DefinitionSet.id, DefinitionSet.files).where(DefinitionSet.id.in_(wanted))
    )
    return OrdersInForce(counting, {set_id: folder_with(files) for set_id, files in rows}, orders)
