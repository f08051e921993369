"""Which cells of the table are asked: of those that one guard answers alike, one in turn.

`TESTS=whole` asks every cell. Otherwise a cell is left out only where the same row asks another
one that says the same and is of its kind: roles to which the permission is closed, strangers with a
token or without, roles that reach a page on which no row belongs to a person, and roles that see
the rows of others alike. By day such a page is not opened here: the scripted hour opens every page
as every role, and here it is asked that the page is closed to the others. What needs no account
asks no role. Where a route is guarded as most are, its guard refuses strangers and other roles by
the same lines as on every such route: of three of them one is asked. A route with another guard, or
with none, is asked always. A cell that says something else than the permission does is always
asked, and so is a counsellor or supervisor where rows have an owner.
"""

from app.staff.roles import Permission, Role, may
from app.web.access import Requires
from tests.support.access.cells import (
    COLUMNS,
    NO,
    NO_SIGN_IN,
    SIGN_IN,
    SIGNED,
    TOKENS,
    YES,
    Place,
    guard_of,
    permission_of,
)
from tests.support.access.table import Row
from tests.support.profile import WHOLE

_OPEN, _CLOSED, _STRANGER = "open", "closed", "a stranger"
# Of how many routes with the same guard its refusals are asked on one.
_IN_TURN = 3


def columns(number: int, place: Place, row: Row | None) -> list[str]:
    """Return the columns that are asked for the route with this number."""
    if WHOLE or row is None:
        return list(COLUMNS)
    alike: dict[str, list[str]] = {}
    for column in COLUMNS:
        alike.setdefault(_kind(place, row, column) or column, []).append(column)
    if place.method == "GET":
        # The guard is what the row says, and others are refused by it.
        alike.pop(_OPEN, None)
    turn, rest = divmod(number, _IN_TURN)
    if type(guard_of(place.route)) is Requires:
        for refused in (_CLOSED, _STRANGER) if rest else ():
            alike.pop(refused, None)
        number = turn
    every = [some[number % len(some)] for some in alike.values()]
    return sorted(every, key=COLUMNS.index)


def _kind(place: Place, row: Row, column: str) -> str:
    """Return what answers this cell as it does others of its row, or "" where only it says so."""
    cell, permission = row.cells[column], permission_of(place.route)
    if permission == SIGNED:
        return f"{SIGNED} {cell}"
    if cell == SIGN_IN:
        # With a token more is tried than without one.
        return "a role" if column in set(Role) else _STRANGER
    if column in (NO_SIGN_IN, *TOKENS):
        return ""
    if permission not in set(Permission):
        return "" if place.kinds else f"any role {cell}"
    open_to = may(Role(column), Permission(permission))
    if cell == NO and not open_to:
        return _CLOSED
    if cell == YES and open_to and not place.kinds:
        return _OPEN
    seen_alike = open_to and column not in (Role.COUNSELLOR, Role.SUPERVISOR)
    return f"of others {cell}" if seen_alike else ""
