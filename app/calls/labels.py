"""The labels by which the provider tells apart who is in a conference. Pure.

They stand in the log of a call: by them it is known whether a talk took place.
"""

from enum import StrEnum
from typing import NewType
from uuid import UUID


class Label(StrEnum):
    """The two between whom a call is."""

    CALLER = "caller"
    COUNSELLOR = "counsellor"


# The label of another participant, which is made of an id: it tells the provider nothing.
OtherLabel = NewType("OtherLabel", str)
AnyLabel = Label | OtherLabel

# What the label of a duty phone begins with.
DUTY = "duty-"
_PARTICIPANT = "participant-"
# What the label of a colleague's second phone ends with.
_AT_TELEPHONE = "-second"


def participant_label(participant_id: UUID, *, at_telephone: bool = False) -> OtherLabel:
    """Return the label of a participant.

    A colleague's second phone has another label than their browser, so that the end of the one
    is not taken for the end of the other.
    """
    return OtherLabel(f"{_PARTICIPANT}{participant_id}{_AT_TELEPHONE if at_telephone else ''}")


def duty_label(attempt_id: UUID) -> OtherLabel:
    """Return the label of a duty phone that an attempt has reached."""
    return OtherLabel(f"{DUTY}{attempt_id}")


def other_of(said: str) -> OtherLabel | None:
    """Return the label of another participant that the provider said; None for any other word."""
    return OtherLabel(said) if said.startswith((DUTY, _PARTICIPANT)) else None


def participant_of(label: OtherLabel) -> UUID | None:
    """Return the id of the participant whose label it is; None for that of a duty phone."""
    try:
        return UUID(label.removeprefix(_PARTICIPANT).removesuffix(_AT_TELEPHONE))
    except ValueError:
        return None
