"""What stories do without: telephones and jobs, or what the worker does each minute."""

from datetime import timedelta

import pytest

from app import worker
from app.calls.lines import line_scripts
from app.routing.rota import roster
from app.telephony.reconcile.comparing import defer_comparison
from app.work import Ground
from tests.support.profile import WHOLE

_QUARTER = 900
_EACH_MINUTE = ("COVERAGE_EVERY", "COMPARED_EVERY", "NUMBERS_EVERY")
# The folders of stories about what the provider knows and the program does not.
_COMPARED_AT_THE_START = {"provider", "robustness"}


@pytest.fixture
def each_minute() -> None:
    """Do each minute what production does each minute: for stories that are about it."""


@pytest.fixture(autouse=True)
def each_quarter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at rota, call-backs, provider and figures each quarter of an hour only.

    It takes sixty statements, and most stories are about none of it. The nightly run does it each
    minute in all stories. Rota and lines are remembered until a topic says that they have changed.
    """
    if WHOLE or "each_minute" in request.fixturenames:
        return
    for name in _EACH_MINUTE:
        monkeypatch.setattr(worker, name, _QUARTER)
    for module in (roster, line_scripts):
        monkeypatch.setattr(module, "BELIEVED", timedelta(hours=1))


@pytest.fixture(autouse=True)
def not_before_the_first_ring(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare nothing with the provider as a story begins: no ring can have been missed.

    To ask for the provider's lists takes a third of a stage. A program that starts again compares.
    """
    is_about_it = _COMPARED_AT_THE_START & {*request.node.path.parts}
    if WHOLE or is_about_it or "each_minute" in request.fixturenames:
        return
    begun = list[Ground]()

    async def from_the_second(ground: Ground) -> None:
        if begun:
            await defer_comparison(ground)
        begun.append(ground)

    monkeypatch.setattr(worker, "defer_comparison", from_the_second)
