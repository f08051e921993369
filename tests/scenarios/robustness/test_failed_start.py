"""A server that cannot start says why, and leaves nothing that keeps a process from its end."""

import asyncio
import os
import re
import signal
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.definitions.datafile import BadDefinition
from app.demo.served import Served, free_port
from app.demo.stage import Stage
from app.server import processes
from app.settings import Settings
from tests.support.commands import one_of_several
from tests.support.processes import Program
from tests.support.profile import nightly
from tests.support.program.loops import Loop

_SHIPPED = Path("app/referrals/data/protocol-rs.yaml")
_REASON = r"protocol\.yaml:\d+: "


def _without_a_version(folder: Path) -> Path:
    """Return a folder of definitions with a protocol that has a word for its version."""
    text, count = re.subn(r"^version: \d+$", "version: next", _SHIPPED.read_text(), flags=re.M)
    assert count == 1
    (folder / "protocol.yaml").write_text(text)
    return folder


@nightly
async def test_a_stage_whose_server_does_not_start_again_says_why_and_may_go_on(
    stage: Stage, tmp_path: Path
) -> None:
    """By day a server alone is tried in its loop, and the command says why."""
    ana = await stage.add_counsellor("ana", state=None)
    stage.settings.definitions_dir = _without_a_version(tmp_path)
    with pytest.raises(BadDefinition, match=_REASON):
        await stage.restart_server()
    stage.settings.definitions_dir = None
    await stage.start_server()
    assert (await ana.ask("GET", "/me")).status_code == 200


def test_a_server_that_does_not_start_ends_neither_its_loop_nor_what_else_runs_there() -> None:
    async def run() -> str:
        app = FastAPI(on_startup=[_fail])
        with pytest.raises(RuntimeError, match="did not start"):
            await Served(app, free_port()).start()
        return "goes on"

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(run()) == "goes on"


def _fail() -> None:
    raise ValueError("no start")


def test_a_loop_in_which_a_connection_was_left_open_ends_and_says_so() -> None:
    async def leave_open() -> None:
        loop = asyncio.get_running_loop()
        heard = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        await loop.create_connection(asyncio.Protocol, *heard.sockets[0].getsockname())

    runner = asyncio.Runner(loop_factory=Loop)
    runner.run(leave_open())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AssertionError, match="unclosed resource <TCPTransport"):
            runner.close()


def test_the_command_says_in_which_line_a_definition_is_wrong_and_ends(
    new_folder: Callable[[], Path],
) -> None:
    folder = new_folder()
    program = Program(folder)
    program.environment["HELPLINE_DEFINITIONS_DIR"] = str(_without_a_version(folder))
    refused = program.run("serve", "--port", str(program.port))
    program.log.close()
    assert refused.returncode == 2
    assert re.search(f"^helpline: {_REASON}", refused.stderr, re.M), refused.stderr


@nightly
def test_several_processes_end_as_well_and_are_not_started_again(
    new_folder: Callable[[], Path],
) -> None:
    """By day two tests below have it: where each refuses, and what a real one says."""
    folder = new_folder()
    program = Program(folder)
    program.environment["HELPLINE_DEFINITIONS_DIR"] = str(_without_a_version(folder))
    refused = program.run("serve", "--port", str(program.port), "--workers", "2")
    said = program.read_log() + refused.stderr
    program.log.close()
    assert refused.returncode == 2
    # Two web processes and the one for the jobs.
    assert 1 <= len(re.findall(f"^helpline: {_REASON}", said, re.M)) <= 3, said


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HELPLINE_DATABASE_URL", "")
    kept = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for one, handler in kept.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("as_before")
def test_one_that_refuses_to_start_is_started_again_beside_one_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, started, is_ready = list[str](), list[str](), threading.Event()
    start = subprocess.Popen
    serves = f"printf x >&$0; touch {tmp_path}/serves; exec sleep 60"
    refuses = f"while [ ! -e {tmp_path}/serves ]; do sleep 0.1; done; sleep 0.5; exit 2"

    def process(_kind: str, handles: tuple[int, ...]) -> list[str]:
        asked.append(refuses if asked else serves)
        return ["bash", "-c", asked[-1], str(handles[1])]

    def counted(command: list[str], **how: Any) -> Any:
        started.append(command[2])
        if started.count(refuses) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return start(command, **how)

    monkeypatch.setattr(processes, "command_of", process)
    monkeypatch.setattr(subprocess, "Popen", counted)
    settings = Settings(database_url="")
    processes.serve_many(settings, [], 2, with_worker=False, ready=is_ready.set)
    assert started.count(serves) == 1
    assert not is_ready.is_set()


@pytest.mark.usefixtures("as_before")
def test_where_each_refuses_to_start_all_end_and_none_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, is_ready = list[list[str]](), threading.Event()
    start = subprocess.Popen

    def counted(command: list[str], **how: Any) -> Any:
        started.append(command)
        if len(started) > 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return start(command, **how)

    monkeypatch.setattr(processes, "command_of", lambda *_: ["bash", "-c", "exit 2"])
    monkeypatch.setattr(subprocess, "Popen", counted)
    settings = Settings(database_url="")
    with pytest.raises(SystemExit) as ended:
        processes.serve_many(settings, [], 2, with_worker=True, ready=is_ready.set)
    assert ended.value.code == 2
    # Two web processes and the one for the jobs.
    assert 1 <= len(started) <= 3
    assert not is_ready.is_set()


def test_one_of_several_processes_says_it_too(database: str, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": database,
        "DATA_DIR": str(tmp_path),
        "PUBLIC_URL": "http://127.0.0.1:1",
        "DEFINITIONS_DIR": str(_without_a_version(tmp_path)),
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= {f"HELPLINE_{name}": value for name, value in settings.items()}
    ended = one_of_several("web", environment=environment)
    assert ended.returncode == 2
    assert re.search(f"^helpline: {_REASON}", ended.stderr, re.M), ended.stderr
