"""Spoken and written texts for the people of an agency, without any personal data. Pure.

The texts are letters in `app/words`; notices for our own people are messages of the pages.
"""

from typing import Any

from app import words
from app.errors import Refusal
from app.referrals.states import Purpose
from app.words.pages import N_
from app.words.parts import Foreign

_NOTICES = {
    "breach": N_("A deadline has passed"),
    "override": N_("A referral was made without consent: please review it"),
    "call_back": N_("An agency wants a call-back"),
    "question": N_("An agency has a question"),
    "rejected": N_("An agency has rejected a referral"),
    "no_agency_left": N_("No agency is left to ask in this round"),
    "wrong_service": N_("An agency says that it is the wrong service"),
    "urgency_lowered": N_("A referral is no longer immediate: check whether that is right"),
    "wrong_number": N_("A duty phone is a wrong number: correct the directory"),
    "address_changes": N_("The agency is to be reached at another address: is that right?"),
    "undelivered": N_("A message could not be delivered"),
    "completed": N_(
        "An agency has done its part: check whether it is enough, then close the referral"
    ),
    "withdrawn": N_(
        "Consent to an immediate referral was withdrawn: decide whether there is another "
        "ground to go on"
    ),
    "recall_wanted": N_(
        "An immediate referral is to be recalled: a second person has to confirm it"
    ),
    "ring_them": N_("An agency may not know the latest: ring and tell them"),
    "unmapped": N_("A referral could not be mapped for another system"),
    "danger_unanswered": N_("The danger key was pressed and no counsellor could take the call"),
    "escalated": N_("A referral was escalated to our own people on call"),
}


def language_for(languages: list[str]) -> str:
    """Return the first of an agency's languages that has words, else English."""
    return words.first_known(languages)


def service_words(language: str, service: str) -> str:
    return words.code_words(language, "service", service)


def urgency_words(language: str, urgency: str) -> str:
    return words.code_words(language, "urgency", urgency)


def basis_words(language: str, basis: str) -> str:
    """Return the basis of an override, or `consent`, in the words of letters."""
    return words.code_words(language, "ground", basis)


def spell(code: str) -> str:
    """Return a code as it is read aloud, letter by letter: R-7F3 becomes "R 7 F 3"."""
    return " ".join(code.replace("-", ""))


def speak(language: str, key: str, **values: str) -> str:
    """Return a sentence for the phone."""
    return words.letter(language, "duty_phone", key, **values)


def english(key: str) -> str:
    """Return a refusal to an agency in English, as programs and our own staff read it."""
    return words.letter(words.SOURCE, "agency_refusal", key)


def refusal(kind: type[Refusal], key: str) -> Refusal:
    """Return a refusal that an agency may read: in English, with the key of its letter."""
    return kind(english(key), letter=key)


def refusal_words(language: str, found: Refusal) -> str:
    """Return a refusal as an agency reads it; one without a letter is in English."""
    if not found.letter:
        return Foreign.of(found.detail, words.SOURCE)
    return words.letter(language, "agency_refusal", found.letter)


def write(
    language: str,
    purpose: Purpose,
    *,
    code: str,
    urgency: str,
    link: str,
    between: str,
    payload: dict[str, Any],
    phone: str,
) -> tuple[str, str]:
    """Return subject and body of a message, with `between` between its paragraphs."""

    def said(key: str, **values: str) -> str:
        return words.letter(language, "message", key, **values)

    lines = [f"{code}."]
    if purpose is Purpose.CODE:
        lines.append(said("code", number=payload.get("code", "")))
    else:
        urgent = urgency_words(language, urgency)
        lines.append(said(purpose, code=code, urgency=urgent, link=link))
        if payload.get("code"):
            other = said(payload["code_of"])
            lines.append(said("other_code", other=other, number=payload["code"]))
    if phone:
        lines.append(said("phone", phone=phone))
    return said("subject", code=code), between.join(lines)


def notice_words(kind: str) -> str:
    """Return what a notice is about, for our own people."""
    return _NOTICES.get(kind, kind)
