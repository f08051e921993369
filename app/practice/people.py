"""The people at the other end of a leg: callers who ring in, and phones that are rung."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class Heard:
    """Something that a person heard or read, and when."""

    at: datetime
    text: str


@dataclass
class Caller:
    """A caller who rings in, and is told from outside to press keys or hang up.

    `message_seconds` is how long the caller speaks when asked for a message. Where the exchange
    carries sound, the caller says the lines of `speech` one after the other, each when spoken to,
    or plays `tone` again and again.
    """

    message_seconds: int = 0
    hangs_up_after_message: bool = False
    speech: list[str] = field(default_factory=list)
    language: str = "sr"
    tone: Any = None
    heard: list[Heard] = field(default_factory=list)


@dataclass
class Phone:
    """A phone that can be rung, and how it behaves then. Times in seconds.

    With `picks_up` None it rings out. `presses` None is a machine, or a person who does not listen.
    If a question does not name the key in `presses`, a person who `understands` presses the first
    key that it names; a stranger, or a phone in a pocket, presses the same key again.
    `drops_after` lets the line die in mid-talk, `drops` times; after `hangs_up_after` the person
    hangs up.
    """

    picks_up: float | None = 2.0
    busy: bool = False
    unreachable: bool = False
    presses: str | None = "1"
    understands: bool = True
    # An answering machine: the exchange reports it if it is asked who answered.
    machine: bool = False
    press_after: float = 1.0
    drops_after: float | None = None
    drops: int = 1_000_000
    hangs_up_after: float | None = None
    heard: list[Heard] = field(default_factory=list)
    rung: int = 0
    # The text messages that it has received.
    texts: list[Heard] = field(default_factory=list)
