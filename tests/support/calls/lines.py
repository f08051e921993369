"""A line in two languages, as an administrator adds it."""

from app.calls import lines
from app.calls.lines import add_line
from app.calls.speech import LineScript
from app.work import Work


async def a_line(work: Work) -> LineScript:
    row = await add_line(
        work,
        number="+381112222333",
        name="Plavi telefon",
        country="RS",
        languages=["sr", "en"],
        timezone="Europe/Belgrade",
    )
    await work.session.flush()
    return (await lines.read_line(work, row.id))[1]
