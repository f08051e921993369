"""What the form of a contact says about consent, whatever a country calls its questions."""

from app.contacts.models import Filled
from app.definitions.answers import Sheet, Value
from app.definitions.forms import Meaning


def said_of(record: Filled, sheet: Sheet, meaning: Meaning, child: str | None) -> Value | None:
    """Return what is said of one child: in its own entry, or for all children."""
    for path in sheet.form.paths_of(meaning, child):
        found: Value | None = record.answers.get(path)
        if found is not None:
            return found
    return None


def wish_in_words(record: Filled, sheet: Sheet) -> bool:
    """Return whether the contact says in free text, which no program reads, whom not to tell."""
    return any(path in record.sealed for path in sheet.form.paths_of("withheld_from", None))
