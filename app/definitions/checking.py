"""Checks that a form can be used: no unknown code, no circle, no dead end. Pure.

Every refusal names the file and the line. A dead end is a question that no combination of
answers ever shows; it is found by trying the answers that its conditions name.
"""

import itertools
from collections.abc import Collection, Iterator
from functools import cached_property

from app.definitions.answers import Answers, Sheet
from app.definitions.datafile import Lines, Wrong, read_model
from app.definitions.forms import (
    FREE_TEXT,
    SINGLE_MEANINGS,
    YES_NO,
    Condition,
    Field,
    Form,
    Option,
    Section,
    column_of,
)
from app.definitions.trees import Tree, check_labels
from app.errors import Message

Place = tuple[str | int, ...]
# The most combinations of answers that are tried for one question.
_COMBINATIONS = 50_000
# And for a whole form: a check ends within seconds, whatever a file asks for.
_COMBINATIONS_OF_FORM = 400_000
# The sheet of an export for the sections that do not repeat.
RECORD = "record"
# The meanings that a form must have, by the record that it is for.
_NEEDED = {
    "contact": {"headline", "categories", "place", "kind"},
    "case": {"headline"},
    "referral": {"place"},
}
_MEANS = {
    "child_age": "whole_number",
    "child_gender": "choice",
    "child_name": "text",
    "child_outcome": "choice",
    "goal": "text",
    "disability": "choices",
    "danger_signs": "choices",
    "place_now": "place",
    "confidential": "yes_no",
    "wants_feedback": "yes_no",
    "reporter_agrees": "yes_no",
    "consent_services": "yes_no",
    "consent_authorities": "yes_no",
    "consent_family": "yes_no",
    "consent_by": "choice",
}
_WITH_OPTIONS = ("choice", "choices")


def read_form(
    text: str,
    source: str,
    categories: Tree,
    places: Tree,
    cues: set[str],
    framework: Tree | None = None,
) -> Form:
    """Read a form, and check that it can be filled in and exported. Raises BadDefinition."""
    form, lines = read_model(Form, text, source)
    _Check(form, lines, Sheet(form, categories, places, framework), cues).all()
    return form


class _Check:
    def __init__(self, form: Form, lines: Lines, sheet: Sheet, cues: set[str]) -> None:
        self.form, self.lines, self.sheet, self.cue_codes = form, lines, sheet, cues
        self.where: dict[str, Place] = {}
        self.tried = 0

    def all(self) -> None:
        self._names()
        wrong = Wrong()
        for section, place in self._sections():
            with wrong:
                self._labels(section.title, (*place, "title"))
            for n, field in enumerate(section.fields):
                with wrong:
                    self._field(field, (*place, "fields", n))
        for condition, place in self._conditions():
            with wrong:
                self._condition(condition, place)
        with wrong:
            self._meanings()
        for n, cue in enumerate(self.form.cues):
            with wrong:
                self._cue(cue.cue, ("cues", n, "cue"))
                self._condition(cue.when, ("cues", n, "when"))
        wrong.refuse()
        self._circles()
        self._dead_ends(wrong)
        wrong.refuse()

    def _sections(self) -> Iterator[tuple[Section, Place]]:
        for n, section in enumerate(self.form.sections):
            yield section, ("sections", n)

    def _labels(self, labels: dict[str, str], place: Place) -> None:
        check_labels(labels, self.form.languages, self.lines, place)

    def _names(self) -> None:
        columns: dict[tuple[str, str], str] = {}
        seen: set[str] = set()
        for section, place in self._sections():
            if section.code in seen:
                raise self.lines.refuse(
                    (*place, "code"),
                    Message("section '%(section)s' appears twice", section=section.code),
                )
            if section.code == RECORD:
                words = Message(
                    "a section cannot be called '%(section)s', like the export's main sheet",
                    section=RECORD,
                )
                raise self.lines.refuse((*place, "code"), words)
            seen.add(section.code)
            for n, field in enumerate(section.fields):
                path, at = f"{section.code}.{field.code}", (*place, "fields", n)
                if path in self.where:
                    raise self.lines.refuse(
                        (*at, "code"), Message("field '%(field)s' appears twice", field=field.code)
                    )
                self.where[path] = at
                sheet = section.code if section.repeats else RECORD
                column = (sheet, column_of(section, field))
                if column in columns or column[1] == "entry":
                    words = Message(
                        "the column '%(column)s' is used by %(other)s",
                        column=column[1],
                        other=columns.get(column, sheet),
                    )
                    raise self.lines.refuse((*at, "column"), words)
                columns[column] = path

    def _field(self, field: Field, at: Place) -> None:
        self._labels(field.label, (*at, "label"))
        if field.type in _WITH_OPTIONS:
            if (field.options is None) == (field.options_from is None):
                raise self.lines.refuse(
                    at, Message("a choice needs options or options_from, not both")
                )
            if field.options_from is not None and field.options_from not in self.form.lists:
                words = Message("there is no list '%(list)s'", list=field.options_from)
                raise self.lines.refuse((*at, "options_from"), words)
            place = (*at, "options") if field.options else ("lists", field.options_from or "")
            self._options(self.form.options_of(field), place)
        elif field.options is not None or field.options_from is not None:
            raise self.lines.refuse(
                at, Message("a field of type %(type)s cannot have options", type=field.type)
            )
        if field.type in FREE_TEXT and field.personal is None and field.means != "headline":
            words = Message(
                "free text is sealed: mark it personal (name, number, address, narrative, other)"
            )
            raise self.lines.refuse(at, words)
        if field.personal is not None and field.type not in (*FREE_TEXT, "date"):
            raise self.lines.refuse(at, Message("only texts and dates can be marked personal"))
        if field.special is not None and field.type in FREE_TEXT:
            words = Message("free text is sealed as personal: only codes are marked special")
            raise self.lines.refuse((*at, "special"), words)
        if field.special is not None and field.means in SINGLE_MEANINGS - {"categories"}:
            words = Message(
                "'%(meaning)s' is shown in lists and cannot be special", meaning=field.means
            )
            raise self.lines.refuse((*at, "special"), words)
        if field.found_by is not None and (field.personal is None or field.type != "text"):
            raise self.lines.refuse(at, Message("found_by needs a personal field of type text"))
        if field.type in FREE_TEXT and (field.at_least is not None or (field.at_most or 1) < 1):
            raise self.lines.refuse(
                at, Message("a text can have an at_most of 1 or more, and no at_least")
            )
        wanted = _MEANS.get(field.means or "")
        if wanted is not None and field.type != wanted:
            raise self.lines.refuse(
                at,
                Message(
                    "the field for '%(meaning)s' must be of type %(type)s",
                    meaning=field.means,
                    type=wanted,
                ),
            )
        if field.means_if is not None and field.means is None:
            raise self.lines.refuse((*at, "means_if"), Message("means_if needs means"))
        if field.required and field.required_when is not None:
            raise self.lines.refuse(at, Message("give required or required_when, not both"))
        if (
            field.at_least is not None
            and field.at_most is not None
            and field.at_least > field.at_most
        ):
            raise self.lines.refuse(
                (*at, "at_least"), Message("at_least is above at_most: no answer fits")
            )

    def _options(self, options: list[Option], at: Place) -> None:
        if not options:
            raise self.lines.refuse(at, Message("there is nothing to choose from"))
        seen: set[str] = set()
        for n, option in enumerate(options):
            if option.code in seen:
                raise self.lines.refuse(
                    (*at, n), Message("the option '%(option)s' appears twice", option=option.code)
                )
            seen.add(option.code)
            self._labels(option.label, (*at, n, "label"))
            if option.cue is not None:
                self._cue(option.cue, (*at, n, "cue"))

    def _cue(self, cue: str, at: Place) -> None:
        if cue not in self.cue_codes:
            raise self.lines.refuse(
                at, Message("there is no cue '%(cue)s' among the risk cues", cue=cue)
            )

    def _conditions(self) -> Iterator[tuple[Condition, Place]]:
        for section, place in self._sections():
            if section.shown_when is not None:
                yield section.shown_when, (*place, "shown_when")
            for n, field in enumerate(section.fields):
                for name in ("shown_when", "required_when", "means_if"):
                    condition = getattr(field, name)
                    if condition is not None:
                        yield condition, (*place, "fields", n, name)

    def _condition(self, condition: Condition, at: Place) -> None:
        for leaf in condition.leaves():
            assert leaf.field is not None
            if leaf.field not in self.where:
                raise self.lines.refuse(
                    at, Message("there is no field '%(field)s'", field=leaf.field)
                )
            field = self._at(leaf.field)[1]
            wanted = [leaf.is_] if leaf.is_ is not None else leaf.any_of
            if wanted is not None:
                known = self.sheet.codes(field)
                if field.type == "categories" and self.sheet.framework is not None:
                    known = known | set(self.sheet.framework.choices())
                strange = [code for code in wanted if code not in known]
                if strange or not wanted:
                    raise self.lines.refuse(
                        at,
                        Message(
                            "%(field)s can never be %(codes)s",
                            field=leaf.field,
                            codes=strange or Message("nothing"),
                        ),
                    )
            compared = leaf.below is not None or leaf.at_least is not None
            if compared and field.type != "whole_number":
                raise self.lines.refuse(at, Message("%(field)s is not a number", field=leaf.field))

    @cached_property
    def _known(self) -> dict[str, tuple[Section, Field]]:
        """Return every field by its path: they are asked for at every combination of answers."""
        return {f"{s.code}.{f.code}": (s, f) for s in self.form.sections for f in s.fields}

    def _at(self, path: str) -> tuple[Section, Field]:
        return self._known[path]

    def _meanings(self) -> None:
        for meaning in sorted(SINGLE_MEANINGS):
            found = self.form.meaning(meaning)  # type: ignore[arg-type]
            if len(found) > 1 or any(section.repeats for section, _ in found):
                raise self.lines.refuse(
                    self.where[f"{found[-1][0].code}.{found[-1][1].code}"],
                    Message(
                        "only one field can mean '%(meaning)s', in a section that does not repeat",
                        meaning=meaning,
                    ),
                )
        needed = {"headline": FREE_TEXT, "categories": {"categories"}, "place": {"place"}}
        if self.form.record == "contact":
            needed["kind"] = {"choice"}
        for meaning, types in needed.items():
            found = self.form.meaning(meaning)  # type: ignore[arg-type]
            if not found and meaning in _NEEDED[self.form.record]:
                raise self.lines.refuse(
                    (),
                    Message("no field means '%(meaning)s'; the program needs one", meaning=meaning),
                )
            if found and found[0][1].type not in types:
                where = self.where[f"{found[0][0].code}.{found[0][1].code}"]
                words = Message(
                    "the field for '%(meaning)s' must be of type %(type)s",
                    meaning=meaning,
                    type=_one_of(types),
                )
                raise self.lines.refuse(where, words)
        self._meant_once()

    def _meant_once(self) -> None:
        """Check that no meaning has two fields: a referral is filled in from one of them."""
        seen: set[tuple[bool, str]] = set()
        for section, place in self._sections():
            for n, field in enumerate(section.fields):
                meant = (bool(section.repeats), field.means or "")
                if field.means is not None and meant in seen:
                    words = Message("another field means '%(meaning)s', too", meaning=field.means)
                    raise self.lines.refuse((*place, "fields", n, "means"), words)
                seen.add(meant)

    # -- circles and dead ends -----------------------------------------------------------------

    @cached_property
    def _conditions_of(self) -> dict[str, list[Condition]]:
        return {
            path: [c for c in (section.shown_when, field.shown_when) if c is not None]
            for path, (section, field) in self._known.items()
        }

    def _shown_by(self, path: str) -> list[Condition]:
        return self._conditions_of[path]

    def _circles(self) -> None:
        done: set[str] = set()

        def visit(path: str, trail: tuple[str, ...]) -> None:
            if path in trail:
                circle = " → ".join((*trail[trail.index(path) :], path))
                raise self.lines.refuse(
                    self.where[path], Message("these show one another: %(circle)s", circle=circle)
                )
            if path in done:
                return
            for condition in self._shown_by(path):
                for leaf in condition.leaves():
                    assert leaf.field is not None
                    visit(leaf.field, (*trail, path))
            done.add(path)

        for path in self.where:
            visit(path, ())

    def _dead_ends(self, wrong: Wrong) -> None:
        for path, place in self.where.items():
            with wrong:
                self._dead_end(path, place)

    def _dead_end(self, path: str, place: Place) -> None:
        _section, field = self._at(path)
        if not self._reachable(path, None):
            raise self.lines.refuse(place, Message("no answers ever show %(path)s", path=path))
        if field.required_when is not None and not self._reachable(path, field.required_when):
            where = (*place, "required_when")
            raise self.lines.refuse(
                where, Message("no answers ever make %(path)s required", path=path)
            )

    def _reachable(self, path: str, besides: Condition | None) -> bool:
        conditions = [*self._shown_by(path), *([besides] if besides else [])]
        fields = self._behind(conditions)
        if not conditions:
            return True
        domains = {name: self._domain(name, fields[name]) for name in fields}
        count = 1
        for domain in domains.values():
            count *= len(domain)
        self.tried += count
        if count > _COMBINATIONS or self.tried > _COMBINATIONS_OF_FORM:
            words = Message(
                "the conditions of %(path)s depend on too many answers to check; simplify them",
                path=path,
            )
            raise self.lines.refuse(self.where[path], words)
        section = self._at(path)[0]
        for combination in itertools.product(*domains.values()):
            answers: Answers = {}
            for name, value in zip(domains, combination, strict=True):
                if value is not None:
                    answers[self._examples[name]] = value  # type: ignore[assignment]
            if self._consistent(answers, domains) and all(
                self.sheet.holds(c, answers, (section, "e1" if section.repeats else None))
                for c in conditions
            ):
                return True
        return False

    @cached_property
    def _examples(self) -> dict[str, str]:
        return {
            path: f"{section.code}.e1.{field.code}" if section.repeats else path
            for path, (section, field) in self._known.items()
        }

    def _consistent(self, answers: Answers, domains: dict[str, list[object]]) -> bool:
        """Return whether a person who fills in the form could have given these answers."""
        for name in domains:
            if self._examples[name] not in answers:
                continue
            section = self._at(name)[0]
            here = (section, "e1" if section.repeats else None)
            if not all(self.sheet.holds(c, answers, here) for c in self._shown_by(name)):
                return False
        return True

    def _behind(self, conditions: list[Condition]) -> dict[str, list[Condition]]:
        """Return the fields that conditions depend on, directly or not, with the tests of each."""
        found: dict[str, list[Condition]] = {}
        pending = list(conditions)
        expanded: set[str] = set()
        while pending:
            for leaf in pending.pop().leaves():
                assert leaf.field is not None
                found.setdefault(leaf.field, []).append(leaf)
                if leaf.field not in expanded:
                    expanded.add(leaf.field)
                    pending += self._shown_by(leaf.field)
        return found

    def _counted(self, field: Field, code: str) -> set[str]:
        return self.sheet.counted(code) if field.type == "categories" else {code}

    def _domain(self, name: str, tests: list[Condition]) -> list[object]:
        """Return the answers worth trying: none, those that the tests name, and one other."""
        field = self._at(name)[1]
        if field.type == "whole_number":
            edges = {b for t in tests for b in (t.below, t.at_least) if b is not None}
            tried = {n for edge in edges or {field.at_least or 0} for n in (edge - 1, edge)}
            low = field.at_least if field.at_least is not None else min(tried)
            high = field.at_most if field.at_most is not None else max(tried)
            return [None, *sorted({min(max(n, low), high) for n in tried})]
        if field.type in FREE_TEXT:
            return [None, "x"]
        if field.type in ("date", "moment"):
            return [None, "2026-01-01"]
        spoken = {c for t in tests for c in ([t.is_] if t.is_ else t.any_of or [])}
        codes = self.sheet.codes(field) if field.type != "yes_no" else set(YES_NO)
        # A framework category is met by choosing a category that counts as it.
        spoken = {code for code in codes if self._counted(field, code) & spoken}
        other = sorted(codes - spoken)[:1]
        single = [*sorted(spoken), *other]
        if field.type in ("choices", "categories"):
            return [None, *[[code] for code in single], sorted(spoken) or single]
        return [None, *single]


def _one_of(types: Collection[str]) -> str | Message:
    first, *others = sorted(types)
    return Message("%(one)s or %(other)s", one=first, other=others[0]) if others else first
