"""Signalling for telephones in pages: what the provider's own SDK for browsers sends and expects.

One WebSocket per page, one JSON object per message: `{"type", "payload"}`. A page registers under
the identity of its token; a leg to `client:IDENTITY` rings every page of that identity, and the
first that answers gets it. A page that has lost its socket comes back with the token that its
invitation carried. All that is known of this protocol is in this file.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import jwt
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.practice.legs import Leg
from app.practice.voices import PageLine, Voices

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

# A page that hears nothing for 15 s believes that its socket is dead.
_HEARTBEAT = 5.0
# Seconds that a page without a connection has for its next offer.
_REPAIRS_WITHIN = 12.0
# Seconds after which a page is given up that has neither a socket nor sends sound.
_GIVEN_UP = 3.0


# What the words of a page, or a description of its sound, can be wrong in.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError)


class RingResult(StrEnum):
    """What came of ringing the pages of an identity."""

    ANSWERED = "answered"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"
    NO_PAGE = "no_page"  # no page is registered under the identity


@dataclass(eq=False)
class Page:
    """One page that is, or was a moment ago, connected."""

    identity: str
    socket: WebSocket
    registered: bool = False
    # How long the page wants its call kept when its socket is lost, in seconds.
    kept: float = 0.0

    async def tell(self, type_: str, **payload: Any) -> None:
        """Send a message. A page that is gone misses it."""
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
            await self.socket.send_text(json.dumps({"type": type_, "payload": payload}))


@dataclass(eq=False)
class Ring:
    """A leg that rings at pages, or that one of them has answered."""

    leg: Leg
    # The pages that ring, each with its own line.
    lines: dict[Page, PageLine]
    settled: "asyncio.Future[RingResult]"
    page: Page | None = None
    line: PageLine | None = None
    # When the page that answered lost its socket, on the loop's clock.
    gone_at: float | None = None
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


class Refusal(Exception):
    """Raised for a token that does not let a page in. `code` is the protocol's error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _identity(leg: Leg) -> str:
    return leg.to.removeprefix("client:").partition("?")[0]


class Switchboard:
    """The pages of one exchange, and the legs that ring at them."""

    def __init__(self, exchange: "Exchange", voices: Voices) -> None:
        self._x, self._voices = exchange, voices
        self._pages: list[Page] = []
        self._rings: dict[str, Ring] = {}
        # While it is set, the signalling is away: sockets are refused. For tests.
        self.away = False
        self._sockets: set[WebSocket] = set()

    def pages_of(self, identity: str) -> list[Page]:
        """Return the registered pages of an identity."""
        return [page for page in self._pages if page.identity == identity and page.registered]

    def rings_at(self, leg: Leg) -> bool:
        """Return whether a page is registered that a leg to it would ring."""
        return bool(self.pages_of(_identity(leg)))

    def line_of(self, leg: Leg) -> PageLine | None:
        """Return the sound of the page that has a leg."""
        ring = self._rings.get(leg.sid)
        return ring.line if ring else None

    # -- the socket -----------------------------------------------------------------------

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until its socket closes."""
        if self.away:
            await socket.close()
            return
        await socket.accept()
        self._sockets.add(socket)
        page: Page | None = None
        beating = asyncio.create_task(self._beat(socket))
        try:
            while True:
                text = await socket.receive_text()
                if not text.strip():
                    continue
                try:
                    message = json.loads(text)
                    kind, payload = message["type"], message.get("payload", {})
                    page = await self._take(page, socket, kind, payload)
                except _UNREADABLE as error:
                    # One odd message ends neither the socket nor the calls of the page.
                    self._x.faults.append(f"a page sends odd words: {type(error).__name__}")
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            beating.cancel()
            self._sockets.discard(socket)
            if page is not None:
                self._lose(page)

    async def _beat(self, socket: WebSocket) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
            while True:
                await asyncio.sleep(_HEARTBEAT)
                await socket.send_text("\n")

    async def drop_sockets(self) -> None:
        """Close every socket, as a network that breaks does. For tests."""
        for socket in list(self._sockets):
            with contextlib.suppress(RuntimeError):
                await socket.close(1001)

    def _lose(self, page: Page) -> None:
        """Note that a page's socket is gone. Its call goes on for as long as it asked for."""
        page.registered = False
        if page in self._pages:
            self._pages.remove(page)
        for ring in list(self._rings.values()):
            if ring.page is page:
                ring.gone_at = asyncio.get_running_loop().time()
                ring.tasks.append(self._x.spawn(self._give_up(ring, page)))

    async def _give_up(self, ring: Ring, page: Page) -> None:
        """End the leg of a page that has not come back: its line has died."""
        line = ring.line
        for _ in range(max(1, round(page.kept))):
            await asyncio.sleep(1)
            if ring.page is not page or ring.leg.over:
                return
            if line is not None and line.silent_for > _GIVEN_UP:
                break
        if ring.page is page and not ring.leg.over:
            await self._x.let_die(ring.leg)

    # -- messages of a page ---------------------------------------------------------------

    async def _take(
        self, page: Page | None, socket: WebSocket, type_: str, payload: dict[str, Any]
    ) -> Page | None:
        if type_ == "listen":
            return await self._listen(page, socket, payload)
        if page is None:
            error = {"code": 31204, "message": "JWT is invalid"}
            await socket.send_text(json.dumps({"type": "error", "payload": {"error": error}}))
            return None
        handlers: dict[str, Callable[[Page, dict[str, Any]], Awaitable[None]]] = {
            "register": self._register,
            "answer": self._answer,
            "reject": self._reject,
            "hangup": self._hang_up,
            "reinvite": self._reinvite,
            "invite": self._come_back,
            "dtmf": self._press,
            "message": self._message,
        }
        handler = handlers.get(type_)
        if handler is None:
            self._x.faults.append(f"a page sends {type_}, which is not known")
        else:
            await handler(page, payload)
        return page

    async def _listen(
        self, page: Page | None, socket: WebSocket, payload: dict[str, Any]
    ) -> Page | None:
        try:
            identity, left = self._read_token(str(payload.get("token", "")))
        except Refusal as refusal:
            error = {"code": refusal.code, "message": str(refusal)}
            await socket.send_text(json.dumps({"type": "error", "payload": {"error": error}}))
            return page
        if page is None:
            page = Page(identity, socket)
            self._pages.append(page)
        page.kept = float(payload.get("reconnectTimeout") or 0)
        await page.tell(
            "connected",
            region="us1",
            edge="practice",
            home="us1",
            gateway="practice",
            token={"identity": identity, "ttl": left},
        )
        return page

    def _read_token(self, token: str) -> tuple[str, int]:
        """Return the identity of a token, and how long it holds in seconds. Raises Refusal."""
        try:
            key = str(jwt.decode(token, options={"verify_signature": False})["iss"])
            secret = self._x.api_keys[key]
            claims = jwt.decode(token, secret, ["HS256"], options={"verify_exp": False})
            grants, account, expires = claims["grants"], claims["sub"], int(claims["exp"])
            identity = str(grants["identity"])
            incoming = grants["voice"]["incoming"]["allow"]
        except (jwt.InvalidTokenError, KeyError, TypeError):
            raise Refusal(31204, "JWT is invalid") from None
        if account != self._x.account_sid or incoming is not True:
            raise Refusal(31201, "the token does not allow incoming calls")
        left = expires - int(time.time())
        if left <= 0:
            raise Refusal(20104, "Access Token expired")
        return identity, left

    async def _register(self, page: Page, payload: dict[str, Any]) -> None:
        page.registered = bool(payload.get("media", {}).get("audio"))
        await page.tell("ready" if page.registered else "offline")

    def _ring_of(self, page: Page, payload: dict[str, Any]) -> Ring | None:
        """Return the ring that a message of a page is about."""
        ring = self._rings.get(str(payload.get("callsid", "")))
        known = ring is not None and (ring.page is page or page in ring.lines)
        return ring if known else None

    async def _answer(self, page: Page, payload: dict[str, Any]) -> None:
        ring = self._ring_of(page, payload)
        if ring is None or ring.page is not None or ring.settled.done():
            await page.tell("cancel", callsid=payload.get("callsid"))
            return
        ring.page, ring.line = page, ring.lines.pop(page)
        await ring.line.take_answer(str(payload["sdp"]))
        self._voices.connect(ring.leg, ring.line)
        ring.tasks.append(self._x.spawn(self._watch(ring)))
        ring.settled.set_result(RingResult.ANSWERED)
        await self._stop_ringing(ring)

    async def _watch(self, ring: Ring) -> None:
        """End a leg whose sound has stopped and which its page does not repair in time."""
        assert ring.line is not None
        while not ring.leg.over:
            await ring.line.lost.wait()
            await asyncio.sleep(_REPAIRS_WITHIN)
            if ring.line.lost.is_set() and not ring.leg.over:
                await self._x.let_die(ring.leg)

    async def _reject(self, page: Page, payload: dict[str, Any]) -> None:
        ring = self._ring_of(page, payload)
        if ring is None:
            return
        line = ring.lines.pop(page, None)
        if line is not None:
            await line.close()
        if not ring.lines and not ring.settled.done():
            ring.settled.set_result(RingResult.REJECTED)

    async def _hang_up(self, page: Page, payload: dict[str, Any]) -> None:
        ring = self._ring_of(page, payload)
        if ring is not None and ring.page is page:
            ring.page = None
            await self._x.end_leg(ring.leg, "completed", "person")

    async def _reinvite(self, page: Page, payload: dict[str, Any]) -> None:
        ring = self._ring_of(page, payload)
        if ring is not None and ring.line is not None:
            sdp = await ring.line.answer(str(payload["sdp"]))
            await page.tell("answer", callsid=ring.leg.sid, sdp=sdp)

    async def _come_back(self, page: Page, payload: dict[str, Any]) -> None:
        """Give a page that has lost its socket its call back."""
        ring = self._rings.get(str(payload.get("reconnect") or payload.get("callsid", "")))
        if ring is None or ring.leg.over or ring.line is None:
            await page.tell("hangup", callsid=payload.get("callsid"))
            return
        ring.page, ring.gone_at = page, None
        await page.tell("answer", callsid=ring.leg.sid, reconnect=ring.leg.sid)

    async def _press(self, page: Page, payload: dict[str, Any]) -> None:
        ring = self._ring_of(page, payload)
        if ring is not None:
            self._x.press(ring.leg, str(payload.get("dtmf", "")))

    async def _message(self, page: Page, payload: dict[str, Any]) -> None:
        await page.tell(
            "ack",
            acktype="message",
            callsid=payload.get("callsid"),
            voiceeventsid=payload.get("voiceeventsid"),
        )

    # -- ringing --------------------------------------------------------------------------

    async def ring(self, leg: Leg, patience: float) -> RingResult:
        """Ring the pages of a leg's identity for some seconds; return what came of it."""
        pages = self.pages_of(_identity(leg))
        if not pages:
            return RingResult.NO_PAGE
        settled: asyncio.Future[RingResult] = asyncio.get_running_loop().create_future()
        ring = Ring(leg, {}, settled)
        self._rings[leg.sid] = ring
        for page in pages:
            line = await self._voices.page_line()
            ring.lines[page] = line
            sdp = await line.offer()
            if settled.done():
                # It has ended, or another page has taken it, while this line was opened.
                await line.close()
                break
            await page.tell(
                "invite",
                callsid=leg.sid,
                sdp=sdp,
                reconnect=leg.sid,
                parameters={
                    "CallSid": leg.sid,
                    "AccountSid": leg.account,
                    "From": leg.from_,
                    "To": leg.to,
                    "ApiVersion": "2010-04-01",
                    "Params": leg.to.partition("?")[2],
                },
            )
        try:
            return await asyncio.wait_for(asyncio.shield(settled), patience)
        except TimeoutError:
            settled.cancel()
            await self._stop_ringing(ring)
            return RingResult.UNANSWERED

    async def _stop_ringing(self, ring: Ring) -> None:
        for page, line in list(ring.lines.items()):
            await page.tell("cancel", callsid=ring.leg.sid)
            await line.close()
        ring.lines.clear()

    async def close(self) -> None:
        """End every leg, and close every socket."""
        for ring in list(self._rings.values()):
            await self.end(ring.leg)
            await self._voices.forget(ring.leg)
        await self.drop_sockets()

    async def end(self, leg: Leg) -> None:
        """Tell the pages of a leg that it has ended."""
        ring = self._rings.pop(leg.sid, None)
        if ring is None:
            return
        ring.settled.cancel()
        await self._stop_ringing(ring)
        if ring.page is not None:
            await ring.page.tell("hangup", callsid=leg.sid)
        current = asyncio.current_task()
        for task in ring.tasks:
            if task is not current:
                task.cancel()
