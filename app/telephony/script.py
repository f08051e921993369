"""What the caller hears, and what happens next. Pure.

An *answer* is the decision that a webhook made: a small dict that is kept with
its event, so that a repeat of the webhook is answered from the same decision.
`steps_for` turns an answer into steps, and the steps become a document.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app import words
from app.calls import speech
from app.calls.speech import LineScript
from app.telephony.inbound import sounds
from app.telephony.provider.urls import call_path, offer_path, party_path

Answer = dict[str, Any]

TAKE_DIGIT = "1"
MESSAGE_DIGIT = "1"
# While waiting: ask for the counsellor of the last call.
LAST_DIGIT = "2"
CALLBACK_DIGIT = "3"
# For counsellors who ring their own line.
DUTY_DIGITS = {"1": "available", "2": "break", "3": "off_duty"}
# How many times a menu is asked before the line's first language is taken.
MENU_ATTEMPTS = 3
WAITING_ROOM = "waiting"
LONGEST_MESSAGE = 180
# A counsellor's phone that the caller's own leg dials rings for N seconds: a mailbox takes longer
# to pick up.
DIALLED_RINGS = 15
# In a call-back the phone rings for N seconds, as long as any other.
RINGS_BACK = 30

# For times when not even the database can say which language to speak.
TROUBLE = (
    ("en-GB", None, "Please stay on the line. We will be with you in a moment."),
    ("sr-RS", "Google.sr-RS-Standard-A", "Ostani na vezi. Javljamo se za koji trenutak."),
)
TROUBLE_PAUSE = 3


@dataclass(frozen=True)
class Say:
    text: str
    locale: str
    voice: str | None = None


@dataclass(frozen=True)
class PlayFile:
    recording: UUID


@dataclass(frozen=True)
class WaitingSound:
    """The shipped sound, played `times` times."""

    times: int


@dataclass(frozen=True)
class Pause:
    seconds: int


Spoken = Say | PlayFile | WaitingSound | Pause


@dataclass(frozen=True)
class Ask:
    """Say something and wait for one digit, which goes to `then`; so does silence, if wanted."""

    spoken: list[Spoken]
    then: str
    seconds: int = 3
    silence_too: bool = True


@dataclass(frozen=True)
class GoTo:
    path: str


@dataclass(frozen=True)
class Wait:
    """Enter the waiting room."""

    hears: str
    then: str


@dataclass(frozen=True)
class Leave:
    """Leave the waiting room for `Wait.then`. Where there is no waiting room, go to `then`."""

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
    """Join the conference of the offer by which the talk began."""

    offer_id: UUID
    label: str
    then: str
    ends_for_all: bool
    star_ends: bool
    muted: bool = False
    # The only leg that hears them.
    coach: str | None = None


@dataclass(frozen=True)
class Ring:
    """Ring a number; the person who answers hears `screen` first, where the platform can do so."""

    number: str
    screen: str
    then: str
    shows: str
    seconds: int = 30


Step = Spoken | Ask | GoTo | Wait | Leave | HangUp | RecordMessage | Join | Ring


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
        """Return the same scene with values that are kept in no log."""
        return replace(self, values={**self.values, **values})

    @property
    def speaker(self) -> speech.Spoken:
        return self.line.spoken(self.language)

    def say(self, key: str, language: str | None = None, **values: object) -> list[Spoken]:
        """Return a prompt of the line with its values filled in; nothing if it has no text."""
        spoken = self.line.spoken(language) if language else self.speaker
        prompt = self.line.prompt(spoken.language, key)
        if prompt.recording is not None:
            return [PlayFile(prompt.recording)]
        if not prompt.text:
            return []
        known = {"line": self.line.name, "emergency": self.line.emergency, **values}
        return [Say(prompt.text.format(**known), spoken.locale, spoken.voice)]

    def sound(self, seconds: int) -> Spoken:
        """Return the waiting sound: the line's own, or the shipped one for N seconds."""
        own = self.line.prompt(self.speaker.language, "waiting_sound").recording
        if own is not None:
            return PlayFile(own)
        return WaitingSound(max(1, round(seconds / sounds.SECONDS)))


def steps_for(answer: Answer, scene: Scene) -> list[Step]:
    """Return the steps of an answer."""
    return _KINDS[answer["kind"]](answer, scene)


def _menu(answer: Answer, scene: Scene) -> list[Step]:
    """Say greeting, danger digit and language digit, one language after the other.

    The danger digit comes in the first seconds, and silence leads on like any digit: a caller who
    presses nothing is in the queue within twelve seconds.
    """
    line, attempt = scene.line, int(answer["attempt"])
    spoken: list[Spoken] = []
    for language in line.languages:
        if attempt == 0:
            spoken += scene.say("greeting", language.language)
        spoken += scene.say("danger", language.language, digit=line.danger_digit)
        if len(line.languages) > 1:
            spoken += scene.say("choose_language", language.language, digit=language.digit)
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


# The keys are said in the first turn of a wait and then every N turns.
_KEYS_EVERY = 4


def _wait(answer: Answer, scene: Scene) -> list[Step]:
    """Say comfort, place and keys, then play soft sound. Every key works all the time."""
    entry, step = int(answer["entry"]), int(answer["step"])
    spoken = _wait_words(answer, scene, step)
    choice = call_path(scene.call_id, "choice", n=f"{entry}.{step}")
    following = call_path(scene.call_id, "wait", n=f"{entry}.{step + 1}")
    heard = [*spoken, scene.sound(4 if answer.get("short") else 12)]
    return [Ask(heard, choice, seconds=1, silence_too=False), GoTo(following)]


def _wait_words(answer: Answer, scene: Scene, step: int) -> list[Spoken]:
    if answer.get("said"):
        return _said(answer, scene)
    if answer.get("wish"):
        return scene.say("wish_kept")
    if answer.get("danger"):
        return scene.say("danger_heard")
    if answer.get("short"):
        # A counsellor who has pressed 1 waits until the document ends, so each holds one piece.
        turn, piece = divmod(step, 4)
        return _wait_pieces(answer, scene, turn)[piece]
    return [spoken for piece in _wait_pieces(answer, scene, step) for spoken in piece]


def _wait_pieces(answer: Answer, scene: Scene, turn: int) -> list[list[Spoken]]:
    """Return comfort, place, keys and the rest of a turn, to be said one after the other."""
    comfort: list[Spoken] = []
    if turn == 0:
        comfort = scene.say("wait_first")
    elif answer.get("draining"):
        comfort = scene.say("draining")
    elif turn % 3 == 0:
        comfort = scene.say("comfort")
    place: list[Spoken] = []
    if (ahead := answer.get("ahead")) is not None:
        place = scene.say("wait_place", ahead=ahead) if ahead else scene.say("wait_next")
    long = answer.get("long")
    keys: list[Spoken] = []
    others: list[Spoken] = []
    if long:
        keys = scene.say("long_wait", digit=MESSAGE_DIGIT)
    elif turn % _KEYS_EVERY == 0:
        keys = scene.say("wait_keys", danger=scene.line.danger_digit, message=MESSAGE_DIGIT)
    if (long or turn % _KEYS_EVERY == 0) and answer.get("callback"):
        others += scene.say("offer_callback", digit=CALLBACK_DIGIT)
    if not long and turn % _KEYS_EVERY == 0 and answer.get("last"):
        others += scene.say("ask_for_last", digit=LAST_DIGIT)
    if turn == 0:
        others += scene.say("privacy")
    return [comfort, place, keys, others]


def _said(answer: Answer, scene: Scene) -> list[Spoken]:
    """Say what became of the wish for a call-back."""
    values = {}
    if "from" in answer:
        begins, ends = (datetime.fromisoformat(answer[key]) for key in ("from", "until"))
        values["window"] = speak_window(
            begins, ends, scene.now, scene.line.timezone, scene.speaker.language
        )
    return scene.say(answer["said"], **values)


def _callback(answer: Answer, scene: Scene) -> list[Step]:
    """Ask one of three questions. Silence leads on; after the one about safety, to no call-back."""
    question = answer["question"]
    key = {"safe": "callback_safe", "who": "callback_who", "when": "callback_when"}[question]
    asked = {"q": question, "n": answer["n"], "w": answer.get("who", "caller")}
    then = call_path(scene.call_id, "callback", **asked)
    return [Ask([*scene.say(key), scene.sound(8)], then, seconds=1), GoTo(then)]


def _leave(answer: Answer, scene: Scene) -> list[Step]:
    entry = int(answer.get("entry", 0))
    return [Leave(call_path(scene.call_id, "queue-exit", n=entry, left=1))]


def _message(answer: Answer, scene: Scene) -> list[Step]:
    """Say why no counsellor can take the call and when one can, and record a voice message."""
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
        offer: list[Spoken] = list(scene.say("offer_callback", digit=CALLBACK_DIGIT))
        choice = call_path(scene.call_id, "callback", q="wanted", n="0.0", w="caller")
        said.append(Ask(offer, choice, silence_too=False))
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
    """Dial the counsellor who has pressed 1 from the caller's own leg."""
    then = call_path(scene.call_id, "dialled", o=answer["offer_id"])
    return [Ring(scene.values["to"], "", then, scene.line.shown_number, DIALLED_RINGS), GoTo(then)]


def _dial_back(answer: Answer, scene: Scene) -> list[Step]:
    """Dial the caller of a call-back from the leg of the counsellor, who is there."""
    assert scene.offer_id is not None
    then = offer_path(scene.offer_id, "rang-back")
    ring = Ring(scene.values["to"], "", then, scene.values["shows"], RINGS_BACK)
    return [*scene.say("rings_them"), ring, GoTo(then)]


def _rings_again(answer: Answer, scene: Scene) -> list[Step]:
    return [*scene.say("rings_again"), HangUp()]


def _join_counsellor(answer: Answer, scene: Scene) -> list[Step]:
    left = offer_path(answer["offer_id"], "left")
    room = UUID(answer.get("room_id", answer["offer_id"]))
    return [
        Join(room, "counsellor", then=left, ends_for_all=False, star_ends=True),
        HangUp(),
    ]


def _whisper(answer: Answer, scene: Scene) -> list[Step]:
    """Ask the counsellor for a key, so that an answering machine never takes a child's call."""
    assert scene.offer_id is not None
    then = offer_path(scene.offer_id, "answer", n=int(answer["attempt"]) + 1)
    key = "whisper_dialled" if answer.get("dialled") else "whisper"
    if answer.get("again"):
        key = "whisper_again"
    said: list[Spoken] = list(scene.say(key, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=5), GoTo(then)]


def _party_whisper(answer: Answer, scene: Scene) -> list[Step]:
    """Ask a participant into a talk. Nothing about the child is said before they join."""
    then = party_path(answer["party_id"], "pressed", n=int(answer["attempt"]) + 1)
    key = "ask_outside" if answer.get("outside") else "ask_colleague"
    said: list[Spoken] = list(scene.say(key, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=5), GoTo(then)]


def _join_party(answer: Answer, scene: Scene) -> list[Step]:
    left = party_path(answer["party_id"], "left")
    return [
        Join(
            UUID(answer["room_id"]),
            f"party-{answer['party_id']}",
            then=left,
            ends_for_all=False,
            star_ends=True,
            muted=bool(answer.get("muted")),
            coach=answer.get("coach"),
        ),
        HangUp(),
    ]


def _taken(answer: Answer, scene: Scene) -> list[Step]:
    return [*scene.say("taken"), HangUp()]


def _go_to(answer: Answer, scene: Scene) -> list[Step]:
    return [Pause(1), GoTo(answer["path"])]


def _goodbye(answer: Answer, scene: Scene) -> list[Step]:
    """Hang up. Only after a counsellor has ended the talk, or on a blocked caller."""
    return [*scene.say("goodbye"), HangUp()]


def _farewell(answer: Answer, scene: Scene) -> list[Step]:
    """End a call that has lasted longer than a caller can wait."""
    return [*scene.say("farewell"), HangUp()]


def _hang_up(answer: Answer, scene: Scene) -> list[Step]:
    return [HangUp()]


def _hold(answer: Answer, scene: Scene) -> list[Step]:
    """Say a word and play soft sound to a caller on hold.

    A conference asks for the document only once, so the document repeats itself.
    """
    assert scene.offer_id is not None
    said = scene.say("line_lost" if answer.get("lost") else "hold")
    return [*said, scene.sound(20), GoTo(offer_path(scene.offer_id, "hold"))]


def _silence(answer: Answer, scene: Scene) -> list[Step]:
    assert scene.offer_id is not None
    return [Pause(20), GoTo(offer_path(scene.offer_id, "hold"))]


def _question(answer: Answer, scene: Scene) -> list[Step]:
    """Ask a question that is answered with a key; silence leads on."""
    said = [*scene.say(f"ask_{answer['code']}"), scene.sound(8)]
    then = call_path(scene.call_id, "question", q=answer["q"], n=answer["n"])
    return [Ask(said, then, seconds=1), GoTo(then)]


def _question_over(answer: Answer, scene: Scene) -> list[Step]:
    """Return the caller to the counsellor, with a word if a key was pressed."""
    said: list[Step] = list(scene.say("question_heard")) if answer.get("heard") else []
    return [*said, *_join(answer, scene)]


def _blocked(answer: Answer, scene: Scene) -> list[Step]:
    """Tell a caller that they are blocked. The danger digit lets them through all the same."""
    spoken: list[Spoken] = list(scene.say("blocked", digit=scene.line.danger_digit))
    then = call_path(scene.call_id, "blocked", n=int(answer["n"]))
    return [Ask([*spoken, scene.sound(8)], then, seconds=1), GoTo(then)]


def _duty_menu(answer: Answer, scene: Scene) -> list[Step]:
    """Ask a counsellor who rings their own line for their presence; silence leads to the menu."""
    keys = {"available": "1", "break": "2", "off": "3"}
    spoken = [*scene.say("duty_menu", **keys), scene.sound(4)]
    then = call_path(scene.call_id, "duty", n=int(answer["n"]))
    return [Ask(spoken, then, seconds=1), GoTo(then)]


def _duty_set(answer: Answer, scene: Scene) -> list[Step]:
    key = {"available": "duty_available", "break": "duty_break"}.get(answer["state"], "duty_off")
    return [*scene.say(key), *scene.say("goodbye"), HangUp()]


def _partner(answer: Answer, scene: Scene) -> list[Step]:
    """Ring the partner. A caller whom the partner does not take returns to us, in the old place."""
    n = int(answer["n"])
    number = str(scene.line.plan.get("partner_number", ""))
    then = call_path(scene.call_id, "partner-left", n=n)
    ask = call_path(scene.call_id, "partner", n=0)
    return [*scene.say("partner"), Ring(number, ask, then, scene.line.shown_number), GoTo(then)]


def _partner_ask(answer: Answer, scene: Scene) -> list[Step]:
    then = call_path(scene.call_id, "partner", n=int(answer["attempt"]) + 1)
    said: list[Spoken] = list(scene.say("partner_ask", digit=TAKE_DIGIT))
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
    "question": _question,
    "question_over": _question_over,
    "goodbye": _goodbye,
    "farewell": _farewell,
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
    """Return comfort, a pause and the same request again, for when we cannot decide anything."""
    said = [Say(text, locale, voice) for locale, voice, text in TROUBLE]
    return [*said, Pause(TROUBLE_PAUSE), GoTo(path)]


def speak_instant(at: datetime, now: datetime, timezone: str, language: str) -> str:
    """Return an instant of the near future in words: "at 22:00", "tomorrow at 9:00".

    Midnight has its own words: with "tomorrow at 0:00" a child might ring a day late.
    """
    zone, times = ZoneInfo(timezone), words.times_of(language)
    then, today = at.astimezone(zone), now.astimezone(zone).date()
    match (then.date() - today).days:
        case 0:
            return times.at.format(time=_hour(then))
        case 1 if then.time() == time(0):
            return times.midnight
        case 1:
            return times.tomorrow.format(time=_hour(then))
    return times.on_day.format(day=_day(then.date(), today, times), time=_hour(then))


def speak_window(
    begins: datetime, ends: datetime, now: datetime, timezone: str, language: str
) -> str:
    """Return a window of time in words: "between 18:00 and 21:00"."""
    zone, times = ZoneInfo(timezone), words.times_of(language)
    first, last = begins.astimezone(zone), ends.astimezone(zone)
    today = now.astimezone(zone).date()
    said = {"from": _hour(first), "until": _hour(last)}
    match (first.date() - today).days:
        case 0:
            return times.window.format(**said)
        case 1:
            return times.window_tomorrow.format(**said)
    return times.window_on_day.format(day=_day(first.date(), today, times), **said)


_WEEK = 7


def _hour(then: datetime) -> str:
    """Return a time of day without a leading zero, which a voice would read aloud."""
    return f"{then.hour}:{then:%M}"


def _day(day: date, today: date, times: words.Times) -> str:
    """Return a day in words: "on Friday" within the week, later "on 24 December"."""
    if (day - today).days < _WEEK:
        return times.days[day.weekday()]
    return times.date.format(day=day.day, month=times.months[day.month - 1])
