"""Values of the pages of lines: the way of a call, step by step, with what is heard at each."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from app.calls.asked import QUESTIONS
from app.calls.examples import example_values
from app.calls.key_questions import questions_of
from app.calls.lines.finding_lines import any_line
from app.calls.lines.lines import voice_of
from app.calls.prompts import Heard, Source
from app.calls.speech import LineScript, Spoken
from app.dashboard.settings.lines.line_chat_views import by_name
from app.errors import Invalid
from app.words import SOURCE
from app.words.keys import PROMPT_KEYS, PromptKey
from app.words.pages import N_, _, said
from app.work import Work

_K = PromptKey


class Step(NamedTuple):
    """A step on the way of a call, and the prompts that may be heard there."""

    words: str
    keys: tuple[PromptKey, ...]


# In the order in which a call meets them.
STEPS = (
    Step(
        N_("The call is answered"),
        (_K.GREETING, _K.DANGER, _K.CHOOSE_LANGUAGE, _K.ASK_FOR_LAST, _K.WISH_KEPT, _K.BLOCKED),
    ),
    Step(
        N_("The caller waits"),
        (
            _K.WAIT_FIRST,
            _K.PRIVACY,
            _K.WAIT_KEYS,
            _K.WAITING_SOUND,
            _K.WAIT_NEXT,
            _K.WAIT_PLACE,
            _K.COMFORT,
            _K.LONG_WAIT,
            _K.DANGER_HEARD,
            _K.DRAINING,
            _K.PARTNER,
            _K.FAREWELL,
        ),
    ),
    Step(
        N_("No counsellor is there"),
        (
            _K.OUT_OF_HOURS,
            _K.OUT_OF_HOURS_UNKNOWN,
            _K.NO_COUNSELLOR_ON_DUTY,
            _K.LEAVE_MESSAGE,
            _K.MESSAGE_THANKS,
        ),
    ),
    Step(
        N_("The caller asks to be called back"),
        (
            _K.OFFER_CALLBACK,
            _K.CALLBACK_SAFE,
            _K.CALLBACK_WHO,
            _K.CALLBACK_WHEN,
            _K.CALLBACK_KEPT,
            _K.CALLBACK_NOT,
        ),
    ),
    Step(
        N_("In a talk"),
        (_K.HOLD, _K.LINE_LOST, _K.RETURNED, _K.TRANSFERRED, _K.GOODBYE),
    ),
    Step(
        N_("Questions to a caller who cannot speak"),
        (
            _K.ASK_ALONE,
            _K.ASK_SAFE,
            _K.ASK_HURT,
            _K.ASK_SOMEONE_THERE,
            _K.ASK_HELP_COME,
            _K.ASK_CALL_BACK,
            _K.ASK_ABOUT,
            _K.ASK_WHO,
            _K.QUESTION_HEARD,
        ),
    ),
    Step(
        N_("Phones of counsellors, colleagues and partners"),
        (
            _K.WHISPER,
            _K.WHISPER_DIALLED,
            _K.WHISPER_AGAIN,
            _K.RINGS_AGAIN,
            _K.RINGS_THEM,
            _K.TAKEN,
            _K.ASK_COLLEAGUE,
            _K.ASK_OUTSIDE,
            _K.PARTNER_ASK,
            _K.DUTY_MENU,
            _K.DUTY_AVAILABLE,
            _K.DUTY_BREAK,
            _K.DUTY_OFF,
            _K.DUTY_PIN,
            _K.DUTY_CODE,
            _K.DUTY_WRONG,
            _K.DUTY_REFUSED,
            _K.DUTY_PIN_NEW,
            _K.DUTY_PIN_AGAIN,
            _K.DUTY_PIN_REFUSED,
            _K.WHISPER_PROOF,
        ),
    ),
    Step(
        N_("Alarms by phone"),
        tuple(key for key in PROMPT_KEYS if key.value.startswith("alarm")),
    ),
)

SOURCES = {
    Source.LINE: N_("changed for this line"),
    Source.EVERY_LINE: N_("changed for every line"),
    Source.PROGRAM: N_("comes with the program"),
}

# What each prompt is for, as the page calls it.
NAMES: Mapping[PromptKey, str] = {
    _K.GREETING: N_("Greeting"),
    _K.DANGER: N_("Danger key"),
    _K.CHOOSE_LANGUAGE: N_("Choice of language"),
    _K.ASK_FOR_LAST: N_("Wait for the last counsellor?"),
    _K.WISH_KEPT: N_("The wish is noted"),
    _K.BLOCKED: N_("To a blocked caller"),
    _K.WAIT_FIRST: N_("First words while waiting"),
    _K.PRIVACY: N_("What stays between us"),
    _K.WAIT_KEYS: N_("Keys while waiting"),
    _K.WAITING_SOUND: N_("Sound while waiting"),
    _K.WAIT_NEXT: N_("You are next"),
    _K.WAIT_PLACE: N_("Place in the queue"),
    _K.COMFORT: N_("Comfort after a while"),
    _K.LONG_WAIT: N_("After a long wait"),
    _K.DANGER_HEARD: N_("After the danger key"),
    _K.DRAINING: N_("The shift is ending"),
    _K.PARTNER: N_("Another service is tried"),
    _K.FAREWELL: N_("After the longest call"),
    _K.OUT_OF_HOURS: N_("Closed, opens again"),
    _K.OUT_OF_HOURS_UNKNOWN: N_("Closed, no time known"),
    _K.NO_COUNSELLOR_ON_DUTY: N_("Open, but no counsellor"),
    _K.LEAVE_MESSAGE: N_("Leave a message"),
    _K.MESSAGE_THANKS: N_("Thanks for the message"),
    _K.OFFER_CALLBACK: N_("Offer of a call-back"),
    _K.CALLBACK_SAFE: N_("Is it safe to ring?"),
    _K.CALLBACK_WHO: N_("Who may answer?"),
    _K.CALLBACK_WHEN: N_("When?"),
    _K.CALLBACK_KEPT: N_("The call-back is agreed"),
    _K.CALLBACK_NOT: N_("No call-back"),
    _K.HOLD: N_("On hold"),
    _K.LINE_LOST: N_("The counsellor's line is bad"),
    _K.RETURNED: N_("The talk was cut off"),
    _K.TRANSFERRED: N_("On to another counsellor"),
    _K.GOODBYE: N_("Goodbye"),
    _K.ASK_ALONE: N_("Can you talk now?"),
    _K.ASK_SAFE: N_("Are you safe?"),
    _K.ASK_HURT: N_("Are you hurt?"),
    _K.ASK_SOMEONE_THERE: N_("Is the person near?"),
    _K.ASK_HELP_COME: N_("Shall help come?"),
    _K.ASK_CALL_BACK: N_("Shall we ring later?"),
    _K.ASK_ABOUT: N_("What is it about?"),
    _K.ASK_WHO: N_("Who is it about?"),
    _K.QUESTION_HEARD: N_("The answer was heard"),
    _K.WHISPER: N_("A call for a counsellor's phone"),
    _K.WHISPER_DIALLED: N_("The same, rung directly"),
    _K.WHISPER_AGAIN: N_("The same, rung again"),
    _K.RINGS_AGAIN: N_("We ring you again"),
    _K.RINGS_THEM: N_("Now the caller is rung"),
    _K.TAKEN: N_("Another has taken it"),
    _K.ASK_COLLEAGUE: N_("A colleague is asked into a talk"),
    _K.ASK_OUTSIDE: N_("A number outside is asked in"),
    _K.PARTNER_ASK: N_("A partner is asked"),
    _K.DUTY_MENU: N_("Duty by phone: the menu"),
    _K.DUTY_AVAILABLE: N_("Duty by phone: available"),
    _K.DUTY_BREAK: N_("Duty by phone: on a break"),
    _K.DUTY_OFF: N_("Duty by phone: off duty"),
    _K.DUTY_PIN: N_("Duty by phone: the PIN is asked for"),
    _K.DUTY_CODE: N_("Duty by phone: a code is texted"),
    _K.DUTY_WRONG: N_("Duty by phone: a wrong entry"),
    _K.DUTY_REFUSED: N_("Duty by phone: not changed"),
    _K.DUTY_PIN_NEW: N_("Duty by phone: a PIN is chosen"),
    _K.DUTY_PIN_AGAIN: N_("Duty by phone: the PIN again"),
    _K.DUTY_PIN_REFUSED: N_("Duty by phone: a PIN that cannot be used"),
    _K.WHISPER_PROOF: N_("A call rings at a phone that is not proven yet"),
    _K.ALARM: N_("An alarm"),
    _K.ALARM_NO_COUNSELLOR_SIGNED_IN: N_("No counsellor is signed in"),
    _K.ALARM_ALL_AWAY: N_("All counsellors are away"),
    _K.ALARM_LAST_ONE_MISSES: N_("The last counsellor misses calls"),
    _K.ALARM_LONG_WAIT: N_("A caller waits long"),
    _K.ALARM_MESSAGE_NOT_TAKEN: N_("A message waits long"),
    _K.ALARM_CALLBACK_NOT_MADE: N_("A call-back is overdue"),
    _K.ALARM_DRAFT_NOT_SENT: N_("A draft was not sent"),
    _K.ALARM_OVERRIDE_NOT_SEEN: N_("An override was not seen"),
    _K.ALARM_DANGER_NOT_REFERRED: N_("Danger was not referred"),
    _K.ALARM_RISK_ROSE: N_("A risk rose"),
    _K.ALARM_DETAILS_NOT_OPENED: N_("Details were not opened"),
    _K.ALARM_WITHDRAWAL_UNDECIDED: N_("A withdrawal is undecided"),
    _K.ALARM_DIALLING_HOUR: N_("Much is dialled within an hour"),
    _K.ALARM_DIALLING_DAY: N_("Much is dialled within a day"),
    _K.ALARM_TAKEN: N_("The alarm is taken"),
    _K.ALARM_OVER: N_("The alarm is over"),
    _K.ALARM_PROOF: N_("The phone is not proven"),
    _K.ALARM_NOT_PROVEN: N_("The PIN was wrong"),
}

PLAN_NUMBERS = (
    "backup_after",
    "supervisor_after",
    "on_call_after",
    "any_skill_after",
    "preferred_for",
    "partner_after",
    "ring_at_once",
    "priority",
    "longest_wait",
    "message_wait",
    "callback_wait",
    "night_from",
    "night_until",
)


def on_the_way(language: str) -> Spoken:
    """Return a language that a line does not speak yet, to write and record its prompts."""
    locale, voice = voice_of(language) or (language, None)
    return Spoken(language, "", locale, voice)


async def example_line(work: Work) -> LineScript:
    """Return the line whose name stands in the examples of every line; one in words if there is
    none yet."""
    return await any_line(work) or LineScript(
        id=UUID(int=0),
        number="",
        name=_("(the name of the line)"),
        country="",
        timezone="UTC",
        danger_digit="9",
        languages=(on_the_way(SOURCE),),
        prompts={},
    )


class PromptPart(NamedTuple):
    """A prompt on the page. `example` is what is heard, with examples for what changes."""

    heard: Heard
    name: str
    example: str
    fields: tuple[str, ...]


def part_of(line: LineScript, language: str, heard: Heard) -> PromptPart:
    """Return a prompt as the page shows it."""
    example = ""
    if heard.text is not None:
        example = heard.text.format(**example_values(line, language, heard.key))
    return PromptPart(heard, said(NAMES[heard.key]), example, tuple(sorted(PROMPT_KEYS[heard.key])))


def parts_of(line: LineScript, language: str, heard: list[Heard]) -> dict[PromptKey, PromptPart]:
    """Return the prompts as the page shows them, by their keys."""
    return {one.key: part_of(line, language, one) for one in heard}


def flow_of(parts: Mapping[PromptKey, PromptPart]) -> list[tuple[str, list[PromptPart]]]:
    """Return the steps of a call with what is heard at each."""
    return [(said(step.words), [parts[key] for key in step.keys]) for step in STEPS]


class KeyQuestion(NamedTuple):
    """A question by key on the page of a line; `place` is empty if the line does not ask it."""

    code: str
    words: str
    prompt: str
    place: str
    # The answers that mean danger now.
    danger: list[str]


def key_questions(line: LineScript) -> list[KeyQuestion]:
    """Return all questions by key, those that the line asks first and in its order."""
    asked = questions_of(line)
    return [
        KeyQuestion(
            code,
            said(QUESTIONS[code].words),
            QUESTIONS[code].prompt.value,
            str(asked.index(code) + 1) if code in asked else "",
            sorted(QUESTIONS[code].danger),
        )
        for code in (*asked, *(one for one in QUESTIONS if one not in asked))
    ]


def questions_in_order(sent: Mapping[str, str]) -> list[str]:
    """Return the codes of a form by their places; without a place one is not asked.

    Questions with the same place stand in the order of the form. Raises Invalid.
    """
    places = by_name(sent, "place.")
    if not all(place.isdecimal() and len(place) <= 2 for place in places.values()):
        raise Invalid("Give the place of each question as a number, or none.")
    return sorted(places, key=lambda code: int(places[code]))
