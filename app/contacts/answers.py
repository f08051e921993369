"""Answers to a form: what is a possible answer, what is asked, what is missing. Pure.

An answer is text, a whole number or a list of codes. It is kept as it was given: what
cannot be kept is refused, nothing is corrected on the way.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

from app.contacts.forms import (
    FREE_TEXT,
    YES_NO,
    Condition,
    Field,
    Form,
    Section,
    column_of,
    is_entry,
)
from app.contacts.trees import Tree, label_in

Value = str | int | list[str]
Answers = dict[str, Value]

# Characters: a line, and a narrative.
LINE_LENGTH, NARRATIVE_LENGTH = 300, 20_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The place of an entry of which nobody said where it stands.
_LAST = 100_000


# What is said of a question that is missing, and of one that is there and not asked.
_MISSING = {
    "en": ("not answered yet", "answered, but not asked with the other answers; clear it"),
    "sr": ("još nije odgovoreno", "odgovoreno, a ne pita se uz ostale odgovore; obrišite"),
}


class NotAnAnswer(Exception):
    """The text says what would be one; it holds nothing of what was given."""


@dataclass(frozen=True)
class Asked:
    """A question as it stands on a filled form."""

    path: str
    section: Section
    field: Field
    entry: str | None
    shown: bool
    required: bool


@dataclass(frozen=True)
class Missing:
    """Why a record cannot be completed: where, and in words."""

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
    # What a country's own categories count as; a condition may speak of the framework's.
    framework: Tree | None = None

    def codes(self, field: Field) -> set[str]:
        """The codes that a field of choices allows."""
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
        """The codes of an answer; of categories also those of the framework they count as."""
        chosen = set(value) if isinstance(value, list) else {str(value)}
        if self.framework is None:
            return chosen
        known = self.categories.choices()
        counts = {known[code].counts_as for code in chosen if code in known}
        return chosen | {code for code in counts if code is not None}

    def with_above(self, codes: Iterable[str]) -> set[str]:
        """Categories with what they count as in the framework, and with all that is above them."""
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
        """A category and what is above it, the nearest first; then what it counts as."""
        found = [code, *reversed(self.categories.paths().get(code, ()))]
        if self.framework is not None:
            above = self.framework.paths()
            for counted in sorted(self.counted(code)):
                found += [counted, *reversed(above.get(counted, ()))]
        return list(dict.fromkeys(found))

    def knows(self, path: str) -> bool:
        """Whether a path is that of a question, or of an entry of a section that repeats."""
        parts = path.split(".")
        entry = len(parts) == 2 and parts[0] in self._repeating and is_entry(parts[1])
        return entry or self.form.find(path) is not None

    # -- one answer -----------------------------------------------------------------------

    def check(self, path: str, raw: Any) -> Value:
        """The answer, if it is one. Raises NotAnAnswer."""
        parts = path.split(".")
        section = self.form.section(parts[0])
        if len(parts) == 2 and section is not None and section.repeats and is_entry(parts[1]):
            # That there is such a person at all, and at which place of the list.
            if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw < 100_000:
                raise NotAnAnswer("The place in the list is a number above 0.")
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
            raise NotAnAnswer("Give a text.")
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
        """The answers with the entries of every section that repeats, in their order."""
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
        """The entries of a section that repeats, in their order."""
        return self._filled(answers).entries.get(section.code, [])

    def asked(self, answers: Answers) -> list[Asked]:
        """Every question of the form as it is filled now, with who is shown and required.

        A question with an answer is shown even where it is no longer asked.
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
                    found.append(Asked(path, section, field, entry, shown, required))
        return found

    def closed_sections(self, answers: Answers) -> list[str]:
        """The sections that are not asked now and hold no answer."""
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
        """Whether a condition is true, asked from a section and one of its entries."""
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
        self, answers: Answers, language: str = "en", asked: list[Asked] | None = None
    ) -> list[Missing]:
        """What keeps the record from being complete, in the order of the form."""
        found = []
        for question in self.asked(answers) if asked is None else asked:
            said = _MISSING.get(language, _MISSING["en"])
            if question.required and question.path not in answers:
                words = said[0]
            elif not question.shown and question.path in answers:
                words = said[1]
            else:
                continue
            name = self.name_of(question, answers, language)
            found.append(Missing(question.path, f"{name}: {words}"))
        for section in self.form.sections:
            count = len(self.entries(answers, section)) if section.repeats else 0
            if section.repeats and count > section.repeats:
                title = label_in(section.title, language)
                found.append(Missing(section.code, f"{title}: at most {section.repeats}"))
        return found

    def name_of(self, question: Asked, answers: Answers, language: str) -> str:
        """The question in words, with the number of the person it is about."""
        label = label_in(question.field.label, language)
        if question.entry is None:
            return label
        number = self.entries(answers, question.section).index(question.entry) + 1
        of = label_in(question.section.entry or question.section.title, language)
        return f"{of} {number}, {label}"

    def cues(self, answers: Answers) -> list[str]:
        """The signs of danger in the answers, each once."""
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
        """The export's sheets and their columns: one for the record, one per kind of person."""
        sheets: dict[str, list[tuple[str, Field]]] = {"record": []}
        for section in self.form.sections:
            sheet = sheets.setdefault(section.code, []) if section.repeats else sheets["record"]
            sheet += [(column_of(section, field), field) for field in section.fields]
        return sheets

    def rows(self, answers: Answers) -> dict[str, list[dict[str, Any]]]:
        """The answers as rows of the export's sheets; nothing is left out or altered."""
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
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise NotAnAnswer("Write a whole number in digits.")
    low = field.at_least if field.at_least is not None else -(2**31)
    high = field.at_most if field.at_most is not None else 2**31 - 1
    if not low <= raw <= high:
        raise NotAnAnswer(f"Write a number from {low} to {high}.")
    return raw


def _text(field: Field, raw: str) -> str:
    limit = field.at_most or (NARRATIVE_LENGTH if field.type == "narrative" else LINE_LENGTH)
    if len(raw) > limit:
        raise NotAnAnswer(f"That is longer than {limit} characters.")
    if not raw.strip():
        raise NotAnAnswer("There are no words in it; clear the question instead.")
    try:
        storable = "\x00" not in raw and bool(raw.encode())
    except UnicodeEncodeError:
        storable = False
    if not storable:
        raise NotAnAnswer("It holds a character that is not one.")
    if field.type == "text" and any(c in raw for c in "\r\n"):
        raise NotAnAnswer("Write it in one line.")
    return raw


def _time(field: Field, raw: str) -> str:
    try:
        if field.type == "date":
            if not _DAY.fullmatch(raw) or date.fromisoformat(raw).year < 1900:
                raise ValueError
        elif datetime.fromisoformat(raw).year < 1900 or raw[4:5] != "-" or raw[7:8] != "-":
            raise ValueError
    except ValueError:
        example = "2026-11-24" if field.type == "date" else "2026-11-24T18:30"
        raise NotAnAnswer(f"Write it like {example}.") from None
    return raw
