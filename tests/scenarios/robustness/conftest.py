"""Folders for the tests with processes of their own, each with a copy of one data folder."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kept.places import short_folder


@pytest.fixture
def new_folder(migrated: Path, anyio_backend: str) -> Iterator[Callable[[], Path]]:
    """Makes folders for programs of this test, each with a data folder in it."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="hlp", dir=short_folder())))
        # With its owners: the server of the database runs as a user of its own.
        subprocess.run(["cp", "-a", migrated, made[-1]], check=True)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
