"""The documents: they build without a warning, their commands exist, their links and files too."""

import ast
import io
import itertools
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
from tests.support.definitions.sets import with_short_form
from tests.support.documents.shell import (
    PAGES,
    ROOT,
    commands,
    other_commands,
    scripts,
    starts,
)
from tests.support.profile import WHOLE

# The benchmarks that the command knows.
BENCHES = set(
    re.findall(r'^        "(\w+)": ', (ROOT / "app/cli/demo.py").read_text(), re.MULTILINE)
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_FILE = re.compile(
    r"`((?:app|tests|scripts|migrations|docs)/[\w/.-]+\.(?:py|yaml|html|js|css|typ|md))`"
)


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


@pytest.mark.whole
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists(page: Path) -> None:
    for words in commands(page):
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
    assert sum(len(commands(page)) for page in PAGES) > 80


# What a page takes for granted, and what was set up by the page before it.
_BEFORE = """
line add 116112 --languages sr --leads-here +38111116113
staff add ana --password-stdin
staff add vera --endpoint +38164999001 --password-stdin
staff add mira --role supervisor --password-stdin
line add +38111116111 --languages sr
line add 116111 --leads-here +38111116112
token add ministry
"""
# Refusals that the page tells of: a part of the command, and the sentence with which it is refused.
_REFUSED = {
    # "Both refuse a language with a missing prompt, and list what is missing."
    "--country HU": "on the page /admin/every-line?language=hu",
    "line language +38111116111 hu": "on the page /admin/every-line?language=hu",
    # Of a server whose address is a number.
    "staff sign-in-rules --passkey": "Passkeys need an address with a name.",
}
# Commands that need rows, files or servers of the reader, or run until they are stopped: the test
# that runs them. What it says of the command stands there as the page has it (`documented`), or
# as in _SAID.
_RUN_ELSEWHERE = {
    "serve": "tests/scenarios/robustness/test_replaced_server.py::"
    "test_a_server_is_replaced_while_the_phone_rings",
    "worker": "tests/scenarios/robustness/test_replaced_server.py::"
    "test_a_ring_waits_in_the_service_managers_socket",
    "telephony setup": "tests/scenarios/robustness/test_outages.py::"
    "test_killed_and_started_again_after_two_to_thirty_seconds",
    "audit verify --anchor": "tests/cli/test_safekeeping.py::"
    "test_a_cut_log_is_told_by_the_file_of_anchors",
    "data-requests prepare-folder": "tests/retention/data_requests/test_erased_again_story.py::"
    "test_who_was_erased_is_erased_again_after_a_restore",
    "data-requests erase-again": "tests/retention/data_requests/test_erased_again_story.py::"
    "test_who_was_erased_is_erased_again_after_a_restore",
    "export records": "tests/statistics/test_exports.py::"
    "test_an_approved_request_is_taken_out_once_on_the_command_line",
    "staff reset-second-factor": "tests/cli/test_documented_commands.py::"
    "test_a_second_factor_is_taken_away",
    "staff unlink": "tests/web/sign_in/test_provider_sign_in.py::"
    "test_a_person_signs_in_and_the_answer_counts_once_in_their_browser",
    "provider test": "tests/web/sign_in/test_provider_sign_in.py::"
    "test_a_person_signs_in_and_the_answer_counts_once_in_their_browser",
    "line back": "tests/cli/test_pages_by_command.py::test_a_line_is_listed_shown_and_renamed",
    **dict.fromkeys(
        ("retention hold", "retention lift"),
        "tests/cli/test_documented_commands.py::test_a_case_is_held_and_let_go",
    ),
    **{
        f"data-requests {word}": "tests/cli/test_documented_commands.py::"
        "test_a_person_is_found_and_their_request_is_decided"
        for word in ("find", "show", "keep", "ask", "extend", "told", "decide")
    },
    **dict.fromkeys(
        ("data-requests report", "data-requests take-over"),
        "tests/cli/test_documented_commands.py::test_the_report_of_a_request_is_written",
    ),
    **{
        f"connections {word}": "tests/scenarios/referrals/test_testing_connections.py::"
        "test_the_operator_tests_mail_telephone_and_texts_on_the_command_line"
        for word in ("test-mail", "test-call", "test-sms")
    },
    "connections test-event": "tests/scenarios/referrals/test_testing_connections.py::"
    "test_a_test_event_is_signed_and_tried_once",
    "connections test-case-system": "tests/scenarios/referrals/test_testing_connections.py::"
    "test_a_case_system_is_read_and_no_case_is_made",
}


def _directory(page: Path) -> str:
    """Return a directory of agencies: those of a page whose own systems the program signs in to."""
    codes = [words[2] for words in commands(page) if words[:2] == ["agency", "password"]]
    system = "url=https://primero.example | user=helpline | owned_by=intake | mapping=primero-cp"
    rows = [f"{code},{code.title()},shelter,shelter,{system}" for code in codes]
    return "\n".join(["code,name,sector,services,primero", *rows]) + "\n"


# A person's next password is another one.
_passwords = itertools.count()


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Carry out a command in this process. Return its exit code and what it said."""
    password = f"correct horse battery {next(_passwords)}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["helpline", *words])
        patch.setattr(sys, "stdin", io.StringIO(password))
        patch.setattr(typer.main, "get_command", _program)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.err or said.out


# By day those of the other pages are read (above); each has its own test in tests/cli.
_BY_DAY = "operators.md"


@pytest.mark.whole
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if commands(page) and (WHOLE or page.name == _BY_DAY)],
    ids=lambda page: page.name,
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
    page_adds = {tuple(words[:3]) for words in commands(page)}
    for line in _BEFORE.strip().splitlines():
        words = shlex.split(line)
        if tuple(words[:3]) not in page_adds:
            assert _run(words, capsys)[0] == 0, line
    if ["agency", "export"] in (words[:2] for words in commands(page)):
        # The page writes the directory over that file.
        assert _run(["agency", "import", "agencies.csv"], capsys)[0] == 0
    failed = []
    for words in commands(page):
        if any(starts(words, start) for start in _RUN_ELSEWHERE):
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


def test_scripts_of_the_pages_exist_and_so_does_what_they_are_given() -> None:
    commands = [words for page in PAGES for words in scripts(page)]
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


# Commands of the pages that are no `helpline`: the test that runs them.
_DONE_BY = {
    "scripts/install": "tests/package/test_installed.py::test_a_wheel_in_an_empty_folder_serves",
    ".venv/bin/python scripts/parts sbom": "tests/supply/test_parts.py::"
    "test_the_command_writes_the_bill_of_materials_of_another_python",
    ".venv/bin/python scripts/parts advisories": "tests/supply/test_advisories.py::"
    "test_the_command_finds_a_weakness_of_a_part_that_is_shipped",
    "scripts/measures": "tests/test_measures.py::"
    "test_the_page_is_changed_by_no_argument_that_is_unknown",
    "scripts/demo": "tests/scenarios/robustness/test_demo.py::"
    "test_the_demo_lets_ana_open_the_board_and_stops_with_ctrl_c",
    # By night; `test_scripted_hour.py` beside it plays the hour without the command.
    "scripts/demo --once": "tests/scenarios/robustness/test_demo.py::"
    "test_the_scripted_hour_is_played_on_the_command_line",
    ".venv/bin/helpline migrate --check": "tests/database/test_migrations.py::"
    "test_the_migrations_make_what_the_models_say",
    "/opt/helpline/bin/helpline serve --replace": "tests/scenarios/robustness/"
    "test_replaced_server.py::test_a_server_is_replaced_while_the_phone_rings",
    "echo a long password": "tests/package/"
    "test_installed.py::test_a_wheel_in_an_empty_folder_serves",
    "curl --header": "tests/web/test_monitoring.py::"
    "test_the_second_port_answers_monitoring_and_the_first_one_does_not",
    "curl -H": "tests/statistics/test_exports.py::test_a_program_comes_with_a_token",
}
# How the test of a command says it, where it does not have the words of the page.
_SAID = {
    "serve": "program.serve(",
    "worker": 'Serving("worker"',
    "telephony setup": '"telephony", "setup"',
    ".venv/bin/python scripts/parts sbom": '"scripts/parts", "sbom"',
    ".venv/bin/python scripts/parts advisories": '"scripts/parts"), "advisories"',
    "scripts/demo": 'Serving("demo"',
    "scripts/demo --once": '"demo", "--once"',
    ".venv/bin/helpline migrate --check": '"migrate", "--check"',
    "/opt/helpline/bin/helpline serve --replace": '"--replace"',
    "echo a long password": '"--password-stdin"',
    "curl --header": 'requests(ROOT / "docs/operators.md")',
    "curl -H": "requests(INTEGRATORS)",
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
    "systemd-creds": "it needs a module of hardware",
    **dict.fromkeys(("useradd", "sudo", "install", "ln"), "it needs root on a server"),
    **dict.fromkeys(("cd", "export", "set"), "it changes the shell of the reader alone"),
    **dict.fromkeys(
        ("pg_dump", "pg_restore", "createdb"), "a server of the reader, with its tools"
    ),
}
# Those that the test below runs as they stand.
_RUN_HERE = ("python3", "echo 1:", "grep")


def test_every_other_command_of_a_page_is_run_by_a_test_or_says_why_not() -> None:
    there = [found for page in PAGES for found in other_commands(page)]
    assert len(there) > 60
    known = (*_DONE_BY, *_BY_NO_TEST, *_RUN_HERE)
    assert [text for text, words in there if not any(starts(words, one) for one in known)] == []
    unused = [one for one in known if not any(starts(words, one) for _, words in there)]
    assert unused == [], "no page has it"


def _said_in(test: str) -> str:
    """Return the text of a test with what it uses of its own file, "" if there is no such test."""
    path, _, name = test.partition("::")
    parts = {
        part.name: part
        for part in ast.parse((ROOT / path).read_text()).body
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    used: set[str] = set()
    more = {name} & set(parts)
    while more:
        used |= more
        walked = [one for name in more for one in ast.walk(parts[name])]
        names = {one.id for one in walked if isinstance(one, ast.Name)}
        names |= {one.arg for one in walked if isinstance(one, ast.arg)}
        more = (names & set(parts)) - used
    text = "".join(ast.unparse(parts[name]) for name in sorted(used))
    return text.replace("'", '"')


@pytest.mark.parametrize(("command", "test"), [*_RUN_ELSEWHERE.items(), *_DONE_BY.items()])
def test_the_test_that_runs_a_command_has_its_words(command: str, test: str) -> None:
    said = _said_in(test)
    assert said, f"{test} is no test"
    assert _SAID.get(command, command) in said


def test_every_command_that_is_run_elsewhere_stands_on_a_page() -> None:
    there = [words for page in PAGES for words in commands(page)]
    assert [one for one in _RUN_ELSEWHERE if not any(starts(words, one) for words in there)] == []
    whole = [shlex.join(words) for words in there]
    assert [part for part in _REFUSED if not any(part in one for one in whole)] == []


def test_commands_that_make_a_secret_or_look_into_the_program_run_as_they_stand() -> None:
    ran = 0
    for page in PAGES:
        for text, words in other_commands(page):
            if any(starts(words, one) for one in _RUN_HERE):
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
