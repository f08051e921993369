"""The documents: they build without a warning, and their links, files and pictures are there."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.documents.shell import (
    PAGES,
    ROOT,
)
from tests.support.profile import WHOLE

_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


_FILE = re.compile(
    r"`((?:app|tests|scripts|migrations|docs)/[\w/.-]+\.(?:py|yaml|html|js|css|typ|md))`"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    links = [link for link in _LINK.findall(text) if "://" not in link and "mailto:" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in _FILE.findall(text) if not (ROOT / name).exists()]
    # What a recipe tells the reader to make is not there yet.
    assert [name for name in missing if "NNNN" not in name] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_table_of_a_page_has_a_head(page: Path) -> None:
    lines = [line.strip() for line in page.read_text().splitlines()]
    first = [
        at for at, line in enumerate(lines) if line.startswith("|") and lines[at - 1][:1] != "|"
    ]
    # What a blank line cuts off from its table is shown as text.
    assert [lines[at] for at in first if not re.fullmatch(r"[|: -]+", lines[at + 1])] == []


def test_what_runs_before_a_commit_is_there_and_the_guide_says_how() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [ROOT / hook["entry"] for repo in hooks for hook in repo["hooks"]]
    assert entries
    assert [str(entry) for entry in entries if not os.access(entry, os.X_OK)] == []
    assert "pre-commit install" in (ROOT / "CONTRIBUTING.md").read_text()


_PLAIN = "one two three four five six seven eight nine ten " * 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"A {_PLAIN}and so on for ever.", [(1, 46, "A one two three four five")]),
        (f"A {_PLAIN}and so on ever.", []),
        (f"A {_PLAIN}and so. On to its end. `a b` is code.", []),
        (f"A {_PLAIN}and, e.g. so on to its end.", [(1, 48, "A one two three four five")]),
        (f"\n- {_PLAIN}\n- {_PLAIN}and some more words.\n- {_PLAIN}and `a. B` c d e.", []),
        (f"| a | b |\n|---|---|\n| {_PLAIN} | {_PLAIN} |", []),
        (
            f"| a | b |\n|---|---|\n| {_PLAIN} | {_PLAIN} a b c d e f |",
            [(3, 46, "one two three four five six")],
        ),
        (f"```\n{_PLAIN}\n{_PLAIN}\n```", []),
        (f"{_PLAIN}[a b c d](https://example.org/{'a-b/' * 20})", []),
    ],
)
def test_a_sentence_that_is_too_long_is_found(text: str, found: list[tuple[int, int, str]]) -> None:
    long_sentences = runpy.run_path(str(ROOT / "scripts/lengths"))["long_sentences"]
    assert list(long_sentences(text)) == found


# The most that a picture of the documents may weigh, in bytes.
_MOST = 160_000


def test_every_picture_is_shown_is_small_and_says_in_words_what_it_shows() -> None:
    shown = {
        (page.parent / link).resolve(): words
        for page in PAGES
        for words, link in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text())
    }
    pictures = {path.resolve() for path in (ROOT / "docs").rglob("*.png")}
    assert pictures == set(shown)
    assert [path.name for path, words in shown.items() if len(words) < 20] == []
    assert [path.name for path in pictures if path.stat().st_size > _MOST] == []


def _questions() -> list[str]:
    text = (ROOT / "docs/developers/where.md").read_text()
    return re.split(r"^(?=\*\*\d+\. )", text, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("question", _questions(), ids=lambda text: text.split(".")[0].strip("*"))
def test_what_an_answer_names_is_in_a_file_that_it_names(question: str) -> None:
    words = re.findall(r"`([^`\n]+)`", question)
    places = [ROOT / word for word in words if "/" in word and (ROOT / word).exists()]
    assert places
    files = [f for place in places for f in (place.rglob("*.py") if place.is_dir() else [place])]
    text = "".join(file.read_text() for file in files)
    names = [word for word in words if re.fullmatch(r"[A-Za-z_][\w.]*\w:?", word)]
    names = [name for name in names if not name.endswith((".py", ".yaml", ".md"))]
    # A setting is named as in the environment.
    known = [re.sub(r"^HELPLINE_(\w+)$", lambda m: m[1].lower(), name) for name in names]
    missing = [name for name in known if name.rstrip(":").rsplit(".", 1)[-1] not in text]
    assert missing == []


_DEVELOPERS = [*(ROOT / "docs/developers").glob("*.md"), ROOT / "CONTRIBUTING.md"]
_NAME_IN_A_FILE = re.compile(
    r"((?:`[A-Za-z_][\w.]*`(?:, | and )?)+)\s+in\s+`((?:app|tests|scripts|migrations)/[^`\n]+)`"
)


def _named_in_files() -> Iterator[tuple[str, str, Path]]:
    for page in _DEVELOPERS:
        for names, place in _NAME_IN_A_FILE.findall(page.read_text()):
            for name in re.findall(r"`([\w.]+)`", names):
                yield page.name, name, ROOT / place


def test_a_name_that_a_page_says_is_in_a_file_is_in_that_file() -> None:
    found = list(_named_in_files())
    assert len(found) > 40
    wrong = []
    for page, name, place in found:
        files = place.rglob("*.*") if place.is_dir() else [place]
        written = [file.read_text() for file in files if file.suffix in {"", ".py", ".yaml"}]
        is_file = name.endswith((".py", ".yaml", ".po")) and (place / name).is_file()
        if not is_file and not any(name.rpartition(".")[2] in text for text in written):
            wrong.append(f"{page}: {name} in {place.relative_to(ROOT)}")
    assert wrong == []


def test_every_search_that_a_stranger_is_told_finds_a_line_of_the_program() -> None:
    page = (ROOT / "docs/developers/where.md").read_text()
    told = re.findall(r"`grep -rn '([^`]+)' (app\S*)`", page)
    assert len(told) >= 5
    for words, folder in told:
        files = (file for file in (ROOT / folder).rglob("*.py"))
        assert any(re.search(words.replace("(", r"\("), file.read_text()) for file in files), words


def test_a_stranger_has_twenty_five_questions() -> None:
    assert len(_questions()) == 25


def test_the_readme_is_read_in_a_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_tables_of_the_measures_are_what_the_benchmarks_kept() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/measures", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: to read all pages takes seconds")
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
