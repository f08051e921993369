"""Why an agency is asked, may not be told, or is not there: codes that are stored. Pure.

Their words are made where a page is made, in the language of its reader.
"""

from enum import StrEnum

from app.errors import Message


class Fits(StrEnum):
    """Why an agency is asked."""

    MANDATED = "mandated"
    DEPUTY = "deputy"
    SERVES_PLACE = "serves_this_place"
    SERVES_EVERYWHERE = "serves_everywhere"
    OPEN = "open_now"
    CLOSED = "closed_now"
    BY_HAND = "chosen_by_hand"
    SIBLING = "asked_about_sibling"


class Barred(StrEnum):
    """Why an agency may not be told."""

    NO_CONSENT = "no_consent"
    EXCLUDED = "excluded"
    WITHDRAWN = "consent_withdrawn"
    NOT_FOR_AUTHORITIES = "not_for_authorities"
    NOT_FOR_SERVICES = "not_for_services"
    OTHER_SERVICES = "for_other_services"


class WhyNoAgency(StrEnum):
    """Why no agency is asked."""

    NONE_FITS = "no_agency_fits"
    NONE_IN_TIME = "no_agency_in_time"


class TooLate(StrEnum):
    """Why what an agency said changes nothing."""

    OVER = "over"
    TAKEN = "taken_by_another"


class RingAbout(StrEnum):
    """What an agency has to be rung about, besides what could not be written to it."""

    DETAILS = "details"
    THEIR_SYSTEM = "at_their_system"
    # Its link was locked by wrong codes.
    CODES = "codes"


WORDS: dict[Fits | Barred | WhyNoAgency, Message] = {
    Fits.MANDATED: Message("the mandated recipient for this place"),
    Fits.DEPUTY: Message("deputy of an agency that is closed now"),
    Fits.SERVES_PLACE: Message("serves this place"),
    Fits.SERVES_EVERYWHERE: Message("serves everywhere"),
    Fits.OPEN: Message("open now"),
    Fits.CLOSED: Message("closed now: messages only until it opens"),
    Fits.BY_HAND: Message("chosen by hand"),
    Fits.SIBLING: Message("asked about a brother or sister"),
    Barred.NO_CONSENT: Message(
        "Nothing is sent: there is neither consent for this recipient nor an override with its "
        "basis and reason. Record one of them first."
    ),
    Barred.EXCLUDED: Message(
        "Nothing is sent: the consent excludes this recipient. "
        "Choose another one, or record an override that names it."
    ),
    Barred.WITHDRAWN: Message(
        "Nothing is sent: the consent was withdrawn. Record new consent, or an override with its "
        "basis and reason."
    ),
    Barred.NOT_FOR_AUTHORITIES: Message(
        "Nothing is sent: consent was given, but not for authorities. Ask for it, or record an "
        "override with its basis and reason."
    ),
    Barred.NOT_FOR_SERVICES: Message(
        "Nothing is sent: consent was given, but not for services. Ask for it, or record an "
        "override with its basis and reason."
    ),
    Barred.OTHER_SERVICES: Message(
        "Nothing is sent: consent was given for other services. "
        "Ask for it, or record an override with its basis and reason."
    ),
    WhyNoAgency.NONE_FITS: Message("no agency of the directory fits"),
    WhyNoAgency.NONE_IN_TIME: Message("no agency in time"),
}
_BY_CODE = {code.value: words for code, words in WORDS.items()}


def words_of(stored: str) -> Message | None:
    """Return the words of a stored code; None for any other text."""
    return _BY_CODE.get(stored)
