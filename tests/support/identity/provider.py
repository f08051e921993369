"""A provider of identities as strict as a real one: OpenID Connect over HTTP on this machine.

It checks the redirect address, PKCE, the client's secret, and that a code is used once; it signs
with RS256. What an attacker would do can be set.
"""

import base64
import hashlib
import hmac
import json
import secrets
import warnings
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from app.clock import Clock
from app.demo.served import free_port

# A claim that a forged token lacks.
LEFT_OUT = object()
CLIENT, SECRET = "helpline", "a:secret/with signs"


@dataclass
class Code:
    asked: dict[str, str]
    claims: dict[str, Any]


@dataclass
class Provider:
    """The provider. `person` is who signs in there next: their claims."""

    clock: Clock
    redirect_uri: str
    person: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    # What an attacker changes: claims of the token, its algorithm, its key, who says to answer.
    forged: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    own_key: bool = False
    answers_as: str = ""
    # Requests that a strict provider refused, and why.
    refused: list[str] = field(default_factory=list)
    codes: dict[str, Code] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    # How often the keys were asked for.
    keys_asked: int = 0
    # What it shows beside the key with which it signs.
    other_keys: list[RSAKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.change_key()
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    def change_key(self) -> None:
        """Sign with a new key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})

    def take_short_key(self) -> None:
        """Sign with a key that can be factored, as an old provider may."""
        with warnings.catch_warnings():
            # The library warns of it.
            warnings.simplefilter("ignore")
            self.key = RSAKey.generate_key(1024, {"kid": secrets.token_hex(4), "use": "sig"})

    async def _describe(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _keys(self, request: Request) -> Response:
        self.keys_asked += 1
        keys = [self.key, *self.other_keys]
        return JSONResponse({"keys": [one.as_dict(private=False) for one in keys]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        wanted = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self.redirect_uri,
            "code_challenge_method": "S256",
        }
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [n for n in ("state", "nonce", "code_challenge") if len(asked.get(n, "")) < 32]
        if wrong or "openid" not in asked.get("scope", "").split():
            return self._no(f"authorize: {wrong}")
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = Code(asked, dict(self.person))
        back = {"code": code, "state": asked["state"], "iss": self.answers_as or self.issuer}
        return RedirectResponse(f"{self.redirect_uri}?{urlencode(back)}", status_code=302)

    def _no(self, why: str) -> Response:
        self.refused.append(why)
        return JSONResponse({"error": "invalid_request"}, status_code=400)

    async def _token(self, request: Request) -> Response:
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        user, _, password = base64.b64decode(pair).decode().partition(":")
        if scheme != "Basic" or (unquote(user), unquote(password)) != (CLIENT, SECRET):
            return self._no("client")
        sent = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        code = self.codes.pop(sent.get("code", ""), None)
        if code is None or sent.get("grant_type") != "authorization_code":
            return self._no("code")
        if sent.get("redirect_uri") != code.asked["redirect_uri"]:
            return self._no("redirect address")
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.asked["code_challenge"]:
            return self._no("verifier")
        token = self._signed(code)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _signed(self, code: Code) -> str:
        claims = {"nonce": code.asked["nonce"], **code.claims}
        return self._as_token({"auth_time": self._now, **claims}, "JWT")

    @property
    def _now(self) -> int:
        return int(self.clock.now().timestamp())

    def logout_token(self, subject: str, kind: str = "logout+jwt", *, session: str = "") -> str:
        """Return a token by which the provider says that a person has signed out there: `subject`,
        the person of a session there, or both."""
        events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        claims = {"jti": secrets.token_urlsafe(16), "events": events}
        claims |= {name: v for name, v in (("sub", subject), ("sid", session)) if v}
        return self._as_token(claims, kind)

    def _as_token(self, claims: dict[str, Any], kind: str) -> str:
        now = self._now
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            **claims,
            **self.forged,
        }
        claims = {name: value for name, value in claims.items() if value is not LEFT_OUT}
        header = {"alg": self.algorithm, "kid": self.key.kid, "typ": kind}
        if self.algorithm == "none":
            with warnings.catch_warnings():
                # The library warns of what an attacker would send.
                warnings.simplefilter("ignore")
                return jwt.encode(header, claims, OctKey.generate_key(256), algorithms=["none"])
        if self.algorithm == "HS256":
            # Signed with the public key, which all can read; the library would refuse to.
            parts = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
            public = self.key.as_pem(private=False)
            return f"{parts}.{_encoded(hmac.digest(public, parts.encode(), 'sha256'))}"
        key = RSAKey.generate_key(2048) if self.own_key else self.key
        return jwt.encode(header, claims, key)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def state_of(address: str) -> str:
    """Return the state that an address carries."""
    return parse_qs(urlsplit(address).query)["state"][0]
