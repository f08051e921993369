import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.definitions.days import read_day
from app.log import fault, log, set_up_logging, without_personal_data


def test_only_known_fields_are_logged_and_numbers_are_masked() -> None:
    entry = without_personal_data(
        None, "info", {"event": "rang +381 64 123-4567 twice", "number": "+381641234567"}
    )
    assert entry == {"event": "rang [number] twice", "number": "[not logged]"}


def test_a_line_end_makes_no_second_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    forged = 'ana\r\n{"event": "signed out", "level": "info"}\u2028\x1b[2K'
    log().info("signed in", cause=forged, area="web")
    logging.getLogger("library").warning("odd %s", forged)
    own, library = capsys.readouterr().err.split("\n")[:-1]
    assert json.loads(own)["cause"] == forged
    # A terminal that shows the log obeys nothing in it.
    for line in (own, library):
        assert line.isprintable(), line
    assert library.startswith("warning library: odd ana")
    assert "signed out" not in library


def test_a_line_of_the_log_is_json_and_its_time_is_iso_and_utc(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        set_up_logging("INFO")
        log().info("signed in", area="web")
    finally:
        monkeypatch.undo()
        time.tzset()
    told = json.loads(capsys.readouterr().err)
    assert {**told, "timestamp": ""} == {
        "event": "signed in",
        "area": "web",
        "level": "info",
        "timestamp": "",
    }
    at = datetime.fromisoformat(told["timestamp"])
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5), "the hour is not that of Tokyo"


def test_an_error_is_logged_with_its_kind_and_place_and_none_of_its_words() -> None:
    try:
        read_day("Zlatanka, +381641234567")
    except ValueError as error:
        told = fault(error)
    assert set(told) == {"exception_type", "raised_at"}
    assert told["exception_type"] == "ValueError"
    path, line = told["raised_at"].split(":")
    assert "raise" in Path(path).read_text().splitlines()[int(line) - 1]


def test_an_error_from_outside_the_program_has_no_place() -> None:
    assert fault(OSError("/home/ana")) == {"exception_type": "OSError"}


def test_of_errors_in_a_group_or_behind_another_one_the_line_of_ours_is_logged() -> None:
    def place(error: Exception) -> str:
        return fault(error).get("raised_at", "").partition(":")[0]

    try:
        read_day("Zlatanka")
    except ValueError as error:
        ours = error
    group = ExceptionGroup("of a queue", [ExceptionGroup("of a job", [ours]), OSError()])
    assert place(group) == "app/definitions/days.py"
    assert fault(group)["exception_type"] == "ValueError"
    # A library has made another error of ours.
    of_library = OSError("no answer")
    of_library.__cause__ = ours
    assert place(of_library) == "app/definitions/days.py"
    of_library.__cause__, ours.__cause__ = ours, of_library
    assert place(of_library) == "app/definitions/days.py", "and it ends"
