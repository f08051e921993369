"""What a country's figures are made of: the questions of its forms, and the bands of ages."""

import zlib
from functools import lru_cache
from pathlib import Path

from pydantic import Field as Key

from app.definitions.datafile import Part, Wrong, read_model
from app.definitions.folder import Folder, shipped_folder
from app.definitions.forms import Form, Meaning
from app.definitions.library import load as load_definitions
from app.errors import Message
from app.statistics.facts.unknowns import NOT_SAID

# Bump this when the derivation of facts changes.
_WAY = 4
SHIPPED = Path(__file__).parent.parent / "data"
FILE = "facts.yaml"


class Band(Part):
    """An age band, in years, both ends included."""

    code: str
    from_: int = Key(alias="from", ge=0, le=99)
    to: int | None = Key(default=None, ge=0, le=99)

    def holds(self, age: int) -> bool:
        return self.from_ <= age and (self.to is None or age <= self.to)


class Planning(Part):
    # The fewest counsellors to roster while a line is open, however quiet it is.
    at_least: int = Key(default=1, ge=0, le=100)
    shrinkage: float = Key(ge=0, lt=1)
    target_share: float = Key(gt=0, lt=1)
    patience_seconds: int = Key(ge=1, le=7200)
    # By what share a written conversation takes longer for each further one at the same time.
    slowdown: float = Key(default=0.3, ge=0, le=1)


class Questions(Part):
    """What the statistics read from the contact form, with age bands and planning values."""

    facts: str
    version: int = Key(ge=1)
    # For each fact, the meaning of the questions that ask for it, in every version of every form.
    questions: dict[str, Meaning]
    age_bands: list[Band] = Key(min_length=1)
    planning: Planning

    def band_of(self, age: str) -> str:
        """Return the band of an age as it is stored: years, `unborn`, or not said."""
        if not age.isdigit():
            return age
        return next((b.code for b in self.age_bands if b.holds(int(age))), NOT_SAID)


def version_of(asked: Questions, form: Form) -> int:
    """Return the version of the derivation; days kept with another version are made again."""
    text = f"{_WAY} {asked.model_dump_json()} {form.form} {form.version}"
    return zlib.crc32(text.encode()) & 0x7FFFFFFF


# Facts that a question of the form asks for: those with one answer, and those with several.
ONE = ("relationship", "role", "setting", "settlement", "felt_helped", "follow_up")
SEVERAL = (
    "disabilities",
    "living",
    "residence",
    "groups",
    "danger_signs",
    "perpetrators",
    "actions",
)


@lru_cache(maxsize=8)
def read_questions(folder: Folder | None = None) -> Questions:
    """Read the country's facts.yaml, or the shipped one. Raises BadDefinition."""
    own = folder.text(FILE) if folder is not None else None
    text = own if own is not None else shipped_folder(SHIPPED).text(FILE)
    questions, lines = read_model(Questions, text or "", FILE)
    form, wrong = load_definitions(folder).form_for("contact"), Wrong()
    for fact, means in questions.questions.items():
        with wrong:
            if fact not in (*ONE, *SEVERAL):
                raise lines.refuse(
                    ("questions", fact), Message("there is no fact '%(fact)s'", fact=fact)
                )
            # The shipped file names every fact; a short form may lack some of the questions.
            if own is not None and not places_of(form, means):
                raise lines.refuse(
                    ("questions", fact),
                    Message(
                        "the form has no question that means '%(meaning)s', "
                        "with answers to choose from",
                        meaning=means,
                    ),
                )
    wrong.refuse()
    return questions


def places_of(form: Form, means: Meaning) -> list[str]:
    """Return where a form asks for a meaning with answers to choose from, as `section.field`.

    Free text is in no statistic.
    """
    return [
        f"{section.code}.{field.code}"
        for section, field in form.meaning(means)
        if field.type in ("choice", "choices", "yes_no") and not field.personal
    ]
