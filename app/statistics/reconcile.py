"""Calls against contacts: what one file says of both, and why they differ. Pure."""

from typing import NamedTuple

from app.statistics.measures import Sums


class Line(NamedTuple):
    """A line of the reconciliation; lines with a sign add up to the last one, which is 0."""

    words: str
    number: int


def reconcile(sums: Sums, recorded: int | None = None) -> list[Line]:
    """From answered calls to contacts, step by step.

    `recorded` is how many contacts the record itself holds, counted apart from the statistics;
    with it stands what is left unexplained.
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
        Line("plus contacts of voice messages", messages),
        Line("plus contacts of calls that go on", going_on),
        Line("plus contacts of calls with another outcome", others),
        Line("plus contacts of calls that we rang", backs),
        Line("plus contacts without a call (visits, letters, e-mail, …)", elsewhere),
        Line("Contacts", sums["contacts"]),
    ]
    if recorded is not None:
        lines.append(Line("Contacts in the record, counted by themselves", recorded))
        lines.append(Line("Not explained", recorded - sums["contacts"]))
    return lines


def unexplained(lines: list[Line]) -> int:
    """What the steps do not explain, and the record does not say."""
    steps = [line.number for line in lines[:7]]
    whole = {line.words: line.number for line in lines}
    return abs(sum(steps) - whole["Contacts"]) + abs(whole.get("Not explained", 0))
