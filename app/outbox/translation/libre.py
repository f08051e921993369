"""LibreTranslate, and engines that speak as it does (https://docs.libretranslate.com).

Redirects are not followed, and neither words nor the key stand in an address or an error.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2

from app.outbox.inside import client_for_inside
from app.outbox.translation.base import Engine, NoTranslation, Why

# The most requests of a process that are under way; more wait, within their own time.
_AT_ONCE = 4
# A translation is not much longer than what it is of: more is an engine that runs wild.
_LONGER, _MORE = 8, 400
_turns = asyncio.Semaphore(_AT_ONCE)


class Libre(Engine):
    """One engine. `seconds`: how long it may take."""

    def __init__(self, url: str, key: str | None, seconds: float) -> None:
        self._url, self._key, self._seconds = url.rstrip("/"), key, seconds

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        body: dict[str, Any] = {
            "q": list(texts),
            "source": source,
            "target": target,
            "format": "text",
        }
        if self._key:
            body["api_key"] = self._key
        try:
            async with asyncio.timeout(self._seconds), _turns, client_for_inside() as client:
                answer = await client.post(
                    f"{self._url}/translate", json=body, timeout=self._seconds
                )
        except (httpx2.HTTPError, TimeoutError):
            raise NoTranslation(Why.AWAY) from None
        return _read(answer, texts)


def _read(answer: httpx2.Response, texts: Sequence[str]) -> list[str]:
    if answer.status_code == 400:
        raise NoTranslation(Why.LANGUAGES)
    if answer.status_code in (401, 403):
        raise NoTranslation(Why.KEY)
    try:
        said = answer.json() if answer.status_code == 200 else None
    except ValueError:
        said = None
    found = said.get("translatedText") if isinstance(said, dict) else None
    if not isinstance(found, list) or len(found) != len(texts):
        raise NoTranslation(Why.AWAY)
    for made, text in zip(found, texts, strict=True):
        if not isinstance(made, str) or len(made) > _LONGER * len(text) + _MORE:
            raise NoTranslation(Why.AWAY)
    return [made.replace("\x00", "") for made in found]
