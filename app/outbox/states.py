"""How far the sending of one thing is. Pure."""

from enum import StrEnum


class Sending(StrEnum):
    """How far the sending of one thing is. Nothing is sent twice."""

    # Not sent, for certain: it may be sent.
    WANTED = "wanted"
    # Committed before it is sent; it stays so if no response comes.
    SENDING = "sending"
    SENT = "sent"
    # Refused, or not needed any more.
    FAILED = "failed"
    # A leg only, and no request of ours: a document on another leg dials it.
    DIALLED = "dialled"


# The states of what we request ourselves.
OF_REQUESTS = (Sending.WANTED, Sending.SENDING, Sending.SENT, Sending.FAILED)
