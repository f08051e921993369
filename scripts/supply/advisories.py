"""Compare the parts with a database of advisories in the OSV format, without any network.

A database is a folder of JSON files, or a zip archive of them, such as the `all.zip` that osv.dev
exports for each ecosystem. The rules are those of https://ossf.github.io/osv-schema/.
"""

import json
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import semver
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from scripts.supply.parts import Part

ACCEPTED = Path(__file__).parent / "accepted.toml"
Advisory = dict[str, Any]


class WrongDatabase(Exception):
    """What was given cannot answer the question."""


@dataclass(frozen=True)
class Finding:
    """One weakness of one part, under all of its names."""

    part: Part
    ids: tuple[str, ...]
    summary: str
    # Versions in which it is mended, as the advisory names them.
    fixed: tuple[str, ...]


# -- the database ------------------------------------------------------------------------


def read_database(paths: Iterable[Path]) -> Iterator[Advisory]:
    """Yield each advisory. Raises WrongDatabase."""
    for path in paths:
        if path.is_dir():
            files = sorted(path.rglob("*.json"))
            yield from (_read(str(file), file.read_bytes()) for file in files)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(".json"):
                        yield _read(f"{path}: {name}", archive.read(name))
        elif path.is_file():
            yield _read(str(path), path.read_bytes())
        else:
            raise WrongDatabase(f"{path} is neither a folder nor a file.")


def _read(name: str, content: bytes) -> Advisory:
    try:
        found = json.loads(content)
    except ValueError:
        raise WrongDatabase(f"{name} is not JSON.") from None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise WrongDatabase(f"{name} is no advisory in the OSV format: it has no `id`.")
    return found


# -- versions ----------------------------------------------------------------------------


def _python(text: str) -> Version:
    return Version(text)


def _npm(text: str) -> semver.Version:
    return semver.Version.parse(text)


_READERS: dict[str, Callable[[str], Any]] = {"PyPI": _python, "npm": _npm}


def is_affected(part: Part, advisory: Advisory) -> bool:
    """Return whether a version is among those of an advisory that was not withdrawn.

    A range that cannot be read counts as one that holds the version: a person looks at it.
    """
    if advisory.get("withdrawn"):
        return False
    return any(
        _is_about(part, one) and (_is_listed(part, one) or _is_in_a_range(part, one))
        for one in advisory.get("affected", [])
    )


def _is_about(part: Part, affected: dict[str, Any]) -> bool:
    package = affected.get("package", {})
    ecosystem = str(package.get("ecosystem", "")).split(":")[0]
    name = str(package.get("name", ""))
    if ecosystem == "PyPI":
        name = str(canonicalize_name(name))
    return (ecosystem, name) == (part.ecosystem, part.name)


def _is_listed(part: Part, affected: dict[str, Any]) -> bool:
    read = _READERS[part.ecosystem]
    own = read(part.version)
    for text in affected.get("versions", []):
        if text == part.version:
            return True
        try:
            if read(text) == own:
                return True
        except (InvalidVersion, ValueError):
            # An old version with a name of its own kind; ours can be read.
            continue
    return False


def _is_in_a_range(part: Part, affected: dict[str, Any]) -> bool:
    read = _READERS[part.ecosystem]
    own = read(part.version)
    for one in affected.get("ranges", []):
        # Commits say nothing about a package.
        if one.get("type") not in ("ECOSYSTEM", "SEMVER"):
            continue
        try:
            if _holds(own, one.get("events", []), read):
                return True
        except (InvalidVersion, ValueError):
            return True
    return False


def _holds(own: Any, events: list[dict[str, str]], read: Callable[[str], Any]) -> bool:
    """Return whether the events of one range, from the lowest version up, leave it open."""
    limits = [one["limit"] for one in events if "limit" in one]
    if limits and not any(limit == "*" or own < read(limit) for limit in limits):
        return False
    if any(one.get("introduced") == "0" for one in events):
        is_open, rest = True, [one for one in events if one.get("introduced") != "0"]
    else:
        is_open, rest = False, list(events)
    steps = [
        (read(version), kind) for one in rest for kind, version in one.items() if kind != "limit"
    ]
    # At the same version a range that ends there comes before one that begins there.
    for version, kind in sorted(steps, key=lambda step: (step[0], step[1] == "introduced")):
        if kind == "introduced" and own >= version:
            is_open = True
        elif (kind == "fixed" and own >= version) or (kind == "last_affected" and own > version):
            is_open = False
    return is_open


# -- findings ----------------------------------------------------------------------------


def find(parts: Iterable[Part], advisories: Iterable[Advisory]) -> list[Finding]:
    """Return what is known about the parts; what has several names is one finding.

    Raises WrongDatabase if the database knows nothing about an ecosystem of the parts.
    """
    by_name: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        by_name.setdefault((part.ecosystem, part.name), []).append(part)
    known: set[str] = set()
    found: list[Finding] = []
    for advisory in advisories:
        named: set[Part] = set()
        for one in advisory.get("affected", []):
            package = one.get("package", {})
            ecosystem = str(package.get("ecosystem", "")).split(":")[0]
            known.add(ecosystem)
            name = str(package.get("name", ""))
            if ecosystem == "PyPI":
                name = str(canonicalize_name(name))
            named.update(by_name.get((ecosystem, name), []))
        found += [_finding(part, advisory) for part in named if is_affected(part, advisory)]
    missing = {ecosystem for ecosystem, _ in by_name} - known
    if missing:
        raise WrongDatabase(f"The database knows nothing about {', '.join(sorted(missing))}.")
    return _under_all_names(found)


def _finding(part: Part, advisory: Advisory) -> Finding:
    ids = (advisory["id"], *advisory.get("aliases", []))
    fixed = [
        event["fixed"]
        for one in advisory.get("affected", [])
        if _is_about(part, one)
        for range_ in one.get("ranges", [])
        if range_.get("type") != "GIT"
        for event in range_.get("events", [])
        if "fixed" in event
    ]
    text = advisory.get("summary") or advisory.get("details") or ""
    summary = (str(text).splitlines() or [""])[0]
    return Finding(part, tuple(ids), summary, tuple(dict.fromkeys(fixed)))


def _under_all_names(found: list[Finding]) -> list[Finding]:
    """Put findings together that share a name; the same weakness is in several databases."""
    merged: list[Finding] = []
    for one in found:
        same = [two for two in merged if two.part == one.part and set(two.ids) & set(one.ids)]
        ids, fixed, summary = one.ids, one.fixed, one.summary
        for two in same:
            merged.remove(two)
            ids, fixed, summary = (*two.ids, *ids), (*two.fixed, *fixed), two.summary or summary
        merged.append(
            Finding(one.part, tuple(dict.fromkeys(ids)), summary, tuple(dict.fromkeys(fixed)))
        )
    return sorted(merged, key=lambda one: (one.part, one.ids))


def accepted_on(today: date, file: Path = ACCEPTED) -> set[str]:
    """Return the names of the weaknesses that were looked at and accepted until a day."""
    listed = tomllib.loads(file.read_text()).get("advisories", [])
    return {one["id"] for one in listed if one["reason"] and one["until"] >= today}


def without_accepted(found: Iterable[Finding], accepted: set[str]) -> list[Finding]:
    return [one for one in found if not accepted & set(one.ids)]
