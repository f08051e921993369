"""What the program itself tells a child who writes: codes that are stored and deferred; pure."""

from enum import StrEnum


class Sentence(StrEnum):
    """What the program tells a child; stored instead of words, and said in the child's language."""

    COUNSELLOR_HERE = "counsellor_here"
    COUNSELLOR_LOST = "counsellor_lost"
    HANDED_OVER = "handed_over"
    BUSY_A_MOMENT = "busy_a_moment"
    # To a child who writes by a carrier, and has no page that would say it.
    WAIT = "wait"
    CLOSED = "closed"
    NO_MEDIA = "no_media"
    BLOCKED = "blocked"
    TOO_MANY = "too_many"
    TOO_FAST = "too_fast"
    OPTED_OUT = "opted_out"
