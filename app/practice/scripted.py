"""Scripted callers for practice: they speak what they are sent, and measure what they hear.

What such a caller says is decided elsewhere; it comes in by `say`, line by line. The caller itself
only knows sound and silence: it waits until the counsellor has finished, murmurs when spoken to
without an answer in hand, asks into a silence, and hangs up when the silence lasts too long.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from app.practice.people import Caller
from app.practice.speech import RATE, Sound, spoken

# The mixer's step, in seconds.
TICK = 0.02
# How loud a frame must be to count as speech: the root of its mean square, 1 for the loudest.
_SPEECH = 0.012
# How much of a louder noise is learned in a step: a fan is known after some ten seconds.
_LEARNS = 0.002
# A pause shorter than this belongs to the speech around it, in seconds.
_PAUSE = 0.6
# Sound shorter than this is no speech: a click, a cough.
_SHORTEST = 0.2


@dataclass
class Script:
    """What a scripted caller says of itself, and how long it waits, in seconds."""

    language: str
    opens: list[str]
    unclear: list[str]
    asks: list[str]
    asks_after: float = 9.0
    hangs_up_after: float = 45.0
    # Seconds of silence after which the caller begins to speak.
    begins: float = 0.8
    # A pause of this many seconds means that the counsellor has finished.
    answers: float = 0.7
    # Spoken to, and nothing sent to say: the caller murmurs.
    murmurs_after: float = 4.0


@dataclass
class Scripted(Caller):
    """A scripted caller, as a person at the other end of a leg."""

    script: Script | None = None
    # Lines to be said next, and the number of the last turn they were taken from.
    wanted: deque[str] = field(default_factory=deque)
    turn: int = 0
    # It hangs up once all is said.
    leaves: bool = False
    # Why it left: `said`, `silence`, or None while it stays.
    left: str | None = None
    said: list[str] = field(default_factory=list)

    def take_turns(self, turns: list[dict[str, Any]]) -> None:
        """Take the lines of the turns that it does not have yet, in their order."""
        for one in sorted(turns, key=lambda turn: int(turn["number"])):
            if int(one["number"]) <= self.turn:
                continue
            self.turn = int(one["number"])
            self.wanted.extend(str(line) for line in one["lines"])
            self.leaves = self.leaves or bool(one["leaves"])


class Stretches:
    """Who spoke when: stretches of speech, from a stream of steps."""

    def __init__(self) -> None:
        self._found: list[list[float]] = []
        self._since: float | None = None
        self._until = 0.0

    def step(self, at: float, speaks: bool) -> None:
        if speaks:
            if self._since is None:
                self._since = at
            self._until = at + TICK
        elif self._since is not None and at - self._until >= _PAUSE:
            self._close()

    def _close(self) -> None:
        if self._since is not None and self._until - self._since >= _SHORTEST:
            self._found.append([round(self._since, 2), round(self._until - self._since, 2)])
        self._since = None

    def all(self) -> list[list[float]]:
        self._close()
        return self._found


class ScriptedMouth:
    """The mouth and the ear of a scripted caller."""

    def __init__(self, caller: Scripted) -> None:
        assert caller.script is not None
        self.caller, self._script = caller, caller.script
        self._sound: Sound | None = None
        self._at = 0
        self._noise = 0.0
        # A sentence that a hold cut short: it is said again.
        self._cut = ""
        # Seconds since the talk began, holds included; of silence on both sides; of the
        # counsellor's pause.
        self.at = self._quiet = self._pause = 0.0
        # How long the counsellor has spoken since the caller's last words.
        self._heard = 0.0
        self._opened = self._asked = self._murmured = 0
        self.child, self.counsellor = Stretches(), Stretches()
        self.held: list[list[float]] = []

    @property
    def speaks(self) -> bool:
        return self._sound is not None and self._at < len(self._sound)

    @property
    def finished(self) -> bool:
        return self.caller.left is not None

    def _hold(self) -> None:
        """Let 20 ms of a hold go by. Before the talk there is nothing to hold."""
        if self.speaks:
            self._cut = self.caller.said.pop()
        self._sound = None
        self._pause = self._quiet = 0.0
        if not self.at:
            return
        if not self.held or sum(self.held[-1]) < self.at - TICK / 2:
            self.held.append([self.at, 0.0])
        self.at += TICK
        self.held[-1][1] += TICK
        self.child.step(self.at, False)
        self.counsellor.step(self.at, False)

    def next_frame(self) -> Sound | None:
        """Return the next 20 ms, or None in silence."""
        if self._sound is None or not self.speaks:
            return None
        step = int(RATE * TICK)
        frame = self._sound[self._at : self._at + step]
        self._at += step
        if len(frame) == step:
            return frame
        padded = self._sound[:0].copy()
        padded.resize(step, refcheck=False)
        padded[: len(frame)] = frame
        return padded

    def hear(self, level: float, *, in_talk: bool) -> None:
        """Hear 20 ms of a loudness, and speak or hang up if it is time."""
        if not in_talk:
            self._hold()
            return
        speech = self._is_speech(level)
        self.at += TICK
        self.child.step(self.at, self.speaks)
        self.counsellor.step(self.at, speech)
        if speech:
            self._heard += TICK
            self._pause = self._quiet = 0.0
            self._asked = 0
        elif not self.speaks:
            self._pause += TICK
            self._quiet += TICK
        if not self.speaks and self.caller.left is None:
            self._go_on()

    def _is_speech(self, level: float) -> bool:
        speech = level >= max(_SPEECH, 3 * self._noise)
        self._noise += (level - self._noise) * (_LEARNS if level > self._noise else 0.5)
        return speech

    def _go_on(self) -> None:
        script, caller = self._script, self.caller
        if self._cut:
            if self._pause >= script.answers:
                self._say(self._cut)
                self._cut = ""
        elif self._opened < len(script.opens):
            if self._pause >= (script.begins if self._opened == 0 else 2 * script.answers):
                self._opened += 1
                self._say(script.opens[self._opened - 1])
        elif caller.wanted:
            if self._pause >= script.answers:
                self._say(caller.wanted.popleft())
        elif caller.leaves:
            if self._pause >= script.answers:
                caller.left = "said"
        elif self._quiet >= script.hangs_up_after:
            caller.left = "silence"
        elif self._quiet >= script.asks_after * (self._asked + 1):
            quiet = self._quiet
            self._say(script.asks[self._asked % len(script.asks)])
            self._asked, self._quiet = self._asked + 1, quiet
        elif self._heard >= 3 * _SHORTEST and self._pause >= script.murmurs_after:
            self._say(script.unclear[self._murmured % len(script.unclear)])
            self._murmured += 1

    def _say(self, words: str) -> None:
        self.caller.said.append(words)
        self._sound, self._at = spoken(words, self._script.language), 0
        self._heard = self._pause = self._quiet = 0.0

    def measured(self) -> dict[str, Any]:
        """Return how long each side spoke, in seconds of the talk."""
        return {
            "heard": True,
            "seconds": round(self.at, 2),
            "child": self.child.all(),
            "counsellor": self.counsellor.all(),
            "held": [[round(at, 2), round(seconds, 2)] for at, seconds in self.held],
        }
