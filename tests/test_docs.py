"""The documents: they build without a warning, their commands exist, their links and files too."""

import io
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import main
from app.cli.commands import app
from app.log import set_up_logging
from tests.country.files import with_short_form
from tests.support.profile import WHOLE

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
# The benchmarks that the command knows.
BENCHES = set(
    re.findall(r'^        "(\w+)": ', (ROOT / "app/cli/demo.py").read_text(), re.MULTILINE)
)
_FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
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


# Made once: to put all commands together takes longer than most of them.
_program = cache(typer.main.get_command)


def _parse(words: list[str]) -> None:
    """Parse a command as the command line does, without carrying it out. Raises UsageError."""
    command: Any = _program(app)
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
    assert sum(len(_commands(page)) for page in PAGES) > 80


# Commands that run until they are stopped, or that call the provider. `tests/test_package.py`,
# `tests/scenarios` and `tests/telephony` run them.
_NOT_BY_ITSELF = (["serve"], ["worker"], ["demo"], ["bench"], ["telephony", "setup"])
# What a page takes for granted, and what was set up by the page before it.
_BEFORE = """
staff add ana --password-stdin
staff add vera --endpoint +38164999001 --password-stdin
staff add mira --role supervisor --password-stdin
line add +38111116111 --languages sr
line add 116111 --leads-here +38111116112
token add ministry
"""
# Refusals that the page explains: a part of the command, and the sentence with which it is refused.
_REFUSED = {
    # The file that another machine keeps.
    "--anchor /mnt/elsewhere": "The file of anchors cannot be read",
    # The folder of the back-ups, after a restore.
    "/mnt/backups/erased": "Give the folder with the lists of what was erased",
    # The reader puts the id of an approved request.
    "--request ID": "Records are about single persons",
    # The short number of a country, as the other way to add the line of the command before.
    "116111 ": "There is already a line with that number.",
    # A language whose prompts the reader writes.
    "--country HU": "on the page /admin/every-line?language=hu",
    "line language +38111116111 hu": "on the page /admin/every-line?language=hu",
    # The page adds the line with this language already.
    "line language +38111116111 en": "The line speaks 'en' already.",
    # Every password that these tests give is the same one.
    "staff reset-password ana": "You had this password before.",
    # It is taken away from a person who has set one up on the pages.
    "staff reset-second-factor vera": "This person has no second factor.",
    # It is linked by a person who signs in there.
    "staff unlink vera": "This account is not linked.",
    # The provider of the reader.
    "provider test": "was not reached",
    # The code of a record of the reader.
    "retention hold C-7F3-9QD-2XC": "There is no record with this code.",
    "retention lift C-7F3-9QD-2XC": "There is no record with this code.",
    # The numbers of a person, and the code of a request of the reader.
    "data-requests find": "Entry 1 is neither a number nor a code.",
    "data-requests keep": "Write the row as `show` writes it: kind:id.",
    "D-7F3-9QD-2XC": "There is no request with this code.",
    # The id of a change of the reader's line.
    "line back +38111116111 4711": "There is no such change of this line.",
    # There is no mail server here.
    "connections test-mail": "No mail server is set up.",
    # Nor a telephony provider, nor an agency with a system of its own.
    "connections test-call": "No telephony provider is set up.",
    "connections test-sms": "No telephony provider is set up.",
    "connections test-event": "takes no events",
    "connections test-case-system": "has no case system here",
}


def _directory(page: Path) -> str:
    """Return a directory of agencies: those of a page whose own systems the program signs in to."""
    codes = [words[2] for words in _commands(page) if words[:2] == ["agency", "password"]]
    system = "url=https://primero.example | user=helpline | owned_by=intake | mapping=primero-cp"
    rows = [f"{code},{code.title()},shelter,shelter,{system}" for code in codes]
    return "\n".join(["code,name,sector,services,primero", *rows]) + "\n"


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Carry out a command in this process. Return its exit code and what it said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["helpline", *words])
        patch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
        patch.setattr(typer.main, "get_command", _program)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.err or said.out


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _commands(page)], ids=lambda page: page.name
)
def test_every_command_of_a_page_runs(
    page: Path,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the order of the page, on a database of its own."""
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    # A folder of definitions, as the page says how to make one.
    (tmp_path / "definitions").mkdir()
    for name, text in with_short_form().items():
        (tmp_path / "definitions" / name).write_text(text)
    Path("agencies.csv").write_text(_directory(page))
    for name in ("greeting", "comfort", "danger"):
        Path(f"{name}.mp3").write_bytes(b"ID3" + bytes(200))
    page_adds = {tuple(words[:3]) for words in _commands(page)}
    for line in _BEFORE.strip().splitlines():
        words = shlex.split(line)
        if tuple(words[:3]) not in page_adds or "116111" in words:
            assert _run(words, capsys)[0] == 0, line
    if ["agency", "export"] in (words[:2] for words in _commands(page)):
        # The page writes the directory over that file.
        assert _run(["agency", "import", "agencies.csv"], capsys)[0] == 0
    failed = []
    for words in _commands(page):
        if any(words[: len(start)] == start for start in _NOT_BY_ITSELF):
            continue
        if (
            words[:2] in (["staff", "add"], ["agency", "password"])
            and "--password-stdin" not in words
        ):
            words = [*words, "--password-stdin"]
        code, said = _run(words, capsys)
        explained = any(
            part in shlex.join(words) and sentence in said for part, sentence in _REFUSED.items()
        )
        if code and not explained:
            failed.append(f"helpline {shlex.join(words)}: {said.strip()[-300:]}")
    set_up_logging("ERROR")
    assert failed == [], "\n".join(failed)


def _scripts(page: Path) -> list[list[str]]:
    """The commands of a page that are files of the project, each with its arguments."""
    lines = [
        line.strip()
        for block in _FENCE.findall(page.read_text())
        for line in block.replace("\\\n", " ").splitlines()
    ]
    ours = [line for line in lines if line.startswith(("scripts/", ".ci/"))]
    return [shlex.split(line, comments=True) for line in ours]


def test_scripts_of_the_pages_exist_and_so_does_what_they_are_given() -> None:
    commands = [words for page in PAGES for words in _scripts(page)]
    assert len(commands) > 25
    for script, *given in commands:
        assert (ROOT / script).is_file(), script
        if script == "scripts/bench":
            assert set(given) <= {*BENCHES, "all"}, given
        for word in given if script == "scripts/test" else ():
            if word.startswith("tests/"):
                path, _, name = word.partition("::")
                assert (ROOT / path).exists(), word
                assert not name or f"def {name}(" in (ROOT / path).read_text(), word


# Commands of the pages that are no `helpline`: the file of the tests that does what they do.
_DONE_BY = {
    "scripts/install": "tests/test_package.py",
    ".venv/bin/python scripts/parts sbom": "tests/supply/test_parts.py",
    ".venv/bin/python scripts/parts advisories": "tests/supply/test_advisories.py",
    "scripts/measures": "tests/test_measures.py",
    "scripts/demo": "tests/scenarios/robustness/test_demo.py",
    "scripts/demo --once": "tests/scenarios/robustness/test_scripted_hour.py",
    ".venv/bin/helpline migrate --check": "tests/database/test_migrations.py",
    "/opt/helpline/bin/helpline serve": "tests/scenarios/robustness/test_replaced_server.py",
    "echo a long password": "tests/test_package.py",
    "curl --header": "tests/web/test_monitoring.py",
    "curl -H": "tests/api/test_description.py",
}
# Those that no test runs, and why.
_BY_NO_TEST = {
    "scripts/test": "it runs the tests",
    "scripts/check": "CI runs it before the tests",
    ".ci/run": "it runs the tests",
    ".venv/bin/lint-imports": "a gate of scripts/check",
    "scripts/bench": "it takes minutes; tests/test_measures.py reads what it keeps",
    "scripts/catalogues": "it changes the files of the project",
    ".venv/bin/uv": "it asks a package index",
    "git": "it needs a network",
    "docker": "no test has a container engine",
    **dict.fromkeys(("useradd", "sudo", "install", "ln"), "it needs root on a server"),
    **dict.fromkeys(("cd", "export", "set"), "it changes the shell of the reader alone"),
    **dict.fromkeys(
        ("pg_dump", "pg_restore", "createdb"), "a server of the reader, with its tools"
    ),
}
# Those that the test below runs as they stand.
_RUN_HERE = ("python3", "echo 1:", "grep")


def _other_commands(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page that are not `helpline`: as they stand, and in words."""
    found = []
    for block in _FENCE.findall(page.read_text()):
        text = ""
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
    return found


def _starts(words: list[str], start: str) -> bool:
    return f"{shlex.join(words)} ".startswith(f"{start} ") or " ".join(words).startswith(start)


def test_every_other_command_of_a_page_is_run_by_a_test_or_says_why_not() -> None:
    commands = [found for page in PAGES for found in _other_commands(page)]
    assert len(commands) > 60
    known = (*_DONE_BY, *_BY_NO_TEST, *_RUN_HERE)
    assert [text for text, words in commands if not any(_starts(words, one) for one in known)] == []
    unused = [one for one in known if not any(_starts(words, one) for _, words in commands)]
    assert unused == [], "no page has it"
    assert [file for file in _DONE_BY.values() if not (ROOT / file).is_file()] == []


def test_commands_that_make_a_secret_or_look_into_the_program_run_as_they_stand() -> None:
    ran = 0
    for page in PAGES:
        for text, words in _other_commands(page):
            if any(_starts(words, one) for one in _RUN_HERE):
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", text],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, text
                assert done.stdout.strip(), text
                ran += 1
    assert ran >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    links = [link for link in _LINK.findall(text) if "://" not in link and "mailto:" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in _FILE.findall(text) if not (ROOT / name).exists()]
    # What a recipe tells the reader to make is not there yet.
    assert [name for name in missing if "NNNN" not in name] == []


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


def test_no_figure_of_the_measures_is_typed_by_hand() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/measures", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


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
