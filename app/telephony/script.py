"""What the caller hears, and what happens next. Pure.

An *answer* is the decision that a webhook made: a small dict that is kept with
its event, so that a repeat of the webhook is answered from the same decision.
`steps_for` turns an answer into steps, and the steps become a document.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from app.calls.speech import LineScript, Spoken
from app.telephony.urls import call_path, offer_path, party_path

Answer = dict[str, Any]

TAKE_DIGIT = "1"
MESSAGE_DIGIT = "1"
# While waiting: for the counsellor of the last time.
LAST_DIGIT = "2"
CALLBACK_DIGIT = "3"
# For counsellors who ring their own line.
DUTY_DIGITS = {"1": "available", "2": "break", "3": "off_duty"}
# A menu is asked so often before the line's first language is taken.
MENU_ATTEMPTS = 3
WAITING_ROOM = "waiting"
LONGEST_MESSAGE = 180
# A counsellor's phone that the caller's own leg dials rings for so many seconds: a mailbox takes
# longer to pick up.
DIALLED_RINGS = 15
# And that of somebody whom we call back, as long as anybody's.
RINGS_BACK = 30

# For the minutes when not even the database can be asked which language to speak.
TROUBLE = (
    ("en-GB", None, "Please stay on the line. We will be with you in a moment."),
    ("sr-RS", "Google.sr-RS-Standard-A", "Ostani na vezi. Javljamo se za koji trenutak."),
)
TROUBLE_PAUSE = 4


@dataclass(frozen=True)
class Say:
    text: str
    locale: str
    voice: str | None = None


@dataclass(frozen=True)
class PlayFile:
    recording: UUID


@dataclass(frozen=True)
class Pause:
    seconds: int


@dataclass(frozen=True)
class Ask:
    """Say something and wait for one digit; silence goes there too."""

    spoken: list["Say | PlayFile | Pause"]
    then: str
    seconds: int = 6
    silence_too: bool = True


@dataclass(frozen=True)
class GoTo:
    path: str


@dataclass(frozen=True)
class Wait:
    """Into the waiting room."""

    hears: str
    then: str


@dataclass(frozen=True)
class Leave:
    """Out of the waiting room, on to what `Wait.then` says: `then`, for who has no such room."""

    then: str


@dataclass(frozen=True)
class HangUp:
    pass


@dataclass(frozen=True)
class RecordMessage:
    then: str
    told: str


@dataclass(frozen=True)
class Join:
    """Into a conference: that of the offer by which the talk began."""

    offer_id: UUID
    label: str
    then: str
    ends_for_all: bool
    star_ends: bool
    muted: bool = False
    # The leg that alone hears them.
    coach: str | None = None


@dataclass(frozen=True)
class Ring:
    """Ring a number; whoever lifts it hears `screen` first, where the platform can do that."""

    number: str
    screen: str
    then: str
    shows: str
    seconds: int = 30


Step = Say | PlayFile | Pause | Ask | GoTo | Wait | Leave | HangUp | RecordMessage | Join | Ring


@dataclass(frozen=True)
class Scene:
    """Where an answer is spoken: the call, its line, the language, the offer if there is one."""

    line: LineScript
    call_id: UUID
    language: str | None
    now: datetime
    offer_id: UUID | None = None
    values: dict[str, str] = field(default_factory=dict)

    def where(self, **values: str) -> "Scene":
        """The same with values that stand in no log."""
        return replace(self, values={**self.values, **values})

    @property
    def speaker(self) -> Spoken:
        return self.line.spoken(self.language)

    def say(self, key: str, language: str | None = None, **values: object) -> list[Say | PlayFile]:
        """A prompt of the line with its values filled in; nothing where it has no text."""
        spoken = self.line.spoken(language) if language else self.speaker
        prompt = self.line.prompt(spoken.language, key)
        if (spoken.language, key) not in self.line.prompts:
            # English words, where a language has none, in an English voice.
            spoken = Spoken("en", spoken.digit, "en-GB", None)
        if prompt.recording is not None:
            return [PlayFile(prompt.recording)]
        if not prompt.text:
            return []
        known = {"line": self.line.name, "emergency": self.line.emergency, **values}
        return [Say(prompt.text.format(**known), spoken.locale, spoken.voice)]


def steps_for(answer: Answer, scene: Scene) -> list[Step]:
    """The steps of an answer."""
    return _KINDS[answer["kind"]](answer, scene)


def _menu(answer: Answer, scene: Scene) -> list[Step]:
    """Greeting, language menu, danger digit. Silence leads on like any digit."""
    line, attempt = scene.line, int(answer["attempt"])
    spoken: list[Say | PlayFile | Pause] = []
    for language in line.languages:
        if attempt == 0:
            spoken += scene.say("greeting", language.language)
        if len(line.languages) > 1:
            spoken += scene.say("choose_language", language.language, digit=language.digit)
    for language in line.languages:
        spoken += scene.say("danger", language.language, digit=line.danger_digit)
    then = call_path(scene.call_id, "menu", n=attempt + 1)
    return [Ask(spoken, then), GoTo(then)]


def _enqueue(answer: Answer, scene: Scene) -> list[Step]:
    entry = int(answer["entry"])
    said: list[Step] = list(scene.say("returned")) if answer.get("returned") else []
    if answer.get("transferred"):
        said = list(scene.say("transferred"))
    return [
        *said,
        Wait(
            hears=call_path(scene.call_id, "wait", n=f"{entry}.0"),
            then=call_path(scene.call_id, "queue-exit", n=entry),
        ),
    ]


def _wait(answer: Answer, scene: Scene) -> list[Step]:
    """Comfort and place; after long, the way out to a voice message."""
    entry, step = int(answer["entry"]), int(answer["step"])
    ahead = answer.get("ahead")
    spoken: list[Say | PlayFile | Pause] = []
    if step == 0:
        spoken += scene.say("wait_first")
    elif step % 3 == 0:
        spoken += scene.say("comfort")
    if ahead == 0:
        spoken += scene.say("wait_next")
    elif ahead is not None:
        spoken += scene.say("wait_place", ahead=ahead)
    following = call_path(scene.call_id, "wait", n=f"{entry}.{step + 1}")
    if answer.get("said"):
        spoken = _said(answer, scene)
    if answer.get("wish"):
        spoken = list(scene.say("wish_kept"))
    if answer.get("last"):
        spoken += scene.say("ask_for_last", digit=LAST_DIGIT)
    if answer.get("long"):
        spoken += scene.say("long_wait", digit=MESSAGE_DIGIT)
        if answer.get("callback"):
            spoken += scene.say("offer_callback", digit=CALLBACK_DIGIT)
    if answer.get("long") or answer.get("last"):
        choice = call_path(scene.call_id, "choice", n=f"{entry}.{step}")
        return [Ask(spoken, choice, seconds=8, silence_too=False), GoTo(following)]
    return [*spoken, Pause(10), GoTo(following)]


def _said(answer: Answer, scene: Scene) -> list[Say | PlayFile | Pause]:
    """What became of the wish to be called back."""
    values = {}
    if "from" in answer:
        zone, language = scene.line.timezone, scene.speaker.language
        values = {
            key: speak_instant(datetime.fromisoformat(answer[key]), scene.now, zone, language)
            for key in ("from", "until")
        }
    return list(scene.say(answer["said"], **values))


def _callback(answer: Answer, scene: Scene) -> list[Step]:
    """One of the three questions; silence leads on, and to no call where it is about safety."""
    question = answer["question"]
    key = {"safe": "callback_safe", "who": "callback_who", "when": "callback_when"}[question]
    asked = {"q": question, "n": answer["n"], "w": answer.get("who", "caller")}
    then = call_path(scene.call_id, "callback", **asked)
    return [Ask(list(scene.say(key)), then, seconds=8), GoTo(then)]


def _leave(answer: Answer, scene: Scene) -> list[Step]:
    entry = int(answer.get("entry", 0))
    return [Leave(call_path(scene.call_id, "queue-exit", n=entry, left=1))]


def _message(answer: Answer, scene: Scene) -> list[Step]:
    """Why nobody can take the call, when somebody can, and a voice message."""
    n, reason = int(answer["n"]), answer.get("reason")
    said: list[Step] = []
    if answer.get("thanks"):
        said += scene.say("message_thanks")
    elif reason == "out_of_hours" and answer.get("resumes_at"):
        resumes = speak_instant(
            datetime.fromisoformat(answer["resumes_at"]),
            scene.now,
            scene.line.timezone,
            scene.speaker.language,
        )
        said += scene.say("out_of_hours", resumes=resumes)
    elif reason == "out_of_hours":
        said += scene.say("out_of_hours_unknown")
    elif reason == "no_counsellor_on_duty":
        said += scene.say("no_counsellor_on_duty")
    if answer.get("said"):
        said += _said(answer, scene)
    if answer.get("callback"):
        offer: list[Say | PlayFile | Pause] = list(
            scene.say("offer_callback", digit=CALLBACK_DIGIT)
        )
        choice = call_path(scene.call_id, "callback", q="wanted", n="0.0", w="caller")
        said.append(Ask(offer, choice, seconds=4, silence_too=False))
    said += scene.say("leave_message")
    then = call_path(scene.call_id, "message", n=n)
    return [
        *said,
        RecordMessage(then=then, told=call_path(scene.call_id, "recording")),
        # Silence is not recorded and leads here: we ask again and never hang up.
        GoTo(call_path(scene.call_id, "message-again", n=n + 1)),
    ]


def _join(answer: Answer, scene: Scene) -> list[Step]:
    offer_id = UUID(answer["offer_id"])
    left = call_path(scene.call_id, "left", o=offer_id)
    return [
        Join(offer_id, "caller", then=left, ends_for_all=True, star_ends=False),
        GoTo(left),
    ]


def _dial(answer: Answer, scene: Scene) -> list[Step]:
    """To the counsellor who has pressed 1, by the caller's own leg."""
    then = call_path(scene.call_id, "dialled", o=answer["offer_id"])
    return [Ring(scene.values["to"], "", then, scene.line.number, DIALLED_RINGS), GoTo(then)]


def _dial_back(answer: Answer, scene: Scene) -> list[Step]:
    """The counsellor is there: now the phone rings of whoever wants to be called back."""
    assert scene.offer_id is not None
    then = offer_path(scene.offer_id, "rang-back")
    ring = Ring(scene.values["to"], "", then, scene.values["shows"], RINGS_BACK)
    return [*scene.say("rings_them"), ring, GoTo(then)]


def _rings_again(answer: Answer, scene: Scene) -> list[Step]:
    return [*scene.say("rings_again"), HangUp()]


def _join_counsellor(answer: Answer, scene: Scene) -> list[Step]:
    offer_id = UUID(answer["offer_id"])
    left = offer_path(offer_id, "left")
    return [
        Join(offer_id, "counsellor", then=left, ends_for_all=False, star_ends=True),
        HangUp(),
    ]


def _whisper(answer: Answer, scene: Scene) -> list[Step]:
    """Only a person presses a key; an answering machine never takes a child's call."""
    assert scene.offer_id is not None
    then = offer_path(scene.offer_id, "answer", n=int(answer["attempt"]) + 1)
    key = "whisper_dialled" if answer.get("dialled") else "whisper"
    said: list[Say | PlayFile | Pause] = list(scene.say(key, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=5), GoTo(then)]


def _party_whisper(answer: Answer, scene: Scene) -> list[Step]:
    """Somebody is asked into a talk; nothing of the child is said before they are."""
    then = party_path(answer["party_id"], "pressed", n=int(answer["attempt"]) + 1)
    key = "ask_outside" if answer.get("outside") else "ask_colleague"
    said: list[Say | PlayFile | Pause] = list(scene.say(key, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=5), GoTo(then)]


def _join_party(answer: Answer, scene: Scene) -> list[Step]:
    left = party_path(answer["party_id"], "left")
    return [
        Join(
            UUID(answer["room_id"]), f"party-{answer['party_id']}", then=left,
            ends_for_all=False, star_ends=True, muted=bool(answer.get("muted")),
            coach=answer.get("coach"),
        ),
        HangUp(),
    ]  # fmt: skip


def _taken(answer: Answer, scene: Scene) -> list[Step]:
    return [*scene.say("taken"), HangUp()]


def _go_to(answer: Answer, scene: Scene) -> list[Step]:
    return [Pause(1), GoTo(answer["path"])]


def _goodbye(answer: Answer, scene: Scene) -> list[Step]:
    """Only after a counsellor has ended the talk."""
    return [*scene.say("goodbye"), HangUp()]


def _hang_up(answer: Answer, scene: Scene) -> list[Step]:
    return [HangUp()]


def _hold(answer: Answer, scene: Scene) -> list[Step]:
    """On hold: a word now and then. A conference asks only once, so it asks itself again."""
    assert scene.offer_id is not None
    return [*scene.say("hold"), Pause(20), GoTo(offer_path(scene.offer_id, "hold"))]


def _silence(answer: Answer, scene: Scene) -> list[Step]:
    assert scene.offer_id is not None
    return [Pause(20), GoTo(offer_path(scene.offer_id, "hold"))]


def _blocked(answer: Answer, scene: Scene) -> list[Step]:
    """Said to a caller who was flagged. Whoever is in danger is let through all the same."""
    spoken: list[Say | PlayFile | Pause] = list(scene.say("blocked", digit=scene.line.danger_digit))
    then = call_path(scene.call_id, "blocked", n=int(answer["n"]))
    return [Ask(spoken, then, seconds=8), GoTo(then)]


def _duty_menu(answer: Answer, scene: Scene) -> list[Step]:
    """A counsellor rings the own line: what they do; or, in silence, what everybody hears."""
    keys = {"available": "1", "break": "2", "off": "3"}
    spoken: list[Say | PlayFile | Pause] = list(scene.say("duty_menu", **keys))
    then = call_path(scene.call_id, "duty", n=int(answer["n"]))
    return [Ask(spoken, then, seconds=8), GoTo(then)]


def _duty_set(answer: Answer, scene: Scene) -> list[Step]:
    key = {"available": "duty_available", "break": "duty_break"}.get(answer["state"], "duty_off")
    return [*scene.say(key), *scene.say("goodbye"), HangUp()]


def _partner(answer: Answer, scene: Scene) -> list[Step]:
    """On to a partner, if they take the caller; otherwise back to us, in the old place."""
    n = int(answer["n"])
    number = str(scene.line.plan.get("partner_number", ""))
    then = call_path(scene.call_id, "partner-left", n=n)
    ask = call_path(scene.call_id, "partner", n=0)
    return [*scene.say("partner"), Ring(number, ask, then, scene.line.number), GoTo(then)]


def _partner_ask(answer: Answer, scene: Scene) -> list[Step]:
    then = call_path(scene.call_id, "partner", n=int(answer["attempt"]) + 1)
    said: list[Say | PlayFile | Pause] = list(scene.say("partner_ask", digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=6), GoTo(then)]


def _nothing(answer: Answer, scene: Scene) -> list[Step]:
    return []


_KINDS: dict[str, Callable[[Answer, Scene], list[Step]]] = {
    "menu": _menu,
    "enqueue": _enqueue,
    "wait": _wait,
    "leave": _leave,
    "message": _message,
    "join": _join,
    "join_counsellor": _join_counsellor,
    "dial": _dial,
    "dial_back": _dial_back,
    "rings_again": _rings_again,
    "whisper": _whisper,
    "taken": _taken,
    "party_whisper": _party_whisper,
    "join_party": _join_party,
    "go_to": _go_to,
    "goodbye": _goodbye,
    "hang_up": _hang_up,
    "nothing": _nothing,
    "blocked": _blocked,
    "partner": _partner,
    "partner_ask": _partner_ask,
    "callback": _callback,
    "duty_menu": _duty_menu,
    "duty_set": _duty_set,
    "hold": _hold,
    "silence": _silence,
}


def trouble_steps(path: str) -> list[Step]:
    """When we cannot decide anything: comfort, a pause, and the same question again."""
    said = [Say(text, locale, voice) for locale, voice, text in TROUBLE]
    return [*said, Pause(TROUBLE_PAUSE), GoTo(path)]


def speak_instant(at: datetime, now: datetime, timezone: str, language: str) -> str:
    """A time of the near future as one says it: the hour, and the day if it is not today."""
    zone = ZoneInfo(timezone)
    then, today = at.astimezone(zone), now.astimezone(zone).date()
    locale = "sr_Latn" if language == "sr" else language
    hour = format_time(then.time(), "HH:mm", locale=locale)
    if then.date() == today:
        return hour
    return f"{_day(then.date(), today, locale)}, {hour}"


def _day(day: date, today: date, locale: str) -> str:
    pattern = "EEEE" if day - today < timedelta(days=7) else "EEEE, d MMMM"
    return format_date(day, pattern, locale=locale)
