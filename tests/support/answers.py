"""An answer of every kind, and a line on which each can be spoken."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from app import words
from app.calls.speech import LineScript, Spoken
from app.calls.states import Unstaffed
from app.routing.callbacks.choices import Who
from app.settings import Settings
from app.telephony import answers, script
from app.telephony.answers import Answer, CallbackQuestion, CallbackWord, DutyChoice
from app.words.keys import PromptKey

SETTINGS = Settings(public_url="https://helpline.example.org")


# What only a platform with conferences is told, and what only one without.
CONFERENCES = (
    answers.QuestionOver,
    answers.Join,
    answers.JoinCounsellor,
    answers.JoinParticipant,
    answers.Hold,
    answers.Silence,
)


DIALLED = (answers.Dial, answers.DialCallback, answers.RingsAgain)


NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


CALL, OFFER = UUID(int=1), UUID(int=2)


def line_in(*languages: str) -> LineScript:
    """Return a line that speaks these languages, in the shipped words."""
    return LineScript(
        id=UUID(int=3),
        number="+38111116111",
        name="Plavi telefon",
        country="RS",
        timezone="Europe/Belgrade",
        danger_digit="9",
        languages=tuple(
            Spoken(language, str(key), words.voice_for(language)[0], None)
            for key, language in enumerate(languages, 1)
        ),
        prompts={},
        plan={"partner_number": "+38111222333"},
    )


def line_beside(language: str) -> LineScript:
    """Return a line that speaks a language and, as most lines do, English beside it."""
    return line_in(language, "sr" if language == "en" else "en")


LINE = line_in("sr", "en")


KEPT_WORD = CallbackWord(key=PromptKey.CALLBACK_KEPT, begins=NOW, ends=NOW + timedelta(hours=3))


ANSWERS: list[Answer] = [
    answers.Menu(),
    answers.Menu(attempt=2),
    answers.Enqueue(entry=1),
    answers.Enqueue(entry=2, returned=True),
    answers.Enqueue(entry=2, transferred=True),
    answers.Wait(entry=1, step=0, ahead=0),
    answers.Wait(entry=1, step=3, ahead=4),
    answers.Wait(entry=1, step=4, ahead=4, long=True),
    answers.Wait(entry=1, step=1),
    answers.Wait(entry=1, step=0, ahead=0, last=True),
    answers.Wait(entry=1, step=1, wish=True),
    answers.Wait(entry=1, step=4, ahead=1, long=True, callback=True),
    answers.Wait(entry=1, step=5, danger=True),
    answers.Wait(entry=1, step=5, draining=True, ahead=1),
    answers.Wait(entry=1, step=6, short=True, ahead=1),
    answers.Wait(entry=1, step=5, said=CallbackWord(key=PromptKey.CALLBACK_NOT)),
    answers.Wait(entry=1, step=5, said=KEPT_WORD),
    answers.Leave(),
    answers.GoBack(entry=2),
    answers.Message(n=1, reason=Unstaffed.OUT_OF_HOURS, resumes_at=NOW),
    answers.Message(n=1, reason=Unstaffed.OUT_OF_HOURS),
    answers.Message(n=1, reason=Unstaffed.NO_COUNSELLOR_ON_DUTY),
    answers.Message(n=2, thanks=True),
    answers.Message(n=2, said=KEPT_WORD),
    answers.Message(n=2, callback=True),
    answers.AskCallback(question=CallbackQuestion.SAFE, n="1.5"),
    answers.AskCallback(question=CallbackQuestion.WHO, n="1.5"),
    answers.AskCallback(question=CallbackQuestion.WHEN, n="1.5", who=Who.ANYONE),
    answers.Blocked(n=1),
    answers.Partner(n=3),
    answers.PartnerAsk(attempt=0),
    answers.Join(offer_id=OFFER),
    answers.JoinCounsellor(offer_id=OFFER, room_id=OFFER),
    answers.Dial(offer_id=OFFER),
    answers.DialCallback(offer_id=OFFER),
    answers.RingsAgain(),
    answers.Whisper(),
    answers.Whisper(attempt=1, again=True),
    answers.Whisper(dialled=True),
    answers.Whisper(proof=True),
    answers.Whisper(attempt=1, proof=True, only_a_pin=True),
    answers.AskByKey(code="safe", question_id=OFFER, n=2),
    answers.QuestionOver(offer_id=OFFER, heard=True),
    answers.Hold(),
    answers.Hold(lost=True),
    answers.Silence(),
    answers.DutyMenu(n=1),
    answers.DutyProof(state=DutyChoice.AVAILABLE, attempt=1),
    answers.DutyProof(state=DutyChoice.AVAILABLE, attempt=2, texted=True),
    answers.DutyPin(state=DutyChoice.BREAK, attempt=1),
    answers.DutyPin(state=DutyChoice.BREAK, attempt=2, again=True),
    answers.DutyPin(state=DutyChoice.BREAK, attempt=3, refused=True),
    answers.DutyRefused(),
    answers.DutySet(state=DutyChoice.BREAK),
    answers.AskParticipant(participant_id=OFFER, outside=True),
    answers.AskParticipant(participant_id=OFFER, attempt=1),
    answers.AskParticipant(participant_id=OFFER, proof=True),
    answers.AskParticipant(participant_id=OFFER, attempt=1, proof=True, only_a_pin=True),
    answers.JoinParticipant(participant_id=CALL, room_id=OFFER, muted=True),
    answers.JoinParticipant(participant_id=CALL, room_id=OFFER, coach="CA1"),
    answers.Taken(),
    answers.Goodbye(),
    answers.Farewell(),
    answers.HangUp(),
    answers.Nothing(),
]


SCENE = script.Scene(LINE, CALL, "sr", NOW, OFFER)
