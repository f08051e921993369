"""What a scripted child answers: the talk so far in, its next words out. Pure.

The talk is played from its beginning each time, so nothing but the acts has to be kept.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.training.scenarios import (
    QUESTIONS,
    TRUST,
    CounsellorAct,
    Fact,
    PhaseOpening,
    Said,
    Scenario,
    common,
)

# After this many times an act earns no more trust. What costs trust costs it each time.
_EARNS = 2


class Move(NamedTuple):
    """One act of the counsellor; `topic` is the fact that a question is about."""

    act: CounsellorAct
    topic: str | None = None


class Reply(StrEnum):
    """How the child took an act."""

    TOLD = "told"
    SHORT = "short"
    HELD_BACK = "held_back"
    AGAIN = "again"
    REACTED = "reacted"
    GOODBYE = "goodbye"


class Ended(StrEnum):
    """How a practice ended."""

    WELL = "well"
    EARLY = "early"
    CHILD_LEFT = "child_left"
    SILENCE = "silence"
    COUNSELLOR = "counsellor"
    NOT_ANSWERED = "not_answered"
    LOST = "lost"


@dataclass(frozen=True)
class Turn:
    """What came of one act. `phase` is the phase after it, `began` if it has just begun."""

    move: Move
    reply: Reply
    says: tuple[Said, ...]
    trust: int
    phase: str
    began: bool = False
    # Set if the child hangs up after its words.
    ends: Ended | None = None


@dataclass
class Talk:
    """How far a talk has come."""

    scenario: Scenario
    trust: int
    phase: int = 0
    told: list[str] = field(default_factory=list)
    acts: Counter[CounsellorAct] = field(default_factory=Counter)
    ended: Ended | None = None

    @classmethod
    def of(cls, scenario: Scenario) -> "Talk":
        return cls(scenario, scenario.trust)

    def take(self, move: Move) -> Turn:
        """Let the child hear an act, and return its turn."""
        self.acts[move.act] += 1
        self._feel(move.act)
        reply, says = self._answer(move)
        lines = [says]
        left = self._leaves()
        if left is not None:
            lines, self.ended = [left], Ended.CHILD_LEFT
        elif reply is Reply.GOODBYE:
            self.ended = Ended.WELL if self.is_good() else Ended.EARLY
        began = self.ended is None and self._go_on()
        current = self.scenario.phases[self.phase]
        if began and current.says is not None:
            lines.append(current.says)
        return Turn(move, reply, tuple(lines), self.trust, current.id, began, self.ended)

    def _feel(self, act: CounsellorAct) -> None:
        change = self.scenario.effects.get(act, TRUST[act])
        if change < 0 or act in QUESTIONS or self.acts[act] <= _EARNS:
            self.trust += change

    def _answer(self, move: Move) -> tuple[Reply, Said]:
        scenario, act = self.scenario, move.act
        if act is CounsellorAct.GOODBYE:
            ending = scenario.ending
            return Reply.GOODBYE, ending.says if self.is_good() else ending.early
        fact = scenario.fact(move.topic)
        if act in QUESTIONS and fact is not None:
            return self._tell(fact, act)
        return Reply.REACTED, scenario.reacts.get(act) or common().reacts[act]

    def _tell(self, fact: Fact, act: CounsellorAct) -> tuple[Reply, Said]:
        if fact.id in self.told:
            return Reply.AGAIN, self.scenario.again or common().again
        if not self._is_open(fact.phase) or self.trust < fact.trust:
            words = fact.holds_back or self.scenario.holds_back or common().holds_back
            return Reply.HELD_BACK, words
        if act is CounsellorAct.CLOSED_QUESTION and fact.asked == "open":
            return Reply.SHORT, fact.short or common().short
        self.told.append(fact.id)
        return Reply.TOLD, fact.tells

    def _is_open(self, phase: str | None) -> bool:
        return phase is None or phase in [p.id for p in self.scenario.phases[: self.phase + 1]]

    def _leaves(self) -> Said | None:
        """Return the last words of a child who hangs up now, or None."""
        for one in self.scenario.hangs_up:
            if one.act is not None and self.acts[one.act] >= one.times:
                return one.says
            if one.trust_below is not None and self.trust < one.trust_below:
                return one.says
        return None

    def _go_on(self) -> bool:
        """Begin the next phase if it is time; return whether it has begun."""
        following = self.scenario.phases[self.phase + 1 : self.phase + 2]
        if not following or not self._holds(following[0].begins):
            return False
        self.phase += 1
        return True

    def _holds(self, begins: PhaseOpening | None) -> bool:
        if begins is None:
            return True
        trusts = begins.trust is None or self.trust >= begins.trust
        done = all(self.acts[act] for act in begins.acts)
        return trusts and done and set(begins.told) <= set(self.told)

    def is_good(self) -> bool:
        """Return whether the talk could end well now."""
        ending = self.scenario.ending
        return set(ending.told) <= set(self.told) and all(self.acts[act] for act in ending.acts)


def play(scenario: Scenario, moves: Iterable[Move]) -> tuple[Talk, list[Turn]]:
    """Play a talk from its beginning. Acts after its end are left out."""
    talk = Talk.of(scenario)
    return talk, [talk.take(move) for move in moves if talk.ended is None]
