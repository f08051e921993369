"""Make the exchange misbehave: rules that fire on a delivery or a request."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Trouble = Literal[
    "duplicate",  # deliver twice
    "delay",  # deliver later, so that others overtake
    "reorder",  # deliver after the next callback, or two seconds later
    "lose",  # never deliver
    "refuse",  # REST: 429
    "fail",  # REST: 500, not carried out
    "accept_and_time_out",  # REST: carried out, and the answer never comes
    "disconnect",  # the connection of a webhook is refused
]


@dataclass
class Rule:
    """A trouble for what matches, `times` times (None: without end), each with a probability."""

    trouble: Trouble
    matching: str = ""
    times: int | None = 1
    probability: float = 1.0
    seconds: float = 0.0


@dataclass
class Knobs:
    """All rules, the dice that they use, and how often each trouble fired."""

    rules: list[Rule] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    fired: Counter[Trouble] = field(default_factory=Counter)

    def turn(
        self,
        trouble: Trouble,
        matching: str = "",
        *,
        times: int | None = 1,
        probability: float = 1.0,
        seconds: float = 0.0,
    ) -> None:
        """Add a rule. `matching` is part of a path, or of a path and an event's name."""
        self.rules.append(Rule(trouble, matching, times, probability, seconds))

    def reset(self) -> None:
        self.rules.clear()

    def fires(self, trouble: Trouble, what: str) -> Rule | None:
        """Return the rule that fires now and count it down, or None."""
        for rule in self.rules:
            if rule.trouble != trouble or rule.matching not in what or rule.times == 0:
                continue
            if self.dice.random() >= rule.probability:
                continue
            if rule.times is not None:
                rule.times -= 1
            self.fired[trouble] += 1
            return rule
        return None
