"""A keeper that runs, and a client of it."""

from collections.abc import Iterator

import pytest

from app.privacy.keeper.client import Keeper
from tests.support.sealing.keeper import FIRST, Kept


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    made = Kept(tmp_path_factory.mktemp("k") / "s")
    yield made
    made.end()


@pytest.fixture
def keeper(kept: Kept) -> Iterator[Keeper]:
    kept.begin(FIRST)
    client = Keeper(kept.path)
    yield client
    client.close()
