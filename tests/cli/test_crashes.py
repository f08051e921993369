"""What is written of an error that nothing caught: where it was and its kind, not its words."""

import sys
import threading
import types

import psycopg
import pytest

from app import cli, crashes

WORDS = "zelenikisobran"


@pytest.fixture(autouse=True)
def _hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this process come back."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)


def fail() -> None:
    try:
        raise KeyError(WORDS)
    except KeyError as error:
        raise ValueError(f"cannot read {WORDS}") from error


def test_a_command_tells_where_it_failed_and_no_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = types.SimpleNamespace(app=lambda **_: fail())
    monkeypatch.setitem(sys.modules, "app.cli.commands", broken)
    monkeypatch.setattr(sys, "argv", ["helpline", "migrate"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert "in fail" in told
    assert told.endswith("ValueError, after KeyError\n")
    assert WORDS not in told


def test_nor_do_threads_and_what_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    class FailsAtItsEnd:
        def __del__(self) -> None:
            fail()

    crashes.tell_no_words()
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    FailsAtItsEnd()
    told = capsys.readouterr().err
    assert told.count("ValueError, after KeyError\n") == 2
    assert WORDS not in told


def test_what_the_system_and_the_connection_say_is_told() -> None:
    """An operator needs to know why the database was not reached; a row is in none of that."""
    refused = psycopg.OperationalError("connection failed: Connection refused\n\tIs it running?")
    told = crashes.without_words(refused)
    assert told.endswith("OperationalError (connection failed: Connection refused Is it running?)")
    missing = FileNotFoundError(2, "No such file or directory", f"/tmp/{WORDS}")
    assert crashes.without_words(missing).endswith("FileNotFoundError (No such file or directory)")
    row = psycopg.errors.UniqueViolation(f"Key (name)=({WORDS}) already exists.")
    assert WORDS not in crashes.without_words(row)


def _grouped(depth: int) -> Exception:
    try:
        fail()
    except ValueError as error:
        return error if depth == 0 else ExceptionGroup(WORDS, [error, _grouped(depth - 1)])
    raise AssertionError("unreachable")


def test_each_error_of_a_group_is_told_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ExceptionGroup(WORDS, [_grouped(1), KeyError(WORDS)])
    except ExceptionGroup as error:
        crashes.tell(error)
    told = capsys.readouterr().err
    assert told.count("ExceptionGroup\n") == 2
    assert told.count("ValueError, after KeyError\n") == 2
    assert told.count("in fail") == 2
    assert "  2 of 2: " in told
    assert WORDS not in told


def test_groups_in_groups_and_long_groups_have_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    crashes.tell(_grouped(9))
    crashes.tell(ExceptionGroup(WORDS, [KeyError(WORDS)] * 500))
    told = capsys.readouterr().err
    assert "2 more inside are not told" in told
    assert "and 495 more" in told
    assert told.count("ExceptionGroup\n") == 5
    assert WORDS not in told
