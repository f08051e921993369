"""The files of a country's own definitions, wherever they are kept. Pure."""

import contextlib
import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from app.definitions.datafile import BadDefinition
from app.errors import Message

# Characters of a path that are told: a wrong one may be of any length.
_TOLD = 200


@dataclass(frozen=True)
class Folder:
    """Names and texts of files, in the order of their names. Two with the same files are equal."""

    files: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str | None:
        """Return the text of a file, or None if there is none of that name."""
        return self._texts.get(name)

    @cached_property
    def _texts(self) -> dict[str, str]:
        return dict(self.files)

    @cached_property
    def digest(self) -> bytes:
        """Return a digest by which the same files are known again."""
        parts = (f"{len(name)} {name} {len(text)} {text}" for name, text in self.files)
        return hashlib.sha256("\n".join(parts).encode()).digest()


def folder_with(texts: dict[str, str]) -> Folder:
    """Return the folder of these files."""
    return Folder(tuple(sorted(texts.items())))


def read_folder(path: Path) -> Folder:
    """Read the definition files of a folder. Raises BadDefinition."""
    # If a path is too long, nothing can be said about it.
    is_folder = False
    with contextlib.suppress(OSError):
        is_folder = path.is_dir()
    if not is_folder:
        named = str(path)[:_TOLD]
        raise BadDefinition(named, 1, Message("HELPLINE_DEFINITIONS_DIR is not a folder"))
    return folder_with({file.name: _text_of(file) for file in path.glob("*.yaml")})


@lru_cache(maxsize=8)
def shipped_folder(path: Path) -> Folder:
    """Return the files that come with the program: they do not change while it runs."""
    return read_folder(path)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadDefinition(path.name, 1, Message("cannot be read as UTF-8 text")) from None
