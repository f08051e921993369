"""The program as its script installs it on a server."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from app.database.own_server import as_role
from app.database.roles import OWNER, PROGRAM
from app.demo.stage import ACCOUNT
from tests.support.package.wheels import ROOT, compiled_for

# Made at random, as production demands of secrets.
AUTH, MONITORS = secrets.token_hex(16), secrets.token_urlsafe(32)
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


def environment_of(database: str, data: Path, origin: str) -> dict[str, str]:
    """Return the settings of a server in production."""
    return {
        "HELPLINE_ENV": "production",
        "HELPLINE_DATABASE_URL": as_role(database, PROGRAM),
        "HELPLINE_MIGRATION_DATABASE_URL": as_role(database, OWNER),
        "HELPLINE_DATA_DIR": str(data),
        "HELPLINE_PUBLIC_URL": origin,
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
            **environment_of(database, self.data, self.origin),
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
            made.write_bytes(compiled_for(there, Path(cached)))
