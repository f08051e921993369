"""Charts as SVG, drawn on the server by Vega-Lite. Each is shown beside its table.

Colours run from light to dark, so that a chart reads the same in grey; the table has the numbers.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.words.pages import _

# A version bundled with the library; pinned, so that an update of the library changes no chart.
_VERSION = "5.21"
# The font of the pages and of paper; a browser without it uses its own.
_FONT = "Noto Sans, system-ui, sans-serif"
_BLUE, _ORANGE, _GREY = "#2a5d9c", "#b5541c", "#5c6670"
_CONFIG: dict[str, Any] = {
    "font": _FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 11, "titleFontSize": 12, "grid": True, "gridColor": "#e3e6e9"},
    "legend": {"labelFontSize": 11, "titleFontSize": 12, "orient": "top"},
    # A browser without the font draws wider letters.
    "padding": {"left": 18, "right": 24, "top": 5, "bottom": 5},
}


@dataclass(frozen=True)
class Chart:
    """A chart, and the sentence that replaces it for a reader who cannot see it."""

    spec: dict[str, Any]
    words: str

    def svg(self) -> str:
        """Draw the chart. It takes about forty milliseconds, so call it in a thread."""
        return _drawn(json.dumps({"config": _CONFIG, **self.spec}))


# A report is read by several people, and printed afterwards: what shows the same is drawn once.
@lru_cache(maxsize=64)
def _drawn(spec: str) -> str:
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=_VERSION)
    return drawn


def heat_map(counts: dict[str, int], days: dict[str, str], words: str) -> Chart:
    """Return a chart of calls by weekday and hour; keys are like `Monday 08`.

    `days` are the names of the days as the reader knows them.
    """
    values = [
        {"day": name, "hour": f"{hour:02d}", "calls": counts.get(f"{day} {hour:02d}", 0)}
        for day, name in days.items()
        for hour in range(24)
    ]
    return Chart(
        {
            "data": {"values": values},
            "width": 560,
            "height": 190,
            "config": {**_CONFIG, "axis": {**_CONFIG["axis"], "grid": False}},
            "mark": {"type": "rect", "stroke": "#e3e6e9"},
            "encoding": {
                "x": {
                    "field": "hour",
                    "type": "ordinal",
                    "title": _("hour"),
                    "axis": {"labelAngle": 0},
                },
                "y": {
                    "field": "day",
                    "type": "ordinal",
                    "title": None,
                    "sort": list(days.values()),
                },
                "color": {
                    "field": "calls",
                    "type": "quantitative",
                    "title": _("calls"),
                    "scale": {"range": ["#ffffff", "#08306b"], "domainMin": 0, "nice": True},
                },
            },
        },
        words,
    )


def line(
    points: list[tuple[str, float | None]],
    title: str,
    words: str,
    *,
    share: bool = False,
    target: float | None = None,
) -> Chart:
    """Return a line chart over days or other periods; gaps stay gaps."""
    values = [{"period": period, "value": value} for period, value in points]
    y: dict[str, Any] = {"field": "value", "type": "quantitative", "title": title}
    if share:
        y |= {"axis": {"format": "%"}, "scale": {"domain": [0, 1]}}
    step = max(len(points) // 12, 1)
    shown = [period for n, (period, _) in enumerate(points) if n % step == 0]
    x = {
        "field": "period",
        "type": "ordinal",
        "title": None,
        "axis": {"labelAngle": -40, "values": shown},
    }
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "point": True, "color": _BLUE},
            "encoding": {"x": x, "y": y},
        }
    ]
    if target is not None:
        layers.append(
            {
                "mark": {"type": "rule", "strokeDash": [5, 4], "color": _ORANGE, "size": 2},
                "encoding": {"y": {"datum": target}},
            }
        )
    return Chart({"data": {"values": values}, "width": 560, "height": 190, "layer": layers}, words)


def bars(rows: list[tuple[str, float]], title: str, words: str) -> Chart:
    """Return horizontal bars in the order of the table, each with its number."""
    values = [{"what": what, "n": n} for what, n in rows]
    encoding = {
        "y": {
            "field": "what",
            "type": "nominal",
            "sort": None,
            "title": None,
            "axis": {"labelLimit": 250},
        },
        "x": {"field": "n", "type": "quantitative", "title": title},
    }
    label = {
        "mark": {"type": "text", "align": "left", "dx": 3, "fontSize": 11, "color": _GREY},
        "encoding": {**encoding, "text": {"field": "n", "type": "quantitative"}},
    }
    return Chart(
        {
            "data": {"values": values},
            "width": 380,
            "height": {"step": 19},
            "layer": [{"mark": {"type": "bar", "color": _BLUE}, "encoding": encoding}, label],
        },
        words,
    )


def columns(rows: list[tuple[str, float, str]], title: str, legend: str, words: str) -> Chart:
    """Return vertical bars in two or more parts; each row is label, number, part."""
    values = [{"what": what, "n": n, "part": part} for what, n, part in rows]
    return Chart(
        {
            "data": {"values": values},
            "width": 560,
            "height": 190,
            "mark": "bar",
            "encoding": {
                "x": {
                    "field": "what",
                    "type": "ordinal",
                    "sort": None,
                    "title": None,
                    "axis": {"labelAngle": -40},
                },
                "y": {"field": "n", "type": "quantitative", "title": title},
                "color": {
                    "field": "part",
                    "type": "nominal",
                    "title": legend,
                    "sort": None,
                    "scale": {"range": [_BLUE, _ORANGE, "#9db7d5", _GREY]},
                },
            },
        },
        words,
    )
