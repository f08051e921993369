"""The links that agencies got by SMS, where the telephone exchange is the practice exchange.

On any other server there is nothing to read: a link goes to its agency alone. In production the
settings refuse a practice exchange.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from httpx2 import HTTPError

from app.outbox import practice_exchange
from app.settings import Settings

# Seconds that the page waits for the exchange.
_TIMEOUT = 2.0
# A link, as `app.dashboard.agency_page` serves it.
_LINK = "/r/"


@dataclass(frozen=True)
class AgencyLink:
    """A link that an agency got, the number it went to, and when."""

    at: datetime
    to: str
    path: str


async def agency_links(settings: Settings) -> list[AgencyLink]:
    """Return the links of the last texts, newest first; none if the exchange does not answer."""
    if settings.practice_exchange is None:
        return []
    try:
        sent = await practice_exchange.ask(settings, "GET", "/practice/texts", timeout=_TIMEOUT)
    except HTTPError:
        return []
    link = re.compile(re.escape(settings.public_url.rstrip("/")) + rf"({_LINK}[A-Za-z0-9_-]+)")
    return [
        AgencyLink(datetime.fromisoformat(one["at"]), one["to"], path)
        for one in sent
        for path in link.findall(one["body"])
    ]
