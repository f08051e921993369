"""What the tests with processes of their own share: one data folder, which each gets a copy of."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.kept.template import made_or_copied
from tests.support.processes import Program


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with an empty database: to make one takes longer than to copy it."""
    with tempfile.TemporaryDirectory(prefix="hlv", dir="/tmp") as name:
        program = Program(Path(name))
        run = tmp_path_factory.getbasetemp()
        made_or_copied(partial(_migrate, program), program.data_dir, run, "migrated")
        program.log.close()
        yield program.data_dir


def _migrate(program: Program) -> None:
    done = program.run("migrate")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def new_folder(migrated: Path, anyio_backend: str) -> Iterator[Callable[[], Path]]:
    """Makes folders for programs of this test, each with a data folder in it."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="hlp", dir="/tmp")))
        # With its owners: the server of the database runs as a user of its own.
        subprocess.run(["cp", "-a", migrated, made[-1]], check=True)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
