"""The results of benchmarks: kept only when they are whole, and rendered without a hand."""

import json
import re
import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.demo.results import kept, report

ROOT = Path(__file__).parent.parent
# A number with what it counts, or with a part after the point: what a benchmark finds.
_FIGURE = re.compile(r"\d[\d.,]*\s?(?:ms|%|MB|kB|KiB)|\b\d+\.\d+\b")
NOW = datetime(2026, 11, 26, 17, tzinfo=UTC)


@pytest.fixture
def measures() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts/measures"))


def test_each_measure_stands_in_the_page_once(measures: dict[str, Any], tmp_path: Path) -> None:
    with kept("routing", tmp_path, NOW):
        for waiting in (10, 10000):
            report(f"one match of 1000 counsellors, {waiting} waiting", 16.04, 1.7, "ms", None)
            report(f"statements of it, {waiting} waiting", 10, None, "statements", None)
        report("one match, 10,000 waiting against 10", 22, 16, "ms", 2.0, at_least=False)
        report("fairness (Jain), 5 counsellors", 0.9, None, "of 1", 0.95)
        report("calls to CSV", 358_123, 600_000, "rows/s", None)
    result = json.loads((tmp_path / "routing.json").read_text())
    assert (result["on"], len(result["measures"])) == ("2026-11-26", 7)
    page = measures["rendered"](result)
    assert "| 10 | 16 ms | 1.7 ms | 10 |" in page
    assert "| 10000 | 16 ms | 1.7 ms | 10 |" in page
    assert "| one match, 10,000 waiting against 10 | 22 ms | 16 ms | 1.38 | at most 2 |" in page
    assert "| fairness (Jain), 5 counsellors | 0.9 |  |  | at least 0.95: missed |" in page
    assert "| calls to CSV | 358,000/s | 600,000/s | 0.597 |  |" in page
    assert page.count("\n| ") == 7


def test_no_table_without_a_row_is_written(measures: dict[str, Any], tmp_path: Path) -> None:
    with kept("statistics", tmp_path, NOW):
        report("statistics: 200000 calls, by day", 0.1, None, "s", None)
    page = measures["rendered"](json.loads((tmp_path / "statistics.json").read_text()))
    assert "| 200000 calls, by day | 0.1 s |  |  |  |" in page
    assert "million" not in page


def test_a_benchmark_that_fails_keeps_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), kept("calls", tmp_path, NOW):
        report("webhooks", 1 / 0, None, "ms", None)
    assert list(tmp_path.iterdir()) == []


def _run(folder: Path, measures: list[tuple[str, float, float | None, str]]) -> None:
    with kept("contacts", folder, NOW):
        for name, ours, floor, unit in measures:
            report(name, ours, floor, unit, None)


def test_two_revisions_stand_side_by_side_with_their_noise(
    measures: dict[str, Any], tmp_path: Path
) -> None:
    for run, rate in enumerate((50, 56)):
        _run(
            tmp_path / f"before/{run}",
            [
                ("save: per second", rate, 100, "requests/s"),
                ("open: per second", 200, 100, "requests/s"),
                ("memory", 10, None, "MB"),
                ("loads", (0.4, 0.9)[run], None, "share"),
                ("save: p50", 5, None, "ms"),
                ("floor, per second", 5, None, "requests/s"),
                ("only before", 5, None, "s"),
            ],
        )
    _run(
        tmp_path / "after/0",
        [
            ("save: per second", 51, 100, "requests/s"),
            ("open: per second", 190, 100, "requests/s"),
            ("memory", 9, None, "MB"),
            # Nearer than the runs before are to each other, and beyond both.
            ("loads", 0.95, None, "share"),
            ("save: p50", 50, None, "ms"),
            ("floor, per second", 1, None, "requests/s"),
        ],
    )
    page = measures["compared"](tmp_path, "contacts")
    assert page.splitlines() == [
        "2 runs before, 1 after.",
        "",
        "| measure | before | after | after it is |",
        "|---|---|---|---|",
        "| save: per second, of the floor | 0.53 (0.5–0.56) | 0.51 | within the noise |",
        "| open: per second, of the floor | 2 | 1.9 | worse |",
        "| memory, MB | 10 | 9 | better |",
        "| loads, share | 0.65 (0.4–0.9) | 0.95 | better |",
        "| save: p50, ms | 5 | 50 | worse |",
    ]
    assert "No runs are kept" in measures["compared"](tmp_path, "calls")


def test_no_figure_of_the_page_is_typed_by_hand(measures: dict[str, Any]) -> None:
    page = measures["PAGE"].read_text()
    by_hand = measures["BLOCK"].sub("", page)
    assert by_hand != page
    assert [line for line in by_hand.splitlines() if line.startswith("|")] == []
    assert _FIGURE.findall(by_hand) == []


def test_a_benchmark_without_a_result_is_said_and_no_older_figure_stays(
    measures: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, page = measures["main"], tmp_path / "measures.md"
    page.write_text("<!-- measures: calls -->\n| webhooks | 5 ms |\n<!-- end -->")
    monkeypatch.setitem(main.__globals__, "PAGE", page)
    monkeypatch.setitem(main.__globals__, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/measures"])
    main()
    assert "5 ms" not in page.read_text()
    assert "run `scripts/bench calls`" in page.read_text()


@pytest.mark.parametrize("said", ["--help", "-h", "--chekc", "calls"])
def test_the_page_is_changed_by_no_argument_that_is_unknown(
    measures: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: str,
) -> None:
    main, page = measures["main"], tmp_path / "measures.md"
    page.write_text("<!-- measures: calls -->\nby hand<!-- end -->")
    (tmp_path / "calls.json").write_text(
        '{"benchmark": "calls", "on": "", "cores": 2, "python": "", "load": 1, "measures": []}'
    )
    monkeypatch.setitem(main.__globals__, "PAGE", page)
    monkeypatch.setitem(main.__globals__, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/measures", said])
    with pytest.raises(SystemExit) as left:
        main()
    asks = said in ("--help", "-h")
    assert left.value.code == (0 if asks else 2)
    assert ("--check" in capsys.readouterr().out) == asks
    assert "by hand" in page.read_text()
    monkeypatch.setattr("sys.argv", ["scripts/measures"])
    main()
    assert "by hand" not in page.read_text()
