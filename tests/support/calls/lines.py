"""A line in two languages, as an administrator adds it."""

from collections.abc import Sequence

from app.calls.lines import finding_lines
from app.calls.lines.lines import add_line
from app.calls.speech import LineScript
from app.work import Work


async def a_line(
    work: Work,
    number: str = "+381112222333",
    name: str = "Plavi telefon",
    languages: Sequence[str] = ("sr", "en"),
) -> LineScript:
    row = await add_line(
        work,
        number=number,
        name=name,
        country="RS",
        languages=list(languages),
        timezone="Europe/Belgrade",
    )
    await work.session.flush()
    return (await finding_lines.read_line(work, row.id))[1]
