"""What can be said of a practice call afterwards: what went well first. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from app.definitions.answers import Answers, Sheet
from app.definitions.forms import Field
from app.training.measured import Measured
from app.training.scenarios import QUESTIONS, CounsellorAct, Fact, FormAnswer, Scenario
from app.training.script import Ended, Reply, Turn
from app.words.pages import N_

# From this share of the speech on, the counsellor has spoken more than a listener should.
_TALKS_MUCH = 0.6
# Open questions for each closed one, from which on there were enough of them.
_ENOUGH_OPEN = 1
Held = Literal["matching", "different", "missing"]

ENDED_WORDS: dict[Ended, str] = {
    Ended.WELL: N_("The talk came to a good end."),
    Ended.EARLY: N_("The goodbye came before the talk had reached its end."),
    Ended.CHILD_LEFT: N_("The child hung up."),
    Ended.SILENCE: N_("The child hung up, because it heard nothing for too long."),
    Ended.COUNSELLOR: N_("The talk was ended before a goodbye."),
    Ended.NOT_ANSWERED: N_("The call was not taken."),
    Ended.LOST: N_("The line was lost."),
}


# The same of a child who wrote.
WRITTEN_ENDED_WORDS: dict[Ended, str] = {
    Ended.CHILD_LEFT: N_("The child left."),
    Ended.SILENCE: N_("The child left, because it read nothing for too long."),
    Ended.NOT_ANSWERED: N_("The conversation was not taken."),
    Ended.LOST: N_("The connection was lost."),
}


class Remark(NamedTuple):
    """A sentence of the debrief, and the values in it."""

    words: str
    values: Mapping[str, object] = MappingProxyType({})


class Compared(NamedTuple):
    """An answer of the form beside what the child has told.

    `wanted` and `given` are codes as they are stored; both are empty where any words will do.
    """

    field: Field | None
    path: str
    wanted: str
    given: tuple[str, ...]
    held: Held


@dataclass(frozen=True)
class Debrief:
    well: list[Remark]
    next_time: list[Remark]
    told: list[Fact]
    not_told: list[Fact]


def debrief(
    scenario: Scenario, turns: list[Turn], ended: Ended | None, measured: Measured | None
) -> Debrief:
    """Return what went well, what to practise, and which facts the child told."""
    told = {turn.move.topic for turn in turns if turn.reply is Reply.TOLD}
    acts = Counter(turn.move.act for turn in turns)
    return Debrief(
        [*_well_done(turns, acts, ended), *_heard_well(measured)],
        [*_to_practise(scenario, turns, acts), *_heard_badly(measured)],
        [fact for fact in scenario.facts if fact.id in told],
        [fact for fact in scenario.facts if fact.id not in told],
    )


_GOOD_ACTS: dict[CounsellorAct, str] = {
    CounsellorAct.LISTENED: N_("You said back what you had heard."),
    CounsellorAct.REASSURED: N_("You told the child that it was right to call."),
    CounsellorAct.EXPLAINED: N_(
        "You explained what stays between you and the child, and what cannot."
    ),
    CounsellorAct.SAFETY: N_("You asked whether the child is safe now."),
    CounsellorAct.WISH: N_("You asked what the child wants."),
    CounsellorAct.PLAN: N_("You agreed on a next step together."),
}
_COSTLY_ACTS: dict[CounsellorAct, str] = {
    CounsellorAct.PROMISED_SECRECY: N_(
        "You promised to tell no one. Say instead what you would have to pass on, and why."
    ),
    CounsellorAct.BLAMED: N_(
        "A “why” sounds like blame to a child. Ask what happened, or how it was."
    ),
    CounsellorAct.ADVISED: N_(
        "Advice came before the story was told. Ask first what the child has tried."
    ),
}
_MISSED_ACTS: dict[CounsellorAct, str] = {
    CounsellorAct.LISTENED: N_("Say back what you have heard, in the child's own words."),
    CounsellorAct.EXPLAINED: N_("Explain early what stays between you, and what cannot."),
    CounsellorAct.SAFETY: N_("Ask whether the child is safe at this moment."),
    CounsellorAct.WISH: N_("Ask what the child itself wants to happen."),
    CounsellorAct.PLAN: N_("Agree on one small next step before the goodbye."),
}


def _well_done(
    turns: list[Turn], acts: Counter[CounsellorAct], ended: Ended | None
) -> Iterable[Remark]:
    told = sum(turn.reply is Reply.TOLD for turn in turns)
    if told:
        yield Remark(N_("The child told you %(number)s things it had not said before."), _n(told))
    if acts[CounsellorAct.OPEN_QUESTION] and acts[
        CounsellorAct.OPEN_QUESTION
    ] >= _ENOUGH_OPEN * max(1, acts[CounsellorAct.CLOSED_QUESTION]):
        yield Remark(N_("You asked mostly open questions."))
    for act, words in _GOOD_ACTS.items():
        if acts[act]:
            yield Remark(words)
    if ended is Ended.WELL:
        yield Remark(N_("The talk came to a good end: the child knew what comes next."))
    if not turns:
        yield Remark(N_("You took the call. The first one is the hardest."))


def _heard_well(measured: Measured | None) -> Iterable[Remark]:
    if measured is None or not measured.counsellor:
        return
    if _share(measured) < _TALKS_MUCH:
        yield Remark(N_("You left the child room to speak."))
    if not measured.interruptions():
        yield Remark(N_("You let the child finish every time."))


def _to_practise(
    scenario: Scenario, turns: list[Turn], acts: Counter[CounsellorAct]
) -> Iterable[Remark]:
    for act, words in _COSTLY_ACTS.items():
        if acts[act]:
            yield Remark(words)
    if acts[CounsellorAct.CLOSED_QUESTION] > acts[CounsellorAct.OPEN_QUESTION]:
        yield Remark(N_("Most questions could be answered with yes or no. Try “Tell me about …”."))
    held = sum(turn.reply is Reply.HELD_BACK for turn in turns)
    if held:
        yield Remark(
            N_("The child held back %(number)s times: it did not trust enough yet."), _n(held)
        )
    for act in scenario.ending.acts:
        if not acts[act] and act in _MISSED_ACTS:
            yield Remark(_MISSED_ACTS[act])


def _heard_badly(measured: Measured | None) -> Iterable[Remark]:
    if measured is None:
        return
    if measured.counsellor and _share(measured) >= _TALKS_MUCH:
        yield Remark(N_("You spoke more than the child. Leave longer pauses."))
    if measured.interruptions():
        yield Remark(
            N_("You began to speak %(number)s times before the child had finished."),
            _n(measured.interruptions()),
        )


def _share(measured: Measured) -> float:
    both = measured.child_spoke + measured.counsellor_spoke
    return measured.counsellor_spoke / both if both else 0.0


def _n(number: int) -> dict[str, object]:
    return {"number": number}


# -- the form ----------------------------------------------------------------------------------


def wanted_of(scenario: Scenario, told: Iterable[Fact]) -> list[FormAnswer]:
    """Return what the form should hold after what the child has told."""
    found = [*scenario.form, *(answer for fact in told for answer in fact.form)]
    return list(dict.fromkeys(found))


def compare(sheet: Sheet, answers: Answers, wanted: Iterable[FormAnswer]) -> list[Compared]:
    """Compare the answers of a contact with what the child has told, one by one.

    A meaning for which this form has no field is left out. Where the form has an entry for each of
    several children, one entry is compared: the one that agrees most with what was told.
    """
    wanted = list(wanted)
    for section in sheet.form.sections:
        if section.repeats:
            answers = _one_entry(sheet, answers, section.code, wanted)
    found = [_compare_one(sheet, answers, one) for one in wanted]
    return [one for one in found if one is not None]


def _one_entry(sheet: Sheet, answers: Answers, section: str, wanted: list[FormAnswer]) -> Answers:
    """Return the answers with only the best entry of a section that repeats."""
    beside: Answers = {}
    entries: dict[str, Answers] = {}
    for path, value in answers.items():
        code, *rest = path.split(".")
        kept = entries.setdefault(rest[0], {}) if code == section and len(rest) > 1 else beside
        kept[path] = value
    if not entries:
        return answers

    def agrees(entry: Answers) -> int:
        compared = (_compare_one(sheet, entry, one) for one in wanted)
        return sum(one is not None and one.held == "matching" for one in compared)

    best = max(entries, key=lambda name: agrees(entries[name]))
    return {**beside, **entries[best]}


def _compare_one(sheet: Sheet, answers: Answers, one: FormAnswer) -> Compared | None:
    fields = sheet.form.meaning(one.means)
    if not fields:
        return None
    places = {(section.code, field.code) for section, field in fields}
    given: set[str] = set()
    for path, value in answers.items():
        parts = path.split(".")
        if (parts[0], parts[-1]) in places:
            given |= set(value) if isinstance(value, list) else {str(value)}
    section, field = fields[0]
    path = f"{section.code}.{field.code}"
    if one.is_ is None:
        return Compared(field, path, "", (), "matching" if given else "missing")
    held: Held = "matching" if one.is_ in given else "different" if given else "missing"
    return Compared(field, path, one.is_, tuple(sorted(given)), held)


def open_questions(turns: list[Turn]) -> tuple[int, int]:
    """Return how many open and closed questions were asked."""
    acts = Counter(turn.move.act for turn in turns)
    return acts[QUESTIONS[0]], acts[QUESTIONS[1]]
