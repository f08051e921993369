"""The steps of a document, whatever the platform: say, ask, wait, ring, join, hang up. Pure."""

from dataclasses import dataclass
from uuid import UUID

from app.calls.labels import AnyLabel

# The name of the provider's queue.
WAITING_ROOM = "waiting"


@dataclass(frozen=True)
class Say:
    text: str
    locale: str
    voice: str | None = None


@dataclass(frozen=True)
class PlayFile:
    recording: UUID


@dataclass(frozen=True)
class WaitingSound:
    """The shipped sound, played `times` times."""

    times: int


@dataclass(frozen=True)
class Pause:
    seconds: int


Spoken = Say | PlayFile | WaitingSound | Pause


@dataclass(frozen=True)
class Ask:
    """Say something and wait for digits, which go to `then`; so does silence, if wanted."""

    spoken: list[Spoken]
    then: str
    seconds: int = 3
    silence_too: bool = True
    digits: int = 1


@dataclass(frozen=True)
class GoTo:
    path: str


@dataclass(frozen=True)
class Wait:
    """Enter the waiting room."""

    hears: str
    then: str


@dataclass(frozen=True)
class Leave:
    """Leave the waiting room for `Wait.then`. Where there is no waiting room, go to `then`."""

    then: str


@dataclass(frozen=True)
class HangUp:
    pass


@dataclass(frozen=True)
class RecordMessage:
    then: str
    told: str


@dataclass(frozen=True)
class Join:
    """Join the conference of the offer by which the talk began."""

    offer_id: UUID
    label: AnyLabel
    then: str
    ends_for_all: bool
    star_ends: bool
    muted: bool = False
    # The only leg that hears them.
    coach: str | None = None


@dataclass(frozen=True)
class Ring:
    """Ring a number; the person who answers hears `screen` first, where the platform can do so."""

    number: str
    screen: str
    then: str
    shows: str
    seconds: int = 30


Step = Spoken | Ask | GoTo | Wait | Leave | HangUp | RecordMessage | Join | Ring
