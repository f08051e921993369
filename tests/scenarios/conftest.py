"""What stories do without: a comparison with the provider before the first ring."""

import pytest

from app import worker
from app.telephony.reconcile.comparing import defer_comparison
from app.work import Ground
from tests.support.profile import WHOLE

# The folders of stories about what the provider knows and the program does not.
_COMPARED_AT_THE_START = {"provider", "robustness"}


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
