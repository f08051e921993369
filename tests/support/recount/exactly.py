"""A summary of which nothing is rounded, as no reader gets it: to compare two counts of it."""

from app.statistics.counting.summary import FiguresWanted, Summary, check, count, label, zones_of
from app.statistics.facts.days import reading
from app.words import SOURCE
from app.work import Work


async def summarise_exactly(work: Work, asked: FiguresWanted) -> Summary:
    """Count a summary of any window, whether or not it is on the grid of those that are told."""
    check(asked)
    zones = await zones_of(work)
    zones.check(asked.line)
    async with reading(work.ground, work.now) as look:
        summary = await count(look, zones, asked)
    await label(work, summary, zones, SOURCE)
    return summary
