"""The provider's wire formats: signatures, ids, dates, connection overrides, error bodies."""

import base64
import hashlib
import hmac
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

Fields = list[tuple[str, str]]


def sign(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """Return `X-Twilio-Signature`: HMAC-SHA1 over the address and the sorted, distinct fields."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def rfc2822(at: datetime) -> str:
    """Return a date as webhooks and the REST interface write it."""
    return format_datetime(at.astimezone(UTC).replace(microsecond=0))


class Sids:
    """Ids in the provider's form, from a generator of their own."""

    def __init__(self, seed: int | None = None, *, uuids: bool = False) -> None:
        self._random = random.Random(seed)
        self._uuids = uuids

    def new(self, prefix: str) -> str:
        bits = self._random.getrandbits(128)
        return str(UUID(int=bits, version=4)) if self._uuids else f"{prefix}{bits:032x}"


@dataclass(frozen=True)
class Overrides:
    """What the fragment of a webhook's address asks for; it is never sent or signed.

    Times are in seconds (the protocol uses milliseconds).
    """

    address: str
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})
    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0


def read_overrides(url: str) -> Overrides:
    """Return the address without its fragment, and the overrides in the fragment.

    Raises ValueError for what the protocol does not allow.
    """
    address, _, fragment = url.partition("#")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an absolute http(s) address: {address[:80]!r}")
    wishes = dict(parse_qsl(fragment))
    policy = frozenset(wishes.get("rp", "ct").split(","))
    if policy - {"4xx", "5xx", "ct", "rt", "all"}:
        raise ValueError(f"unknown retry policy in {fragment!r}")
    retries = int(wishes.get("rc", "1"))
    times = {
        name: int(wishes.get(name, default))
        for name, default in (("ct", "5000"), ("rt", "15000"), ("tt", "15000"))
    }
    if not 0 <= retries <= 5 or not all(100 <= t <= 15000 for t in times.values()):
        raise ValueError(f"override out of range in {fragment!r}")
    return Overrides(
        address, retries, policy, times["ct"] / 1000, times["rt"] / 1000, times["tt"] / 1000
    )


def error_body(status: int, code: int, message: str) -> dict[str, object]:
    """Return the body of a refused REST request."""
    return {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
