"""How long the scripted hour is: whole, or a part of it in which nearly all of it happens."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """A length of the script, in seconds, and how its children are spread over it."""

    seconds: int
    # At which multiples of seconds all look what is new; None: each every few seconds.
    beat: int | None
    # When the server is stopped, and started again after a child has rung.
    server_away_at: float
    # How often each story of a caller is told, and of a child who writes.
    called: dict[str, int]
    written: dict[str, int]
    # The shortest and the longest time between two callers, and of a talk, in seconds.
    called_apart: tuple[float, float]
    talked_for: tuple[float, float]
    # The shortest and the longest time between two children who write, in seconds.
    written_apart: tuple[float, float]
    # How long a child writes at most, in seconds.
    written_for: float
    # How many children text while there are counsellors, when the first may begin, and the seconds
    # between them.
    texters: int
    texted_from: int
    texted_apart: int
    # When the page of a counsellor who writes is closed, and for how long, in seconds.
    page_closed_at: float
    page_closed_for: float

    @property
    def room_closed_at(self) -> int:
        """When all counsellors go off duty, in seconds; a few children come after that."""
        return self.seconds - 480


HOUR = Length(
    seconds=3600,
    beat=None,
    server_away_at=1800,
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
    called_apart=(15, 55),
    talked_for=(30, 150),
    written={
        "talks": 6,
        "is in danger": 2,
        "closes the tab while waiting": 2,
        "sends everything twice": 2,
        "loses the network and comes back": 2,
        "has the counsellor who goes away": 2,
    },
    written_apart=(60, 170),
    written_for=300,
    texters=4,
    texted_from=150,
    texted_apart=520,
    page_closed_at=900,
    page_closed_for=600,
)
PART = Length(
    seconds=900,
    beat=6,
    server_away_at=200,
    called=dict.fromkeys(HOUR.called, 1) | {"talks": 3, "is in danger": 2},
    called_apart=(6, 18),
    talked_for=(20, 40),
    # A counsellor whose child has closed its page waits ten minutes, and the room is not closed.
    written=dict.fromkeys(HOUR.written, 1) | {"closes the tab while waiting": 0},
    written_apart=(15, 40),
    written_for=200,
    texters=1,
    texted_from=40,
    texted_apart=60,
    page_closed_at=40,
    page_closed_for=130,
)


def told(often: dict[str, int]) -> list[str]:
    """Return each story as often as it is told, in one order."""
    return [story for story, times in often.items() for _ in range(times)]
