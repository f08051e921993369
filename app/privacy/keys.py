"""Sealing of personal data, and keyed hashes to find it again.

A sealed value is AES-256-GCM over the text, bound to its table, column and
row: moved elsewhere, it does not open.

    version (1 byte) | key number (1 byte) | nonce (12 bytes) | ciphertext and tag

A keyed hash is an HMAC. When its key is rotated, the hash of the new generation is made from the
hash of the one before, so that a value that is not known any more can be carried over, too:

    generation 1:  HMAC(key 1, text)                            (32 bytes)
    generation n:  n (1 byte) | HMAC(key n, hash of generation n - 1)   (33 bytes)
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Refusal
from app.settings import Settings, parse_field_keys

_VERSION = 1
_PLAIN_HASH = 32


class CannotOpen(Refusal):
    """A sealed value was damaged or moved to another place, or its key is missing."""

    status = 500


@dataclass(frozen=True)
class InForce:
    """What the database says about the keys; every process works by it."""

    # The number of the key that seals, and those whose values were all sealed anew.
    sealing: int
    retired: Collection[int]
    # The secret of each generation of hashes; which is written, and the oldest that is still
    # stored somewhere.
    hash_secrets: Mapping[int, bytes]
    written: int
    oldest: int


class Keys:
    """The keys of the settings: they seal and open values, and make keyed hashes.

    Until the database was asked, the first key seals and the hashes come from the last.
    """

    def __init__(self, field_keys: list[tuple[int, bytes]], secret_key: str) -> None:
        self._given = dict(field_keys)
        self._ciphers = {number: AESGCM(key) for number, key in field_keys}
        self._current = self.first = field_keys[0][0]
        self._hash_secrets: Mapping[int, bytes] = {1: self.own_hash_secret(field_keys[-1][0])}
        self._written = self._oldest = 1
        self._session_key = _derived(secret_key.encode(), b"helpline sessions")
        # What keeps this process from opening what is stored; empty if all is well.
        self.problem = ""

    # -- what the keys are ---------------------------------------------------------------------

    @property
    def numbers(self) -> list[int]:
        """The numbers of the keys in the settings, the first one first."""
        return list(self._given)

    @property
    def current(self) -> int:
        """The number of the key that seals."""
        return self._current

    @property
    def generation(self) -> int:
        """The generation of hashes that is written."""
        return self._written

    @property
    def rotates_hashes(self) -> bool:
        """Whether hashes of more than one generation may be stored."""
        return self._oldest < max(self._hash_secrets)

    def check_value(self, number: int) -> bytes:
        """Return what tells two keys apart without helping to find either."""
        return _derived(self._given[number], b"helpline key check")[:16]

    def own_hash_secret(self, number: int) -> bytes:
        """Return the first secret of hashes, as it was derived from a field key."""
        return _derived(self._given[number], b"helpline keyed hashes")

    def work_by(self, facts: InForce) -> None:
        """Seal, open and hash from now on as the database says."""
        self._ciphers = {
            number: AESGCM(key)
            for number, key in self._given.items()
            if number not in facts.retired
        }
        if facts.sealing in self._ciphers:
            self._current = facts.sealing
        self._hash_secrets = dict(facts.hash_secrets)
        self._written, self._oldest = facts.written, facts.oldest

    def seal_with(self, number: int) -> None:
        """Seal with this key of the settings from now on. Raises CannotOpen if it is not there."""
        if number not in self._ciphers:
            raise CannotOpen(f"HELPLINE_FIELD_KEYS has no key {number}, which seals by now")
        self._current = number

    # -- sealing -------------------------------------------------------------------------------

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

    # -- keyed hashes --------------------------------------------------------------------------

    def match_key(self, kind: str, value: str) -> bytes:
        """Return a keyed hash that finds equal values without making them readable."""
        return self.carried(self._first_hash(kind, value), self._written)

    def match_keys(self, kind: str, value: str) -> list[bytes]:
        """Return every form in which the hash of a value may be stored, the present one first."""
        first = self._first_hash(kind, value)
        if not self.rotates_hashes:
            return [self.carried(first, self._written)]
        others = [g for g in self._hash_secrets if g >= self._oldest and g != self._written]
        return [self.carried(first, g) for g in (self._written, *sorted(others))]

    def is_match(self, kind: str, value: str, stored: bytes) -> bool:
        """Return whether a stored hash is that of the value; the time taken tells nothing of it."""
        return sum(hmac.compare_digest(one, stored) for one in self.match_keys(kind, value)) > 0

    def carried(self, stored: bytes, generation: int) -> bytes:
        """Return a stored hash as one of a later generation."""
        for number in range(generation_of(stored) + 1, generation + 1):
            body = hmac.digest(self._hash_secrets[number], stored, "sha256")
            stored = bytes([number]) + body
        return stored

    def secret_of(self, kind: str, value: str) -> bytes:
        """Return 32 bytes that only this helpline can make, for what is stored elsewhere."""
        return self.match_key(kind, value)[-_PLAIN_HASH:]

    def secrets_of(self, kind: str, value: str) -> list[bytes]:
        """Return that secret, and those of all earlier generations after it."""
        first = self._first_hash(kind, value)
        made = [self.carried(first, g)[-_PLAIN_HASH:] for g in sorted(self._hash_secrets)]
        return made[: self._written][::-1]

    def lasting_secret(self, kind: str, value: str) -> bytes:
        """Return 32 bytes that stay the same when the hashes are rotated."""
        return self._first_hash(kind, value)

    def _first_hash(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._hash_secrets[1], f"{kind}:{value}".encode(), "sha256")

    def session_key(self, token: str) -> bytes:
        """Return the keyed hash that is stored for a session's token."""
        return hmac.digest(self._session_key, token.encode(), "sha256")


def generation_of(stored: bytes) -> int:
    """Return the generation of a stored hash."""
    return 1 if len(stored) == _PLAIN_HASH else stored[0]


def read_keys(settings: Settings) -> Keys:
    """Read the keys of checked settings."""
    assert settings.field_keys is not None
    assert settings.secret_key is not None
    return Keys(parse_field_keys(settings.field_keys), settings.secret_key)


def _place(table: str, column: str, row: UUID) -> bytes:
    return f"{table}:{row}:{column}".encode()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(hashlib.sha256(key).digest())
