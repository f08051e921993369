"""Where a child writes: by the visit of the page and by the network, without who it is.

Two keys, and neither is an identity. The visit is a chance number that the page makes when it is
loaded and keeps in its memory alone. The network is the address that asks, as a keyed hash in the
rows of the limits, for hours: beside no conversation and no visit, and noted by the quarter of an
hour, so that its instants name no conversation. A school is one network: it is never kept out, and
waits a little longer at most.
"""

from fastapi import Request
from limits import RateLimitItemPerHour

from app.child.limiting import limiter_of
from app.web.limits import client_of

# How long, in hours, a network is known from which a blocked visit came.
_NEAR_BLOCKED = RateLimitItemPerHour(1, 4)
# Danger calls within an hour from one network that ask an agency by themselves.
OF_NETWORK = RateLimitItemPerHour(8)


async def note_blocked(request: Request) -> None:
    """Note that a visit from this network is blocked. May run often: it counts from the first."""
    await limiter_of(request).hit_about(_NEAR_BLOCKED, "chat-blocked", client_of(request))


async def is_near_blocked(request: Request) -> bool:
    """Return whether a visit from this network was blocked a while ago."""
    return await limiter_of(request).is_used_up(_NEAR_BLOCKED, "chat-blocked", client_of(request))


async def is_danger_again(request: Request) -> bool:
    """Count a danger call, and return whether there were too many from this network within the
    hour to ask an agency for each of them. Call this once for each conversation."""
    return not await limiter_of(request).hit_about(OF_NETWORK, "chat-danger", client_of(request))
