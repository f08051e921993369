"""The wallboard: a screen of aggregates at a secret address."""

from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from limits import RateLimitItemPerMinute

from app.dashboard.templating import templates
from app.dashboard.views import language_words
from app.errors import NotFound, TooMany
from app.people import wallboards
from app.statistics import wall as figures
from app.web import decisions
from app.web.access import InWork, Public
from app.web.decisions import Right
from app.web.limits import Limiter, client_of
from app.words import pages
from app.work import Work

router = APIRouter(include_in_schema=False)
_WALL = [Depends(Public("a wallboard is known by its secret address, and shows only counts"))]
# A screen asks twelve times a minute; two browsers may show the same one.
_PER_ADDRESS = RateLimitItemPerMinute(60)
_PER_SCREEN = RateLimitItemPerMinute(60)
Look = Literal["auto", "light", "dark"]


async def _values(request: Request, work: Work, token: str) -> dict[str, Any]:
    """Return what a screen shows, in its language. Raises NotFound, TooMany."""
    limiter: Limiter = request.app.state.limiter
    try:
        found = await wallboards.find(work, token)
    except NotFound:
        await work.let_go()
        # Guesses are counted by address; a screen that exists is not slowed down by them.
        if not await limiter.hit(_PER_ADDRESS, "wall", client_of(request)):
            raise TooMany() from None
        raise
    decisions.grant(request, Right.WALLBOARD_LINK)
    # A count must not be waited for with a connection in hand.
    await work.let_go()
    if not await limiter.hit(_PER_SCREEN, "wall", token[:64]):
        raise TooMany()
    pages.speak(found.language)
    wall = await figures.look(work)
    waits = wall.today.waits_since
    longest = max(0, int((work.now - waits).total_seconds())) if waits else 0
    return {"wall": wall, "longest": longest, "language_words": language_words}


@router.get("/wall/{token}", dependencies=_WALL)
async def wall_page(request: Request, work: InWork, token: str, look: Look = "auto") -> Response:
    """Show the whole screen. `look` fixes its colours."""
    values = {**await _values(request, work, token), "look": look, "token": token}
    answer = templates.TemplateResponse(request, "wall.html", values)
    # The address is a secret: it goes to no other site, and into no list of pages.
    answer.headers["referrer-policy"] = "no-referrer"
    answer.headers["x-robots-tag"] = "noindex"
    return answer


@router.get("/wall/{token}/now", dependencies=_WALL)
async def wall_now(request: Request, work: InWork, token: str) -> Response:
    """Render the figures of now, which the screen asks for every few seconds."""
    values = await _values(request, work, token)
    return templates.TemplateResponse(request, "fragments/team/wall.html", values)
