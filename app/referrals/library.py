"""The protocols and mappings in force, registered like every other definition."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.contacts import registry
from app.definitions import in_force
from app.definitions import library as definitions
from app.definitions.datafile import BadDefinition, Lines, Wrong, read_data
from app.definitions.folder import Folder
from app.definitions.forms import Form
from app.definitions.library import (
    COUNTRY,
    Library,
    Source,
    country_of,
    files_of,
    kind_of,
    pass_over,
    takes_place,
)
from app.definitions.shelves import Key, Shelves
from app.errors import Message
from app.referrals.channels.primero.mapping import Mapping, check_mapping_against_form, read_mapping
from app.referrals.protocol import Protocol, check_against_form, check_codes, read_protocol
from app.work import Ground, Work

SHIPPED = Path(__file__).parent / "data"
_SHIPPED_FORM = "referral"


class ProtocolShelf(StrEnum):
    """The shelves of this library: the names of its attributes, and of kinds in the register."""

    PROTOCOLS = "protocols"
    MAPPINGS = "mappings"


@dataclass
class ProtocolLibrary(Shelves[ProtocolShelf]):
    """All protocols and mappings by name and version, and the name of the country's protocol."""

    chosen: str
    protocols: dict[tuple[str, int], Protocol] = field(default_factory=dict)
    mappings: dict[tuple[str, int], Mapping] = field(default_factory=dict)
    texts: dict[Key, tuple[str, str]] = field(default_factory=dict)
    # Those that the country's own files hold.
    own: set[Key] = field(default_factory=set)
    # Running referrals still use these versions, new ones do not: their files are gone, or the
    # country has its own of that name.
    gone: set[Key] = field(default_factory=set)

    def copy(self) -> "ProtocolLibrary":
        """Return the same protocols and mappings, to which others can be restored."""
        return replace(
            self,
            protocols=dict(self.protocols),
            mappings=dict(self.mappings),
            gone=set(self.gone),
        )

    @property
    def current(self) -> Protocol:
        """Return the protocol for new referrals. Raises BadDefinition."""
        found: Protocol = self.newest(ProtocolShelf.PROTOCOLS, self.chosen)
        return found

    def needed(self) -> set[Key]:
        """Return what new referrals are written with, and the country's own."""
        mappings = {(ProtocolShelf.MAPPINGS, *key) for key in self.mappings} - self.gone
        current = (ProtocolShelf.PROTOCOLS, self.current.protocol, self.current.version)
        return {*self.own, current, *mappings}

    def mapping(self, name: str) -> Mapping:
        """Return the newest version of a mapping. Raises BadDefinition."""
        found: Mapping = self.newest(ProtocolShelf.MAPPINGS, name)
        return found

    def _missing(self, kind: ProtocolShelf, name: str) -> Message:
        if kind is ProtocolShelf.PROTOCOLS:
            return Message("there is no protocol '%(name)s'", name=name)
        return Message("there is no mapping '%(name)s'", name=name)

    def _read_again(self, kind: str, text: str) -> tuple[tuple[str, int], Any] | None:
        match kind:
            case ProtocolShelf.PROTOCOLS:
                protocol, _ = read_protocol(text, "the register")
                return (protocol.protocol, protocol.version), protocol
            case ProtocolShelf.MAPPINGS:
                mapping, _ = read_mapping(text, "the register")
                return (mapping.mapping, mapping.version), mapping
        return None


@functools.lru_cache(maxsize=8)
def load(folder: Folder | None = None) -> ProtocolLibrary:
    """Read and check every protocol and mapping. Raises BadDefinition with file and line."""
    library = definitions.load(folder)
    found = ProtocolLibrary(library.country.protocol)
    wrong = Wrong()
    for source in files_of(SHIPPED, folder):
        with wrong:
            kind = kind_of(source.text, source.name)
            if kind in _READERS:
                _add(found, library, source, *_READERS[kind](source.text, source.name))
    wrong.refuse()
    pass_over(found.texts, found.own, found.gone)
    if not any(name == found.chosen for name, _ in found.protocols):
        lines = read_data(country_of(folder), COUNTRY)[1]
        raise lines.refuse(
            ("protocol",), Message("there is no protocol '%(name)s'", name=found.chosen)
        )
    return found


_READERS: dict[str, Callable[[str, str], tuple[Any, Lines]]] = {
    "protocol": read_protocol,
    "mapping": read_mapping,
}


def _add(found: ProtocolLibrary, library: Library, source: Source, made: Any, lines: Lines) -> None:
    form: Form = library.form_for("referral")
    # Shipped definitions fit the shipped form; a country may have a form of its own.
    in_use = source.own or form.form == _SHIPPED_FORM
    if isinstance(made, Protocol):
        try:
            if in_use or made.protocol == found.chosen:
                check_against_form(made, lines, form)
            check_codes(made, lines, list(library.trees.values()), library.risk.codes())
        except BadDefinition:
            replaced = any(name == made.protocol for _, name, _ in found.own)
            if source.own or (made.protocol == found.chosen and not replaced):
                raise
            # A shipped protocol that does not fit the country's own files is not used there.
            return
        key = (ProtocolShelf.PROTOCOLS, made.protocol, made.version)
        if takes_place(found.texts, found.own, key, source):
            found.protocols[key[1:]] = made
    else:
        if in_use:
            check_mapping_against_form(made, lines, form)
        key = (ProtocolShelf.MAPPINGS, made.mapping, made.version)
        if takes_place(found.texts, found.own, key, source):
            found.mappings[key[1:]] = made


def protocols_of(ground: Ground) -> ProtocolLibrary:
    """Return the protocols and mappings in force."""
    kept: dict[int | None, ProtocolLibrary] = ground.kept.setdefault("protocols", {})
    set_id = in_force.set_of(ground)
    found = kept.get(set_id)
    if found is None:
        found = kept[set_id] = load(in_force.folder_of(ground)).copy()
    return found


async def register(work: Work, found: ProtocolLibrary) -> None:
    """Write new protocols and mappings into the register, as for forms.

    Raises DefinitionChanged.
    """
    await registry.register_texts(work, found.texts, found.needed())
