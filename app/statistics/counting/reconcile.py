"""Reconcile calls with contacts: why their numbers differ. Pure."""

from typing import NamedTuple

from app.statistics.sums import Sums


class ReconciliationLine(NamedTuple):
    """A line of the reconciliation; the lines before `Contacts` add up to it."""

    words: str
    number: int


def reconcile(sums: Sums, recorded: int | None = None) -> list[ReconciliationLine]:
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
        ReconciliationLine("Answered calls", answered),
        ReconciliationLine("less answered calls without a contact", -without),
        ReconciliationLine("plus contacts of voice messages and messages left", messages),
        ReconciliationLine("plus contacts of calls in progress", going_on),
        ReconciliationLine("plus contacts of calls with another outcome", others),
        ReconciliationLine("plus contacts of call-backs", backs),
        ReconciliationLine("plus contacts without a call (visits, letters, e-mail, …)", elsewhere),
        ReconciliationLine("Contacts", sums["contacts"]),
    ]
    if recorded is not None:
        lines.append(ReconciliationLine("Contacts in the record, counted separately", recorded))
        lines.append(ReconciliationLine("Not explained", recorded - sums["contacts"]))
    return lines


def unexplained(lines: list[ReconciliationLine]) -> int:
    """Return how many contacts the lines leave unexplained."""
    steps = [line.number for line in lines[:7]]
    whole = {line.words: line.number for line in lines}
    return abs(sum(steps) - whole["Contacts"]) + abs(whole.get("Not explained", 0))
