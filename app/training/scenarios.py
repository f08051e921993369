"""The scenarios of practice calls as data: who rings, what they tell when asked how. Pure.

One YAML file for each scenario in `data/`, with both languages; `_child.yaml` holds what any child
says where a scenario has no words of its own. Every error names the file and the line.
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field as Key
from pydantic import StringConstraints

from app.definitions.datafile import Lines, Part, read_file, read_model
from app.definitions.forms import Meaning
from app.errors import Message
from app.words.pages import N_
from app.words.parts import Foreign

FOLDER = Path(__file__).parent / "data"
# What every child says, unless its scenario says otherwise.
COMMON = "_child.yaml"
LANGUAGES = ("en", "sr")
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Act(StrEnum):
    """What the counsellor has just done. The child hears sound, and no words: a button says it."""

    OPEN_QUESTION = "open_question"
    CLOSED_QUESTION = "closed_question"
    LISTENED = "listened"
    REASSURED = "reassured"
    EXPLAINED = "explained"
    SAFETY = "safety"
    WISH = "wish"
    PLAN = "plan"
    GOODBYE = "goodbye"
    PROMISED_SECRECY = "promised_secrecy"
    BLAMED = "blamed"
    ADVISED = "advised"


QUESTIONS = (Act.OPEN_QUESTION, Act.CLOSED_QUESTION)
# The words of the buttons.
ACT_WORDS: dict[Act, str] = {
    Act.OPEN_QUESTION: N_("Open question"),
    Act.CLOSED_QUESTION: N_("Closed question"),
    Act.LISTENED: N_("Said back what I heard"),
    Act.REASSURED: N_("Reassured: it was right to call"),
    Act.EXPLAINED: N_("Explained what stays between us, and what cannot"),
    Act.SAFETY: N_("Asked whether the child is safe now"),
    Act.WISH: N_("Asked what the child wants"),
    Act.PLAN: N_("Agreed on a next step"),
    Act.GOODBYE: N_("Said goodbye"),
    Act.PROMISED_SECRECY: N_("Promised to tell no one"),
    Act.BLAMED: N_("Asked why, or blamed"),
    Act.ADVISED: N_("Gave advice"),
}
# What an act does to the child's trust.
TRUST: dict[Act, int] = {
    Act.OPEN_QUESTION: 1,
    Act.CLOSED_QUESTION: 0,
    Act.LISTENED: 1,
    Act.REASSURED: 1,
    Act.EXPLAINED: 1,
    Act.SAFETY: 0,
    Act.WISH: 1,
    Act.PLAN: 0,
    Act.GOODBYE: 0,
    Act.PROMISED_SECRECY: -1,
    Act.BLAMED: -2,
    Act.ADVISED: -1,
}


class Said(Part):
    """A sentence in each language of the scenarios."""

    en: Line
    sr: Line

    def in_(self, language: str) -> str:
        """Return the sentence in a language; in English if there is none in that language."""
        found: str = getattr(self, language, "")
        return found or Foreign.of(self.en, "en")


class FormAnswer(Part):
    """What the contact form should hold: the meaning of a field, and a code or number in it.

    Without `is` anything written will do, for fields that hold words.
    """

    means: Meaning
    is_: str | None = Key(default=None, alias="is")


class Fact(Part):
    """Something that the child tells if it is asked how, and trusts enough."""

    id: Name
    # The button of the question.
    topic: Said
    # From this phase on; empty: from the beginning.
    phase: Name | None = None
    trust: int = 0
    # `open`: a closed question is only answered with `short`.
    asked: Literal["open", "any"] = "open"
    tells: Said
    short: Said | None = None
    # Instead of the scenario's own words for what is not told yet.
    holds_back: Said | None = None
    form: list[FormAnswer] = Key(default_factory=list)


class Opening(Part):
    """When a phase begins: all that is named must hold."""

    trust: int | None = None
    told: list[Name] = Key(default_factory=list)
    acts: list[Act] = Key(default_factory=list)


class Phase(Part):
    """A part of the talk. The first is there from the beginning."""

    id: Name
    name: Said
    begins: Opening | None = None
    # What the child says of itself when the phase begins.
    says: Said | None = None


class HangUp(Part):
    """What makes the child hang up: an act (so many times), or trust below a number."""

    act: Act | None = None
    times: int = Key(default=1, ge=1, le=9)
    trust_below: int | None = None
    says: Said


class Silence(Part):
    """What the child does if it hears nothing, in seconds."""

    asks_after: float = Key(default=9, ge=2, le=120)
    asks: list[Said] = Key(min_length=1)
    hangs_up_after: float = Key(default=45, ge=5, le=600)


class Ending(Part):
    """What makes a good ending, and what the child says at a goodbye."""

    told: list[Name] = Key(default_factory=list)
    acts: list[Act] = Key(default_factory=list)
    says: Said
    # Said when the goodbye comes before that.
    early: Said


class Written(Part):
    """What is different when the child writes. All else is as in a call."""

    # What the trainee sees before, as nothing is heard.
    before: Said
    opens: list[Said] = Key(min_length=1, max_length=4)
    reacts: dict[Act, Said] = Key(default_factory=dict)
    # What the child writes of itself when a phase begins, by the phase.
    phases: dict[Name, Said] = Key(default_factory=dict)
    silence: Silence | None = None
    says: Said | None = None
    early: Said | None = None


class Common(Part):
    """What any child says where its scenario has no words of its own."""

    unclear: list[Said] = Key(min_length=1)
    again: Said
    holds_back: Said
    short: Said
    silence: Silence
    reacts: dict[Act, Said]
    # To a child who writes, minutes of silence are what seconds are in a call.
    written_silence: Silence
    written_reacts: dict[Act, Said]


class Scenario(Part):
    """One scripted child, or adult who worries about one."""

    scenario: Name
    version: int = Key(ge=1)
    level: Literal["1", "2", "3"]
    title: Said
    trains: Said
    # What the trainee sees before the call; it gives nothing of the story away.
    before: Said
    # What the caller says without being asked.
    opens: list[Said] = Key(min_length=1, max_length=4)
    trust: int = 1
    # Changes to what acts do to the trust.
    effects: dict[Act, int] = Key(default_factory=dict)
    reacts: dict[Act, Said] = Key(default_factory=dict)
    unclear: list[Said] = Key(default_factory=list)
    again: Said | None = None
    holds_back: Said | None = None
    silence: Silence | None = None
    phases: list[Phase] = Key(min_length=1, max_length=6)
    facts: list[Fact] = Key(min_length=3, max_length=14)
    hangs_up: list[HangUp] = Key(default_factory=list)
    ending: Ending
    # Answers of the form that follow from the talk as a whole.
    form: list[FormAnswer] = Key(default_factory=list)
    # Only with this it can be practised in writing.
    written: Written | None = None

    def fact(self, id_: str | None) -> Fact | None:
        return next((fact for fact in self.facts if fact.id == id_), None)

    def in_writing(self) -> "Scenario":
        """Return the same child, who writes."""
        way = self.written
        if way is None:
            return self
        phases = [
            one.model_copy(update={"says": way.phases.get(one.id, one.says)}) for one in self.phases
        ]
        ending = self.ending.model_copy(
            update={
                "says": way.says or self.ending.says,
                "early": way.early or self.ending.early,
            }
        )
        return self.model_copy(
            update={
                "before": way.before,
                "opens": way.opens,
                "reacts": {**common().written_reacts, **self.reacts, **way.reacts},
                "phases": phases,
                "silence": way.silence or common().written_silence,
                "ending": ending,
            }
        )

    def phase(self, id_: str) -> Phase:
        return next(phase for phase in self.phases if phase.id == id_)


def read_scenario(text: str, source: str) -> Scenario:
    """Read and check one scenario. Raises BadDefinition."""
    found, lines = read_model(Scenario, text, source)
    _check(found, lines)
    return found


def _check(found: Scenario, lines: Lines) -> None:
    """Refuse names that lead nowhere, and hang-ups without a reason."""
    _once(lines, "phases", [phase.id for phase in found.phases])
    _once(lines, "facts", [fact.id for fact in found.facts])
    phases = {phase.id for phase in found.phases}
    facts = {fact.id for fact in found.facts}
    for n, fact in enumerate(found.facts):
        if fact.phase is not None and fact.phase not in phases:
            raise lines.refuse(
                ("facts", n, "phase"), Message("there is no phase '%(phase)s'", phase=fact.phase)
            )
        if fact.asked == "any" and fact.short is not None:
            raise lines.refuse(
                ("facts", n, "short"), Message("an answer to a closed question needs `asked: open`")
            )
    for n, phase in enumerate(found.phases):
        if (n > 0) != (phase.begins is not None):
            words = Message("the first phase has no `begins`, and every later one needs it")
            raise lines.refuse(("phases", n, "begins"), words)
    for path, names in _names(found):
        for name in names:
            if name not in facts:
                raise lines.refuse(path, Message("there is no fact '%(name)s'", name=name))
    for name in found.written.phases if found.written is not None else ():
        if name not in phases:
            raise lines.refuse(
                ("written", "phases"), Message("there is no phase '%(phase)s'", phase=name)
            )
    for n, one in enumerate(found.hangs_up):
        if (one.act is None) == (one.trust_below is None):
            raise lines.refuse(("hangs_up", n), Message("give either `act` or `trust_below`"))


def _once(lines: Lines, part: str, ids: list[str]) -> None:
    for n, one in enumerate(ids):
        if one in ids[:n]:
            raise lines.refuse((part, n, "id"), Message("'%(name)s' appears here twice", name=one))


def _names(found: Scenario) -> Iterator[tuple[tuple[str | int, ...], list[str]]]:
    yield ("ending", "told"), found.ending.told
    for n, phase in enumerate(found.phases):
        if phase.begins is not None:
            yield ("phases", n, "begins", "told"), phase.begins.told


@cache
def common() -> Common:
    """Return what any child says. Raises BadDefinition."""
    found, lines = read_file(Common, FOLDER / COMMON)
    for act in Act:
        if act not in found.reacts and act not in (*QUESTIONS, Act.GOODBYE):
            raise lines.refuse(
                ("reacts",), Message("the child has no reaction to %(act)s", act=act.value)
            )
    return found


@cache
def scenarios() -> dict[str, Scenario]:
    """Return every scenario in force, the easiest first. Raises BadDefinition."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != COMMON:
            found.append(read_scenario(path.read_text(encoding="utf-8"), path.name))
            if found[-1].scenario != path.stem:
                raise ValueError(f"{path.name}: the scenario is called {found[-1].scenario}")
    common()
    return {one.scenario: one for one in sorted(found, key=lambda one: (one.level, one.scenario))}


def text_of(name: str) -> str:
    """Return the file of a scenario as it is, to be kept with the practice."""
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
