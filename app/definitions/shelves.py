"""Definitions by name and version, on a shelf for each kind; pure."""

from enum import StrEnum
from typing import Any, Generic, TypeVar

from app.definitions.datafile import BadDefinition
from app.errors import Message

# The kind of a definition, its name and its version.
Key = tuple[str, str, int]
# The shelves of a library: the names of its fields, and of kinds in the register.
ShelfOf = TypeVar("ShelfOf", bound=StrEnum)


class Shelves(Generic[ShelfOf]):
    """What a library does with its shelves: fields that are named for the kind they hold."""

    gone: set[Key]

    def newest(self, kind: ShelfOf, name: str) -> Any:
        """Return the newest version of a definition. Raises BadDefinition."""
        shelf: dict[tuple[str, int], Any] = getattr(self, kind)
        versions = [key for key in shelf if key[0] == name and (kind, *key) not in self.gone]
        if not versions:
            raise BadDefinition("country.yaml", 1, self._missing(kind, name))
        return shelf[max(versions)]

    def restore(self, kind: str, text: str) -> None:
        """Restore a definition whose file is gone. It was checked when the file was read."""
        made = self._read_again(kind, text)
        if made is not None:
            key, definition = made
            getattr(self, kind)[key] = definition
            self.gone.add((kind, *key))

    def _missing(self, kind: ShelfOf, name: str) -> Message:
        return Message("there is no definition '%(name)s' (%(kind)s)", name=name, kind=kind)

    def _read_again(self, kind: str, text: str) -> tuple[tuple[str, int], Any] | None:
        """Return a definition with its name and version; None if this library has no such kind."""
        raise NotImplementedError
