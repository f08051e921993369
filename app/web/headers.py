"""Security headers on every response: they keep out other sites and injected scripts."""

import secrets
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# `code`: which scripts and styles are loaded. For a page, those with the nonce of its own response:
# an address of this server alone lets none in. Only the service worker is named by its server.
POLICY = (
    "default-src 'none'; script-src {code}; style-src {code}; worker-src 'self'; "
    "img-src 'self' data:; media-src 'self'; connect-src {connect}; font-src 'self'; "
    "form-action 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    # Not "no-referrer": with it a browser also hides the origin of our own forms.
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    # Neither a window of another site nor a page of one gets hold of what is shown here.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


OF_EACH = tuple((name.encode(), value.encode()) for name, value in _HEADERS.items())
_NOT_KEPT = (b"cache-control", b"no-store")
# For two years, renewed by each response; hosts below this one cannot set its cookies in clear.
_ONLY_TLS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


# What the server answers that was sent no request: it does not come here.
OF_NO_REQUEST = (
    _NOT_KEPT,
    (b"content-security-policy", POLICY.format(code="'none'", connect="'none'").encode()),
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"connection", b"close"),
)


# Files of the program, the same for all. Errors beneath them are kept by no cache either: an
# address such as `/static/../contacts/...` must not be taken for a file.
_FILES = "/static/"
_FOUND = (200, 206, 304)
# The page of a child who writes.
_CHILD = "/chat/"
_KEPT_AS = "helpline.nonce"
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def nonce_of(scope: Scope) -> str:
    """Return the nonce of the response to a request: 192 random bits, made once for each.

    It has letters alone, so that nothing in a page looks like a code or a number that is none.
    """
    if _KEPT_AS not in scope:
        scope[_KEPT_AS] = secrets.token_hex(24).translate(_LETTERS)
    nonce: str = scope[_KEPT_AS]
    return nonce


class SecurityHeaders:
    """Add the headers. No cache may store anything but static files, and what says itself that it
    may be stored, such as a recording that the provider plays.

    `hosts`: where pages may connect besides their own server, for the telephone. `with_tls`:
    browsers reach this server by https, and never in another way from then on.

    Only HTML gets a nonce. So a file that a browser keeps has none, and a 304 confirms none: what
    has one is stored by no cache.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = (), *, with_tls: bool) -> None:
        self._app = app
        self._connect = " ".join(("'self'", *hosts))
        self._raw = (*OF_EACH, _ONLY_TLS) if with_tls else OF_EACH
        self._no_page = self._policy("'none'")

    def _policy(self, code: str) -> tuple[bytes, bytes]:
        policy = POLICY.format(code=code, connect=self._connect)
        return b"content-security-policy", policy.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Made before the request goes on: what answers it may hold a copy of the scope.
        nonce = nonce_of(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = message["status"] in _FOUND and scope["path"].startswith(_FILES)
                there = dict(message["headers"])
                is_page = there.get(b"content-type", b"").startswith(b"text/html")
                policy = self._policy(f"'nonce-{nonce}'") if is_page else self._no_page
                if b"content-security-policy" in there and scope["path"].startswith(_CHILD):
                    # It says itself which sites may show it within theirs.
                    there[b"x-frame-options"] = b""
                wanted = (*self._raw, policy) if kept else (*self._raw, policy, _NOT_KEPT)
                more = [pair for pair in wanted if pair[0] not in there]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, with_headers)
