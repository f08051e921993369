"""A supervisor who approves, and an administrator who asks."""

import pytest

from app.staff.models import Staff
from app.work import Work
from tests.support.identity.approval import a_reader
from tests.support.verbs import an_administrator


@pytest.fixture
async def vera(work: Work) -> Staff:
    """A supervisor who can sign in: the one who could approve."""
    return await a_reader(work, "vera")


@pytest.fixture
async def mila(work: Work) -> Staff:
    return await an_administrator(work)
