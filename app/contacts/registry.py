"""The definitions by which contacts, cases and referrals are written: registered, and in force.

The text of a name and version never changes, so that every record stays readable.
"""

import secrets
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select

from app.contacts.models import Case, Definition, Filled
from app.definitions import in_force
from app.definitions import library as libraries
from app.definitions.answers import Sheet
from app.definitions.library import Library
from app.definitions.shelves import Key
from app.definitions.workflow import Workflow
from app.errors import Conflict, Message, UnknownDefinition
from app.work import Ground, Work

# Crockford's alphabet: it leaves out letters that are easily confused.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_code(letter: str) -> str:
    """Return a code to say aloud, like K-7F3-9QD-2XC; 45 random bits."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(9))
    return f"{letter}-{body[:3]}-{body[3:6]}-{body[6:]}"


def library_of(ground: Ground) -> Library:
    """Return the definitions in force."""
    kept: dict[int | None, Library] = ground.kept.setdefault("libraries", {})
    set_id = in_force.set_of(ground)
    found = kept.get(set_id)
    if found is None:
        found = kept[set_id] = libraries.load(in_force.folder_of(ground)).copy()
    return found


class DefinitionChanged(Conflict):
    """A file differs from the text that records were written with."""

    def __init__(self, source: str, problem: Message) -> None:
        self.source, self.problem = source, problem
        super().__init__("%(source)s: %(problem)s", source=source, problem=problem)


async def register(work: Work, library: Library) -> set[Key]:
    """Write new definitions into the register, and return those that others of their name were
    before. Raises DefinitionChanged."""
    return await register_texts(work, library.texts, library.needed())


async def register_texts(
    work: Work, texts: dict[Key, tuple[str, str]], needed: set[Key]
) -> set[Key]:
    """Do the same for an area's own kinds of definitions.

    A shipped one that is not needed may say something else: a version that the country had made
    for itself came with a newer program. What records were written with counts.
    """
    # Several processes may start at once.
    await work.session.execute(select(func.pg_advisory_xact_lock(116_113)))
    known = await _digests(work)
    if changed := _changed({key: texts[key] for key in texts if key in needed}, known):
        raise changed[0]
    names, new = {key[:2] for key in known}, texts.keys() - known.keys()
    for key in new:
        kind, name, version = key
        work.session.add(
            Definition(
                kind=kind,
                name=name,
                version=version,
                digest=libraries.digest_of(texts[key][0]),
                text=texts[key][0],
            )
        )
    return {key for key in new if key[:2] in names}


async def changed_texts(work: Work, texts: dict[Key, tuple[str, str]]) -> list[DefinitionChanged]:
    """Return which of these texts differ from those that the register holds."""
    return _changed(texts, await _digests(work))


def _changed(texts: dict[Key, tuple[str, str]], known: dict[Key, bytes]) -> list[DefinitionChanged]:
    return [
        DefinitionChanged(
            source,
            Message(
                "%(name)s version %(version)s was changed after it came into use. "
                "Undo the change, or give it version %(next)s.",
                name=key[1],
                version=key[2],
                next=max(version for *of, version in known if tuple(of) == key[:2]) + 1,
            ),
        )
        for key, (text, source) in texts.items()
        if key in known and known[key] != libraries.digest_of(text)
    ]


async def _digests(work: Work) -> dict[Key, bytes]:
    rows = await work.session.execute(
        select(Definition.kind, Definition.name, Definition.version, Definition.digest)
    )
    return {(kind, name, version): digest for kind, name, version, digest in rows}


async def registered(work: Work) -> dict[Key, str]:
    """Return every text of the register: what records were written with."""
    rows = await work.session.execute(
        select(Definition.kind, Definition.name, Definition.version, Definition.text)
    )
    return {(kind, name, version): text for kind, name, version, text in rows}


def sheet_of(work: Work, record: Filled) -> Sheet:
    """Return the form and trees that a record was written with. Raises UnknownDefinition."""
    try:
        return library_of(work.ground).sheet(
            (record.form, record.form_version),
            (record.categories, record.categories_version),
            (record.places, record.places_version),
        )
    except KeyError:
        raise UnknownDefinition() from None


def workflow_of(work: Work, case: Case) -> Workflow:
    """Return the workflow that a case was opened with. Raises UnknownDefinition."""
    try:
        return library_of(work.ground).workflows[case.workflow, case.workflow_version]
    except KeyError:
        raise UnknownDefinition() from None


def beginning(work: Work, kind: str) -> dict[str, Any]:
    """Return the first columns of a new record of a kind, with the newest versions in force."""
    library = library_of(work.ground)
    form, categories, places = library.form_for(kind), library.categories, library.places
    return {
        "id": uuid4(),
        "code": new_code({"contact": "K", "case": "C", "referral": "R"}[kind]),
        "form": form.form,
        "form_version": form.version,
        "categories": categories.tree,
        "categories_version": categories.version,
        "places": places.tree,
        "places_version": places.version,
        "opened_at": work.now,
    }
