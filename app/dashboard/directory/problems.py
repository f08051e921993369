"""What is wrong with a filled form of an agency, in words, at the field where it is mended."""

from typing import NamedTuple

from app.errors import Code, Conflict, Message, Refusal
from app.referrals.directory.agencies import MandateHeld
from app.referrals.directory.entries import EVERYWHERE, Problem
from app.words.pages import N_, message_words, said

LABELS = {
    "name": N_("Name"),
    "code": N_("Code"),
    "sector": N_("Sector"),
    "services": N_("Services"),
    "areas": N_("Places that it serves"),
    "age_from": N_("Youngest age"),
    "age_to": N_("Oldest age"),
    "hours": N_("Opening hours"),
    "timezone": N_("Time zone"),
    "languages": N_("Languages"),
    "email": N_("E-mail"),
    "sms": N_("Number for SMS"),
    "duty_phones": N_("Duty phones"),
    "deputy": N_("Stands in while it is closed"),
    "valid_from": N_("In use from"),
    "valid_until": N_("No longer in use from"),
    "verified_on": N_("Checked on"),
    "verified_by": N_("Checked by"),
    "mandated_for": N_("Recipient by law"),
    "webhook_url": N_("Address for signed events"),
    "primero": N_("Case management system"),
    "reach": N_("How it is reached"),
}
# Columns of problems that have their field under another name.
_FIELDS = {
    "duty_phones, email or sms": "reach",
    "primero url": "primero",
    "primero mapping": "primero",
}


class CodeTaken(Conflict):
    """A new agency was given the code of another one, which would be changed."""

    default = "Another agency has this code."


class ShownProblem(NamedTuple):
    """A problem as the form shows it: the field, its label, and what to change."""

    field: str
    label: str
    words: str


def labels() -> dict[str, str]:
    """Return the label of each field in the reader's language."""
    return {name: said(label) for name, label in LABELS.items()}


def shown(problems: list[Problem]) -> list[ShownProblem]:
    """Return each problem once, in the order in which the form has its fields."""
    found = []
    for one in dict.fromkeys((p.column, message_words(p.what)) for p in problems):
        field = _FIELDS.get(one[0], one[0])
        found.append(ShownProblem(field, said(LABELS.get(field, "")), one[1]))
    order = list(LABELS)
    return sorted(found, key=lambda one: order.index(one.field) if one.field in order else -1)


def problems_of(refusal: Refusal, place_label: dict[str, str]) -> list[Problem]:
    """Return the problems of a refusal; those of the fields have none of its codes."""
    if isinstance(refusal, CodeTaken):
        return [Problem("code", refusal.message)]
    if isinstance(refusal, MandateHeld):
        everywhere = refusal.place == EVERYWHERE
        what = Message(
            "%(service)s, %(place)s: by law it is %(agency)s. Remove it there first.",
            service=Code(refusal.service),
            place=Code("everywhere") if everywhere else place_label.get(refusal.place, ""),
            agency=refusal.holder,
        )
        return [Problem("mandated_for", what)]
    return [Problem("", refusal.message)]
