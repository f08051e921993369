"""Which cells of the table are asked: of those that one guard answers alike, one in turn.

`TESTS=whole` asks every cell. Otherwise a cell is left out only where the same row asks another
one that says the same and is of its kind: roles to which the permission is closed, strangers with a
token or without, roles that reach a page on which no row belongs to a person, and roles that see
the rows of others alike. By day such a page is not opened here: the scripted hour opens every page
as every role, and here it is asked that the page is closed to the others. What needs no account
asks no role. A cell that says something else than the permission does is always asked, and so is a
counsellor or supervisor where rows have an owner.
"""

from app.staff.roles import Permission, Role, may
from tests.support.access.cells import (
    COLUMNS,
    NO,
    NO_SIGN_IN,
    SIGN_IN,
    SIGNED,
    TOKENS,
    YES,
    Place,
    permission_of,
)
from tests.support.access.table import Row
from tests.support.profile import WHOLE

_OPEN = "open"


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
    every = [some[number % len(some)] for some in alike.values()]
    return sorted(every, key=COLUMNS.index)


def _kind(place: Place, row: Row, column: str) -> str:
    """Return what answers this cell as it does others of its row, or "" where only it says so."""
    cell, permission = row.cells[column], permission_of(place.route)
    if permission == SIGNED:
        return f"{SIGNED} {cell}"
    if cell == SIGN_IN:
        # With a token more is tried than without one.
        return "a role" if column in set(Role) else "a stranger"
    if column in (NO_SIGN_IN, *TOKENS):
        return ""
    if permission not in set(Permission):
        return "" if place.kinds else f"any role {cell}"
    open_to = may(Role(column), Permission(permission))
    if cell == NO and not open_to:
        return "closed"
    if cell == YES and open_to and not place.kinds:
        return _OPEN
    seen_alike = open_to and column not in (Role.COUNSELLOR, Role.SUPERVISOR)
    return f"of others {cell}" if seen_alike else ""
