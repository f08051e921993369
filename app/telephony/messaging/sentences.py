"""What the program itself writes to a child by a carrier, in the language of the conversation.

The phone may be in other hands: no sentence says more than the conversation itself.
"""

from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.routing.rota import staffing
from app.telephony.spoken_times import speak_instant
from app.words.pages import _, spoken_in
from app.work import Work


async def words_of(work: Work, call: Call, line: LineScript, sentence: Sentence) -> str:
    """Return a sentence in words."""
    language = call.language or line.languages[0].language
    opens = ""
    if sentence is Sentence.CLOSED:
        at = await staffing.next_staffed(work, line, language, written=True)
        if at is not None and at > work.now:
            opens = speak_instant(at, work.now, line.timezone, language)
    with spoken_in(language):
        return _say(sentence, line, opens)


def _say(sentence: Sentence, line: LineScript, opens: str) -> str:
    emergency = line.emergency.replace(" ", "")
    match sentence:
        case Sentence.COUNSELLOR_HERE:
            return _("A counsellor is here now and reads what you wrote.")
        case Sentence.COUNSELLOR_LOST:
            return _(
                "Your counsellor was cut off. Another counsellor will go on. You need not repeat "
                "anything."
            )
        case Sentence.HANDED_OVER:
            return _("Another counsellor will go on with you. You need not repeat what you wrote.")
        case Sentence.BUSY_A_MOMENT:
            return _("Your counsellor is busy for a moment and will come back to you.")
        case Sentence.WAIT:
            return _(
                "We have your message. A counsellor will answer here soon. If you are in danger "
                "now, call %(emergency)s.",
                emergency=emergency,
            )
        case Sentence.CLOSED if opens:
            return _(
                "We have your message. No counsellor is here now; we are open again %(opens)s and "
                "will answer here. If you are in danger now, call %(emergency)s.",
                opens=opens,
                emergency=emergency,
            )
        case Sentence.CLOSED:
            return _(
                "We have your message. No counsellor is here now; we will answer here later. If "
                "you are in danger now, call %(emergency)s.",
                emergency=emergency,
            )
        case Sentence.NO_MEDIA:
            return _(
                "We cannot get pictures, sound or your location here. Please write it in words."
            )
        case Sentence.BLOCKED:
            return _(
                "We cannot answer you here now. If you are in danger now, write %(digit)s, or call "
                "%(emergency)s.",
                digit=line.danger_digit,
                emergency=emergency,
            )
        case Sentence.TOO_MANY:
            return _(
                "You have started a lot of conversations with us. We do not read what you write "
                "now. You can write again in an hour. If you are in danger now, write %(digit)s, "
                "or call %(emergency)s.",
                digit=line.danger_digit,
                emergency=emergency,
            )
        case Sentence.TOO_FAST:
            return _(
                "You write faster than we can read. Some of your words did not reach us. Wait a "
                "minute, then write again. If you are in danger now, call %(emergency)s.",
                emergency=emergency,
            )
        case Sentence.OPTED_OUT:
            return _("You will get no more messages from us. You can write again at any time.")
