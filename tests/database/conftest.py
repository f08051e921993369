"""A database of an earlier version."""

from collections.abc import Iterator

import psycopg
import pytest

from app.database.own_server import as_role
from app.database.roles import OWNER
from tests.support.kept.databases import named


@pytest.fixture
def earlier(server: str) -> Iterator[str]:
    """The address of an empty database of an earlier version: `upgrade_to` says of which."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE earlier OWNER {OWNER}")
        yield as_role(named(server, "earlier"), OWNER)
        connection.execute("DROP DATABASE earlier WITH (FORCE)")
