"""Each `helpline` command of the documents runs, on its page or in a test that is named."""

import io
import itertools
import shlex
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
from tests.support.documents.said import said_in
from tests.support.documents.shell import (
    PAGES,
    ROOT,
    commands,
    starts,
)
from tests.support.profile import WHOLE

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
    "export records": "tests/statistics/test_requested_files.py::"
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


# How the test of a command says it, where it does not have the words of the page.
_SAID = {
    "serve": "program.serve(",
    "worker": 'Serving("worker"',
    "telephony setup": '"telephony", "setup"',
}


@pytest.mark.parametrize(("command", "test"), _RUN_ELSEWHERE.items())
def test_the_test_that_runs_a_command_has_its_words(command: str, test: str) -> None:
    said = said_in(test)
    assert said, f"{test} is no test"
    assert _SAID.get(command, command) in said


def test_every_command_that_is_run_elsewhere_stands_on_a_page() -> None:
    there = [words for page in PAGES for words in commands(page)]
    assert [one for one in _RUN_ELSEWHERE if not any(starts(words, one) for words in there)] == []
    whole = [shlex.join(words) for words in there]
    assert [part for part in _REFUSED if not any(part in one for one in whole)] == []
