"""The keys of the prompts, and the placeholders that each text may use. Pure."""

from collections.abc import Mapping
from enum import StrEnum

# In letters, as a helpline or a translator writes it.
LONGEST_TEXT = 1500


class PromptKey(StrEnum):
    """What the program can say: every language has a text for each, except for the sounds."""

    GREETING = "greeting"
    CHOOSE_LANGUAGE = "choose_language"
    DANGER = "danger"
    WAIT_FIRST = "wait_first"
    PRIVACY = "privacy"
    WAIT_KEYS = "wait_keys"
    WAIT_NEXT = "wait_next"
    WAIT_PLACE = "wait_place"
    COMFORT = "comfort"
    LONG_WAIT = "long_wait"
    DANGER_HEARD = "danger_heard"
    DRAINING = "draining"
    FAREWELL = "farewell"
    OUT_OF_HOURS = "out_of_hours"
    OUT_OF_HOURS_UNKNOWN = "out_of_hours_unknown"
    NO_COUNSELLOR_ON_DUTY = "no_counsellor_on_duty"
    LEAVE_MESSAGE = "leave_message"
    MESSAGE_THANKS = "message_thanks"
    RETURNED = "returned"
    HOLD = "hold"
    LINE_LOST = "line_lost"
    GOODBYE = "goodbye"
    WHISPER = "whisper"
    WHISPER_DIALLED = "whisper_dialled"
    RINGS_AGAIN = "rings_again"
    RINGS_THEM = "rings_them"
    WHISPER_AGAIN = "whisper_again"
    TAKEN = "taken"
    TRANSFERRED = "transferred"
    ASK_COLLEAGUE = "ask_colleague"
    ASK_OUTSIDE = "ask_outside"
    BLOCKED = "blocked"
    PARTNER = "partner"
    PARTNER_ASK = "partner_ask"
    OFFER_CALLBACK = "offer_callback"
    CALLBACK_SAFE = "callback_safe"
    CALLBACK_WHO = "callback_who"
    CALLBACK_WHEN = "callback_when"
    CALLBACK_KEPT = "callback_kept"
    CALLBACK_NOT = "callback_not"
    ASK_FOR_LAST = "ask_for_last"
    WISH_KEPT = "wish_kept"
    DUTY_MENU = "duty_menu"
    DUTY_AVAILABLE = "duty_available"
    DUTY_BREAK = "duty_break"
    DUTY_OFF = "duty_off"
    DUTY_PIN = "duty_pin"
    DUTY_CODE = "duty_code"
    DUTY_WRONG = "duty_wrong"
    DUTY_REFUSED = "duty_refused"
    DUTY_PIN_NEW = "duty_pin_new"
    DUTY_PIN_AGAIN = "duty_pin_again"
    DUTY_PIN_REFUSED = "duty_pin_refused"
    WHISPER_PROOF = "whisper_proof"
    QUESTION_HEARD = "question_heard"
    ASK_ALONE = "ask_alone"
    ASK_SAFE = "ask_safe"
    ASK_HURT = "ask_hurt"
    ASK_SOMEONE_THERE = "ask_someone_there"
    ASK_HELP_COME = "ask_help_come"
    ASK_CALL_BACK = "ask_call_back"
    ASK_ABOUT = "ask_about"
    ASK_WHO = "ask_who"
    ALARM = "alarm"
    ALARM_NO_COUNSELLOR_SIGNED_IN = "alarm_no_counsellor_signed_in"
    ALARM_ALL_AWAY = "alarm_all_away"
    ALARM_LAST_ONE_MISSES = "alarm_last_one_misses"
    ALARM_LONG_WAIT = "alarm_long_wait"
    ALARM_MESSAGE_NOT_TAKEN = "alarm_message_not_taken"
    ALARM_CALLBACK_NOT_MADE = "alarm_callback_not_made"
    ALARM_DRAFT_NOT_SENT = "alarm_draft_not_sent"
    ALARM_OVERRIDE_NOT_SEEN = "alarm_override_not_seen"
    ALARM_DANGER_NOT_REFERRED = "alarm_danger_not_referred"
    ALARM_RISK_ROSE = "alarm_risk_rose"
    ALARM_DETAILS_NOT_OPENED = "alarm_details_not_opened"
    ALARM_WITHDRAWAL_UNDECIDED = "alarm_withdrawal_undecided"
    ALARM_DIALLING_HOUR = "alarm_dialling_hour"
    ALARM_DIALLING_DAY = "alarm_dialling_day"
    ALARM_TAKEN = "alarm_taken"
    ALARM_OVER = "alarm_over"
    ALARM_PROOF = "alarm_proof"
    ALARM_NOT_PROVEN = "alarm_not_proven"
    WAITING_SOUND = "waiting_sound"


PROMPT_KEYS: Mapping[PromptKey, frozenset[str]] = {
    **{key: frozenset[str]() for key in PromptKey},
    PromptKey.GREETING: frozenset({"line"}),
    PromptKey.CHOOSE_LANGUAGE: frozenset({"digit"}),
    PromptKey.DANGER: frozenset({"digit"}),
    PromptKey.WAIT_KEYS: frozenset({"danger", "message"}),
    PromptKey.WAIT_PLACE: frozenset({"ahead"}),
    PromptKey.LONG_WAIT: frozenset({"digit"}),
    PromptKey.DANGER_HEARD: frozenset({"emergency"}),
    PromptKey.OUT_OF_HOURS: frozenset({"resumes", "emergency"}),
    PromptKey.OUT_OF_HOURS_UNKNOWN: frozenset({"emergency"}),
    PromptKey.NO_COUNSELLOR_ON_DUTY: frozenset({"emergency"}),
    PromptKey.WHISPER: frozenset({"line", "digit"}),
    PromptKey.WHISPER_DIALLED: frozenset({"line", "digit"}),
    PromptKey.WHISPER_AGAIN: frozenset({"line", "digit"}),
    PromptKey.WHISPER_PROOF: frozenset({"line"}),
    PromptKey.ASK_COLLEAGUE: frozenset({"line", "digit"}),
    PromptKey.ASK_OUTSIDE: frozenset({"line", "digit"}),
    PromptKey.BLOCKED: frozenset({"digit", "emergency"}),
    PromptKey.PARTNER_ASK: frozenset({"line", "digit"}),
    PromptKey.OFFER_CALLBACK: frozenset({"digit"}),
    PromptKey.CALLBACK_KEPT: frozenset({"window"}),
    PromptKey.ASK_FOR_LAST: frozenset({"digit"}),
    PromptKey.DUTY_MENU: frozenset({"available", "break", "off", "line"}),
    PromptKey.ALARM: frozenset({"line", "reason", "digit"}),
}

# Keys of sounds without words: the shipped file is played unless the line has its own.
SOUNDS = frozenset({PromptKey.WAITING_SOUND})
