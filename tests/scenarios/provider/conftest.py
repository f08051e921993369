"""The worker of these stories looks at rota, provider and figures each quarter of an hour."""

import pytest


@pytest.fixture(autouse=True)
def _seldom(each_quarter: None) -> None:
    """Stories that are about it use `each_minute`."""
