"""How a change of definitions is said. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.definitions.trees import label_in
from app.errors import Message
from app.words.pages import N_

_LONGEST = 120


@dataclass(frozen=True)
class DefinitionChange:
    """One change: in which definition, and what; `caution` if a person should think of it."""

    where: Message
    words: Message
    caution: bool = False


@dataclass(frozen=True)
class Say:
    """Makes the changes of one definition, with labels in one language."""

    where: Message
    language: str

    def change(self, words: str, /, **values: Any) -> DefinitionChange:
        return DefinitionChange(self.where, Message(words, **values))

    def caution(self, words: str, /, **values: Any) -> DefinitionChange:
        return DefinitionChange(self.where, Message(words, **values), caution=True)

    def label(self, labels: dict[str, str]) -> str:
        return quoted(label_in(labels, self.language))

    def renamed(self, before: dict[str, str], after: dict[str, str]) -> DefinitionChange:
        """Say that a code has another label, in the first language in which it has."""
        languages = (self.language, *after, *before)
        one = next(name for name in languages if before.get(name) != after.get(name))
        return self.caution(
            N_(
                "%(before)s is now called %(after)s. If it means something else, give it a code of "
                "its own: what is stored keeps the code."
            ),
            before=quoted(before.get(one, "")),
            after=quoted(after.get(one, "")),
        )


def quoted(text: Any) -> str:
    """Return a text of a file in quotation marks, cut if it is long."""
    words = " ".join(str(text).split())
    return f"“{words if len(words) <= _LONGEST else words[: _LONGEST - 3] + '...'}”"


def labelled(part: Any, names: Iterable[str]) -> str | None:
    """Return what names a part of a list, if it has a name."""
    if not isinstance(part, dict):
        return None
    return next((str(part[name]) for name in names if name in part), None)
