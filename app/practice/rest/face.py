"""What every resource of the REST interface shares: who asks, refusals, knobs, pages of a list."""

import asyncio
import base64
import json
import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.practice.exchange import Exchange
from app.practice.legs import Leg
from app.practice.refusal import RestError
from app.practice.wire import read_overrides

_ADDRESSES = frozenset(
    "Url StatusCallback ConferenceStatusCallback WaitUrl HoldUrl AmdStatusCallback VoiceUrl "
    "VoiceFallbackUrl SmsUrl".split()
)
# How long the exchange listens before it reports who answered, in seconds.
DETECTING = 2.0


def is_since(wanted: str | None, at: datetime | None) -> bool:
    if not wanted:
        return True
    return at is not None and at >= datetime.fromisoformat(wanted.replace("Z", "+00:00"))


def is_before(wanted: str | None, at: datetime | None) -> bool:
    if not wanted:
        return True
    return at is not None and at <= datetime.fromisoformat(wanted.replace("Z", "+00:00"))


class Face:
    """What the resources of one kind have in common. Made once for an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._x = exchange
        self._base = f"/2010-04-01/Accounts/{exchange.account_sid}"

    def guarded(self, handler: Any) -> Any:
        """Wrap a handler: authentication, the knobs, and errors in the provider's form."""

        async def endpoint(request: Request) -> Response:
            x, what = self._x, f"{request.method} {request.url.path}"
            try:
                self._authenticate(request)
                if x.knobs.fires("refuse", what):
                    refusal = RestError(429, 20429, "Too Many Requests").response
                    refusal.headers["Retry-After"] = "1"
                    return refusal
                if x.knobs.fires("fail", what):
                    raise RestError(500, 20500, "Internal Server Error")
                silent = x.knobs.fires("accept_and_time_out", what)
                response: Response = await handler(request)
            except RestError as error:
                response, silent = error.response, None
            await self._note(request, response)
            if silent is not None:
                # Carried out; the answer comes after the client has given up.
                await asyncio.sleep(silent.seconds or 2.0)
            return response

        return endpoint

    async def _note(self, request: Request, response: Response) -> None:
        if not self._x.sender.keep_sent:
            return
        form = await request.form()
        fields = {name: [str(v) for v in form.getlist(name)] for name in form}
        kind = response.headers.get("content-type", "")
        body = json.loads(bytes(response.body)) if kind == "application/json" else None
        path = request.url.path
        self._x.asked.append((request.method, path, fields, response.status_code, body))

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        try:
            user, _, password = base64.b64decode(given).decode().partition(":")
        except ValueError:
            user = password = ""
        known = {self._x.account_sid: self._x.auth_token, **self._x.api_keys}
        mine = request.path_params.get("account", self._x.account_sid) == self._x.account_sid
        if not mine or known.get(user) != password:
            raise RestError(401, 20003, "Authenticate")

    def _leg(self, request: Request) -> Leg:
        leg = self._x.legs.get(request.path_params["sid"])
        if leg is None:
            raise RestError(404, 20404, "The requested resource was not found")
        return leg

    def _new_leg(self, fields: dict[str, list[str]]) -> Leg:
        to, from_ = fields["To"][0], fields["From"][0]
        # For a SIP call, the caller's name may be anything that a SIP user name may be.
        named = to.startswith("sip") and re.fullmatch(r"[A-Za-z0-9+_.-]+", from_)
        if from_ not in self._x.numbers and not from_.startswith("client:") and not named:
            raise RestError(400, 21210, "The source phone number is not yet verified")
        known = ("+", "client:", "sip:", "sips:") if self._x.profile.rooms else ("+",)
        if not to.startswith(known):
            raise RestError(400, 21211, "The 'To' phone number is not a valid number")
        events = fields.get("StatusCallbackEvent", ["completed"])
        unknown = set(events) - {"initiated", "ringing", "answered", "completed"}
        if unknown:
            self._x.faults.append(f"21626: unknown status callback events {sorted(unknown)}")
            raise RestError(400, 21626, "Invalid StatusCallbackEvent")
        timeout = int(fields.get("Timeout", ["60"])[0])
        if not 5 <= timeout <= 600:
            raise RestError(400, 21216, "Timeout is out of range")
        return Leg(
            sid=self._x.sids.new("CA"),
            account=self._x.account_sid,
            from_=from_,
            to=to,
            direction="outbound-api",
            person=self._x.phone_at(to),
            created_at=self._x.clock.now(),
            status_callback=fields.get("StatusCallback", [""])[0] or None,
            status_events=frozenset(events),
            fallback_url=fields.get("FallbackUrl", [""])[0] or None,
            timeout=float(timeout),
        )

    async def _form(self, request: Request, *required: str) -> dict[str, list[str]]:
        form = await request.form()
        fields = {name: [str(v) for v in form.getlist(name)] for name in form}
        for name in required:
            if not fields.get(name, [""])[0]:
                code = {"To": 21201, "From": 21213}.get(name, 21205)
                raise RestError(400, code, f"No '{name}' is specified")
        for name, values in fields.items():
            if name in _ADDRESSES and values[0]:
                self._check_url(name, values[0])
        return fields

    def _check_known(self, fields: dict[str, list[str]], known: frozenset[str] | None) -> None:
        unknown = set(fields) - known if known is not None else set()
        if unknown:
            self._x.faults.append(f"{self._x.profile.name} does not know {sorted(unknown)}")
            raise RestError(400, 20001, f"Unknown parameters: {', '.join(sorted(unknown))}")

    def _check_url(self, name: str, value: str) -> None:
        try:
            read_overrides(value)
            if "#" in value and not self._x.profile.second_chances:
                raise ValueError("a fragment that the platform ignores")
        except ValueError as error:
            self._x.faults.append(f"{name}: {error}")
            raise RestError(400, 21205, f"{name} is not a valid URL") from None

    async def unknown(self, request: Request) -> Response:
        """Refuse a resource that the platform does not have, and report the request."""
        what = f"{request.method} {request.url.path}"
        self._x.faults.append(f"{self._x.profile.name} does not have {what}")
        raise RestError(404, 20404, "The requested resource was not found")

    def _page(self, request: Request, name: str, items: list[dict[str, Any]]) -> Response:
        uri = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        size = int(request.query_params.get("PageSize", "50"))
        page = int(request.query_params.get("Page", "0"))
        shown = items[page * size : (page + 1) * size]
        more = len(items) > (page + 1) * size
        following = str(request.url.include_query_params(Page=page + 1)).partition("//")[2]
        return JSONResponse(
            {
                name: shown,
                "first_page_uri": uri,
                "next_page_uri": "/" + following.partition("/")[2] if more else None,
                "previous_page_uri": None,
                "uri": uri,
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(0, len(shown) - 1),
            }
        )
