"""The container engine of the machine, for tests that change nothing of what it has already."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.documents.shell import run


def said_by(*words: str) -> str:
    """Return what the engine says to a command of a test's own; empty if it refuses."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def done_by(*words: str) -> str:
    """Return what the engine says. Fails if it refuses."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stderr[-2000:]}"
    return done.stdout.strip()


def taken(containers: set[str], volumes: set[str], images: set[str]) -> set[str]:
    """Return which names the engine has already: they are another's."""
    kept = set(said_by("container", "ls", "--all", "--format", "{{.Names}}").split()) & containers
    kept |= set(said_by("volume", "ls", "--format", "{{.Name}}").split()) & volumes
    return kept | {one for one in images if said_by("image", "inspect", one)}


def state_of(container: str, template: str) -> str:
    """Return a part of what the engine knows about a container, by a template of Go."""
    return done_by("container", "inspect", "--format", template, container)


def log_of(container: str) -> str:
    """Return the end of what a container has said."""
    done = subprocess.run(
        ["docker", "logs", "--tail", "40", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def until(found: Callable[[], bool], container: str, seconds: float) -> None:
    """Wait until something holds of a container that runs on."""
    end = time.monotonic() + seconds
    while not found():
        assert state_of(container, "{{.State.Status}}") == "running", log_of(container)
        assert time.monotonic() < end, log_of(container)
        time.sleep(0.5)


def own(folder: Path, user: int, image: str) -> None:
    """Hand a folder with all in it over to a user of containers, also if root runs no test."""
    run(f"docker run --rm -u 0 -v {folder}:/handed {image} chown -R {user}:{user} /handed")


def typed(text: str, folder: Path, answers: dict[str, str], within: float = 120) -> str:
    """Run a command at a terminal, and type an answer to each question. Return what is shown.

    The questions come in the order of `answers`, each with its last space: what is typed before it
    is lost, because only then is the terminal told to show nothing. `within` is in seconds.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", text],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, left, end = "", list(answers.items()), time.monotonic() + within
    try:
        while part := _part(ours, end - time.monotonic()):
            shown += part
            if left and left[0][0] in shown:
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
        assert time.monotonic() < end, shown
        assert process.wait(20) == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert left == [], shown
    return shown


def _part(terminal: int, seconds: float) -> str:
    """Return what is shown next; empty if the command has ended, or says nothing in this time."""
    if not select.select([terminal], [], [], max(0, seconds))[0]:
        return ""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        # How Linux says that the other end is closed.
        return ""
