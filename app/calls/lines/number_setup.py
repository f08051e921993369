"""The provider's numbers, as pages and programs ask for them: setting them up, and which may be
shown.

The telephony carries it out; it is composed with them where a process starts.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.errors import Message
from app.work import Ground, Work

_NAME, _SHOWN = "number set-up", "numbers shown"


class Pointed(NamedTuple):
    """A number at the provider, and the addresses to which its calls went and go now."""

    number: str
    before: str
    after: str


@dataclass
class SetupReport:
    """What was done, and what a person still has to do."""

    done: list[Message] = field(default_factory=list)
    problems: list[Message] = field(default_factory=list)
    pointed: list[Pointed] = field(default_factory=list)


CarriesOut = Callable[[Work], Awaitable[SetupReport]]
Shows = Callable[[Work], Awaitable[set[str]]]


def compose(ground: Ground, carries_out: CarriesOut, shows: Shows) -> None:
    """Let this process set up numbers, and ask which ones may be shown."""
    ground.kept[_NAME], ground.kept[_SHOWN] = carries_out, shows


async def shown_numbers(work: Work) -> set[str]:
    """Return the numbers that the provider may show to those it rings; what was done so far is
    committed. Raises Conflict if it cannot be asked."""
    shows: Shows = work.ground.kept[_SHOWN]
    return await shows(work)


async def set_up_numbers(work: Work) -> SetupReport:
    """Set up the numbers at the provider, and log it. Raises Conflict if the provider refuses."""
    carries_out: CarriesOut = work.ground.kept[_NAME]
    return await carries_out(work)
