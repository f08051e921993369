"""What a caller chooses for a call-back: who may answer, and when. Pure."""

from enum import StrEnum


class Who(StrEnum):
    """Who may answer. To any other person the counsellor does not mention the helpline."""

    CALLER = "caller"
    ANYONE = "anyone"


class Slot(StrEnum):
    """The times that a caller can choose with a key."""

    SOON = "soon"
    EVENING = "evening"
    TOMORROW = "tomorrow"
