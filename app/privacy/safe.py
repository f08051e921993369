"""What is done with the keys: values are sealed and opened, and texts are hashed. Pure.

A sealed value is AES-256-GCM over the text, bound to its table, column and
row: moved elsewhere, it does not open.

    version (1 byte) | key number (1 byte) | nonce (12 bytes) | ciphertext and tag

A keyed hash is an HMAC. When its key is rotated, the hash of the new generation is made from the
hash of the one before, so that a value that is not known any more can be carried over, too:

    generation 1:  HMAC(key 1, text)                            (32 bytes)
    generation n:  n (1 byte) | HMAC(key n, hash of generation n - 1)   (33 bytes)

A log keeps the checksum of its words beside them. It stays the same when they are sealed anew, and
tells nothing of them once the salt is gone:

    SHA-256(salt (16 bytes) | path of the question, or nothing | NUL | words)

No method returns a key: the secrets of the hashes, too, are made, read and sealed anew in here.
Nor does one return the secret of an agency's events, or the seed by which the codes of a phone
are checked. While a phone is set up, its owner is shown the seed from a column of its own.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Refusal
from app.privacy import secret_uses
from app.privacy.cipher import Cipher
from app.privacy.hash_kinds import HashOf

_VERSION = 1
# Bytes of the salt of a checksum, and of a value in which nothing is sealed.
SALT, SEALED_NOTHING = 16, 30
PLAIN_HASH = 32
# Bytes of a text of which the secret key makes a hash.
LONGEST_HASHED = 4096
# Where the secrets of the hashes are stored.
SECRETS = ("hash_keys", "secret_sealed")
_OF_SECRETS = f"{SECRETS[0]}:".encode()


class CannotOpen(Refusal):
    """A sealed value was damaged or moved to another place, or its key is missing."""

    status = 500


NO_KEY = "damaged, or sealed with a key that is not in HELPLINE_FIELD_KEYS"
MOVED = "damaged, or moved from another row"
SECRET = "this secret is used where it is held, and never handed out"
ELSEWHERE = "this is no secret for that"
GAP = "the generations of the hashes have a gap"
NO_HASH = "this is not a hash that can be carried over"
# Where secrets lie that are used in here, and opened for no asker.
USED_HERE = (secret_uses.OF_CODES, secret_uses.OF_EVENTS)
# What makes the key of the lists of what was erased.
_LISTS = (HashOf.ERASURE.value, "lists")


class Bound(NamedTuple):
    """The column of a row to which a sealed value is bound."""

    table: str
    column: str
    row: UUID

    def __bytes__(self) -> bytes:
        return f"{self.table}:{self.row}:{self.column}".encode()


class Item(NamedTuple):
    """A value, and the bytes of the place to which it is bound."""

    bound: bytes
    value: bytes


class Secret(NamedTuple):
    """The sealed secret of one generation of hashes, and its row."""

    sealed: bytes
    row: UUID

    @property
    def item(self) -> Item:
        return Item(bytes(Bound(*SECRETS, self.row)), self.sealed)


class Salted(NamedTuple):
    """A sealed value, and what is hashed before its words: see `start_of`."""

    start: bytes
    item: Item


@dataclass(frozen=True)
class InForce:
    """What the database says about the keys; every process works by it."""

    # The number of the key that seals, and those whose values were all sealed anew.
    sealing: int
    retired: Collection[int]
    # The secret of each generation of hashes; which is written, and the oldest that is still
    # stored somewhere.
    hash_secrets: Mapping[int, Secret]
    written: int
    oldest: int
    # What the keys in use must be: a wrong one under a known number must seal nothing.
    check_values: Mapping[int, bytes] = field(default_factory=dict)


class Holder(Protocol):
    """Who holds the keys: this program itself, or the keeper beside it."""

    def check_values(self) -> Mapping[int, bytes]:
        """Return the number of each key with what tells it from others, the first key first."""

    def work_by(self, facts: InForce) -> None:
        """Seal, open and hash from now on as the database says. Raises CannotOpen."""

    def seal_with(self, number: int) -> None:
        """Seal with this key from now on. Raises CannotOpen if another holder decides."""

    def seal(self, items: Sequence[Item]) -> list[bytes]:
        """Return values sealed, each for its place."""

    def open(self, items: Sequence[Item]) -> list[bytes | CannotOpen]:
        """Return what was sealed, or why it does not open."""

    def attempt(self, items: Sequence[Item]) -> list[CannotOpen | None]:
        """Return why each value does not open, and never what is in it."""

    def seal_anew(self, items: Sequence[Item]) -> list[bytes]:
        """Return sealed values under the key that seals now. Raises CannotOpen."""

    def sums(self, values: Sequence[Salted]) -> list[bytes | CannotOpen]:
        """Return the checksum of what is sealed in each value, or why it does not open."""

    def hashes(self, texts: Sequence[tuple[str, str]]) -> list[list[bytes]]:
        """Return the hash of each text of a kind, in every generation from the first."""

    def carry(self, stored: Sequence[bytes], generation: int) -> list[bytes]:
        """Return stored hashes as those of a later generation."""

    def make_secret(self, row: UUID, *, first: bool) -> bytes:
        """Return a secret of hashes, sealed: the first comes from the last field key."""

    def seal_for_good(self, items: Sequence[Item]) -> list[bytes]:
        """Return values sealed by a key that stays when keys are rotated: for lists in files."""

    def open_for_good(self, items: Sequence[Item]) -> list[bytes | CannotOpen]:
        """Return what was sealed so, or why it does not open."""

    def step_of(self, seed: Item, code: str, steps: Sequence[int]) -> int | None:
        """Return the first step in which a phone shows a code. Raises CannotOpen."""

    def sign_event(self, secret: Item, event_id: str, at: int, body: str) -> str:
        """Return the signature of an event, by the sealed secret. Raises CannotOpen."""

    def session_keys(self, texts: Sequence[bytes]) -> list[bytes]:
        """Return the hash of each text that the secret key makes; it has no generations."""

    def session_key(self, token: bytes) -> bytes:
        """Return the same of a token that was made at random. It may be remembered."""


class Safe:
    """The keys of the settings and the secrets of hashes, in the memory of this process.

    Until the database was asked, the first key seals and the hashes come from the last.
    """

    def __init__(self, field_keys: list[tuple[int, bytes]], secret_key: str) -> None:
        self._session_key = derived(secret_key.encode(), b"helpline sessions")
        self._given = dict(field_keys)
        self._ciphers = {number: Cipher(key) for number, key in field_keys}
        self._last = field_keys[-1][0]
        # The number of the key that seals, with its cipher: threads take both at once.
        self._seals_with = (field_keys[0][0], self._ciphers[field_keys[0][0]])
        self._hash_secrets: dict[int, bytes] = {1: self._own_secret()}
        self._values = {n: derived(k, b"helpline key check")[:16] for n, k in field_keys}

    def check_values(self) -> Mapping[int, bytes]:
        return self._values

    def work_by(self, facts: InForce) -> None:
        for number, value in facts.check_values.items():
            if self._values.get(number) != value:
                raise CannotOpen(f"key {number} is missing, or is another one than before")
        generations = sorted(facts.hash_secrets)
        if not generations or generations != list(range(1, len(generations) + 1)):
            raise CannotOpen(GAP)
        ciphers = {
            number: Cipher(key)
            for number, key in self._given.items()
            if number not in facts.retired
        }
        found = {
            generation: _opened(ciphers, facts.hash_secrets[generation].item)
            for generation in generations
        }
        self._ciphers, self._hash_secrets = ciphers, found
        if facts.sealing in ciphers:
            self._seals_with = (facts.sealing, ciphers[facts.sealing])

    def seal_with(self, number: int) -> None:
        if number not in self._ciphers:
            raise CannotOpen(NO_KEY)
        self._seals_with = (number, self._ciphers[number])

    def seal(self, items: Sequence[Item]) -> list[bytes]:
        _refuse_secrets(items)
        return [self._seal(item) for item in items]

    def open(self, items: Sequence[Item]) -> list[bytes | CannotOpen]:
        return [self._open(item) for item in items]

    def attempt(self, items: Sequence[Item]) -> list[CannotOpen | None]:
        found: list[CannotOpen | None] = []
        for item in items:
            try:
                _opened(self._ciphers, item)
            except CannotOpen as error:
                found.append(error)
            else:
                found.append(None)
        return found

    def seal_anew(self, items: Sequence[Item]) -> list[bytes]:
        return [
            self._seal(Item(item.bound, _opened(self._ciphers, item)))
            if item.value[1:2] != bytes([self._seals_with[0]])
            else item.value
            for item in items
        ]

    def sums(self, values: Sequence[Salted]) -> list[bytes | CannotOpen]:
        found: list[bytes | CannotOpen] = []
        for start, item in values:
            words = self._open(item)
            found.append(words if isinstance(words, CannotOpen) else sum_of(start, words))
        return found

    def hashes(self, texts: Sequence[tuple[str, str]]) -> list[list[bytes]]:
        newest = max(self._hash_secrets)
        found = []
        for kind, text in texts:
            if (kind, text) == _LISTS:
                raise CannotOpen(SECRET)
            made = [self._hash(kind, text)]
            while len(made) < newest:
                made.append(self._next(made[-1], len(made) + 1))
            found.append(made)
        return found

    def carry(self, stored: Sequence[bytes], generation: int) -> list[bytes]:
        newest = max(self._hash_secrets)
        found = []
        for one in stored:
            # What is shorter may be a text of which `_hash` makes a key: any secret may be named as
            # that of a later generation, and would hash it here.
            if not _is_stored(one, newest) or generation > newest:
                raise CannotOpen(NO_HASH)
            for number in range(generation_of(one) + 1, generation + 1):
                one = self._next(one, number)
            found.append(one)
        return found

    def make_secret(self, row: UUID, *, first: bool) -> bytes:
        secret = self._own_secret() if first else secrets.token_bytes(32)
        return self._seal(Item(bytes(Bound(*SECRETS, row)), secret))

    def seal_for_good(self, items: Sequence[Item]) -> list[bytes]:
        cipher, found = self._of_lists(), []
        for item in items:
            nonce = secrets.token_bytes(12)
            found.append(b"".join([nonce, cipher.encrypt(nonce, item.value, item.bound)]))
        return found

    def open_for_good(self, items: Sequence[Item]) -> list[bytes | CannotOpen]:
        cipher = self._of_lists()
        found: list[bytes | CannotOpen] = []
        for bound, value in items:
            try:
                found.append(cipher.decrypt(value[:12], memoryview(value)[12:], bound))
            except (InvalidTag, ValueError):
                found.append(CannotOpen(MOVED))
        return found

    def step_of(self, seed: Item, code: str, steps: Sequence[int]) -> int | None:
        return secret_uses.step_of(self._secret(seed, secret_uses.OF_CODES), code, steps)

    def sign_event(self, secret: Item, event_id: str, at: int, body: str) -> str:
        opened = self._secret(secret, secret_uses.OF_EVENTS)
        return secret_uses.signature_of(opened, event_id, at, body)

    def session_keys(self, texts: Sequence[bytes]) -> list[bytes]:
        return [self.session_key(one) for one in texts]

    def session_key(self, token: bytes) -> bytes:
        return hmac.digest(self._session_key, token, "sha256")

    def _secret(self, item: Item, place: tuple[str, str]) -> str:
        if not _is_of(item, place):
            raise CannotOpen(ELSEWHERE)
        return _opened(self._ciphers, item).decode()

    def _of_lists(self) -> Cipher:
        return Cipher(self._hash(*_LISTS))

    def _hash(self, kind: str, text: str) -> bytes:
        return hmac.digest(self._hash_secrets[1], f"{kind}:{text}".encode(), "sha256")

    def _own_secret(self) -> bytes:
        return derived(self._given[self._last], b"helpline keyed hashes")

    def _next(self, stored: bytes, number: int) -> bytes:
        return bytes([number]) + hmac.digest(self._hash_secrets[number], stored, "sha256")

    def _seal(self, item: Item) -> bytes:
        number, cipher = self._seals_with
        if number not in self._ciphers:
            # It was retired, and no other one is in force: what it sealed could not be opened.
            raise CannotOpen(NO_KEY)
        nonce = secrets.token_bytes(12)
        body = cipher.encrypt(nonce, item.value, item.bound)
        return b"".join([bytes([_VERSION, number]), nonce, body])

    def _open(self, item: Item) -> bytes | CannotOpen:
        if item.bound.startswith(_OF_SECRETS) or any(_is_of(item, one) for one in USED_HERE):
            return CannotOpen(SECRET)
        try:
            return _opened(self._ciphers, item)
        except CannotOpen as error:
            return error


def new_salt() -> bytes:
    """Return a salt for the checksums of one row."""
    return secrets.token_bytes(SALT)


def start_of(salt: bytes, path: str = "") -> bytes:
    """Return what is hashed before words; `path`: of the question that they answer, if any."""
    return salt + path.encode() + b"\0"


def sum_of(start: bytes, words: bytes) -> bytes:
    """Return the checksum of words, 32 bytes."""
    return hashlib.sha256(start + words).digest()


def generation_of(stored: bytes) -> int:
    """Return the generation of a stored hash."""
    return 1 if len(stored) == PLAIN_HASH else stored[0]


def _is_stored(value: bytes, newest: int) -> bool:
    """Return whether a value has the form of a stored hash, of a generation that there is."""
    more = len(value) - PLAIN_HASH
    return more == 0 or (more == 1 and 2 <= value[0] <= newest)


def _is_of(item: Item, place: tuple[str, str]) -> bool:
    table, column = place
    return item.bound.startswith(f"{table}:".encode()) and item.bound.endswith(
        f":{column}".encode()
    )


def _refuse_secrets(items: Sequence[Item]) -> None:
    for item in items:
        if item.bound.startswith(_OF_SECRETS):
            raise CannotOpen(SECRET)


def _opened(ciphers: Mapping[int, Cipher], item: Item) -> bytes:
    sealed = item.value
    if len(sealed) < SEALED_NOTHING or sealed[0] != _VERSION or sealed[1] not in ciphers:
        raise CannotOpen(NO_KEY)
    try:
        return ciphers[sealed[1]].decrypt(sealed[2:14], memoryview(sealed)[14:], item.bound)
    except InvalidTag:
        raise CannotOpen(MOVED) from None


def derived(key: bytes, purpose: bytes) -> bytes:
    """Return 32 bytes from a key, for one purpose."""
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(hashlib.sha256(key).digest())
