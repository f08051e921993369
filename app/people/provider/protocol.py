"""What is said to the provider of identities: OpenID Connect, authorization code with PKCE.

The tokens are read by `joserfc`. Ours is what must fit: issuer, audience, nonce, times, and that
only signatures with the provider's public keys count.
"""

import asyncio
import base64
import hashlib
import hmac
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2
from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key, KeySet, RSAKey

from app import strict_json
from app.errors import Message, Refusal
from app.log import log
from app.settings import Settings

_TIMEOUT = 10.0
# In bytes. What is longer is no answer of a provider.
_LONGEST = 512 * 1024
# By public keys only: `none` is no signature, and a shared secret is known to more than one.
# The fewest bits of an RSA key: 112 bits of security. Providers sign with such keys.
_LEAST_RSA_BITS = 2048
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
# Seconds by which the clocks of the two may differ.
_LEEWAY = 60
# The oldest token that is taken, in seconds.
_OLDEST = 600
_SCOPES = "openid profile email"
# What a logout token is about (OpenID Connect Back-Channel Logout 1.0, section 2.4), and the types
# that its header may have: old providers write the general one, or none.
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_TYPES = (None, "logout+jwt", "application/logout+jwt", "JWT")


class ProviderFailed(Refusal):
    """The provider did not answer as it must. No claim of a person is in what it says."""

    status = 502
    default = (
        "The sign-in at the provider did not work: %(why)s. Try again; if it stays so, tell an "
        "administrator."
    )

    def __init__(self, why: str, /, **values: Any) -> None:
        super().__init__(self.default, why=Message(why, **values))


@dataclass(frozen=True)
class Client:
    """Who we are at the provider."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True)
class Discovered:
    """Where the provider is asked what, as it says of itself."""

    authorization: str
    token: str
    keys: str
    # Whether the answer names the issuer (RFC 9207).
    names_issuer: bool
    secret_in_body: bool


@dataclass(frozen=True)
class Once:
    """What binds an answer to the question: made for one errand."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def _ask(client: httpx2.AsyncClient, method: str, url: str, **values: Any) -> Any:
    """Return the JSON of an answer. Raises ProviderFailed."""
    host = urlsplit(url).hostname
    try:
        async with (
            asyncio.timeout(_TIMEOUT),
            client.stream(
                method, url, headers={"accept": "application/json"}, timeout=_TIMEOUT, **values
            ) as answer,
        ):
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _LONGEST:
                    raise ProviderFailed("the answer of %(host)s is too long", host=host)
    except (httpx2.HTTPError, TimeoutError, ValueError) as error:
        raise ProviderFailed(
            "%(host)s was not reached (%(kind)s)", host=host, kind=type(error).__name__
        ) from None
    if answer.status_code != 200:
        raise ProviderFailed(
            "%(host)s answered with status %(status)s", host=host, status=answer.status_code
        )
    try:
        read = strict_json.read(body)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise ProviderFailed("%(host)s did not answer with JSON", host=host)
    return read


def _address(settings: Settings, found: dict[str, Any], name: str) -> str:
    """Return an address of the provider: by https, except on a machine for development."""
    value = found.get(name)
    parts = urlsplit(value) if isinstance(value, str) else None
    fine = {"https", "http"} if settings.reach_own_network else {"https"}
    if parts is None or parts.scheme not in fine or not parts.hostname:
        raise ProviderFailed("its description has no fitting %(name)s", name=name)
    return str(value)


async def discover(client: httpx2.AsyncClient, settings: Settings, issuer: str) -> Discovered:
    """Return what the provider says of itself. Raises ProviderFailed."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    found = await _ask(client, "GET", url)
    if found.get("issuer") != issuer:
        raise ProviderFailed("its description names another issuer")
    ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Discovered(
        authorization=_address(settings, found, "authorization_endpoint"),
        token=_address(settings, found, "token_endpoint"),
        keys=_address(settings, found, "jwks_uri"),
        names_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        secret_in_body="client_secret_basic" not in ways and "client_secret_post" in ways,
    )


async def keys_of(client: httpx2.AsyncClient, discovered: Discovered) -> KeySet:
    """Return the provider's public keys, without those too short. Raises ProviderFailed."""
    found = await _ask(client, "GET", discovered.keys)
    try:
        with warnings.catch_warnings():
            # The library warns of short keys, and takes them.
            warnings.simplefilter("ignore", SecurityWarning)
            keys = KeySet.import_key_set({"keys": [_public(one) for one in found["keys"]]})
        long = [one for one in keys.keys if not _is_short(one)]
    except (JoseError, KeyError, TypeError, ValueError):
        raise ProviderFailed("its keys cannot be read") from None
    if len(long) < len(keys.keys):
        log().warning(
            "provider_key_too_short",
            count=len(keys.keys) - len(long),
            reason=f"RSA keys of fewer than {_LEAST_RSA_BITS} bits count for nothing",
        )
    if not long:
        raise ProviderFailed("it has no keys")
    return KeySet(long)


def _is_short(key: Key) -> bool:
    return isinstance(key, RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS


def _public(key: dict[str, Any]) -> dict[str, Any]:
    """Return a key; one that is a shared secret is none (`HS256` with a key that all can read)."""
    if key["kty"] not in ("RSA", "EC", "OKP"):
        raise ValueError("a key that is no public one")
    return key


def address_of(discovered: Discovered, client: Client, once: Once, *, anew: bool) -> str:
    """Return the address to which the browser is sent. `anew`: the person signs in there again."""
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": _SCOPES,
        "state": once.state,
        "nonce": once.nonce,
        "code_challenge": once.challenge,
        "code_challenge_method": "S256",
    }
    if anew:
        asked |= {"prompt": "login", "max_age": "0"}
    between = "&" if urlsplit(discovered.authorization).query else "?"
    return f"{discovered.authorization}{between}{urlencode(asked)}"


async def exchange(
    http: httpx2.AsyncClient, discovered: Discovered, client: Client, code: str, once: Once
) -> str:
    """Give the code for a token that says who the person is. Raises ProviderFailed."""
    sent = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": once.verifier,
    }
    values: dict[str, Any] = {}
    if discovered.secret_in_body:
        sent |= {"client_id": client.client_id, "client_secret": client.client_secret}
    else:
        # As RFC 6749, 2.3.1 writes both.
        pair = (quote(client.client_id, safe=""), quote(client.client_secret, safe=""))
        values["auth"] = pair
    found = await _ask(http, "POST", discovered.token, data=sent, **values)
    token = found.get("id_token")
    if not isinstance(token, str):
        raise ProviderFailed("it gave no ID token")
    return token


def read_token(
    token: str, keys: KeySet, client: Client, once: Once, now: datetime
) -> dict[str, Any]:
    """Return the claims of an ID token that is for us, of now, and an answer to our question.

    Raises ProviderFailed.
    """
    _, claims = _decoded(token, keys, client, now)
    if not _is_name(claims.get("sub")):
        raise ProviderFailed("its token names no person")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), once.nonce.encode()):
        raise ProviderFailed("its token is not an answer to this sign-in")
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client.client_id:
        raise ProviderFailed("its token is for another program, too")
    if claims.get("azp", client.client_id) != client.client_id:
        raise ProviderFailed("its token was given to another program")
    return claims


def read_logout_token(token: str, keys: KeySet, client: Client, now: datetime) -> dict[str, Any]:
    """Return the claims of a token by which the provider ends the sessions of a person.

    As OpenID Connect Back-Channel Logout 1.0, section 2.6, validates it; it names the person
    (`sub`), a session there (`sid`), or both. Raises ProviderFailed.
    """
    header, claims = _decoded(token, keys, client, now, jti={"essential": True})
    named = [claims[name] for name in ("sub", "sid") if name in claims]
    if not named or not all(_is_name(one) for one in named):
        raise ProviderFailed("its token names no person")
    events = claims.get("events")
    if header.get("typ") not in _LOGOUT_TYPES:
        raise ProviderFailed("its token is of another type")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT), dict):
        raise ProviderFailed("its token is not about a logout")
    if "nonce" in claims:
        # It would be an ID token: an answer to a sign-in ends none.
        raise ProviderFailed("its token is an answer to a sign-in")
    return claims


def look_at_logout_token(token: str, client: Client) -> None:
    """Refuse what is no logout token for us, before the provider is asked for its keys.

    Nothing of it is believed by this. Raises ProviderFailed.
    """
    try:
        claims = strict_json.read(jws.extract_compact(token.encode()).payload)
        audience = claims["aud"]
        meant = client.client_id in (audience if isinstance(audience, list) else [audience])
        is_ours = claims["iss"] == client.issuer and meant and _LOGOUT in claims["events"]
    except (JoseError, ValueError, TypeError, KeyError):
        is_ours = False
    if not is_ours:
        raise ProviderFailed("its token is not about a logout")


def _is_name(value: object) -> bool:
    """Return whether this names a person or a session."""
    return isinstance(value, str) and 0 < len(value) <= 255


def _decoded(
    token: str, keys: KeySet, client: Client, now: datetime, **more: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token for us, of now. Raises ProviderFailed."""
    moment = int(now.timestamp())
    registry = jwt.JWTClaimsRegistry(
        now=moment,
        leeway=_LEEWAY,
        iss={"essential": True, "value": client.issuer},
        aud={"essential": True, "value": client.client_id},
        exp={"essential": True},
        iat={"essential": True},
        **more,
    )
    try:
        found = jwt.decode(token, keys, algorithms=_ALGORITHMS)
        registry.validate(found.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderFailed(
            "its token was not accepted (%(kind)s)", kind=type(error).__name__
        ) from None
    if moment - int(found.claims["iat"]) > _OLDEST:
        raise ProviderFailed("its token is too old")
    return found.header, found.claims
