"""Commands of the documents that need the machine: its users, its sealing of keys, time, an index.

What each would change on the machine is a folder that stands for it.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.documents.shell import PAGES, ROOT, other_blocks, other_commands, run, starts
from tests.support.profile import WHOLE

_OPERATORS = ROOT / "docs/operators.md"
# Each measure alone; `all` runs them one after the other.
_BENCHES = sorted(
    {
        words[1]
        for page in PAGES
        for _, words in other_commands(page)
        if starts(words, "scripts/bench") and words[1] != "all"
    }
)


def _texts(started: str) -> list[str]:
    found = [text for text, words in other_commands(_OPERATORS) if starts(words, started)]
    assert len(found) >= 2, started
    return found


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("useradd") is None, reason="only root adds a user"
)
def test_the_users_of_a_server_are_added_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (tmp_path / "etc" / name).touch()
    for text in _texts("useradd"):
        run(text.replace("useradd ", f"useradd --prefix {tmp_path} "))
    users = {
        line.split(":")[0]: line.split(":")[5]
        for line in (tmp_path / "etc/passwd").read_text().splitlines()
    }
    assert users["helpline"] == "/var/lib/helpline"
    assert (tmp_path / "var/lib/helpline").is_dir()
    assert set(users) == {"helpline", "helpline-keeper"}
    assert not (tmp_path / "home").exists(), "the keeper has no home"


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("runuser") is None, reason="only root becomes another user"
)
def test_a_shell_of_the_programs_user_is_opened_as_it_stands() -> None:
    """A user that each machine has stands for the program's. Its lines are typed one by one: the
    first opens the shell that reads the others."""
    (block,) = (
        [text for text, _ in block]
        for block in other_blocks(_OPERATORS)
        if any(starts(words, "runuser") for _, words in block)
    )
    stands_in = pwd.getpwnam("nobody")
    # That of `tmp_path` is root's alone.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "etc").mkdir()
        (folder / "opt/helpline/bin").mkdir(parents=True)
        (folder / "opt/helpline/bin/helpline").touch(mode=0o755)
        settings = folder / "etc/helpline.env"
        settings.write_text("HELPLINE_PUBLIC_URL='https://helpline.example'\n")
        settings.chmod(0o640)
        os.chown(settings, 0, stands_in.pw_gid)
        lines = [
            re.sub(r"/(opt|etc)/", rf"{folder}/\1/", text.replace(" -l helpline ", " -l nobody "))
            for text in (*block, "id -un", "printenv HELPLINE_PUBLIC_URL HOME", "type -P helpline")
        ]
        done = subprocess.run(
            ["bash"], input="\n".join(lines), capture_output=True, text=True, check=False
        )
    program = f"{folder}/opt/helpline/bin/helpline"
    wanted = ["nobody", "https://helpline.example", stands_in.pw_dir, program]
    assert done.stdout.split() == wanted, done.stderr


@pytest.mark.skipif(shutil.which("systemd-creds") is None, reason="only systemd seals a file")
def test_the_keys_of_the_keeper_are_sealed_and_opened_as_they_stand(tmp_path: Path) -> None:
    """A test has no module of hardware: the key that seals is none, which systemd has for tests."""
    for folder in ("here", "etc/helpline-keeper"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("field_keys", "secret_key"):
        (tmp_path / "here" / name).write_text(f"of {name}")
    texts = _texts("systemd-creds")
    assert sum("--with-key=tpm2" in text for text in texts) == 2
    for text in texts:
        tried = text.replace("--with-key=tpm2", "--with-key=null")
        run(tried.replace(" /etc/", f" {tmp_path}/etc/"), tmp_path / "here")
    (tmp_path / "here/field_keys").write_text("another")
    with pytest.raises(AssertionError, match="differ"):
        run(texts[-2].replace(" /etc/", f" {tmp_path}/etc/"), tmp_path / "here")


def _clone(folder: Path, *own: str) -> Path:
    """Make a folder that stands for the clone: what is in `own` is its own, all else is ours."""
    folder.mkdir()
    for one in ROOT.iterdir():
        if one.name in own:
            (shutil.copytree if one.is_dir() else shutil.copy)(one, folder / one.name)
        elif one.name != ".git":
            (folder / one.name).symlink_to(one)
    return folder


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: each takes minutes")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", _BENCHES)
def test_a_benchmark_prints_and_keeps_its_measures(name: str, tmp_path: Path) -> None:
    clone = _clone(tmp_path / "clone", "docs")
    kept = clone / "docs/developers/measures" / f"{name}.json"
    kept.unlink(missing_ok=True)
    said = run(f"scripts/bench {name}", clone, HELPLINE_BENCH_CALLS="2000")
    measures = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert measures
    assert kept.read_text().strip()


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: it asks the index of packages")
def test_the_lock_is_written_anew_as_it_stands(tmp_path: Path) -> None:
    """Nothing that was not asked for takes another version."""
    contributing = other_commands(ROOT / "CONTRIBUTING.md")
    (text,) = [text for text, words in contributing if starts(words, ".venv/bin/uv")]
    clone = _clone(tmp_path / "clone", "requirements.lock")
    before = (clone / "requirements.lock").read_text()
    run(text, clone, UV_SYSTEM_CERTS="1")
    assert (clone / "requirements.lock").read_text() == before
