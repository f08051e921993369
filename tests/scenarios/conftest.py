"""What stories do without: telephones and jobs, or what the worker does each minute."""

import pytest

from tests.support.profile import WHOLE
from tests.support.program.seldom import each_quarter_only


@pytest.fixture(autouse=True)
def each_quarter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do each quarter of an hour what production does each minute, but for `each_minute`."""
    if not WHOLE and "each_minute" not in request.fixturenames:
        each_quarter_only(monkeypatch)
