"""Charts that are not drawn, where pages are opened for who may see them.

To draw one takes as long as many a page. By day `tests/statistics/test_reports.py` draws them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.statistics.reports.charts import Chart
from tests.support.profile import WHOLE

_BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'


def _blank(_: Chart) -> str:
    return _BLANK


@contextmanager
def undrawn() -> Iterator[None]:
    """Let each chart be blank by day, until the context is left."""
    with pytest.MonkeyPatch.context() as patch:
        if not WHOLE:
            patch.setattr(Chart, "svg", _blank)
        yield
