"""The licences of the parts: the file that lists them, and the list of those that are accepted."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing

from scripts.supply.parts import ROOT, Group, Part

FILE = ROOT / "docs" / "licences.md"
_ACCEPTED = Path(__file__).parent / "accepted.toml"
_SPDX = get_spdx_licensing()
_HEADING = {
    Group.PRODUCTION: "In service",
    Group.EMBEDDED: "With the extra `embedded`",
    Group.DEMO: "With the extra `demo`",
    Group.PAGES: "In the scripts and styles of the pages",
}
_BEGINNING = """# Licences of the parts

What is shipped besides the program itself, and under which licence. The program is under the
[Apache License 2.0](../LICENSE). `scripts/parts licences` makes this page; a gate fails if a part
is missing here or its licence is not one of those that `scripts/supply/accepted.toml` accepts.

The extra `demo` is for laptops and never part of a server: what only it holds may have a licence
that is accepted for that part alone.

## Words of others

The categories of contacts (`app/definitions/data/categories-chi.yaml`) are those of the data
framework of Child Helpline International. Its English names are used as they are, because every
helpline reports by them; the codes are ours. We looked for a translation of the framework that
its authors have published in one of the languages of this program, and found none (November
2026): no published translation is used. The names in Serbian stand in that file and those in the
other languages in `app/words/<language>/definitions.po`; all were written for this program, and
none has been read by a native speaker who works with children. A helpline that has a translation
of its own, or one that the framework's authors agreed with it, imports it under *Administration,
Languages*.
"""


def rules(file: Path = _ACCEPTED) -> dict[str, Any]:
    """Return what is accepted, and what was read in the licences of parts that declare none."""
    found: dict[str, Any] = tomllib.loads(file.read_text())["licences"]
    return found


def licence_of(part: Part, concluded: dict[str, str]) -> str:
    """Return the licence of a part as an expression of SPDX: declared, or read by a person."""
    if part.name in concluded:
        return concluded[part.name]
    readable = [one for one in part.licences if _is_spdx(one)]
    if readable:
        return " AND ".join(f"({one})" if " OR " in one else one for one in readable)
    return " / ".join(" ".join(one.split())[:60] for one in part.licences) or "not declared"


def _is_spdx(text: str) -> bool:
    try:
        return not _SPDX.validate(text).errors and bool(text)
    except ExpressionError:
        return False


def is_accepted(expression: str, accepted: set[str]) -> bool:
    """Return whether a part may be shipped: one licence of each choice is accepted."""
    if not _is_spdx(expression):
        return False
    return _holds(_SPDX.parse(expression), accepted)


def _holds(tree: Any, accepted: set[str]) -> bool:
    if tree.isliteral:
        # A licence with an exception is one of its own.
        return str(tree) in accepted
    parts = [_holds(one, accepted) for one in tree.args]
    return any(parts) if tree.operator.strip() == "OR" else all(parts)


def refused(parts: Iterable[Part], told: dict[str, Any]) -> list[str]:
    """Return a sentence for each part whose licence is not accepted."""
    found = []
    for part in parts:
        expression = licence_of(part, told["concluded"])
        accepted = {*told["accepted"], *told["for_one_part"].get(part.name, [])}
        if not is_accepted(expression, accepted):
            found.append(f"{part.name} {part.version}: {expression} is not accepted.")
    return found


def page(parts: Iterable[Part], told: dict[str, Any]) -> str:
    """Return the page that lists the parts."""
    listed = sorted(parts)
    lines = [_BEGINNING]
    for group in Group:
        lines += [f"## {_HEADING[group]}", "", "| part | version | licence |", "|---|---|---|"]
        for part in listed:
            if part.group is group:
                expression = licence_of(part, told["concluded"])
                lines.append(f"| {part.name} | {part.version} | {expression} |")
        lines.append("")
    return "\n".join(lines)


def differences(parts: Iterable[Part], told: dict[str, Any], written: str) -> list[str]:
    """Return the lines that the page lacks. What is for another system than this one may stay."""
    there = set(written.splitlines())
    return [line for line in page(parts, told).splitlines() if line not in there]
