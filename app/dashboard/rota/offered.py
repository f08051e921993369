"""Open shifts on the page of the rota: planners offer them, people sign up for them."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select
from starlette.responses import RedirectResponse

from app.calls.lines.line_rows import Line, LineLanguage
from app.dashboard.rota.done import Done
from app.dashboard.rota.duty import Typed, read_to
from app.dashboard.rota.page import Plans, show_week, week_of
from app.dashboard.rota.week_blocks import LAYER_WORDS
from app.dashboard.templating import templates
from app.dashboard.views import language_words
from app.errors import Invalid, Refusal
from app.routing.rota import open_shifts, roster
from app.routing.rota.models import OpenShift
from app.routing.rota.shifts import Layer
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Takes = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
_Short = Annotated[str, Query(max_length=60)]
_NAMES = ("from_at", "until_at", "layer", "places", "language", "note")


@router.get("/roster/open/new")
async def new_open_shift(
    request: Request, work: InWork, staff: Plans, from_at: _Short = "", until_at: _Short = ""
) -> Response:
    """Show the form by which an open shift is offered."""
    return await _form(request, work, staff, {"from_at": from_at, "until_at": until_at})


async def _form(
    request: Request, work: Work, staff: Staff, typed: dict[str, str], notice: str = ""
) -> Response:
    spoken = await work.session.scalars(
        select(LineLanguage.language)
        .join(Line, Line.id == LineLanguage.line_id)
        .where(Line.active, LineLanguage.removed_at.is_(None))
        .distinct()
        .order_by(LineLanguage.language)
    )
    values = {
        "staff": staff,
        "typed": {"places": "1", **typed},
        "notice": notice,
        "layers": [(one.value, said(LAYER_WORDS[one] or N_("primary"))) for one in Layer],
        "languages": [(one, language_words(one)) for one in spoken],
        "most": open_shifts.MOST_PLACES,
        "zone": (await roster.home_zone(work)).key,
    }
    return templates.TemplateResponse(request, "rota/open.html", values)


@router.post("/roster/open/new")
async def add_open_shift(request: Request, work: InWork, staff: Plans) -> Response:
    """Offer an open shift. After a refusal the form keeps what was typed."""
    sent = await request.form()
    typed = {name: str(sent.get(name, "")).strip()[:300] for name in _NAMES}
    zone = await roster.home_zone(work)
    try:
        # The form of a stretch without its person: the times are read alike.
        place = read_to(
            Typed(str(staff.id), typed["from_at"], typed["until_at"], typed["layer"]), zone
        )
        if not typed["places"].isdecimal():
            raise Invalid("Write the number of places as a whole number.")
        await open_shifts.open_shift(
            work,
            staff,
            place.start,
            place.end,
            layer=place.layer,
            places=int(typed["places"]),
            language=typed["language"] or None,
            note=typed["note"],
        )
    except Refusal as refusal:
        await work.undo()
        return await _form(request, work, staff, typed, refusal_words(refusal))
    return _back(place.start.astimezone(zone).date().isoformat(), Done.OFFERED)


@router.post("/roster/open/{open_id}/sign-up")
async def sign_up(request: Request, work: InWork, staff: Takes, open_id: UUID) -> Response:
    """Sign the reader up for an open shift."""
    return await _act(request, work, staff, open_id, Done.SIGNED_UP)


@router.post("/roster/open/{open_id}/sign-off")
async def sign_off(request: Request, work: InWork, staff: Takes, open_id: UUID) -> Response:
    """Take the reader's own sign-up back."""
    return await _act(request, work, staff, open_id, Done.SIGNED_OFF)


@router.post("/roster/open/{open_id}/withdraw")
async def withdraw(request: Request, work: InWork, staff: Plans, open_id: UUID) -> Response:
    """Withdraw an open shift; those signed up keep their duty."""
    return await _act(request, work, staff, open_id, Done.WITHDRAWN)


async def _act(request: Request, work: Work, staff: Staff, open_id: UUID, done: Done) -> Response:
    zone = await roster.home_zone(work)
    row = await work.session.get(OpenShift, open_id)
    day = (row.from_at if row else work.now).astimezone(zone).date()
    try:
        match done:
            case Done.SIGNED_UP:
                await open_shifts.sign_up(work, staff, open_id)
            case Done.SIGNED_OFF:
                await open_shifts.sign_off(work, staff, open_id)
            case _:
                await open_shifts.withdraw(work, staff, open_id)
    except Refusal as refusal:
        await work.undo()
        words, week = refusal_words(refusal), week_of(day, zone)
        return await show_week(request, work, staff, week, notice=words, status=refusal.status)
    return _back(day.isoformat(), done)


def _back(week: str, done: Done) -> Response:
    return RedirectResponse(f"/roster?{urlencode({'week': week, 'done': done})}#open-shifts", 303)
