"""Logs: one JSON line per event, without personal data.

Only the fields on the list below are written. The value of any other field is
replaced, so that a careless `log.info("...", number=...)` cannot leak.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from app.crashes import chain_of

ALLOWED_FIELDS = frozenset(
    "event level timestamp logger area call_id offer_id leg_id staff_id line_id task job_id status "
    "code seconds attempt count kind state outcome cause path method reason port url_host process "
    "version exception_type raised_at where role session permission".split(" ")
)
_OURS = Path(__file__).parent.parent
# A run of seven digits or more is a phone number until proven otherwise.
_NUMBER = re.compile(r"(?<![0-9a-fA-F-])\+?\d(?:[\s().-]?\d){6,}(?![0-9a-fA-F-])")


def without_personal_data(
    _logger: Any, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace every field that is not on the list, and mask what looks like a phone number."""
    for name in list(entry):
        if name not in ALLOWED_FIELDS:
            entry[name] = "[not logged]"
        elif isinstance(entry[name], str) and name != "timestamp":
            entry[name] = _NUMBER.sub("[number]", entry[name])
    return entry


class _Masked(logging.Formatter):
    """Formats the libraries' own lines: no traceback, and possible phone numbers are masked."""

    def format(self, record: logging.LogRecord) -> str:
        text = _NUMBER.sub("[number]", record.getMessage().splitlines()[0][:300])
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        return f"{record.levelname.lower()} {record.name}: {text} {kind}".rstrip()


def set_up_logging(level: str = "INFO") -> None:
    """Send our own events and the libraries' warnings to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_personal_data,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masked())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def log() -> structlog.stdlib.BoundLogger:
    """Return the program's log."""
    return structlog.get_logger()  # type: ignore[no-any-return]


def fault(error: BaseException) -> dict[str, str]:
    """Return what the log says of an error that was not expected: its kind, and where we raised it.

    None of its words, because they may hold a caller's. The place is the last line of the program
    on the way to the error, like `app/routing/queue.py:81`; there is none if it never was in it. In
    a group the first error counts; if a library made its error of one of ours, ours counts.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = {"exception_type": type(error).__name__}
    for one in chain_of(error):
        if place := _place_of(one):
            return said | {"raised_at": place}
    return said


def _place_of(error: BaseException) -> str:
    lines = (
        (frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)
    )
    ours = [(Path(name), line) for name, line in lines if name.startswith(f"{_OURS / 'app'}/")]
    if not ours:
        return ""
    path, line = ours[-1]
    return f"{path.relative_to(_OURS).as_posix()}:{line}"
