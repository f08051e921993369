"""Texts that a catalogue of gettext names by their keys (`msgctxt`). Pure.

The message of a text is its English, so that a text of an earlier version is not said for another
one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from babel.messages.catalog import Catalog, Message

from app import words
from app.errors import Message as Said


class Keyed(ABC):
    """The texts of one kind, in every language."""

    @abstractmethod
    def texts_of(self, language: str) -> Mapping[str, str]:
        """Return every text of a language by its key, as it is in force. A text may be missing."""

    @abstractmethod
    def shipped_of(self, language: str) -> Mapping[str, str]:
        """Return every text of a language by its key, as it is shipped. A text may be missing."""

    @abstractmethod
    def use(self, own: Mapping[str, Mapping[str, str]]) -> None:
        """Say these texts before the shipped ones from now on, and no others. They are checked."""

    @abstractmethod
    def problem_of(self, key: str, source: str, text: str) -> Said | None:
        """Return what is wrong with a text, or None. `source` is its English."""

    def notes(self, key: str) -> list[str]:
        """Return what a translator has to know of a text."""
        return []

    def counts_anyway(self, _key: str) -> bool:
        """Return whether a text counts also if its English has changed: it translates nothing."""
        return False

    def clash_of(self, key: str, language: str, mine: Mapping[str, str]) -> Said | None:
        """Return what keeps a text from being imported for a language, beside what is wrong with it
        alone. `mine` are the texts of the language."""
        return None

    def fill(self, catalogue: Catalog, language: str) -> None:
        """Add every text to a catalogue, with what is in force in a language."""
        known = self.texts_of(language)
        for key, source in self.texts_of(words.SOURCE).items():
            catalogue.add(source, known.get(key), context=key, auto_comments=self.notes(key))

    def count(self, language: str) -> tuple[int, int]:
        """Return how many texts a language has, and how many there are."""
        there = self.texts_of(words.SOURCE)
        known = self.texts_of(words.spoken_as(language))
        return sum(key in known for key in there), len(there)

    def read(self, given: Catalog) -> dict[str, str]:
        """Return the texts of a catalogue by their keys, without those that cannot be said.

        A text whose English has changed since is left out: it may mean something else.
        """
        return {
            str(one.context): str(one.string)
            for one in _translated(given)
            if not self._wrong_with(one)
        }

    def wrong(self, language: str, given: Catalog) -> Iterator[Said]:
        """Yield what is wrong in a catalogue that is to be imported, with the line of the file."""
        new = {str(one.context): str(one.string) for one in _translated(given)}
        mine = {**self.texts_of(language), **new}
        for one in _translated(given):
            problem = self._wrong_with(one) or self.clash_of(str(one.context), language, mine)
            if problem is not None:
                yield Said("line %(line)s: %(problem)s", line=one.lineno, problem=problem)

    def _wrong_with(self, one: Message) -> Said | None:
        """Return what is wrong with a text, apart from others."""
        key, source = one.context, self.texts_of(words.SOURCE)
        if key is None or not isinstance(one.string, str):
            return Said(
                "there is no key (msgctxt) here; save the file from this page, and edit that"
            )
        if key not in source:
            return Said("there is no text %(key)s; save the file again, and edit that", key=key)
        if one.id != source[key] and not self.counts_anyway(key):
            return Said(
                "the English of %(key)s is another one now; save the file again, and edit that",
                key=key,
            )
        return self.problem_of(key, source[key], one.string)


def _translated(given: Catalog) -> Iterator[Message]:
    return (one for one in given if one.id and one.string and not one.fuzzy)
