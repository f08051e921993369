"""What benchmarks find: one JSON line per measure, printed and, if wanted, kept in a file.

`docs/developers/measures.md` is rendered from these files by `scripts/measures`.
"""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

# The lines of the benchmark that is running.
_lines: list[dict[str, Any]] = []


def report(
    measure: str,
    ours: float,
    floor: float | None,
    unit: str,
    target: float | None,
    *,
    at_least: bool = True,
) -> None:
    """Print one JSON line. `ratio` is ours to the floor; `met` says whether the target is met."""
    ratio = ours / floor if floor else None
    compared = ratio if ratio is not None else ours
    met = None if target is None else (compared >= target if at_least else compared <= target)
    line = {
        "measure": measure,
        "ours": round(ours, 3),
        "floor": round(floor, 3) if floor else None,
        "ratio": round(ratio, 3) if ratio is not None else None,
        "unit": unit,
        "target": target,
        "at_least": at_least,
        "met": met,
    }
    _lines.append(line)
    print(json.dumps(line), flush=True)


@contextlib.contextmanager
def kept(name: str, folder: Path | None, now: datetime) -> Iterator[None]:
    """Keep what a benchmark reports in `folder/NAME.json`, once it has run to its end."""
    _lines.clear()
    found = {
        "benchmark": name,
        "on": now.date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        # Processes that wanted a core before it began: other work makes figures worse.
        "load": round(os.getloadavg()[0], 1),
        "measures": _lines,
    }
    yield
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found, indent=1)
        (folder / f"{name}.json").write_text(text + "\n")
