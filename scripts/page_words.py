"""Every message that the pages say: what a catalogue of a language has to hold.

Sentences are found where they are written: in templates, in Python (`_` and `N_`) and in the
pages' scripts (`_` of `words.js`). Stored codes are shown as their words (`on_hold` is "on hold"),
so each code that a page can show is a message, too. `scripts/catalogues` brings the catalogues up
to date with this list, and a test compares them.
"""

import ast
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import write_po

from app import words
from app.calls.asked import QUESTIONS
from app.calls.caller_rows import FlagKind
from app.calls.callers import NumberReason
from app.calls.log_kinds import CallLog, Cause, ConferenceEvent
from app.calls.states import CallEvent, CallState, LegStatus, Outcome
from app.contacts.cases import follow_ups
from app.contacts.cases.printing import HandOutGround, PrintPurpose
from app.contacts.log_kinds import RecordLog
from app.contacts.states import (
    CaseTie,
    ContactChannel,
    ContactState,
    FlagAbout,
    FollowUpAbout,
    NonCounselling,
    SeparationOutcome,
    Source,
)
from app.definitions.risk import Risk, Urgency
from app.dialling.rules import NumberKind
from app.errors import LIST_SIGN, text_of_code
from app.outbox.channels import MESSAGES
from app.people import holding
from app.people.connection_rows import Found, Means
from app.people.finding import PersonState
from app.referrals import accountability, states
from app.referrals.consent import grounds, rules
from app.referrals.directory.address_rows import AddressField
from app.referrals.directory.directory_csv import COLUMNS
from app.routing.participants.participants import ROLES
from app.routing.rota.shifts import OnHolidays
from app.routing.supervision.team import StateReason
from app.staff.emergency_rows import EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.log_values import ActedFrom, FoundBy
from app.staff.roles import Role
from app.statistics import staff_measures
from app.statistics.counting import due_callbacks, referral_figures
from app.statistics.counting.reconcile import reconcile
from app.statistics.dimensions import Dimension
from app.statistics.exports import exporting
from app.statistics.exports.files import WHAT
from app.statistics.measures import NAMES, definition
from app.statistics.models import ExportState
from app.statistics.periods import REPORTED, Period
from app.statistics.published import release
from app.statistics.sums import OUTCOMES
from app.words import catalogues
from app.words.catalogues import CatalogueKind
from app.work import ActorKind

ROOT = Path(__file__).parent.parent / "app"
# These folders say nothing on a page.
_ELSEWHERE = ("demo", "practice", "cli")
# What `headline_warnings` can say; a script of the page shows it.
HEADLINE_WARNINGS = ("a name", "a name from this record", "a number", "an address")
_KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
_ENUMS: tuple[type[StrEnum], ...] = (
    CallState,
    Outcome,
    FlagKind,
    NumberReason,
    HandOutGround,
    PrintPurpose,
    CaseTie,
    ContactChannel,
    ContactState,
    FlagAbout,
    FollowUpAbout,
    NonCounselling,
    SeparationOutcome,
    Source,
    Risk,
    Urgency,
    states.ReferralState,
    states.ReferralEvent,
    states.RecipientState,
    states.Sector,
    states.Service,
    states.RejectionReason,
    states.ReferralOutcome,
    states.Purpose,
    states.DispatchState,
    states.DeliveryState,
    states.ToldHow,
    states.Missing,
    states.AttemptResult,
    CallEvent,
    CallLog,
    RecordLog,
    AuditLog,
    Found,
    Means,
    rules.Scope,
    rules.GivenBy,
    rules.How,
    grounds.Basis,
    OnHolidays,
    Role,
    PersonState,
    EmergencyState,
    holding.WorkKind,
    StateReason,
    Dimension,
    ExportState,
    Period,
    NumberKind,
    FoundBy,
    ActedFrom,
)


# Why a counsellor is away: their own page says it.
_AWAY = (Cause.BROWSER_NOT_HEARD, Cause.MISSED_AN_OFFER, Cause.PHONE_NOT_REACHED)


def codes() -> Iterator[str]:
    """Yield the words of every stored code that a page can show."""
    for enum in _ENUMS:
        yield from (text_of_code(member.value) for member in enum)
    yield from (kind.value for kind in MESSAGES)
    for about in FollowUpAbout:
        yield from (str(result).replace("_", " ") for result in follow_ups.results_of(about))
    yield from (role.replace("_", " ") for role in ROLES)
    yield from (column.replace("_", " ") for column in COLUMNS)
    yield from (
        *(text_of_code(kind.value) for kind in grounds.GroundKind),
        grounds.AGAINST_WISH.replace("_", " "),
    )
    yield from (field.value.replace("_", " ") for field in AddressField)
    yield from (cause.value.replace("_", " ") for cause in _AWAY)
    yield from _of_the_log_of_calls()
    yield from (result.replace("_", " ") for result in states.DISPATCH_RESULTS)
    yield from (event.value.rpartition(".")[2].replace("_", " ") for event in states.AgencyEvent)
    for question in QUESTIONS.values():
        yield from question.answers.values()
    yield from _of_reports()
    yield from _sources()
    yield LIST_SIGN
    # A report covers at least a day.
    for name in REPORTED:
        yield from (f"Previous {name}", f"Next {name}", f"A day of the {name}", f"by {name}")
        yield f"every {name}"
    yield from (f"to every {role.value.replace('_', ' ')}" for role in Role)


def _of_reports() -> Iterator[str]:
    """Yield the titles, units and definitions of all figures, and the rows of reports."""
    for name in NAMES:
        one = definition(name)
        yield from (one.title, one.unit, one.words)
    for defined in (
        staff_measures.STAFF_MEASURES,
        staff_measures.AT_ONCE,
        due_callbacks.WORDS,
        referral_figures.WORDS,
        accountability.DEFINITIONS,
    ):
        for name, text in defined.items():
            yield from (name.replace("_", " "), text)
    yield from (name.replace("_", " ") for name in (*WHAT, *OUTCOMES))
    yield from exporting.texts()
    yield from ("children", "fairness", "coverage", "open", "recurring", accountability.ALL)
    yield from (staff_measures.FAIRNESS_WORDS, staff_measures.COVERAGE_WORDS, *release.WORDS)
    yield from (line.words for line in reconcile(defaultdict(int), 0))
    yield from (text for table in release.SHAPE.tables for text in table.title.values())


def _sources() -> Iterator[str]:
    """Yield where the shipped deadlines, forms of reports and hours of rest come from."""
    for path in sorted((ROOT / "referrals/data").glob("protocol-*.yaml")):
        found = _read(path)
        yield from (rule["source"] for rule in _deadlines_in(found))
    for path in [
        *sorted((ROOT / "statistics/data").glob("report-*.yaml")),
        ROOT / "routing/rota/data/rest.yaml",
    ]:
        yield _read(path)["source"]


def _read(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=words.LOADER)


def _deadlines_in(read: Any) -> Iterator[dict[str, Any]]:
    if isinstance(read, dict):
        if "deadline" in read:
            yield read
        else:
            yield from (rule for inner in read.values() for rule in _deadlines_in(inner))
    elif isinstance(read, list):
        yield from (rule for inner in read for rule in _deadlines_in(inner))


def _of_the_log_of_calls() -> Iterator[str]:
    """Yield the words of what a call's log holds besides the codes of its enums."""
    yield from (f"{event} ignored".replace("_", " ") for event in CallEvent)
    for status in LegStatus:
        yield from (f"{leg} {status}".replace("_", " ") for leg in ("leg", "caller"))
    # What a telephone provider reports of a conference is kept under its own name.
    yield from (event.value for event in ConferenceEvent)
    yield from (kind.value for kind in ActorKind)


def refusals() -> Iterator[str]:
    """Yield the texts of refusals: each is shown where a request was not carried out.

    A message that a refusal quotes is one, too.
    """
    yield from (text for call in refusals_made() for text in _constant(call.args[0]))
    yield from _defaults()


def refusals_made() -> Iterator[ast.Call]:
    """Yield each call that makes a refusal, or a message in one, and says something of its own."""
    for name, node in _classes_and_what_makes_one():
        if isinstance(node, ast.ClassDef) and name not in _BASES:
            # A refusal that fills in its own text.
            yield from (
                call
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                and call.args
                and ast.unparse(call.func) == "super().__init__"
            )
        if isinstance(node, ast.Call):
            yield node


# A message is no refusal, but says something in one.
_BASES = {"Refusal", "Message", "BadText"}


@lru_cache(maxsize=1)
def _classes_and_what_makes_one() -> tuple[tuple[str, ast.ClassDef | ast.Call], ...]:
    """Return each class of a refusal, and each call with arguments that makes one, with its name.

    To read all of the program takes seconds: only what names a class of refusals is read, once.
    """
    texts, kinds = [path.read_text() for path in python_files()], _kinds_of_refusals()
    found: list[tuple[str, ast.ClassDef | ast.Call]] = []
    for text in texts:
        if kinds.isdisjoint(_MADE.findall(text)):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name in kinds:
                found.append((node.name, node))
            elif isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in kinds:
                    found.append((name, node))
    return tuple(found)


# What is called, or is a class with bases: `class Name(Base, other.Base)`.
_MADE = re.compile(r"\b(_*[A-Z]\w*)\(")
_CLASS = re.compile(r"^ *class (\w+)(?:\[[^]]*\])?\(([^)]*)\)", re.MULTILINE)


@lru_cache(maxsize=1)
def _kinds_of_refusals() -> set[str]:
    """Return the names of all classes of refusals."""
    classes = [
        (name, {base.strip().rpartition(".")[2] for base in bases.split(",")})
        for path in python_files()
        for name, bases in _CLASS.findall(path.read_text())
    ]
    kinds = set(_BASES)
    while more := {name for name, bases in classes if bases & kinds} - kinds:
        kinds |= more
    return kinds


def _defaults() -> Iterator[str]:
    """Yield the text of each class of refusals."""
    for _name, one in _classes_and_what_makes_one():
        if isinstance(one, ast.ClassDef):
            for line in one.body:
                if isinstance(line, ast.Assign) and any(
                    getattr(target, "id", "") == "default" for target in line.targets
                ):
                    yield from _constant(line.value)


def _constant(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def python_files() -> list[Path]:
    """Return the files that can say something on a page."""
    return [
        path
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] not in _ELSEWHERE
    ]


_SAYS = re.compile(rf"\b(?:{'|'.join(_KEYWORDS)})\s*\(")


def _files_that_say_something() -> list[Path]:
    """Return the files that call what says a message: to extract from all others takes long."""
    return [path for path in python_files() if _SAYS.search(path.read_text())]


def _found(method: str, files: Iterable[Path], flag: str = "") -> Iterator[tuple[Any, str]]:
    options = {
        "trimmed": "true",
        "silent": "false",
        "extensions": "jinja2.ext.i18n",
        # Scripts also say something within `…${_("…")}…`.
        "parse_template_string": "true",
    }
    for path in files:
        with path.open("rb") as file:
            for _line, message, _comments, _context in extract(
                method, file, keywords=_KEYWORDS, options=options
            ):
                yield message, flag


def messages() -> Catalog:
    """Return a catalogue with every message of the pages and no translation."""
    catalogue = Catalog()
    templates = sorted((ROOT / "dashboard/templates").rglob("*.html"))
    scripts = sorted((ROOT / "dashboard/static/source").rglob("*.js"))
    found = [
        *_found("python", _files_that_say_something()),
        *_found("jinja2.ext:babel_extract", templates),
        *_found("javascript", scripts, words.SCRIPTS_FLAG),
        *((code, "") for code in codes()),
        *((urgency.value, words.SCRIPTS_FLAG) for urgency in Urgency),
        *((text, words.SCRIPTS_FLAG) for text in HEADLINE_WARNINGS),
        *((text, "") for text in refusals()),
    ]
    of_scripts = {message for message, flag in found if flag}
    for message, _flag in found:
        if message:
            flags = [words.SCRIPTS_FLAG] if message in of_scripts else []
            catalogue.add(message, flags=flags)
    return catalogue


# The shipped definitions, whose labels a catalogue translates.
_DEFINITIONS = ("definitions/data", "referrals/data", "statistics/data")


def labels() -> Catalog:
    """Return a catalogue with every label of the shipped definitions and no translation."""
    catalogue = Catalog()
    for label in shipped_labels():
        catalogue.add(label[words.SOURCE])
    return catalogue


def labels_written_in(language: str) -> Catalog:
    """Return a catalogue of the labels as the shipped definitions write them in a language.

    It is empty for a language in which they are not written. Where they say one English label in
    several ways, the rarer ones have a context: their own text.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for label in shipped_labels():
        if language in label:
            found[label[words.SOURCE]][label[language]] += 1
    catalogue = Catalog()
    for english, said in found.items():
        (usual, _times), *rarer = said.most_common()
        catalogue.add(english, usual)
        for text, _times in rarer:
            catalogue.add(english, text, context=text)
    return catalogue


def shipped_labels() -> Iterator[dict[str, str]]:
    """Yield each label of the shipped definitions, by language, in the order of the files."""
    for folder in _DEFINITIONS:
        for path in sorted((ROOT / folder).glob("*.yaml")):
            yield from _labels_in(_read(path))


def _labels_in(read: Any) -> Iterator[dict[str, str]]:
    if isinstance(read, dict):
        if words.SOURCE in read and all(isinstance(one, str) for one in read.values()):
            yield read
        else:
            yield from (label for inner in read.values() for label in _labels_in(inner))
    elif isinstance(read, list):
        yield from (label for inner in read for label in _labels_in(inner))


def wanted(kind: CatalogueKind) -> Catalog:
    """Return a catalogue with every message of a kind and no translation."""
    return messages() if kind == CatalogueKind.PAGES else labels()


def read(language: str, kind: CatalogueKind = CatalogueKind.PAGES) -> Catalog:
    """Return the catalogue of a language; it is empty if there is none yet."""
    known = catalogues.shipped(language, kind)
    return known if known is not None else Catalog(locale=words.about(language).locale)


def updated(language: str, kind: CatalogueKind = CatalogueKind.PAGES) -> bytes:
    """Return the catalogue of a language with every message of its kind, and with no other."""
    known, header = read(language, kind), _HEADERS[kind]
    if kind == CatalogueKind.DEFINITIONS and (written := labels_written_in(language)):
        known, header = written, _WRITTEN
    catalogue = Catalog(
        locale=words.about(language).locale, fuzzy=False, header_comment=f"# {header}"
    )
    for message in known if header == _WRITTEN else wanted(kind):
        if not message.id:
            continue
        old = known.get(message.id, message.context)
        # A text that has become a plural, or the other way round, is translated again.
        same = old is not None and isinstance(old.id, str) == isinstance(message.id, str)
        text = old.string if old and same else None
        catalogue.add(message.id, text, flags=message.flags, context=message.context)
    out = io.BytesIO()
    write_po(out, catalogue, width=100, omit_header=False, sort_output=True, no_location=True)
    return _without_dates(out.getvalue())


_HEADERS = {
    CatalogueKind.PAGES: "What the pages say. scripts/catalogues adds and removes messages.",
    CatalogueKind.DEFINITIONS: (
        "Labels of the shipped definitions. scripts/catalogues follows them."
    ),
}
_WRITTEN = (
    "Labels as the shipped definitions write them: change them there. scripts/catalogues follows."
)


def _without_dates(text: bytes) -> bytes:
    """Leave out what changes with every run, so that a catalogue changes only with its words."""
    kept = [
        line
        for line in text.split(b"\n")
        if not line.startswith(
            (b'"POT-Creation', b'"PO-Revision', b'"Generated-By', b'"Project-Id')
        )
        and not line.startswith((b'"Report-Msgid', b'"Last-Translator', b'"Language-Team'))
    ]
    return b"\n".join(kept)
