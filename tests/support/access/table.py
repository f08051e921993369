"""The table of who may do what, as it stands in the repository: what people have decided."""

import csv
from dataclasses import dataclass
from pathlib import Path

from tests.support.access.cells import COLUMNS, SIGNED, YES, Place, permission_of

FILE = Path(__file__).parents[3] / "docs/security/access.csv"
# What has no row, with the reason. All else asks who uses it, and says so where it is declared.
WITHOUT_A_ROW = {
    "Route /openapi.json": "the description of the API, which says nothing of a helpline",
    "Mount /static": "styles, scripts and sounds of the pages, which are part of the program",
}
_HEAD = ("method", "path", "permission", *COLUMNS, "note")


@dataclass(frozen=True)
class Row:
    permission: str
    # By the column.
    cells: dict[str, str]
    # Why no column reaches anything, where none does.
    note: str


def kept() -> dict[str, Row]:
    """Return the rows of the table by method and path."""
    with FILE.open(newline="") as file:
        return {
            f"{row['method']} {row['path']}": Row(
                row["permission"], {name: row[name] for name in COLUMNS}, row["note"]
            )
            for row in csv.DictReader(file)
        }


def write(places: list[Place], found: dict[str, dict[str, str]]) -> None:
    """Write a draft of the table from what the application answered; notes stay."""
    notes = {key: row.note for key, row in kept().items()} if FILE.exists() else {}
    with FILE.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_HEAD)
        for place in places:
            cells, permission = found[place.key], permission_of(place.route)
            note = "" if reached(cells) else notes.get(place.key, "")
            row = [place.method, place.path, permission, *cells.values(), note]
            table.writerow(row)


def reached(cells: dict[str, str]) -> bool:
    """Return whether a column reaches what it asks for."""
    return any(cell.startswith(YES) for cell in cells.values())


def wrong(places: list[Place], found: dict[str, dict[str, str]]) -> list[str]:
    """Return a sentence for each cell and row that is not as the table says."""
    rows, sentences = kept(), []
    for place in places:
        row, cells = rows.pop(place.key, None), found[place.key]
        if row is None:
            sentences.append(
                f"{place.key} has no row in docs/security/access.csv. Decide for each role whether"
                " it may, and write the row; `scripts/docs --access` writes a draft of it."
            )
            continue
        if row.permission != permission_of(place.route):
            sentences.append(
                f"{place.key}: the table says {row.permission or 'no permission'}, the route"
                f" {permission_of(place.route) or 'none'}."
            )
        sentences += [
            f"{place.key}, {name}: the table says {row.cells[name]!r}, the application {cell!r}."
            for name, cell in cells.items()
            if row.cells[name] != cell
        ]
        if bool(row.note) == reached(row.cells) and row.permission != SIGNED:
            sentences.append(
                f"{place.key}: a note says why no column reaches it, and only then is there one."
            )
    return sentences + [f"{key} is no route any more. Remove its row." for key in rows]
