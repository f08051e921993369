"""The JSON views of calls and presence. None of them contains a phone number."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.calls.asked import QUESTIONS
from app.calls.models import Call, CallQuestion, RecordedEvent
from app.referrals.replies.in_talk import DutyInTalk
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.routing.supervision.supervised import Talk


class Credentials(BaseModel):
    username: str
    password: str
    code: str | None = None
    # What the browser's passkey answered to the challenge of `POST /session/passkey`.
    passkey: dict[str, Any] | None = None


class PresenceChoice(BaseModel):
    state: str


class PresenceView(BaseModel):
    state: str
    since: datetime
    until: datetime | None
    after_call: str | None
    cause: str
    on_shift: bool
    shift_ends_at: datetime | None


class Me(BaseModel):
    id: UUID
    name: str
    role: str
    endpoint: str
    languages: list[str]
    permissions: list[str]
    presence: PresenceView | None


class Waiting(BaseModel):
    id: UUID
    line: str
    language: str
    priority: int
    waiting_seconds: int
    danger: bool
    returned: bool
    being_offered: bool
    channel: str = "voice"
    # Words of a child who writes speak of danger: a suggestion. Which words is told to who may read
    # what children leave, and is empty for others.
    alarming: bool = False
    danger_words: str = ""


class OfferView(BaseModel):
    id: UUID
    call_id: UUID
    state: str
    channel: str = "voice"
    # The place of a written conversation among those that the counsellor has at once.
    slot: int | None = None
    line: str
    language: str
    danger: bool
    # Words of a child who writes speak of danger, and which: a suggestion.
    alarming: bool = False
    danger_words: str = ""
    returned: bool
    waiting_seconds: int
    seconds_left: int
    endpoint: str


class CallView(BaseModel):
    id: UUID
    channel: str
    line: str | None
    state: str
    outcome: str | None
    language: str | None
    danger: bool
    caller: str
    opened_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    on_hold: bool
    returned: int
    wait_seconds: int | None
    talk_seconds: int | None


class CallPage(BaseModel):
    calls: list[CallView]
    next_cursor: str | None


class EventView(BaseModel):
    id: int
    kind: str
    source: str
    at: datetime
    detail: dict[str, Any]


def call_view(call: Call, line: str | None) -> CallView:
    """Return a call without the caller's identity: only whether the number was shown."""
    return CallView(
        id=call.id,
        channel=call.channel,
        line=line,
        state=call.state,
        outcome=call.outcome,
        language=call.language,
        danger=call.danger,
        caller=call.caller_kind,
        opened_at=call.opened_at,
        queued_at=call.queued_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        ended_by=call.ended_by,
        on_hold=call.held_at is not None,
        returned=call.returned,
        wait_seconds=_seconds(call.queued_at, call.answered_at or call.ended_at),
        talk_seconds=_seconds(call.answered_at, call.ended_at),
    )


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    return round((end - start).total_seconds()) if start and end else None


def event_view(event: RecordedEvent, detail: dict[str, Any]) -> EventView:
    """Return an event with those of its details that its reader may see."""
    return EventView(
        id=event.id,
        kind=event.current_kind,
        source=event.source,
        at=event.at,
        detail=detail,
    )


class ParticipantView(BaseModel):
    """Another participant in a talk, never with a phone number."""

    id: UUID
    purpose: str
    mode: str
    state: str
    who: str


def participant_view(participant: Participant, names: dict[UUID, str]) -> ParticipantView:
    who = (
        names.get(participant.staff_id, "") if participant.staff_id else participant.role or "other"
    )
    return ParticipantView(
        id=participant.id,
        purpose=participant.purpose,
        mode=participant.mode,
        state=participant.state,
        who=who,
    )


def duty_view(one: DutyInTalk) -> ParticipantView:
    return ParticipantView(
        id=one.id, purpose=one.purpose, mode=one.mode, state=one.state, who=one.agency
    )


class TalkView(BaseModel):
    """A live talk, as supervisors see it."""

    call_id: UUID
    channel: str
    line: str
    counsellor: str
    training: bool
    practice: bool
    danger: bool
    held: bool
    calls_for_help: bool
    seconds: int


def talk_view(talk: Talk, now: datetime) -> TalkView:
    since = talk.since or now
    return TalkView(
        call_id=talk.call.id,
        channel=talk.call.channel,
        line=talk.line,
        counsellor=talk.counsellor,
        training=talk.training,
        practice=talk.practice,
        danger=talk.call.danger,
        held=talk.call.held_at is not None,
        calls_for_help=talk.calls_for_help,
        seconds=max(0, int((now - since).total_seconds())),
    )


class QuestionView(BaseModel):
    """A question to a caller who cannot speak, and the key that they pressed, if any."""

    id: UUID
    question: str
    words: str
    state: str
    answer: str | None
    asked_at: datetime
    answered_at: datetime | None


def question_view(row: CallQuestion, answer: str | None = None) -> QuestionView:
    return QuestionView(
        id=row.id,
        question=row.code,
        words=QUESTIONS[row.code].words,
        state=row.state,
        answer=answer,
        asked_at=row.asked_at,
        answered_at=row.answered_at,
    )


class CallbackView(BaseModel):
    """An agreed call-back, never with a phone number."""

    id: UUID
    call_id: UUID
    line: str
    language: str
    who: str
    state: str
    attempts: int
    window_from: datetime
    window_until: datetime
    next_at: datetime
    waiting_seconds: int


def callback_view(row: Callback, line: str, now: datetime) -> CallbackView:
    return CallbackView(
        id=row.id,
        call_id=row.call_id,
        line=line,
        language=row.language,
        who=row.who,
        state=row.state,
        attempts=row.attempts,
        window_from=row.window_from,
        window_until=row.window_until,
        next_at=row.next_at,
        waiting_seconds=max(0, int((now - row.agreed_at).total_seconds())),
    )
