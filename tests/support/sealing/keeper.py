"""A keeper of the keys for tests: in a thread, to be ended and begun again with other keys."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.privacy.keeper.client import Keeper
from app.privacy.keeper.serving import Given, Serving
from app.privacy.keys import Keys
from app.privacy.safe import InForce, Secret
from tests.support.sealing.keys import KEYS, SECRET

FIRST, SECOND = (1, KEYS[1]), (2, KEYS[2])


# A text that is sealed everywhere below.
TEXT = b"She fears her uncle."


class Kept:
    """A keeper in a thread of the tests, which can be ended and begun again with other keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._serving: Serving | None = None
        self._thread: threading.Thread | None = None

    def begin(
        self, *keys: tuple[int, bytes], user: int | None = None, secret_key: str = SECRET
    ) -> None:
        given = Given(list(keys), secret_key)
        self._serving = Serving(given, self.path, os.geteuid() if user is None else user)
        self._thread = threading.Thread(target=self._serving.run)
        self._thread.start()
        ends = time.monotonic() + 10
        while not self._listens() and time.monotonic() < ends:
            time.sleep(0.005)

    def _listens(self) -> bool:
        """Whether it takes connections: its socket is there a moment before."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            return line.connect_ex(str(self.path)) == 0

    def end(self) -> None:
        if self._serving is not None and self._thread is not None:
            self._serving.stop()
            self._thread.join(10)
        self._serving = None


def facts_of(keys: Keys, **more: Any) -> InForce:
    row = uuid4()
    secrets = {1: Secret(keys.hash_secret(row, first=True), row)}
    known = {n: keys.check_value(n) for n in keys.numbers}
    given = {"sealing": 1, "retired": (), "written": 1, "oldest": 1, "check_values": known}
    return InForce(hash_secrets=secrets, **{**given, **more})


def counted(keeper: Keeper) -> list[str]:
    """Have every request of the keeper written down, in the list that is returned."""
    asked: list[str] = []
    before = keeper.ask

    def ask(what: str, **values: Any) -> Any:
        asked.append(what)
        return before(what, **values)

    keeper.ask = ask  # type: ignore[method-assign, assignment]
    return asked
