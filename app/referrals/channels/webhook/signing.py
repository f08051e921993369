"""Signed events between systems, by the Standard Webhooks specification. Pure.

The signature is HMAC-SHA256 over `id.time.body`. A receiver can check our events with any library
of that specification; we check received events in the same way.
"""

import base64
import hmac
from datetime import datetime, timedelta

from app.errors import NotAllowed

# By how much a sender's clock may be wrong.
TOLERANCE = timedelta(minutes=5)
PREFIX = "whsec_"


class BadEvent(NotAllowed):
    status = 401
    default = "The event is not signed as agreed."


class StaleEvent(NotAllowed):
    status = 401
    default = (
        "The time of the event is more than five minutes off. Correct the sender's clock, "
        "and sign the event anew for each attempt."
    )


def key_of(secret: str) -> bytes:
    """Return the key of a secret in its exchange format, `whsec_` and base64. Raises ValueError."""
    encoded = secret.removeprefix(PREFIX)
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if len(key) < 24:
        raise ValueError("a secret must have at least 24 bytes")
    return key


def sign(key: bytes, event_id: str, at: datetime, body: bytes) -> str:
    """Return the signature of an event."""
    told = f"{event_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, told, "sha256")).decode()


def headers_for(key: bytes, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of an event."""
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": sign(key, event_id, at, body),
    }


def check(
    key: bytes, event_id: str, timestamp: str, signature: str, body: bytes, now: datetime
) -> None:
    """Check the signature and the time of an event. Raises BadEvent or StaleEvent.

    The signature is checked first, so that a sender without the key learns nothing.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadEvent()
    at = datetime.fromtimestamp(int(timestamp), now.tzinfo)
    right = sign(key, event_id, at, body)
    given = [part for part in signature.split(" ") if part.startswith("v1,")]
    if not any(hmac.compare_digest(right.encode(), part.encode()) for part in given[:5]):
        raise BadEvent()
    if abs(now - at) > TOLERANCE:
        raise StaleEvent()
