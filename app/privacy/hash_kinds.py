"""What keyed hashes are made of. Pure."""

from enum import StrEnum


class HashOf(StrEnum):
    """The kind of a keyed hash or secret. Equal values of two kinds have different hashes.

    The value goes into the hash: with another one, nothing that is stored would be found again.
    """

    # By which stored rows are found.
    CALLER = "caller"
    VISIT = "visit"
    NAME = "name"
    HEARD = "heard"
    NUMBER = "number"
    BORN = "born"
    STAFF_ADDRESS = "staff address"
    LINK = "link"
    LINK_CODE = "link code"
    LINK_PROOF = "link proof"
    LIMIT = "limit"
    PUSH = "push"
    # Secrets that are stored elsewhere, or made anew each time.
    KNOWN_BROWSER = "known browser"
    OUTBOX = "outbox"
    PASSWORD_LINK = "password_link"
    STATISTICS = "statistics"
    ERASURE = "erasure"
