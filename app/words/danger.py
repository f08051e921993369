"""The words of a language that speak of danger: how they are looked for, and what a list of them
keeps to. Pure.

Each is the beginning of a word, or several words one after the other. Too short or too common ones
would mark almost everything that a child writes, and a mark that is always there is no mark.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from app import words
from app.errors import Message
from app.words import practice, texts
from app.words.folding import folded

KEY = "chats.danger"
# Letters without their marks. Real words of danger have two (Arabic: blood, poison): those are
# looked for as whole words, as beginnings they would be found everywhere.
SHORTEST, _WHOLE = 2, 2
# A list is refused if its new words are found in more than one of this many harmless sentences: in
# those of its own language, and in those of any other. Of the shipped words, all those of a
# language together are found in one of 50 at most (15 of 842).
_ONE_IN, _ONE_IN_OTHERS = 25, 10
# A phrase of this many common words, or fewer, says nothing.
_MOST_COMMON = 2
_FILLED_IN = re.compile(r"\{[^{}]*\}")
_QUOTED = 60


def stem(word: str) -> str:
    """Return what is looked for of a word; empty if it has too few letters."""
    plain = folded(word)[0].strip()
    return plain if sum(one.isalnum() for one in plain) >= SHORTEST else ""


@lru_cache(maxsize=32)
def pattern(danger: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return what finds these words in a folded text, or None if none of them can be looked for."""
    stems = sorted({stem(one) for one in danger} - {""}, key=len, reverse=True)
    if not stems:
        return None
    return re.compile(r"(?<!\w)(?:" + "|".join(map(_looked_for, stems)) + ")")


def _looked_for(plain: str) -> str:
    return re.escape(plain) + (r"(?!\w)" if len(plain) <= _WHOLE else "")


def problem_of(language: str, text: str) -> Message | None:
    """Return what is wrong with a list of words that is to be imported for a language, or None.

    The shipped words of the language are right.
    """
    shipped = {stem(one) for one in texts.entries(words.shipped_texts(language).get(KEY, ""))}
    new = [one for one in texts.entries(text) if not stem(one) or stem(one) not in shipped]
    for one in new:
        if not stem(one):
            return Message(
                "%(key)s: “%(word)s” is too short; write at least %(least)s letters",
                key=KEY,
                word=one,
                least=SHORTEST,
            )
    if not new:
        return None
    for one in new:
        if (where := common_in(language, one)) is not None:
            return _refusal(one, where)
    for other in (language, *words.languages()):
        found = _too_common(new, harmless(other), _ONE_IN if other == language else _ONE_IN_OTHERS)
        if found is not None:
            return found
    return None


def _too_common(new: Iterable[str], sentences: tuple[str, ...], one_in: int) -> Message | None:
    """Return which of these words is found most often, if they are in too many sentences."""
    found = {one: _found(pattern((one,)), sentences) for one in new}
    together = set().union(*found.values())
    if len(together) * one_in <= len(sentences):
        return None
    word = max(found, key=lambda one: len(found[one]))
    return _refusal(word, min(found[word], key=len))


def _refusal(word: str, text: str) -> Message:
    return Message(
        "%(key)s: “%(word)s” is in too many harmless sentences, as in “%(text)s”; write a longer "
        "word, or several together",
        key=KEY,
        word=word,
        text=text[:_QUOTED],
    )


def _found(of: re.Pattern[str] | None, sentences: tuple[str, ...]) -> set[str]:
    return {one for one in sentences if of is not None and of.search(folded(one)[0])}


def common_in(language: str, word: str) -> str | None:
    """Return the common word of a language in which a word of danger would be found, or what it is
    if it is one or two common words, also of another language; None for every other word. Three
    common words together may be a cry: "he comes at night".

    The sentences of the program hold few greetings, and a conversation begins with one.
    """
    of = pattern((word,))
    if of is None:
        return None
    own = next((said for plain, said in common(language).items() if of.search(plain)), None)
    if own is not None:
        return own
    parts = stem(word).split()
    if len(parts) > _MOST_COMMON:
        return None
    only = any(all(part in common(one) for part in parts) for one in words.languages())
    return word if only else None


@lru_cache(maxsize=32)
def common(language: str) -> dict[str, str]:
    """Return the greetings and the words of a language that children write all the time, by their
    stems. Raises BadWords."""
    return {folded(one)[0].strip(): one for one in words.common_words(language)}


@lru_cache(maxsize=32)
def harmless(language: str) -> tuple[str, ...]:
    """Return sentences of a language that are no cry for help: what the program says and writes to
    people, and what scripted children say."""
    told = (text for key, text in words.shipped_texts(language).items() if key != KEY)
    plain = (_FILLED_IN.sub("", one) for one in (*told, *practice.every_sentence(language)))
    return tuple(dict.fromkeys(plain))
