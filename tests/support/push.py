"""A push service of a browser's maker: strict about every header, and able to open the message."""

import base64
import re
from typing import Any

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.clock import Clock
from app.demo.served import free_port

AUTH = b"sixteen bytes..."
_LONGEST = 24 * 3600


def url_safe(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class PushService:
    """Takes messages as RFC 8030, 8188, 8291 and 8292 demand, and keeps what they say."""

    def __init__(self, clock: Clock) -> None:
        self.origin = f"http://127.0.0.1:{free_port()}"
        self.port = int(self.origin.rpartition(":")[2])
        self.said: list[str] = []
        self.asked: list[str] = []
        self.faults: list[str] = []
        # What is answered next; then 201 again.
        self.statuses: list[int] = []
        # The key for which the browsers of this service were subscribed.
        self.vapid_key = ""
        self._clock = clock
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.app = Starlette(routes=[Route("/push/{browser}", self._take, methods=["POST"])])

    def subscription(self, browser: str = "one") -> dict[str, Any]:
        """Return what a browser would tell the page."""
        point = self._private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return {
            "endpoint": f"{self.origin}/push/{browser}",
            "keys": {"p256dh": url_safe(point), "auth": url_safe(AUTH)},
            "label": "Firefox, Android",
        }

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append(request.path_params["browser"])
        if self.statuses:
            return Response(status_code=self.statuses.pop(0))
        try:
            self._check(request)
            opened = http_ece.decrypt(
                body, private_key=self._private, auth_secret=AUTH, version="aes128gcm"
            )
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")
            return Response(status_code=400)
        self.said.append(opened.decode())
        return Response(status_code=201, headers={"location": f"{self.origin}/message/1"})

    def _check(self, request: Request) -> None:
        found = re.fullmatch(r"vapid t=([\w.-]+), ?k=([\w-]+)", request.headers["authorization"])
        assert found is not None, "the authorization is no VAPID"
        assert found[2] == self.vapid_key, "signed by another key than the browser asked for"
        point = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        # The helpline's own clock stands elsewhere: times are compared below.
        claims = jwt.decode(
            found[1],
            key,
            algorithms=["ES256"],
            audience=self.origin,
            options={"verify_exp": False, "require": ["exp", "aud", "sub"]},
        )
        left = claims["exp"] - self._clock.now().timestamp()
        assert 0 < left <= _LONGEST, f"the signature holds for {left} seconds"
        assert re.match(r"https://|mailto:.+@", claims["sub"]), "no way to reach the sender"
        assert re.fullmatch(r"\d+", request.headers["ttl"]), "no TTL"
        assert int(request.headers["ttl"]) <= 300, "it would wake a person far too late"
        assert request.headers["urgency"] == "high", "it would wait for a charger"
        assert re.fullmatch(r"[\w-]{1,32}", request.headers["topic"]), "no topic"
        assert request.headers["content-encoding"] == "aes128gcm"
