"""Everything that a folder of definitions says, and everything that is wrong with it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from app.country.comparing import Whole
from app.definitions import childs_options, special
from app.definitions import library as libraries
from app.definitions.datafile import BadDefinition, Wrong, read_data
from app.definitions.folder import Folder, folder_with, shipped_folder
from app.definitions.library import COUNTRY, kind_of
from app.definitions.shelves import Key
from app.errors import Message
from app.referrals import library as protocols
from app.retention import country as retention
from app.routing.rota import rest
from app.routing.rota.proposals import usual
from app.statistics.counting import shapes
from app.statistics.facts import questions

# Kinds that are only read from a file of this name, or whose name begins so.
_CALLED = {
    "facts": questions.FILE,
    "rest": rest.FILE,
    "proposal": usual.FILE,
    "retention": retention.FILE,
    "report": "report-",
}
# Reads some of the definitions of a folder. Raises BadDefinition.
_Read = Callable[[Folder | None], Any]
_SHIPPED = (
    libraries.SHIPPED,
    protocols.SHIPPED,
    questions.SHIPPED,
    rest.SHIPPED,
    usual.SHIPPED,
)


def shipped_files() -> dict[str, str]:
    """Return the text of every definition that comes with the program, by the file's name."""
    return {name: text for place in _SHIPPED for name, text in shipped_folder(place).files}


def all_files(folder: Folder | None) -> Folder:
    """Return the shipped files with a country's own in their places: a folder to begin with."""
    own = dict(folder.files) if folder is not None else {}
    return folder_with(shipped_files() | own)


def without_shipped(folder: Folder) -> tuple[Folder, list[str]]:
    """Return the files that differ from the shipped ones, and the names of the others.

    A copy of a shipped file would keep the country from later versions of it.
    """
    shipped = set(shipped_files().values())
    own = {name: text for name, text in folder.files if text not in shipped}
    return folder_with(own), [name for name, text in folder.files if text in shipped]


def problems_of(folder: Folder | None, *, is_new: bool = False) -> list[BadDefinition]:
    """Return everything that is wrong with the definitions of a folder; empty if nothing is.

    `is_new`: no file may say something else under a version that comes with the program. Later a
    newer program may bring such a version, and then the country's own counts.
    """
    wrong = Wrong()
    with wrong:
        _check_names(folder)
    with wrong:
        libraries.load(folder)
        of_forms: tuple[_Read, ...] = (protocols.load, questions.read_questions)
        for read in (*of_forms, _check_shipped, check_marks) if is_new else of_forms:
            with wrong:
                read(folder)
    others: tuple[_Read, ...] = (
        shapes.shapes_in,
        rest.read_rules,
        usual.read_usual,
        retention.read_country,
    )
    for read in others:
        with wrong:
            read(folder)
    seen: dict[str, BadDefinition] = {}
    for one in wrong.found:
        seen.setdefault(str(one), one)
    return list(seen.values())


def _check_names(folder: Folder | None) -> None:
    """Check that each file is read: some kinds are looked for by the name of the file."""
    wrong = Wrong()
    for name, text in folder.files if folder is not None else ():
        with wrong:
            if name == COUNTRY:
                continue
            kind = kind_of(text, name)
            called = _CALLED.get(kind)
            if called is not None and not name.startswith(called):
                usual_name = called if called.endswith(".yaml") else f"{called}NAME.yaml"
                raise BadDefinition(
                    name, 1, Message("a file of this kind must be called %(name)s", name=usual_name)
                )
    wrong.refuse()


def _check_shipped(folder: Folder | None) -> None:
    """Check that no file is of the same version as a shipped one and says something else."""
    wrong, shipped = Wrong(), _shipped_versions()
    for key, (text, source) in own_texts(folder).items():
        identity = _identity(text, source)
        if shipped.get(identity, text) != text:
            lines = read_data(text, source)[1]
            words = Message(
                "version %(version)s comes with the program and says something else: raise it",
                version=key[2],
            )
            wrong.found.append(lines.refuse(("version",), words))
    wrong.refuse()


@lru_cache(maxsize=1)
def _shipped_versions() -> dict[tuple[str, str, str], str]:
    """Return the text of each version of a definition that comes with the program."""
    return {
        _identity(text, name): text for name, text in shipped_files().items() if name != COUNTRY
    }


def check_marks(folder: Folder | None) -> None:
    """Check that a country's own files mark what is special, and which option is the child.

    Files that were imported before are used as they are: what follows from them is sealed anyway,
    and a form that does not say which option is the child says of no contact that it is another.

    Raises BadDefinition.
    """
    library, wrong = libraries.load(folder), Wrong()
    cues = special.special_cues(library.categories, library.framework)
    for key in sorted(library.own):
        kind, name, version = key
        text, source = library.texts[key]
        lines = read_data(text, source)[1]
        with wrong:
            if (
                kind == libraries.Shelf.TREES
                and (tree := library.trees[name, version]).kind == "categories"
            ):
                special.check_tree(tree, lines, library.mapped(tree))
            elif kind == libraries.Shelf.FORMS:
                special.check_form(library.forms[name, version], lines, cues)
        if kind == libraries.Shelf.FORMS:
            form = library.forms[name, version]
            with wrong:
                is_used = form is library.form_for("contact")
                childs_options.check_form(form, lines, is_used=is_used)
    wrong.refuse()


def own_texts(folder: Folder | None) -> dict[Key, tuple[str, str]]:
    """Return what a country's own files add to the register: texts with their files."""
    library, found = libraries.load(folder), protocols.load(folder)
    own, texts = library.own | found.own, library.texts | found.texts
    return {key: text for key, text in texts.items() if key in own}


def _identity(text: str, source: str) -> tuple[str, str, str]:
    data, kind = read_data(text, source)[0], kind_of(text, source)
    return kind, str(data[kind]), str(data.get("version"))


def whole_of(folder: Folder | None) -> Whole:
    """Return what the definitions of a folder say. Raises BadDefinition."""
    library, found = libraries.load(folder), protocols.load(folder)
    names = sorted({name for name, _ in found.mappings})
    kept = retention.read_country(folder)
    others: dict[str, BaseModel] = {
        "protocol": found.current,
        **{f"mapping {name}": found.mapping(name) for name in names},
        "facts": questions.read_questions(folder),
        "rest": rest.read_rules(folder),
        "proposal": usual.read_usual(folder),
        **({"retention": kept} if kept is not None else {}),
        **{f"report {name}": shape for name, shape in shapes.shapes_in(folder).items()},
    }
    return Whole(
        library=library,
        others={
            name: one.model_dump(mode="json", by_alias=True, exclude_none=True)
            for name, one in others.items()
        },
    )
