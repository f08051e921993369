"""The scenarios of practice calls as data: who rings, what they tell when asked how. Pure.

One YAML file for each scenario in `data/`, with its sentences in English; those in other languages
are in `app/words/<language>/practice`. `_child.yaml` holds what any child says where a scenario has
no words of its own. Every error names the file and the line.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field as Key
from pydantic import StringConstraints, model_serializer, model_validator

from app.definitions.datafile import Lines, Part, read_file, read_model
from app.definitions.forms import Meaning
from app.errors import Message
from app.words import SOURCE, BadWords, in_script, practice, spoken_as
from app.words.pages import N_
from app.words.parts import Foreign

FOLDER = Path(__file__).parent / "data"
# What every child says, unless its scenario says otherwise.
COMMON = "_child.yaml"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=400)]
# Where a sentence is: the scenario, then its place there.
Place = tuple[str, ...]
P = TypeVar("P", bound=Part)


class CounsellorAct(StrEnum):
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


QUESTIONS = (CounsellorAct.OPEN_QUESTION, CounsellorAct.CLOSED_QUESTION)
# The words of the buttons.
ACT_WORDS: dict[CounsellorAct, str] = {
    CounsellorAct.OPEN_QUESTION: N_("Open question"),
    CounsellorAct.CLOSED_QUESTION: N_("Closed question"),
    CounsellorAct.LISTENED: N_("Said back what I heard"),
    CounsellorAct.REASSURED: N_("Reassured: it was right to call"),
    CounsellorAct.EXPLAINED: N_("Explained what stays between us, and what cannot"),
    CounsellorAct.SAFETY: N_("Asked whether the child is safe now"),
    CounsellorAct.WISH: N_("Asked what the child wants"),
    CounsellorAct.PLAN: N_("Agreed on a next step"),
    CounsellorAct.GOODBYE: N_("Said goodbye"),
    CounsellorAct.PROMISED_SECRECY: N_("Promised to tell no one"),
    CounsellorAct.BLAMED: N_("Asked why, or blamed"),
    CounsellorAct.ADVISED: N_("Gave advice"),
}
# What an act does to the child's trust.
TRUST: dict[CounsellorAct, int] = {
    CounsellorAct.OPEN_QUESTION: 1,
    CounsellorAct.CLOSED_QUESTION: 0,
    CounsellorAct.LISTENED: 1,
    CounsellorAct.REASSURED: 1,
    CounsellorAct.EXPLAINED: 1,
    CounsellorAct.SAFETY: 0,
    CounsellorAct.WISH: 1,
    CounsellorAct.PLAN: 0,
    CounsellorAct.GOODBYE: 0,
    CounsellorAct.PROMISED_SECRECY: -1,
    CounsellorAct.BLAMED: -2,
    CounsellorAct.ADVISED: -1,
}


class Said(Part):
    """A sentence, in English and in each other language of practice calls.

    A file has it as a text, in English, or as a text for each language.
    """

    words: dict[str, Line]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: object) -> object:
        if isinstance(given, str):
            return {"words": {SOURCE: given}}
        return {"words": given} if isinstance(given, dict) and SOURCE in given else given

    @model_serializer
    def _write(self) -> dict[str, str]:
        return self.words

    def in_(self, language: str) -> str:
        """Return the sentence in a language; in English if there is none in that language."""
        spoken = spoken_as(language)
        if spoken not in self.words:
            return Foreign.of(self.words[SOURCE], SOURCE)
        return in_script(language, self.words[spoken], self.words[SOURCE])


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


class PhaseOpening(Part):
    """When a phase begins: all that is named must hold."""

    trust: int | None = None
    told: list[Name] = Key(default_factory=list)
    acts: list[CounsellorAct] = Key(default_factory=list)


class Phase(Part):
    """A part of the talk. The first is there from the beginning."""

    id: Name
    name: Said
    begins: PhaseOpening | None = None
    # What the child says of itself when the phase begins.
    says: Said | None = None


class HangUp(Part):
    """What makes the child hang up: an act (a number of times), or trust below a number."""

    act: CounsellorAct | None = None
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
    acts: list[CounsellorAct] = Key(default_factory=list)
    says: Said
    # Said when the goodbye comes before that.
    early: Said


class Written(Part):
    """What is different when the child writes. All else is as in a call."""

    # What the trainee sees before, as nothing is heard.
    before: Said
    opens: list[Said] = Key(min_length=1, max_length=4)
    reacts: dict[CounsellorAct, Said] = Key(default_factory=dict)
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
    reacts: dict[CounsellorAct, Said]
    # To a child who writes, minutes of silence are what seconds are in a call.
    written_silence: Silence
    written_reacts: dict[CounsellorAct, Said]


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
    effects: dict[CounsellorAct, int] = Key(default_factory=dict)
    reacts: dict[CounsellorAct, Said] = Key(default_factory=dict)
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
    """Read and check one scenario, in the languages of its file. Raises BadDefinition."""
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


# -- in every language -----------------------------------------------------------------------


def languages() -> tuple[str, ...]:
    """Return the languages in which every scenario says everything, English first."""
    there = set(english())
    own = {one for one, texts in practice.own_sentences().items() if there <= set(texts)}
    return (SOURCE, *sorted({*practice.with_folder(), *own} - {SOURCE}))


def texts_of(language: str) -> dict[str, str]:
    """Return every sentence of a language by its key, as it is in force. A sentence may be missing.

    Its key is the scenario with its place there: `prank.opens.1`.
    """
    own = practice.own_sentences().get(language, {})
    return {**shipped_texts_of(language), **own}


def shipped_texts_of(language: str) -> dict[str, str]:
    """Return every sentence of a language by its key, as it is shipped."""
    return dict(_texts().get(language, {}))


def english() -> dict[str, str]:
    """Return every sentence in English by its key, in the order of the scenarios."""
    return _texts()[SOURCE]


@cache
def _texts() -> dict[str, dict[str, str]]:
    """Return the shipped sentences by language and key. Raises BadDefinition, BadWords."""
    found: dict[str, dict[str, str]] = {}

    def note(said: Said, path: Place) -> Said:
        for language, text in said.words.items():
            found.setdefault(language, {})[".".join(path)] = text
        return said

    for name, one in _shipped().items():
        _each(one, (name,), note)
    return found


@cache
def _shipped() -> dict[str, Common | Scenario]:
    """Return what is shipped by its file: every scenario, and what any child says."""
    found: dict[str, Common | Scenario] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == COMMON:
            found[path.stem] = in_all_languages(_read_common(), path.stem)
            continue
        one = read_scenario(path.read_text(encoding="utf-8"), path.name)
        if one.scenario != path.stem:
            raise ValueError(f"{path.name}: the scenario is called {one.scenario}")
        found[path.stem] = in_all_languages(one, path.stem)
    return found


def in_all_languages(found: P, scenario: str) -> P:
    """Return a part with every sentence in every language that has a folder. Raises BadWords."""
    left = {
        language: dict(practice.sentences(language, scenario))
        for language in practice.with_folder()
    }

    def say(said: Said, path: Place) -> Said:
        place = ".".join(path[1:])
        for language, texts in left.items():
            if place not in texts:
                raise BadWords(f"{_file(language, scenario)} has no text for {place}.")
        return Said(words={**said.words, **{one: texts.pop(place) for one, texts in left.items()}})

    made: P = _each(found, (scenario,), say)
    for language, unknown in left.items():
        if unknown:
            raise BadWords(f"{_file(language, scenario)}: the scenario has no {min(unknown)}.")
    return made


def _in_own_words(found: P, scenario: str) -> P:
    """Return a part with the sentences that a helpline imported, in the languages that have all."""
    own = {one: texts for one, texts in practice.own_sentences().items() if one in languages()}

    def say(said: Said, path: Place) -> Said:
        key = ".".join(path)
        better = {one: texts[key] for one, texts in own.items() if key in texts}
        return Said(words={**said.words, **better})

    made: P = _each(found, (scenario,), say)
    return made


def _file(language: str, scenario: str) -> str:
    return f"app/words/{language}/practice/{scenario}.yaml"


def _each(value: Any, path: Place, change: Callable[[Said, Place], Said]) -> Any:
    """Return a value with each of its sentences changed. `path` begins with the scenario."""
    match value:
        case Said():
            return change(value, path)
        case Part():
            inner = {
                name: _each(getattr(value, name), (*path, name), change)
                for name in type(value).model_fields
            }
            return value.model_copy(update=inner)
        case dict():
            return {key: _each(one, (*path, str(key)), change) for key, one in value.items()}
        case list():
            return [
                _each(one, (*path, getattr(one, "id", str(n))), change)
                for n, one in enumerate(value, 1)
            ]
    return value


def _read_common() -> Common:
    found, lines = read_file(Common, FOLDER / COMMON)
    for act in CounsellorAct:
        if act not in found.reacts and act not in (*QUESTIONS, CounsellorAct.GOODBYE):
            raise lines.refuse(
                ("reacts",), Message("the child has no reaction to %(act)s", act=act.value)
            )
    return found


@cache
def common() -> Common:
    """Return what any child says. Raises BadDefinition, BadWords."""
    name = Path(COMMON).stem
    found = _shipped()[name]
    assert isinstance(found, Common)
    return _in_own_words(found, name)


@cache
def scenarios() -> dict[str, Scenario]:
    """Return every scenario in force, the easiest first. Raises BadDefinition, BadWords."""
    found = [
        _in_own_words(one, name) for name, one in _shipped().items() if isinstance(one, Scenario)
    ]
    return {one.scenario: one for one in sorted(found, key=lambda one: (one.level, one.scenario))}


def text_of(name: str) -> str:
    """Return a scenario as it is, in every language, to be kept with the practice."""
    data = scenarios()[name].model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=100)


def use(own: Mapping[str, Mapping[str, str]]) -> None:
    """Say these sentences, by language and key, before the shipped ones, and no others."""
    practice.use(own)
    for kept in (common, scenarios):
        kept.cache_clear()


def forget() -> None:
    """Read every scenario again, as when a language was added."""
    for kept in (common, scenarios, _shipped, _texts, practice.sentences):
        kept.cache_clear()
