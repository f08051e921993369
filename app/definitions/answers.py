"""Answers to a form: which are valid, which questions are asked, what is missing. Pure.

An answer is text, a whole number or a list of codes. It is kept as it was given: an
invalid answer is refused, never corrected.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from app.definitions.days import plain_digits, read_day
from app.definitions.forms import (
    FREE_TEXT,
    YES_NO,
    Condition,
    Field,
    Form,
    Section,
    column_of,
    is_entry,
)
from app.definitions.special import special_cues, special_questions
from app.definitions.trees import Tree, label_in
from app.errors import BadText
from app.words import SOURCE, letter

Value = str | int | list[str]
Answers = dict[str, Value]

# The most characters of a line, and of a narrative.
LINE_LENGTH, NARRATIVE_LENGTH = 300, 20_000
_DIGITS = re.compile(r"\d{1,12}")
# The position of an entry that was given no position.
_LAST = 100_000


class NotAnAnswer(BadText):
    """The message says what would be valid; it repeats nothing of what was given."""


@dataclass(frozen=True)
class AskedQuestion:
    """A question of a form, as the present answers show it."""

    path: str
    section: Section
    field: Field
    entry: str | None
    shown: bool
    required: bool


@dataclass(frozen=True)
class Missing:
    """A reason why a record cannot be completed: the path of the question, and the words."""

    path: str
    words: str


class _Filled(NamedTuple):
    """Answers, and the entries of the sections that repeat."""

    answers: Answers
    entries: dict[str, list[str]]


@dataclass(frozen=True)
class Sheet:
    """A form together with the trees that its questions refer to."""

    form: Form
    categories: Tree
    places: Tree
    # The tree that a country's own categories count as; a condition may name its codes.
    framework: Tree | None = None
    # Questions that another version of the form marks as special.
    marked: frozenset[str] = frozenset()

    @cached_property
    def special(self) -> frozenset[str]:
        """The questions, as `section.field`, whose codes are sealed (see `special.py`)."""
        cues = special_cues(self.categories, self.framework)
        return special_questions(self.form, cues) | self.marked

    def is_special(self, path: str) -> bool:
        """Return whether the answer of a path holds codes that are sealed."""
        parts = path.split(".")
        if f"{parts[0]}.{parts[-1]}" not in self.special:
            return False
        found = self.form.find(path)
        return found is not None and found[1].personal is None

    def is_sealed(self, path: str) -> bool:
        """Return whether the answer of a path is sealed: a personal one, or special codes."""
        found = self.form.find(path)
        return found is not None and (found[1].personal is not None or self.is_special(path))

    def codes(self, field: Field) -> set[str]:
        """Return the codes that a field of choices allows."""
        match field.type:
            case "choice" | "choices":
                return {option.code for option in self.form.options_of(field)}
            case "yes_no":
                return set(YES_NO)
            case "place":
                return set(self.places.choices())
            case "categories":
                return set(self.categories.choices())
            case _:
                return set()

    def counted(self, value: Value) -> set[str]:
        """Return the codes of an answer; for categories, also the framework codes they count as."""
        chosen = set(value) if isinstance(value, list) else {str(value)}
        if self.framework is None:
            return chosen
        known = self.categories.choices()
        counts = {known[code].counts_as for code in chosen if code in known}
        return chosen | {code for code in counts if code is not None}

    def with_above(self, codes: Iterable[str]) -> set[str]:
        """Return categories, the framework codes they count as, and all that is above both."""
        found: set[str] = set()
        own = self.categories.paths()
        for code in codes:
            found |= {code, *own.get(code, ())}
            if self.framework is not None:
                above = self.framework.paths()
                for counted in self.counted(code) - {code}:
                    found |= {counted, *above.get(counted, ())}
        return found

    def nearest_first(self, code: str) -> list[str]:
        """Return a category and what is above it, nearest first; then what it counts as."""
        found = [code, *reversed(self.categories.paths().get(code, ()))]
        if self.framework is not None:
            above = self.framework.paths()
            for counted in sorted(self.counted(code)):
                found += [counted, *reversed(above.get(counted, ()))]
        return list(dict.fromkeys(found))

    def knows(self, path: str) -> bool:
        """Return whether a path is that of a question, or of an entry of a section that repeats."""
        parts = path.split(".")
        entry = len(parts) == 2 and parts[0] in self._repeating and is_entry(parts[1])
        return entry or self.form.find(path) is not None

    # -- one answer -----------------------------------------------------------------------

    def check(self, path: str, raw: Any) -> Value:
        """Return the answer if it is valid. Raises NotAnAnswer."""
        parts = path.split(".")
        section = self.form.section(parts[0])
        if len(parts) == 2 and section is not None and section.repeats and is_entry(parts[1]):
            # The entry itself: that the person is there, and the position in the list.
            if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw < 100_000:
                raise NotAnAnswer("The position in the list must be a number from 1 to 99999.")
            return raw
        found = self.form.find(path)
        if found is None:
            raise NotAnAnswer("There is no such question in this version of the form.")
        field = found[1]
        if field.type in ("choices", "categories"):
            return self._codes(field, raw)
        if field.type == "whole_number":
            return _number(field, raw)
        if not isinstance(raw, str):
            raise NotAnAnswer("Give the answer as text.")
        if field.type in FREE_TEXT:
            return _text(field, raw)
        if field.type in ("date", "moment"):
            return _time(field, raw)
        if raw not in self.codes(field):
            raise NotAnAnswer("Choose one of the answers that are offered.")
        return raw

    def _codes(self, field: Field, raw: Any) -> Value:
        allowed = self.codes(field)
        if not isinstance(raw, list) or not all(isinstance(c, str) and c in allowed for c in raw):
            raise NotAnAnswer("Choose from the answers that are offered.")
        if not raw or len(set(raw)) != len(raw):
            raise NotAnAnswer("Choose each answer once, or clear the question.")
        return raw

    # -- the whole form -------------------------------------------------------------------

    @cached_property
    def _repeating(self) -> frozenset[str]:
        return frozenset(section.code for section in self.form.sections if section.repeats)

    def _filled(self, answers: Answers) -> _Filled:
        """Return the answers with the entries of every section that repeats, in order."""
        places: dict[str, dict[str, int]] = {code: {} for code in self._repeating}
        for path, value in answers.items():
            code, _, rest = path.partition(".")
            if code not in places or not rest:
                continue
            entry, _, inside = rest.partition(".")
            if not inside and isinstance(value, int):
                places[code][entry] = value
            else:
                places[code].setdefault(entry, _LAST)
        ordered = {
            code: sorted(found, key=lambda entry: (found[entry], entry))
            for code, found in places.items()
        }
        return _Filled(answers, ordered)

    def entries(self, answers: Answers, section: Section) -> list[str]:
        """Return the entries of a section that repeats, in order."""
        return self._filled(answers).entries.get(section.code, [])

    def asked(self, answers: Answers) -> list[AskedQuestion]:
        """Return every question of the form, and whether each is shown and required now.

        Questions that are not asked are listed too: they may still hold an answer.
        """
        found = []
        filled = self._filled(answers)
        for section in self.form.sections:
            open_ = section.shown_when is None or self._holds(
                section.shown_when, filled, (section.code, None)
            )
            for entry in filled.entries[section.code] if section.repeats else [None]:
                here = (section.code, entry)
                for field in section.fields:
                    shown = open_ and (
                        field.shown_when is None or self._holds(field.shown_when, filled, here)
                    )
                    required = shown and (
                        field.required
                        or (
                            field.required_when is not None
                            and self._holds(field.required_when, filled, here)
                        )
                    )
                    path = _path(section, entry, field)
                    found.append(AskedQuestion(path, section, field, entry, shown, required))
        return found

    def closed_sections(self, answers: Answers) -> list[str]:
        """Return the sections that are not asked now and hold no answer."""
        filled = self._filled(answers)
        answered = {path.partition(".")[0] for path in answers}
        return [
            section.code
            for section in self.form.sections
            if section.shown_when is not None
            and section.code not in answered
            and not self._holds(section.shown_when, filled, (section.code, None))
        ]

    def holds(
        self, condition: Condition, answers: Answers, here: tuple[Section, str | None]
    ) -> bool:
        """Return whether a condition is true, seen from a section and one of its entries."""
        return self._holds(condition, self._filled(answers), (here[0].code, here[1]))

    def _holds(self, condition: Condition, filled: _Filled, here: tuple[str, str | None]) -> bool:
        if condition.all_ is not None:
            return all(self._holds(part, filled, here) for part in condition.all_)
        if condition.any_ is not None:
            return any(self._holds(part, filled, here) for part in condition.any_)
        if condition.not_ is not None:
            return not self._holds(condition.not_, filled, here)
        assert condition.field is not None
        return any(self._meets(condition, v) for v in self._values(condition.field, filled, here))

    def _meets(self, test: Condition, value: Value) -> bool:
        if test.filled:
            return True
        if test.below is not None:
            return isinstance(value, int) and value < test.below
        if test.at_least is not None:
            return isinstance(value, int) and value >= test.at_least
        wanted = {test.is_} if test.is_ is not None else set(test.any_of or [])
        return bool(wanted & self.counted(value))

    def _values(self, reference: str, filled: _Filled, here: tuple[str, str | None]) -> list[Value]:
        code, _, field = reference.partition(".")
        if code not in self._repeating:
            paths = [reference]
        elif here[0] == code and here[1] is not None:
            paths = [f"{code}.{here[1]}.{field}"]
        else:
            paths = [f"{code}.{entry}.{field}" for entry in filled.entries[code]]
        return [filled.answers[path] for path in paths if path in filled.answers]

    def missing(
        self, answers: Answers, language: str = SOURCE, asked: list[AskedQuestion] | None = None
    ) -> list[Missing]:
        """Return what keeps the record from being complete, in the order of the form."""
        found = []
        for question in self.asked(answers) if asked is None else asked:
            if question.required and question.path not in answers:
                words = letter(language, "answer", "not_answered")
            elif not question.shown and question.path in answers:
                words = letter(language, "answer", "ruled_out")
            else:
                continue
            name = self.name_of(question, answers, language)
            found.append(Missing(question.path, f"{name}: {words}"))
        for section in self.form.sections:
            count = len(self.entries(answers, section)) if section.repeats else 0
            if section.repeats and count > section.repeats:
                title = label_in(section.title, language)
                found.append(
                    Missing(
                        section.code,
                        f"{title}: {letter(language, 'answer', 'at_most', number=section.repeats)}",
                    )
                )
        return found

    def name_of(self, question: AskedQuestion, answers: Answers, language: str) -> str:
        """Return the question in words, with the number of the person it is about."""
        label = label_in(question.field.label, language)
        if question.entry is None:
            return label
        number = self.entries(answers, question.section).index(question.entry) + 1
        of = label_in(question.section.entry or question.section.title, language)
        return f"{of} {number}, {label}"

    def cues(self, answers: Answers) -> list[str]:
        """Return the signs of danger in the answers, each once."""
        found: dict[str, None] = {}
        trees = [self.categories, *([self.framework] if self.framework else [])]
        for path, value in answers.items():
            known = self.form.find(path)
            if known is None:
                continue
            chosen = set(value) if isinstance(value, list) else {value}
            for option in self.form.options_of(known[1]):
                if option.cue and option.code in chosen:
                    found[option.cue] = None
            if known[1].type == "categories":
                for tree in trees:
                    for node_code in sorted(self.counted(value) & set(tree.choices())):
                        cue = tree.choices()[node_code].cue
                        if cue:
                            found[cue] = None
        filled = self._filled(answers)
        for rule in self.form.cues:
            if self._holds(rule.when, filled, ("", None)):
                found[rule.cue] = None
        return list(found)

    # -- export ---------------------------------------------------------------------------

    def columns(self) -> dict[str, list[tuple[str, Field]]]:
        """Return the export's sheets with their columns: the record, and each repeating section."""
        sheets: dict[str, list[tuple[str, Field]]] = {"record": []}
        for section in self.form.sections:
            sheet = sheets.setdefault(section.code, []) if section.repeats else sheets["record"]
            sheet += [(column_of(section, field), field) for field in section.fields]
        return sheets

    def rows(self, answers: Answers) -> dict[str, list[dict[str, Any]]]:
        """Return the answers as rows of the export's sheets; nothing is left out or altered."""
        record: dict[str, Any] = {}
        sheets: dict[str, list[dict[str, Any]]] = {"record": [record]}
        for section in self.form.sections:
            for entry in self.entries(answers, section) if section.repeats else [None]:
                row = record
                if entry is not None:
                    row = {"entry": entry}
                    sheets.setdefault(section.code, []).append(row)
                for field in section.fields:
                    row[column_of(section, field)] = answers.get(_path(section, entry, field))
        return sheets


def _path(section: Section, entry: str | None, field: Field) -> str:
    return ".".join(part for part in (section.code, entry, field.code) if part is not None)


def _number(field: Field, raw: Any) -> int:
    if isinstance(raw, str) and _DIGITS.fullmatch(raw):
        # As it was typed, perhaps in the digits of another script.
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise NotAnAnswer("Write a whole number in digits.")
    low = field.at_least if field.at_least is not None else -(2**31)
    high = field.at_most if field.at_most is not None else 2**31 - 1
    if not low <= raw <= high:
        raise NotAnAnswer("Write a number from %(low)s to %(high)s.", low=low, high=high)
    return raw


def _text(field: Field, raw: str) -> str:
    limit = field.at_most or (NARRATIVE_LENGTH if field.type == "narrative" else LINE_LENGTH)
    if len(raw) > limit:
        raise NotAnAnswer(
            "The answer is longer than %(limit)s characters. Shorten it.", limit=limit
        )
    if not raw.strip():
        raise NotAnAnswer("The answer is empty. Clear the question instead.")
    try:
        storable = "\x00" not in raw and bool(raw.encode())
    except UnicodeEncodeError:
        storable = False
    if not storable:
        raise NotAnAnswer("The answer holds a character that cannot be stored. Remove it.")
    if field.type == "text" and any(c in raw for c in "\r\n"):
        raise NotAnAnswer("Write it on one line.")
    return raw


def _time(field: Field, raw: str) -> str:
    try:
        if field.type == "date":
            given = read_day(raw)
        else:
            given = plain_digits(raw)
            if given[4:5] != "-" or given[7:8] != "-":
                raise ValueError
        if datetime.fromisoformat(given).year < 1900:
            raise ValueError
    except ValueError:
        example = "2026-11-24" if field.type == "date" else "2026-11-24T18:30"
        raise NotAnAnswer("Write it like %(example)s.", example=example) from None
    return given
