"""What keeps several web processes running, and what ends them together."""

import contextlib
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.log import set_up_logging
from app.practice.wire import sign
from app.server import processes
from tests.support.program.serving import base

# How often it is looked whether a process serves, each 0.2 s: much else may run on the machine.
_LOOKS = 450


def test_a_process_ends_as_by_sigterm_when_its_parent_is_gone() -> None:
    ended = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
    alive, held = os.pipe()
    try:
        processes.end_with_parent(alive)
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
    monkeypatch.setattr(processes, "AGAIN_AFTER", 0.01)
    keeper = threading.Thread(target=processes.keep_running, args=(["sleep", "60"], (), stopping))
    keeper.start()
    keeper.join(10)
    assert (keeper.is_alive(), len(attempts)) == (False, 2)


class _Ended:
    """A process that has ended by itself."""

    def __init__(self, code: int) -> None:
        self.returncode = code

    def poll(self) -> int:
        return self.returncode


class _Counted(threading.Event):
    """Is set after a number of pauses, and waits for none."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.pauses = most, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout and timeout >= processes.AGAIN_AFTER:
            self.pauses.append(timeout)
            if len(self.pauses) == self.most:
                self.set()
        return self.is_set()


@pytest.mark.parametrize("code", [1, 2, -signal.SIGKILL])
def test_one_that_dies_as_it_starts_is_started_again_with_a_growing_pause_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    told, stopping = list[int](), _Counted(8)

    def ended(code: int) -> None:
        told.append(code)
        if len(told) == 20:
            stopping.set()

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **_how: _Ended(code))
    set_up_logging()
    processes.keep_running(processes.command_of("web", (3,)), (), stopping, ended)
    assert stopping.pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert told == [code] * 8
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["process"], one["code"], one["seconds"]) for one in said] == [
        ("web", code, seconds) for seconds in stopping.pauses
    ]


def test_one_that_had_run_for_a_while_is_started_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes, stopping = list[int](), _Counted(10)

    def ended(code: int) -> None:
        codes.append(code)
        # From the third one on it has run for a while.
        monkeypatch.setattr(processes, "STARTED_AFTER", 10.0 if len(codes) < 3 else 0.0)
        if len(codes) == 5:
            stopping.set()

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **_how: _Ended(1))
    processes.keep_running(["helpline"], (), stopping, ended)
    assert stopping.pauses == [1, 2]


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
    monkeypatch.setattr(processes, "STOPS_WITHIN", 0.2)
    processes.keep_running(["helpline"], (), stopping)
    assert started[0].wait(5) == -signal.SIGKILL
    started[0].stdout.close()


@contextlib.contextmanager
def _kept(stopping: threading.Event, *handles: int) -> Iterator[None]:
    """Keep a web process, as the server does."""
    command = processes.command_of("web", handles)
    keeper = threading.Thread(target=processes.keep_running, args=(command, handles, stopping))
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join(30)


def _ring(listener: socket.socket) -> httpx2.Response:
    url = f"{base(listener)}/telephony/voice"
    fields = [
        ("CallSid", "CA1"),
        ("AccountSid", ACCOUNT),
        ("To", LINE),
        ("From", "+381641110000"),
        ("CallStatus", "ringing"),
    ]
    signed = {"X-Twilio-Signature": sign(TOKEN, url, fields)}
    with httpx2.Client(trust_env=False, timeout=30) as client:
        return client.post(url, data=dict(fields), headers=signed)


def test_a_web_process_says_that_it_serves_answers_a_ring_and_is_started_again_when_it_ends(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping, again, started = threading.Event(), threading.Event(), list[Any]()
    start = subprocess.Popen

    def once(command: list[str], **how: Any) -> Any:
        # The second one need not load the program once more.
        started.append(start(["sleep", "60"] if started else command, **how))
        if len(started) == 2:
            again.set()
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", once)
    (alive, held), (reader, writer) = os.pipe(), os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for name, value in {
            "DATABASE_URL": database,
            "DATA_DIR": str(tmp_path),
            "PUBLIC_URL": base(listener),
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "LOG_LEVEL": "ERROR",
        }.items():
            monkeypatch.setenv(f"HELPLINE_{name}", value)
        handles = (alive, writer, listener.fileno())
        with _kept(stopping, *handles):
            looks = iter(range(_LOOKS))
            while not select.select([reader], [], [], 0.2)[0]:
                assert next(looks, None) is not None, "it does not serve"
                assert not again.is_set(), "it ended before it served"
            assert os.read(reader, 2) == b"1"
            heard = _ring(listener)
            assert (heard.status_code, "<Response>" in heard.text) == (200, True), heard.text
            assert not again.is_set()
            started[0].kill()
            assert again.wait(10)
    for one in (alive, held, reader, writer):
        os.close(one)
    assert [one.poll() for one in started] == [-signal.SIGKILL, -signal.SIGTERM]


def test_a_process_for_the_jobs_runs_the_command_of_the_worker_and_ends_with_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, ended = list[Any](), threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
    alive, held = os.pipe()
    _python, _m, module, *words = processes.command_of("worker", (alive,))
    assert module == "app.server"
    main = importlib.util.find_spec(f"{module}.__main__")
    assert main is not None
    monkeypatch.setattr(runpy, "run_module", lambda *of, **how: run.append((*of, how, [*sys.argv])))
    monkeypatch.setattr(sys, "argv", [module, *words])
    try:
        runpy.run_path(str(main.origin), run_name="__main__")
        os.close(held)
        assert ended.wait(5)
        assert run == [("app.cli", {"run_name": "__main__"}, ["helpline", "worker"])]
        assert importlib.util.find_spec("app.cli.__main__")
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(alive)
