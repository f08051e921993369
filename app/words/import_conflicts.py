"""What a person can decide of messages that others have changed meanwhile, too. Pure."""

from enum import StrEnum


class Meanwhile(StrEnum):
    """What counts of the messages that a file and others have changed, both."""

    REFUSE = "refuse"
    KEEP = "keep"
    REPLACE = "replace"
