"""The words of a language that speak of danger: how they are looked for, and what a list of them
keeps to. Pure.

Each is the beginning of a word, or several words one after the other. Too short or too common ones
would mark almost everything that a child writes, and a mark that is always there is no mark.
"""

import re
from collections.abc import Iterable, Mapping
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
# those of its own language, and in those of any other. All shipped words of a language together are
# found in one of 50 at most (15 of 842).
ONE_IN, _ONE_IN_OTHERS = 25, 10
# A phrase of this many common words, or fewer, says nothing.
_MOST_COMMON = 2
# Entries of a list that is imported: ten times those of the longest shipped one.
MOST = 500
_FILLED_IN = re.compile(r"\{[^{}]*\}")
_QUOTED = 60


def stem(word: str) -> str:
    """Return what is looked for of a word; empty if it has too few letters."""
    plain = folded(word)[0].strip()
    return plain if sum(one.isalnum() for one in plain) >= SHORTEST else ""


@lru_cache(maxsize=32)
def pattern(danger: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return what finds these words in a folded text, or None if none of them can be looked for."""
    stems = {stem(one) for one in danger} - {""}
    return _finding(stems) if stems else None


def _finding(stems: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of these stems. At one place it finds the longest."""
    longest_first = sorted(stems, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(_looked_for, longest_first)) + ")")


def _looked_for(plain: str) -> str:
    return re.escape(plain) + (r"(?!\w)" if len(plain) <= _WHOLE else "")


def problem_of(language: str, text: str) -> Message | None:
    """Return what is wrong with a list of words that is to be imported for a language, or None.

    The shipped words of the language are right. The time that it takes grows with the list, and not
    with the list times the sentences: each is folded once, and read once for all words together.
    """
    given = texts.entries(text)
    if len(given) > MOST:
        return Message("%(key)s may have at most %(most)s entries", key=KEY, most=MOST)
    shipped = {stem(one) for one in texts.entries(words.shipped_texts(language).get(KEY, ""))}
    new = dict[str, str]()
    for one in given:
        plain = stem(one)
        if not plain:
            return Message(
                "%(key)s: “%(word)s” is too short; write at least %(least)s letters",
                key=KEY,
                word=one,
                least=SHORTEST,
            )
        if plain not in shipped:
            new.setdefault(plain, one)
    if not new:
        return None
    for one in new.values():
        if (where := common_in(language, one)) is not None:
            return _refusal(one, where)
    of = _finding(new)
    for other in dict.fromkeys((language, *words.languages())):
        found = _too_common(
            of, harmless_folded(other), ONE_IN if other == language else _ONE_IN_OTHERS
        )
        if found is not None:
            plain, text = found
            return _refusal(new[plain], text)
    return None


def _too_common(
    of: re.Pattern[str], sentences: Mapping[str, str], one_in: int
) -> tuple[str, str] | None:
    """Return the stem that is found most often, and a sentence with it, if what is looked for is in
    too many sentences. These are by what is folded of them."""
    found = dict[str, list[str]]()
    together = 0
    for plain, sentence in sentences.items():
        stems = dict.fromkeys(match[0] for match in of.finditer(plain))
        together += bool(stems)
        for one in stems:
            found.setdefault(one, []).append(sentence)
    if together * one_in <= len(sentences):
        return None
    most = max(found, key=lambda one: len(found[one]))
    return most, min(found[most], key=len)


def _refusal(word: str, text: str) -> Message:
    return Message(
        "%(key)s: “%(word)s” is in too many harmless sentences, as in “%(text)s”; write a longer "
        "word, or several together",
        key=KEY,
        word=word,
        text=text[:_QUOTED],
    )


def common_in(language: str, word: str) -> str | None:
    """Return the common word of a language in which a word of danger would be found, or what it is
    if it is one or two common words, also of another language; None for every other word. Three
    common words together may be a cry: "he comes at night".

    The sentences of the program hold few greetings, and a conversation begins with one.
    """
    looked_for = stem(word)
    if not looked_for:
        return None
    of = _finding([looked_for])
    own = next((said for plain, said in common(language).items() if of.search(plain)), None)
    if own is not None:
        return own
    parts = looked_for.split()
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


@lru_cache(maxsize=32)
def harmless_folded(language: str) -> Mapping[str, str]:
    """Return the harmless sentences of a language by what is folded of them, which takes long."""
    return {folded(one)[0]: one for one in harmless(language)}
