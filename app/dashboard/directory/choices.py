"""What the form of an agency offers to choose from, in the words of its reader."""

from typing import Any, NamedTuple

from fastapi import Request

from app import words
from app.calls.weekly_hours import DAYS
from app.contacts.finding.words import normal_words
from app.contacts.registry import library_of
from app.dashboard.directory.filled import OTHER, SPANS, Filled
from app.dashboard.directory.reading import example_of_hours
from app.dashboard.languages import named
from app.dashboard.records.form_views import spelling
from app.dashboard.settings.hours_words import days_words
from app.definitions.trees import Tree, label_in
from app.referrals.directory import right_agency
from app.referrals.directory.entries import EVERYWHERE, Entry
from app.referrals.library import protocols_of
from app.referrals.states import OWN_SERVICES, Sector, Service
from app.web.form_language import language_of
from app.words.pages import _, code_words
from app.words.places import zone_choices
from app.work import Work


class Option(NamedTuple):
    """One of many: its label, the label of what it is in, and the words by which it is found."""

    code: str
    label: str
    around: str
    finds: str
    # For a place: how many others are around it.
    depth: int = 0


def option(code: str, label: str, around: str = "", also: str = "") -> Option:
    """Return an option that is found by its label and by other words."""
    return Option(code, label, around, " ".join(normal_words(f"{label} {also}")))


def services_to_choose() -> list[Option]:
    """Return the services of agencies, without those of our own staff."""
    return [option(one.value, code_words(one)) for one in Service if one not in OWN_SERVICES]


async def told_by_name(work: Work) -> list[Option]:
    """Return the sectors and agencies that a child can name as those that must not be told."""
    sectors = [
        option(one.value, code_words(one), _("sector")) for one in Sector if one != Sector.OWN_HOUSE
    ]
    known = (await right_agency.directory_of(work)).candidates
    return sectors + [
        option(one.code, one.name, _("agency"), one.code)
        for one in known
        if one.sector != Sector.OWN_HOUSE
    ]


def places_in(tree: Tree, language: str) -> list[Option]:
    """Return all places, each after the one around it."""
    nodes = {node.code: node for node, _above in tree.walk()}
    found = []
    for node, above in tree.walk():
        texts = [text for code in (node.code, *above) for text in nodes[code].label.values()]
        texts += [word for several in node.also.values() for word in several]
        around = label_in(nodes[above[-1]].label, language) if above else ""
        label, finds = label_in(node.label, language), " ".join(normal_words(" ".join(texts)))
        found.append(Option(node.code, label, around, finds, len(above)))
    return found


def _days_of_phones() -> list[tuple[str, str]]:
    """Return when a duty phone may be answered: stored value and words."""
    spans = {}
    for span in SPANS:
        first, last = (DAYS.index(day) for day in span.split("-"))
        every = first == 0 and last == len(DAYS) - 1
        spans[span] = _("every day") if every else days_words(list(range(first, last + 1)))
    return [("", _("while the agency is open")), *spans.items(), (OTHER, _("at other times"))]


def choices_of(request: Request, work: Work, filled: Filled, others: list[Entry]) -> dict[str, Any]:
    """Return the options of each field; what an agency has stays among them."""
    protocol = protocols_of(work.ground).current
    tree = library_of(work.ground).places
    mappings = {name for name, _version in protocols_of(work.ground).mappings}
    return {
        "sectors": [(one.value, code_words(one)) for one in Sector],
        "services": [(one.value, code_words(one)) for one in Service],
        "places": places_in(tree, language_of(request, work)),
        "everywhere": EVERYWHERE,
        "spelling": spelling(),
        "zones": zone_choices(),
        "home_zone": protocol.timezone,
        "languages": named({*words.written(), *filled.several("languages")}),
        "deputies": [(one.code, one.name) for one in others],
        "when": _days_of_phones(),
        "other": OTHER,
        "mappings": sorted(mappings),
        "example_of_hours": example_of_hours(),
    }
