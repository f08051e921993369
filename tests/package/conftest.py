"""A wheel of what is in the repository."""

import pytest

from tests.support.package.wheels import built_elsewhere


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A wheel of what is in the repository, built elsewhere."""
    return built_elsewhere(tmp_path_factory.mktemp("wheel"))
