"""The escalation: whom to try next, until a person acknowledges. Pure.

An escalation is a list of steps. Each turn follows from its position and from what is available:
phones that are on duty now, an address for messages, another agency. It never ends by itself:
after the last step a new round begins.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

# The shortest time until the same target is tried again, in seconds.
AT_LEAST = 60
# The longest pause before a new round, in seconds; the pauses grow up to this.
_AT_MOST = 300


class StepKind(StrEnum):
    DUTY_PHONES = "duty_phones"
    MESSAGES = "messages"
    NEXT_AGENCY = "next_agency"
    SUPERVISOR = "supervisor"
    DIRECTOR = "director"


class Step(NamedTuple):
    kind: StepKind
    # How long a phone rings, or how long to wait for a reply, in seconds.
    wait: int


@dataclass(frozen=True)
class Position:
    """The position of an escalation: which round, which step, which phone of that step."""

    round: int = 0
    step: int = 0
    # The phone that was tried last in this step; -1 before the first.
    phone: int = -1


@dataclass(frozen=True)
class Around:
    """What is available at this moment."""

    # Phones on duty now that were not rung in this round, of the agency that is being asked. Those
    # of our own people on call follow below.
    phones: int = 0
    messages: bool = False
    more_agencies: bool = False
    supervisor_phones: int = 0
    supervisor_messages: bool = False
    director_phones: int = 0
    director_messages: bool = False


class Act(StrEnum):
    RING = "ring"
    SEND = "send"
    NEXT_AGENCY = "next_agency"
    RING_SUPERVISOR = "ring_supervisor"
    SEND_SUPERVISOR = "send_supervisor"
    RING_DIRECTOR = "ring_director"
    SEND_DIRECTOR = "send_director"
    # Nothing is left to do in this round: begin the next one after a pause.
    AROUND = "around"


@dataclass(frozen=True)
class Turn:
    """What to do now, the position after it, and how long to wait for a reply, in seconds."""

    act: Act
    position: Position
    wait: int


_ON_CALL = {
    StepKind.SUPERVISOR: (Act.RING_SUPERVISOR, Act.SEND_SUPERVISOR),
    StepKind.DIRECTOR: (Act.RING_DIRECTOR, Act.SEND_DIRECTOR),
}


def next_turn(steps: list[Step], position: Position, around: Around) -> Turn:
    """Return the next turn of an escalation."""
    at = position.step
    phone = position.phone
    if around.more_agencies and any(one.kind is StepKind.NEXT_AGENCY for one in steps[:at]):
        # It was passed over while it was not known who is next.
        return Turn(Act.NEXT_AGENCY, Position(position.round, 0, -1), 0)
    while at < len(steps):
        step = steps[at]
        found = _in_step(step, phone, around)
        if found is not None:
            act, next_phone = found
            if act is Act.NEXT_AGENCY:
                # The other agency is tried from the first step.
                return Turn(act, Position(position.round, 0, -1), 0)
            return Turn(act, Position(position.round, at, next_phone), step.wait)
        at, phone = at + 1, -1
    wait = min(AT_LEAST * 2 ** min(position.round, 8), _AT_MOST)
    return Turn(Act.AROUND, Position(position.round + 1, 0, -1), wait)


def _in_step(step: Step, phone: int, around: Around) -> tuple[Act, int] | None:
    """Return what is left to do in a step; `phone` is 1,000 once its messages were sent."""
    sent = phone >= SENT
    match step.kind:
        case StepKind.DUTY_PHONES:
            return (Act.RING, phone + 1) if around.phones else None
        case StepKind.MESSAGES:
            return (Act.SEND, SENT) if around.messages and not sent else None
        case StepKind.NEXT_AGENCY:
            return (Act.NEXT_AGENCY, -1) if around.more_agencies else None
    ring, send = _ON_CALL[step.kind]
    supervisor = step.kind is StepKind.SUPERVISOR
    phones = around.supervisor_phones if supervisor else around.director_phones
    messages = around.supervisor_messages if supervisor else around.director_messages
    if sent:
        return None
    if phones:
        return ring, phone + 1
    return (send, SENT) if messages else None


SENT = 1000
