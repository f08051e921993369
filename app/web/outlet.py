"""A way for a live stream to write at once, without a task and a chain of calls for each piece.

Hundreds of streams send the same bytes at the same moment. What is written here is a piece of the
body of a response that has begun, exactly as the response itself would send it.
"""

import weakref
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

# The name under which a request finds its outlet among the extensions of its server.
OUTLET = "helpline.outlet"


class Outlet(Protocol):
    """The end of one response towards its connection."""

    def write(self, body: bytes) -> bool:
        """Send a piece of the body now. Return False if it cannot be sent at once: the response
        has not begun or is over, or its reader is slow."""


class OfResponse:
    """The outlet of a response of our server.

    It does not hold the response, which holds its request and so this outlet: in a circle of them
    each request would be kept until the collector of garbage looks for it, which costs time.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = weakref.ref(cycle)

    def write(self, body: bytes) -> bool:
        cycle = self._cycle()
        if cycle is None:
            return False
        begun = cycle.response_started and cycle.chunked_encoding and not cycle.response_complete
        if not begun or cycle.disconnected or cycle.flow.write_paused:
            return False
        if cycle.transport.is_closing():
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True
