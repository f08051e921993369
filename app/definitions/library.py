"""The definitions that are in force: shipped ones, and a country's own beside them.

Files are read and checked when a process starts. Each name and version is also kept in the
database with its digest: a file that was changed without a new version is refused, and a
record stays readable with the version that it was written with, even when the file is gone.
"""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from app.definitions.answers import Sheet
from app.definitions.checking import read_form
from app.definitions.datafile import BadDefinition, Part, Wrong, read_data, read_model
from app.definitions.folder import Folder, shipped_folder
from app.definitions.forms import Form
from app.definitions.guidance import Guidance, check_topics, read_guidance
from app.definitions.risk import RiskCues, read_risk
from app.definitions.shelves import Key, Shelves
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
from app.errors import BadText, Message
from app.words.pages import N_

SHIPPED = Path(__file__).parent / "data"
# Definitions that another area reads, from the same folder of a country.
ELSEWHERE = ("protocol", "mapping", "facts", "report", "rest", "proposal", "retention")


class Shelf(StrEnum):
    """The shelves of a library: the names of its attributes, and of kinds in the register."""

    FORMS = "forms"
    TREES = "trees"
    WORKFLOWS = "workflows"
    RISKS = "risks"
    SUPPORTS = "supports"
    GUIDANCES = "guidances"


class Opening(StrEnum):
    """The word with which a file of each shelf begins, before its name."""

    FORM = "form"
    TREE = "tree"
    WORKFLOW = "workflow"
    RISK = "risk"
    SUPPORT = "support"
    GUIDANCE = "guidance"


_OPENINGS: tuple[str, ...] = (*Opening, *ELSEWHERE)
COUNTRY = "country.yaml"


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
            raise BadText("'%(timezone)s' is not an IANA time zone", timezone=value) from None
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


@dataclass
class Library(Shelves[Shelf]):
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
    # Those that the country's own files hold.
    own: set[Key] = field(default_factory=set)
    # Definitions that no new record uses: their files are gone, or they are shipped and the country
    # has its own of that name. Records written with them are still read with them.
    gone: set[Key] = field(default_factory=set)
    _sheets: dict[Any, Sheet] = field(default_factory=dict)

    def copy(self) -> "Library":
        """Return a library of the same definitions to which others can be restored."""
        copied = replace(self, gone=set(self.gone), _sheets={})
        for name in Shelf:
            setattr(copied, name, dict(getattr(self, name)))
        return copied

    @property
    def categories(self) -> Tree:
        tree: Tree = self.newest(Shelf.TREES, self.country.categories)
        return tree

    @property
    def framework(self) -> Tree:
        tree: Tree = self.newest(Shelf.TREES, self.country.framework)
        return tree

    @property
    def places(self) -> Tree:
        tree: Tree = self.newest(Shelf.TREES, self.country.places)
        return tree

    @property
    def workflow(self) -> Workflow:
        flow: Workflow = self.newest(Shelf.WORKFLOWS, self.country.workflow)
        return flow

    @property
    def risk(self) -> RiskCues:
        risk: RiskCues = self.newest(Shelf.RISKS, self.country.risk)
        return risk

    @property
    def support(self) -> FamilySupport:
        support: FamilySupport = self.newest(Shelf.SUPPORTS, self.country.family_support)
        return support

    @property
    def guidance(self) -> Guidance:
        guidance: Guidance = self.newest(Shelf.GUIDANCES, self.country.guidance)
        return guidance

    def needed(self) -> set[Key]:
        """Return the definitions that new records are written with, and the country's own."""
        forms = [self.form_for(record) for record in ("contact", "case", "referral")]
        trees = [self.categories, self.framework, self.places]
        return {
            *self.own,
            *((Shelf.FORMS, form.form, form.version) for form in forms),
            *((Shelf.TREES, tree.tree, tree.version) for tree in trees),
            (Shelf.WORKFLOWS, self.workflow.workflow, self.workflow.version),
            (Shelf.RISKS, self.risk.risk, self.risk.version),
            (Shelf.SUPPORTS, self.support.support, self.support.version),
            (Shelf.GUIDANCES, self.guidance.guidance, self.guidance.version),
        }

    def form_for(self, record: str) -> Form:
        """Return the form that a new contact, case or referral is written with."""
        form: Form = self.newest(Shelf.FORMS, getattr(self.country, f"{record}_form"))
        return form

    def sheet(
        self, form: tuple[str, int], categories: tuple[str, int], places: tuple[str, int]
    ) -> Sheet:
        """Return the form and trees that a record was written with. Raises KeyError if unknown."""
        key = (form, categories, places)
        sheet = self._sheets.get(key)
        if sheet is None:
            tree = self.trees[categories]
            sheet = Sheet(
                self.forms[form],
                tree,
                self.trees[places],
                self.mapped(tree),
                self._marked(form[0]),
            )
            self._sheets[key] = sheet
        return sheet

    def sheet_for(self, record: str) -> Sheet:
        """Return the form and trees that a new contact, case or referral is written with."""
        tree, form = self.categories, self.form_for(record)
        return Sheet(form, tree, self.places, self.mapped(tree), self._marked(form.form))

    def _marked(self, name: str) -> frozenset[str]:
        """Return the questions that any version of a form marks as special: it holds for all."""
        return frozenset(
            f"{section.code}.{field.code}"
            for (form, _), found in self.forms.items()
            if form == name
            for section in found.sections
            for field in section.fields
            if field.special is not None
        )

    def mapped(self, tree: Tree) -> Tree | None:
        """Return the framework that a country's own tree is mapped to, if it is there."""
        return self.trees.get((tree.maps_to or "", tree.maps_to_version or 0))

    def _read_again(self, kind: str, text: str) -> tuple[tuple[str, int], Any] | None:
        return _restored(kind, text) if kind in _RESTORED else None


_RESTORED: dict[str, tuple[Any, str]] = {
    Shelf.FORMS: (Form, Opening.FORM),
    Shelf.TREES: (Tree, Opening.TREE),
    Shelf.WORKFLOWS: (Workflow, Opening.WORKFLOW),
    Shelf.RISKS: (RiskCues, Opening.RISK),
}


@functools.lru_cache(maxsize=256)
def _restored(kind: str, text: str) -> tuple[tuple[str, int], Any]:
    model, name = _RESTORED[kind]
    made: Any = read_model(model, text, "the register")[0]
    return (getattr(made, name), made.version), made


class Source(NamedTuple):
    """A file: its name and text, and whether it is the country's own."""

    name: str
    text: str
    own: bool


def files_of(shipped: Path, folder: Folder | None) -> Iterator[Source]:
    """Yield a country's own files and the shipped definitions, without country.yaml."""
    for files, own in ((folder, True), (shipped_folder(shipped), False)):
        for name, text in files.files if files is not None else ():
            if name != COUNTRY:
                yield Source(name, text, own)


def country_of(folder: Folder | None) -> str:
    """Return the text that says which definitions are used: the country's own, or the shipped."""
    own = folder.text(COUNTRY) if folder is not None else None
    shipped = shipped_folder(SHIPPED).text(COUNTRY)
    assert shipped is not None
    return shipped if own is None else own


@functools.lru_cache(maxsize=8)
def load(folder: Folder | None = None) -> Library:
    """Read and check every definition. Raises BadDefinition with file and line."""
    library = Library(read_model(Country, country_of(folder), COUNTRY)[0])
    # Trees and cues first: forms refer to them.
    forms: list[Source] = []
    strange, wrong = Wrong(), Wrong()
    for source in files_of(SHIPPED, folder):
        kind = ""
        with strange:
            kind = kind_of(source.text, source.name)
        if kind == Opening.FORM:
            forms.append(source)
        elif kind and kind not in ELSEWHERE:
            with wrong:
                _add(library, kind, source)
    if wrong.found:
        wrong.found += strange.found
        wrong.refuse()
    pass_over(library.texts, library.own, library.gone)
    _check_trees(library)
    for source in forms:
        with strange:
            _add_form(library, source)
    strange.refuse()
    pass_over(library.texts, library.own, library.gone)
    _check_country(library, folder)
    return library


def _add_form(library: Library, source: Source) -> None:
    try:
        form = read_form(
            source.text,
            source.name,
            library.categories,
            library.places,
            library.risk.codes(),
            library.mapped(library.categories),
        )
    except BadDefinition:
        country = library.country
        used = {country.contact_form, country.case_form, country.referral_form}
        used -= {name for kind, name, _ in library.own if kind == Shelf.FORMS}
        if source.own or read_data(source.text, source.name)[0][Opening.FORM] in used:
            raise
        # A shipped form that does not fit the country's own trees is not used there.
        return
    _keep(library, Shelf.FORMS, form.form, form.version, form, source)


@functools.lru_cache(maxsize=128)
def kind_of(text: str, source: str) -> str:
    """Return the kind of a definition. Raises BadDefinition."""
    data, lines = read_data(text, source)
    for kind in _OPENINGS:
        if isinstance(data, dict) and kind in data:
            return kind
    words = Message(
        "begin with one of %(kinds)s and a name", kinds=[f"`{kind}:`" for kind in _OPENINGS]
    )
    raise lines.refuse((), words)


def _add(library: Library, kind: str, file: Source) -> None:
    text, source = file.text, file.name
    match kind:
        case Opening.TREE:
            tree, _ = read_tree(text, source)
            _keep(library, Shelf.TREES, tree.tree, tree.version, tree, file)
        case Opening.WORKFLOW:
            flow = read_workflow(text, source)
            _keep(library, Shelf.WORKFLOWS, flow.workflow, flow.version, flow, file)
        case Opening.RISK:
            risk = read_risk(text, source)
            _keep(library, Shelf.RISKS, risk.risk, risk.version, risk, file)
        case Opening.GUIDANCE:
            guidance = read_guidance(text, source)
            _keep(library, Shelf.GUIDANCES, guidance.guidance, guidance.version, guidance, file)
        case _:
            support, lines = read_model(FamilySupport, text, source)
            for n, service in enumerate(support.services):
                for name in ("name", "what"):
                    labels = getattr(service, name)
                    check_labels(labels, support.languages, lines, ("services", n, name))
            _keep(library, Shelf.SUPPORTS, support.support, support.version, support, file)


def _keep(
    library: Library, kind: Shelf, name: str, version: int, made: Any, source: Source
) -> None:
    shelf: dict[tuple[str, int], Any] = getattr(library, kind)
    if takes_place(library.texts, library.own, (kind, name, version), source):
        shelf[name, version] = made


def takes_place(texts: dict[Key, tuple[str, str]], own: set[Key], key: Key, source: Source) -> bool:
    """Note what a definition was read from; return whether it counts.

    A country's own files come first, and a shipped one of the same version does not count beside
    them. Raises BadDefinition if two files of the country are of the same version.
    """
    if key in texts:
        if source.own:
            words = Message(
                "%(name)s version %(version)s is also in %(other)s",
                name=key[1],
                version=key[2],
                other=texts[key][1],
            )
            raise BadDefinition(source.name, 1, words)
        return False
    texts[key] = (source.text, source.name)
    if source.own:
        own.add(key)
    return True


def pass_over(texts: dict[Key, Any], own: set[Key], gone: set[Key]) -> None:
    """Keep shipped versions from new records where the country has its own of that name."""
    names = {key[:2] for key in own}
    gone |= {key for key in texts if key[:2] in names and key not in own}


# What country.yaml names: the kind of each, and what is said if there is none of that name.
_NAMED = {
    "contact_form": (Shelf.FORMS, N_("there is no contact form '%(name)s'")),
    "case_form": (Shelf.FORMS, N_("there is no case form '%(name)s'")),
    "referral_form": (Shelf.FORMS, N_("there is no referral form '%(name)s'")),
    "categories": (Shelf.TREES, N_("there are no categories '%(name)s'")),
    "framework": (Shelf.TREES, N_("there is no framework '%(name)s'")),
    "places": (Shelf.TREES, N_("there are no places '%(name)s'")),
    "workflow": (Shelf.WORKFLOWS, N_("there is no workflow '%(name)s'")),
    "risk": (Shelf.RISKS, N_("there is no risk '%(name)s'")),
    "family_support": (Shelf.SUPPORTS, N_("there is no family support '%(name)s'")),
    "guidance": (Shelf.GUIDANCES, N_("there is no guidance '%(name)s'")),
}
_NOT_OF_IT = {
    "contact": Message("that is not the form of a contact"),
    "case": Message("that is not the form of a case"),
    "referral": Message("that is not the form of a referral"),
}


def _check_country(library: Library, folder: Folder | None) -> None:
    """Check that everything that country.yaml names is there and fits together."""
    _, lines = read_data(country_of(folder), COUNTRY)
    country = library.country
    wrong = Wrong()
    for key, (kind, missing) in _NAMED.items():
        name = getattr(country, key)
        with wrong:
            if not any(found == name for found, _ in getattr(library, kind)):
                raise lines.refuse((key,), Message(missing, name=name))
    wrong.refuse()
    for record, not_of_it in _NOT_OF_IT.items():
        if library.form_for(record).record != record:
            raise lines.refuse((f"{record}_form",), not_of_it)
    own, framework = library.categories, library.framework
    _check_topics(library)
    if own.tree != framework.tree and own.maps_to != framework.tree:
        raise lines.refuse(
            ("categories",),
            Message(
                "%(tree)s does not say `maps_to: %(framework)s`",
                tree=own.tree,
                framework=framework.tree,
            ),
        )


def _check_topics(library: Library) -> None:
    guidance = library.guidance
    text, source = library.texts[Shelf.GUIDANCES, guidance.guidance, guidance.version]
    known = {*library.categories.paths(), *library.framework.paths()}
    check_topics(guidance, read_data(text, source)[1], known)


def _check_trees(library: Library) -> None:
    """Check that the cues of categories exist, and the codes that they count as."""
    risk = library.risk.codes()
    for tree in library.trees.values():
        if (Shelf.TREES, tree.tree, tree.version) in library.gone:
            continue
        text, source = library.texts[Shelf.TREES, tree.tree, tree.version]
        tree_lines = read_data(text, source)[1]
        for node, _ in tree.walk():
            if node.cue is not None and node.cue not in risk:
                raise tree_lines.refuse(
                    ("nodes",),
                    Message("there is no cue '%(cue)s' (%(code)s)", cue=node.cue, code=node.code),
                )
        if tree.maps_to is not None:
            mapped = library.trees.get((tree.maps_to, tree.maps_to_version or 0))
            if mapped is None:
                words = Message(
                    "there is no tree '%(tree)s' version %(version)s",
                    tree=tree.maps_to,
                    version=tree.maps_to_version,
                )
                raise tree_lines.refuse(("maps_to",), words)
            check_mapping(tree, tree_lines, mapped)


def digest_of(text: str) -> bytes:
    """Return the digest of a definition's text that the register keeps."""
    return hashlib.sha256(text.encode()).digest()
