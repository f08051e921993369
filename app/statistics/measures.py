"""Every measure, defined once: its words, its unit, and its formula. Pure.

Sums over facts are counted (`sums.py`), and a measure is a formula over them, so a figure for any
window and any group is the formula over the sums of that group. All instants are cut to whole
seconds first, and durations are their differences. A formula whose denominator is 0 gives None,
never 0.

Sources: the definitions used in contact centres (service level in its five forms, ASA, AHT,
RONA, occupancy).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.statistics.sums import Sums

Unit = Literal["calls", "contacts", "offers", "seconds", "share", "messages"]
# The units of figures that are no counts: they do not add up.
MEANS = ("seconds", "share", "messages")


@dataclass(frozen=True)
class Measure:
    """A figure. `words` are its definition, shown wherever the figure is shown."""

    name: str
    title: str
    unit: Unit
    words: str
    formula: Callable[[Sums], float | int | None]
    # For a share: how many, and of how many.
    counts: Callable[[Sums], tuple[int, int]] | None = None


@dataclass(frozen=True)
class Percentile:
    """A percentile of waits in seconds, or of numbers of messages, by linear interpolation between
    the two nearest (the PERCENTILE function of a spreadsheet)."""

    name: str
    title: str
    words: str
    of: Literal[
        "wait_answered",
        "wait_abandoned",
        "first_word",
        "first_answer",
        "messages_of_child",
        "messages_of_helpline",
        "all",
    ]
    share: float
    unit: Unit = "seconds"


def ratio(above: float, below: float) -> float | None:
    """Return `above` divided by `below`, or None if `below` is 0."""
    return above / below if below else None


def _part(
    name: str, title: str, words: str, above: Callable[[Sums], int], below: Callable[[Sums], int]
) -> Measure:
    """Return a share, with the two counts that it is made of."""
    return Measure(
        name,
        title,
        "share",
        words,
        lambda s: ratio(above(s), below(s)),
        lambda s: (above(s), below(s)),
    )


def _sum(name: str) -> Callable[[Sums], int]:
    return lambda s: s[name]


def _share(above: str, below: str) -> Callable[[Sums], float | None]:
    return lambda s: ratio(s[above], s[below])


def _abandoned(s: Sums) -> int:
    """Return the calls abandoned in the queue, short abandons included."""
    return s["abandoned_in_queue"] + s["short_abandons"]


def _waited(s: Sums) -> int:
    """Return the calls whose wait has ended: answered, abandoned, or diverted (`put_off`)."""
    return s["answered"] + _abandoned(s) + s["put_off"]


def _counts(*entries: tuple[str, str, Unit, str]) -> list[Measure]:
    return [Measure(name, title, unit, words, _sum(name)) for name, title, unit, words in entries]


MEASURES: dict[str, Measure] = {
    m.name: m
    for m in [
        Measure(
            "calls",
            "Calls",
            "calls",
            "every inbound ring to our lines and every conversation that a child opened in "
            "writing, practice lines excluded; a call belongs to the period in which it arrived",
            _sum("calls"),
        ),
        Measure(
            "offered",
            "Offered",
            "calls",
            "calls that entered the queue, without short abandons",
            lambda s: s["entered"] - s["short_abandons"],
        ),
        *_counts(
            (
                "answered",
                "Answered",
                "calls",
                "calls in which caller and counsellor were both in the conference, and "
                "conversations that a counsellor took",
            ),
        ),
        Measure(
            "abandoned",
            "Abandoned",
            "calls",
            "calls whose caller left before a counsellor "
            "answered: in the greeting or in the queue, short abandons included",
            lambda s: s["abandoned_in_greeting"] + _abandoned(s),
        ),
        *_counts(
            (
                "abandoned_in_greeting",
                "Abandoned in the greeting",
                "calls",
                "the caller left before the queue",
            ),
            (
                "short_abandons",
                "Short abandons",
                "calls",
                "the caller left the queue sooner than the threshold in the settings",
            ),
            (
                "abandoned_in_queue",
                "Abandoned in the queue",
                "calls",
                "the caller left the queue "
                "after the threshold of a short abandon, or when no counsellor was left",
            ),
            (
                "abandoned_unstaffed",
                "Abandoned, no counsellor there",
                "calls",
                "of the calls "
                "abandoned in the queue, short abandons included, those in which no counsellor was "
                "there",
            ),
            (
                "voice_messages",
                "Voice messages",
                "calls",
                "calls that ended with a voice message and without a talk",
            ),
            (
                "messages_left",
                "Messages left in writing",
                "calls",
                "conversations that ended with written words of the child which no counsellor had "
                "read: the child left a message, or it was gone before a counsellor came",
            ),
            (
                "callbacks_requested",
                "Call-backs asked for",
                "calls",
                "calls that ended with the caller's request to be called back",
            ),
            (
                "transferred_out",
                "Transferred out",
                "calls",
                "calls that ended with a person outside the helpline",
            ),
            (
                "turned_away",
                "Turned away",
                "calls",
                "callers who were told on arrival that no "
                "counsellor was there, and left without a message or a call-back",
            ),
            (
                "no_counsellor",
                "Turned away, none signed in",
                "calls",
                "turned away while a counsellor was on shift and none had signed in",
            ),
            (
                "out_of_hours",
                "Turned away, none on shift",
                "calls",
                "turned away while no counsellor was on shift for line and language",
            ),
            ("blocked", "Blocked", "calls", "calls of callers who are blocked"),
            (
                "failed",
                "Failed",
                "calls",
                "calls that the provider ended as failed before our greeting",
            ),
            (
                "unreachable",
                "Unreachable",
                "calls",
                "calls that rang while we could not answer, "
                "and were found afterwards at the provider",
            ),
            ("lost", "Lost", "calls", "calls whose end the provider itself could not tell us"),
            ("not_ended", "In progress", "calls", "calls that had not ended when this was counted"),
        ),
        _part(
            "abandonment",
            "Abandonment",
            "abandoned in the queue, short abandons included, ÷ entered the queue",
            _abandoned,
            _sum("entered"),
        ),
        _part(
            "service_level",
            "Service level",
            "formula 3: answered within the target ÷ (answered "
            "+ abandoned in the queue, short abandons included + diverted to a message or a "
            "call-back after a wait); every caller who left the queue unanswered counts",
            _sum("answered_in_time"),
            _waited,
        ),
        _part(
            "service_level_1",
            "Service level, formula 1",
            "(answered + abandoned + diverted, "
            "all within the target) ÷ (answered + abandoned + diverted)",
            lambda s: s["answered_in_time"] + s["abandoned_in_time"] + s["put_off_in_time"],
            _waited,
        ),
        _part(
            "service_level_2",
            "Service level, formula 2",
            "answered within the target ÷ answered; callers who gave up do not count",
            _sum("answered_in_time"),
            _sum("answered"),
        ),
        _part(
            "service_level_4",
            "Service level, formula 4",
            "answered within the target ÷ (answered + abandoned or diverted after the target)",
            _sum("answered_in_time"),
            lambda s: _waited(s) - s["abandoned_in_time"] - s["put_off_in_time"],
        ),
        _part(
            "service_level_5",
            "Service level, formula 5",
            "(answered within the target + short abandons) ÷ (answered + abandoned + diverted)",
            lambda s: s["answered_in_time"] + s["short_abandons"],
            _waited,
        ),
        Measure(
            "put_off",
            "Diverted after a wait",
            "calls",
            "calls that left the queue for a voice message or a call-back",
            _sum("put_off"),
        ),
        Measure(
            "asa",
            "ASA",
            "seconds",
            "average speed of answer: seconds that answered calls "
            "waited in the queue ÷ answered calls",
            _share("wait_answered", "answered"),
        ),
        Measure(
            "mean_wait",
            "Mean wait",
            "seconds",
            "seconds in the queue until the call was "
            "answered, diverted to a message or a call-back, or abandoned ÷ these calls",
            lambda s: ratio(
                s["wait_answered"] + s["wait_abandoned"] + s["wait_put_off"], _waited(s)
            ),
        ),
        Measure(
            "first_word",
            "Time to the first word",
            "seconds",
            "mean seconds from the arrival to the first word of a counsellor, of answered calls "
            "and conversations: the answer of a call, the first message that a counsellor wrote; "
            "words of the program do not count",
            _share("first_word", "first_words"),
        ),
        _part(
            "answered_later",
            "Messages and call-backs answered",
            "voice messages, messages left in writing and call-backs asked for that were answered "
            "÷ all of them; answered is a call-back in which a counsellor and a person talked, or "
            "a written answer",
            _sum("first_answers"),
            _sum("to_answer"),
        ),
        Measure(
            "first_answer",
            "Time to the first answer",
            "seconds",
            "mean seconds from the arrival to that answer, of those that were answered",
            _share("first_answer", "first_answers"),
        ),
        Measure(
            "conversations",
            "Written conversations",
            "calls",
            "of the calls, those that a child opened in writing, by any channel",
            _sum("conversations"),
        ),
        Measure(
            "messages_of_child",
            "Messages of the child",
            "messages",
            "mean number of messages that the child wrote in a conversation that a counsellor took",
            _share("messages_of_child", "conversations_taken"),
        ),
        Measure(
            "messages_of_helpline",
            "Messages of the helpline",
            "messages",
            "mean number of messages that counsellors wrote to the child in a conversation that a "
            "counsellor took; those of the program do not count",
            _share("messages_of_helpline", "conversations_taken"),
        ),
        _part(
            "left_typing",
            "Left while typing",
            "conversations whose child left before a counsellor came while it was typing, or with "
            "words that it had not sent ÷ conversations that ended before a counsellor came",
            _sum("left_typing"),
            _sum("conversations_lost"),
        ),
        Measure(
            "codes_given",
            "Codes given",
            "calls",
            "messages left in writing whose child was given a code to come back for the answer",
            _sum("codes_given"),
        ),
        _part(
            "codes_used",
            "Codes used",
            "of the codes given, those with which the child came back, once or more often",
            _sum("codes_used"),
            _sum("codes_given"),
        ),
        Measure(
            "second_waits",
            "Second waits",
            "calls",
            "waits after a counsellor's line was lost or a hand-over failed",
            _sum("second_waits"),
        ),
        Measure(
            "second_wait",
            "Second wait, mean",
            "seconds",
            "mean seconds of these waits",
            _share("second_wait", "second_waits"),
        ),
        Measure(
            "time_to_abandon",
            "Time to abandon",
            "seconds",
            "mean seconds in the queue until the caller left, short abandons included",
            lambda s: ratio(s["wait_abandoned"], _abandoned(s)),
        ),
        Measure(
            "aht",
            "AHT",
            "seconds",
            "average handling time: (talk + hold + wrap-up) ÷ answered calls; conversations that "
            "a counsellor had at the same time count with their whole length each",
            lambda s: ratio(s["talk"] + s["hold"] + s["wrap_up"], s["answered"]),
        ),
        Measure(
            "aht_outbound",
            "AHT of call-backs",
            "seconds",
            "(talk with hold + wrap-up) ÷ call-backs in which a person was reached",
            lambda s: ratio(s["outbound_talk"] + s["outbound_wrap_up"], s["outbound_reached"]),
        ),
        Measure(
            "aht_all",
            "AHT with call-backs",
            "seconds",
            "both together: all handling of answered calls and reached call-backs ÷ their number",
            lambda s: ratio(
                s["talk"] + s["hold"] + s["wrap_up"] + s["outbound_talk"] + s["outbound_wrap_up"],
                s["answered"] + s["outbound_reached"],
            ),
        ),
        Measure(
            "outbound",
            "Call-backs made",
            "calls",
            "calls in which the helpline called back",
            _sum("outbound"),
        ),
        Measure(
            "outbound_reached",
            "Call-backs reached",
            "calls",
            "of the call-backs made, those in which a counsellor and a person talked",
            _sum("outbound_reached"),
        ),
        Measure(
            "talk",
            "Talk",
            "seconds",
            "mean seconds of talk, without hold, of answered calls",
            _share("talk", "answered"),
        ),
        Measure(
            "hold",
            "Hold",
            "seconds",
            "mean seconds on hold of answered calls",
            _share("hold", "answered"),
        ),
        Measure(
            "wrap_up",
            "Wrap-up",
            "seconds",
            "mean seconds of wrap-up after answered calls",
            _share("wrap_up", "answered"),
        ),
        Measure(
            "offers",
            "Offers",
            "offers",
            "how often these calls were offered to a counsellor; a hand-over does not count",
            _sum("offers"),
        ),
        Measure(
            "missed_offers",
            "Missed (RONA)",
            "offers",
            "offers that rang out or whose phone could not be reached",
            _sum("missed"),
        ),
        Measure(
            "declined_offers",
            "Declined",
            "offers",
            "offers that the counsellor declined",
            _sum("declined"),
        ),
        _part("rona", "RONA", "missed offers ÷ offers", _sum("missed"), _sum("offers")),
        Measure(
            "transfers",
            "Transfers",
            "calls",
            "hand-overs of a talk from one counsellor to "
            "another, not counting those after a lost line",
            _sum("transfers"),
        ),
        Measure(
            "outside",
            "Transfers to a partner",
            "calls",
            "hand-overs of a talk to a partner outside the helpline",
            _sum("outside"),
        ),
        Measure(
            "inherited",
            "Talks inherited",
            "calls",
            "talks that a colleague who was in "
            "the talk continued after the counsellor's line was lost",
            _sum("inherited"),
        ),
        Measure(
            "returned",
            "Returned to the queue",
            "calls",
            "times that a caller went back to the front because the counsellor's line was lost",
            _sum("returned"),
        ),
        Measure(
            "danger_calls",
            "Danger key",
            "calls",
            "calls in which the danger key was pressed",
            _sum("danger"),
        ),
        Measure(
            "number_known",
            "Number known",
            "calls",
            "calls whose number was not withheld",
            _sum("number_known"),
        ),
        Measure(
            "repeat_calls",
            "Called before",
            "calls",
            "of the calls whose number is known, "
            "those whose number had rung one of our lines before; a family or a school may "
            "share a number",
            _sum("called_before"),
        ),
        Measure(
            "contacts",
            "Contacts",
            "contacts",
            "records of talks, letters, visits; a contact "
            "belongs to the period in which its call arrived or, without a call, in which it "
            "was taken",
            _sum("contacts"),
        ),
        Measure(
            "contacts_completed",
            "Contacts complete",
            "contacts",
            "of the contacts, those whose record is complete",
            _sum("completed"),
        ),
        Measure(
            "non_counselling",
            "Non-counselling",
            "contacts",
            "of the contacts, those closed "
            "as silent, hang-up, wrong number, test, prank, abusive, thanks or question",
            _sum("non_counselling"),
        ),
        Measure(
            "urgent_contacts",
            "Urgent contacts",
            "contacts",
            "of the contacts, those whose urgency a counsellor set to immediate or urgent",
            _sum("urgent"),
        ),
    ]
}

PERCENTILES: dict[str, Percentile] = {
    p.name: p
    for p in [
        Percentile(
            "wait_median",
            "Wait, median",
            "half of the answered calls waited at most this many seconds",
            "wait_answered",
            0.5,
        ),
        Percentile(
            "wait_p90",
            "Wait, 9 in 10",
            "nine in ten answered calls waited at most this many seconds",
            "wait_answered",
            0.9,
        ),
        Percentile(
            "wait_p95",
            "Wait, 19 in 20",
            "nineteen in twenty answered calls waited at most this many seconds",
            "wait_answered",
            0.95,
        ),
        Percentile(
            "longest_wait",
            "Longest wait",
            "the longest wait of any call, whatever its outcome, second waits included, in seconds",
            "all",
            1.0,
        ),
        Percentile(
            "time_to_abandon_median",
            "Time to abandon, median",
            "half of the callers who left the queue had left within this many seconds",
            "wait_abandoned",
            0.5,
        ),
        Percentile(
            "first_word_median",
            "Time to the first word, median",
            "half of the answered calls and conversations had the first word of a counsellor "
            "within this many seconds of the arrival",
            "first_word",
            0.5,
        ),
        Percentile(
            "first_word_p90",
            "Time to the first word, 9 in 10",
            "nine in ten of them had it within this many seconds",
            "first_word",
            0.9,
        ),
        Percentile(
            "first_answer_median",
            "Time to the first answer, median",
            "half of the messages and call-backs that were answered had the answer within this "
            "many seconds of the arrival",
            "first_answer",
            0.5,
        ),
        Percentile(
            "messages_of_child_median",
            "Messages of the child, median",
            "half of the conversations that a counsellor took had at most this many messages of "
            "the child",
            "messages_of_child",
            0.5,
            "messages",
        ),
        Percentile(
            "messages_of_helpline_median",
            "Messages of the helpline, median",
            "half of the conversations that a counsellor took had at most this many messages of "
            "counsellors",
            "messages_of_helpline",
            0.5,
            "messages",
        ),
    ]
}

# In the order in which they are shown.
NAMES = (*MEASURES, *PERCENTILES)


def definition(name: str) -> Measure | Percentile:
    """Return a measure by its name. Raises KeyError."""
    return MEASURES.get(name) or PERCENTILES[name]


def rounded(value: float | int | None) -> float | int | None:
    """Return a value as it is shown and exported, with at most six digits after the point."""
    return round(value, 6) if isinstance(value, float) else value


# Each call that arrived is in one of these, and in one only.
IDENTITY = (
    "answered",
    "abandoned_in_greeting",
    "short_abandons",
    "abandoned_in_queue",
    "turned_away",
    "voice_messages",
    "messages_left",
    "callbacks_requested",
    "transferred_out",
    "blocked",
    "failed",
    "lost",
    "unreachable",
    "not_ended",
)
