"""Sealing of personal data, and keyed hashes to find it again.

A sealed value is AES-256-GCM over the text, bound to its table, column and
row: moved elsewhere, it does not open.

    version (1 byte) | key number (1 byte) | nonce (12 bytes) | ciphertext and tag
"""

import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Refusal
from app.settings import Settings, parse_field_keys

_VERSION = 1


class CannotOpen(Refusal):
    """A sealed value was damaged or moved to another place, or its key is missing."""

    status = 500


class Keys:
    """The keys of the settings: they seal and open values, and make keyed hashes."""

    def __init__(self, field_keys: list[tuple[int, bytes]], secret_key: str) -> None:
        self._current = field_keys[0][0]
        self._ciphers = {number: AESGCM(key) for number, key in field_keys}
        self._match_key = _derived(field_keys[-1][1], b"helpline keyed hashes")
        self._session_key = _derived(secret_key.encode(), b"helpline sessions")

    def seal(self, value: bytes, *, table: str, column: str, row: UUID) -> bytes:
        """Return the value sealed for that column of that row."""
        nonce = secrets.token_bytes(12)
        body = self._ciphers[self._current].encrypt(nonce, value, _place(table, column, row))
        return bytes([_VERSION, self._current]) + nonce + body

    def open(self, sealed: bytes, *, table: str, column: str, row: UUID) -> bytes:
        """Return the value of a sealed column.

        Raises CannotOpen.
        """
        if len(sealed) < 30 or sealed[0] != _VERSION or sealed[1] not in self._ciphers:
            raise CannotOpen("damaged, or sealed with a key that is not in HELPLINE_FIELD_KEYS")
        try:
            place = _place(table, column, row)
            return self._ciphers[sealed[1]].decrypt(sealed[2:14], sealed[14:], place)
        except InvalidTag:
            raise CannotOpen("damaged, or moved from another row") from None

    def match_key(self, kind: str, value: str) -> bytes:
        """Return a keyed hash that finds equal values without making them readable."""
        return hmac.digest(self._match_key, f"{kind}:{value}".encode(), "sha256")

    def session_key(self, token: str) -> bytes:
        """Return the keyed hash that is stored for a session's token."""
        return hmac.digest(self._session_key, token.encode(), "sha256")


def read_keys(settings: Settings) -> Keys:
    """Read the keys of checked settings."""
    assert settings.field_keys is not None
    assert settings.secret_key is not None
    return Keys(parse_field_keys(settings.field_keys), settings.secret_key)


def _place(table: str, column: str, row: UUID) -> bytes:
    return f"{table}:{row}:{column}".encode()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(hashlib.sha256(key).digest())
