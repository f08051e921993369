"""One who opens a route that no role opens by itself: by what, and at which address."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Way:
    """One who opens a route at an address, with what proves who it is.

    `answers`: the status of the answer; some are refused, as what they have is over or of others.
    `alone`: no other person opens it there, whatever the role.
    """

    route: str
    address: str
    headers: dict[str, str] = field(default_factory=dict)
    answers: int = 200
    alone: bool = True


def by_route(ways: Iterable[Way]) -> dict[str, list[Way]]:
    found: dict[str, list[Way]] = defaultdict(list)
    for way in ways:
        found[way.route].append(way)
    return found


def with_cookie(cookie: str) -> dict[str, str]:
    return {"Cookie": cookie}


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
