"""The program serves where all is read-only but its data and the folder for temporary files.

So the image runs (`--read-only --tmpfs /tmp --tmpfs /var/lib/helpline`). There is neither a home
nor a working folder to write to, and no container is needed to try it.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from app.demo.served import free_port
from app.demo.stage import ACCOUNT, LINE
from app.practice.wire import sign
from tests.support.commands import Serving, command
from tests.support.package.installation import AUTH, MONITORS, environment_of
from tests.support.package.read_only import read_only
from tests.support.package.wheels import ROOT
from tests.support.profile import WHOLE

_ORIGIN = "https://helpline.example.org"
_AS_WATCH = {"Authorization": f"Bearer {MONITORS}"}
_PASSWORD = "correct horse battery\n"
pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(sys.platform != "linux", reason="production runs on Linux"),
]
# What is made with libraries that are not Python: a chart, a page of print, a table for a program.
_MAKES = """
import asyncio, io
from pathlib import Path
from app.paper import print_page
from app.statistics.reports.charts import _drawn
from app.statistics.exports.writers import tempfile
assert "<svg" in _drawn('{"data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": '
                        '{"field": "a", "type": "quantitative"}}}')
template = Path(tempfile.mkdtemp()) / "page.typ"
template.write_text("#json(bytes(sys.inputs.data)).words")
assert asyncio.run(print_page(template, {"words": "Помоћ"})).startswith(b"%PDF")
print("made")
"""
# The commands before the first start.
_PREPARES = (
    ("staff", "add", "ana", "--role", "supervisor", "--password-stdin"),
    ("line", "add", LINE, "--languages", "sr,en"),
)


class Confined:
    """The program of these sources, run as in the image with a read-only root."""

    def __init__(self, folder: Path, database: str) -> None:
        self.data, self.temporary = folder / "data", folder / "temporary"
        self.data.mkdir()
        self.temporary.mkdir()
        self.port = free_port()
        self.environment = {
            # Neither a home nor a place for what is compiled.
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.temporary),
            **environment_of(database, self.data, _ORIGIN),
        }
        self._before = [*read_only(self.data, self.temporary), sys.executable]

    def carry_out(self, *words: str, given: str) -> None:
        """Carry out a command in a process that has loaded the program before."""
        writes = (self.data, self.temporary)
        done = command(*words, environment=self.environment, given=given, writes=writes)
        assert done.returncode == 0, done.stderr

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._before, *words],
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def serve(self, log: Path) -> subprocess.Popen[bytes] | Serving:
        """Serve: by day in a process that has loaded the program before, by night in its own."""
        words = ("serve", "--port", str(self.port))
        if not WHOLE:
            writes = (self.data, self.temporary)
            return Serving(*words, environment=self.environment, log=str(log), writes=writes)
        with log.open("wb") as file:
            return subprocess.Popen(
                [*self._before, "-m", "app.cli", *words],
                env=self.environment,
                cwd="/",
                stdout=file,
                stderr=file,
            )


@pytest.fixture
def confined(tmp_path: Path, database: str) -> Confined:
    return Confined(tmp_path, database)


@pytest.fixture
def served(confined: Confined, tmp_path: Path) -> Iterator[httpx2.Client]:
    for words in _PREPARES:
        confined.carry_out(*words, given=_PASSWORD)
    process = confined.serve(tmp_path / "log")
    try:
        address = f"http://127.0.0.1:{confined.port}"
        with httpx2.Client(base_url=address, headers={"Origin": _ORIGIN}, timeout=30) as client:
            ends = time.monotonic() + 120
            while not _is_ready(client):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < ends, (tmp_path / "log").read_text()
                time.sleep(0.2)
            yield client
    finally:
        process.terminate()
        assert process.wait(30) == 0
    said = (tmp_path / "log").read_text()
    for word in ("Traceback", "Permission denied", "Read-only"):
        assert word not in said


def _is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz", headers=_AS_WATCH).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.mark.parametrize("place", [ROOT / "app", Path("/tmp"), Path("/var/tmp"), Path("/root")])
def test_elsewhere_nothing_can_be_written(confined: Confined, place: Path) -> None:
    """Otherwise the other tests of this file would say nothing."""
    path = place / "written-by-a-test"
    done = confined.run("-c", f"open({str(path)!r}, 'w')")
    assert done.returncode == 1
    assert "PermissionError" in done.stderr
    assert not path.exists()


@pytest.mark.timeout(300)
def test_with_a_read_only_root_the_program_serves(
    confined: Confined, served: httpx2.Client, database: str
) -> None:
    page = served.get("/login")
    assert page.status_code == 200
    form = {"username": "ana", "password": _PASSWORD.strip()}
    assert served.post("/login", data=form).status_code == 303

    fields = [("CallSid", "CA" + "1" * 32), ("AccountSid", ACCOUNT), ("From", "+381641234567")]
    fields += [("To", LINE), ("CallStatus", "ringing"), ("Direction", "inbound")]
    signature = sign(AUTH, _ORIGIN + "/telephony/voice", fields)
    answer = served.post(
        "/telephony/voice", data=dict(fields), headers={"X-Twilio-Signature": signature}
    )
    assert "<Say" in answer.text, answer.text
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (1,)
    assert [one.name for one in confined.data.iterdir()] == [f"serve-{confined.port}.control"]


def test_with_a_read_only_root_charts_and_print_are_made(confined: Confined) -> None:
    done = confined.run("-c", _MAKES)
    assert done.stdout == "made\n", done.stderr


def test_a_data_folder_that_is_read_only_is_named(confined: Confined, tmp_path: Path) -> None:
    """As when the image gets no volume for it; a server that is forked is confined, too."""
    confined.environment["HELPLINE_DATA_DIR"] = str(tmp_path)
    process = confined.serve(tmp_path / "log")
    assert process.wait(60) == 2
    said = (tmp_path / "log").read_text()
    assert f"The program cannot read or write {tmp_path} (Permission denied)" in said
    assert "Traceback" not in said
