"""Waiting rooms and conferences."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from app.practice.legs import Leg


@dataclass
class Waiting:
    leg: Leg
    since: datetime


@dataclass
class Room:
    """A queue: first in, first out; who leaves is removed wherever they stand."""

    sid: str
    name: str
    members: list[Waiting] = field(default_factory=list)
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
    # The leg that alone hears them, if they coach.
    coaches: str | None = None
    held: bool = False
    joined_at: datetime | None = None
    # Set when the participant is out, with the word of the protocol for why.
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
    # Legs that the interface has added and that are not in yet.
    connecting: dict[str, Leg] = field(default_factory=dict)
    ended_at: datetime | None = None
    reason: str = ""
    # Every moment at which two or more were in it and started, for tests.
    talks: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)


@dataclass
class Recording:
    sid: str
    call_sid: str
    seconds: int
    created_at: datetime
    status: str = "completed"
    deleted: bool = False
    # How often the audio is "not there yet" when it is asked for.
    missing: int = 0


@dataclass
class Message:
    """An SMS that the account has sent."""

    sid: str
    to: str
    from_: str
    body: str
    created_at: datetime
    status_callback: str | None = None
    status: str = "queued"
