"""What a set of definitions would do to what is in the field: drafts, agencies, reports."""

from typing import NamedTuple

from sqlalchemy import func, select

from app.contacts import registry
from app.contacts.models import Contact
from app.contacts.states import ContactState
from app.country import whole
from app.country.comparing import Whole
from app.definitions.answers import Sheet
from app.definitions.folder import Folder
from app.definitions.library import Library
from app.errors import Message, UnknownDefinition
from app.referrals import library as protocols
from app.referrals.directory.models import Agency
from app.statistics.counting.shapes import shapes_in
from app.statistics.facts.questions import read_questions, version_of
from app.statistics.models import ReportSchedule
from app.work import Work

_SHOWN = 20


class Effects(NamedTuple):
    """What keeps a set from coming into force, what a person should think of, and what follows."""

    stops: list[Message]
    cautions: list[Message]
    notes: list[Message]


async def effects_of(
    work: Work, before: Folder | None, after: Folder | None, old: Whole, new: Whole
) -> Effects:
    """Return what follows when the files of `after` take the place of those of `before`."""
    found = Effects([], [], [])
    changed = await registry.changed_texts(work, whole.own_texts(after))
    found.stops.extend(one.message for one in changed)
    await _agencies(work, after, new.library, found)
    await _drafts(work, new.library, found)
    await _schedules(work, before, after, found)
    _childs_option(new.library, found)
    forms = [one.library.form_for("contact") for one in (old, new)]
    if version_of(read_questions(before), forms[0]) != version_of(read_questions(after), forms[1]):
        found.notes.append(
            Message("The figures of past days are counted anew, from what is stored.")
        )
    return found


async def _agencies(work: Work, after: Folder | None, library: Library, found: Effects) -> None:
    mappings = {name for name, _ in protocols.load(after).mappings}
    places = library.places.choices()
    without, elsewhere = [], []
    rows = await work.session.scalars(select(Agency).order_by(Agency.code))
    for agency in rows:
        if agency.primero and agency.primero.get("mapping") not in mappings:
            without.append(agency.code)
        if set(agency.areas) - set(places):
            elsewhere.append(agency.code)
    if without:
        found.stops.append(
            Message(
                "These agencies get referrals through a mapping that would be gone: %(whose)s. "
                "Put the mapping into the folder, or give them another one.",
                whose=without[:_SHOWN],
            )
        )
    if elsewhere:
        found.cautions.append(
            Message(
                "These agencies serve places that would be gone, and would not be found there: "
                "%(whose)s.",
                whose=elsewhere[:_SHOWN],
            )
        )


async def _drafts(work: Work, library: Library, found: Effects) -> None:
    """Note the drafts that are open. Their signs of danger must go on suggesting an urgency."""
    columns = (
        Contact.form,
        Contact.form_version,
        Contact.categories,
        Contact.categories_version,
        Contact.places,
        Contact.places_version,
    )
    rows = await work.session.execute(
        select(*columns, func.count())
        .where(Contact.state != ContactState.COMPLETE)
        .group_by(*columns)
    )
    known, lost, drafts = registry.library_of(work.ground), set[str](), 0
    for form, f_version, tree, t_version, places, p_version, number in rows:
        drafts += number
        try:
            sheet = known.sheet((form, f_version), (tree, t_version), (places, p_version))
        except KeyError:
            raise UnknownDefinition() from None
        lost |= _cues_of(sheet) - library.risk.codes()
    if drafts:
        found.notes.append(
            Message(
                "Contacts that are open now: %(number)s. Each keeps the form that it was begun "
                "with.",
                number=drafts,
            )
        )
    if lost:
        found.stops.append(
            Message(
                "Contacts that are open now can hold signs of danger that would be gone: "
                "%(signs)s. Keep them in the file of signs.",
                signs=sorted(lost)[:_SHOWN],
            )
        )


def _cues_of(sheet: Sheet) -> set[str]:
    """Return every sign of danger that answers to a form can hold."""
    fields = [field for section in sheet.form.sections for field in section.fields]
    found = {option.cue for field in fields for option in sheet.form.options_of(field)}
    trees = [sheet.categories, *([sheet.framework] if sheet.framework else [])]
    found |= {node.cue for tree in trees for node in tree.choices().values()}
    return {cue for cue in found if cue is not None} | {rule.cue for rule in sheet.form.cues}


def _childs_option(library: Library, found: Effects) -> None:
    """Note that the form of a contact does not tell the child itself from others.

    A new one is refused (`app/definitions/childs_options.py`); this was imported before.
    """
    form = library.form_for("contact")
    options = [option for _, field in form.meaning("kind") for option in form.options_of(field)]
    if not any(option.is_child for option in options):
        found.cautions.append(
            Message(
                "Form %(name)s does not say which answer is the child itself (child: true). In "
                "requests about a person's data, what was written in its conversations is not "
                "shown.",
                name=form.form,
            )
        )


async def _schedules(
    work: Work, before: Folder | None, after: Folder | None, found: Effects
) -> None:
    gone = set(shapes_in(before)) - set(shapes_in(after))
    rows = await work.session.scalars(
        select(ReportSchedule.report)
        .where(ReportSchedule.ended_at.is_(None), ReportSchedule.report.in_(gone))
        .distinct()
    )
    if names := sorted(rows):
        found.stops.append(
            Message(
                "These reports are sent regularly and would be gone: %(names)s. Put them into the "
                "folder, or end the sending first.",
                names=names,
            )
        )
