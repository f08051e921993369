"""The data dictionary: every column that a file may have."""

from app.errors import Message
from app.statistics import staff_measures
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.exports.files import File
from app.statistics.exports.record_tables import record_columns
from app.statistics.exports.tables import OutColumn
from app.statistics.measures import NAMES, definition


def dictionary(more: dict[str, list[OutColumn]]) -> list[tuple[str, str, Message]]:
    """Return every column that a file may have: file, name, words."""
    found: list[tuple[str, str, Message]] = [
        (File.SUMMARY, name, Message(definition(name).words)) for name in NAMES
    ]
    found += [
        (File.SUMMARY, d.value, Message("dimension, from the fact %(fact)s", fact=f"`{COLUMN[d]}`"))
        for d in Dimension
    ]
    for file, parts in (
        (File.CALLS, ("call", "staff")),
        (File.RECORDS, ("call", "staff", "record")),
    ):
        found += [(file, column.name, _meaning(column)) for column in record_columns(parts)]
    of_counsellors = staff_measures.STAFF_MEASURES | staff_measures.AT_ONCE
    found += [(File.COUNSELLORS, name, Message(words)) for name, words in of_counsellors.items()]
    found += [(file, c.name, _meaning(c)) for file, columns in more.items() for c in columns]
    return found


def _meaning(column: OutColumn) -> Message:
    return column.said if isinstance(column.said, Message) else Message(column.words)
