"""A copy of the words, to which a language can be added."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import words
from app.words import pages


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the words, to which a language can be added."""
    copy = tmp_path / "words"
    shutil.copytree(words.FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(words, "FOLDER", copy)
    words.forget()
    pages.forget()
    yield copy
    monkeypatch.undo()
    words.forget()
    pages.forget()
