"""Signed events between systems, by the Standard Webhooks specification. Pure.

Signatures are made where the secrets are held (`app/privacy/secret_uses.py`), by the
specification's own library. Its `verify` reads the time of the machine, and here the time is handed
down: so a received signature is compared with the one that the library makes, and the time of the
event is checked here.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.errors import NotAllowed

# By how much a sender's clock may be wrong.
TOLERANCE = timedelta(minutes=5)

# Return the signature of an event: of its id, its time in seconds since 1970 and its body.
Sign = Callable[[str, int, str], str]


class BadEvent(NotAllowed):
    status = 401
    default = "The event is not signed as agreed."


class StaleEvent(NotAllowed):
    status = 401
    default = (
        "The time of the event is more than five minutes off. Correct the sender's clock, "
        "and sign the event anew for each attempt."
    )


def headers_for(sign: Sign, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of an event."""
    seconds = int(at.timestamp())
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": sign(event_id, seconds, body.decode()),
    }


def check(
    sign: Sign, event_id: str, timestamp: str, signature: str, body: bytes, now: datetime
) -> None:
    """Check the signature and the time of an event. Raises BadEvent or StaleEvent.

    The signature is checked first, so that a sender without the secret learns nothing.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10):
        raise BadEvent()
    at = datetime.fromtimestamp(int(timestamp), UTC)
    try:
        right = sign(event_id, int(timestamp), body.decode())
    except UnicodeDecodeError:
        raise BadEvent() from None
    # The specification lets a sender give several, while it changes its secret.
    given = signature.split(" ")[:5]
    if not any(hmac.compare_digest(right.encode(), part.encode()) for part in given):
        raise BadEvent()
    if abs(now - at) > TOLERANCE:
        raise StaleEvent()
