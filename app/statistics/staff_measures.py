"""Measures of counsellors' time: occupancy, use, adherence, and how evenly calls are shared.

The fairness index is that of Jain, Chiu and Hawe (DEC TR-301, 1984).
"""

from app.statistics.measures import ratio

SIGNED_IN = ("available", "offered", "on_call", "writing", "wrap_up", "break", "away")
STAFF_MEASURES: dict[str, str] = {
    "signed_in": "seconds in any state but off duty",
    "available": "seconds available and idle",
    "handling": "seconds on a call (with hold), helping in one, writing, or in wrap-up",
    "occupancy": "handling ÷ (handling + available + being rung); breaks and away do not count",
    "utilisation": "handling ÷ signed in",
    "offers": "offers that were made in the window",
    "answered": "of these, those that led to a talk",
    "missed": "of these, those that rang out or whose phone could not be reached",
    "declined": "of these, those that were declined",
    "rona": "missed ÷ offers",
    "contacts": "contacts that the counsellor owns, in any channel",
    "contacts_per_hour": "contacts ÷ hours signed in",
    "rostered": "seconds on the first layer of the rota, up to the moment of counting",
    "adherence": "of these, the share in which the counsellor was signed in, by quarter-hours",
}
# The load of written conversations; the last four are shares of its first.
AT_ONCE: dict[str, str] = {
    "chat_time": "seconds with at least one written conversation",
    "chats_at_once": "mean number of written conversations at once, in that time",
    "chats_most": "the most written conversations at once",
    "chats_1": "share of that time with one conversation",
    "chats_2": "share of that time with two at once",
    "chats_3": "share of that time with three at once",
    "chats_more": "share of that time with four or more at once",
}
COVERAGE_WORDS = (
    "share of the window in which at least one counsellor for the line was signed in and not on "
    "a break or away"
)
FAIRNESS_WORDS = (
    "Jain's index of offers per hour of availability, over counsellors who were available for an "
    "hour or more: 1 if all had the same rate, 1 ÷ n if one of n was offered everything"
)


def occupancy(handling: int, available: int, offered: int) -> float | None:
    return ratio(handling, handling + available + offered)


def jain(rates: list[float]) -> float | None:
    """Jain's fairness index: (Σx)² ÷ (n·Σx²)."""
    return ratio(sum(rates) ** 2, len(rates) * sum(rate * rate for rate in rates))
