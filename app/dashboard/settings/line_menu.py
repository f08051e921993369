"""The menu of a line as a drawing: what a caller hears, and where each key leads."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.calls.menu import CALLBACK_DIGIT, LAST_DIGIT, MENU_ATTEMPTS, MESSAGE_DIGIT
from app.calls.speech import LineScript
from app.dashboard.settings.line_views import Part
from app.words.keys import PromptKey
from app.words.pages import _, language_name, list_words

_K = PromptKey


class Turn(NamedTuple):
    """A place in the menu: the keys that lead there, what happens and is heard, what follows."""

    keys: tuple[str, ...]
    words: str
    heard: tuple[Part, ...]
    leads: tuple["Turn", ...] = ()


def menu_of(line: LineScript, heard: Mapping[PromptKey, Part]) -> Turn:
    """Return the menu of a line from the first ring on, with the words of one language."""

    def turn(
        words: str, says: Sequence[PromptKey] = (), *leads: Turn, keys: Sequence[str] = ()
    ) -> Turn:
        return Turn(tuple(keys), words, tuple(heard[key] for key in says), leads)

    message = (_K.LEAVE_MESSAGE, _K.MESSAGE_THANKS)
    called_back = turn(
        _("asks to be called back, if the number can be rung"),
        (_K.OFFER_CALLBACK, _K.CALLBACK_SAFE, _K.CALLBACK_WHO, _K.CALLBACK_WHEN, _K.CALLBACK_KEPT),
        keys=(CALLBACK_DIGIT,),
    )
    in_danger = _("is in danger: comes before all others, and is referred if no counsellor answers")
    danger = turn(in_danger, (_K.DANGER_HEARD,), keys=(line.danger_digit,))
    first = turn(
        in_danger,
        (_K.WAIT_FIRST, _K.WAIT_NEXT, _K.WAIT_KEYS, _K.PRIVACY),
        keys=(line.danger_digit,),
    )
    waits = turn(
        _("A counsellor is on duty: the caller waits"),
        (_K.WAIT_FIRST, _K.WAIT_PLACE, _K.WAIT_KEYS, _K.PRIVACY),
        turn(_("A counsellor takes the call"), (_K.GOODBYE,)),
        danger,
        turn(_("leaves a voice message"), message, keys=(MESSAGE_DIGIT,)),
        turn(
            _("waits for the counsellor of the last call, if there was one"),
            (_K.WISH_KEPT,),
            keys=(LAST_DIGIT,),
        ),
        called_back,
    )
    recorded = turn(_("says nothing, or waits for the tone: leaves a voice message"), message)
    away = turn(
        _("The line is closed, or no counsellor is on duty"),
        (_K.OUT_OF_HOURS, _K.OUT_OF_HOURS_UNKNOWN, _K.NO_COUNSELLOR_ON_DUTY),
        called_back,
        recorded,
    )
    several = len(line.languages) > 1
    words = _("any other key, or none")
    if several:
        names = list_words(language_name(one.language) for one in line.languages)
        words = _(
            "%(languages)s; without a key, the first is taken after %(times)s questions",
            languages=names,
            times=MENU_ATTEMPTS,
        )
    digits = [one.digit for one in line.languages] if several else []
    chosen = turn(words, (), waits, away, keys=digits)
    greeting = (_K.GREETING, _K.DANGER, *((_K.CHOOSE_LANGUAGE,) if several else ()))
    return turn(_("The line is rung"), greeting, first, chosen)
