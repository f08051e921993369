"""For the report: which answers of a record the person who asks may see. Pure."""

from collections.abc import Callable

from app.definitions.about_child import is_of_others
from app.definitions.answers import Answers
from app.definitions.forms import OF_CALLER, Field, Form, Meaning, Section
from app.retention.data_requests.kinds import AskingPerson

# What a guardian may see: who the child is. The person who asks may be the one who hurts the child.
# So whatever else a form asks, where the child is and what it told and wants, is left out until it
# is named here.
FOR_GUARDIAN: frozenset[Meaning] = frozenset(
    {
        "child_name",
        "child_age",
        "age_is",
        "birth_date",
        "identifier",
        "language",
        "interpreter",
    }
)
_BY_CALLER: frozenset[Meaning] = OF_CALLER | {"reporter_agrees"}
# What tells that there was a reporter.
_TELLS_OF_CALLER: frozenset[Meaning] = _BY_CALLER | {"wants_feedback"}
MaySee = Callable[[Section, Field], bool]


def may_see(form: Form, answers: Answers, person: AskingPerson) -> MaySee:
    """Return a test for the answers that a person may see of a record.

    The child sees what is about it, and who reported if they agreed; a guardian who the child is;
    another caller only what they said about themselves.
    """
    match person:
        case AskingPerson.CALLER:
            return lambda _, one: one.means in _BY_CALLER
        case AskingPerson.GUARDIAN:
            return lambda _, one: one.means in FOR_GUARDIAN and "family" not in one.not_for
    agrees = answers.get(form.path_of("reporter_agrees") or "") == "yes"
    by_child = form.by_child(answers) is True
    return lambda section, one: (
        not (
            is_of_others(form, section, one)
            or (not agrees and _tells_of_caller(section, one, by_child=by_child))
        )
    )


def _tells_of_caller(section: Section, field: Field, *, by_child: bool) -> bool:
    """Return whether an answer tells that another than the child was in contact, or who it was.

    So does what a section asks besides that is about the caller, as whether they have to report.
    """
    if field.means == "kind":
        return not by_child
    if field.means is not None:
        return field.means in _TELLS_OF_CALLER
    of_caller = any(one.means in OF_CALLER for one in section.fields)
    return of_caller and field.personal is None
