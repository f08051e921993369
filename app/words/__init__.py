"""What people hear and read, a folder per language. Pure, and read once.

English is the measure: a language has every key of English, with the same `{placeholders}`, or
it is refused when the program starts, with the name of the file and of the key.

A prompt that a helpline has changed, for one line or for all its lines, is kept in the database
and comes first. Then come the texts of a catalogue that it imported (`use`), and then those here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from app.errors import BadSettings
from app.words import texts
from app.words.cyrillic import to_cyrillic
from app.words.texts import placeholders as placeholders

FOLDER = Path(__file__).parent
# The language in which a text is written first, and which is spoken where no other is known.
SOURCE = "en"
# Marks the messages of the catalogues that the scripts of the pages say.
SCRIPTS_FLAG = "scripts"
_FILES = ("language.yaml", "prompts.yaml", "letters.yaml")
# What the page says on which a child writes. A language may lack texts of it, or the whole file.
_CHILD = "child.yaml"
# What counsellors need in a written conversation. The file may be missing; one that is there has
# every key.
_CHATS = "chats.yaml"
# Greetings and words that children write all the time: no word of danger is found in them.
_COMMON = "common.yaml"
# Our own files can be trusted, so the quick loader will do.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Texts that a helpline imported, by language and by key (`texts.py`).
_own: dict[str, Mapping[str, str]] = {}


class BadWords(BadSettings):
    """A language is not complete; the text names the file and the key."""


@dataclass(frozen=True)
class About:
    """How a language names itself, and how it is written and spoken.

    `locale` is Unicode's, for dates and numbers; `voice` is the provider's locale and the name
    of a voice, or None for the provider's own. Without a `voice` the provider cannot speak the
    language, and a line needs recordings. `trouble` is said when even the database is away.
    `reviewed`: a native speaker who works with children has read all its words. `until` stands
    between two times as people type them, and `stop` is a whole text that wants no more messages.
    """

    code: str
    name: str
    locale: str
    right_to_left: bool
    voice: tuple[str, str | None] | None
    trouble: str
    reviewed: bool
    until: tuple[str, ...]
    stop: tuple[str, ...]


@dataclass(frozen=True)
class Times:
    """How a language says instants and windows of time.

    `days` starts on Monday, `months` in January; both are written as in a sentence.
    """

    at: str
    tomorrow: str
    midnight: str
    midnight_on_day: str
    on_day: str
    date: str
    window: str
    window_tomorrow: str
    window_on_day: str
    days: tuple[str, ...]
    months: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """All words of a language: prompts by key, times, and letters by section and key."""

    about: About
    prompts: Mapping[str, str]
    times: Times
    letters: Mapping[str, Mapping[str, Any]]


# -- reading -----------------------------------------------------------------------------


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages that have a folder."""
    return tuple(one for one in written() if one not in _scripts())


@lru_cache(maxsize=1)
def written() -> tuple[str, ...]:
    """Return the languages that can be read: those with a folder, and their second scripts."""
    folders = (path for path in FOLDER.iterdir() if path.is_dir() and path.name[0].isalpha())
    return tuple(sorted(path.name for path in folders))


@lru_cache(maxsize=1)
def _scripts() -> dict[str, dict[str, Any]]:
    """Return what is known of each second script, by its code."""
    read = {one: _read(one, "language.yaml") for one in written()}
    return {one: about for one, about in read.items() if "written_from" in about}


def spoken_as(language: str) -> str:
    """Return the language of a second script (`sr` of `sr-Cyrl`), or the language itself."""
    return str(_scripts()[language]["written_from"]) if language in _scripts() else language


@lru_cache(maxsize=8192)
def in_script(language: str, text: str, source: str) -> str:
    """Return a text of the language as it is written; `source` is its English."""
    return turned_into(language, text, source)


def turned_into(language: str, text: str, source: str) -> str:
    """Return what `in_script` does, for words that people write: none of them is remembered."""
    if language not in _scripts():
        return text
    script = _scripts()[language]
    return to_cyrillic(text, source, script["shared"], script["apart"])


def _read(language: str, file: str) -> dict[str, Any]:
    path = FOLDER / language / file
    if not path.exists():
        raise BadWords(f"app/words/{language}/{file} is missing. Copy it from app/words/{SOURCE}.")
    try:
        read: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=LOADER)  # noqa: S506
    except yaml.YAMLError as error:
        where = str(error).replace("\n", " ")
        raise BadWords(f"app/words/{language}/{file} cannot be read: {where}") from None
    return read


def _read_if_there(language: str, file: str) -> dict[str, Any]:
    return (_read(language, file) or {}) if (FOLDER / language / file).exists() else {}


@lru_cache(maxsize=64)
def words_of(language: str) -> Words | None:
    """Return the words of a language, or None if it has no folder. Raises BadWords."""
    if language in _scripts():
        return _in_second_script(language)
    if language not in languages():
        return None
    read = {file: _read(language, file) for file in _FILES}
    if language != SOURCE:
        problem = next(problems(language, read), None)
        if problem is not None:
            raise BadWords(problem)
    about_, prompts, letters = (
        texts.laid_over(file, read[file], own_texts(language)) for file in _FILES
    )
    voice = about_["voice"]
    lists = {name: tuple(prompts["times"][name]) for name in ("days", "months")}
    return Words(
        About(
            language,
            about_["name"],
            about_["locale"],
            about_["right_to_left"],
            (voice["locale"], voice["name"] or None) if voice["locale"] else None,
            about_["trouble"],
            about_["reviewed"],
            tuple(about_["until"]),
            tuple(about_["stop"]),
        ),
        prompts["prompts"],
        Times(**{**prompts["times"], **lists}),
        letters,
    )


def _in_second_script(language: str) -> Words:
    """Return the words of a language, each text in its second script."""
    script, english = _scripts()[language], words_of(SOURCE)
    written_from = words_of(spoken_as(language))
    assert english is not None
    assert written_from is not None

    def turned(value: Any, source: Any) -> Any:
        if isinstance(value, str):
            return in_script(language, value, source if isinstance(source, str) else "")
        if isinstance(value, Mapping):
            return {name: turned(inner, source[name]) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(turned(inner, "") for inner in value)
        return value

    about_ = written_from.about
    return Words(
        replace(
            about_,
            code=language,
            name=script["name"],
            locale=script["locale"],
            trouble=turned(about_.trouble, english.about.trouble),
            until=turned(about_.until, ""),
            stop=turned(about_.stop, ""),
        ),
        turned(written_from.prompts, english.prompts),
        Times(**turned(vars(written_from.times), vars(english.times))),
        turned(written_from.letters, english.letters),
    )


def problems(language: str, read: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Yield what a language lacks or has too much, compared with English."""
    read = read or {file: _read(language, file) for file in _FILES}
    for file in _FILES:
        path = f"app/words/{language}/{file}"
        yield from _differences(file, path, "", _read(SOURCE, file), read[file])
    path = f"app/words/{language}/{_CHILD}"
    yield from _differences(_CHILD, path, "", _read(SOURCE, _CHILD), _for_child(language))
    if (FOLDER / language / _CHATS).exists():
        path = f"app/words/{language}/{_CHATS}"
        yield from _differences(_CHATS, path, "", _read(SOURCE, _CHATS), _read(language, _CHATS))
    try:
        common_words(language)
    except BadWords as error:
        yield str(error)


@lru_cache(maxsize=64)
def common_words(language: str) -> tuple[str, ...]:
    """Return the greetings and the words that children write all the time. Raises BadWords.

    Without them, a list that is imported could mark every message as one of danger.
    """
    read: object = _read(language, _COMMON)
    found = read.get("common") if isinstance(read, dict) else None
    if not isinstance(found, list) or not found:
        raise BadWords(f"app/words/{language}/{_COMMON}: common must be a list of words.")
    if not all(isinstance(one, str) and one.strip() for one in found):
        # YAML reads `no` and `on` as something else.
        raise BadWords(
            f"app/words/{language}/{_COMMON}: each entry must be a text. Put it in quotes."
        )
    return tuple(found)


def _for_child(language: str) -> dict[str, Any]:
    """Return what a language says on the page of a child, each missing text in English."""
    english = _read(SOURCE, _CHILD)
    own = _read_if_there(language, _CHILD)
    whole = {
        name: {**english.get(name, {}), **said} if isinstance(said, dict) else said
        for name, said in {**english, **own}.items()
    }
    return texts.laid_over(_CHILD, whole, own_texts(language))


def _differences(file: str, path: str, key: str, source: Any, text: Any) -> Iterator[str]:
    if type(source) is not type(text):
        yield f"{path}: {key or 'the file'} must be of the kind that it is in English."
    elif isinstance(source, dict):
        for name in source:
            inner = f"{key}.{name}".lstrip(".")
            if name not in text:
                yield f"{path}: {inner} is missing. It is in app/words/{SOURCE}."
            else:
                yield from _differences(file, path, inner, source[name], text[name])
        for name in text:
            if name not in source:
                yield f"{path}: {f'{key}.{name}'.lstrip('.')} is not in English. Remove it."
    elif isinstance(source, list):
        any_number = texts.is_list(".".join((*texts.FILES[file], key)))
        if not text or (len(text) != len(source) and not any_number):
            yield f"{path}: {key} needs {len(source)} entries."
        elif not all(isinstance(one, str) and one.strip() for one in text):
            # YAML reads `no` and `on` as something else.
            yield f"{path}: each entry of {key} must be a text. Put it in quotes."
    # Without a locale of the voice, the provider has none.
    elif isinstance(source, str) and source and key != "voice.locale":
        found = texts.problem_of(".".join((*texts.FILES[file], key)), source, text, key)
        if found is not None:
            yield f"{path}: {found}."


def check() -> None:
    """Read every language. Raises BadWords if one of them is not complete."""
    for language in languages():
        words_of(language)
        common_words(language)


def forget() -> None:
    """Read every language again, as when a folder was added."""
    kept = (languages, written, _scripts, words_of, common_words, in_script, shipped_texts)
    for one in (*kept, child_texts, missing_for_children):
        one.cache_clear()


# -- the texts of a helpline -------------------------------------------------------------


def use(own: Mapping[str, Mapping[str, str]]) -> None:
    """Say these texts before the shipped ones from now on, and no others.

    They are checked already: each is by language and by its key.
    """
    _own.clear()
    _own.update(own)
    for kept in (words_of, child_texts, missing_for_children):
        kept.cache_clear()


def own_texts(language: str) -> Mapping[str, str]:
    """Return the texts of a language that a helpline imported, by their keys."""
    return _own.get(language, {})


def texts_of(language: str) -> dict[str, str]:
    """Return every text of a language by its key, as it is in force. A text may be missing."""
    return {**shipped_texts(language), **own_texts(language)}


@lru_cache(maxsize=64)
def shipped_texts(language: str) -> Mapping[str, str]:
    """Return every text of a language by its key, as it is shipped. A text may be missing."""
    return {
        key: text
        for file in texts.FILES
        for key, text in texts.keyed(file, _read_if_there(language, file)).items()
    }


# -- asking ------------------------------------------------------------------------------


def known(language: str | None) -> str:
    """Return the language if it has words, else English."""
    return language if language in written() else SOURCE


def first_known(wanted: Iterable[str]) -> str:
    """Return the first of these languages that has words, else English."""
    return next((one for one in wanted if one in written()), SOURCE)


def _all(language: str | None) -> Words:
    found = words_of(known(language))
    assert found is not None
    return found


def about(language: str) -> About:
    """Return how a language is written and spoken, or how English is if it has no words."""
    return _all(language).about


def times_of(language: str) -> Times:
    """Return how a language says times, or how English does if it has no words."""
    return _all(language).times


def prompt(language: str, key: str) -> str | None:
    """Return the text of a prompt in a language, or None if the language has no words."""
    words = words_of(language)
    return words.prompts.get(key) if words is not None else None


def letters(language: str, section: str) -> Mapping[str, Any]:
    """Return a section of the letters, in English if the language has no words."""
    found: Mapping[str, Any] = _all(language).letters[section]
    return found


def letter(language: str, section: str, key: str, **values: object) -> str:
    """Return a text of the letters with its placeholders filled in."""
    return str(letters(language, section)[key]).format(**values)


def code_words(language: str, section: str, code: str) -> str:
    """Return a stored code in words, or the code itself if the section does not name it."""
    return str(letters(language, section).get(code) or code.replace("_", " "))


def yes_no(language: str) -> dict[str, str]:
    """Return the answers to a yes-or-no question, by their codes."""
    answers = letters(language, "answer")
    return {code: str(answers[code]) for code in ("yes", "no", "unknown")}


def stop_words() -> frozenset[str]:
    """Return the texts of all languages that want no more messages, folded for any case: a phone
    is used by more people than one."""
    return frozenset(word.casefold() for one in written() for word in about(one).stop)


def until_words() -> frozenset[str]:
    """Return what stands between two times, in every language."""
    return frozenset(word for one in written() for word in about(one).until)


def direction(language: str) -> str:
    """Return the direction in which a language is written, as HTML and Typst name it."""
    return "rtl" if about(language).right_to_left else "ltr"


def with_voice(wanted: Iterable[str]) -> list[About]:
    """Return those of these languages that the provider can speak; English if there is none."""
    found = [about(one) for one in dict.fromkeys(wanted) if one in written()]
    return [one for one in found if one.voice] or [about(SOURCE)]


def voice_for(language: str) -> tuple[str, str | None]:
    """Return the provider's locale and voice for a language; those of English if it has none."""
    found = about(language).voice or about(SOURCE).voice
    assert found is not None
    return found


# -- the page of a child -----------------------------------------------------------------


@lru_cache(maxsize=64)
def child_texts(language: str) -> Mapping[str, Mapping[str, str]]:
    """Return what the page of a child says: by section, then by key. What a language has no text
    for is said in English."""
    base = spoken_as(known(language))
    found = _for_child(base)
    if base == language or base not in complete_for_children():
        return found
    english = _read(SOURCE, _CHILD)
    return {
        section: {key: in_script(language, text, english[section][key]) for key, text in of.items()}
        for section, of in found.items()
    }


@lru_cache(maxsize=64)
def missing_for_children(language: str) -> tuple[str, ...]:
    """Return the texts of the page of a child that a language says in English."""
    known = texts_of(spoken_as(language))
    return tuple(
        f"{section}.{key}"
        for section, of in _read(SOURCE, _CHILD).items()
        for key in of
        if f"child.{section}.{key}" not in known
    )


def has_child_texts(language: str) -> bool:
    """Return whether the page of a child says anything in a language."""
    return any(key.startswith("child.") for key in texts_of(spoken_as(language)))


def complete_for_children() -> tuple[str, ...]:
    """Return the languages in which the page of a child says everything."""
    return tuple(one for one in written() if not missing_for_children(one))
