"""Labels of dimension values: each from the question that asks for it, in every form version.

A code means what its own question says. Two questions may use one code for different answers, so a
label is never taken from another question.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import select

from app.calls.states import EndedBy
from app.contacts.registry import library_of
from app.definitions import in_force
from app.definitions.forms import Meaning
from app.definitions.library import Library
from app.definitions.trees import Tree, label_in
from app.staff.models import Staff
from app.statistics.counting.conditions import ShapeDimension
from app.statistics.counting.targets import Targets
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.facts.questions import Questions, read_questions
from app.statistics.facts.unknowns import NONE, NOT_SAID, STORED_AS, Unknown
from app.statistics.measures import MEASURES
from app.statistics.sums import OUTCOMES
from app.words import SOURCE, yes_no
from app.words.pages import N_, _, code_words, reader, said, spoken_in
from app.work import Work

# The kinds of rows of a summary.
CELL, TOTAL, OVERLAP = "cell", "total", "counted more than once"
_CIRCUMSTANCES = {
    "staffed": N_("A counsellor was there"),
    "no_counsellor_on_duty": N_("No counsellor had signed in"),
    "out_of_hours": N_("No counsellor was on shift"),
}
_CLOSED = {"not_closed": N_("Not closed as non-counselling")}
_PURPOSES = {
    "counselling": N_("Counselling"),
    "information": N_("Information"),
    "draft": N_("Not complete yet"),
    "none": N_("Non-counselling"),
}
_ENDED_BY: dict[str, str] = {
    EndedBy.CALLER: N_("the caller"),
    EndedBy.COUNSELLOR: N_("the counsellor"),
    EndedBy.PROGRAM: N_("the program"),
    EndedBy.PROVIDER: N_("the provider"),
    EndedBy.AWAY: N_("the child's page was away"),
}
# Dimensions that the contact form asks for without a fact in facts.yaml.
_MEANS: dict[Dimension, Meaning] = {Dimension.SEX: "child_gender", Dimension.KIND: "kind"}


def plain(value: str, language: str | None = None) -> str:
    """Return a value in words, if no question gives it a label; in the reader's language, or in
    another one."""
    words = {
        NOT_SAID: N_("Not recorded"),
        NONE: N_("Does not apply"),
        TOTAL: N_("Total"),
        OVERLAP: N_("Counted more than once"),
    }
    with spoken_in(reader() if language is None else language):
        return code_words(words.get(value) or value)


def target_words(targets: Targets) -> str:
    """Return service targets for readers, newest last."""
    return _(", then ").join(_("%(seconds)s seconds", seconds=one.seconds) for one in targets)


def ended_by_words(code: str) -> str:
    """Return who ended a call, in the reader's words."""
    return said(_ENDED_BY[code]) if code in _ENDED_BY else plain(code)


def _all_said(texts: Mapping[str, str], language: str) -> dict[str, str]:
    with spoken_in(language):
        return {code: said(text) for code, text in texts.items()}


async def labels_of(
    work: Work, names: dict[str, str], dimension: Dimension, language: str = SOURCE
) -> dict[str, str]:
    """Return the labels of a dimension's values; `names` are the names of lines, by number."""
    library = library_of(work.ground)
    match dimension:
        case Dimension.LINE:
            return dict(names)
        case Dimension.COUNSELLOR:
            rows = await work.session.execute(select(Staff.id, Staff.name))
            return {str(staff_id): name for staff_id, name in rows}
        case Dimension.CATEGORY:
            return _with_group(library.categories, language)
        case Dimension.CATEGORY_GROUP:
            return _of_tree(library.categories, language)
        case Dimension.PLACE | Dimension.REGION:
            return _of_tree(library.places, language)
        case Dimension.OUTCOME:
            titles = {code: MEASURES[name].title for code, name in OUTCOMES.items()}
            return _all_said({**titles, "open": N_("In progress")}, language)
        case Dimension.CIRCUMSTANCE:
            return _all_said(_CIRCUMSTANCES, language)
        case Dimension.CLOSED_AS:
            return _all_said(_CLOSED, language)
        case Dimension.PURPOSE:
            return _all_said(_PURPOSES, language)
        case Dimension.ENDED_BY:
            return _all_said(_ENDED_BY, language)
        case _:
            asked = read_questions(in_force.folder_of(work.ground))
            means = _MEANS.get(dimension) or asked.questions.get(COLUMN[dimension])
            return of_question(library, means, language) if means is not None else {}


def _of_tree(tree: Tree, language: str) -> dict[str, str]:
    return {node.code: label_in(node.label, language) for node, _depth in tree.walk()}


def _with_group(tree: Tree, language: str) -> dict[str, str]:
    """Return each category's label with its group: two groups may have an "Other"."""
    own = _of_tree(tree, language)
    groups = {code: path[0] for code, path in tree.paths().items() if path[0] != code}
    return {
        code: f"{own[groups[code]]}: {label}" if code in groups else label
        for code, label in own.items()
    }


def of_question(library: Library, means: Meaning, language: str) -> dict[str, str]:
    """Return the answers to the questions of a meaning; the newest version of a form wins."""
    found: dict[str, str] = {}
    for _key, form in sorted(library.forms.items(), key=lambda one: one[0]):
        for _path, field in form.meaning(means) if form.record == "contact" else ():
            if field.type == "yes_no":
                found |= yes_no(language)
            found |= {o.code: label_in(o.label, language) for o in form.options_of(field)}
    return found


def order_of(library: Library, asked: Questions, dimension: str) -> list[str]:
    """Return the codes of a dimension in the order that readers know, if it has one."""
    match dimension:
        case Dimension.AGE_BAND:
            return [band.code for band in asked.age_bands]
        case Dimension.CATEGORY:
            return [node.code for node, _ in library.categories.walk()]
        case _:
            return []


async def labeller(
    work: Work, names: dict[str, str], language: str = SOURCE
) -> Callable[[str, str], str]:
    """Return a function that gives the label of a value of any dimension."""
    library = library_of(work.ground)
    labels = {str(d): await labels_of(work, names, d, language) for d in Dimension}
    labels[ShapeDimension.FRAMEWORK] = _with_group(library.framework, language)
    labels[ShapeDimension.FRAMEWORK_GROUP] = _of_tree(library.framework, language)

    def label(dimension: str, value: str) -> str:
        if value in set(Unknown):
            return plain(STORED_AS[Unknown(value)], language)
        return labels.get(dimension, {}).get(value) or plain(value, language)

    return label
