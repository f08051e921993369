"""What stories do without: what the worker does each minute or day, and reading again."""

from datetime import timedelta
from typing import Any

import pytest

from app import worker
from app.calls.lines import line_scripts
from app.routing.rota import roster
from app.statistics import jobs
from app.telephony.reconcile.comparing import defer_comparison
from app.work import Ground

_QUARTER = 900
_EACH_MINUTE = ("COVERAGE_EVERY", "COMPARED_EVERY", "NUMBERS_EVERY")


def each_quarter_only(patch: pytest.MonkeyPatch) -> None:
    """Look at rota, call-backs, provider and figures each quarter of an hour only.

    It takes sixty statements, and most stories are about none of it. The nightly run does it each
    minute in all stories. Rota and lines are remembered until a topic says that they have changed.
    """
    for name in _EACH_MINUTE:
        patch.setattr(worker, name, _QUARTER)
    for module in (roster, line_scripts):
        patch.setattr(module, "BELIEVED", timedelta(hours=1))


def not_before_the_first_ring(patch: pytest.MonkeyPatch) -> None:
    """Compare nothing with the provider as a story begins: no ring can have been missed.

    To ask for the provider's lists takes a third of a stage. A program that starts again compares.
    """
    begun = list[Ground]()

    async def from_the_second(ground: Ground) -> None:
        if begun:
            await defer_comparison(ground)
        begun.append(ground)

    patch.setattr(worker, "defer_comparison", from_the_second)


def keep_no_days(patch: pytest.MonkeyPatch) -> None:
    """Count the figures of days that are over when they are read, and keep none.

    A story that skips months would keep each of their days.
    """

    async def no_days(*_given: Any) -> list[Any]:
        return []

    async def none_kept(*_given: Any) -> int:
        return 0

    patch.setattr(jobs, "days_to_keep", no_days)
    patch.setattr(jobs, "keep_days", none_kept)
