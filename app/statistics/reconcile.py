"""Calls against contacts: what one file says of both, and why they differ. Pure."""

from typing import NamedTuple

from app.statistics.measures import Sums


class Line(NamedTuple):
    """A line of the reconciliation; lines with a sign add up to the last one, which is 0."""

    words: str
    number: int


def reconcile(sums: Sums) -> list[Line]:
    """From answered calls to contacts, step by step, and what is left unexplained."""
    answered = sums["answered"]
    without = answered - sums["answered_with_contact"]
    others = sums["call_contacts"] - sums["answered_with_contact"]
    elsewhere = sums["contacts"] - sums["call_contacts"]
    explained = answered - without + others + elsewhere
    return [
        Line("Answered calls", answered),
        Line("less answered calls without a contact", -without),
        Line("plus contacts of calls that were not answered (voice messages) or go on", others),
        Line("plus contacts without a call (visits, letters, e-mail, …)", elsewhere),
        Line("Contacts", sums["contacts"]),
        Line("Not explained", sums["contacts"] - explained),
    ]
