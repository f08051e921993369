"""The menu of a line as a drawing: what a caller hears, and where each key leads."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from app.calls.menu import CALLBACK_DIGIT, LAST_DIGIT, MENU_ATTEMPTS, MESSAGE_DIGIT
from app.calls.speech import LineScript
from app.dashboard.settings.lines.line_views import PromptPart
from app.routing.plan import read_plan
from app.words.keys import PromptKey
from app.words.pages import _, language_name, list_words

_K = PromptKey
_MESSAGE = (_K.LEAVE_MESSAGE, _K.MESSAGE_THANKS)


class Turn(NamedTuple):
    """A place in the menu: the keys that lead there, what happens and is heard, what follows."""

    keys: tuple[str, ...]
    words: str
    heard: tuple[PromptPart, ...]
    leads: tuple["Turn", ...] = ()


class _Turns(Protocol):
    """Make a place, of the prompts that are heard there and the places that follow."""

    def __call__(
        self, words: str, says: Sequence[PromptKey] = (), *leads: Turn, keys: Sequence[str] = ()
    ) -> Turn: ...


def menu_of(line: LineScript, heard: Mapping[PromptKey, PromptPart]) -> Turn:
    """Return the menu of a line from the first ring on, with the words of one language."""

    def turn(
        words: str, says: Sequence[PromptKey] = (), *leads: Turn, keys: Sequence[str] = ()
    ) -> Turn:
        return Turn(tuple(keys), words, tuple(heard[key] for key in says), leads)

    parts = _Parts(line, turn)
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
    greeting = (_K.GREETING, _K.DANGER, *((_K.CHOOSE_LANGUAGE,) if several else ()))
    return turn(
        _("The line is rung"),
        greeting,
        parts.in_danger(),
        turn(words, (), parts.waits(), parts.away(), keys=digits),
        parts.blocked(),
    )


class _Parts:
    """The places of a menu, one by one."""

    def __init__(self, line: LineScript, turn: "_Turns") -> None:
        self.line, self.turn = line, turn
        self.plan = read_plan(line.plan)

    def in_danger(self) -> Turn:
        """Return what the danger key leads to before the wait."""
        first = (_K.WAIT_FIRST, _K.WAIT_NEXT, _K.WAIT_KEYS, _K.PRIVACY)
        return self.turn(
            self._danger_words(),
            (),
            self.turn(_("A counsellor is on duty: the caller waits"), first),
            self.away(),
            keys=(self.line.danger_digit,),
        )

    def _danger_words(self) -> str:
        return _("is in danger: comes before all others, and is referred if no counsellor answers")

    def waits(self) -> Turn:
        """Return the wait, with the keys and with what comes as it grows."""
        turn = self.turn
        return turn(
            _("A counsellor is on duty: the caller waits"),
            (_K.WAIT_FIRST, _K.WAIT_NEXT, _K.WAIT_PLACE, _K.WAIT_KEYS, _K.PRIVACY),
            turn(_("A counsellor takes the call"), (_K.GOODBYE,)),
            turn(self._danger_words(), (_K.DANGER_HEARD,), keys=(self.line.danger_digit,)),
            turn(_("leaves a voice message"), _MESSAGE, keys=(MESSAGE_DIGIT,)),
            turn(
                _("waits for the counsellor of the last call, if there was one"),
                (_K.ASK_FOR_LAST, _K.WISH_KEPT),
                keys=(LAST_DIGIT,),
            ),
            self._called_back(),
            turn(_("waits on"), (_K.WAITING_SOUND, _K.COMFORT, _K.LONG_WAIT)),
            *self._rung_while_waiting(),
            turn(_("waits while the last shift ends"), (_K.DRAINING,), self.away(may_ask=False)),
            turn(_("waits longer than a call may last: the call ends"), (_K.FAREWELL,)),
        )

    def _called_back(self) -> Turn:
        return self.turn(
            _("asks to be called back, if the number can be rung"),
            (
                _K.OFFER_CALLBACK,
                _K.CALLBACK_SAFE,
                _K.CALLBACK_WHO,
                _K.CALLBACK_WHEN,
                _K.CALLBACK_KEPT,
                _K.CALLBACK_NOT,
            ),
            keys=(CALLBACK_DIGIT,),
        )

    def _rung_while_waiting(self) -> list[Turn]:
        if self.plan.partner_number is None:
            return []
        return [
            self.turn(
                _(
                    "waits for %(seconds)s seconds: another service is rung",
                    seconds=self.plan.partner_after,
                ),
                (_K.PARTNER,),
                self._taken_by_partner(),
                self.turn(_("It does not take the call: waits on, in the same place")),
            )
        ]

    def _taken_by_partner(self) -> Turn:
        return self.turn(_("It takes the call"))

    def away(self, *, may_ask: bool = True) -> Turn:
        """Return what is heard where no counsellor is there. `may_ask`: for a call-back."""
        why = (_K.OUT_OF_HOURS, _K.OUT_OF_HOURS_UNKNOWN, _K.NO_COUNSELLOR_ON_DUTY)
        recorded = self.turn(
            _("says nothing, or waits for the tone: leaves a voice message"), _MESSAGE
        )
        leads = [self._called_back(), recorded] if may_ask else [recorded]
        words = _("The line is closed, or no counsellor is on duty")
        if self.plan.partner_number is None:
            return self.turn(words, why, *leads)
        return self.turn(
            _("The line is closed, or no counsellor is on duty: another service is rung at once"),
            (_K.PARTNER,),
            self._taken_by_partner(),
            self.turn(_("It does not take the call"), why, self._called_back(), recorded),
        )

    def blocked(self) -> Turn:
        """Return what a blocked number hears in place of the greeting."""
        danger = self.turn(self._danger_words(), keys=(self.line.danger_digit,))
        ends = self.turn(_("any other key, or none"), (_K.GOODBYE,))
        return self.turn(_("A blocked number hears this instead"), (_K.BLOCKED,), danger, ends)
