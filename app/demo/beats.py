"""When the people of a scripted hour look again: each by itself, or all at the same instants.

Each instant at which one of them looks costs a step of the clock, with all that goes with it.
"""

from app.clock import Clock


async def look_again(clock: Clock, seconds: float, beat: int | None) -> None:
    """Wait for `seconds`, or until the next whole multiple of `beat` seconds if there is one."""
    await clock.sleep(seconds if beat is None else beat - clock.now().timestamp() % beat)
