"""`helpline export` and `helpline token` as they are typed."""

import csv
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq

from tests.support import recount
from tests.support.commands import command
from tests.support.life import Life


def run(url: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HELPLINE_DATABASE_URL": url,
        "HELPLINE_DATA_DIR": str(folder / "var"),
        "HELPLINE_FIELD_KEYS": "1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
    }
    return command(*words, environment=environment)


async def test_files_from_the_command_line(life: Life, lived_through: str, tmp_path: Path) -> None:
    window = ("--from", "2026-04-01", "--to", "2026-05-01")
    ones = [
        o
        for o in recount.told(lived_through)
        if o.is_call and (o.local.year, o.local.month) == (2026, 4)
    ]
    path = tmp_path / "calls.parquet"
    done = run(lived_through, tmp_path, "export", "calls", *window, "--output", str(path))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert pq.read_metadata(path).num_rows == len(ones)
    assert os.stat(path).st_mode & 0o077 == 0
    done = run(lived_through, tmp_path, "export", "summary", *window, "--by", "outcome")
    rows = list(csv.DictReader(x for x in done.stdout.splitlines() if not x.startswith("#")))
    total = next(row for row in rows if row["row"] == "total")
    assert int(total["calls"]) == len(ones)
    for what in ("categories", "referrals", "counsellors"):
        assert run(lived_through, tmp_path, "export", what, *window).returncode == 0, what
    by_sector = run(lived_through, tmp_path, "export", "referrals", *window, "--by", "sector")
    assert "separation_prevented" in by_sector.stdout
    words = run(lived_through, tmp_path, "export", "dictionary").stdout
    assert "calls\twait_seconds\tseconds in the queue" in words


async def test_what_is_refused_leaves_no_file(
    life: Life, lived_through: str, tmp_path: Path
) -> None:
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
        done = run(lived_through, tmp_path, "export", *words, "--output", str(path))
        assert done.returncode == 2, words
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert path.read_text() == "an older file"
        assert list(tmp_path.glob("*.part")) == []


async def test_tokens_are_shown_once(life: Life, lived_through: str, tmp_path: Path) -> None:
    made = run(lived_through, tmp_path, "token", "add", "desk", "--days", "10")
    assert made.stdout.startswith("hl_")
    listed = run(lived_through, tmp_path, "token", "list").stdout
    assert "desk\tstatistics" in listed
    assert made.stdout.strip() not in listed
    wrong = run(lived_through, tmp_path, "token", "add", "other", "--scopes", "everything")
    assert (wrong.returncode, "one or more of" in wrong.stderr) == (2, True)
    assert run(lived_through, tmp_path, "token", "revoke", "desk").returncode == 0
    assert run(lived_through, tmp_path, "token", "revoke", "desk").returncode == 2
