"""Encrypting back-ups with age: for public keys in the settings, opened by a key kept elsewhere.

The server that makes back-ups cannot read them. The field keys are not in them either, so a stolen
back-up together with its key still holds sealed values.
"""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyrage
from pyrage import x25519

from app.safekeeping.backups.places import BackupRefused

# Public keys, and private ones.
Recipients = list[x25519.Recipient]
Identities = list[x25519.Identity]


def recipients_of(text: str) -> Recipients:
    """Read public keys, separated by commas. Raises BackupRefused."""
    found = []
    for part in (one.strip() for one in text.split(",") if one.strip()):
        try:
            found.append(x25519.Recipient.from_str(part))
        except pyrage.RecipientError:
            raise BackupRefused(
                "HELPLINE_BACKUP_RECIPIENTS must hold public keys of age, separated by commas; "
                "each begins with age1. Make a pair with `helpline backup key`."
            ) from None
    if not found:
        raise BackupRefused(
            "HELPLINE_BACKUP_RECIPIENTS is not set: back-ups are always encrypted. Make a pair of "
            "keys with `helpline backup key`, and keep the private one away from this machine."
        )
    return found


def identities_in(path: Path) -> Identities:
    """Read the private keys of a file, as `helpline backup key` and age write it.

    Raises BackupRefused.
    """
    try:
        lines = path.read_text().splitlines()
        found = [
            x25519.Identity.from_str(line.strip())
            for line in lines
            if line.strip() and not line.startswith("#")
        ]
    except OSError as error:
        raise BackupRefused(f"The key file {path} cannot be read ({error.strerror}).") from None
    except (ValueError, pyrage.IdentityError):
        found = []
    if not found:
        raise BackupRefused(
            f"{path} holds no private key of age: a line that begins with AGE-SECRET-KEY-1."
        )
    return found


class Counted:
    """A file that counts and digests what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Pieces:
    """A file to read from, made of pieces. What broke off the pieces is raised, not swallowed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""
        self.broken: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._rest:
                self._rest = next(self._pieces)
        except StopIteration:
            return b""
        except BaseException as error:
            self.broken = error
            raise
        end = size if size >= 0 else len(self._rest)
        found, self._rest = self._rest[:end], self._rest[end:]
        return found


def encrypt(pieces: Iterator[bytes], to: Any, recipients: Recipients) -> None:
    """Encrypt pieces, one after the other, into a file."""
    source = _Pieces(pieces)
    try:
        pyrage.encrypt_io(source, to, recipients)
    except BaseException:
        if source.broken is not None:
            raise source.broken from None
        raise


def packed(data: bytes, recipients: Recipients) -> bytes:
    """Return a part of what a server has written, compressed and encrypted."""
    sealed: bytes = pyrage.encrypt(gzip.compress(data, 1), recipients)
    return sealed


def unpacked(data: bytes, identities: Identities, name: str) -> bytes:
    """Return what `packed` was given. Raises BackupRefused."""
    return gzip.decompress(decrypt_bytes(data, identities, name))


def decrypt(source: BinaryIO, to: Any, identities: Identities, name: str) -> None:
    """Open an encrypted file. Raises BackupRefused."""
    try:
        pyrage.decrypt_io(source, to, identities)
    except pyrage.DecryptError as error:
        raise _refused(error, name) from None


def decrypt_bytes(data: bytes, identities: Identities, name: str) -> bytes:
    """Open an encrypted value. Raises BackupRefused."""
    try:
        opened: bytes = pyrage.decrypt(data, identities)
        return opened
    except pyrage.DecryptError as error:
        raise _refused(error, name) from None


def _refused(error: Exception, name: str) -> BackupRefused:
    if "matching" in str(error):
        return BackupRefused(
            f"The key does not open {name}: it was encrypted for another one. Give the private key "
            "that belongs to HELPLINE_BACKUP_RECIPIENTS at the time of the back-up."
        )
    return BackupRefused(f"{name} was cut or changed: it does not open. Use another back-up.")
