"""What stories do without: telephones and jobs, or what the worker does each minute."""

import pytest

from app import worker
from app.telephony.reconcile.comparing import defer_comparison
from app.work import Ground
from tests.support.profile import WHOLE
from tests.support.program.seldom import each_quarter_only

# The folders of stories about what the provider knows and the program does not.
_COMPARED_AT_THE_START = {"provider", "robustness"}


@pytest.fixture(autouse=True)
def each_quarter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do each quarter of an hour what production does each minute, but for `each_minute`."""
    if not WHOLE and "each_minute" not in request.fixturenames:
        each_quarter_only(monkeypatch)


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
