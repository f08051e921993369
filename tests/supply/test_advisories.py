"""The check of the parts against a database of advisories that is made up."""

import json
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts.supply.advisories import (
    WrongDatabase,
    accepted_on,
    find,
    is_affected,
    read_database,
    without_accepted,
)
from scripts.supply.parts import ROOT, Group, Part
from tests.support.profile import nightly


def of_python(version: str, name: str = "jinja2") -> Part:
    return Part(Group.PRODUCTION, "PyPI", name, version)


def of_npm(version: str, name: str = "@twilio/voice-sdk") -> Part:
    return Part(Group.PAGES, "npm", name, version)


def advisory(part: Part, *ranges: dict[str, Any], **more: Any) -> dict[str, Any]:
    package = {"ecosystem": part.ecosystem, "name": more.pop("name", part.name)}
    affected = {"package": package, "ranges": list(ranges), "versions": more.pop("versions", [])}
    return {"id": "OSV-2026-1", "summary": "It falls over", "affected": [affected], **more}


def events(*pairs: str, kind: str = "ECOSYSTEM") -> dict[str, Any]:
    listed = [dict([pair.split()]) for pair in pairs]
    return {"type": kind, "events": listed}


@pytest.mark.parametrize(
    ("version", "told", "affected"),
    [
        ("3.1.5", ["introduced 0", "fixed 3.1.6"], True),
        ("3.1.6", ["introduced 0", "fixed 3.1.6"], False),
        # Numbers are compared, not letters.
        ("3.9", ["introduced 0", "fixed 3.10"], True),
        ("3.10", ["introduced 3.2", "fixed 3.9"], False),
        ("3.2rc1", ["introduced 3.2"], False),
        ("3.2.post1", ["introduced 3.2"], True),
        ("1!1.0", ["introduced 0", "fixed 3.0"], False),
        ("3.1.5", ["introduced 0", "last_affected 3.1.5"], True),
        ("3.1.6", ["introduced 0", "last_affected 3.1.5"], False),
        # Events stand in any order, and a weakness may come again.
        ("2.5", ["fixed 2.4", "introduced 0", "introduced 2.5", "fixed 2.6"], True),
        ("2.4", ["fixed 2.4", "introduced 0", "introduced 2.5", "fixed 2.6"], False),
        ("2.6", ["introduced 0", "fixed 2.4", "introduced 2.5", "fixed 2.6"], False),
        ("2.4", ["introduced 0", "fixed 2.4", "introduced 2.4", "fixed 2.6"], True),
        ("2.4", ["introduced 0", "limit 2.4"], False),
        ("2.3", ["introduced 0", "limit 2.4"], True),
        # What cannot be read is looked at by a person.
        ("2.4", ["introduced 0", "fixed soon"], True),
    ],
)
def test_a_python_version_is_compared_with_ranges(
    version: str, told: list[str], affected: bool
) -> None:
    part = of_python(version)
    assert is_affected(part, advisory(part, events(*told))) is affected


@pytest.mark.parametrize(
    ("version", "told", "affected"),
    [
        ("2.18.5", ["introduced 0", "fixed 2.18.6"], True),
        ("2.18.5", ["introduced 0", "fixed 2.9.0"], False),
        ("2.0.0-beta.2", ["introduced 2.0.0-beta.10", "fixed 2.0.0"], False),
        ("2.0.0-beta.11", ["introduced 2.0.0-beta.2", "fixed 2.0.0"], True),
        ("2.0.0-rc.1", ["introduced 2.0.0"], False),
        ("2.0.0", ["introduced 1.0.0", "last_affected 2.0.0"], True),
    ],
)
def test_an_npm_version_is_compared_as_npm_does(
    version: str, told: list[str], affected: bool
) -> None:
    part = of_npm(version)
    assert is_affected(part, advisory(part, events(*told, kind="SEMVER"))) is affected


def test_versions_are_listed_and_commits_say_nothing() -> None:
    part = of_python("3.1")
    assert is_affected(part, advisory(part, versions=["3.0", "3.1.0"]))
    assert is_affected(part, advisory(part, versions=["1.0-of-old", "3.1"]))
    assert not is_affected(part, advisory(part, versions=["3.1.1"]))
    commits = {"type": "GIT", "repo": "https://example.org", "events": [{"introduced": "0"}]}
    assert not is_affected(part, advisory(part, commits))


def test_a_name_is_compared_as_its_registry_does() -> None:
    part, told = of_python("1.0", "python-multipart"), events("introduced 0")
    assert is_affected(part, advisory(part, told, name="Python_Multipart"))
    assert not is_affected(part, advisory(part, told, name="python-multipart2"))
    same_name = of_npm("1.0.0", "python-multipart")
    assert not is_affected(part, advisory(same_name, told))
    assert not is_affected(of_npm("2.0.0"), advisory(of_npm("2.0.0"), told, name="voice-sdk"))


def test_a_withdrawn_advisory_affects_no_part() -> None:
    part = of_python("1.0")
    told = advisory(part, events("introduced 0"), withdrawn="2026-01-05T00:00:00Z")
    assert not is_affected(part, told)


def test_the_names_of_one_weakness_are_one_finding() -> None:
    part = of_python("1.0")
    told = events("introduced 0", "fixed 1.1")
    known = find(
        [part],
        [
            advisory(part, told, id="PYSEC-2026-7", aliases=["CVE-2026-7"]),
            advisory(part, events("introduced 0"), id="PYSEC-2026-8", aliases=["CVE-2026-8"]),
            advisory(part, told, id="GHSA-aaaa", aliases=["CVE-2026-7"]),
        ],
    )
    assert [one.ids for one in known] == [
        ("PYSEC-2026-7", "CVE-2026-7", "GHSA-aaaa"),
        ("PYSEC-2026-8", "CVE-2026-8"),
    ]
    assert known[0].fixed == ("1.1",)
    assert without_accepted(known, {"GHSA-aaaa"}) == known[1:]


def test_an_accepted_weakness_is_looked_at_again_after_its_day(tmp_path: Path) -> None:
    file = tmp_path / "accepted.toml"
    file.write_text(
        '[[advisories]]\nid = "CVE-1"\nreason = "not reached"\nuntil = 2026-03-01\n'
        '[[advisories]]\nid = "CVE-2"\nreason = ""\nuntil = 2026-03-01\n'
    )
    assert accepted_on(date(2026, 3, 1), file) == {"CVE-1"}
    assert accepted_on(date(2026, 3, 2), file) == set()


def test_a_folder_and_an_archive_are_read(tmp_path: Path) -> None:
    told = advisory(of_python("1.0"), events("introduced 0"))
    (tmp_path / "PyPI").mkdir()
    (tmp_path / "PyPI" / "one.json").write_text(json.dumps(told))
    (tmp_path / "readme.md").write_text("not read")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("two.json", json.dumps({**told, "id": "OSV-2026-2"}))
    read = list(read_database([tmp_path / "PyPI", tmp_path / "all.zip"]))
    assert [one["id"] for one in read] == ["OSV-2026-1", "OSV-2026-2"]


def test_a_database_that_cannot_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongDatabase, match="neither"):
        list(read_database([tmp_path / "nowhere"]))
    (tmp_path / "no.json").write_text("<html>")
    with pytest.raises(WrongDatabase, match="not JSON"):
        list(read_database([tmp_path]))
    (tmp_path / "no.json").write_text('{"name": "helpline-board"}')
    with pytest.raises(WrongDatabase, match="no `id`"):
        list(read_database([tmp_path / "no.json"]))
    # Half a database would read as "nothing is known".
    with pytest.raises(WrongDatabase, match="nothing about npm"):
        find([of_python("1.0"), of_npm("1.0.0")], [advisory(of_python("9"))])
    with pytest.raises(WrongDatabase, match="nothing about PyPI"):
        find([of_python("1.0")], [])


@pytest.mark.whole
@nightly
def test_the_command_finds_a_weakness_of_a_part_that_is_shipped(tmp_path: Path) -> None:
    of_pages, of_server = of_npm("0", "htmx.org"), of_python("0", "jinja2")
    both = {
        "npm.json": advisory(of_pages, events("introduced 0", "fixed 1.0.0", kind="SEMVER")),
        "pypi.json": advisory(of_server, events("introduced 0"), aliases=["CVE-2026-9"]),
    }
    for name, told in both.items():
        (tmp_path / name).write_text(json.dumps(told))
    words = [sys.executable, str(ROOT / "scripts/parts"), "advisories"]
    done = subprocess.run([*words, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("jinja2 3."), done.stdout
    assert "CVE-2026-9: It falls over" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    done = subprocess.run(
        [*words, str(tmp_path / "no")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
