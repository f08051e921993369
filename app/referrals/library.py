"""The protocols and mappings in force, registered like every other definition."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.contacts import records
from app.definitions import library as definitions
from app.definitions.datafile import BadDefinition, read_data
from app.definitions.library import Key, files_of, kind_of, text_of
from app.referrals.channels.primero.mapping import Mapping, check_mapping_against_form, read_mapping
from app.referrals.protocol import Protocol, check_against_form, check_codes, read_protocol
from app.work import Ground, Work

SHIPPED = Path(__file__).parent / "data"
_SHIPPED_FORM = "referral"


@dataclass
class Protocols:
    """All protocols and mappings by name and version, and the name of the country's protocol."""

    chosen: str
    protocols: dict[tuple[str, int], Protocol] = field(default_factory=dict)
    mappings: dict[tuple[str, int], Mapping] = field(default_factory=dict)
    texts: dict[Key, tuple[str, str]] = field(default_factory=dict)
    # Versions without a file: running referrals still use them, new ones do not.
    gone: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def current(self) -> Protocol:
        """Return the protocol for new referrals. Raises BadDefinition."""
        found: Protocol = self._newest("protocols", self.chosen)
        return found

    def mapping(self, name: str) -> Mapping:
        """Return the newest version of a mapping. Raises BadDefinition."""
        found: Mapping = self._newest("mappings", name)
        return found

    def _newest(self, kind: str, name: str) -> Any:
        shelf: dict[tuple[str, int], Any] = getattr(self, kind)
        versions = [key for key in shelf if key[0] == name and (kind, *key) not in self.gone]
        if not versions:
            words = f"there is no {kind.removesuffix('s')} {name!r}"
            raise BadDefinition("country.yaml", 1, words)
        return shelf[max(versions)]

    def restore(self, kind: str, text: str) -> None:
        """Restore a version that no longer has a file from the register."""
        if kind == "protocols":
            protocol, _ = read_protocol(text, "the register")
            self.protocols[protocol.protocol, protocol.version] = protocol
            self.gone.add((kind, protocol.protocol, protocol.version))
        elif kind == "mappings":
            mapping, _ = read_mapping(text, "the register")
            self.mappings[mapping.mapping, mapping.version] = mapping
            self.gone.add((kind, mapping.mapping, mapping.version))


@functools.lru_cache(maxsize=4)
def load(folder: Path | None = None) -> Protocols:
    """Read and check every protocol and mapping. Raises BadDefinition with file and line."""
    library = definitions.load(folder)
    found = Protocols(library.country.protocol)
    form = library.form_for("referral")
    readers: dict[str, Callable[[str, str], tuple[Any, Any]]] = {
        "protocol": read_protocol,
        "mapping": read_mapping,
    }
    for path in files_of(SHIPPED, folder):
        text = text_of(path)
        kind = kind_of(text, path.name)
        if kind not in readers:
            continue
        made, lines = readers[kind](text, path.name)
        # Shipped definitions fit the shipped form; a country may have a form of its own.
        in_use = path.parent != SHIPPED or form.form == _SHIPPED_FORM
        if isinstance(made, Protocol):
            if in_use or made.protocol == found.chosen:
                check_against_form(made, lines, form)
            check_codes(made, lines, list(library.trees.values()), library.risk.codes())
            _keep(found, "protocols", made.protocol, made.version, made, text, path.name)
        else:
            if in_use:
                check_mapping_against_form(made, lines, form)
            _keep(found, "mappings", made.mapping, made.version, made, text, path.name)
    own = folder / "country.yaml" if folder is not None else None
    place = own if own is not None and own.exists() else definitions.SHIPPED / "country.yaml"
    if not any(name == found.chosen for name, _ in found.protocols):
        lines = read_data(text_of(place), place.name)[1]
        raise lines.refuse(("protocol",), f"there is no protocol {found.chosen!r}")
    return found


def _keep(
    found: Protocols, kind: str, name: str, version: int, made: Any, text: str, source: str
) -> None:
    shelf: dict[tuple[str, int], Any] = getattr(found, kind)
    if (name, version) in shelf:
        other = found.texts[kind, name, version][1]
        raise BadDefinition(source, 1, f"{name} version {version} is also in {other}")
    shelf[name, version] = made
    found.texts[kind, name, version] = (text, source)


def protocols_of(ground: Ground) -> Protocols:
    """Return the protocols and mappings in force in this process."""
    found: Protocols | None = ground.kept.get("protocols")
    if found is None:
        found = ground.kept["protocols"] = load(ground.settings.definitions_dir)
    return found


async def register(work: Work) -> None:
    """Write new protocols and mappings into the register, as for forms.

    Raises DefinitionChanged.
    """
    found = protocols_of(work.ground)
    await records.register_texts(work, found.texts, ("protocols", "mappings"), found.restore)
