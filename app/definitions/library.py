"""The definitions that are in force: shipped ones, and a country's own beside them.

Files are read and checked when a process starts. Each name and version is also kept in the
database with its digest: a file that was changed without a new version is refused, and a
record stays readable with the version that it was written with, even when the file is gone.
"""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from app.definitions.answers import Sheet
from app.definitions.checking import read_form
from app.definitions.datafile import BadDefinition, Part, read_data, read_file, read_model
from app.definitions.forms import Form
from app.definitions.guidance import Guidance, check_topics, read_guidance
from app.definitions.risk import RiskCues, read_risk
from app.definitions.trees import (
    Code,
    Labels,
    Language,
    Tree,
    check_labels,
    check_mapping,
    read_tree,
)
from app.definitions.workflow import Workflow, read_workflow

SHIPPED = Path(__file__).parent / "data"
# Definitions that another area reads, from the same folder of a country.
ELSEWHERE = ("protocol", "mapping", "facts", "report", "rest")
# The kinds of this library, by the names of its attributes and in the register.
SHELVES = ("forms", "trees", "workflows", "risks", "supports", "guidances")
KINDS = ("form", "tree", "workflow", "risk", "support", "guidance", *ELSEWHERE)


class Country(Part):
    """The definitions that a helpline works with."""

    country: Code
    languages: list[Language] = Field(min_length=1)
    contact_form: Code
    case_form: Code
    referral_form: Code = "referral"
    categories: Code
    framework: Code
    places: Code
    workflow: Code
    risk: Code
    family_support: Code
    # What the counsellor reads beside the form, by category.
    guidance: Code = "general"
    # The protocol by which urgent cases are referred; read by the referrals area.
    protocol: Code = "general"
    # Days after which a follow-up asks where a child at risk of separation is.
    separation_follow_up_days: int = Field(ge=1, le=365)
    reminds_at: time
    timezone: str

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):
            raise ValueError(f"{value!r} is not an IANA time zone") from None
        return value


class Support(Part):
    """A service for families: for which drivers of separation, and where (if empty, everywhere)."""

    code: Code
    for_: list[str] = Field(alias="for", min_length=1)
    places: tuple[Code, ...] = ()
    name: Labels
    what: Labels


class FamilySupport(Part):
    support: Code
    version: int = Field(ge=1, lt=2**31)
    languages: list[Language] = Field(min_length=1)
    services: list[Support]


Key = tuple[str, str, int]


@dataclass
class Library:
    """All definitions, by kind, name and version; and the country's choice."""

    country: Country
    forms: dict[tuple[str, int], Form] = field(default_factory=dict)
    trees: dict[tuple[str, int], Tree] = field(default_factory=dict)
    workflows: dict[tuple[str, int], Workflow] = field(default_factory=dict)
    risks: dict[tuple[str, int], RiskCues] = field(default_factory=dict)
    supports: dict[tuple[str, int], FamilySupport] = field(default_factory=dict)
    guidances: dict[tuple[str, int], Guidance] = field(default_factory=dict)
    # What each definition was read from, for the register: text and file name.
    texts: dict[Key, tuple[str, str]] = field(default_factory=dict)
    # Definitions whose files are gone; records written with them are still read with them.
    _gone: set[Key] = field(default_factory=set)
    _sheets: dict[Any, Sheet] = field(default_factory=dict)

    def newest(self, kind: str, name: str) -> Any:
        """Return the newest version of a definition. Raises BadDefinition."""
        shelf: dict[tuple[str, int], Any] = getattr(self, kind)
        versions = [key for key in shelf if key[0] == name and (kind, *key) not in self._gone]
        if not versions:
            raise BadDefinition("country.yaml", 1, f"there is no definition {name!r} ({kind})")
        return shelf[max(versions)]

    @property
    def categories(self) -> Tree:
        tree: Tree = self.newest("trees", self.country.categories)
        return tree

    @property
    def framework(self) -> Tree:
        tree: Tree = self.newest("trees", self.country.framework)
        return tree

    @property
    def places(self) -> Tree:
        tree: Tree = self.newest("trees", self.country.places)
        return tree

    @property
    def workflow(self) -> Workflow:
        flow: Workflow = self.newest("workflows", self.country.workflow)
        return flow

    @property
    def risk(self) -> RiskCues:
        risk: RiskCues = self.newest("risks", self.country.risk)
        return risk

    @property
    def support(self) -> FamilySupport:
        support: FamilySupport = self.newest("supports", self.country.family_support)
        return support

    @property
    def guidance(self) -> Guidance:
        guidance: Guidance = self.newest("guidances", self.country.guidance)
        return guidance

    def form_for(self, record: str) -> Form:
        """Return the form that a new contact, case or referral is written with."""
        form: Form = self.newest("forms", getattr(self.country, f"{record}_form"))
        return form

    def sheet(
        self, form: tuple[str, int], categories: tuple[str, int], places: tuple[str, int]
    ) -> Sheet:
        """Return the form and trees that a record was written with. Raises KeyError if unknown."""
        key = (form, categories, places)
        sheet = self._sheets.get(key)
        if sheet is None:
            tree = self.trees[categories]
            sheet = Sheet(self.forms[form], tree, self.trees[places], self.mapped(tree))
            self._sheets[key] = sheet
        return sheet

    def mapped(self, tree: Tree) -> Tree | None:
        """Return the framework that a country's own tree is mapped to, if it is there."""
        return self.trees.get((tree.maps_to or "", tree.maps_to_version or 0))

    def restore(self, kind: str, text: str) -> None:
        """Restore a definition whose file is gone. It was checked when the file was read."""
        models: dict[str, tuple[Any, str]] = {
            "forms": (Form, "form"),
            "trees": (Tree, "tree"),
            "workflows": (Workflow, "workflow"),
            "risks": (RiskCues, "risk"),
        }
        if kind in models:
            model, name = models[kind]
            made: Any = read_model(model, text, "the register")[0]
            key = (getattr(made, name), made.version)
            getattr(self, kind)[key] = made
            self._gone.add((kind, *key))


def files_of(shipped: Path, folder: Path | None) -> Iterator[Path]:
    """Yield the files of the shipped definitions and a country's own, without country.yaml."""
    for place in (shipped, folder):
        if place is not None:
            yield from (p for p in sorted(place.glob("*.yaml")) if p.name != "country.yaml")


@functools.lru_cache(maxsize=4)
def load(folder: Path | None = None) -> Library:
    """Read and check every definition. Raises BadDefinition with file and line."""
    if folder is not None and not folder.is_dir():
        raise BadDefinition(str(folder), 1, "HELPLINE_DEFINITIONS_DIR is not a folder")
    own = folder is not None and (folder / "country.yaml").exists()
    place = (folder if own and folder is not None else SHIPPED) / "country.yaml"
    country, _ = read_file(Country, place)
    library = Library(country)
    texts = [(path.name, text_of(path)) for path in files_of(SHIPPED, folder)]
    # Trees and cues first: forms refer to them.
    forms = []
    for source, text in texts:
        kind = kind_of(text, source)
        if kind in ELSEWHERE:
            continue
        if kind == "form":
            forms.append((source, text))
        else:
            _add(library, kind, text, source)
    _check_trees(library)
    for source, text in forms:
        form = read_form(
            text,
            source,
            library.categories,
            library.places,
            library.risk.codes(),
            library.mapped(library.categories),
        )
        _keep(library, "forms", form.form, form.version, form, text, source)
    _check_country(library, place)
    return library


def text_of(path: Path) -> str:
    """Return the text of a definition file. Raises BadDefinition."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadDefinition(path.name, 1, "cannot be read as UTF-8 text") from None


def kind_of(text: str, source: str) -> str:
    """Return the kind of a definition. Raises BadDefinition."""
    data, lines = read_data(text, source)
    for kind in KINDS:
        if isinstance(data, dict) and kind in data:
            return kind
    words = "begin with one of " + ", ".join(f"`{kind}:`" for kind in KINDS) + " and a name"
    raise lines.refuse((), words)


def _add(library: Library, kind: str, text: str, source: str) -> None:
    match kind:
        case "tree":
            tree, _ = read_tree(text, source)
            _keep(library, "trees", tree.tree, tree.version, tree, text, source)
        case "workflow":
            flow = read_workflow(text, source)
            _keep(library, "workflows", flow.workflow, flow.version, flow, text, source)
        case "risk":
            risk = read_risk(text, source)
            _keep(library, "risks", risk.risk, risk.version, risk, text, source)
        case "guidance":
            guidance = read_guidance(text, source)
            _keep(library, "guidances", guidance.guidance, guidance.version, guidance, text, source)
        case _:
            support, lines = read_model(FamilySupport, text, source)
            for n, service in enumerate(support.services):
                for name in ("name", "what"):
                    labels = getattr(service, name)
                    check_labels(labels, support.languages, lines, ("services", n, name))
            _keep(library, "supports", support.support, support.version, support, text, source)


def _keep(
    library: Library, kind: str, name: str, version: int, made: Any, text: str, source: str
) -> None:
    shelf: dict[tuple[str, int], Any] = getattr(library, kind)
    if (name, version) in shelf:
        other = library.texts[kind, name, version][1]
        raise BadDefinition(source, 1, f"{name} version {version} is also in {other}")
    shelf[name, version] = made
    library.texts[kind, name, version] = (text, source)


def _check_country(library: Library, place: Path) -> None:
    """Check that everything that country.yaml names is there and fits together."""
    _, lines = read_data(text_of(place), place.name)
    country = library.country
    wanted = {
        "contact_form": ("forms", country.contact_form),
        "case_form": ("forms", country.case_form),
        "referral_form": ("forms", country.referral_form),
        "categories": ("trees", country.categories),
        "framework": ("trees", country.framework),
        "places": ("trees", country.places),
        "workflow": ("workflows", country.workflow),
        "risk": ("risks", country.risk),
        "family_support": ("supports", country.family_support),
        "guidance": ("guidances", country.guidance),
    }
    for key, (kind, name) in wanted.items():
        if not any(found == name for found, _ in getattr(library, kind)):
            raise lines.refuse((key,), f"there is no {key.replace('_', ' ')} {name!r}")
    for record in ("contact", "case", "referral"):
        if library.form_for(record).record != record:
            raise lines.refuse((f"{record}_form",), f"that is not the form of a {record}")
    own, framework = library.categories, library.framework
    _check_topics(library)
    if own.tree != framework.tree and own.maps_to != framework.tree:
        raise lines.refuse(("categories",), f"{own.tree} does not say `maps_to: {framework.tree}`")


def _check_topics(library: Library) -> None:
    guidance = library.guidance
    text, source = library.texts["guidances", guidance.guidance, guidance.version]
    known = {*library.categories.paths(), *library.framework.paths()}
    check_topics(guidance, read_data(text, source)[1], known)


def _check_trees(library: Library) -> None:
    """Check that the cues of categories exist, and the codes that they count as."""
    risk = library.risk.codes()
    for tree in library.trees.values():
        text, source = library.texts["trees", tree.tree, tree.version]
        tree_lines = read_data(text, source)[1]
        for node, _ in tree.walk():
            if node.cue is not None and node.cue not in risk:
                raise tree_lines.refuse(("nodes",), f"there is no cue {node.cue!r} ({node.code})")
        if tree.maps_to is not None:
            mapped = library.trees.get((tree.maps_to, tree.maps_to_version or 0))
            if mapped is None:
                words = f"there is no tree {tree.maps_to!r} version {tree.maps_to_version}"
                raise tree_lines.refuse(("maps_to",), words)
            check_mapping(tree, tree_lines, mapped)


def digest_of(text: str) -> bytes:
    """Return the digest of a definition's text that the register keeps."""
    return hashlib.sha256(text.encode()).digest()
