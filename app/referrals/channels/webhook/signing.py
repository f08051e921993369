"""Signed events between systems, by the Standard Webhooks specification. Pure.

Signatures are made by the specification's own library. Its `verify` reads the time of the machine,
and here the time is handed down: so a received signature is compared with the one that the library
makes, and the time of the event is checked here.
"""

import hmac
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from app.errors import NotAllowed

# By how much a sender's clock may be wrong.
TOLERANCE = timedelta(minutes=5)


class BadEvent(NotAllowed):
    status = 401
    default = "The event is not signed as agreed."


class StaleEvent(NotAllowed):
    status = 401
    default = (
        "The time of the event is more than five minutes off. Correct the sender's clock, "
        "and sign the event anew for each attempt."
    )


def headers_for(secret: str, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of an event. `secret` is in its exchange format, `whsec_` and base64."""
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at.astimezone(UTC), body.decode()),
    }


def check(
    secret: str, event_id: str, timestamp: str, signature: str, body: bytes, now: datetime
) -> None:
    """Check the signature and the time of an event. Raises BadEvent or StaleEvent.

    The signature is checked first, so that a sender without the secret learns nothing.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10):
        raise BadEvent()
    at = datetime.fromtimestamp(int(timestamp), UTC)
    try:
        right = Webhook(secret).sign(event_id, at, body.decode())
    except UnicodeDecodeError:
        raise BadEvent() from None
    # The specification lets a sender give several, while it changes its secret.
    given = signature.split(" ")[:5]
    if not any(hmac.compare_digest(right.encode(), part.encode()) for part in given):
        raise BadEvent()
    if abs(now - at) > TOLERANCE:
        raise StaleEvent()
