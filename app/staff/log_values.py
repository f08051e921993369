"""What a row of the log of people's acts says of how something was found or done.

The codes are stored. What a reader sees is their words, in the reader's language.
"""

from enum import StrEnum


class FoundBy(StrEnum):
    """By what records were listed or searched; the values that were sought are in no log."""

    BORN = "born"
    CALLER = "caller"
    CASE = "case"
    CATEGORY = "category"
    CODE = "code"
    COUNSELLOR = "counsellor"
    HEADLINE = "headline"
    NAME = "name"
    NUMBER = "number"
    PLACE = "place"
    # The newest records of the reader.
    RECENT = "recent"
    # A case that was asked for.
    REQUEST = "request"
    SINCE = "since"
    STATE = "state"
    STATUS = "status"
    UNTIL = "until"
    URGENCY = "urgency"


class ActedFrom(StrEnum):
    """From where an act came that no account made."""

    COMMAND_LINE = "command_line"
    # A duty phone of our own people.
    ON_CALL = "on_call"
