"""What a page shows of a form: the questions of its definition, with their answers."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from app.contacts.finding.words import normal_words
from app.definitions.answers import Answers, AskedQuestion, Sheet
from app.definitions.forms import Field, Form, Section
from app.definitions.library import Library
from app.definitions.trees import Node, Tree, label_in
from app.words import yes_no
from app.words.parts import Foreign

# Stands for the code of an entry that the page has not made yet.
PLACEHOLDER = "__entry__"


# The code of the first child's entry. It is fixed, so that two windows write about one child.
FIRST = "a1"


@dataclass(frozen=True)
class Group:
    """Options under a heading; the heading may be empty."""

    label: str
    options: list[tuple[str, str]]


@dataclass(frozen=True)
class FieldView:
    path: str
    type: str
    label: str
    hint: str
    value: Any
    chosen: list[str]
    groups: list[Group]
    hidden: bool
    required: bool
    sealed: bool
    # For categories: by which words each is found, in one spelling for both scripts.
    finds: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EntryView:
    key: str
    title: str
    fields: list[FieldView]


@dataclass(frozen=True)
class SectionView:
    code: str
    title: str
    hint: str
    repeats: int
    entry_title: str
    entries: list[EntryView]
    blank: list[FieldView]
    hidden: bool
    support: list[tuple[str, str, str]] = field(default_factory=list)
    # After which question the urgency is decided; empty if not in this section.
    urgency_after: str = ""


def form_sections(
    sheet: Sheet, library: Library, answers: Answers, language: str
) -> list[SectionView]:
    """Return the sections of a form with their answers, in the reader's language.

    The first section of a contact is the quick one: who, what about, danger and urgency.
    """
    by_entry: dict[tuple[str, str | None], list[FieldView]] = {}
    for question in sheet.asked(answers):
        view = _field(sheet, question, answers, language)
        by_entry.setdefault((question.section.code, question.entry), []).append(view)
    closed = sheet.closed_sections(answers)
    views = [
        _section(sheet, section, answers, by_entry, library, language, closed)
        for section in sheet.form.sections
    ]
    return _danger_first(sheet.form, views) if sheet.form.record == "contact" else views


def _danger_first(form: Form, views: list[SectionView]) -> list[SectionView]:
    """Move the signs of danger into the first section, after what the contact is about.

    They keep their paths: only the place on the page changes.
    """
    signs = {
        f"{section.code}.{one.code}"
        for section in form.sections
        if not section.repeats
        for one in section.fields
        if one.means == "danger_signs"
    }
    first, *others = views
    if first.repeats:
        return views
    moved = [one for view in views if not view.repeats for one in view.entries[0].fields]
    moved = [one for one in moved if one.path in signs]
    left = [one for one in first.entries[0].fields if one.path not in signs]
    about = [at for at, one in enumerate(left) if one.type == "categories"]
    place = about[0] + 1 if about else len(left)
    asked = [*left[:place], *moved, *left[place:]]
    after = asked[place + len(moved) - 1].path
    quick = replace(first, entries=[replace(first.entries[0], fields=asked)], urgency_after=after)
    return [quick, *(one for view in others if (one := _without(view, signs)))]


def _without(view: SectionView, paths: set[str]) -> SectionView | None:
    """Return a section without some questions; None if it has no other."""
    if view.repeats:
        return view
    left = [one for one in view.entries[0].fields if one.path not in paths]
    return replace(view, entries=[replace(view.entries[0], fields=left)]) if left else None


def _section(
    sheet: Sheet,
    section: Section,
    answers: Answers,
    by_entry: dict[tuple[str, str | None], list[FieldView]],
    library: Library,
    language: str,
    closed: list[str],
) -> SectionView:
    name = label_in(section.entry or section.title, language)
    keys = sheet.entries(answers, section) if section.repeats else [""]
    blank = []
    first = any(f.means == "child_name" for f in section.fields) and not keys
    if section.repeats:
        blank = [
            _field(
                sheet,
                AskedQuestion(
                    f"{section.code}.{PLACEHOLDER}.{f.code}",
                    section,
                    f,
                    PLACEHOLDER,
                    f.shown_when is None,
                    f.required,
                ),
                {},
                language,
            )
            for f in section.fields
        ]
    if first:
        # Show one empty entry. It is stored when its first answer is written.
        keys = [FIRST]
        by_entry = {(section.code, FIRST): [_renamed(view) for view in blank]}
    support = []
    if section.shows == "family_support":
        support = [
            (s.code, label_in(s.name, language), label_in(s.what, language))
            for s in library.support.services
        ]
    return SectionView(
        code=section.code,
        title=label_in(section.title, language),
        hint=label_in(section.hint, language) if section.hint else "",
        repeats=section.repeats or 0,
        entry_title=name,
        entries=[
            EntryView(
                key=key,
                title=f"{name} {number}" if section.repeats else "",
                fields=by_entry.get((section.code, key or None), []),
            )
            for number, key in enumerate(keys, 1)
        ],
        blank=blank,
        hidden=section.code in closed,
        support=support,
    )


def _renamed(view: FieldView) -> FieldView:
    return replace(view, path=view.path.replace(PLACEHOLDER, FIRST))


def _field(sheet: Sheet, question: AskedQuestion, answers: Answers, language: str) -> FieldView:
    definition, value = question.field, answers.get(question.path)
    return FieldView(
        path=question.path,
        type=definition.type,
        label=label_in(definition.label, language),
        hint=label_in(definition.hint, language) if definition.hint else "",
        value=value if value is not None else "",
        chosen=value if isinstance(value, list) else [],
        groups=groups_of(sheet, definition, language),
        hidden=not question.shown and value is None,
        required=question.required,
        sealed=definition.personal is not None,
        finds=_finds(sheet.categories) if definition.type == "categories" else {},
    )


# The words by which categories are found, of the trees that pages have shown.
_found_by: dict[int, tuple[Tree, dict[str, str]]] = {}


def _finds(tree: Tree) -> dict[str, str]:
    """Return for each category the words by which it is found: labels and `also`, all languages."""
    known = _found_by.get(id(tree))
    if known is None:
        known = _found_by[id(tree)] = tree, dict(_words_of(tree))
    return known[1]


def _words_of(tree: Tree) -> Iterator[tuple[str, str]]:
    nodes = {node.code: node for node, _ in tree.walk()}
    for leaf, above in tree.walk():
        if not leaf.inside:
            said = [text for code in (leaf.code, *above) for text in nodes[code].label.values()]
            said += [word for words in leaf.also.values() for word in words]
            yield leaf.code, " ".join(normal_words(" ".join(said)))


@functools.cache
def spelling() -> dict[str, str]:
    """Return how each letter of the region is spelt in small Latin letters without marks.

    A page uses it to compare what is typed, in either script, with the words of `finds`.
    """
    letters = [chr(n) for span in (range(0xDF, 0x250), range(0x430, 0x460)) for n in span]
    return {
        letter: "".join(normal_words(letter))
        for letter in letters
        if letter.isalpha() and letter == letter.casefold()
    }


def groups_of(sheet: Sheet, definition: Field, language: str) -> list[Group]:
    """Return the options of a question; categories are grouped under their headings."""
    match definition.type:
        case "choice" | "choices":
            options = sheet.form.options_of(definition)
            return [Group("", [(o.code, label_in(o.label, language)) for o in options])]
        case "yes_no":
            return [Group("", list(yes_no(language).items()))]
        case "place":
            return [
                Group(
                    "",
                    [
                        (node.code, _below(label_in(node.label, language), len(above)))
                        for node, above in sheet.places.walk()
                    ],
                )
            ]
        case "categories":
            return [
                Group(
                    label_in(node.label, language),
                    [(leaf.code, label_in(leaf.label, language)) for leaf in _leaves(node)],
                )
                for node in sheet.categories.nodes
            ]
        case _:
            return []


def _leaves(node: Node) -> list[Node]:
    return [leaf for inner in node.inside for leaf in _leaves(inner)] if node.inside else [node]


def _below(label: str, depth: int) -> str:
    """Return a label behind a dash for each level above it; it stays in its language."""
    shown = "– " * depth + label
    return Foreign.of(shown, label.language) if isinstance(label, Foreign) else shown
