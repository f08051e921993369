"""How long the scripted hour is: whole, or a third of it in which the same things happen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """A length of the script, in seconds, and how its children are spread over it."""

    seconds: int
    # How often each story of a caller is told, and of a child who writes.
    called: dict[str, int]
    written: dict[str, int]
    # The shortest and the longest time between two children who write, in seconds.
    written_apart: tuple[float, float]
    # How many children text while there are counsellors, and the seconds between them.
    texters: int
    texted_apart: int
    # When the page of a counsellor who writes is closed, and for how long, in seconds.
    page_closed_at: float
    page_closed_for: float


HOUR = Length(
    seconds=3600,
    called={
        "talks": 30,
        "hangs up in the greeting": 6,
        "hangs up while waiting": 7,
        "hangs up at once while waiting": 3,
        "hangs up while it rings": 5,
        "presses nothing": 4,
        "presses a wrong digit": 3,
        "is in danger": 5,
        "withholds the number": 3,
        "hangs up in mid-talk at once": 2,
        "cannot speak": 2,
    },
    written={
        "talks": 6,
        "is in danger": 2,
        "closes the tab while waiting": 2,
        "sends everything twice": 2,
        "loses the network and comes back": 2,
        "has the counsellor who goes away": 2,
    },
    written_apart=(60, 170),
    texters=4,
    texted_apart=520,
    page_closed_at=900,
    page_closed_for=600,
)
THIRD = Length(
    seconds=1200,
    called=dict.fromkeys(HOUR.called, 1) | {"talks": 7, "is in danger": 3},
    written=dict.fromkeys(HOUR.written, 1) | {"has the counsellor who goes away": 2},
    written_apart=(30, 80),
    texters=3,
    texted_apart=130,
    page_closed_at=180,
    page_closed_for=240,
)


def told(often: dict[str, int]) -> list[str]:
    """Return each story as often as it is told, in one order."""
    return [story for story, times in often.items() for _ in range(times)]
