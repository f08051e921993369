"""Signs of danger and the urgency that they suggest. Pure.

The program suggests and says why; the counsellor decides. Both are kept.
"""

from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from app.definitions.datafile import Part, read_model
from app.definitions.trees import Code, Labels, Language, check_labels
from app.errors import Message


class Urgency(StrEnum):
    """From the most urgent to the least; not the same as a referral's deadlines."""

    IMMEDIATE = "immediate"
    URGENT = "urgent"
    PRIORITY = "priority"
    ROUTINE = "routine"


_ORDER = list(Urgency)


class Risk(StrEnum):
    """How great the risk to the children of a case is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def rises(before: str | None, after: Risk) -> bool:
    """Return whether a level is higher than the one before; a first level counts if it is high."""
    order = list(Risk)
    if before is None:
        return after is Risk.HIGH
    return order.index(after) > order.index(Risk(before))


class RiskCue(Part):
    cue: Code
    urgency: Urgency
    reason: Labels
    # A completed contact with this sign is referred, or a person decides and says why not.
    refer: bool = False


class RiskCues(Part):
    """The file of risk cues."""

    risk: Code
    version: int = Field(ge=1, lt=2**31)
    languages: list[Language] = Field(min_length=1)
    cues: list[RiskCue] = Field(min_length=1)

    def codes(self) -> set[str]:
        return {cue.cue for cue in self.cues}


class Suggestion(NamedTuple):
    """The urgency, and the cues that suggest it, strongest first."""

    urgency: Urgency
    cues: list[RiskCue]


# The key that a caller in danger presses: it is on no form, so its code is fixed.
DANGER_KEY = "danger_key"


def read_risk(text: str, source: str) -> RiskCues:
    """Read the cues: each appears once, and the danger key is there. Raises BadDefinition."""
    risk, lines = read_model(RiskCues, text, source)
    seen: set[str] = set()
    for n, cue in enumerate(risk.cues):
        if cue.cue in seen:
            raise lines.refuse(
                ("cues", n, "cue"), Message("'%(code)s' appears twice", code=cue.cue)
            )
        seen.add(cue.cue)
        check_labels(cue.reason, risk.languages, lines, ("cues", n, "reason"))
    if DANGER_KEY not in seen:
        raise lines.refuse(("cues",), Message("the cue '%(cue)s' is missing", cue=DANGER_KEY))
    return risk


def must_decide(suggested: Urgency, decided: str | None, suggested_then: str | None) -> bool:
    """Return whether the counsellor has to decide (again): nothing was decided yet, or the signs
    now suggest more than they did then, and more than was decided."""
    if decided is None:
        return True
    now = _ORDER.index(suggested)
    then = _ORDER.index(Urgency(suggested_then)) if suggested_then else len(_ORDER)
    return now < then and now < _ORDER.index(Urgency(decided))


def suggest(risk: RiskCues, found: list[str]) -> Suggestion | None:
    """Return what the signs suggest; None if there is no sign."""
    cues = [cue for cue in risk.cues if cue.cue in found]
    if not cues:
        return None
    cues.sort(key=lambda cue: _ORDER.index(cue.urgency))
    return Suggestion(cues[0].urgency, cues)
