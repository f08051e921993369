"""Sections of a report that a shape describes: its tables, and how much of them is mapped."""

from collections.abc import Callable
from typing import Any

from app.statistics.counting.conditions import UNKNOWN
from app.statistics.counting.shapes import CountedTable
from app.statistics.reports.sections import Grid, Section
from app.words.pages import _, said, share_words


def shape_section(table: CountedTable) -> Section:
    rows = []
    foot = []
    for row in table.rows:
        if row.not_recorded is not None:
            rows.append([row.label, _("not recorded"), *[""] * (len(table.columns) - 1)])
            foot.append(f"{row.label}: {row.not_recorded}.")
        else:
            rows.append([row.label, *(str(n) for n in row.numbers)])
    if not any(row.not_recorded for row in table.rows):
        rows.append([_("All %(unit)s", unit=said(table.unit)), *(str(n) for n in table.total)])
    if table.unit != "calls":
        foot.append(_("Rounded to multiples of 3, so rows need not add up."))
    foot += coverage_of(table)
    if table.overlapping:
        foot.append(_("A record may be counted in several rows, so rows may exceed the total."))
    return Section(table.title, grid=Grid(["", *table.columns], rows, foot))


def coverage_of(table: CountedTable) -> list[str]:
    """Return for how many the value is known; nothing for a table with rows of its own."""
    whole = table.total[-1]
    unknown = sum(row.numbers[-1] for row in table.rows if row.code in UNKNOWN and row.numbers)
    if not table.each or not whole:
        return []
    known = whole - min(unknown, whole)
    words = _(
        "Known for %(known)s of %(whole)s (%(unit)s, %(share)s).",
        known=known,
        whole=whole,
        unit=said(table.unit),
        share=share_words(known / whole),
    )
    if not known:
        words += " " + _("The form does not ask for it, or no answer is recorded.")
    return [words]


def coverage_section(coverage: Any, label: Callable[[str, str], str]) -> Section:
    share = coverage.share
    rows = [[_("categories recorded"), str(coverage.counted)]]
    counted = "–" if share is None else share_words(share)
    rows.append([_("of these, counted in the framework"), counted])
    rows += [
        [_("not in the framework: %(category)s", category=label("category", code)), str(n)]
        for code, n in sorted(coverage.unmapped.items(), key=lambda one: (-one[1], one[0]))
    ]
    return Section(_("Coverage of the mapping"), grid=Grid(["", ""], rows))
