"""Security headers on every response: they keep out other sites and injected scripts."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "media-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not "no-referrer": with it a browser also hides the origin of our own forms.
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
}


_RAW = tuple((name.encode(), value.encode()) for name, value in _HEADERS.items())
_NOT_KEPT = (b"cache-control", b"no-store")


class SecurityHeaders:
    """Add the headers. Browsers must not store pages, but may store static files and documents."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        kept = scope["path"].startswith(("/static", "/telephony"))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                wanted = _RAW if kept else (*_RAW, _NOT_KEPT)
                more = [pair for pair in wanted if pair[0] not in there]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, with_headers)
