"""The hashes of tokens that a process was told by the keeper, and remembers in its memory."""

import hashlib
import threading

# Tokens of each kind.
MOST = 4096


class Remembered:
    """Hashes by another hash of the token, in the order of their last use.

    Those of tokens whose session was found are apart from the others: a stranger may make up as
    many tokens as they like, and these push out only their like. So are those of written
    conversations, which a stranger may open.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, bytes] = {}
        self._of_chats: dict[bytes, bytes] = {}
        self._others: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def recall(self, token: bytes) -> bytes | None:
        """Return the hash of a token, if it is remembered."""
        known_by = _known_by(token)
        with self._lock:
            for kept in (self._found, self._of_chats, self._others):
                made = kept.pop(known_by, None)
                if made is not None:
                    kept[known_by] = made
                    return made
        return None

    def keep(self, token: bytes, made: bytes) -> None:
        """Remember the hash of a token of which nothing is known yet."""
        with self._lock:
            _put(self._others, _known_by(token), made)

    def was_found(self, token: bytes, *, of_chat: bool) -> None:
        """Keep the hash of a token of a session or conversation apart from now on."""
        known_by = _known_by(token)
        with self._lock:
            made = self._others.pop(known_by, None)
            if made is not None:
                _put(self._of_chats if of_chat else self._found, known_by, made)


def _known_by(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _put(kept: dict[bytes, bytes], known_by: bytes, made: bytes) -> None:
    kept[known_by] = made
    if len(kept) > MOST:
        kept.pop(next(iter(kept)))
