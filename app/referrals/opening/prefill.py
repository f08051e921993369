"""Fill a referral from a contact or case, by the meanings of the questions of both forms.

An answer to a question with the same meaning is copied. An answer that only comes close, such as
where a child lives for where it is now, is marked *to be confirmed*: our own staff see it, and no
agency is told before one of them has confirmed it.
"""

from dataclasses import dataclass, field

from app.contacts.cases.printing import in_words
from app.contacts.models import Case, Contact
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import present
from app.contacts.special_codes import codes_of
from app.definitions.answers import Answers, AskedQuestion, Sheet, Value
from app.definitions.forms import FREE_TEXT, OF_REPORTER, Field, Form, Meaning
from app.definitions.library import Library

# The record from which a referral is filled.
Known = Opened[Contact] | Opened[Case]
_CODED = ("choice", "choices", "yes_no", "place", "categories")
# The place that chooses the agency is where the child is now.
_SAME: dict[str, tuple[Meaning, ...]] = {"place": ("place_now",)}


@dataclass
class Prefilled:
    """Answers of a referral's form, and which of them have to be confirmed."""

    answers: Answers = field(default_factory=dict)
    to_confirm: list[str] = field(default_factory=list)


def children_of(contact: Known, sheet: Sheet) -> list[str | None]:
    """Return the entries of the children of a contact; [None] if there is no entry."""
    section = sheet.form.children
    found = sheet.entries(present(contact.record), section) if section is not None else []
    return [*found] or [None]


def of_child(answers: Answers, sheet: Sheet, child: str | None) -> Answers:
    """Return the answers without those about other children."""
    section = sheet.form.children
    if section is None or child is None:
        return answers
    inside, own = f"{section.code}.", f"{section.code}.{child}"
    return {
        path: value
        for path, value in answers.items()
        if not path.startswith(inside) or path == own or path.startswith(own + ".")
    }


def prefill(contact: Known, form: Form, library: Library, child: str | None) -> Prefilled:
    """Return what a contact says about one child, as far as the form of a referral asks for it."""
    work = contact.work
    theirs = _Theirs(contact, sheet_of(work, contact.record), library, child)
    ours = Sheet(form, library.categories, library.places, library.mapped(library.categories))
    found = Prefilled()
    for section in form.sections:
        for question in () if section.repeats else section.fields:
            path = f"{section.code}.{question.code}"
            value, same = theirs.answer_for(ours, question)
            if value is not None:
                found.answers[path] = value
                if not same:
                    found.to_confirm.append(path)
    case_code = form.path_of("case_code")
    if case_code is not None:
        found.answers[case_code] = contact.record.code
    return found


class _Theirs:
    """A contact that a referral is filled from."""

    def __init__(self, contact: Known, sheet: Sheet, library: Library, child: str | None) -> None:
        self._contact, self._sheet, self._child = contact, sheet, child
        self._language = library.country.languages[0]
        there = of_child(codes_of(contact.work, contact.record), sheet, child)
        self._there = there
        # An answer whose question no longer applies is not told.
        self._shown = {q.path: q for q in sheet.asked(there) if q.shown}
        agrees = sheet.form.path_of("reporter_agrees")
        self._reporter_agrees = agrees is not None and there.get(agrees) == "yes"

    def answer_for(self, ours: Sheet, question: Field) -> tuple[Value | None, bool]:
        """Return the answer to a question, and whether it means the same as what is asked."""
        own = [question.means] if question.means else []
        exact = [*_SAME.get(question.means or "", ()), *own]
        for meaning in [*exact, *question.close_to]:
            for there in self._sheet.form.paths_of(meaning, self._child):
                asked = self._shown.get(there)
                if asked is None or there not in self._there or self._is_kept_back(meaning):
                    continue
                value, whole = self._as_ours(ours, question, asked)
                if value is not None:
                    return value, whole and meaning in exact and self._holds(asked)
        return None, True

    def _is_kept_back(self, meaning: Meaning) -> bool:
        return meaning in OF_REPORTER and not self._reporter_agrees

    def _holds(self, asked: AskedQuestion) -> bool:
        if asked.field.means_if is None:
            # The place where a child lives need not be the place where it is now.
            return asked.field.means != "place"
        return self._sheet.holds(asked.field.means_if, self._there, (asked.section, asked.entry))

    def _as_ours(
        self, ours: Sheet, question: Field, asked: AskedQuestion
    ) -> tuple[Value | None, bool]:
        """Return their answer in a form that our question takes, and whether it is complete."""
        value = self._contact.answer(asked.path)
        if value is None:
            return None, False
        if question.type == asked.field.type and question.type in _CODED:
            known = ours.codes(question)
            if isinstance(value, list):
                kept = [code for code in value if code in known]
                return kept or None, kept == value
            return (value, True) if value in known else (None, False)
        if question.type in FREE_TEXT and asked.field.type in _CODED:
            return in_words(self._sheet, asked.field, value, self._language), True
        if question.type in FREE_TEXT and asked.field.type in FREE_TEXT:
            words = str(value)
            return (" ".join(words.split()) if question.type == "text" else words), True
        return (value, True) if question.type == asked.field.type else (None, False)
