"""Telegram's Bot API at the exchange: the methods that the program calls, with Telegram's codes."""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.practice.exchange import Exchange
from app.practice.people import Heard
from app.practice.telegram import Bot

_LONGEST = 4096
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_KINDS = frozenset(("message", "edited_message", "my_chat_member", "callback_query"))
# What each method takes; anything else is a fault of ours.
_TAKES = {
    "getMe": frozenset[str](),
    "setWebhook": frozenset(
        "url secret_token max_connections allowed_updates drop_pending_updates".split()
    ),
    "getWebhookInfo": frozenset[str](),
    "deleteWebhook": frozenset(["drop_pending_updates"]),
    "getFile": frozenset(["file_id"]),
    "sendMessage": frozenset("chat_id text link_preview_options".split()),
}


class _No(Exception):
    """A refusal, as Telegram words it."""

    def __init__(self, code: int, words: str, **parameters: Any) -> None:
        super().__init__(words)
        self.code, self.words, self.parameters = code, words, parameters


class BotMethods:
    """The methods of all bots."""

    def __init__(self, exchange: Exchange) -> None:
        self._x = exchange

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/bot{token}/{method}", self._endpoint, methods=["POST"]),
            Route("/file/bot{token}/files/{file_id}", self._file),
        ]

    async def _file(self, request: Request) -> Response:
        known = request.path_params["token"] in self._x.telegram.bots
        content = self._x.telegram.files.get(request.path_params["file_id"])
        if not known or content is None:
            return JSONResponse({"ok": False, "error_code": 404}, status_code=404)
        self._x.telegram.files_read += 1
        return Response(content, media_type="application/octet-stream")

    async def _endpoint(self, request: Request) -> Response:
        x, method = self._x, request.path_params["method"]
        # The token stands in no path that is noted.
        path = f"/telegram/{method}"
        values: dict[str, Any] = await request.json()
        silent, status, body = None, 200, {}
        try:
            bot = x.telegram.bots.get(request.path_params["token"])
            if bot is None:
                raise _No(401, "Unauthorized")
            if x.knobs.fires("refuse", path):
                raise _No(429, "Too Many Requests: retry after 1", retry_after=1)
            if x.knobs.fires("fail", path):
                raise _No(500, "Internal Server Error")
            silent = x.knobs.fires("accept_and_time_out", path)
            body = {"ok": True, "result": self._do(bot, method, values)}
        except _No as no:
            status = no.code
            body = {"ok": False, "error_code": no.code, "description": no.words}
            body |= {"parameters": no.parameters} if no.parameters else {}
        if x.sender.keep_sent:
            known = {name: [str(value)] for name, value in values.items()}
            x.asked.append(("POST", path, known, status, body))
        if silent is not None:
            # Carried out; the answer comes after the client has given up.
            await asyncio.sleep(silent.seconds or 1.0)
        return JSONResponse(body, status_code=status)

    def _do(self, bot: Bot, method: str, values: dict[str, Any]) -> Any:
        if method not in _TAKES:
            raise _No(404, "Not Found")
        if unknown := set(values) - _TAKES[method]:
            self._x.faults.append(f"{method} of Telegram does not know {sorted(unknown)}")
        match method:
            case "getMe":
                return {"id": bot.id, "is_bot": True, "first_name": bot.name, "username": bot.name}
            case "setWebhook":
                return self._set(bot, values)
            case "getWebhookInfo":
                return {"url": bot.url, "pending_update_count": len(bot.waiting)}
            case "deleteWebhook":
                bot.url = ""
                return True
            case "getFile":
                if values["file_id"] not in self._x.telegram.files:
                    raise _No(400, "Bad Request: invalid file_id")
                return {"file_id": values["file_id"], "file_path": f"files/{values['file_id']}"}
            case _:
                return self._send(bot, values)

    def _set(self, bot: Bot, values: dict[str, Any]) -> bool:
        where, secret = urlsplit(values["url"]), values.get("secret_token", "")
        # As a server of the Bot API that is one's own: it goes to this machine without TLS.
        if where.scheme != "https" and where.hostname != "127.0.0.1":
            raise _No(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if not _SECRET.fullmatch(secret):
            raise _No(400, "Bad Request: secret token contains unallowed characters")
        if set(values["allowed_updates"]) - _KINDS or not 1 <= values["max_connections"] <= 100:
            raise _No(400, "Bad Request: wrong parameters of the webhook")
        bot.url, bot.secret = values["url"], secret
        bot.allowed = tuple(values["allowed_updates"])
        self._x.telegram.bring(bot)
        return True

    def _send(self, bot: Bot, values: dict[str, Any]) -> dict[str, Any]:
        text = values.get("text", "")
        if not text.strip():
            raise _No(400, "Bad Request: message text is empty")
        if len(text) > _LONGEST:
            raise _No(400, "Bad Request: message is too long")
        chat = bot.chats.get(int(values["chat_id"]))
        if chat is None:
            raise _No(403, "Forbidden: bot can't initiate conversation with a user")
        if chat.blocked:
            raise _No(403, "Forbidden: bot was blocked by the user")
        if chat.deactivated:
            raise _No(403, "Forbidden: user is deactivated")
        chat.texts.append(Heard(self._x.clock.now(), text))
        return {
            "message_id": self._x.telegram.next_message(),
            "date": int(self._x.clock.now().timestamp()),
            "chat": {"id": chat.id, "type": "private"},
            "text": text,
        }
