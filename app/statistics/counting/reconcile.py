"""Reconcile calls with contacts: why their numbers differ. Pure."""

from typing import NamedTuple

from app.statistics.sums import Sums


class Line(NamedTuple):
    """A line of the reconciliation; the lines before `Contacts` add up to it."""

    words: str
    number: int


def reconcile(sums: Sums, recorded: int | None = None) -> list[Line]:
    """Return the lines that lead from answered calls to contacts.

    `recorded` is how many contacts the record itself holds, counted apart from the statistics; if
    it is given, a last line shows the difference that is not explained.
    """
    answered = sums["answered"]
    without = answered - sums["answered_with_contact"]
    backs = sums["callback_contacts"]
    elsewhere = sums["contacts"] - sums["call_contacts"] - backs
    messages, going_on = sums["message_contacts"], sums["open_contacts"]
    others = sums["call_contacts"] - sums["answered_with_contact"] - messages - going_on
    lines = [
        Line("Answered calls", answered),
        Line("less answered calls without a contact", -without),
        Line("plus contacts of voice messages and messages left", messages),
        Line("plus contacts of calls in progress", going_on),
        Line("plus contacts of calls with another outcome", others),
        Line("plus contacts of call-backs", backs),
        Line("plus contacts without a call (visits, letters, e-mail, …)", elsewhere),
        Line("Contacts", sums["contacts"]),
    ]
    if recorded is not None:
        lines.append(Line("Contacts in the record, counted separately", recorded))
        lines.append(Line("Not explained", recorded - sums["contacts"]))
    return lines


def unexplained(lines: list[Line]) -> int:
    """Return how many contacts the lines leave unexplained."""
    steps = [line.number for line in lines[:7]]
    whole = {line.words: line.number for line in lines}
    return abs(sum(steps) - whole["Contacts"]) + abs(whole.get("Not explained", 0))
