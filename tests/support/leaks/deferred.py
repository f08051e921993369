"""What jobs are deferred with. A job that has ended is deleted, so every argument is kept here.

An argument is an id, a count, an instant, or one of a few codes: a job waits in the queue in clear,
and its arguments are in log lines. Every test looks at those of its own jobs when it ends.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from typing import Any

import pytest

from app.work import DeferredJob, JobName, Work

_deferred: list[DeferredJob] = []

# No digits of a telephone in it.
_AGENCY = re.compile(r"(?!.*[0-9]{6})[a-z0-9][a-z0-9-]*")
_PATH = re.compile(r"[a-z_]+(?:\.[a-z0-9]{1,4})?\.[a-z_][a-z0-9_]*")
_SEALED = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_BROWSERS = frozenset({"", "Chrome", "Edge", "Firefox", "Opera", "Safari"})
# A longer number could be one at which a person is rung.
_MOST, _COUNT = 9_999, re.compile(r"[0-9]{1,4}")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.+]+)?")


@contextmanager
def deferred_jobs_kept() -> Iterator[None]:
    """Keep every job that is deferred, until the context is left."""
    made = Work.defer

    def defer(self: Work, task: JobName, **arguments: Any) -> None:
        made(self, task, **arguments)
        _deferred.append(self.jobs[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "defer", defer)
        yield


def in_jobs(*words: str) -> list[DeferredJob]:
    """Return the jobs of this test that were deferred with one of these words.

    Fails if none was deferred at all. An id or an instant has digits by chance.
    """
    assert _deferred, "no job was deferred"
    return [one for one in _deferred if any(word in _said(one) for word in words)]


def _said(job: DeferredJob) -> str:
    written = json.dumps(job.arguments, ensure_ascii=False)
    return _INSTANT.sub("", _ID.sub("", written))


def take_unfit() -> list[str]:
    """Return what is no code in the jobs deferred since the last look, with the name of the job."""
    taken = _deferred.copy()
    _deferred.clear()
    return [
        f"{one.task}: {name}={value!r}"
        for one in taken
        for name, value in one.arguments.items()
        if not _fits(name, value)
    ]


def _fits(name: str, value: Any) -> bool:
    return (_is_id if name.endswith("_id") else _shapes().get(name, _never))(value)


def _never(_: Any) -> bool:
    return False


def _is_id(value: Any) -> bool:
    """Return whether it is the id of a row; empty stands for none."""
    return value == "" or _like(_ID)(value) or _is_count(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= _MOST


def _is_instant(value: Any) -> bool:
    return _like(_INSTANT)(value)


def _like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _one_of(*kinds: type[StrEnum]) -> Callable[[Any], bool]:
    known = {one.value for kind in kinds for one in kind}
    return lambda value: value in known


@cache
def _shapes() -> dict[str, Callable[[Any], bool]]:
    """What an argument may be, by its name. A name that is not here is refused."""
    # Each is loaded by now if a job was deferred with one of its codes.
    from app.calls.lines.leading import Leads
    from app.calls.sentences import Sentence
    from app.contacts.states import ReminderTo, RequestTo
    from app.referrals.trail import Via
    from app.retention.data_requests.kinds import Reminder, RequestEnd
    from app.safekeeping.models import Way
    from app.staff.emergency_rows import EmergencyState
    from app.staff.telling import Told

    leads = _one_of(Leads)
    return {
        "agency": lambda value: value == "" or _like(_AGENCY)(value),
        "asked": lambda value: isinstance(value, bool),
        "at": _is_instant,
        "at_once": lambda value: isinstance(value, bool),
        "attempts": _is_count,
        "browser": lambda value: value in _BROWSERS,
        "by": lambda value: _is_id(value) or _is_instant(value),
        "changed": lambda value: all(leads(one) for one in value),
        "entry": _is_count,
        "former": lambda value: value is None or _like(_SEALED)(value),
        "how": _one_of(Via),
        "key": lambda value: _is_id(value) or _like(_COUNT)(value),
        "looks": lambda value: isinstance(value, bool),
        "number": _is_count,
        "paths": lambda value: all(_like(_PATH)(one) for one in value),
        "refused": _is_count,
        "sentence": _one_of(Sentence),
        "state": _one_of(EmergencyState, Reminder, RequestEnd),
        "taken_back": lambda value: isinstance(value, bool),
        "times": _is_count,
        "to": _one_of(ReminderTo, RequestTo),
        "turn": lambda value: _is_count(value) or _is_instant(value),
        "way": _one_of(Way),
        "what": _one_of(Told),
    }
