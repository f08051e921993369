"""What keeps several web processes running, and what ends them together."""

import os
import signal
import subprocess
import threading
from typing import Any

import pytest

from app import server


def test_a_process_ends_as_by_sigterm_when_its_parent_is_gone() -> None:
    ended = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
    alive, held = os.pipe()
    try:
        server._end_with_parent(alive)
        assert not ended.wait(0.05)
        # The system closes it with the parent, also after kill -9.
        os.close(held)
        assert ended.wait(5)
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(alive)


def test_a_process_that_cannot_be_started_is_started_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopping, attempts = threading.Event(), list[Any]()
    start = subprocess.Popen

    def without_room_at_first(command: list[str], **how: Any) -> Any:
        attempts.append(command)
        if len(attempts) == 1:
            raise BlockingIOError("no room for another process")
        stopping.set()
        return start(command, **how)

    monkeypatch.setattr(subprocess, "Popen", without_room_at_first)
    monkeypatch.setattr(server, "_AGAIN_AFTER", 0.01)
    keeper = threading.Thread(target=server._keep, args=(["sleep", "60"], (), stopping))
    keeper.start()
    keeper.join(10)
    assert (keeper.is_alive(), len(attempts)) == (False, 2)


def test_a_process_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping, started = threading.Event(), list[Any]()
    start = subprocess.Popen

    def deaf(_command: list[str], **how: Any) -> Any:
        words = ["sh", "-c", "trap '' TERM; echo; while :; do sleep 0.05; done"]
        started.append(start(words, stdout=subprocess.PIPE, **how))
        started[0].stdout.read(1)
        stopping.set()
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", deaf)
    monkeypatch.setattr(server, "_STOPS_WITHIN", 0.2)
    server._keep(["helpline"], (), stopping)
    assert started[0].wait(5) == -signal.SIGKILL
    started[0].stdout.close()
