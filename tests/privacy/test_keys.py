from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.privacy.cipher import PIECE, Cipher
from app.privacy.hash_kinds import HashOf
from app.privacy.keys import CannotOpen, keys_in_program
from app.privacy.safe import Bound, InForce, Safe, Secret

OLD, NEW = (1, b"o" * 32), (2, b"n" * 32)


def test_opens_only_where_it_was_sealed() -> None:
    keys, row = keys_in_program([OLD], "s" * 40), uuid4()
    sealed = keys.seal(b"+381641234567", table="calls", column="c", row=row)
    assert b"381641234567" not in sealed
    assert keys.open(sealed, table="calls", column="c", row=row) == b"+381641234567"
    for place in (
        {"table": "other", "column": "c", "row": row},
        {"table": "calls", "column": "d", "row": row},
        {"table": "calls", "column": "c", "row": uuid4()},
    ):
        with pytest.raises(CannotOpen):
            keys.open(sealed, **place)  # type: ignore[arg-type]


def test_a_value_is_never_sealed_with_the_same_nonce() -> None:
    keys, row = keys_in_program([OLD], "s" * 40), uuid4()
    sealed = {keys.seal(b"x", table="t", column="c", row=row) for _ in range(5000)}
    assert len(sealed) == 5000
    # The nonce follows the number of the key.
    assert len({one[2:14] for one in sealed}) == 5000


def test_damage_is_noticed() -> None:
    keys, row = keys_in_program([OLD], "s" * 40), uuid4()
    sealed = bytearray(keys.seal(b"x", table="t", column="c", row=row))
    for position in range(len(sealed)):
        damaged = bytes(sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :])
        with pytest.raises(CannotOpen):
            keys.open(damaged, table="t", column="c", row=row)


def test_rotation_opens_the_old_and_matches_the_same() -> None:
    row = uuid4()
    before = keys_in_program([OLD], "s" * 40)
    after = keys_in_program([NEW, OLD], "s" * 40)
    sealed = before.seal(b"x", table="t", column="c", row=row)
    assert after.open(sealed, table="t", column="c", row=row) == b"x"
    assert after.seal(b"x", table="t", column="c", row=row)[1] == 2
    assert before.match_key(HashOf.CALLER, "+381") == after.match_key(HashOf.CALLER, "+381")
    assert before.match_key(HashOf.CALLER, "+381") != before.match_key(HashOf.NAME, "+381")


def test_equal_values_of_two_kinds_have_different_hashes() -> None:
    """A link of one kind is found as no other: also two kinds with one name would be one."""
    keys = keys_in_program([OLD], "s" * 40)
    kinds = HashOf.__members__.values()
    assert len({keys.match_key(kind, "one value") for kind in kinds}) == len(kinds)
    assert keys.session_key("one value") not in [keys.match_key(one, "one value") for one in kinds]


def test_another_key_under_a_known_number_seals_nothing() -> None:
    right, row = Safe([NEW, OLD], "s" * 40), uuid4()
    right.seal_with(1)
    secret = Secret(right.make_secret(row, first=True), row)
    # In the middle of a rotation: the new key seals, and the secret of the hashes opens with both.
    facts = InForce(2, (), {1: secret}, 1, 1, right.check_values())
    right.work_by(facts)
    other = Safe([(2, b"x" * 32), OLD], "s" * 40)
    with pytest.raises(CannotOpen, match="key 2 is missing, or is another one"):
        other.work_by(facts)


def test_a_long_value_is_sealed_in_pieces_and_is_the_same_as_one_sealed_at_once() -> None:
    place, nonce, long = Bound("t", "c", uuid4()), b"n" * 12, bytes(range(256)) * 3_000
    assert len(long) > 2 * PIECE
    at_once = AESGCM(OLD[1]).encrypt(nonce, long, bytes(place))
    assert Cipher(OLD[1]).encrypt(nonce, long, bytes(place)) == at_once
    keys = keys_in_program([OLD], "s" * 40)
    sealed = b"\x01\x01" + nonce + at_once
    assert keys.open(sealed, **place._asdict()) == long
    end, inside = bytes([sealed[-1] ^ 1]), bytes([sealed[99] ^ 1])
    for damaged in (sealed[:-1] + end, sealed[:99] + inside + sealed[100:], sealed[:-1]):
        with pytest.raises(CannotOpen):
            keys.open(damaged, **place._asdict())
