"""What the logs tell of each call and of each contact without one."""

import base64
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from app.privacy.keys import keys_in_program
from app.settings import parse_field_keys

HOME = "Europe/Belgrade"


def second(at: datetime) -> int:
    return int(at.timestamp() // 1)


@dataclass
class FromLog:
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
    # For a written conversation: who wrote, and when; what its log tells besides.
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


def told(database: str) -> list[FromLog]:
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


def _visited(contact: Any) -> FromLog:
    return FromLog(
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
        self.one = FromLog(call["id"], call["opened_at"], zone, number)
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


def _live(events: list[Any], call: Any, line: Any) -> FromLog:
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


def _say_what_it_was(one: FromLog, call: Any) -> None:
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


def _count_seconds(one: FromLog, talks: list[tuple[int, int]]) -> None:
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
