"""signal-cli-rest-api at the exchange: the requests that the program sends, with its answers."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.practice.exchange import Exchange
from app.practice.people import Heard
from app.practice.signal import OwnNumber

_TRUST = ("on-first-use", "always", "never")
_BOOLEANS = ("ignore_attachments", "ignore_stories", "send_read_receipts")
_ASKS = frozenset(("timeout", "max_messages", *_BOOLEANS))
# What `/v2/send` takes; anything else is a fault of ours.
_SENDS = frozenset(
    "number recipients message base64_attachments sticker mentions quote_timestamp quote_author "
    "quote_message quote_mentions text_mode edit_timestamp notify_self link_preview "
    "view_once".split()
)


class _No(Exception):
    """A refusal, as the service words it."""

    def __init__(self, status: int, words: str, **more: Any) -> None:
        super().__init__(words)
        self.status, self.body = status, {"error": words, **more}


class SignalService:
    """The service over HTTP."""

    def __init__(self, exchange: Exchange) -> None:
        self._x = exchange

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/v1/about", self._about),
            Route("/v1/accounts", self._accounts),
            Route("/v1/configuration/{number}/settings", self._configure, methods=["POST"]),
            Route("/v1/receive/{number}", self._receive),
            Route("/v2/send", self._send, methods=["POST"]),
            Route("/v1/attachments/{name}", self._file, methods=["GET", "DELETE"]),
        ]

    async def _about(self, request: Request) -> Response:
        signal = self._x.signal
        about = {"versions": ["v1", "v2"], "build": 2, "mode": signal.mode, "version": "0.97"}
        return JSONResponse({**about, "capabilities": {"v2/send": ["quotes", "mentions"]}})

    async def _accounts(self, request: Request) -> Response:
        return JSONResponse(list(self._x.signal.numbers))

    async def _configure(self, request: Request) -> Response:
        async def do() -> Response:
            own = self._own(request.path_params["number"])
            body = await request.json()
            if set(body) != {"trust_mode"} or body["trust_mode"] not in _TRUST:
                raise _No(400, "Invalid trust mode")
            own.trust_mode = body["trust_mode"]
            return Response(status_code=204)

        return await self._answer("/signal/settings", do())

    async def _receive(self, request: Request) -> Response:
        async def do() -> Response:
            own, asked = self._own(request.path_params["number"]), dict(request.query_params)
            if self._x.signal.mode not in ("native", "normal"):
                raise _No(400, "websocket: the client is not using the websocket protocol")
            if unknown := set(asked) - _ASKS:
                self._x.faults.append(f"receive of Signal does not know {sorted(unknown)}")
            most = int(asked.get("max_messages", "0")) or len(own.kept)
            int(asked.get("timeout", "1"))
            if not all(asked.get(one, "false") in ("true", "false") for one in _BOOLEANS):
                raise _No(400, "Couldn't process request - needs to be either 'true' or 'false'")
            found = [own.kept.popleft() for _ in range(min(most, len(own.kept)))]
            if asked.get("ignore_attachments") != "true":
                for one in found:
                    self._download(one)
            return JSONResponse(found)

        return await self._answer("/signal/receive", do())

    def _download(self, envelope: dict[str, Any]) -> None:
        message = envelope["envelope"].get("dataMessage") or {}
        for file in message.get("attachments") or ():
            self._x.signal.files[file["id"]] = self._x.signal.at_signal[file["id"]]

    async def _send(self, request: Request) -> Response:
        values: dict[str, Any] = await request.json()

        async def do() -> Response:
            if unknown := set(values) - _SENDS:
                self._x.faults.append(f"send of Signal does not know {sorted(unknown)}")
            if values.get("text_mode") not in (None, "normal"):
                self._x.faults.append("words of a counsellor are sent as they are, without a style")
            return JSONResponse({"timestamp": str(self._deliver(values))}, status_code=201)

        return await self._answer("/signal/send", do(), values)

    def _deliver(self, values: dict[str, Any]) -> int:
        signal, recipients = self._x.signal, values.get("recipients") or []
        if not values.get("number"):
            raise _No(400, "Couldn't process request - please provide a valid number")
        if len(recipients) != 1:
            raise _No(400, "Couldn't process request - please provide at least one recipient")
        own, to = self._own(values["number"]), recipients[0]
        if signal.wants_proof:
            words = f'CAPTCHA proof required for sending to "{to}", available options "CAPTCHA" '
            raise _No(400, words + 'with challenge token "7c9e", or wait "86400" seconds.')
        person = signal.find(to)
        if person is None or person.unregistered:
            raise _No(400, f'Unregistered user "{to}"')
        if person.untrusted and own.trust_mode != "always":
            raise _No(400, f'Untrusted Identity for "{to}"')
        if not values.get("message"):
            raise _No(400, "No message given")
        person.texts.append(Heard(self._x.clock.now(), values["message"]))
        at = signal.now()
        if not signal.silent:
            signal.receipt(own.number, person, "isDelivery", at)
        return at

    async def _file(self, request: Request) -> Response:
        async def do() -> Response:
            name = request.path_params["name"]
            if name not in self._x.signal.files:
                raise _No(404, "No attachment with that name")
            if request.method == "DELETE":
                del self._x.signal.files[name]
                return Response(status_code=204)
            return Response(self._x.signal.files[name], media_type="application/octet-stream")

        return await self._answer("/signal/attachments", do())

    def _own(self, number: str) -> OwnNumber:
        own = self._x.signal.numbers.get(number)
        if own is None:
            raise _No(400, f"User {number} is not registered.")
        return own

    async def _answer(
        self, path: str, doing: Any, values: dict[str, Any] | None = None
    ) -> Response:
        """Return what the service answers. No number stands in what is noted of it."""
        x = self._x
        silent = None
        try:
            if x.knobs.fires("refuse", path):
                raise _No(429, "[429] Rate limit exceeded", challenge_tokens=None)
            if x.knobs.fires("fail", path):
                raise _No(500, "Couldn't start signal-cli")
            silent = x.knobs.fires("accept_and_time_out", path)
            answer: Response = await doing
        except _No as no:
            doing.close()
            answer = JSONResponse(no.body, status_code=no.status)
        if x.sender.keep_sent:
            known = {name: [str(value)] for name, value in (values or {}).items()}
            x.asked.append(("POST", path, known, answer.status_code, {}))
        if silent is not None:
            # Carried out; the answer comes after the client has given up.
            await asyncio.sleep(silent.seconds or 1.0)
        return answer
