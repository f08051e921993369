"""The page of the proposed rota: it is asked for, looked at, accepted or discarded."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.rota.done import Done, SaidDone
from app.dashboard.rota.page import Plans
from app.dashboard.rota.proposal_views import proposal_values
from app.dashboard.rota.week_blocks import span_words
from app.dashboard.templating import templates
from app.errors import Invalid, Refusal
from app.routing.rota import roster
from app.routing.rota.copying import LeftOut
from app.routing.rota.proposals import proposals
from app.routing.rota.proposals.proposals import ALL, Choice
from app.staff.models import Staff
from app.web.access import InWork
from app.words.pages import ngettext, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
_DONE = (Done.ACCEPTED, Done.DISCARDED)


def _told(done: Done, number: int) -> str:
    """Return what became of the duties that were chosen."""
    if done == Done.ACCEPTED:
        return ngettext(
            "%(num)s duty is in the rota now.", "%(num)s duties are in the rota now.", number
        )
    return ngettext(
        "%(num)s proposed duty was discarded.",
        "%(num)s proposed duties were discarded.",
        number,
    )


@router.get("/roster/proposal")
async def proposal_page(
    request: Request,
    work: InWork,
    staff: Plans,
    done: SaidDone = None,
    number: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """Show the proposal that is open, or the last one, and the form that asks for one."""
    told = _told(done, number) if done in _DONE else ""
    return await _show(request, work, staff, told=told)


@router.get("/roster/proposal/part")
async def proposal_part(request: Request, work: InWork, staff: Plans) -> Response:
    """Return the proposal alone, as it is now."""
    values = {**await proposal_values(work), "staff": staff}
    return templates.TemplateResponse(request, "rota/proposed.html", values)


async def _show(
    request: Request, work: Work, staff: Staff, *, status: int = 200, **more: Any
) -> Response:
    values = {**await proposal_values(work), "typed": {}, **more, "staff": staff}
    return templates.TemplateResponse(request, "rota/proposal.html", values, status_code=status)


@router.post("/roster/proposal")
async def propose(request: Request, work: InWork, staff: Plans) -> Response:
    """Ask for a rota of coming weeks."""
    sent = await request.form()
    typed = {name: str(sent.get(name, "")).strip()[:20] for name in ("first_on", "weeks")}
    try:
        await proposals.propose(work, staff, _day(typed["first_on"]), _weeks(typed["weeks"]))
    except Refusal as refusal:
        await work.undo()
        words = refusal_words(refusal)
        return await _show(request, work, staff, notice=words, typed=typed, status=refusal.status)
    return RedirectResponse("/roster/proposal", 303)


@router.post("/roster/proposal/{proposal_id}")
async def decide(request: Request, work: InWork, staff: Plans, proposal_id: UUID) -> Response:
    """Accept or discard a proposal, or a part of it."""
    sent = await request.form()
    accepts = "accept" in sent
    left: tuple[LeftOut, ...] = ()
    try:
        choice = _choice(str(sent.get("accept" if accepts else "discard", "")))
        if accepts:
            done = await proposals.accept(work, staff, proposal_id, choice)
            number, left = done.made, done.left_out
        else:
            number = await proposals.discard(work, staff, proposal_id, choice)
    except Refusal as refusal:
        await work.undo()
        words = refusal_words(refusal)
        return await _show(request, work, staff, notice=words, status=refusal.status)
    what = Done.ACCEPTED if accepts else Done.DISCARDED
    if left:
        # The reasons are only known here.
        told = _told(what, number)
        return await _show(request, work, staff, told=told, left_out=await _words(work, left))
    return RedirectResponse(f"/roster/proposal?done={what}&number={number}", 303)


async def _words(work: Work, left: tuple[LeftOut, ...]) -> list[str]:
    zone = await roster.home_zone(work)
    words = []
    for one in left:
        person = await work.session.get(Staff, one.place.counsellor_id)
        when = span_words((one.place.start, one.place.end), zone)
        words.append(f"{person.name if person else ''}, {when}: {one.why.said(said)}")
    return words


def _choice(word: str) -> Choice:
    """Return which part of a proposal a button means. Raises Invalid."""
    if word == "all":
        return ALL
    kind, _sign, value = word.partition(":")
    try:
        match kind:
            case "staff":
                return Choice(staff_id=UUID(value))
            case "day":
                return Choice(day=date.fromisoformat(value))
            case "duty":
                return Choice(duty_id=UUID(value))
    except ValueError:
        pass
    raise Invalid("Choose which part of the proposal you mean.")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("Choose a day of the first week.") from None


def _weeks(text: str) -> int:
    if not text.isdecimal():
        raise Invalid("A rota is proposed for 1 to %(most)s weeks.", most=proposals.MOST_WEEKS)
    return int(text)
