"""Sealing of personal data, and keyed hashes to find it again, as the areas ask for it.

Who holds the keys is decided by the settings: this program (`app/privacy/safe.py`), or the keeper,
a process of its own (`app/privacy/keeper`). The areas see no difference. What belongs together is
asked for together, `…_all`: with a keeper that is one trip and not one for each value.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from app.privacy.hash_kinds import HashOf
from app.privacy.keeper.client import LONG, Keeper
from app.privacy.safe import (
    LONGEST_HASHED,
    PLAIN_HASH,
    Bound,
    CannotOpen,
    Holder,
    InForce,
    Item,
    Safe,
    Salted,
    generation_of,
    new_salt,
    start_of,
    sum_of,
)
from app.settings import Settings, parse_field_keys

__all__ = [
    "Bound",
    "CannotOpen",
    "InForce",
    "Keys",
    "Summed",
    "generation_of",
    "keys_in_program",
    "read_keys",
]

T = TypeVar("T")
# The column of a log in which the salt of a row's checksums is sealed.
SALT_COLUMN = "salt_sealed"


class Summed(NamedTuple):
    """Words of a log, sealed, with their checksum and the salt of it, sealed as well."""

    sealed: bytes
    salt_sealed: bytes
    words_sum: bytes

    def as_columns(self, column: str) -> dict[str, Any]:
        """Return the columns of the row, of which `column` holds the words."""
        return {column: self.sealed, SALT_COLUMN: self.salt_sealed, "words_sum": self.words_sum}


class Keys:
    """The keys of a process: they seal and open values, and make keyed hashes.

    Until the database was asked, the first key seals and the hashes come from the last.
    """

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._facts: InForce | None = None
        # What keeps this process from opening what is stored; empty if all is well.
        self.problem = ""

    # -- what the keys are ---------------------------------------------------------------------

    @property
    def keeper(self) -> Keeper | None:
        """The keeper, if this program holds no key itself."""
        return self._holder if isinstance(self._holder, Keeper) else None

    async def ready(self) -> None:
        """While the keeper is being restarted, wait a moment for it; go on after that."""
        if self.keeper is not None:
            await self.keeper.ready()

    async def look(self) -> None:
        """Look which keys there are now: a keeper may have been restarted with others."""
        if self.keeper is not None:
            # One that hangs would stop all requests.
            await asyncio.to_thread(self.keeper.look)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the keys in the settings, the first one first."""
        return list(self._holder.check_values())

    @property
    def first(self) -> int:
        """The number of the first key in the settings."""
        return self.numbers[0]

    @property
    def current(self) -> int:
        """The number of the key that seals."""
        facts = self._facts
        if facts is None or facts.sealing not in self.numbers or facts.sealing in facts.retired:
            return self.first
        return facts.sealing

    @property
    def generation(self) -> int:
        """The generation of hashes that is written."""
        return self._facts.written if self._facts else 1

    @property
    def rotates_hashes(self) -> bool:
        """Whether hashes of more than one generation may be stored."""
        return self._facts is not None and self._facts.oldest < max(self._facts.hash_secrets)

    def check_value(self, number: int) -> bytes:
        """Return what tells two keys apart without helping to find either."""
        return self._holder.check_values()[number]

    def hash_secret(self, row: UUID, *, first: bool = False) -> bytes:
        """Return a new secret of hashes, sealed; or the first, which comes from a field key."""
        return self._holder.make_secret(row, first=first)

    def work_by(self, facts: InForce) -> None:
        """Seal, open and hash from now on as the database says. Raises CannotOpen."""
        self._holder.work_by(facts)
        self._facts = facts

    def seal_with(self, number: int) -> None:
        """Seal with this key of the settings from now on. Raises CannotOpen if it is not there."""
        if number not in self._holder.check_values():
            raise CannotOpen(f"there is no key {number}, which seals by now")
        self._holder.seal_with(number)

    # -- sealing -------------------------------------------------------------------------------

    def seal(self, value: bytes, *, table: str, column: str, row: UUID) -> bytes:
        """Return the value sealed for that column of that row."""
        return self._holder.seal([Item(bytes(Bound(table, column, row)), value)])[0]

    def seal_with_sum(self, words: bytes, *, table: str, column: str, row: UUID) -> Summed:
        """Return words sealed for a log, with a checksum that shows whether they were replaced."""
        salt = new_salt()
        sealed, salt_sealed = self._holder.seal(
            [
                Item(bytes(Bound(table, column, row)), words),
                Item(bytes(Bound(table, SALT_COLUMN, row)), salt),
            ]
        )
        return Summed(sealed, salt_sealed, sum_of(start_of(salt), words))

    def open(self, sealed: bytes, *, table: str, column: str, row: UUID) -> bytes:
        """Return the value of a sealed column.

        Raises CannotOpen.
        """
        return told(self._holder.open([Item(bytes(Bound(table, column, row)), sealed)])[0])

    def open_together(self, values: Sequence[tuple[Bound, bytes]]) -> list[bytes]:
        """Return what was sealed in short values, all together. Raises CannotOpen."""
        items = [Item(bytes(bound), value) for bound, value in values]
        return [told(one) for one in self._holder.open(items)] if items else []

    async def seal_all(self, values: Sequence[tuple[Bound, bytes]]) -> list[bytes]:
        """Return values sealed, all together; long ones without holding up other requests."""
        return await _apart(self._holder.seal, values)

    async def open_all(self, values: Sequence[tuple[Bound, bytes]]) -> list[bytes | CannotOpen]:
        """Return what was sealed, or why it does not open: `told` raises that."""
        return await _apart(self._holder.open, values)

    def check_opens(self, sealed: bytes, *, table: str, column: str, row: UUID) -> None:
        """Check that a value opens, whatever it is. Raises CannotOpen."""
        (error,) = self._holder.attempt([Item(bytes(Bound(table, column, row)), sealed)])
        if error is not None:
            raise error

    async def seal_anew(self, values: Sequence[tuple[Bound, bytes]]) -> list[bytes]:
        """Return sealed values under the key that seals now. Raises CannotOpen."""
        return await _apart(self._holder.seal_anew, values)

    async def sums_all(
        self, values: Sequence[tuple[bytes, Bound, bytes]]
    ) -> list[bytes | CannotOpen]:
        """Return the checksums of sealed values, all together, without their words.

        Each value comes with its salt and the path of its question (`start_of`), and its place.
        """
        salted = [Salted(start, Item(bytes(bound), one)) for start, bound, one in values]
        if sum(len(one.item.value) for one in salted) > LONG:
            return await asyncio.to_thread(self._holder.sums, salted)
        return self._holder.sums(salted) if salted else []

    # -- keyed hashes --------------------------------------------------------------------------

    def match_key(self, kind: HashOf, value: str) -> bytes:
        """Return a keyed hash that finds equal values without making them readable."""
        return self._generations(kind, value)[self.generation - 1]

    def match_keys(self, kind: HashOf, value: str) -> list[bytes]:
        """Return every form in which the hash of a value may be stored, the present one first."""
        return self.match_keys_all([(kind, value)])[0]

    def match_keys_all(self, texts: Sequence[tuple[HashOf, str]]) -> list[list[bytes]]:
        """Return the same for several values, each with its kind, all together."""
        if not texts:
            return []
        return [self._as_stored(made) for made in self._holder.hashes(texts)]

    def _as_stored(self, made: list[bytes]) -> list[bytes]:
        written = self.generation
        if not self.rotates_hashes or self._facts is None:
            return [made[written - 1]]
        others = [g for g in range(self._facts.oldest, len(made) + 1) if g != written]
        return [made[g - 1] for g in (written, *others)]

    def is_match(self, kind: HashOf, value: str, stored: bytes) -> bool:
        """Return whether a stored hash is that of the value; the time taken tells nothing of it."""
        return sum(hmac.compare_digest(one, stored) for one in self.match_keys(kind, value)) > 0

    def carried(self, stored: Sequence[bytes], generation: int) -> list[bytes]:
        """Return stored hashes as those of a later generation."""
        return self._holder.carry(stored, generation)

    def secret_of(self, kind: HashOf, value: str) -> bytes:
        """Return 32 bytes that only this helpline can make, for what is stored elsewhere."""
        return self.match_key(kind, value)[-PLAIN_HASH:]

    def secrets_of(self, kind: HashOf, value: str) -> list[bytes]:
        """Return that secret, and those of all earlier generations after it."""
        made = [one[-PLAIN_HASH:] for one in self._generations(kind, value)]
        return made[: self.generation][::-1]

    def lasting_secret(self, kind: HashOf, value: str) -> bytes:
        """Return 32 bytes that stay the same when the hashes are rotated."""
        return self._generations(kind, value)[0]

    def _generations(self, kind: HashOf, value: str) -> list[bytes]:
        return self._holder.hashes([(kind, value)])[0]

    # -- secrets that are used where they are held ---------------------------------------------

    def step_of(
        self, sealed: bytes, code: str, steps: Sequence[int], *, table: str, column: str, row: UUID
    ) -> int | None:
        """Return the first of some steps in which the phone of a sealed secret shows a code.

        Raises CannotOpen.
        """
        return self._holder.step_of(Item(bytes(Bound(table, column, row)), sealed), code, steps)

    def sign_event(
        self,
        sealed: bytes,
        event_id: str,
        at: int,
        body: str,
        *,
        table: str,
        column: str,
        row: UUID,
    ) -> str:
        """Return the signature of an event between us and an agency, by its sealed secret.

        `at`: seconds since 1970. Raises CannotOpen.
        """
        secret = Item(bytes(Bound(table, column, row)), sealed)
        return self._holder.sign_event(secret, event_id, at, body)

    def seal_for_good(self, value: bytes, bound: bytes) -> bytes:
        """Return a value sealed by a key that stays when keys are rotated; see `erasures.py`."""
        return self._holder.seal_for_good([Item(bound, value)])[0]

    def open_for_good(self, sealed: bytes, bound: bytes) -> bytes:
        """Return what was sealed so. Raises CannotOpen."""
        return told(self._holder.open_for_good([Item(bound, sealed)])[0])

    # -- hashes that the secret key makes ------------------------------------------------------

    def session_key(self, token: str) -> bytes:
        """Return the keyed hash that is stored for a session's token, which was made at random.

        With a keeper this process remembers it: a session goes on while the keeper is away.
        """
        return self._holder.session_key(_hashable(token))

    def keep_session_key(self, token: str, *, of_chat: bool = False) -> None:
        """Remember the hash of a token whose session was found: those made up do not push it out.

        `of_chat`: it is the secret of a written conversation, and pushes no session out either.
        Call it after `session_key`.
        """
        if self.keeper is not None:
            self.keeper.keep_session_key(_hashable(token), of_chat=of_chat)

    def text_key(self, text: str) -> bytes:
        """Return the same hash of what may be guessed, as a code or a password.

        It is remembered nowhere.
        """
        return self._holder.session_keys([_hashable(text)])[0]


def _hashable(text: str) -> bytes:
    """Return a text as it is hashed. What is stored is short; a client may send more."""
    given = text.encode()
    return given if len(given) <= LONGEST_HASHED else hashlib.sha256(given).digest()


def told(opened: bytes | CannotOpen) -> bytes:
    """Return what was opened. Raises CannotOpen if it does not open."""
    if isinstance(opened, CannotOpen):
        raise opened
    return opened


async def _apart(
    act: Callable[[Sequence[Item]], list[T]], values: Sequence[tuple[Bound, bytes]]
) -> list[T]:
    """Return what the holder makes of the values; long ones are handled in a thread."""
    items = [Item(bytes(bound), value) for bound, value in values]
    if not items:
        return []
    if sum(len(item.value) for item in items) > LONG:
        return await asyncio.to_thread(act, items)
    return act(items)


def keys_in_program(field_keys: list[tuple[int, bytes]], secret_key: str) -> Keys:
    """Return keys that this program holds itself."""
    return Keys(Safe(field_keys, secret_key))


def read_keys(settings: Settings) -> Keys:
    """Read the keys of checked settings, or say where the keeper is."""
    if settings.keeper_socket is not None:
        return Keys(Keeper(settings.keeper_socket))
    assert settings.field_keys is not None
    assert settings.secret_key is not None
    return keys_in_program(parse_field_keys(settings.field_keys), settings.secret_key)
