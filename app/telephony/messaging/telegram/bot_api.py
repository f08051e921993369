"""The few requests that we send to Telegram's Bot API (https://core.telegram.org/bots/api).

They go to servers outside alone. The token stands in every address, so no address is ever logged
or kept in an error.
"""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import httpx2

from app.outbox.fetching import fetch
from app.outbox.outside import client_for_outside
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.settings import Settings

_BASE = "https://api.telegram.org"
# One update after the other, in their order: many come within a second all the same.
_CONNECTIONS = 1
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,200}")
UPDATES = ("message", "edited_message", "my_chat_member")

# What Telegram says with one code, told apart. The first is its own code.
BLOCKED = 403
DEACTIVATED, NOT_BEGUN, NO_CHAT = 40301, 40302, 40001
_SAID = {
    "user is deactivated": DEACTIVATED,
    "can't initiate conversation": NOT_BEGUN,
    "chat not found": NO_CHAT,
}


class BotApi:
    """One bot, by its token."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._settings, self._token = settings, token

    async def name(self) -> str:
        """Return the name by which children find the bot."""
        me = await self._ask("getMe")
        return str(me.get("username", ""))[:64] if isinstance(me, dict) else ""

    async def brought_to(self) -> str:
        """Return the address to which messages are brought; empty if Telegram keeps them."""
        info = await self._ask("getWebhookInfo")
        return str(info.get("url", "")) if isinstance(info, dict) else ""

    async def bring_to(self, address: str, secret: str) -> None:
        """Have messages brought to an address of ours, with a secret that proves the sender."""
        await self._ask(
            "setWebhook",
            url=address,
            secret_token=secret,
            max_connections=_CONNECTIONS,
            allowed_updates=UPDATES,
        )

    async def bring_nowhere(self) -> None:
        """Have messages kept: Telegram keeps them for a day."""
        await self._ask("deleteWebhook", drop_pending_updates=False)

    async def send(self, chat: str, text: str) -> int:
        """Send words to a chat, and return their number in it."""
        sent = await self._ask(
            "sendMessage", chat_id=chat, text=text, link_preview_options={"is_disabled": True}
        )
        if not isinstance(sent, dict) or not isinstance(sent.get("message_id"), int):
            raise Uncertain("Telegram does not say what it sent")
        return int(sent["message_id"])

    async def file(self, file_id: str, most: int) -> bytes:
        """Return a file that a person sent. Raises TryAgain, Uncertain, Refused, TooLong."""
        found = await self._ask("getFile", file_id=file_id)
        path = found.get("file_path") if isinstance(found, dict) else None
        if not isinstance(path, str) or not _PATH.fullmatch(path) or ".." in path:
            raise Refused("Telegram does not say where the file is")
        return await fetch(self._settings, f"{self._root('file/')}/{path}", most)

    def _root(self, what: str = "") -> str:
        base = (self._settings.telegram_api_base_url or _BASE).rstrip("/")
        return f"{base}/{what}bot{quote(self._token, safe=':')}"

    async def _ask(self, method: str, **values: Any) -> Any:
        """Return what a method answers. Raises TryAgain, Uncertain, Refused."""
        address = f"{self._root()}/{method}"
        limit = self._settings.telegram_timeout
        try:
            async with asyncio.timeout(limit), client_for_outside(self._settings) as client:
                answer = await client.post(address, json=values, timeout=limit)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise TryAgain("Telegram could not be reached") from None
        except (httpx2.HTTPError, TimeoutError):
            raise Uncertain("no answer of Telegram in time") from None
        try:
            said = answer.json()
        except ValueError:
            said = {}
        if not isinstance(said, dict):
            said = {}
        if answer.status_code == 200 and said.get("ok") is True:
            return said.get("result")
        raise _failure(method, answer.status_code, said)


def _failure(method: str, status: int, said: dict[str, Any]) -> Exception:
    """Return what a refusal means. Its text is not kept: it may name the child."""
    if status == 429:
        after = (said.get("parameters") or {}).get("retry_after", 1)
        return TryAgain("too many requests", status=429, after=float(after))
    if status >= 500 or status < 400:
        return Uncertain(f"Telegram failed at {method}", status=status)
    told = str(said.get("description", ""))
    code = next((code for words, code in _SAID.items() if words in told), status)
    return Refused(f"Telegram refused {method}", status=status, code=code)
