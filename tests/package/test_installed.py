"""The program as its script installs it serves from an empty folder, as on a server.

By night (`TESTS=whole`): to install it and to start it several times takes as long as hundreds of
other tests.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pyotp
import pytest
from packaging.utils import canonicalize_name

from app.database.roles import OWNER
from app.demo.served import free_port
from app.demo.stage import ACCOUNT, LINE
from app.practice.wire import sign
from app.web.access import COOKIE
from tests.support.package.installation import AUTH, MONITORS, Installed
from tests.support.package.wheels import ROOT, by_night, copy_sources, needed

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def installed(server: str) -> Iterator[Installed]:
    """A copy of what is in the repository, installed by its own script."""
    folder = Path("/tmp") / f"hlwheel{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    copy_sources(source)
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
    # What installs is gone: it would be in no list of parts.
    ours = set(found) - {"helpline"}
    assert ours <= needed()
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    locked = {(str(canonicalize_name(name)), version) for name, version in pins}
    assert {(name, found[name]) for name in ours} <= locked


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
