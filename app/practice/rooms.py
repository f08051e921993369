"""Waiting rooms, conferences, recordings and messages."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from app.practice.legs import Leg


@dataclass
class WaitingLeg:
    leg: Leg
    since: datetime


@dataclass
class Room:
    """A queue: first in, first out; a caller who leaves is removed from any place."""

    sid: str
    name: str
    members: list[WaitingLeg] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    # The provider's default; an account may set it to 5,000.
    size: int = 100

    def position(self, leg: Leg) -> int:
        return next((i for i, w in enumerate(self.members, 1) if w.leg is leg), 0)


@dataclass
class Participant:
    leg: Leg
    label: str
    ends_on_exit: bool
    starts_on_enter: bool
    muted: bool = False
    # The only leg that hears this participant, if they coach.
    coaches: str | None = None
    held: bool = False
    joined_at: datetime | None = None
    # Set when the participant is out, to the protocol's reason.
    out: "asyncio.Future[str]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    wait_program: "asyncio.Task[None] | None" = None


@dataclass
class Conference:
    sid: str
    name: str
    created_at: datetime
    status: str = "init"
    sequence: int = 0
    callback: str | None = None
    events: frozenset[str] = frozenset()
    participants: dict[str, Participant] = field(default_factory=dict)
    # Legs that the REST interface has added and that have not joined yet.
    connecting: dict[str, Leg] = field(default_factory=dict)
    ended_at: datetime | None = None
    reason: str = ""
    # The legs that hear each other, after every change; for tests.
    talks: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)


@dataclass
class Recording:
    sid: str
    call_sid: str
    seconds: int
    created_at: datetime
    status: str = "completed"
    deleted: bool = False
    # How many more requests for the audio are answered with "not found".
    missing: int = 0


@dataclass
class Message:
    """A text that the account has sent, or that came to it."""

    sid: str
    to: str
    from_: str
    body: str
    created_at: datetime
    status_callback: str | None = None
    status: str = "queued"
    direction: str = "outbound-api"
    # The provider's code of what went wrong, and the id of an approved text.
    code: int | None = None
    template: str = ""
    # The types of what came with it.
    media: tuple[str, ...] = ()
