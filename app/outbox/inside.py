"""Requests to services of the helpline's own that must be inside: on this machine, or in a private
network of its own. What a child writes goes to them unsealed, so it must not leave.

An address is checked after its name was resolved, and the connection goes to the address that was
checked. Redirects are not followed.
"""

import httpx2

from app.outbox.connecting import CheckedTransport
from app.private_networks import is_inside


def client_for_inside() -> httpx2.AsyncClient:
    """Return a client for services inside. It connects to nothing outside, whatever a name says."""
    return httpx2.AsyncClient(
        transport=CheckedTransport(is_inside, "the address is not inside"),
        trust_env=False,
        follow_redirects=False,
    )
