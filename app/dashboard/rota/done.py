"""What was just done in the rota: an address carries it to the page that says it."""

from enum import StrEnum
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator


class Done(StrEnum):
    """What a form of the rota did; in the address to which it leads."""

    # To a stretch of duty.
    ADDED = "added"
    MOVED = "moved"
    REMOVED = "removed"
    MOVED_LATER = "moved_later"
    REMOVED_LATER = "removed_later"
    ABSENT = "absent"
    SWAPPED = "swapped"
    ASKED = "asked"
    # To a week or a template.
    COPIED = "copied"
    SAVED = "saved"
    PUT = "put"
    DELETED = "deleted"
    # To an open shift.
    OFFERED = "offered"
    SIGNED_UP = "signed_up"
    SIGNED_OFF = "signed_off"
    WITHDRAWN = "taken_back"
    # To a proposed rota.
    ACCEPTED = "accepted"
    DISCARDED = "discarded"


def _read(word: str) -> Done | None:
    return Done(word) if word in list(Done) else None


# An address that was typed or is old says nothing, and is no error.
SaidDone = Annotated[Done | None, BeforeValidator(_read), Query()]
