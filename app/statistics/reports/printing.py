"""Print a report: Typst makes the pages, and the charts are the SVG of the web page."""

import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app import words
from app.paper import print_page
from app.statistics.counting.period_words import days_of
from app.statistics.reports.reports import Report
from app.statistics.reports.sections import Section
from app.words import days
from app.words.pages import _, reader

_TEMPLATE = Path(__file__).parent.parent / "data" / "report.typ"
# Centimetres on paper for each pixel of a chart.
_CENTIMETRES = 0.0235
_WIDTH = re.compile(r'<svg[^<>]* width="([0-9.]+)"')


async def print_report(report: Report, zone: ZoneInfo) -> bytes:
    """Return the report as a PDF, which says in the helpline's zone when it was counted."""
    data = {
        "title": report.title,
        "direction": words.direction(reader()),
        "window": days_of(report.window),
        "as_of": _("as of %(at)s", at=days.moment(report.as_of, reader(), zone, named=True)),
        "meanings": _("What the numbers mean"),
        "notes": report.notes,
        "sections": [_section(section) for section in report.sections],
        "definitions": report.definitions,
    }
    return await print_page(_TEMPLATE, data)


def _section(section: Section) -> dict[str, Any]:
    svg = section.chart.svg() if section.chart else None
    found = _WIDTH.search(svg) if svg else None
    grid = section.grid
    return {
        "title": section.title,
        "words": section.words,
        "chart": svg,
        "alt": section.chart.words if section.chart else "",
        "width": float(found[1]) * _CENTIMETRES if found else 17.4,
        "columns": grid.columns if grid else [],
        "rows": grid.rows if grid else [],
        "foot": grid.foot if grid else [],
    }
