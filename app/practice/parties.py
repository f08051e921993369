"""Who is at the other end of a leg: callers who ring in, and phones that are rung."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Heard:
    """Something that somebody heard, and when."""

    at: datetime
    text: str


@dataclass
class Caller:
    """Somebody who rings in. Told what to do from outside: press, hang up, speak.

    `message_seconds` is how long they speak when they are asked for a message.
    """

    message_seconds: int = 0
    hangs_up_after_message: bool = False
    heard: list[Heard] = field(default_factory=list)


@dataclass
class Phone:
    """A phone that can be rung, and what happens then. Times in seconds.

    `picks_up` None lets it ring out. `presses` None is a machine, or a person who does not listen.
    A person who `understands` presses the first key that a question names where it does not name
    theirs; a stranger, or a pocket, presses the same key again.
    `drops_after` lets the line die in mid-talk, `drops` times; `hangs_up_after` is a person who
    hangs up.
    """

    picks_up: float | None = 2.0
    busy: bool = False
    unreachable: bool = False
    presses: str | None = "1"
    understands: bool = True
    # A machine that answers: known to the exchange if it is asked to tell.
    machine: bool = False
    press_after: float = 1.0
    drops_after: float | None = None
    drops: int = 1_000_000
    hangs_up_after: float | None = None
    heard: list[Heard] = field(default_factory=list)
    rung: int = 0
    # What was written to it.
    texts: list[Heard] = field(default_factory=list)
