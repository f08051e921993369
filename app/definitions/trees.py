"""Category trees and location trees. Pure.

A version of a tree never changes: a correction is a new version. A
country's own category tree says for each of its codes which code of the framework it
counts as; a code without such a line is on a work list, and its mapping is never guessed.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app import words
from app.definitions.datafile import BadDefinition, Lines, Part, Wrong, read_model
from app.errors import Message
from app.words import catalogues, pages
from app.words.parts import Foreign

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Labels = Annotated[dict[Language, str], Field(min_length=1)]
# Kinds of data that the law protects most (GDPR, article 9).
Special = Literal["health", "sexual", "origin", "belief"]


def label_in(labels: dict[str, str], language: str) -> str:
    """Return the label in a language; if it has none, as a catalogue translates it, or its first.

    The catalogues translate the definitions that are shipped: their English is the message. One
    that a helpline imported also replaces what those write in a language themselves.
    """
    english, base = labels.get(words.SOURCE, ""), words.spoken_as(language)
    if base in labels:
        own = catalogues.own_label(language, english, labels[base])
        return own or words.in_script(language, labels[base], english)
    translated = pages.label_words(english, language) if english else None
    if translated is not None:
        return translated
    known, label = next(iter(labels.items()))
    return Foreign.of(label, known)


class Node(Part):
    """A category or a place. `counts_as` maps a country's category to the framework's; `special`
    says which special data it is, with everything inside it (see `special.py`)."""

    code: Code
    label: Labels
    cue: Code | None = None
    counts_as: Code | None = None
    special: Special | None = None
    # Labels of the same thing in earlier frameworks and elsewhere, for comparison only.
    aliases: tuple[str, ...] = ()
    # Words in each language by which a person who types finds it. No label anywhere.
    also: dict[Language, tuple[str, ...]] = Field(default_factory=dict)
    inside: tuple["Node", ...] = ()


class Tree(Part):
    """The file of a tree of categories or of places."""

    tree: Code
    version: int = Field(ge=1, lt=2**31)
    kind: str = Field(pattern="^(categories|places)$")
    languages: list[Language] = Field(min_length=1)
    # The framework that a country's own tree is mapped to: its name and version.
    maps_to: Code | None = None
    maps_to_version: int | None = None
    nodes: tuple[Node, ...] = Field(min_length=1)

    def walk(self) -> Iterator[tuple[Node, tuple[str, ...]]]:
        """Yield every node with the codes above it, top first, in the order of the file."""
        yield from _walk(self.nodes, ())

    @cached_property
    def _choices(self) -> dict[str, Node]:
        return {
            node.code: node for node, _ in self.walk() if self.kind == "places" or not node.inside
        }

    @cached_property
    def _paths(self) -> dict[str, tuple[str, ...]]:
        return {node.code: (*above, node.code) for node, above in self.walk()}

    def paths(self) -> dict[str, tuple[str, ...]]:
        """Return for every code the codes from the top down to it."""
        return self._paths

    def choices(self) -> dict[str, Node]:
        """Return what a contact may be given: the leaves of categories, every node of places."""
        return self._choices

    def unmapped(self) -> list[Node]:
        """Return the codes without a mapping to the framework: the work list."""
        if self.maps_to is None:
            return []
        return [node for node, _ in self.walk() if not node.inside and node.counts_as is None]


def _walk(
    nodes: tuple[Node, ...], above: tuple[str, ...]
) -> Iterator[tuple[Node, tuple[str, ...]]]:
    for node in nodes:
        yield node, above
        yield from _walk(node.inside, (*above, node.code))


def read_tree(text: str, source: str) -> tuple[Tree, Lines]:
    """Read a tree in which every code appears once, in all languages. Raises BadDefinition."""
    tree, lines = read_model(Tree, text, source)
    seen: dict[str, int] = {}
    wrong = Wrong()
    for node, path in _places_of(tree.nodes, ("nodes",)):
        with wrong:
            if node.code in seen:
                words = Message(
                    "the code '%(code)s' is also in line %(line)s",
                    code=node.code,
                    line=seen[node.code],
                )
                raise lines.refuse(path, words)
            seen[node.code] = lines.at(path)
            check_labels(node.label, tree.languages, lines, (*path, "label"))
    wrong.refuse()
    if (tree.maps_to is None) != (tree.maps_to_version is None):
        raise lines.refuse(
            ("maps_to",), Message("give maps_to and maps_to_version together, or neither")
        )
    return tree, lines


def _places_of(
    nodes: tuple[Node, ...], path: tuple[str | int, ...]
) -> Iterator[tuple[Node, tuple[str | int, ...]]]:
    for n, node in enumerate(nodes):
        yield node, (*path, n)
        yield from _places_of(node.inside, (*path, n, "inside"))


def check_mapping(tree: Tree, lines: Lines, framework: Tree) -> None:
    """Check that every `counts_as` names a code of the framework. Raises BadDefinition."""
    known, wrong = framework.choices(), Wrong()
    for node, path in _places_of(tree.nodes, ("nodes",)):
        if node.counts_as is not None and node.counts_as not in known:
            words = Message(
                "counts_as '%(code)s': %(framework)s has no such category",
                code=node.counts_as,
                framework=framework.tree,
            )
            wrong.found.append(lines.refuse((*path, "counts_as"), words))
    wrong.refuse()


def check_labels(
    labels: dict[str, str], languages: list[str], lines: Lines, path: tuple[str | int, ...]
) -> None:
    """Check that there is a text in each of the languages. Raises BadDefinition."""
    missing = [language for language in languages if not labels.get(language, "").strip()]
    if missing:
        raise lines.refuse(
            path, Message("the words in %(languages)s are missing", languages=missing)
        )


__all__ = ["BadDefinition", "Code", "Labels", "Language", "Node", "Special", "Tree", "check_labels"]
