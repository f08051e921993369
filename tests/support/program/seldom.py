"""What stories do without: what the worker does each minute, and reading rota and lines again."""

from datetime import timedelta

import pytest

from app import worker
from app.calls.lines import line_scripts
from app.routing.rota import roster

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
