"""What a child is told about a line before it writes."""

from app.calls.speech import LineScript
from app.chats import as_child, opening
from app.child.views import AboutView
from app.routing.rota import staffing
from app.work import Work


async def about_line(work: Work, line: LineScript, asked: str = "") -> AboutView:
    """Return whether a counsellor who writes is there, the languages, and the usual wait.

    `asked`: the language in which the child would write; without one, any of the line's counts.
    """
    languages = opening.languages_of(line)
    staffed = False
    opens = []
    for language in [asked] if asked in languages else languages:
        now = await staffing.staffing(work, line, language, danger=False, written=True)
        staffed = staffed or now.unstaffed is None
        if now.unstaffed is not None:
            at = await staffing.next_staffed(work, line, language, written=True)
            opens += [at] if at is not None else []
    return AboutView(
        name=line.name,
        number=line.number,
        languages=languages,
        open=staffed,
        opens_at=None if staffed else min(opens, default=None),
        expected_seconds=await as_child.usual_wait(work, line.id) if staffed else None,
    )
