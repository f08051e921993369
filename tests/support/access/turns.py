"""Which cells of the table are asked: of those that one guard answers alike, one in turn.

`TESTS=whole` asks every cell. Otherwise a cell is left out only where the same row asks another
one of its kind: roles to which the permission is closed, tokens that sign no person in, and
roles that reach a page on which no row belongs to a person. A cell that says something else than
the permission does is always asked.
"""

from app.staff.roles import Permission, Role, may
from tests.support.access.cells import COLUMNS, NO, SIGN_IN, TOKENS, YES, Place, permission_of
from tests.support.access.table import Row
from tests.support.profile import WHOLE


def columns(number: int, place: Place, row: Row | None) -> list[str]:
    """Return the columns that are asked for the route with this number."""
    if WHOLE or row is None:
        return list(COLUMNS)
    alike: dict[str, list[str]] = {}
    for column in COLUMNS:
        alike.setdefault(_kind(place, row, column) or column, []).append(column)
    every = [some[number % len(some)] for some in alike.values()]
    return sorted(every, key=COLUMNS.index)


def _kind(place: Place, row: Row, column: str) -> str:
    """Return what answers this cell as it does others of its row, or "" where only it says so."""
    cell, permission = row.cells[column], permission_of(place.route)
    if column in TOKENS:
        return "no token" if cell == SIGN_IN else ""
    if permission not in set(Permission) or column not in set(Role):
        return ""
    open_to = may(Role(column), Permission(permission))
    if cell == NO and not open_to:
        return "closed"
    return "open" if cell == YES and open_to and not place.kinds else ""
