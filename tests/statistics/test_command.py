"""`helpline export` and `helpline token` as they are typed."""

import asyncio
import csv
import os
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow.parquet as pq
import pytest
import typer

from app.cli import main
from app.log import set_up_logging
from tests.support.random_life.life import Life
from tests.support.recount import logs

Run = Callable[..., Awaitable[CompletedProcess[str]]]
# To put all commands together takes longer than most of them.
_program = cache(typer.main.get_command)


@pytest.fixture
def run(
    lived_through: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Carries out a command in this process: to begin another takes longer than what it does."""
    monkeypatch.setenv("HELPLINE_DATABASE_URL", lived_through)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path / "var"))
    key = "1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY="
    monkeypatch.setenv("HELPLINE_FIELD_KEYS", key)
    monkeypatch.setattr(typer.main, "get_command", _program)

    def carry_out() -> int:
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    async def done(*words: str) -> CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["helpline", *words])
            # It has an event loop of its own.
            code = await asyncio.to_thread(carry_out)
        set_up_logging("ERROR")
        said = capsys.readouterr()
        return CompletedProcess(words, code, said.out, said.err)

    return done


async def test_files_from_the_command_line(
    run: Run, life: Life, lived_through: str, tmp_path: Path
) -> None:
    window = ("--from", "2026-04-01", "--to", "2026-05-01")
    ones = [
        o
        for o in logs.told(lived_through)
        if o.is_call and (o.local.year, o.local.month) == (2026, 4)
    ]
    path = tmp_path / "calls.parquet"
    done = await run("export", "calls", *window, "--output", str(path))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert pq.read_metadata(path).num_rows == len(ones)
    assert os.stat(path).st_mode & 0o077 == 0
    done = await run("export", "summary", *window, "--by", "outcome")
    rows = list(csv.DictReader(x for x in done.stdout.splitlines() if not x.startswith("#")))
    total = next(row for row in rows if row["row"] == "total")
    assert int(total["calls"]) == len(ones)
    for what in ("categories", "referrals", "counsellors"):
        assert (await run("export", what, *window)).returncode == 0, what
    by_sector = await run("export", "referrals", *window, "--by", "sector")
    assert "separation_prevented" in by_sector.stdout
    words = (await run("export", "dictionary")).stdout
    assert "calls\twait_seconds\tseconds in the queue" in words


async def test_what_is_refused_leaves_no_file(run: Run, life: Life, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("an older file")
    for words, said in (
        (("calls", "--from", "yesterday"), "neither a date"),
        (("weather",), "There is no export"),
        (("calls", "--format", "doc"), "There is no format"),
        (("summary", "--by", "shoe"), "There is no dimension"),
        (("referrals", "--by", "shoe"), "counted by agency"),
        (("records",), "second person"),
        (("records", "--request", "nothing"), "second person"),
        (("calls", "--line", "+999"), "no line"),
    ):
        done = await run("export", *words, "--output", str(path))
        assert done.returncode == 2, words
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert path.read_text() == "an older file"
        assert list(tmp_path.glob("*.part")) == []


async def test_tokens_are_shown_once(run: Run, life: Life) -> None:
    made = await run("token", "add", "desk", "--days", "10")
    assert made.stdout.startswith("hl_")
    listed = (await run("token", "list")).stdout
    assert "desk\tstatistics" in listed
    assert made.stdout.strip() not in listed
    wrong = await run("token", "add", "other", "--scopes", "everything")
    assert (wrong.returncode, "one or more of" in wrong.stderr) == (2, True)
    assert (await run("token", "revoke", "desk")).returncode == 0
    assert (await run("token", "revoke", "desk")).returncode == 2
