"""What a webhook decided: a typed value for each kind of decision. Pure.

An answer is kept with its event, so that a repeat of the webhook is answered from the same
decision. It is written by `stored` and read by `read_answer`, and nowhere else. Reading is strict:
an answer that the program does not know, or that has a field too many, is an error.
"""

import json
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from app.calls.states import Unstaffed
from app.routing.callbacks.choices import Who
from app.words.keys import PromptKey

T = TypeVar("T")
_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def _answer(kind: type[T]) -> type[T]:
    """Make an answer of a class: frozen, strict, written with names."""
    return dataclass(frozen=True, kw_only=True, config=_STRICT)(kind)  # type: ignore[return-value]


class Kept:
    """What all answers can do: be written for the log."""

    def stored(self) -> dict[str, Any]:
        """Return the answer as it is kept with its event; defaults are left out."""
        written: dict[str, Any] = _ANY.dump_python(self, mode="json", exclude_defaults=True)
        return {"kind": kind_of(type(self)), **written}


# -- the menu, and the wait ----------------------------------------------------------------------


@_answer
class Menu(Kept):
    """Say greeting, danger digit and language digits; `attempt` counts from 0."""

    kind: Literal["menu"] = "menu"
    attempt: int = 0


@_answer
class Enqueue(Kept):
    """Enter the waiting room, with a word about why if the caller was in a talk."""

    kind: Literal["enqueue"] = "enqueue"
    entry: int
    returned: bool = False
    transferred: bool = False


@_answer
class CallbackWord:
    """What is said of the wish for a call-back, with the window if one was agreed."""

    key: PromptKey
    begins: datetime | None = None
    ends: datetime | None = None


@_answer
class Wait(Kept):
    """Say comfort, place and keys, then play soft sound.

    `short`: one sentence at a time, because the document cannot be interrupted. `last`: the caller
    can ask for the counsellor of their last call.
    """

    kind: Literal["wait"] = "wait"
    entry: int
    step: int
    short: bool = False
    said: CallbackWord | None = None
    wish: bool = False
    danger: bool = False
    draining: bool = False
    ahead: int | None = None
    long: bool = False
    callback: bool = False
    last: bool = False


@_answer
class Leave(Kept):
    """Leave the waiting room."""

    kind: Literal["leave"] = "leave"
    entry: int = 0


@_answer
class GoBack(Kept):
    """Ask again for the way into the waiting room, under the address of this entry."""

    kind: Literal["go_back"] = "go_back"
    entry: int


@_answer
class Message(Kept):
    """Say why no counsellor can take the call and when one can, and record a voice message."""

    kind: Literal["message"] = "message"
    n: int
    reason: Unstaffed | None = None
    thanks: bool = False
    resumes_at: datetime | None = None
    said: CallbackWord | None = None
    callback: bool = False


class CallbackQuestion(StrEnum):
    """The questions about a call-back, in their order."""

    WANTED = "wanted"
    SAFE = "safe"
    WHO = "who"
    WHEN = "when"


@_answer
class AskCallback(Kept):
    """Ask one of the questions about a call-back. `n` is the place in the wait."""

    kind: Literal["callback"] = "callback"
    question: CallbackQuestion
    n: str
    who: Who = Who.CALLER


@_answer
class Blocked(Kept):
    """Tell a caller that they are blocked, and which key lets them through."""

    kind: Literal["blocked"] = "blocked"
    n: int


@_answer
class Partner(Kept):
    """Ring the partner."""

    kind: Literal["partner"] = "partner"
    n: int


@_answer
class PartnerAsk(Kept):
    """Ask the partner's phone for the key that takes the caller."""

    kind: Literal["partner_ask"] = "partner_ask"
    attempt: int


# -- the talk ------------------------------------------------------------------------------------


@_answer
class Join(Kept):
    """Join the conference of the offer by which the talk began."""

    kind: Literal["join"] = "join"
    offer_id: UUID


@_answer
class Dial(Kept):
    """Dial the counsellor who has pressed 1 from the caller's own leg."""

    kind: Literal["dial"] = "dial"
    offer_id: UUID


@_answer
class AskByKey(Kept):
    """Ask a question that is answered with a key."""

    kind: Literal["question"] = "question"
    code: str
    question_id: UUID
    n: int


@_answer
class QuestionOver(Kept):
    """Return the caller to the counsellor, with a word if a key was pressed."""

    kind: Literal["question_over"] = "question_over"
    offer_id: UUID
    heard: bool = False


@_answer
class Hold(Kept):
    """Say a word and play soft sound. `lost`: the counsellor's line is lost."""

    kind: Literal["hold"] = "hold"
    lost: bool = False


@_answer
class Silence(Kept):
    """Play nothing to a leg that is alone in a conference."""

    kind: Literal["silence"] = "silence"


# -- the counsellor's leg, and other participants ------------------------------------------------


@_answer
class Whisper(Kept):
    """Ask the counsellor for a key. `dialled`: the caller's leg will dial this phone."""

    kind: Literal["whisper"] = "whisper"
    attempt: int = 0
    again: bool = False
    dialled: bool = False
    # The phone is not proven yet: the PIN is asked for in place of the key.
    proof: bool = False
    # No code counts by phone, and there is no PIN that does: they are told so, and asked
    # nothing.
    only_a_pin: bool = False


@_answer
class JoinCounsellor(Kept):
    """Join the conference of the talk as its counsellor."""

    kind: Literal["join_counsellor"] = "join_counsellor"
    offer_id: UUID
    room_id: UUID


@_answer
class RingsAgain(Kept):
    """Say that the phone rings again in a moment, with the caller, and hang up."""

    kind: Literal["rings_again"] = "rings_again"


@_answer
class DialCallback(Kept):
    """Dial the caller of a call-back from the leg of the counsellor, who is there."""

    kind: Literal["dial_callback"] = "dial_callback"
    offer_id: UUID


@_answer
class AskParticipant(Kept):
    """Ask a participant into a talk. `outside`: not a colleague."""

    kind: Literal["ask_participant"] = "ask_participant"
    participant_id: UUID
    attempt: int = 0
    outside: bool = False
    proof: bool = False
    only_a_pin: bool = False


@_answer
class JoinParticipant(Kept):
    """Join the conference as a participant. `coach`: the only leg that hears them; `second`: at
    a colleague's second phone."""

    kind: Literal["join_participant"] = "join_participant"
    participant_id: UUID
    room_id: UUID
    muted: bool = False
    coach: str | None = None
    second: bool = False


class DutyChoice(StrEnum):
    """What a counsellor can choose who rings their own line."""

    AVAILABLE = "available"
    BREAK = "break"
    OFF_DUTY = "off_duty"


@_answer
class DutyMenu(Kept):
    """Ask a counsellor who rings their own line for their presence."""

    kind: Literal["duty_menu"] = "duty_menu"
    n: int


@_answer
class DutyProof(Kept):
    """Ask a counsellor for the PIN, or for the code that was texted, before the presence is set."""

    kind: Literal["duty_proof"] = "duty_proof"
    state: DutyChoice
    attempt: int
    texted: bool = False


@_answer
class DutyPin(Kept):
    """Ask a counsellor who had a single-use code to choose a PIN; its second entry is `again`."""

    kind: Literal["duty_pin"] = "duty_pin"
    state: DutyChoice
    attempt: int
    again: bool = False
    refused: bool = False


@_answer
class DutyRefused(Kept):
    """Say that nothing was proven, and go on as with a caller.

    `only_a_pin`: no code counts by phone, and there is no PIN that does.
    """

    kind: Literal["duty_refused"] = "duty_refused"
    only_a_pin: bool = False


@_answer
class DutySet(Kept):
    """Say which presence was set, and hang up."""

    kind: Literal["duty_set"] = "duty_set"
    state: DutyChoice


# -- the end -------------------------------------------------------------------------------------


@_answer
class Taken(Kept):
    """Say that the call has been taken already, and hang up."""

    kind: Literal["taken"] = "taken"


@_answer
class Goodbye(Kept):
    """Hang up. Only after a counsellor has ended the talk, or on a blocked caller."""

    kind: Literal["goodbye"] = "goodbye"


@_answer
class Farewell(Kept):
    """End a call that has lasted longer than a caller can wait."""

    kind: Literal["farewell"] = "farewell"


@_answer
class HangUp(Kept):
    """Hang up without a word."""

    kind: Literal["hang_up"] = "hang_up"


@_answer
class Nothing(Kept):
    """Say nothing: the leg is over, or goes on by itself."""

    kind: Literal["nothing"] = "nothing"


Answer = (
    Menu
    | Enqueue
    | Wait
    | Leave
    | GoBack
    | Message
    | AskCallback
    | Blocked
    | Partner
    | PartnerAsk
    | Join
    | Dial
    | AskByKey
    | QuestionOver
    | Hold
    | Silence
    | Whisper
    | JoinCounsellor
    | RingsAgain
    | DialCallback
    | AskParticipant
    | JoinParticipant
    | DutyMenu
    | DutyPin
    | DutyProof
    | DutyRefused
    | DutySet
    | Taken
    | Goodbye
    | Farewell
    | HangUp
    | Nothing
)
_ANY: TypeAdapter[Any] = TypeAdapter(Annotated[Answer, Field(discriminator="kind")])


def kind_of(answer: type[Kept]) -> str:
    """Return the stable code of a kind of answer, under which it is stored."""
    return str(next(field.default for field in fields(answer) if field.name == "kind"))  # type: ignore[arg-type]


def read_answer(stored: dict[str, Any]) -> Answer:
    """Return the answer that was kept with an event. Raises ValueError if it is none."""
    found: Answer = _ANY.validate_json(json.dumps(stored))
    return found
