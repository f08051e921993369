"""The small values that the pages of practice calls show."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from markupsafe import escape

from app import words
from app.definitions.forms import Form
from app.definitions.trees import label_in
from app.training.debrief import ENDED_WORDS, WRITTEN_ENDED_WORDS, Compared
from app.training.measured import Measured
from app.training.models import Practice, PracticeAct
from app.training.scenarios import (
    ACT_WORDS,
    QUESTIONS,
    CounsellorAct,
    Fact,
    Scenario,
    languages,
    scenarios,
)
from app.training.script import Ended, Reply, Talk, Turn
from app.words import about
from app.words.pages import N_, _, language_name, list_words, ngettext, said
from app.words.parts import joined, part

LEVEL_WORDS = {
    "1": N_("Level 1: first calls"),
    "2": N_("Level 2: a worry with many sides"),
    "3": N_("Level 3: danger and disclosure"),
}
REPLY_WORDS: dict[Reply, str] = {
    Reply.TOLD: N_("told you"),
    Reply.SHORT: N_("answered in one word"),
    Reply.HELD_BACK: N_("held back"),
    Reply.AGAIN: N_("had said it already"),
    Reply.REACTED: N_("reacted"),
    Reply.GOODBYE: N_("said goodbye"),
}
HELD_WORDS = {
    "matching": N_("as told"),
    "different": N_("different"),
    "missing": N_("missing"),
}
# How much trust a child has, in words; from the least of each on.
_TRUST = (
    (4, N_("trusts you")),
    (2, N_("begins to trust")),
    (0, N_("is careful")),
    (-99, N_("is about to leave")),
)


def language_names() -> dict[str, str]:
    """Return the languages of practice calls, each by its own name."""
    return {code: about(code).name for code in languages()}


def missing_names() -> list[str]:
    """Return the languages in which the scenarios are not complete, in the reader's language."""
    return [language_name(one) for one in words.languages() if one not in languages()]


@dataclass(frozen=True)
class ScenarioRow:
    name: str
    title: str
    level: str
    level_words: str
    trains: str
    before: str
    # How often the reader has practised it.
    times: int
    # It can be practised in writing.
    written: bool = False


@dataclass(frozen=True)
class EarlierRow:
    id: UUID
    title: str
    trainee: str
    at: datetime
    language: str
    ended: str


@dataclass(frozen=True)
class PracticeTopic:
    id: str
    words: str
    told: bool


@dataclass(frozen=True)
class PanelView:
    title: str
    before: str
    phase: str
    trust: str
    topics: list[PracticeTopic]
    helpful: list[tuple[str, str]]
    costly: list[tuple[str, str]]
    # What the child said last, and how it took the last act.
    last: str
    last_words: list[str]
    over: bool


@dataclass(frozen=True)
class Moment:
    """One entry of the timeline; `seconds` since the talk began."""

    seconds: int
    kind: str
    words: str
    # What a question was about.
    topic: str = ""
    # How the child took it, and what the child said.
    detail: str = ""
    heard: str = ""
    by: str = ""


def scenario_row(one: Scenario, language: str, times: int) -> ScenarioRow:
    return ScenarioRow(
        one.scenario,
        one.title.in_(language),
        one.level,
        said(LEVEL_WORDS[one.level]),
        one.trains.in_(language),
        one.before.in_(language),
        times,
        one.written is not None,
    )


def ended_words(one: Practice) -> str:
    """Return how a practice ended."""
    how = Ended(one.ended_how or Ended.LOST)
    words = WRITTEN_ENDED_WORDS.get(how) if one.written else None
    return said(words or ENDED_WORDS[how])


def earlier_row(one: Practice, trainee: str, language: str) -> EarlierRow:
    known = scenarios().get(one.scenario)
    return EarlierRow(
        one.id,
        known.title.in_(language) if known else one.scenario,
        trainee,
        one.started_at,
        language_names().get(one.language, one.language),
        ended_words(one) if one.ended_how else _("not ended yet"),
    )


_COSTLY = (CounsellorAct.PROMISED_SECRECY, CounsellorAct.BLAMED, CounsellorAct.ADVISED)


def panel_of(
    scenario: Scenario, talk: Talk, turns: list[tuple[Turn, PracticeAct]], language: str
) -> PanelView:
    """Return what the panel shows of a talk as it stands."""
    last = turns[-1][0] if turns else None
    others = [act for act in CounsellorAct if act not in QUESTIONS and act not in _COSTLY]
    return PanelView(
        title=scenario.title.in_(language),
        before=scenario.before.in_(language),
        phase=scenario.phases[talk.phase].name.in_(language),
        trust=said(next(words for least, words in _TRUST if talk.trust >= least)),
        topics=[
            PracticeTopic(fact.id, fact.topic.in_(language), fact.id in talk.told)
            for fact in scenario.facts
        ],
        helpful=[(act.value, said(ACT_WORDS[act])) for act in others],
        costly=[(act.value, said(ACT_WORDS[act])) for act in _COSTLY],
        last=_("The child %(reply)s.", reply=said(REPLY_WORDS[last.reply])) if last else "",
        last_words=[one.in_(language) for one in last.says] if last else [],
        over=talk.ended is not None,
    )


def fact_words(fact: Fact, language: str) -> tuple[str, str]:
    """Return what a fact is about, and what the child tells of it."""
    return fact.topic.in_(language), fact.tells.in_(language)


def timeline_of(
    scenario: Scenario,
    turns: list[tuple[Turn, PracticeAct]],
    began: datetime | None,
    measured: Measured | None,
    names: dict[UUID, str],
    language: str,
    trainee_id: UUID,
) -> list[Moment]:
    """Return what was asked when, with the long silences and new phases between."""
    found: list[Moment] = []
    for turn, row in turns:
        seconds = max(0, int((row.at - began).total_seconds())) if began else 0
        fact = scenario.fact(turn.move.topic)
        words = said(ACT_WORDS[turn.move.act])
        topic = fact.topic.in_(language) if fact is not None else ""
        by = names.get(row.by_id, "") if row.by_id != trainee_id else ""
        heard = joined([one.in_(language) for one in turn.says])
        detail = _("The child %(reply)s.", reply=said(REPLY_WORDS[turn.reply]))
        found.append(Moment(seconds, turn.reply.value, words, topic, detail, heard, by))
        if turn.began:
            phase = part(scenario.phase(turn.phase).name.in_(language))
            new = escape(said(N_("A new part: %(phase)s"))) % {"phase": phase}
            found.append(Moment(seconds, "phase", new))
    for silence in measured.silences() if measured else []:
        length = round(silence.seconds)
        words = ngettext("Silence of %(num)s second", "Silence of %(num)s seconds", length)
        found.append(Moment(int(silence.at), "silence", words))
    return sorted(found, key=lambda one: one.seconds)


def shares_of(measured: Measured | None) -> list[tuple[str, int, int]]:
    """Return how long each side spoke and how long it was silent: words, seconds, per cent."""
    if measured is None or not measured.seconds:
        return []
    parts = (
        (_("The child spoke"), measured.child_spoke),
        (_("The trainee spoke"), measured.counsellor_spoke),
        (_("Silence"), measured.silent),
    )
    return [
        (words, round(seconds), round(100 * seconds / measured.seconds)) for words, seconds in parts
    ]


def compared_row(
    one: Compared, form: Form, labels: dict[str, str], language: str
) -> tuple[str, str, str, str, str]:
    """Return a row of the form: question, what was told, what is written, how it compares."""
    assert one.field is not None
    options = {o.code: label_in(o.label, language) for o in form.options_of(one.field)}
    yes_no = {"yes": _("yes"), "no": _("no"), "unknown": _("unknown")}

    def words(code: str) -> str:
        return options.get(code) or labels.get(code) or yes_no.get(code, code)

    wanted = words(one.wanted) if one.wanted else _("in the child's own words")
    given = list_words(words(code) for code in one.given)
    if not one.wanted:
        given = _("something is written") if one.held == "matching" else ""
    return label_in(one.field.label, language), wanted, given, one.held, said(HELD_WORDS[one.held])
