"""In which order, in which process and with which marks the tests run; `fixtures.py` has theirs."""

import functools
import gc
import inspect
import os
from typing import Any

import pytest
from hypothesis.internal import charmap
from hypothesis.internal.conjecture import providers
from hypothesis.internal.intervalsets import IntervalSet
from xdist.scheduler import LoadScopeScheduling

from tests.support.profile import WHOLE

# What is loaded stays: to look for garbage in it again and again takes a tenth of the loading.
# `pytest_collection_finish` goes on with it.
gc.disable()


if not WHOLE:
    # Hypothesis would read every source in each process, to draw now and then a constant of it.
    providers._get_local_constants = lambda: providers._local_constants
    # And it would encode every character there is, which takes a second where none did before.
    _ENCODED = IntervalSet(((0, 0xD7FF), (0xE000, 0x10FFFF)))
    _encoded = charmap.intervals_from_codec
    charmap.intervals_from_codec = functools.cache(
        lambda name: (_ENCODED, IntervalSet(())) if name == "utf-8" else _encoded(name)
    )


# These start servers and databases of their own.
_OWN_PROCESSES = (
    "test_outages",
    "test_killed_processes",
    "test_killed_between_rings",
    "test_killed_keeper",
    "robustness/test_demo",
    "test_replaced_server",
    "test_planted_night",
    "test_failed_start",
)


# The files of tests/statistics whose tests count hundreds of lived days.
_LIVED = (
    "budget_of_persons",
    "command",
    "exports",
    "guard",
    "life",
    "release",
    "reports",
    "requested_files",
    "time",
)


# The tests of requests about a person's data are of situations that are written down once in a
# process, and of the same statements: one process has them. These are stories on a stage.
_REQUESTS = "tests/retention/data_requests/"
_STORIES = ("test_data_request_story", "test_two_officers")


# To read every source, and every template, takes seconds, once in a process.
_SOURCES = (
    "tests/api/test_changes_are_logged.py",
    "tests/dashboard/test_context_values.py",
    "tests/dashboard/test_fields_with_codes.py",
    "tests/dashboard/test_settings_pages.py::test_each_field_of_the_log_has_words",
    "tests/security/test_connections.py",
    "tests/security/test_cryptography.py",
    "tests/security/test_patterns.py::test_every_pattern_that_is_made",
    "tests/security/test_patterns.py::test_no_pattern_takes_the_square",
    "tests/security/test_threads.py::test_every_place_that_uses_another_thread",
    "tests/supply/test_declared.py",
    "tests/telephony/test_platforms_seam.py",
    "tests/test_audit_kinds.py",
    "tests/test_codes.py",
    "tests/test_jobs.py",
    "tests/words/test_dates_that_are_read.py",
    "tests/words/test_logged_values.py",
    "tests/words/test_named_refusals.py",
    "tests/words/test_pages.py",
    "tests/words/test_shown_codes.py",
    "tests/words/test_used_keys.py",
)


# Verbs that are rolled back, of which each folder takes seconds: not among the fast ones.
_LONG_TOGETHER = (
    "tests/referrals/replies/",
    "tests/retention/data_requests/",
    "tests/routing/rota/",
    "tests/telephony/inbound/",
)


# The longest first: what begins last is what the other processes wait for.
_LONG = (
    "tests/statistics/",
    _REQUESTS,
    "web/test_every_route",
    "test_access_table",
    "tests/package/",
    *_SOURCES,
    "test_random_events",
    "browser/test_telephone",
    *_OWN_PROCESSES,
)


# These run on the real clock: what a child hears, and how long a click may take, must not depend
# on what other tests do beside them.
_REAL_TIME = (
    "tests/browser/",
    "test_many_rings",
    "test_reconciling",
    "test_switchboard",
    *_OWN_PROCESSES,
)


# These fork processes from a warm one, which those of the stories have, too: to make it takes as
# long as to load the program.
_FORKED = (
    "sealing/test_resealing",
    "security/test_patterns",
    "web/test_limits",
    "package/test_read_only",
)


# The processes that take them: they mostly wait, and have the machine before the others.
_FIRST = ("gw0", "gw1")


def pytest_configure(config: pytest.Config) -> None:
    # What only hands out the tests to other processes need not load the program.
    if not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("tests.fixtures")


class _Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """A file at a time, to whichever process is free: by preference one of the folder it is at.

    Each process and each of its connections has to learn the statements of an area: to spread a
    folder over all of them takes a twelfth longer. What is in real time goes test by test. Hundreds
    of lived days take a minute to make, and so does an installed package: one process makes them
    and uses them. A browser with two telephones takes ten seconds.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        # The folder that each process is at, by its name.
        self._folders: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        if any(nodeid.startswith(f"tests/statistics/test_{name}.py") for name in _LIVED):
            return "tests/statistics/"
        together = (
            # Its server is forked, and needs nothing of what the others of its folder make.
            "tests/package/test_read_only.py",
            "tests/package/",
            "tests/browser/test_telephone.py",
        )
        if nodeid.startswith(_REQUESTS) and not any(name in nodeid for name in _STORIES):
            return _REQUESTS
        # These are of the same statements.
        if nodeid.startswith("tests/retention/test_forgotten_numbers.py"):
            return _REQUESTS
        if nodeid.startswith(_SOURCES):
            return "the sources"
        one = nodeid if _is_real_time(nodeid) else _file_of(nodeid)
        return next((part for part in together if nodeid.startswith(part)), one)

    def _assign_work_unit(self, node: Any) -> None:
        name = node.gateway.id
        scope = self._next_for(name)
        self._folders[name] = _folder_of(scope)
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _next_for(self, name: str) -> str:
        """Return what a process does next: what takes long, else a file of the folder it is at,
        else one of a folder that no other process is at."""
        first = name in _FIRST
        waiting: list[str] = [scope for scope in self.workqueue if _is_real_time(scope) == first]
        waiting = waiting or list(self.workqueue)
        if _is_long(waiting[0]):
            return waiting[0]
        here = self._folders.get(name)
        others = {folder for one, folder in self._folders.items() if one != name}
        near = (scope for scope in waiting if _folder_of(scope) == here)
        apart = (scope for scope in waiting if _folder_of(scope) not in others)
        return next(near, None) or next(apart, waiting[0])


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _folder_of(scope: str) -> str:
    return _file_of(scope).rpartition("/")[0]


def _is_long(scope: str) -> bool:
    return scope == "the sources" or any(name in scope for name in _LONG)


@functools.cache
def _is_real_time(scope: str) -> bool:
    return any(name in scope for name in (*_REAL_TIME, *_FORKED))


def pytest_sessionstart() -> None:
    if os.environ.get("PYTEST_XDIST_WORKER", _FIRST[0]) not in _FIRST:
        os.nice(10)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduler:
    # By itself it would begin with the files that have the most tests.
    config.option.loadscopereorder = False
    return _Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        own = any(name in item.nodeid for name in _OWN_PROCESSES)
        used = getattr(item, "fixturenames", ())
        together = item.nodeid.startswith(_LONG_TOGETHER)
        if own or together or ("server" in used and "work" not in used):
            # The rest is rules, and verbs that are rolled back: `scripts/test --fast`. Those of
            # them that take long say so themselves, by the same mark.
            item.add_marker(pytest.mark.whole)
        if "lived_through" in used:
            # The first of them lives the days: minutes, where others use the machine, too.
            item.add_marker(pytest.mark.timeout(5400 if WHOLE else 900))
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.anyio)
    # What takes long begins first, so that no process is left with it at the end.
    items.sort(key=_rank)


def pytest_collection_finish() -> None:
    """What is loaded stays: to look through it for garbage again and again takes a tenth."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def _rank(item: pytest.Item) -> tuple[int, str]:
    """Return the place of a test in the list of the longest, or one after all of them.

    Those of one situation follow one another: the database of the process holds one at a time.
    """
    nodeid = item.nodeid
    places = (place for place, name in enumerate(_LONG) if name in nodeid)
    mark = item.get_closest_marker("situation")
    situation = mark.kwargs["by"].__name__ if mark and mark.kwargs else ""
    return next(places, len(_LONG)), situation
