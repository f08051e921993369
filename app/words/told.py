"""What callers, children and agencies are told, as a catalogue of gettext. Pure.

The words are in the YAML files of each language. A catalogue names a text by its key (`msgctxt`);
its message is the English text, so that a text of an earlier version is not said for another one.
"""

from collections.abc import Iterator, Mapping

from babel.messages.catalog import Catalog, Message

from app import words
from app.errors import Message as Said
from app.words import texts

_DUTY_WORDS = "letters.duty_words."


def fill(catalogue: Catalog, language: str) -> None:
    """Add every text to a catalogue, with what is in force in a language."""
    known = words.texts_of(language)
    for key, source in words.texts_of(words.SOURCE).items():
        catalogue.add(source, known.get(key), context=key, auto_comments=_notes(key))


def _notes(key: str) -> list[str]:
    """Return what a translator has to know of a text."""
    if texts.is_list(key):
        return ["A list: one entry on each line, as many as the language needs."]
    if texts.is_sent_as_sms(key):
        return [f"Sent by SMS: at most {texts.MOST_PARTS} parts. Keep it short."]
    return []


def count(language: str) -> tuple[int, int]:
    """Return how many texts a language has, and how many there are."""
    there = words.texts_of(words.SOURCE)
    known = words.texts_of(words.spoken_as(language))
    return sum(key in known for key in there), len(there)


def read(given: Catalog) -> dict[str, str]:
    """Return the texts of a catalogue by their keys, without those that cannot be said.

    A text whose English has changed since is left out: it may mean something else.
    """
    return {str(one.context): str(one.string) for one in _translated(given) if not _problem(one)}


def wrong(language: str, given: Catalog) -> Iterator[Said]:
    """Yield what is wrong in a catalogue that is to be imported, with the line of the file."""
    lists = {
        str(one.context): str(one.string)
        for one in _translated(given)
        if str(one.context).startswith(_DUTY_WORDS)
    }
    for one in _translated(given):
        problem = _problem(one)
        if problem is None and one.context in lists:
            problem = _ambiguous(str(one.context), language, {**words.texts_of(language), **lists})
        if problem is not None:
            yield Said("line %(line)s: %(problem)s", line=one.lineno, problem=problem)


def _translated(given: Catalog) -> Iterator[Message]:
    return (one for one in given if one.id and one.string and not one.fuzzy)


def _problem(one: Message) -> Said | None:
    """Return what is wrong with a text, apart from other languages."""
    key, source = one.context, words.texts_of(words.SOURCE)
    if key is None or not isinstance(one.string, str):
        return Said("there is no key (msgctxt) here; save the file from this page, and edit that")
    if key not in source:
        return Said("there is no text %(key)s; save the file again, and edit that", key=key)
    if one.id != source[key]:
        return Said(
            "the English of %(key)s is another one now; save the file again, and edit that", key=key
        )
    return texts.problem_of(key, source[key], one.string)


def _ambiguous(key: str, language: str, mine: Mapping[str, str]) -> Said | None:
    """Return which word has another meaning already: all count in every language at once.

    `mine` are the texts of the language.
    """
    chosen = {one.lower() for one in texts.entries(mine[key])}
    for other in words.languages():
        for name, said in (mine if other == language else words.texts_of(other)).items():
            if name.startswith(_DUTY_WORDS) and name != key:
                for word in chosen & {one.lower() for one in texts.entries(said)}:
                    return Said(
                        "%(key)s: “%(word)s” has another meaning in %(language)s",
                        key=key,
                        word=word,
                        language=words.about(other).name,
                    )
    return None
