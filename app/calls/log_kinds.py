"""The kinds of rows in the log of a call that are not moves between its states.

The moves are `CallEvent`; a move that the states do not allow is its code with `_ignored`. They are
stored, and stay as they are: `current_kind` reads those of an earlier version, and `stored_kinds`
says by which kinds to look for them. What a reader sees is the words of the code, in the reader's
language.
"""

from enum import StrEnum
from typing import Literal, NewType

from app.calls.states import CallEvent, LegStatus, Unstaffed


class CallLog(StrEnum):
    """What happened to a call, or was learned of it, without moving it."""

    ANSWER_HEARD_OF_LATE = "answer_heard_of_late"
    ANSWERED_BY = "answered_by"
    ANSWERED_WITHOUT_COUNSELLOR = "answered_without_counsellor"
    ASKED_FOR_LAST = "asked_for_last"
    ASKED_THE_PROVIDER = "asked_the_provider"
    ASKS_FOR_CALLBACK = "asks_for_callback"
    BEGUN_AGAIN = "begun_again"
    BLOCKED = "blocked"
    BRIDGE = "bridge"
    CALL_FOR_HELP = "call_for_help"
    CALL_FOR_HELP_TAKEN = "call_for_help_taken"
    CALL_FOR_HELP_UNANSWERED = "call_for_help_unanswered"
    CALLBACK_AGREED = "callback_agreed"
    CALLBACK_ASKED = "callback_asked"
    CALLBACK_NOT_NEEDED = "callback_not_needed"
    CARRIED_ON = "carried_on"
    CHILD_BACK = "child_back"
    CHILD_NOT_HEARD = "child_not_heard"
    CODE_GIVEN = "code_given"
    CONVERSATION_OPENED = "conversation_opened"
    COUNSELLOR_BACK = "counsellor_back"
    COUNSELLOR_DROPPED_OUT = "counsellor_dropped_out"
    COUNSELLOR_HUNG_UP = "counsellor_hung_up"
    COUNSELLOR_LEFT = "counsellor_left"
    COUNSELLOR_LOST_AT_ONCE = "counsellor_lost_at_once"
    COUNSELLOR_REJOINS = "counsellor_rejoins"
    COUNSELLOR_RUNG_AGAIN = "counsellor_rung_again"
    DANGER = "danger"
    DIAL = "dial"
    DIALLED = "dialled"
    DUTY_NOT_SAID = "duty_not_said"
    DUTY_PIN_CHOSEN = "duty_pin_chosen"
    DUTY_PROOF_ASKED = "duty_proof_asked"
    DUTY_PROOF_WRONG = "duty_proof_wrong"
    DUTY_SAID = "duty_said"
    END_FOUND = "end_found"
    FALLBACK = "fallback"
    FOUND_AT_THE_PROVIDER = "found_at_the_provider"
    HANDED_OUTSIDE = "handed_outside"
    HANDED_OVER = "handed_over"
    HOLD = "hold"
    HOLD_FAILED = "hold_failed"
    KEY_ASKED_FOR = "key_asked_for"
    LEFT_CONFERENCE = "left_conference"
    LEFT_TYPING = "left_typing"
    MACHINE_ANSWERED = "machine_answered"
    MENU_ASKED_AGAIN = "menu_asked_again"
    MENU_NOT_UNDERSTOOD = "menu_not_understood"
    MESSAGE_ABSENT = "message_absent"
    MESSAGE_IMPORTED = "message_imported"
    MESSAGE_LEFT = "message_left"
    MESSAGE_WRITTEN = "message_written"
    MUTE_FAILED = "mute_failed"
    MUTED = "muted"
    NUMBER_GIVEN = "number_given"
    OFFER_ACCEPTED = "offer_accepted"
    OPENED = "opened"
    OUTCOME_RESTATED = "outcome_restated"
    PARTNER_ASKED = "partner_asked"
    PARTNER_RUNG = "partner_rung"
    PARTNER_TOOK = "partner_took"
    PARTICIPANT_ASKED = "participant_asked"
    PARTICIPANT_FAILED = "participant_failed"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_KEY_ASKED_FOR = "participant_key_asked_for"
    PARTICIPANT_LEFT = "participant_left"
    PARTICIPANT_LEFT_CONFERENCE = "participant_left_conference"
    PARTICIPANT_MODE = "participant_mode"
    QUESTION_ANSWERED = "question_answered"
    QUESTION_ASKED = "question_asked"
    QUESTION_OVER = "question_over"
    QUESTION_SPOKEN = "question_spoken"
    QUEUE_LEFT = "queue_left"
    RANG_BACK = "rang_back"
    RECORDING = "recording"
    RESUME = "resume"
    RETURNED = "returned"
    ROOM_LEFT = "room_left"
    STATUS = "status"
    TALK_CARRIED_OVER = "talk_carried_over"
    TALK_FOUND = "talk_found"
    TELEPHONE_RUNG_INSTEAD = "telephone_rung_instead"
    UNMUTED = "unmuted"
    UNSTAFFED = "unstaffed"
    WAIT = "wait"
    WAITS_ON = "waits_on"
    WHISPER = "whisper"


class ConferenceEvent(StrEnum):
    """What the telephony provider reports of a conference, by its own names."""

    CONFERENCE_START = "conference-start"
    CONFERENCE_END = "conference-end"
    JOIN = "participant-join"
    LEAVE = "participant-leave"
    MUTE = "participant-mute"
    UNMUTE = "participant-unmute"
    HOLD = "participant-hold"
    UNHOLD = "participant-unhold"
    MODIFY = "participant-modify"
    SPEECH_START = "participant-speech-start"
    SPEECH_STOP = "participant-speech-stop"
    ANNOUNCEMENT_END = "announcement-end"
    ANNOUNCEMENT_FAIL = "announcement-fail"
    # Whatever else it may report.
    OTHER = "conference-event"

    @classmethod
    def read(cls, said: str) -> "ConferenceEvent":
        """Return the event of a name that the provider said."""
        return cls(said) if said in set(cls) else cls.OTHER


# Rows are chained and stay as an earlier version wrote them; they are read by the kind of today.
_OF_EARLIER_VERSIONS = {
    "panic": CallLog.CALL_FOR_HELP,
    "panic_taken": CallLog.CALL_FOR_HELP_TAKEN,
    "panic_unanswered": CallLog.CALL_FOR_HELP_UNANSWERED,
}


def current_kind(stored: str) -> str:
    """Return the kind by which a stored row is read today."""
    return _OF_EARLIER_VERSIONS.get(stored, stored)


def stored_kinds(*kinds: CallLog) -> list[str]:
    """Return by which kinds the rows of these are stored: those of an earlier version, too."""
    earlier = [stored for stored, kind in _OF_EARLIER_VERSIONS.items() if kind in kinds]
    return [*kinds, *earlier]


# A kind that is made of another code: see `ignored` and `kind_of_status`.
MadeKind = NewType("MadeKind", str)
AnyKind = CallLog | CallEvent | ConferenceEvent | MadeKind


def ignored(event: CallEvent) -> MadeKind:
    """Return the kind of a move that the states did not allow: `offer_ignored`."""
    return MadeKind(f"{event.value}_ignored")


def kind_of_status(status: LegStatus, leg: Literal["leg", "caller"]) -> MadeKind:
    """Return the kind of a status that a counsellor's leg, or the one to a caller, has reached."""
    return MadeKind(f"{leg}_{status.value}")


# By these it is known who is in a conference.
IN_AND_OUT = (ConferenceEvent.JOIN, ConferenceEvent.LEAVE)


class Cause(StrEnum):
    """Why a call, an offer, a participant or a counsellor's presence changed.

    If a leg is the cause, see `of_leg`.
    """

    ACCEPTED = "accepted"
    ACCOUNT_CHANGED = "account_changed"
    ANSWER_HEARD_LATE = "answer_heard_late"
    BEGUN_AGAIN = "begun_again"
    BROWSER_NOT_HEARD = "browser_not_heard"
    CALL_ENDED = "call_ended"
    CALLBACK_AGREED = "callback_agreed"
    CALLER_GONE = "caller_gone"
    CONFERENCE_ENDED = "conference_ended"
    CONNECTION_LOST = "connection_lost"
    COULD_NOT_BE_RUNG = "could_not_be_rung"
    DECLINED = "declined"
    DROPPED = "dropped"
    FOUND_ALONE = "found_alone"
    HANDED_OUTSIDE = "handed_outside"
    HANDED_OVER = "handed_over"
    HELPED = "helped"
    HELPS = "helps"
    LEFT = "left"
    LEFT_CONFERENCE = "left_conference"
    LINE_LOST = "line_lost"
    MESSAGE_FETCHED = "message_fetched"
    MESSAGE_HEARD_LATE = "message_heard_late"
    MISSED = "missed"
    MISSED_AN_OFFER = "missed_an_offer"
    MISSED_AS_LAST_ON_DUTY = "missed_as_last_on_duty"
    MISSED_IN_BROWSER_AND_AT_TELEPHONE = "missed_in_browser_and_at_telephone"
    NO_CALL_HELD = "no_call_held"
    NO_KEY_PRESSED = "no_key_pressed"
    NOT_CONNECTED_IN_TIME = "not_connected_in_time"
    NOT_TAKEN_IN_TIME = "not_taken_in_time"
    NOT_ANSWERED_IN_BROWSER = "not_answered_in_browser"
    OFFER = "offer"
    OTHER_SIDE_LEFT = "other_side_left"
    OTHERS_LEFT = "others_left"
    OWN_CHOICE = "own_choice"
    PAGE_LOADED_AGAIN = "page_loaded_again"
    PARTNER_TOOK_IT = "partner_took_it"
    PARTNERS_TURN = "partner"
    PHONE_NOT_REACHED = "phone_not_reached"
    RING_HEARD_LATE = "ring_heard_late"
    SUPERVISOR_CHOICE = "supervisor_choice"
    TAKEN_BY_ANOTHER = "taken_by_another"
    TAKEN_AT_TELEPHONE = "taken_at_telephone"
    TALK_OVER = "talk_over"
    TALK_TAKEN_OVER = "talk_taken_over"
    TELEPHONE_RINGS_INSTEAD = "telephone_rings_instead"
    TOOK_OVER = "took_over"
    TRANSFERRED_TO_COLLEAGUE = "transferred_to_colleague"
    TRANSFERRED_TO_SKILL = "transferred_to_skill"
    WANTS_TO_SPEAK = "wants_to_speak"
    WRAP_UP_OVER = "wrap_up_over"


# The status of a leg, if that is why: see `of_leg`.
LegCause = NewType("LegCause", str)
AnyCause = Cause | LegCause
# Why a caller leaves the queue without a counsellor.
LeavesBecause = Cause | Unstaffed


def of_leg(status: LegStatus, leg: Literal["leg", "rung_again_leg", "dialled"] = "leg") -> LegCause:
    """Return the status of a leg as a cause: `leg_completed`.

    `rung_again_leg`: by which a counsellor whose line was lost was to come back. `dialled`: that of
    the caller's own dial.
    """
    return LegCause(f"{leg}_{status.value}")
