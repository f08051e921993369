"""Every measure of calls and contacts, counted a second time."""

from collections import Counter
from datetime import datetime
from typing import Any

from tests.support.recount.logs import FromLog, second


def _divide(above: float, below: float) -> float | None:
    return round(above / below, 6) if below else None


def _percentile(values: list[int], share: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 6)


def _wait(one: FromLog) -> int:
    until = one.answered if one.answered is not None else one.ended
    if one.outcome in ("voicemail", "callback_requested") and one.left is not None:
        until = one.left
    assert until is not None
    assert one.queued is not None
    # An end that was told late may lie before the queue.
    return max(until - one.queued, 0)


TO_ANSWER = ("voicemail", "message_left", "callback_requested")


class _Waits:
    """How long callers waited: until an answer, until they gave up, or until they were put off."""

    def __init__(self, calls: list[FromLog]) -> None:
        self.answered = [one for one in calls if one.outcome == "answered"]
        self.left = [o for o in calls if o.outcome in ("short_abandon", "abandoned_in_queue")]
        put_off = TO_ANSWER
        self.waits = [_wait(one) for one in self.answered if one.queued is not None]
        self.gone = [_wait(one) for one in self.left]
        self.later = [_wait(o) for o in calls if o.outcome in put_off and o.queued is not None]
        self.again = [seconds for one in calls for seconds in one.again]


def measured(ones: list[FromLog], target: int = 20) -> dict[str, Any]:
    """All measures of some calls and contacts."""
    calls = [one for one in ones if one.is_call]
    waits = _Waits(calls)
    return {
        **_outcomes(calls, waits),
        **_service_levels(calls, waits, target),
        **_times_of_waits(waits),
        **_handling(ones, waits),
        **_offers_and_danger(calls),
        **_first_words(calls),
        **_in_writing([one for one in calls if one.written]),
        **_contacts([one.contact for one in ones if one.contact]),
    }


def _outcomes(calls: list[FromLog], waits: _Waits) -> dict[str, Any]:
    n = Counter(one.outcome for one in calls)
    entered = [one for one in calls if one.queued is not None]
    away = [o.circumstance for o in calls if o.outcome == "turned_away"]
    abandoned = len(waits.left)
    return {
        "calls": len(calls),
        "offered": len(entered) - n["short_abandon"],
        "answered": n["answered"],
        "abandoned": n["abandoned_in_greeting"] + abandoned,
        "abandoned_in_greeting": n["abandoned_in_greeting"],
        "short_abandons": n["short_abandon"],
        "abandoned_in_queue": n["abandoned_in_queue"],
        "voice_messages": n["voicemail"],
        "messages_left": n["message_left"],
        "callbacks_requested": n["callback_requested"],
        "transferred_out": n["transferred_out"],
        "turned_away": n["turned_away"],
        "no_counsellor": away.count("no_counsellor_on_duty"),
        "out_of_hours": away.count("out_of_hours"),
        "abandoned_unstaffed": sum(o.circumstance != "staffed" for o in waits.left),
        "put_off": len(waits.later),
        "blocked": n["blocked"],
        "failed": n["failed"],
        "unreachable": n["unreachable"],
        "lost": n["lost"],
        "not_ended": n["open"],
        "abandonment": _divide(abandoned, len(entered)),
    }


def _service_levels(calls: list[FromLog], waits: _Waits, target: int) -> dict[str, Any]:
    short = sum(one.outcome == "short_abandon" for one in calls)
    quick = sum(w <= target for w in waits.waits)
    quickly_gone = sum(w <= target for w in waits.gone)
    quickly_put_off = sum(w <= target for w in waits.later)
    answered, later = len(waits.answered), len(waits.later)
    whole = answered + len(waits.left) + later
    return {
        "service_level": _divide(quick, whole),
        "service_level_1": _divide(quick + quickly_gone + quickly_put_off, whole),
        "service_level_2": _divide(quick, answered),
        "service_level_4": _divide(quick, whole - quickly_gone - quickly_put_off),
        "service_level_5": _divide(quick + short, whole),
    }


def _times_of_waits(waits: _Waits) -> dict[str, Any]:
    answered, left, later = len(waits.answered), len(waits.left), len(waits.later)
    every = [*waits.waits, *waits.gone, *waits.later]
    return {
        "second_waits": len(waits.again),
        "second_wait": _divide(sum(waits.again), len(waits.again)),
        "asa": _divide(sum(waits.waits), answered),
        "mean_wait": _divide(sum(every), answered + left + later),
        "time_to_abandon": _divide(sum(waits.gone), left),
        "wait_median": _percentile(waits.waits, 0.5),
        "wait_p90": _percentile(waits.waits, 0.9),
        "wait_p95": _percentile(waits.waits, 0.95),
        "longest_wait": max([*every, *waits.again], default=None),
        "time_to_abandon_median": _percentile(waits.gone, 0.5),
    }


def _handling(ones: list[FromLog], waits: _Waits) -> dict[str, Any]:
    """How long counsellors were busy with calls, inbound and outbound."""
    answered = len(waits.answered)
    talk, hold = sum(o.talk for o in waits.answered), sum(o.hold for o in waits.answered)
    wrap = sum(o.wrap for o in waits.answered)
    rung = [one for one in ones if one.outbound]
    reached = [one for one in rung if one.outbound == 2]
    rung_seconds = sum(o.talk + o.hold + o.wrap for o in reached)
    return {
        "outbound": len(rung),
        "outbound_reached": len(reached),
        "aht_outbound": _divide(rung_seconds, len(reached)),
        "aht_all": _divide(talk + hold + wrap + rung_seconds, answered + len(reached)),
        "aht": _divide(talk + hold + wrap, answered),
        "talk": _divide(talk, answered),
        "hold": _divide(hold, answered),
        "wrap_up": _divide(wrap, answered),
    }


def _offers_and_danger(calls: list[FromLog]) -> dict[str, Any]:
    offers, missed = sum(o.offers for o in calls), sum(o.missed for o in calls)
    return {
        "offers": offers,
        "missed_offers": missed,
        "declined_offers": sum(o.declined for o in calls),
        "rona": _divide(missed, offers),
        "transfers": sum(o.transfers for o in calls),
        "inherited": sum(o.inherited for o in calls),
        "outside": sum(o.outside for o in calls),
        "returned": sum(o.returned for o in calls),
        "danger_calls": sum(o.danger for o in calls),
        "number_known": sum(o.before is not None for o in calls),
        "repeat_calls": sum(bool(o.before) for o in calls),
    }


def _by(one: FromLog, *authors: str) -> list[datetime]:
    return [at for author, at in one.wrote if author in authors]


def _first_words(calls: list[FromLog]) -> dict[str, Any]:
    """How long it took until a person said something, or answered what was left."""
    words = []
    for one in calls:
        if one.outcome == "answered":
            wrote = [second(at) for at in _by(one, "counsellor")]
            spoke = min(wrote, default=None) if one.written else one.answered
            words += [spoke - second(one.at)] if spoke is not None else []
    left = [one for one in calls if one.outcome in TO_ANSWER]
    answers = []
    for one in left:
        answers += [
            second(at) - second(one.at)
            for at in ([one.rung_back] if one.rung_back else _by(one, "counsellor")[:1])
        ]
    return {
        "first_word": _divide(sum(words), len(words)),
        "first_word_median": _percentile(words, 0.5),
        "first_word_p90": _percentile(words, 0.9),
        "answered_later": _divide(len(answers), len(left)),
        "first_answer": _divide(sum(answers), len(answers)),
        "first_answer_median": _percentile(answers, 0.5),
    }


def _in_writing(written: list[FromLog]) -> dict[str, Any]:
    """What was written, and who left before a counsellor came."""
    taken = [one for one in written if one.outcome == "answered"]
    lost = [one for one in written if one.outcome not in ("answered", "open")]
    child = [len(_by(one, "child")) for one in taken]
    helpline = [len(_by(one, "counsellor")) for one in taken]
    used = sum("child_back" in one.kinds for one in written)
    given = sum(bool(one.kinds & {"code_given", "child_back"}) for one in written)
    return {
        "conversations": len(written),
        "messages_of_child": _divide(sum(child), len(taken)),
        "messages_of_helpline": _divide(sum(helpline), len(taken)),
        "messages_of_child_median": _percentile(child, 0.5),
        "messages_of_helpline_median": _percentile(helpline, 0.5),
        "left_typing": _divide(sum("left_typing" in one.kinds for one in lost), len(lost)),
        "codes_given": given,
        "codes_used": _divide(used, given),
    }


def _contacts(contacts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "contacts": len(contacts),
        "contacts_completed": sum(c["state"] == "complete" for c in contacts),
        "non_counselling": sum(c["closed_as"] is not None for c in contacts),
        "urgent_contacts": sum(c["urgency"] in ("immediate", "urgent") for c in contacts),
    }
