"""Browsers that are on their way to the provider of identities and back, each for another errand.

A browser comes back once: an address of the way back is opened by the first who asks.
"""

import html
import re
from urllib.parse import urlsplit

import httpx2

from app.demo.stage import Stage
from tests.support.identity.at_provider import ANA, go, sign_in
from tests.support.identity.provider import Provider
from tests.support.identity.second_step import browser
from tests.support.pages.ways import Way, with_cookie

_BACK = "/login/provider/back"
_PROOF = "/login/provider/proof"
_THERE = re.compile(r'href="(http://127\.0\.0\.1:\d+/authorize\?[^"]+)"')


async def on_their_way(stage: Stage, city: Provider) -> list[Way]:
    """A person signs in, proves who they are, or links an account that is there; another browser
    brings back what is not its own."""
    ways = []
    city.person = ANA | {"name": "Zvezdana"}
    async with browser(stage) as page, browser(stage) as other:
        await sign_in(page)
        known = _kept(page)
        ways.append(Way(_PROOF, _PROOF, known, 303))
        ways.append(_back(await go(page, _PROOF), _kept(page)))
        ways.append(_back(await go(other), _kept(other)))
        ways.append(_back(await go(other), known, 400))
    links = await stage.add_counsellor("links", state=None, shift=False)
    async with browser(stage) as page:
        city.person = {"sub": "2", "name": links.staff.name, "groups": ["help"]}
        page.headers.update({"Origin": stage.settings.public_url})
        for name, value in links.cookies.items():
            page.cookies.set(name, value, domain="127.0.0.1")
        shown = await page.post("/account/provider")
        found = _THERE.search(shown.text)
        assert found is not None, shown.text
        there = await page.get(html.unescape(found[1]))
        ways.append(_back(there.headers["location"], _kept(page)))
    return ways


def _back(address: str, headers: dict[str, str], answers: int = 303) -> Way:
    parts = urlsplit(address)
    return Way(_BACK, f"{parts.path}?{parts.query}", headers, answers)


def _kept(page: httpx2.AsyncClient) -> dict[str, str]:
    return with_cookie("; ".join(f"{name}={value}" for name, value in page.cookies.items()))
