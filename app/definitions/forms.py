"""Forms as data: sections, fields, when they are asked, and what they mean. Pure.

A version of a form never changes. The same definition renders the page, checks the answers,
and names the columns of exports. A path is `section.field`; in a section that repeats it is
`section.entry.field`, where the entry is a short code.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field as Key
from pydantic import StringConstraints, model_validator

from app.definitions.datafile import Part
from app.definitions.trees import Code, Labels, Language, Special
from app.errors import BadText

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Kind = Literal[
    "choice",
    "choices",
    "yes_no",
    "text",
    "narrative",
    "whole_number",
    "date",
    "moment",
    "place",
    "categories",
]
Personal = Literal["name", "number", "address", "narrative", "other"]
# As what a search finds an answer that has none of the meanings.
Findable = Literal["name", "number"]
# The meanings that the program itself understands, whatever a country calls the field.
Meaning = Literal[
    "kind",
    "headline",
    "categories",
    "place",
    "child_age",
    "child_gender",
    "child_name",
    # About a child, and where it is.
    "age_is",
    "birth_date",
    "disability",
    "language",
    "interpreter",
    "access_needs",
    "place_now",
    "found_at",
    "home_address",
    "child_phone",
    "identifier",
    "school",
    "other_children",
    "case_code",
    "confidential",
    "child_outcome",
    "goal",
    # Counted in statistics.
    "living",
    "groups",
    "setting",
    "perpetrator",
    "actions",
    "residence",
    "settlement",
    "felt_helped",
    "follow_up",
    # About the family, the danger and the wishes.
    "caregiver",
    "caregiver_relationship",
    "caregiver_phone",
    "caregiver_knows",
    "caregiver_informed",
    "household",
    "separated",
    "danger_signs",
    "suspect",
    "child_words",
    "child_wants",
    "safe_to_contact",
    "how_to_contact",
    "summary",
    "why",
    # About the reporter, and consent.
    "caller_relationship",
    "reporter",
    "reporter_role",
    "reporter_organisation",
    "reporter_phone",
    "reporter_agrees",
    "wants_feedback",
    "consent_services",
    "consent_family",
    "consent_authorities",
    "consent_by",
    "withheld_from",
]
SINGLE_MEANINGS = frozenset({"kind", "headline", "categories", "place"})
# The meanings that identify the reporter.
OF_REPORTER: frozenset[Meaning] = frozenset(
    {"reporter", "reporter_role", "reporter_organisation", "reporter_phone"}
)
# What is asked about the caller only if it is not the child.
OF_CALLER: frozenset[Meaning] = OF_REPORTER | {"caller_relationship"}
# Consent to telling services and authorities, and to telling the family.
CONSENT: tuple[Meaning, ...] = ("consent_services", "consent_authorities")
OTHERS: tuple[Meaning, ...] = ("consent_family",)
YES_NO = ("yes", "no", "unknown")
FREE_TEXT = frozenset({"text", "narrative"})


class Option(Part):
    """An answer that can be chosen. `cue` is a sign of danger (see `risk.py`).

    `nothing` marks the option that means none: "no disability known". `child` says of an option of
    the question of the `kind` that the child itself is in contact.
    """

    code: Code
    label: Labels
    cue: Code | None = None
    nothing: bool = False
    # Left out: the option with the code `child` says so.
    child: bool | None = None

    @property
    def is_child(self) -> bool:
        """Return whether the child itself is in contact, if the option answers that question."""
        return self.code == "child" if self.child is None else self.child


class Condition(Part):
    """When something is asked. Seen from outside a section that repeats, a field in it means
    "at least one of them"."""

    field: str | None = None
    is_: str | None = Key(default=None, alias="is")
    any_of: list[str] | None = None
    below: int | None = None
    at_least: int | None = None
    filled: bool | None = None
    all_: list["Condition"] | None = Key(default=None, alias="all", min_length=1)
    any_: list["Condition"] | None = Key(default=None, alias="any", min_length=1)
    not_: "Condition | None" = Key(default=None, alias="not")

    @model_validator(mode="after")
    def _one_thing(self) -> "Condition":
        tests = [self.is_, self.any_of, self.below, self.at_least, self.filled]
        given = sum(test is not None for test in tests)
        joined = sum(part is not None for part in (self.all_, self.any_, self.not_))
        if (given, joined) != ((1, 0) if self.field is not None else (0, 1)):
            raise BadText(
                "a condition is a field with one of is, any_of, below, at_least, filled; "
                "or one of all, any, not"
            )
        if self.filled is False:
            raise BadText("write `not: {field: ..., filled: true}` instead")
        return self

    def leaves(self) -> Iterator["Condition"]:
        """Yield the tests of single fields in the condition."""
        if self.field is not None:
            yield self
        for part in [*(self.all_ or []), *(self.any_ or []), *([self.not_] if self.not_ else [])]:
            yield from part.leaves()


class Field(Part):
    """One question. `at_most` of a text is in characters; for a number, both limits are values."""

    code: Name
    type: Kind
    label: Labels
    hint: Labels | None = None
    options: list[Option] | None = None
    options_from: Name | None = None
    required: bool = False
    required_when: Condition | None = None
    shown_when: Condition | None = None
    personal: Personal | None = None
    # Which special data its codes hold: they are sealed, and the program goes by them.
    special: Special | None = None
    found_by: Findable | None = None
    means: Meaning | None = None
    # A personal answer without a meaning that is about the child (see `about_child.py`).
    about: Literal["child"] | None = None
    # If this does not hold, the answer is only close to what the field means.
    means_if: Condition | None = None
    # Meanings that are close to this one: an answer is shown to be confirmed, not disclosed before.
    close_to: list[Meaning] = Key(default_factory=list)
    # The recipients for whom it is left out when a case is printed.
    not_for: list[Literal["family", "court", "conference"]] = Key(default_factory=list)
    column: Name | None = None
    at_least: int | None = Key(default=None, ge=-(2**31), lt=2**31)
    at_most: int | None = Key(default=None, ge=-(2**31), lt=2**31)


class Section(Part):
    """Fields that belong together; with `repeats`, once for each entry, up to that number."""

    code: Name
    title: Labels
    hint: Labels | None = None
    repeats: int | None = Key(default=None, ge=2, le=50)
    entry: Labels | None = None
    shown_when: Condition | None = None
    shows: Literal["family_support"] | None = None
    fields: list[Field] = Key(min_length=1)


class Cue(Part):
    """A sign of danger that follows from several answers, or from a number."""

    cue: Code
    when: Condition


class Form(Part):
    """The file of a form."""

    form: Name
    version: int = Key(ge=1, lt=2**31)
    record: Literal["contact", "case", "referral"]
    languages: list[Language] = Key(min_length=1)
    title: Labels
    lists: dict[Name, list[Option]] = Key(default_factory=dict)
    sections: list[Section] = Key(min_length=1)
    cues: list[Cue] = Key(default_factory=list)

    @cached_property
    def _fields(self) -> dict[tuple[str, str], tuple[Section, Field]]:
        return {(s.code, f.code): (s, f) for s in self.sections for f in s.fields}

    def section(self, code: str) -> Section | None:
        return next((s for s in self.sections if s.code == code), None)

    def find(self, path: str) -> tuple[Section, Field, str | None] | None:
        """Return the section, field and entry of a path; None if there is no such question."""
        parts = path.split(".")
        known = self._fields.get((parts[0], parts[-1]))
        if known is None or len(parts) != (3 if known[0].repeats else 2):
            return None
        if known[0].repeats and not is_entry(parts[1]):
            return None
        return *known, parts[1] if known[0].repeats else None

    def options_of(self, field: Field) -> list[Option]:
        """Return the options of a choice, its own or those of the list it names."""
        return field.options or self.lists.get(field.options_from or "", [])

    def meaning(self, meaning: Meaning) -> list[tuple[Section, Field]]:
        """Return the fields that have a meaning."""
        return [(s, f) for s in self.sections for f in s.fields if f.means == meaning]

    def path_of(self, meaning: Meaning) -> str | None:
        """Return the path of a meaning that a form has at most once."""
        return next(iter(self.paths_of(meaning, None)), None)

    def paths_of(self, meaning: Meaning, child: str | None) -> list[str]:
        """Return the paths where something is asked of a child: in its own entry, then for all."""
        found = sorted(self.meaning(meaning), key=lambda one: not one[0].repeats)
        return [
            f"{s.code}.{child}.{f.code}" if s.repeats else f"{s.code}.{f.code}"
            for s, f in found
            if not s.repeats or (child is not None and s is self.children)
        ]

    def with_cue(self, meaning: Meaning, cue: str) -> set[str]:
        """Return the answers to questions of a meaning that are that sign of danger."""
        return {
            option.code
            for _, field in self.meaning(meaning)
            for option in self.options_of(field)
            if option.cue == cue
        }

    def nothing(self, meaning: Meaning) -> set[str]:
        """Return the answers to questions of a meaning that mean none."""
        return {code for _, field in self.meaning(meaning) for code in self.nothing_of(field)}

    def nothing_of(self, field: Field) -> set[str]:
        """Return the answers to one question that mean none."""
        return {option.code for option in self.options_of(field) if option.nothing}

    def by_child(self, answers: Mapping[str, object]) -> bool | None:
        """Return whether the child itself is in contact; None if the answers do not say it.

        Where no option is the child's, the others do not say that it is another.
        """
        for section, field in self.meaning("kind"):
            chosen = answers.get(f"{section.code}.{field.code}")
            options = self.options_of(field)
            are_told_apart = any(option.is_child for option in options)
            for option in options:
                if option.code == chosen:
                    return option.is_child if are_told_apart else None
        return None

    @cached_property
    def children(self) -> Section | None:
        """Return the section that repeats for each child."""
        return next((s for s in self.sections if s.repeats and _is_of_children(s)), None)


def _is_of_children(section: Section) -> bool:
    return any(f.means in ("child_name", "child_age", "child_gender") for f in section.fields)


def is_entry(text: str) -> bool:
    """Return whether a text is a valid code of an entry: the page makes it, so it is checked."""
    return 0 < len(text) <= 12 and text.isascii() and text.isalnum() and text == text.lower()


def column_of(section: Section, field: Field) -> str:
    """Return the name of the export column of a question."""
    return field.column or f"{section.code}_{field.code}"
