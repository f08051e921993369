"""Legs: one per phone that is connected to the exchange, with its statuses and counters."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.practice.people import Caller, Heard, Phone

Direction = Literal["inbound", "outbound-api", "outbound-dial"]
Ending = Literal["person", "hangup", "ran_out", "api", "error", "rejected", "never_answered"]

TERMINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


@dataclass
class Bridge:
    other: "Leg"
    since: datetime
    until: datetime | None = None


@dataclass
class Leg:
    sid: str
    account: str
    from_: str
    to: str
    direction: Direction
    person: Caller | Phone
    created_at: datetime
    status: str = "queued"
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    # How it ended, for tests: by the person, a document, the REST interface or a fault.
    ending: Ending | None = None
    sequence: int = 0
    status_callback: str | None = None
    status_events: frozenset[str] = frozenset({"completed"})
    fallback_url: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    # What is being executed, and what a hang-up or redirect in the middle still has to send.
    program: "asyncio.Task[None] | None" = None
    on_hang_up: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    on_redirect: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    digits: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    # The story of the leg, in words.
    story: list[tuple[datetime, str]] = field(default_factory=list)
    # When the person heard or said something: words, sounds, a ringing tone, a talk, a message of
    # its own.
    heard_from: list[tuple[datetime, datetime]] = field(default_factory=list)
    # When each sound that is still playing began.
    hears_since: list[datetime] = field(default_factory=list)
    timeout: float = 60.0
    answered_by: str | None = None
    label: str = ""
    # The name of the queue that it waits in.
    waits_in: str | None = None
    # The last SIP code, if it says more than the status: 408 for a line that died.
    sip_code: int | None = None
    # The leg whose document dials this one.
    parent: str | None = None
    # The legs that a `<Dial>` of a number has connected it with, and from when until when.
    bridges: list["Bridge"] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def talks_with(self) -> "Leg | None":
        """Return the leg that a dialled number has connected, while the two talk."""
        return next((b.other for b in self.bridges if b.until is None), None)

    @property
    def heard(self) -> list[Heard]:
        return self.person.heard

    def hears(self, text: str, at: datetime) -> None:
        self.person.heard.append(Heard(at, text))
        self.story.append((at, f"hears: {text}"))

    def has_heard(self, words: str) -> bool:
        """Return whether the person has heard these words, in any language."""
        return any(words in heard.text for heard in self.person.heard)

    def silences(self, until: datetime, longest: float) -> list[tuple[datetime, float]]:
        """Return silences longer than `longest` seconds since the answer: when, how long."""
        if self.answered_at is None:
            return []
        found, at = [], self.answered_at
        sounding = [(began, until) for began in self.hears_since]
        for begin, end in [*sorted([*self.heard_from, *sounding]), (until, until)]:
            quiet = (begin - at).total_seconds()
            if quiet > longest:
                found.append((at, quiet))
            at = max(at, end)
        return found

    @property
    def seconds(self) -> int:
        """Return how long the leg was up, in whole seconds."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return round((self.ended_at - self.answered_at).total_seconds())
