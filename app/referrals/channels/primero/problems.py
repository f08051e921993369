"""What can be wrong between a referral and the agency's system. Pure.

Rows and programs keep our sentences in English; a page says them in the language of its reader.
They stand in rows that are not sealed, in the chained log, and stay after an erasure: they name
fields alone. Which code it was, and the words of the other system, are for the sealed words of an
event.
"""

from app.errors import Message, recognised
from app.referrals.reasons import words_of
from app.words.pages import N_, message_words

NO_FIELD = N_("%(field)s: their forms have no such field")
SEVERAL = N_("%(field)s: takes several values")
ONE = N_("%(field)s: takes one value")
NO_VALUE = N_("%(field)s: their list has no such value")
TICK_BOX = N_("%(field)s: is a tick box")
DATE = N_("%(field)s: is a date")
WHOLE_NUMBER = N_("%(field)s: is a whole number")
ONE_ONLY = N_("%(question)s: %(field)s takes one value only")
NOT_ITS_API = N_("its response does not match its API")
FORMS_NOT_ITS_API = N_("its forms do not match its API")
NO_ID = N_("no id of the referral came back")
TAKEN_BACK = N_("taken back in the meantime")
NO_ACCESS = N_("no access to it any more")

# A template with which others begin comes after them.
_KNOWN = (
    NO_FIELD,
    SEVERAL,
    ONE_ONLY,
    ONE,
    NO_VALUE,
    TICK_BOX,
    DATE,
    WHOLE_NUMBER,
    NOT_ITS_API,
    FORMS_NOT_ITS_API,
    NO_ID,
    TAKEN_BACK,
    NO_ACCESS,
    N_("status %(status)s"),
)
_BETWEEN = "; "


class NoValue(Message):
    """There is no value for a code: the field is named in the open, the code in sealed words."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(NO_VALUE, field=field)
        self.sealed = f"{field}: {code}"


def kept(problems: list[Message]) -> str:
    """Return problems as they are stored, each once: how many codes a field lacks is not said."""
    return _BETWEEN.join(dict.fromkeys(str(one) for one in problems))


def sealed_words(problems: list[Message]) -> str:
    """Return the codes that problems are about. They are stored sealed."""
    return _BETWEEN.join(dict.fromkeys(one.sealed for one in problems if isinstance(one, NoValue)))


def problem_words(stored: str | None) -> str:
    """Return stored problems in the reader's language."""
    return _BETWEEN.join(
        message_words(words_of(one) or recognised(one, _KNOWN))
        for one in (stored or "").split(_BETWEEN)
        if one
    )
