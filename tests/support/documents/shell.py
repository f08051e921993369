"""The commands that the documents give, as a reader types them."""

import itertools
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
_FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """Return the helpline commands of a page, without what a shell adds around them."""
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


def documented(start: str, instead: Mapping[str, str] | None = None) -> list[list[str]]:
    """Return the helpline commands of all pages that begin so, without the word of their group.

    `instead`: what the reader puts for a word of the page. Fails if no page has such a command, or
    none has the word.
    """
    begin, put = start.split(), instead or {}
    found = [words for page in PAGES for words in commands(page) if words[: len(begin)] == begin]
    assert found, start
    assert set(put) <= {word for words in found for word in words}, found
    return [[put.get(word, word) for word in words[1:]] for words in found]


def scripts(page: Path) -> list[list[str]]:
    """Return the commands of a page that are files of the project, each with its arguments."""
    lines = [
        line.strip()
        for block in _FENCE.findall(page.read_text())
        for line in block.replace("\\\n", " ").splitlines()
    ]
    ours = [line for line in lines if line.startswith(("scripts/", ".ci/"))]
    return [shlex.split(line, comments=True) for line in ours]


def other_blocks(page: Path) -> list[list[tuple[str, list[str]]]]:
    """Return the commands of each block of a page that are not `helpline`: as they stand, and in
    words."""
    blocks = []
    for block in _FENCE.findall(page.read_text()):
        found, text = [], ""
        for line in block.replace("\\\n", " ").splitlines():
            text = f"{text}\n{line}" if text else line
            try:
                words = shlex.split(text, comments=True)
            except ValueError:
                # It goes on in the next line.
                continue
            whole, text = text, ""
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0], re.DOTALL):
                del words[0]
            if words and words[0] != "helpline":
                found.append((whole, words))
        assert not text, f"{page.name}: a command without an end: {text}"
        blocks.append(found)
    return blocks


def other_commands(page: Path) -> list[tuple[str, list[str]]]:
    """Return the commands of a page that are not `helpline`, from all of its blocks."""
    return [found for block in other_blocks(page) for found in block]


def starts(words: list[str], start: str) -> bool:
    """Return whether a command begins with these words."""
    return f"{shlex.join(words)} ".startswith(f"{start} ") or " ".join(words).startswith(start)


def requests(page: Path) -> list[tuple[str, dict[str, str]]]:
    """Return address and headers of each `curl` of a page."""
    found = []
    for _, words in other_commands(page):
        if words[0] == "curl":
            (address,) = (word for word in words if word.startswith(("http://", "https://")))
            pairs = itertools.pairwise(words)
            named = [value for option, value in pairs if option in ("-H", "--header")]
            headers = dict(one.split(": ", 1) for one in named)
            if "-C" in words:
                # It goes on where the file on the reader's disk ends.
                headers["Range"] = "bytes=100-"
            found.append((address, headers))
    assert found, page
    return found


def run(text: str, folder: Path = ROOT, **environment: str) -> str:
    """Run commands as a reader's shell does. Return what they said."""
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
