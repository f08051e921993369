"""The documents: they build without a warning, their commands exist, their links and files too."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli.commands import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
_FENCE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_FILE = re.compile(
    r"`((?:app|tests|scripts|migrations|docs)/[\w/.-]+\.(?:py|yaml|html|js|css|typ|md))`"
)


def _commands(page: Path) -> list[list[str]]:
    """The helpline commands of a page, without what a shell adds around them."""
    found = []
    for block in _FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                # Part of a text over several lines, such as the body of a request.
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            for stop in (">", "<", "|", "&&", ";"):
                words = words[: words.index(stop)] if stop in words else words
            if words and words[0] == "helpline":
                found.append(words[1:])
    return found


def _parse(words: list[str]) -> None:
    """Parse a command as the command line does, without carrying it out. Raises UsageError."""
    command: Any = typer.main.get_command(app)
    name, arguments, parent = "helpline", words, None
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, list(arguments), parent=parent)
        rest = [*context._protected_args, *context.args]
        name, command, arguments = command.resolve_command(context, rest)
        parent = context
    command.make_context(name, list(arguments), parent=parent)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists(page: Path) -> None:
    for words in _commands(page):
        try:
            _parse(words)
        except typer.Exit:
            # A command that only shows its help.
            continue
        except Exception as error:
            if "does not exist" in str(error):
                # The reader's own file.
                continue
            raise AssertionError(f"helpline {shlex.join(words)}: {error}") from None


def test_pages_hold_commands_at_all() -> None:
    assert sum(len(_commands(page)) for page in PAGES) > 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    links = [link for link in _LINK.findall(text) if "://" not in link and "mailto:" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in _FILE.findall(text) if not (ROOT / name).exists()]
    # What a recipe tells the reader to make is not there yet.
    assert [name for name in missing if "NNNN" not in name and "/sq/" not in name] == []


def test_the_readme_is_read_in_a_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-q",
            "-b",
            "html",
            str(ROOT / "docs"),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "counsellors.html").exists()
