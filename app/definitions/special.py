"""Special categories of personal data (GDPR, article 9): which questions and categories hold them.

`special.yaml` lists those of the framework and of the forms that come with the program. A country
marks its own. What follows from a mapping or a sign of danger needs no mark to be sealed. Pure.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from app.definitions.datafile import BadDefinition, Lines, Part, Wrong, read_model
from app.definitions.forms import Field, Form, Meaning, Name
from app.definitions.trees import Code, Node, Special, Tree
from app.errors import Message

_FILE = Path(__file__).parent / "special.yaml"


class Marks(Part):
    """The file of what is special, whatever a country's own files say."""

    # By tree, and by the kind of data: the codes, with everything inside them.
    categories: dict[Code, dict[Special, tuple[Code, ...]]]
    meanings: dict[Meaning, Special]
    # By form: the paths, as `section.field`.
    questions: dict[Name, dict[str, Special]]


@lru_cache(maxsize=1)
def marks() -> Marks:
    """Return the shipped marks."""
    return read_model(Marks, _FILE.read_text(encoding="utf-8"), _FILE.name)[0]


def special_codes(tree: Tree) -> dict[str, Special]:
    """Return which categories are special: by a mark on them or above them."""
    listed = {
        code: kind
        for kind, codes in marks().categories.get(tree.tree, {}).items()
        for code in codes
    }
    found: dict[str, Special] = {}
    for node, above in tree.walk():
        own = node.special or listed.get(node.code)
        inherited = next((found[code] for code in reversed(above) if code in found), None)
        kind = own or inherited
        if kind is not None:
            found[node.code] = kind
    return found


def special_cues(*trees: Tree | None) -> dict[str, Special]:
    """Return the signs of danger that special categories are."""
    found: dict[str, Special] = {}
    for tree in trees:
        kinds = special_codes(tree) if tree is not None else {}
        for node in tree.choices().values() if tree is not None else ():
            if node.cue is not None and node.code in kinds:
                found.setdefault(node.cue, kinds[node.code])
    return found


def kind_of(form: Form, path: str, field: Field, cues: dict[str, Special]) -> Special | None:
    """Return which special data the answers of a question hold; None if they hold none.

    The categories are one question: which of its answers are sealed would tell what is in them.
    """
    listed = marks().questions.get(form.form, {}).get(path)
    meant = marks().meanings.get(field.means) if field.means is not None else None
    if (found := field.special or listed or meant) is not None:
        return found
    if field.type == "categories":
        return "health"
    signs = (cues[option.cue] for option in form.options_of(field) if option.cue in cues)
    return next(signs, None)


def special_questions(form: Form, cues: dict[str, Special]) -> frozenset[str]:
    """Return the questions, as `section.field`, whose codes are sealed."""
    return frozenset(
        path
        for path, field in _questions(form)
        if field.personal is None and kind_of(form, path, field, cues) is not None
    )


def _questions(form: Form) -> Iterator[tuple[str, Field]]:
    for section in form.sections:
        for field in section.fields:
            yield f"{section.code}.{field.code}", field


# -- the check of new files --------------------------------------------------------------------


def check_tree(tree: Tree, lines: Lines, framework: Tree | None) -> None:
    """Check that a country's categories say so where the framework's are special.

    Raises BadDefinition.
    """
    wrong, counted = Wrong(), special_codes(framework) if framework is not None else {}
    own = special_codes(tree)
    for node, place in _nodes(tree.nodes, ("nodes",)):
        kind = counted.get(node.counts_as or "")
        if kind is not None and node.code not in own:
            wrong.found.append(
                lines.refuse(
                    (*place, "counts_as"),
                    Message(
                        "'%(code)s' counts as '%(framework)s', which is special (%(kind)s): add "
                        "`special: %(kind)s`",
                        code=node.code,
                        framework=node.counts_as,
                        kind=kind,
                    ),
                )
            )
    wrong.refuse()


def check_form(form: Form, lines: Lines, cues: dict[str, Special]) -> None:
    """Check that a question says so if its answers are the signs that special categories are.

    Where a meaning says it already, nothing is asked.

    Raises BadDefinition.
    """
    wrong, listed = Wrong(), marks().questions.get(form.form, {})
    for n, section in enumerate(form.sections):
        for m, field in enumerate(section.fields):
            path = f"{section.code}.{field.code}"
            if field.special or field.personal or field.type == "categories":
                continue
            kind = kind_of(form, path, field, cues)
            if kind is None or field.means in marks().meanings or path in listed:
                continue
            wrong.found.append(
                lines.refuse(
                    ("sections", n, "fields", m),
                    Message(
                        "the answers to '%(path)s' are special (%(kind)s): add `special: %(kind)s`",
                        path=path,
                        kind=kind,
                    ),
                )
            )
    wrong.refuse()


def _nodes(
    nodes: tuple[Node, ...], place: tuple[str | int, ...]
) -> Iterator[tuple[Node, tuple[str | int, ...]]]:
    for n, node in enumerate(nodes):
        yield node, (*place, n)
        yield from _nodes(node.inside, (*place, n, "inside"))


__all__ = ["BadDefinition", "check_form", "check_tree", "marks", "special_codes", "special_cues"]
