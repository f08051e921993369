"""A second, naive count of everything that the statistics say."""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from app.privacy.keys import keys_in_program
from app.settings import parse_field_keys

HOME = "Europe/Belgrade"


BANDS = (
    (0, 2, "0-2"),
    (3, 6, "3-6"),
    (7, 9, "7-9"),
    (10, 12, "10-12"),
    (13, 15, "13-15"),
    (16, 17, "16-17"),
    (18, 99, "18+"),
)


def second(at: datetime) -> int:
    return int(at.timestamp() // 1)


@dataclass
class Told:
    """What the log tells of one call, or one contact without a call."""

    id: Any
    at: datetime
    zone: str
    line: str = "-"
    is_call: bool = True
    language: str = "?"
    outcome: str = "open"
    queued: int | None = None
    answered: int | None = None
    ended: int | None = None
    talk: int = 0
    hold: int = 0
    wrap: int = 0
    offers: int = 0
    missed: int = 0
    declined: int = 0
    transfers: int = 0
    inherited: int = 0
    outside: int = 0
    returned: int = 0
    outbound: int = 0
    circumstance: str = "-"
    left: int | None = None
    again: list[int] = field(default_factory=list)
    danger: bool = False
    caller: bytes | None = None
    before: bool | None = None
    counsellor: str = "-"
    channel: str = "call"
    contact: dict[str, Any] | None = None
    spoken: list[tuple[Any, datetime]] = field(default_factory=list)
    # Of a written conversation: who wrote, and when; what its log tells besides.
    written: bool = False
    wrote: list[tuple[str, datetime]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    # When a counsellor and a person talked in a call-back.
    rung_back: datetime | None = None

    @property
    def local(self) -> datetime:
        return self.at.astimezone(ZoneInfo(self.zone))


# The keys of the stage.
KEYS = keys_in_program(
    parse_field_keys("1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY="), "of the recount"
)


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    """Return a contact with all of its answers opened."""
    for path, sealed in row["sealed"].items():
        body = KEYS.open(base64.b64decode(sealed), table="contacts", column=path, row=row["id"])
        row["answers"][path] = json.loads(body)
    return row


def told(database: str) -> list[Told]:
    """Read the logs of everything that was not practice."""
    with psycopg.connect(database, row_factory=dict_row) as connection:
        lines = {r["id"]: r for r in connection.execute("SELECT * FROM lines")}
        events = defaultdict(list)
        for row in connection.execute("SELECT * FROM call_events ORDER BY id"):
            events[row["call_id"]].append(row)
        changes = defaultdict(list)
        for row in connection.execute("SELECT * FROM presence_changes ORDER BY id"):
            changes[str(row["counsellor_id"])].append(row)
        contacts = [_opened(row) for row in connection.execute("SELECT * FROM contacts")]
        of_call = {c["call_id"]: c for c in contacts if c["call_id"]}
        wrote, backs = _answers_of(connection)
        found, rung = [], set()
        for call in connection.execute("SELECT * FROM calls ORDER BY opened_at"):
            line = lines.get(call["line_id"])
            known = call["caller_key"] is not None and bytes(call["caller_key"])
            if line is None or not line["practice"]:
                one = _live(events[call["id"]], call, line)
                one.before = known in rung if known and not one.outbound else None
                one.wrap = sum(_wrap(changes[who], at) for who, at in one.spoken)
                one.wrote, one.rung_back = wrote[call["id"]], backs.get(call["id"])
                one.contact = of_call.get(call["id"])
                if one.contact is not None:
                    one.channel = one.contact["channel"]
                found.append(one)
            outbound = call["direction"] == "outbound"
            if known and not outbound and not (line is not None and line["practice"]):
                rung.add(known)
        found += [_visited(contact) for contact in contacts if contact["call_id"] is None]
    return found


def _answers_of(connection: Any) -> tuple[dict[Any, list[tuple[str, datetime]]], dict[Any, Any]]:
    """Return what was written in each conversation, and when each call was called back."""
    wrote = defaultdict(list)
    for row in connection.execute("SELECT * FROM chat_messages ORDER BY call_id, number"):
        if row["kind"] == "said":
            wrote[row["call_id"]].append((row["author"], row["at"]))
    asked = {row["id"]: row["call_id"] for row in connection.execute("SELECT * FROM callbacks")}
    backs: dict[Any, Any] = {}
    for row in connection.execute("SELECT * FROM calls WHERE callback_id IS NOT NULL"):
        call_id, at = asked[row["callback_id"]], row["answered_at"]
        if at is not None:
            backs[call_id] = min(at, backs.get(call_id, at))
    return wrote, backs


def _visited(contact: Any) -> Told:
    return Told(
        contact["id"],
        contact["taken_at"],
        HOME,
        is_call=False,
        language="-",
        outcome="-",
        counsellor=str(contact["owner_id"]),
        channel=contact["channel"],
        contact=contact,
    )


class _Reading:
    """One call, as its log is read event by event."""

    def __init__(self, call: Any, line: Any) -> None:
        zone, number = (line["timezone"], line["number"]) if line else (HOME, "?")
        self.one = Told(call["id"], call["opened_at"], zone, number)
        self.talks: list[tuple[int, int]] = []
        self._owner: dict[str, str] = {}
        self._talking = ""
        self._talks_since: int | None = None
        self._held_since: int | None = None
        self._resumed_at: int | None = None
        self._waits_since: int | None = None

    def read(self, event: Any) -> None:
        at, kind, detail = second(event["at"]), event["kind"], event["detail"]
        self._read_queue(at, kind, detail)
        self._read_offer(kind, detail)
        self._read_hold(at, kind)
        self._read_talk(event, at, kind, detail)

    def _read_queue(self, at: int, kind: str, detail: Any) -> None:
        one = self.one
        if kind == "enter_queue":
            one.queued = at if one.queued is None else one.queued
            one.language = detail["language"]
        if kind in ("counsellor_lost", "connect", "leave_queue", "end"):
            if self._waits_since is not None:
                one.again.append(max(at - self._waits_since, 0))
            self._waits_since = at if kind == "counsellor_lost" else None
        if kind == "leave_queue":
            one.left = at

    def _read_offer(self, kind: str, detail: Any) -> None:
        if kind == "offer":
            self.one.offers += 1
            self._owner[detail["offer_id"]] = detail["counsellor_id"]
        elif kind == "offer_accepted":
            self._talking = self._owner[detail["offer_id"]]
        elif kind == "offer_ended":
            self.one.missed += detail["offer"] == "missed"
            self.one.declined += detail["offer"] == "declined"

    def _read_hold(self, at: int, kind: str) -> None:
        one = self.one
        if kind == "hold":
            self._held_since, self._resumed_at = at, None
        elif kind == "resume" and self._held_since is not None:
            one.hold += max(at - self._held_since, 0)
            self._held_since, self._resumed_at = None, at
        elif kind == "hold_failed":
            # The provider said no: it was never held, or it never stopped being held.
            if self._held_since is None and self._resumed_at is not None:
                one.hold += max(at - self._resumed_at, 0)
                self._held_since, self._resumed_at = at, None
            else:
                self._held_since = None
        elif kind in ("counsellor_lost", "end"):
            self._resumed_at = None
            if self._held_since is not None:
                one.hold += max(at - self._held_since, 0)
                self._held_since = None

    def _read_talk(self, event: Any, at: int, kind: str, detail: Any) -> None:
        one = self.one
        if kind == "connect":
            one.answered = at if one.answered is None else one.answered
            one.counsellor, self._talks_since = self._talking, at
        elif kind == "handed_outside":
            one.outside += 1
        elif kind == "handed_over":
            one.inherited += bool(detail.get("inherited"))
            one.transfers += not detail.get("inherited")
            assert self._talks_since is not None
            self._end_talk(event, at)
            one.counsellor, self._talks_since = detail["counsellor_id"], at
        elif kind in ("counsellor_lost", "end"):
            self._end_talk(event, at)
            one.returned += kind == "counsellor_lost"
            if kind == "end":
                one.ended, one.outcome = at, detail["outcome"]
        elif kind == "outcome_restated":
            one.outcome = detail["outcome"]

    def _end_talk(self, event: Any, at: int) -> None:
        if self._talks_since is not None:
            self.talks.append((self._talks_since, at))
            self.one.spoken.append((self.one.counsellor, event["at"]))
            self._talks_since = None


def _live(events: list[Any], call: Any, line: Any) -> Told:
    reading = _Reading(call, line)
    for event in events:
        reading.read(event)
    one = reading.one
    if call["answered_at"] is not None and one.answered is None:
        # Heard of late: which offer it was is not known, and the record says when.
        one.answered = second(call["answered_at"])
        assert one.ended is not None
        reading.talks.append((one.answered, one.ended))
    one.danger = call["danger"]
    one.kinds = {event["kind"] for event in events}
    _say_what_it_was(one, call)
    _count_seconds(one, reading.talks)
    return one


def _say_what_it_was(one: Told, call: Any) -> None:
    one.outbound = (2 if call["answered_at"] else 1) if call["direction"] == "outbound" else 0
    one.is_call = not one.outbound
    if one.is_call:
        one.circumstance = call["unstaffed"] or "staffed"
    if one.outcome in ("no_counsellor_on_duty", "out_of_hours"):
        one.outcome = "turned_away" if one.queued is None else "abandoned_in_queue"
    if one.outbound:
        one.outcome = one.language = "-"
    one.written = call["channel"] != "voice"
    if one.written:
        one.channel = {"web": "chat"}.get(call["channel"], call["channel"])
        one.outcome = {"voicemail": "message_left"}.get(one.outcome, one.outcome)


def _count_seconds(one: Told, talks: list[tuple[int, int]]) -> None:
    # No counsellor talks with a child who has left, however late we were told.
    for since, until in talks:
        gone = one.ended if one.ended is not None else until
        one.talk += max(min(until, gone) - since, 0)
    one.hold = min(one.hold, one.talk)
    one.talk -= one.hold


def _wrap(changes: list[Any], ended: datetime) -> int:
    """Seconds of the wrap-up that began when this talk was over; told late, it began then."""
    for n, change in enumerate(changes):
        late = change["at"] - ended
        if change["after"] == "wrap_up" and timedelta(0) <= late < timedelta(seconds=8):
            after = changes[n + 1]["at"] if n + 1 < len(changes) else None
            return second(after) - second(change["at"]) if after is not None else 0
    return 0


def _answers(one: Told) -> dict[str, Any]:
    return one.contact["answers"] if one.contact else {}


def children(one: Told) -> list[dict[str, Any]]:
    """Return what was answered about each child, except those of whom only the place is known."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in _answers(one).items():
        if path.startswith("child."):
            parts = path.split(".")
            found.setdefault(parts[1], {})[parts[2] if len(parts) == 3 else "place"] = value
    return [c for c in found.values() if set(c) != {"place"}]


def _or(one: Told, values: set[str]) -> set[str]:
    return values or ({"?"} if one.contact else {"-"})


def _band(child: dict[str, Any]) -> str:
    if "age" not in child:
        return "?"
    return next(code for low, high, code in BANDS if low <= child["age"] <= high)


def _answer(one: Told, path: str) -> set[str]:
    value = _answers(one).get(path)
    return _or(one, set(value) if isinstance(value, list) else {value} if value else set())


DIMENSIONS: dict[str, Callable[[Told], set[str]]] = {
    "line": lambda one: {one.line},
    "language": lambda one: {one.language},
    "counsellor": lambda one: {one.counsellor},
    "place": lambda one: _answer(one, "contact.place"),
    "category": lambda one: _answer(one, "contact.categories"),
    "age_band": lambda one: _or(one, {_band(child) for child in children(one)}),
    "sex": lambda one: _or(one, {child.get("gender", "?") for child in children(one)}),
    "outcome": lambda one: {one.outcome},
    "circumstance": lambda one: {one.circumstance},
    "channel": lambda one: {one.channel},
    "setting": lambda one: _answer(one, "incident.where"),
    "perpetrator": lambda one: _answer(one, "incident.who"),
    "role": lambda one: _answer(one, "caller.role"),
    "category_group": lambda one: {
        c.partition("-")[0] or c for c in _answer(one, "contact.categories")
    },
    "living": lambda one: _or(one, {c["living"] for c in children(one) if "living" in c}),
}


def _clock(one: Told, minutes: int) -> str:
    offset = one.local.strftime("%z")
    wall = one.local.replace(tzinfo=None)
    begins = f"{wall:%Y-%m-%dT%H}:{wall.minute // minutes * minutes:02d}"
    return f"{begins}{offset[:3]}:{offset[3:]}"


def _week(one: Told) -> str:
    year, week, _ = one.local.isocalendar()
    return f"{year}-W{week:02d}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


PERIODS: dict[str, Callable[[Told], str]] = {
    "quarter_hour": lambda one: _clock(one, 15),
    "hour": lambda one: _clock(one, 60),
    "day": lambda one: one.local.date().isoformat(),
    "week": _week,
    "month": lambda one: one.local.strftime("%Y-%m"),
    "quarter": lambda one: f"{one.local.year}-Q{(one.local.month + 2) // 3}",
    "year": lambda one: str(one.local.year),
    "weekday_hour": lambda one: f"{_DAYS[one.local.weekday()]} {one.local.hour:02d}",
}


def within(ones: list[Told], begins: date, ends: date) -> list[Told]:
    """By the wall clock of the line, so midnight is the line's midnight."""
    return [one for one in ones if begins <= one.local.date() < ends]


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


def _wait(one: Told) -> int:
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

    def __init__(self, calls: list[Told]) -> None:
        self.answered = [one for one in calls if one.outcome == "answered"]
        self.left = [o for o in calls if o.outcome in ("short_abandon", "abandoned_in_queue")]
        put_off = TO_ANSWER
        self.waits = [_wait(one) for one in self.answered if one.queued is not None]
        self.gone = [_wait(one) for one in self.left]
        self.later = [_wait(o) for o in calls if o.outcome in put_off and o.queued is not None]
        self.again = [seconds for one in calls for seconds in one.again]


def measured(ones: list[Told], target: int = 20) -> dict[str, Any]:
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


def _outcomes(calls: list[Told], waits: _Waits) -> dict[str, Any]:
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


def _service_levels(calls: list[Told], waits: _Waits, target: int) -> dict[str, Any]:
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


def _handling(ones: list[Told], waits: _Waits) -> dict[str, Any]:
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


def _offers_and_danger(calls: list[Told]) -> dict[str, Any]:
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


def _by(one: Told, *authors: str) -> list[datetime]:
    return [at for author, at in one.wrote if author in authors]


def _first_words(calls: list[Told]) -> dict[str, Any]:
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


def _in_writing(written: list[Told]) -> dict[str, Any]:
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
