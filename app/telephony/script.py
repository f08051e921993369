"""What the caller hears, and what happens next: an answer and its scene become steps. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import singledispatch
from uuid import UUID

from app import words
from app.calls import speech
from app.calls.asked import QUESTIONS
from app.calls.labels import Label, participant_label
from app.calls.menu import CALLBACK_DIGIT, LAST_DIGIT, MESSAGE_DIGIT
from app.calls.speech import LineScript
from app.calls.states import Unstaffed
from app.routing.callbacks.choices import Who
from app.routing.plan import read_plan
from app.telephony import answers
from app.telephony.answers import Answer, CallbackQuestion, CallbackWord, DutyChoice
from app.telephony.inbound import sounds
from app.telephony.provider.urls import call_path, offer_path, participant_path
from app.telephony.spoken_times import speak_instant, speak_window
from app.telephony.steps import (
    Ask,
    GoTo,
    HangUp,
    Join,
    Leave,
    Pause,
    PlayFile,
    RecordMessage,
    Ring,
    Say,
    Spoken,
    Step,
    Wait,
    WaitingSound,
)
from app.words import pages
from app.words.keys import PromptKey
from app.words.without_codes import ONLY_A_PIN

TAKE_DIGIT = "1"
# PINs and single-use codes have as many digits.
PIN_DIGITS = 6
# For counsellors who ring their own line.
DUTY_DIGITS = {"1": DutyChoice.AVAILABLE, "2": DutyChoice.BREAK, "3": DutyChoice.OFF_DUTY}
# How long a counsellor's phone rings that the caller's own leg dials, in seconds: a mailbox takes
# longer to pick up.
DIALLED_RINGS = 15
# How long the phone rings in a call-back, in seconds: as long as any other.
RINGS_BACK = 30

TROUBLE_PAUSE = 3


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

    def say(self, key: PromptKey, language: str | None = None, **values: object) -> list[Spoken]:
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
        """Return the waiting sound: the line's own, or the shipped one, played for `seconds`."""
        own = self.line.prompt(self.speaker.language, PromptKey.WAITING_SOUND).recording
        if own is not None:
            return PlayFile(own)
        return WaitingSound(max(1, round(seconds / sounds.SECONDS)))


@singledispatch
def steps_for(answer: Answer, scene: Scene) -> list[Step]:
    """Return the steps of an answer."""
    raise TypeError(type(answer).__name__)


@steps_for.register
def _menu(answer: answers.Menu, scene: Scene) -> list[Step]:
    """Say greeting, danger digit and language digit, one language after the other.

    The danger digit comes in the first seconds, and silence leads on like any digit: a caller who
    presses nothing is in the queue within twelve seconds.
    """
    line, attempt = scene.line, answer.attempt
    spoken: list[Spoken] = []
    for language in line.languages:
        if attempt == 0:
            spoken += scene.say(PromptKey.GREETING, language.language)
        spoken += scene.say(PromptKey.DANGER, language.language, digit=line.danger_digit)
        if len(line.languages) > 1:
            spoken += scene.say(PromptKey.CHOOSE_LANGUAGE, language.language, digit=language.digit)
    then = call_path(scene.call_id, "menu", n=attempt + 1)
    return [Ask(spoken, then), GoTo(then)]


@steps_for.register
def _enqueue(answer: answers.Enqueue, scene: Scene) -> list[Step]:
    entry = answer.entry
    said: list[Step] = list(scene.say(PromptKey.RETURNED)) if answer.returned else []
    if answer.transferred:
        said = list(scene.say(PromptKey.TRANSFERRED))
    return [
        *said,
        Wait(
            hears=call_path(scene.call_id, "wait", n=f"{entry}.0"),
            then=call_path(scene.call_id, "queue-exit", n=entry),
        ),
    ]


# Turns of a wait from one saying of the keys to the next; the first turn says them.
_KEYS_EVERY = 4


@steps_for.register
def _wait(answer: answers.Wait, scene: Scene) -> list[Step]:
    """Say comfort, place and keys, then play soft sound. Every key works all the time."""
    entry, step = answer.entry, answer.step
    spoken = _wait_words(answer, scene, step)
    choice = call_path(scene.call_id, "choice", n=f"{entry}.{step}")
    following = call_path(scene.call_id, "wait", n=f"{entry}.{step + 1}")
    heard = [*spoken, scene.sound(4 if answer.short else 12)]
    return [Ask(heard, choice, seconds=1, silence_too=False), GoTo(following)]


def _wait_words(answer: answers.Wait, scene: Scene, step: int) -> list[Spoken]:
    if answer.said:
        return _said(answer.said, scene)
    if answer.wish:
        return scene.say(PromptKey.WISH_KEPT)
    if answer.danger:
        return scene.say(PromptKey.DANGER_HEARD)
    if answer.short:
        # A counsellor who has pressed 1 waits until the document ends, so each holds one piece.
        turn, piece = divmod(step, 4)
        return _wait_pieces(answer, scene, turn)[piece]
    return [spoken for piece in _wait_pieces(answer, scene, step) for spoken in piece]


def _wait_pieces(answer: answers.Wait, scene: Scene, turn: int) -> list[list[Spoken]]:
    """Return comfort, place, keys and the rest of a turn, to be said one after the other."""
    comfort: list[Spoken] = []
    if turn == 0:
        comfort = scene.say(PromptKey.WAIT_FIRST)
    elif answer.draining:
        comfort = scene.say(PromptKey.DRAINING)
    elif turn % 3 == 0:
        comfort = scene.say(PromptKey.COMFORT)
    place: list[Spoken] = []
    if (ahead := answer.ahead) is not None:
        place = (
            scene.say(PromptKey.WAIT_PLACE, ahead=ahead)
            if ahead
            else scene.say(PromptKey.WAIT_NEXT)
        )
    long = answer.long
    keys: list[Spoken] = []
    others: list[Spoken] = []
    if long:
        keys = scene.say(PromptKey.LONG_WAIT, digit=MESSAGE_DIGIT)
    elif turn % _KEYS_EVERY == 0:
        keys = scene.say(PromptKey.WAIT_KEYS, danger=scene.line.danger_digit, message=MESSAGE_DIGIT)
    if (long or turn % _KEYS_EVERY == 0) and answer.callback:
        others += scene.say(PromptKey.OFFER_CALLBACK, digit=CALLBACK_DIGIT)
    if not long and turn % _KEYS_EVERY == 0 and answer.last:
        others += scene.say(PromptKey.ASK_FOR_LAST, digit=LAST_DIGIT)
    if turn == 0:
        others += scene.say(PromptKey.PRIVACY)
    return [comfort, place, keys, others]


def _said(word: CallbackWord, scene: Scene) -> list[Spoken]:
    """Say what became of the wish for a call-back."""
    values = {}
    if word.begins is not None and word.ends is not None:
        values["window"] = speak_window(
            word.begins, word.ends, scene.now, scene.line.timezone, scene.speaker.language
        )
    return scene.say(word.key, **values)


_CALLBACK_PROMPTS = {
    CallbackQuestion.SAFE: PromptKey.CALLBACK_SAFE,
    CallbackQuestion.WHO: PromptKey.CALLBACK_WHO,
    CallbackQuestion.WHEN: PromptKey.CALLBACK_WHEN,
}


@steps_for.register
def _callback(answer: answers.AskCallback, scene: Scene) -> list[Step]:
    """Ask one of three questions. Silence leads on; after the one about safety, to no call-back."""
    then = call_path(scene.call_id, "callback", q=answer.question.value, n=answer.n, w=answer.who)
    said = scene.say(_CALLBACK_PROMPTS[answer.question])
    return [Ask([*said, scene.sound(8)], then, seconds=1), GoTo(then)]


@steps_for.register
def _leave(answer: answers.Leave, scene: Scene) -> list[Step]:
    entry = answer.entry
    return [Leave(call_path(scene.call_id, "queue-exit", n=entry, left=1))]


@steps_for.register
def _message(answer: answers.Message, scene: Scene) -> list[Step]:
    """Say why no counsellor can take the call and when one can, and record a voice message."""
    n, reason = answer.n, answer.reason
    said: list[Step] = []
    if answer.thanks:
        said += scene.say(PromptKey.MESSAGE_THANKS)
    elif reason is Unstaffed.OUT_OF_HOURS and answer.resumes_at is not None:
        resumes = speak_instant(
            answer.resumes_at, scene.now, scene.line.timezone, scene.speaker.language
        )
        said += scene.say(PromptKey.OUT_OF_HOURS, resumes=resumes)
    elif reason is Unstaffed.OUT_OF_HOURS:
        said += scene.say(PromptKey.OUT_OF_HOURS_UNKNOWN)
    elif reason is Unstaffed.NO_COUNSELLOR_ON_DUTY:
        said += scene.say(PromptKey.NO_COUNSELLOR_ON_DUTY)
    if answer.said:
        said += _said(answer.said, scene)
    if answer.callback:
        offer: list[Spoken] = list(scene.say(PromptKey.OFFER_CALLBACK, digit=CALLBACK_DIGIT))
        choice = call_path(
            scene.call_id, "callback", q=CallbackQuestion.WANTED, n="0.0", w=Who.CALLER
        )
        said.append(Ask(offer, choice, silence_too=False))
    said += scene.say(PromptKey.LEAVE_MESSAGE)
    then = call_path(scene.call_id, "message", n=n)
    return [
        *said,
        RecordMessage(then=then, told=call_path(scene.call_id, "recording")),
        # Silence is not recorded and leads here: we ask again and never hang up.
        GoTo(call_path(scene.call_id, "message-again", n=n + 1)),
    ]


@steps_for.register
def _join(answer: answers.Join, scene: Scene) -> list[Step]:
    return _into_talk(answer.offer_id, scene)


def _into_talk(offer_id: UUID, scene: Scene) -> list[Step]:
    left = call_path(scene.call_id, "left", o=offer_id)
    return [
        Join(offer_id, Label.CALLER, then=left, ends_for_all=True, star_ends=False),
        GoTo(left),
    ]


@steps_for.register
def _dial(answer: answers.Dial, scene: Scene) -> list[Step]:
    """Dial the counsellor who has pressed 1 from the caller's own leg."""
    then = call_path(scene.call_id, "dialled", o=answer.offer_id)
    return [Ring(scene.values["to"], "", then, scene.line.shown_number, DIALLED_RINGS), GoTo(then)]


@steps_for.register
def _dial_callback(answer: answers.DialCallback, scene: Scene) -> list[Step]:
    """Dial the caller of a call-back from the leg of the counsellor, who is there."""
    assert scene.offer_id is not None
    then = offer_path(scene.offer_id, "rang-back")
    ring = Ring(scene.values["to"], "", then, scene.values["shows"], RINGS_BACK)
    return [*scene.say(PromptKey.RINGS_THEM), ring, GoTo(then)]


@steps_for.register
def _rings_again(answer: answers.RingsAgain, scene: Scene) -> list[Step]:
    return [*scene.say(PromptKey.RINGS_AGAIN), HangUp()]


@steps_for.register
def _join_counsellor(answer: answers.JoinCounsellor, scene: Scene) -> list[Step]:
    left = offer_path(answer.offer_id, "left")
    return [
        Join(answer.room_id, Label.COUNSELLOR, then=left, ends_for_all=False, star_ends=True),
        HangUp(),
    ]


@steps_for.register
def _whisper(answer: answers.Whisper, scene: Scene) -> list[Step]:
    """Ask the counsellor for a key, so that an answering machine never takes a child's call."""
    assert scene.offer_id is not None
    then = offer_path(scene.offer_id, "answer", n=answer.attempt + 1)
    key = PromptKey.WHISPER_DIALLED if answer.dialled else PromptKey.WHISPER
    if answer.again:
        key = PromptKey.WHISPER_AGAIN
    if answer.only_a_pin:
        return [*_told_only_a_pin(scene), GoTo(then)]
    if answer.proof:
        proof = scene.say(PromptKey.WHISPER_PROOF)
        return [Ask(proof, then, seconds=8, digits=PIN_DIGITS), GoTo(then)]
    said: list[Spoken] = list(scene.say(key, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=5), GoTo(then)]


@steps_for.register
def _ask_participant(answer: answers.AskParticipant, scene: Scene) -> list[Step]:
    """Ask a participant into a talk. Nothing about the child is said before they join."""
    then = participant_path(answer.participant_id, "pressed", n=answer.attempt + 1)
    key = PromptKey.ASK_OUTSIDE if answer.outside else PromptKey.ASK_COLLEAGUE
    if answer.only_a_pin:
        return [*_told_only_a_pin(scene), GoTo(then)]
    if answer.proof:
        proof = scene.say(PromptKey.WHISPER_PROOF)
        return [Ask(proof, then, seconds=8, digits=PIN_DIGITS), GoTo(then)]
    said: list[Spoken] = list(scene.say(key, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=5), GoTo(then)]


@steps_for.register
def _join_participant(answer: answers.JoinParticipant, scene: Scene) -> list[Step]:
    left = participant_path(answer.participant_id, "left")
    return [
        Join(
            answer.room_id,
            participant_label(answer.participant_id, at_telephone=answer.second),
            then=left,
            ends_for_all=False,
            star_ends=True,
            muted=answer.muted,
            coach=answer.coach,
        ),
        HangUp(),
    ]


@steps_for.register
def _taken(answer: answers.Taken, scene: Scene) -> list[Step]:
    return [*scene.say(PromptKey.TAKEN), HangUp()]


@steps_for.register
def _go_back(answer: answers.GoBack, scene: Scene) -> list[Step]:
    return [Pause(1), GoTo(call_path(scene.call_id, "returned", n=answer.entry))]


@steps_for.register
def _goodbye(answer: answers.Goodbye, scene: Scene) -> list[Step]:
    """Hang up. Only after a counsellor has ended the talk, or on a blocked caller."""
    return [*scene.say(PromptKey.GOODBYE), HangUp()]


@steps_for.register
def _farewell(answer: answers.Farewell, scene: Scene) -> list[Step]:
    """End a call that has lasted longer than a caller can wait."""
    return [*scene.say(PromptKey.FAREWELL), HangUp()]


@steps_for.register
def _hang_up(answer: answers.HangUp, scene: Scene) -> list[Step]:
    return [HangUp()]


@steps_for.register
def _hold(answer: answers.Hold, scene: Scene) -> list[Step]:
    """Say a word and play soft sound to a caller on hold.

    A conference asks for the document only once, so the document repeats itself.
    """
    assert scene.offer_id is not None
    said = scene.say(PromptKey.LINE_LOST if answer.lost else PromptKey.HOLD)
    return [*said, scene.sound(20), GoTo(offer_path(scene.offer_id, "hold"))]


@steps_for.register
def _silence(answer: answers.Silence, scene: Scene) -> list[Step]:
    assert scene.offer_id is not None
    return [Pause(20), GoTo(offer_path(scene.offer_id, "hold"))]


@steps_for.register
def _question(answer: answers.AskByKey, scene: Scene) -> list[Step]:
    """Ask a question that is answered with a key; silence leads on."""
    said = [*scene.say(QUESTIONS[answer.code].prompt), scene.sound(8)]
    then = call_path(scene.call_id, "question", q=answer.question_id, n=answer.n)
    return [Ask(said, then, seconds=1), GoTo(then)]


@steps_for.register
def _question_over(answer: answers.QuestionOver, scene: Scene) -> list[Step]:
    """Return the caller to the counsellor, with a word if a key was pressed."""
    said: list[Step] = list(scene.say(PromptKey.QUESTION_HEARD)) if answer.heard else []
    return [*said, *_into_talk(answer.offer_id, scene)]


@steps_for.register
def _blocked(answer: answers.Blocked, scene: Scene) -> list[Step]:
    """Tell a caller that they are blocked. The danger digit lets them through all the same."""
    spoken: list[Spoken] = list(scene.say(PromptKey.BLOCKED, digit=scene.line.danger_digit))
    then = call_path(scene.call_id, "blocked", n=answer.n)
    return [Ask([*spoken, scene.sound(8)], then, seconds=1), GoTo(then)]


@steps_for.register
def _duty_menu(answer: answers.DutyMenu, scene: Scene) -> list[Step]:
    """Ask a counsellor who rings their own line for their presence; silence leads to the menu."""
    keys = {"available": "1", "break": "2", "off": "3"}
    spoken = [*scene.say(PromptKey.DUTY_MENU, **keys), scene.sound(4)]
    then = call_path(scene.call_id, "duty", n=answer.n)
    return [Ask(spoken, then, seconds=1), GoTo(then)]


@steps_for.register
def _duty_proof(answer: answers.DutyProof, scene: Scene) -> list[Step]:
    """Ask for the PIN or the texted code. After each wrong entry the wait is longer."""
    before: list[Step] = []
    if answer.attempt > 1:
        before = [*scene.say(PromptKey.DUTY_WRONG), scene.sound(2 * answer.attempt)]
    # A text takes a while to arrive.
    said = [
        *scene.say(PromptKey.DUTY_CODE if answer.texted else PromptKey.DUTY_PIN),
        scene.sound(45 if answer.texted else 8),
    ]
    then = call_path(scene.call_id, "duty-proof", s=answer.state.value, n=answer.attempt)
    return [*before, Ask(said, then, seconds=4, digits=PIN_DIGITS), GoTo(then)]


@steps_for.register
def _duty_pin(answer: answers.DutyPin, scene: Scene) -> list[Step]:
    """Ask for a new PIN, and for the same again."""
    said = scene.say(PromptKey.DUTY_PIN_REFUSED) if answer.refused else []
    said += scene.say(PromptKey.DUTY_PIN_AGAIN if answer.again else PromptKey.DUTY_PIN_NEW)
    then = call_path(scene.call_id, "duty-pin", s=answer.state.value, n=answer.attempt)
    return [Ask([*said, scene.sound(8)], then, seconds=4, digits=PIN_DIGITS), GoTo(then)]


@steps_for.register
def _duty_refused(answer: answers.DutyRefused, scene: Scene) -> list[Step]:
    said = _told_only_a_pin(scene) if answer.only_a_pin else scene.say(PromptKey.DUTY_REFUSED)
    return [*said, *steps_for(answers.Menu(), scene)]


def _told_only_a_pin(scene: Scene) -> list[Spoken]:
    return say_only_a_pin(scene) or [*scene.say(PromptKey.DUTY_REFUSED)]


def say_only_a_pin(scene: Scene) -> list[Spoken]:
    """Say that only a PIN counts, in the language of the call; nothing if pages have none such."""
    speaker = scene.speaker
    if speaker.language not in pages.page_languages():
        return []
    with pages.spoken_in(speaker.language):
        return [Say(pages.said(ONLY_A_PIN), speaker.locale, speaker.voice)]


_DUTY_PROMPTS = {
    DutyChoice.AVAILABLE: PromptKey.DUTY_AVAILABLE,
    DutyChoice.BREAK: PromptKey.DUTY_BREAK,
    DutyChoice.OFF_DUTY: PromptKey.DUTY_OFF,
}


@steps_for.register
def _duty_set(answer: answers.DutySet, scene: Scene) -> list[Step]:
    return [*scene.say(_DUTY_PROMPTS[answer.state]), *scene.say(PromptKey.GOODBYE), HangUp()]


@steps_for.register
def _partner(answer: answers.Partner, scene: Scene) -> list[Step]:
    """Ring the partner. A caller whom the partner does not take returns to us, in the old place."""
    n = answer.n
    number = read_plan(scene.line.plan).partner_number
    then = call_path(scene.call_id, "partner-left", n=n)
    if number is None:
        # It was taken out a moment ago.
        return [GoTo(then)]
    ask = call_path(scene.call_id, "partner", n=0)
    return [
        *scene.say(PromptKey.PARTNER),
        Ring(number, ask, then, scene.line.shown_number),
        GoTo(then),
    ]


@steps_for.register
def _partner_ask(answer: answers.PartnerAsk, scene: Scene) -> list[Step]:
    then = call_path(scene.call_id, "partner", n=answer.attempt + 1)
    said: list[Spoken] = list(scene.say(PromptKey.PARTNER_ASK, digit=TAKE_DIGIT))
    return [Ask(said, then, seconds=6), GoTo(then)]


@steps_for.register
def _nothing(answer: answers.Nothing, scene: Scene) -> list[Step]:
    return []


def trouble_steps(path: str, spoken: Iterable[str]) -> list[Step]:
    """Return comfort, a pause and the same request again, for when we cannot decide anything.

    Not even the database can say which language to speak: all that are `spoken` are.
    """
    said = [Say(one.trouble, *words.voice_for(one.code)) for one in words.with_voice(spoken)]
    return [*said, Pause(TROUBLE_PAUSE), GoTo(path)]
