"""The states of a call as a table, and how its outcome follows from the facts. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.outbox.states import Sending


class CallState(StrEnum):
    GREETING = "greeting"  # hears our voice: the menu, or the voice-message prompt
    QUEUED = "queued"  # waits for a counsellor
    OFFERED = "offered"  # a counsellor is being rung, or is on the way in
    CONNECTED = "connected"  # talks with a counsellor
    ENDED = "ended"


class Channel(StrEnum):
    """The way in which a child and the helpline hear each other."""

    VOICE = "voice"
    WEB = "web"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    VIBER = "viber"
    SIGNAL = "signal"

    @property
    def is_written(self) -> bool:
        return self is not Channel.VOICE

    @property
    def is_carried(self) -> bool:
        """Whether a carrier outside brings the messages: there is no page of ours to look at."""
        return self not in (Channel.VOICE, Channel.WEB)

    @property
    def is_by_provider(self) -> bool:
        """Whether the telephony provider brings the messages, and has copies of them."""
        return self in (Channel.SMS, Channel.WHATSAPP)


WRITTEN = tuple(channel for channel in Channel if channel.is_written)
BY_PROVIDER = tuple(channel for channel in Channel if channel.is_by_provider)
CARRIED = tuple(channel for channel in Channel if channel.is_carried)


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"  # a call-back


class EndedBy(StrEnum):
    CALLER = "caller"
    COUNSELLOR = "counsellor"
    PROGRAM = "program"
    PROVIDER = "provider"
    AWAY = "away"  # the page of a child who writes was not heard for too long


class MessageState(StrEnum):
    """How far a voice message is: recorded at the provider, fetched from there, or absent."""

    RECORDED = "recorded"
    IMPORTED = "imported"
    ABSENT = "absent"


class QuestionState(StrEnum):
    """How far a question to a caller who cannot speak is."""

    ASKED = "asked"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


class CallEvent(StrEnum):
    ENTER_QUEUE = "enter_queue"
    LEAVE_QUEUE = "leave_queue"  # to leave a voice message
    OFFER = "offer"
    OFFER_ENDED = "offer_ended"  # declined, missed or failed; the caller keeps waiting
    CONNECT = "connect"
    COUNSELLOR_LOST = "counsellor_lost"
    END = "end"


S, E = CallState, CallEvent
TRANSITIONS: dict[tuple[CallState, CallEvent], CallState] = {
    (S.GREETING, E.ENTER_QUEUE): S.QUEUED,
    (S.QUEUED, E.LEAVE_QUEUE): S.GREETING,
    (S.QUEUED, E.OFFER): S.OFFERED,
    # A child in danger is offered to several counsellors at once.
    (S.OFFERED, E.OFFER): S.OFFERED,
    (S.OFFERED, E.OFFER_ENDED): S.QUEUED,
    (S.OFFERED, E.CONNECT): S.CONNECTED,
    (S.OFFERED, E.COUNSELLOR_LOST): S.QUEUED,
    (S.CONNECTED, E.COUNSELLOR_LOST): S.QUEUED,
    (S.GREETING, E.END): S.ENDED,
    (S.QUEUED, E.END): S.ENDED,
    (S.OFFERED, E.END): S.ENDED,
    (S.CONNECTED, E.END): S.ENDED,
}


class Outcome(StrEnum):
    ANSWERED = "answered"
    ABANDONED_IN_GREETING = "abandoned_in_greeting"
    SHORT_ABANDON = "short_abandon"
    ABANDONED_IN_QUEUE = "abandoned_in_queue"
    VOICEMAIL = "voicemail"
    CALLBACK_REQUESTED = "callback_requested"
    TRANSFERRED_OUT = "transferred_out"
    NO_COUNSELLOR_ON_DUTY = "no_counsellor_on_duty"
    OUT_OF_HOURS = "out_of_hours"
    BLOCKED = "blocked"
    FAILED = "failed"
    LOST = "lost"
    UNREACHABLE = "unreachable"  # rang while we could not answer; found afterwards


class Unstaffed(StrEnum):
    """Why no counsellor could take the call."""

    OUT_OF_HOURS = "out_of_hours"  # no counsellor is on shift for this line and language
    NO_COUNSELLOR_ON_DUTY = "no_counsellor_on_duty"  # counsellors are on shift, none signed in


@dataclass(frozen=True)
class CallFacts:
    """What is known about a call when its outcome is decided."""

    greeted: bool  # the voice webhook reached us
    queued_at: datetime | None  # first arrival in the queue
    answered_at: datetime | None  # both were in the conference
    ended_at: datetime
    unstaffed: Unstaffed | None
    has_message: bool
    lost: bool  # the provider itself could not tell
    blocked: bool = False  # the caller's number is blocked, and they were told
    asked_back: bool = False  # the caller wants to be called back
    outbound: bool = False  # we made the call
    transferred_out: bool = False  # a partner took the call
    refused: bool = False  # the provider itself ended it as failed or busy


def outcome_of(facts: CallFacts, *, short_abandon: timedelta) -> Outcome:
    """Return the one outcome of an ended call; the order of the checks is the rule.

    A talk takes precedence over everything, and a message over the reason for leaving it. A
    caller who was told that no counsellor is on duty did not abandon us: we were not there.
    """
    if facts.answered_at is not None:
        return Outcome.ANSWERED
    if facts.transferred_out:
        return Outcome.TRANSFERRED_OUT
    if facts.outbound:
        return Outcome.FAILED
    if facts.has_message:
        return Outcome.VOICEMAIL
    if facts.asked_back:
        return Outcome.CALLBACK_REQUESTED
    if facts.lost:
        return Outcome.LOST
    if facts.blocked and facts.queued_at is None:
        return Outcome.BLOCKED
    if facts.unstaffed is not None:
        return Outcome(facts.unstaffed.value)
    if facts.queued_at is not None:
        waited = facts.ended_at - facts.queued_at
        return Outcome.SHORT_ABANDON if waited < short_abandon else Outcome.ABANDONED_IN_QUEUE
    if facts.greeted:
        return Outcome.ABANDONED_IN_GREETING
    return Outcome.FAILED if facts.refused else Outcome.UNREACHABLE


# The phone is not rung yet, as far as we know.
NOT_RUNG = (Sending.WANTED, Sending.SENDING)


class LegStatus(StrEnum):
    """A leg's status in the provider's words."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


_RANK = {
    LegStatus.QUEUED: 0,
    LegStatus.INITIATED: 1,
    LegStatus.RINGING: 2,
    LegStatus.IN_PROGRESS: 3,
}
_TERMINAL_RANK = 4


def read_leg_status(raw: str | None) -> LegStatus | None:
    """Return the provider's status, or None for a word that we do not know."""
    word = "in-progress" if raw == "answered" else raw or ""
    return LegStatus(word) if word in set(LegStatus) else None


def is_over(status: LegStatus | str) -> bool:
    """Return whether a leg with this status has ended."""
    return _RANK.get(LegStatus(status), _TERMINAL_RANK) == _TERMINAL_RANK


def supersedes(new: LegStatus, known: LegStatus | None) -> bool:
    """Return whether a status moves a leg on; a late or repeated one never moves it back."""
    if known is None:
        return True
    if is_over(known):
        return False
    return _RANK.get(new, _TERMINAL_RANK) > _RANK[known]
