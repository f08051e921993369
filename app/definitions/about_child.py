"""Which personal answers are about the child, where no meaning says it. Pure.

`about_child.yaml` lists those of the forms that come with the program.
"""

from functools import lru_cache
from pathlib import Path

from pydantic import RootModel

from app.definitions.datafile import read_model
from app.definitions.forms import Field, Form, Meaning, Name, Section

_FILE = Path(__file__).parent / "about_child.yaml"
# What is about other people, by its meaning.
OF_OTHERS: frozenset[Meaning] = frozenset(
    {"suspect", "household", "other_children", "caregiver", "caregiver_phone"}
)


class Listed(RootModel[dict[Name, tuple[str, ...]]]):
    """The file: by form the paths, as `section.field`."""


@lru_cache(maxsize=1)
def listed() -> dict[Name, tuple[str, ...]]:
    """Return the shipped list."""
    return read_model(Listed, _FILE.read_text(encoding="utf-8"), _FILE.name)[0].root


def is_of_others(form: Form, section: Section, field: Field) -> bool:
    """Return whether an answer is, or may be, about another person than the child.

    So is all of a section that repeats for each of them, such as the members of a household.
    """
    if field.means is not None:
        return field.means in OF_OTHERS
    if field.personal is not None:
        return not _is_listed(form, section, field)
    personal = [one for one in section.fields if one.personal is not None]
    return (
        bool(section.repeats and personal)
        and section is not form.children
        and all(is_of_others(form, section, one) for one in personal)
    )


def _is_listed(form: Form, section: Section, field: Field) -> bool:
    path = f"{section.code}.{field.code}"
    return field.about == "child" or path in listed().get(form.form, ())
