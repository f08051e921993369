"""A device that keeps passkeys, as a browser would ask it: real keys, signatures and counters."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class HeldAlready(Exception):
    """The device holds a passkey that may not be made again: `InvalidStateError` in a browser."""


@dataclass
class Authenticator:
    """A device with one passkey. What an attacker would change can be set."""

    origin: str
    site: str = "localhost"
    verifies: bool = True
    counter: int = 0
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _data(self, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        site = hashlib.sha256(self.site.encode()).digest()
        return site + bytes([flags]) + self.counter.to_bytes(4, "big")

    def make(self, options: str) -> dict[str, Any]:
        """Make a passkey, as `navigator.credentials.create` does."""
        asked = json.loads(options)
        if _text(self.credential_id) in {one["id"] for one in asked["excludeCredentials"]}:
            raise HeldAlready
        numbers = self.key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        made = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(NEW_KEY) + made + cbor2.dumps(key)
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", asked["challenge"])
        return self._sent(client, attestationObject=_text(attested), transports=["internal"])

    def answer(self, options: str) -> dict[str, Any]:
        """Use the passkey, as `navigator.credentials.get` does."""
        self.counter += 1
        data = self._data()
        client = self._client_data("webauthn.get", json.loads(options)["challenge"])
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._sent(client, authenticatorData=_text(data), signature=_text(signed))

    def _sent(self, client: bytes, **response: Any) -> dict[str, Any]:
        name = _text(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": {"clientDataJSON": _text(client), **response},
            "clientExtensionResults": {},
        }
