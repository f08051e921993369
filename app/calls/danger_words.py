"""The first words of a child that speak of danger, as written, sealed with its conversation.

They are a suggestion to people: they change no place in the queue, and no urgency. They go with the
messages that they are from (`app/retention`).
"""

from uuid import UUID

from app.staff.roles import Permission, may
from app.work import Work

# Words that run on are cut: the place beside a caller is narrow.
_LONGEST = 60


def sealed(work: Work, call_id: UUID, words: str) -> bytes:
    """Return words that speak of danger, as they are kept with their conversation."""
    return work.keys.seal(
        words[:_LONGEST].encode(), table="calls", column="danger_words_sealed", row=call_id
    )


def opened(work: Work, call_id: UUID, kept: bytes | None) -> str:
    """Return the words of a conversation that speak of danger; empty if none are kept."""
    if kept is None:
        return ""
    return work.keys.open(kept, table="calls", column="danger_words_sealed", row=call_id).decode()


def may_read(role: str) -> bool:
    """Return whether a role may read such words of a child whom no counsellor has yet: a role that
    may read what a child has left for any team."""
    return may(role, Permission.HEAR_MESSAGES)
