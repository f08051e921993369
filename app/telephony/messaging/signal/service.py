"""The few requests that we send to signal-cli-rest-api, a service of the helpline's own that plays
a phone with Signal (https://github.com/bbernhard/signal-cli-rest-api).

It runs beside this program and asks for no password, so it is reached inside alone. A number stands
in its addresses, so no address is ever logged or kept in an error, nor what it says of a failure.
"""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import httpx2

from app.outbox.fetching import TooLong
from app.outbox.inside import client_for_inside
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.settings import Settings

# In these modes Signal itself keeps what children write until we ask for it. In the others the
# service takes it at once, and what comes while this program is away is lost.
KEEPING_MODES = ("normal", "native")
# The most messages that are taken at once. They are lost if this program dies before it has written
# down the answer, or if there is none in time.
MOST_AT_ONCE = 1
# Seconds that the service waits for messages, and how many times longer than another answer theirs
# may take: what is not waited for is lost.
_WAITS, _LONGER = 1, 4
_NOTHING = (b"", b"[]", b"null")
_ATTACHMENT = re.compile(r"[A-Za-z0-9_.-]{1,200}")

# What the service says with one status, told apart; the codes are ours.
PROOF_WANTED, UNREGISTERED, WRONG_MODE, NOT_SET = 42901, 40401, 40002, 40003
_UNTRUSTED, _NETWORK = 40001, 50301
_SAID = {
    "proof required": PROOF_WANTED,
    "unregistered user": UNREGISTERED,
    "untrusted identit": _UNTRUSTED,
    "network failure": _NETWORK,
}


class SignalService:
    """The service, with all numbers that play a phone there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def check(self, number: str) -> None:
        """Check that the service keeps messages and has a number, and let children have a new
        phone. Raises TryAgain, Uncertain, Refused."""
        about = await self._ask("GET", "/v1/about")
        if not isinstance(about, dict) or about.get("mode") not in KEEPING_MODES:
            raise Refused("the service does not keep messages", code=WRONG_MODE)
        known = await self._ask("GET", "/v1/accounts")
        if not isinstance(known, list) or number not in known:
            raise Refused("the service does not have the number", status=404)
        # A child with a new phone has a new key, and must be answered all the same.
        path = f"/v1/configuration/{_quoted(number)}/settings"
        await self._ask("POST", path, json={"trust_mode": "always"})

    async def receive(self, number: str, *, files: bool) -> bytes:
        """Take what Signal has for a number, at most `MOST_AT_ONCE` messages, as the service says
        it; Signal forgets them with that. `files`: pictures and voice notes, too, and not only
        words. Empty: there is nothing. Raises TryAgain, Uncertain, Refused."""
        answer = await self._request(
            "GET",
            f"/v1/receive/{_quoted(number)}",
            longer=_LONGER,
            params={
                "timeout": str(_WAITS),
                "max_messages": str(MOST_AT_ONCE),
                "ignore_attachments": "false" if files else "true",
                "ignore_stories": "true",
                # A person says that something was read, and nothing else.
                "send_read_receipts": "false",
            },
        )
        if answer.status_code not in (200, 204):
            raise _failure(answer)
        content = answer.content.strip()
        return b"" if content in _NOTHING else content

    async def send(self, number: str, to: str, text: str) -> str:
        """Send words from a number to a person, and return the instant by which Signal names the
        message, in milliseconds."""
        body = {"number": number, "recipients": [to], "message": text, "text_mode": "normal"}
        sent = await self._ask("POST", "/v2/send", json=body)
        named = str(sent.get("timestamp", "")) if isinstance(sent, dict) else ""
        if not named.isdigit():
            raise Uncertain("Signal does not say what it sent")
        return named

    async def attachment(self, name: str, most: int) -> bytes:
        """Return a file that a person sent. Raises TryAgain, Uncertain, Refused, TooLong."""
        answer = await self._request("GET", _file(name), most=most)
        if answer.status_code != 200:
            raise _failure(answer)
        return answer.content

    async def drop(self, name: str) -> None:
        """Delete a file at the service."""
        await self._ask("DELETE", _file(name))

    async def _ask(self, method: str, path: str, **values: Any) -> Any:
        """Return what the service answers. Raises TryAgain, Uncertain, Refused."""
        answer = await self._request(method, path, **values)
        if answer.status_code not in (200, 201, 204):
            raise _failure(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            return None

    async def _request(
        self, method: str, path: str, longer: int = 1, most: int | None = None, **values: Any
    ) -> httpx2.Response:
        """Return an answer that is read. `most`: bytes beyond which it is read no further. Raises
        TryAgain, Uncertain, Refused, TooLong."""
        base = self._settings.signal_service_url
        if base is None:
            raise Refused("no service is set", code=NOT_SET)
        limit = self._settings.signal_timeout * longer
        try:
            async with asyncio.timeout(limit), client_for_inside() as client:
                url = base.rstrip("/") + path
                if most is None:
                    return await client.request(method, url, timeout=limit, **values)
                async with client.stream(method, url, timeout=limit, **values) as answer:
                    content = await read_answer(answer, most)
                    return httpx2.Response(answer.status_code, content=content)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise TryAgain("the service for Signal could not be reached") from None
        except (httpx2.HTTPError, TimeoutError):
            raise Uncertain("no answer of the service for Signal in time") from None


async def read_answer(answer: httpx2.Response, most: int) -> bytes:
    """Return what an answer holds. Raises TooLong as soon as it is known to hold more."""
    told = answer.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise TooLong("longer than what is taken")
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > most:
            raise TooLong("longer than what is taken")
    return bytes(body)


def _quoted(number: str) -> str:
    return quote(number, safe="")


def _file(name: str) -> str:
    if not _ATTACHMENT.fullmatch(name) or ".." in name:
        raise Refused("this is no file of the service")
    return f"/v1/attachments/{name}"


def _failure(answer: httpx2.Response) -> Exception:
    """Return what a refusal means. Its text is not kept: it may name the child."""
    status = answer.status_code
    try:
        said = answer.json()
    except ValueError:
        said = {}
    told = str(said.get("error", "")).lower() if isinstance(said, dict) else ""
    code = next((code for words, code in _SAID.items() if words in told), 0)
    if code == PROOF_WANTED or (status == 429 and said.get("challenge_tokens")):
        # A person has to solve a puzzle for Signal; until then it fails.
        return Refused("Signal asks for a proof", status=status, code=PROOF_WANTED)
    if status == 429 or "rate limit" in told:
        return TryAgain("too many requests", status=429, after=2)
    if status >= 500 or status < 400 or code == _NETWORK:
        return Uncertain("the service for Signal failed", status=status)
    return Refused("the service for Signal refused it", status=status, code=code or status)
