"""The team page of supervisors: figures of now, what is wrong, people, live talks."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from app.calls import record
from app.dashboard import talks, team_parts, team_views
from app.dashboard.directory.address_changes import address_changes_values
from app.dashboard.people.access_requests import access_request_values
from app.dashboard.referrals.deadlines import notices_values
from app.dashboard.rota import alarms
from app.dashboard.talks import Supervises
from app.dashboard.templating import page, templates
from app.errors import Refusal
from app.routing.models import PresenceState
from app.routing.participants import calls_for_help, moving
from app.routing.rota.roster import on_shift
from app.routing.supervision import supervised, team
from app.staff.models import Staff
from app.statistics.counting import today
from app.web.access import InWork
from app.words.pages import _, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
# `{{ row|person }}`: a person of the team.
templates.env.filters["person"] = team_parts.draw_person


@router.get("/team")
async def team_page(request: Request, work: InWork, staff: Supervises) -> Response:
    """Show the team: figures, exceptions, people and live talks."""
    people = await _people(work, staff.team)
    values = {
        **await alarms.alarm_values(work),
        **await notices_values(work, staff),
        **await address_changes_values(work, staff),
        **await access_request_values(work, staff),
        **await talks.talks_values(work, staff),
        **people,
        "strip": await team_parts.strip_of(work, staff),
    }
    return page(request, "team.html", **{**values, "staff": staff})


async def _people(work: Work, of: str) -> dict[str, Any]:
    """Return the people of a team. They are the same for all its supervisors."""
    shifts = await on_shift(work)
    found = await team.people(work, of, today.midnight(work))
    return {
        "people": [team_views.person_row(one, shifts, work.now) for one in found],
    }


@router.get("/team/strip")
async def strip_fragment(work: InWork, staff: Supervises) -> Response:
    return HTMLResponse(await team_parts.STRIP.seen_by(work, staff))


@router.get("/team/people")
async def people_fragment(request: Request, work: InWork, staff: Supervises) -> Response:
    return await _people_page(request, work, staff)


async def people_part(work: Work, of: str) -> str:
    """Render the people of a team for its supervisors."""
    template = templates.get_template("fragments/team/team_people.html")
    return template.render(**await _people(work, of))


async def _people_page(request: Request, work: Work, staff: Staff, notice: str = "") -> Response:
    values = await _people(work, staff.team)
    return page(request, "fragments/team/team_people.html", **values, notice=notice)


@router.get("/team/people/{person_id}/state")
async def state_form(
    request: Request, work: InWork, staff: Supervises, person_id: UUID
) -> Response:
    """Show the form that sets the state of a person of the team."""
    await team.member(work, staff, person_id)
    values = {
        "person_id": person_id,
        "choices": [(state.value, said(words)) for state, words in team_views.CHOICES],
        "reasons": [reason.value for reason in team.StateReason],
    }
    return page(request, "fragments/team/set_state.html", **values)


@router.post("/team/people/{person_id}/state")
async def set_state(
    request: Request,
    work: InWork,
    staff: Supervises,
    person_id: UUID,
    state: Annotated[PresenceState, Form()],
    reason: Annotated[team.StateReason, Form()],
    after_call: Annotated[bool, Form()] = False,
) -> Response:
    """Set the state of another person, with a reason. A refusal is said above the people."""
    notice = ""
    headers = {}
    try:
        await team.set_state(work, staff, person_id, state, reason, after_call=after_call)
    except Refusal as refusal:
        await work.undo()
        notice, headers = refusal_words(refusal), {"HX-Trigger": "stateRefused"}
    await work.session.flush()
    answer = await _people_page(request, work, staff, notice)
    answer.headers.update(headers)
    return answer


@router.get("/board/talks")
async def talks_fragment(work: InWork, staff: Supervises) -> Response:
    return HTMLResponse(await team_parts.TALKS.seen_by(work, staff))


@router.get("/board/talks/count")
async def talks_link(work: InWork, staff: Supervises) -> Response:
    """Render the link from a supervisor's desk to the live talks."""
    return HTMLResponse(await team_parts.TALKS_LINK.seen_by(work, staff))


@router.post("/board/talks/{call_id}/end")
async def end_talk(request: Request, work: InWork, staff: Supervises, call_id: UUID) -> Response:
    """End a talk of the team, after the five seconds in which the click can be taken back."""
    return await _talks_after(request, work, staff, lambda: team.end_talk(work, staff, call_id))


@router.post("/board/talks/{call_id}/take-over")
async def take_over(request: Request, work: InWork, staff: Supervises, call_id: UUID) -> Response:
    """Take a talk over, in which the supervisor takes part."""
    return await _talks_after(request, work, staff, lambda: moving.take_over(work, staff, call_id))


@router.post("/board/talks/{call_id}/move")
async def move_talk(
    request: Request, work: InWork, staff: Supervises, call_id: UUID, to: Annotated[UUID, Form()]
) -> Response:
    """Move a talk to a colleague."""
    return await _talks_after(
        request, work, staff, lambda: moving.move_talk(work, staff, call_id, to)
    )


async def _talks_after(
    request: Request, work: Work, staff: Staff, verb: Callable[[], Awaitable[None]]
) -> Response:
    """Act on a talk and render the talks, with the refusal if there is one."""
    notice = ""
    try:
        await verb()
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    await work.session.flush()
    values = {**await talks.talks_values(work, staff), "staff": staff, "notice": notice}
    return page(request, "fragments/team/talks.html", **values)


# -- calls for help ------------------------------------------------------------------------------


@router.get("/board/calls-for-help")
async def calls_for_help_fragment(request: Request, work: InWork, staff: Supervises) -> Response:
    """Render the calls for help that no supervisor has taken: on every page, across the top."""
    return await _calls_for_help(request, work, staff)


@router.post("/board/calls-for-help/{call_id}/take")
async def take_call_for_help(
    request: Request, work: InWork, staff: Supervises, call_id: UUID
) -> Response:
    """Take a call for help: the supervisor comes into the talk, if their telephone can ring."""
    notice = ""
    try:
        call = await record.lock_call(work, call_id)
        if not await calls_for_help.take_call_for_help(work, staff, call):
            notice = _(
                "You have taken it. Your telephone cannot be rung into this talk: go to your "
                "colleague, or start your telephone and join on the page Team."
            )
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    await work.session.flush()
    return await _calls_for_help(request, work, staff, notice)


async def calls_for_help_part(work: Work, _scope: object = None) -> str:
    """Render the calls for help, which are the same for all supervisors."""
    template = templates.get_template("fragments/team/calls_for_help.html")
    return template.render(talks=await supervised.open_calls_for_help(work), now=work.now)


async def _calls_for_help(request: Request, work: Work, staff: Staff, notice: str = "") -> Response:
    values = {
        "talks": await supervised.open_calls_for_help(work),
        "now": work.now,
        "staff": staff,
        "notice": notice,
    }
    return page(request, "fragments/team/calls_for_help.html", **values)
