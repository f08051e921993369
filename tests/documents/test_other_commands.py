"""The other commands of the documents: each is run by a test."""

import os
import re
import stat
from pathlib import Path

import psycopg
import psycopg.conninfo
import pytest

from app.safekeeping.backups.server import tool
from tests.support.documents.said import said_in
from tests.support.documents.shell import (
    PAGES,
    ROOT,
    other_blocks,
    other_commands,
    run,
    scripts,
    starts,
)
from tests.support.profile import WHOLE

# The benchmarks that the command knows.
BENCHES = set(
    re.findall(r'^        "(\w+)": ', (ROOT / "app/cli/demo.py").read_text(), re.MULTILINE)
)


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


_MACHINE = "tests/documents/test_machine_commands.py::"
# Commands of the pages that are no `helpline`: the test that runs them.
_DONE_BY = {
    "scripts/install": "tests/package/test_installed.py::test_a_wheel_in_an_empty_folder_serves",
    ".venv/bin/python scripts/parts sbom": "tests/supply/test_parts.py::"
    "test_the_command_writes_the_bill_of_materials_of_another_python",
    ".venv/bin/python scripts/parts advisories": "tests/supply/test_advisories.py::"
    "test_the_command_finds_a_weakness_of_a_part_that_is_shipped",
    "scripts/catalogues": "tests/words/test_another_language.py::"
    "test_the_command_makes_the_catalogues_of_a_new_language",
    "scripts/measures": "tests/test_measures.py::"
    "test_the_page_is_changed_by_no_argument_that_is_unknown",
    "scripts/demo": "tests/scenarios/robustness/test_demo.py::"
    "test_the_demo_lets_ana_open_the_board_and_stops_with_ctrl_c",
    # By night; `tests/web/test_every_route.py` plays the hour without the command.
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
    "scripts/bench": f"{_MACHINE}test_a_benchmark_prints_and_keeps_its_measures",
    ".venv/bin/uv": f"{_MACHINE}test_the_lock_is_written_anew_as_it_stands",
    "systemd-creds": f"{_MACHINE}test_the_keys_of_the_keeper_are_sealed_and_opened_as_they_stand",
    "useradd": f"{_MACHINE}test_the_users_of_a_server_are_added_as_they_stand",
    "runuser": f"{_MACHINE}test_a_shell_of_the_programs_user_is_opened_as_it_stands",
    # By night, where an engine answers.
    "docker": "tests/documents/test_container_commands.py::"
    "test_each_command_with_docker_is_run_by_a_test_of_this_file",
}


# How the test of a command says it, where it does not have the words of the page.
_SAID = {
    ".venv/bin/python scripts/parts sbom": '"scripts/parts", "sbom"',
    ".venv/bin/python scripts/parts advisories": '"scripts/parts"), "advisories"',
    "scripts/catalogues": '"scripts/catalogues", "sl"',
    "scripts/demo": 'Serving("demo"',
    "scripts/demo --once": '"demo", "--once"',
    ".venv/bin/helpline migrate --check": '"migrate", "--check"',
    "/opt/helpline/bin/helpline serve --replace": '"--replace"',
    "echo a long password": '"--password-stdin"',
    "curl --header": 'requests(ROOT / "docs/operators.md")',
    "curl -H": "requests(INTEGRATORS)",
}


# Those that the tests below run as they stand: by themselves, by night, in a folder that stands for
# the server, and with the tools of PostgreSQL.
_RUN_HERE = ("python3", "echo 1:", "grep")
_BY_NIGHT = (
    ".venv/bin/lint-imports",
    "scripts/check",
    "scripts/test --fast",
    "scripts/test --random-order --randomly-seed=1627066341 tests/routing",
    "scripts/test tests/database",
    "scripts/test tests/routing",
    "scripts/test tests/scenarios",
)
# Those that run all tests, or all in a browser. By night, too: the gates are passed, and the tests
# are collected as the command says. To run them is what the run is for in which this happens.
_COLLECT = (".ci/run", "scripts/test")
_ON_A_SERVER = ("git", "cd", "ln", "install", "set", "export")
_OF_POSTGRESQL = ("pg_dump", "createdb", "pg_restore")


def test_every_other_command_of_a_page_is_run_by_a_test() -> None:
    there = [found for page in PAGES for found in other_commands(page)]
    assert len(there) > 60
    known = (*_DONE_BY, *_RUN_HERE, *_BY_NIGHT, *_COLLECT, *_ON_A_SERVER, *_OF_POSTGRESQL)
    assert [text for text, words in there if not any(starts(words, one) for one in known)] == []
    unused = [one for one in known if not any(starts(words, one) for _, words in there)]
    assert unused == [], "no page has it"


@pytest.mark.parametrize(("command", "test"), _DONE_BY.items())
def test_the_test_that_runs_a_command_has_its_words(command: str, test: str) -> None:
    said = said_in(test)
    assert said, f"{test} is no test"
    assert _SAID.get(command, command) in said


def _each(*started: str) -> list[str]:
    """Return the commands of all pages that begin so, as they stand."""
    found = [one for page in PAGES for one in other_commands(page)]
    return [text for text, words in found if any(starts(words, one) for one in started)]


def test_commands_that_make_a_secret_or_look_into_the_program_run_as_they_stand() -> None:
    commands = _each(*_RUN_HERE)
    assert len(commands) >= 3
    for text in commands:
        assert run(text).strip(), text


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: each takes longer than many tests")
@pytest.mark.parametrize("text", _each(*_BY_NIGHT))
def test_a_gate_and_tests_by_name_run_as_they_stand(text: str) -> None:
    said = run(text)
    assert "0 broken" in said or re.search(r"\d+ passed", said), said


def _that_run_all() -> list[str]:
    """Return each command that runs all tests once: several pages have it, with other words
    about it."""
    found = {one.partition("#")[0].strip() for one in _each(*_COLLECT)}
    return sorted(found - {one.strip() for one in _each(*_BY_NIGHT)})


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: to pass the gates takes a minute")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("text", _that_run_all())
def test_a_command_that_runs_all_tests_finds_them_as_it_stands(text: str) -> None:
    said = run(text, PYTEST_ADDOPTS="--collect-only -q")
    (number,) = re.findall(r"^(\d+) tests collected", said, re.MULTILINE)
    assert int(number) > (10 if "tests/browser" in text else 5000)
    assert ("0 broken" in said) is text.startswith(".ci/run")


def _made(repository: Path, version: str) -> None:
    """Put a version into a repository of sources."""
    (repository / version).touch()
    by = "-c user.name=helpline -c user.email=helpline@example.org"
    run(f"git init -q && git add . && git {by} commit -qm {version}", repository)


def test_commands_that_lay_out_a_server_run_as_they_stand(tmp_path: Path) -> None:
    """In a folder that stands for the server, block by block; users are added by root alone."""
    repository, here = tmp_path / "repository", tmp_path / "here"
    for folder in ("repository", "here", "opt/helpline-1/bin", "opt/helpline-2", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    _made(repository, "version-1")
    (tmp_path / "opt/helpline-1/bin/helpline").touch(mode=0o755)
    (tmp_path / "etc/helpline.env").write_text("HELPLINE_PUBLIC_URL=https://helpline.example\n")
    for name in ("field_keys", "secret_key"):
        (here / name).write_text(f"of {name}")
    for block in other_blocks(ROOT / "docs/operators.md"):
        texts = [text for text, words in block if any(starts(words, o) for o in _ON_A_SERVER)]
        script = "\n".join(texts).replace("REPOSITORY", str(repository))
        script = re.sub(r"/(opt|etc)/", rf"{tmp_path}/\1/", script)
        if "git pull" in script:
            _made(repository, "version-2")
        if "export PATH" in script:
            said = run(f"{script}\nprintenv HELPLINE_PUBLIC_URL; command -v helpline", here)
            program = str(tmp_path / "opt/helpline/bin/helpline")
            assert said.split() == ["https://helpline.example", program]
        elif script:
            run(script, here)
    assert (tmp_path / "opt/helpline-source/version-2").exists()
    assert (tmp_path / "opt/helpline").readlink().name == "helpline-2"
    keeper = tmp_path / "etc/helpline-keeper"
    assert stat.S_IMODE(keeper.stat().st_mode) == 0o700
    assert {(one.name, one.read_text()) for one in keeper.iterdir()} == {
        ("field_keys", "of field_keys"),
        ("secret_key", "of secret_key"),
    }
    assert {stat.S_IMODE(one.stat().st_mode) for one in keeper.iterdir()} == {0o400}
    assert list(here.iterdir()) == [], "no copy of a key is left"


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: a dump and a restore take seconds")
def test_the_tools_of_the_database_dump_and_restore_it_as_they_stand(
    server: str, database: str, tmp_path: Path
) -> None:
    """The chains of the logs are whole in the database that was restored."""
    verified = "HELPLINE_DATABASE_URL=postgresql:///helpline_restored helpline audit verify"
    assert verified in (ROOT / "docs/operators.md").read_text()
    at = psycopg.conninfo.conninfo_to_dict(server)
    programs = f"{Path(tool('pg_dump')).parent}:{ROOT / '.venv/bin'}"
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGHOST": str(at["host"]),
        "PGUSER": str(at["user"]),
        "HELPLINE_DATA_DIR": str(tmp_path / "var"),
    }
    run("helpline token add press", tmp_path, HELPLINE_DATABASE_URL=database, **environment)
    name = str(psycopg.conninfo.conninfo_to_dict(database)["dbname"])
    owned = server.replace("/postgres?", f"/{name}?")
    restored = server.replace("/postgres?", "/helpline_restored?")
    try:
        dumped = "\n".join(_each(*_OF_POSTGRESQL))
        run(dumped, tmp_path, HELPLINE_DATABASE_URL=owned, **environment)
        said = run(verified, tmp_path, **environment)
        assert "audit_entries: 1 rows, whole" in said
        with psycopg.connect(restored) as one:
            assert one.execute("SELECT name FROM api_tokens").fetchall() == [("press",)]
    finally:
        with psycopg.connect(server, autocommit=True) as one:
            one.execute("DROP DATABASE IF EXISTS helpline_restored WITH (FORCE)")
