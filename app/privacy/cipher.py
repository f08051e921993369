"""AES-256-GCM, in pieces for long values: other threads of the process come between two pieces.

A value is the same bytes whether it was sealed in pieces or at once.
"""

from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher as Streamed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM

# Bytes that are sealed, opened, sent or received at once.
PIECE = 256 * 1024
_TAG = 16


class Cipher:
    """A key that seals and opens."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._at_once = AESGCM(key)

    def encrypt(self, nonce: bytes, value: bytes, bound: bytes) -> bytes:
        """Return the ciphertext and its tag."""
        if len(value) <= PIECE:
            return self._at_once.encrypt(nonce, value, bound)
        sealing = Streamed(AES256(self._key), GCM(nonce)).encryptor()
        sealing.authenticate_additional_data(bound)
        done = [sealing.update(piece) for piece in pieces_of(value)]
        return b"".join([*done, sealing.finalize(), sealing.tag])

    def decrypt(self, nonce: bytes, sealed: memoryview, bound: bytes) -> bytes:
        """Return what was sealed. Raises InvalidTag."""
        if len(sealed) <= PIECE:
            return self._at_once.decrypt(nonce, sealed, bound)
        tag = bytes(sealed[-_TAG:])
        opening = Streamed(AES256(self._key), GCM(nonce, tag)).decryptor()
        opening.authenticate_additional_data(bound)
        done = [opening.update(piece) for piece in pieces_of(sealed[:-_TAG])]
        # Nothing of it is returned before the tag was compared.
        return b"".join([*done, opening.finalize()])


def pieces_of(value: bytes | memoryview) -> Iterator[memoryview]:
    """Yield a long value in pieces, without copying it."""
    view = memoryview(value)
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]
