"""The pages of practice calls: the list of scenarios, the panel during a talk, the debrief."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from app.contacts.contacts import contact_of_call
from app.contacts.reading_contacts import open_contact
from app.contacts.registry import sheet_of
from app.dashboard.records.lists import labels_of
from app.dashboard.templating import page
from app.dashboard.training import practice_views as views
from app.errors import NotFound, Refusal
from app.routing import in_hand
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.training import practices
from app.training.agency_texts import agency_links
from app.training.debrief import compare, debrief, open_questions, wanted_of
from app.training.models import Practice
from app.training.remarks import remarks_of
from app.training.scenarios import CounsellorAct, scenarios
from app.training.script import Ended, Turn
from app.web.access import InWork, reader_with
from app.web.form_language import language_of
from app.words import SOURCE, pages
from app.words.pages import refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]


@router.get("/practice")
async def practice_page(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """List the scenarios, and the practices that the reader may see."""
    language = pages.reader()
    times = await practices.count_of(work, staff)
    own = await practices.earlier(work, staff)
    team = (
        await practices.earlier(work, staff, of_team=True)
        if may(staff.role, Permission.SUPERVISE)
        else []
    )
    names = await accounts.names_of(work, {one.trainee_id for one in team})
    return page(
        request,
        "practice.html",
        staff=staff,
        scenarios=[
            views.scenario_row(one, language, times.get(one.scenario, 0))
            for one in scenarios().values()
        ],
        has_exchange=work.settings.practice_exchange is not None,
        languages=views.language_names(),
        missing=views.missing_names(),
        sees_languages=may(staff.role, Permission.SEE_DEFINITIONS),
        chosen=language if language in views.language_names() else SOURCE,
        own=[views.earlier_row(one, "", language) for one in own],
        team=[views.earlier_row(one, names.get(one.trainee_id, ""), language) for one in team],
    )


@router.get("/practice/agency-links")
async def agency_links_page(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show the links that the invented agencies of a practice server got by SMS."""
    if work.settings.practice_exchange is None:
        raise NotFound
    # The exchange is asked without a transaction.
    await work.let_go()
    links = await agency_links(work.settings)
    return page(request, "practice/agency_links.html", staff=staff, links=links)


@router.get("/practice/panel")
async def panel_of_call(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Show the script of the reader's practice call; after it, the way to the debrief."""
    call_id = (await practice_at_desk(work, staff)) if work.settings.practice_exchange else None
    if call_id is None:
        return page(request, "fragments/team/practice_panel.html", practice=None)
    return await _panel(request, work, staff, call_id)


async def practice_at_desk(work: Work, staff: Staff) -> UUID | None:
    """Return the practice of the call in hand, or in wrap-up of the call just ended."""
    writes = await practices.in_writing(work, staff)
    if writes is not None:
        return writes.id
    found = await in_hand.read_in_hand(work, staff)
    call_id = found.call.id if found.call else await in_hand.call_of_wrap_up(work, staff)
    practice = await practices.of_call(work, staff, call_id) if call_id else None
    return practice.id if practice is not None else None


@router.get("/practice/of/{call_id}")
async def practice_of_call(work: InWork, staff: TakesCalls, call_id: UUID) -> Response:
    """Lead from a talk to its practice."""
    found = await practices.of_call(work, staff, call_id)
    if found is None:
        raise NotFound("Not found, or you do not have access.")
    return RedirectResponse(f"/practice/{found.id}", status_code=303)


@router.get("/practice/{practice_id}")
async def one_practice(
    request: Request, work: InWork, staff: TakesCalls, practice_id: UUID
) -> Response:
    """Show a practice: during the talk its script, afterwards the debrief, which is logged."""
    practice = await practices.find(work, staff, practice_id)
    if practice.ended_at is not None:
        practice = await practices.open_practice(work, staff, practice_id)
        values = await _debrief_values(request, work, staff, practice)
    else:
        values = await _panel_values(work, staff, practice)
    names = await accounts.names_of(work, {practice.trainee_id})
    return page(
        request,
        "practice_call.html",
        staff=staff,
        trainee=names.get(practice.trainee_id, ""),
        **values,
    )


@router.get("/practice/{practice_id}/panel")
async def panel(request: Request, work: InWork, staff: TakesCalls, practice_id: UUID) -> Response:
    return await _panel(request, work, staff, practice_id)


@router.post("/practice/{practice_id}/acts")
async def note_act(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    practice_id: UUID,
    act: Annotated[CounsellorAct, Form()],
    number: Annotated[int, Form(ge=1)],
    topic: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Note what the counsellor has just done, and show the script as it is now."""
    notice = ""
    try:
        await practices.note_act(work, staff, practice_id, act, topic or None, number)
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    await work.session.flush()
    return await _panel(request, work, staff, practice_id, notice)


async def _panel(
    request: Request, work: Work, staff: Staff, practice_id: UUID, notice: str = ""
) -> Response:
    practice = await practices.find(work, staff, practice_id)
    values = await _panel_values(work, staff, practice)
    return page(request, "fragments/team/practice_panel.html", notice=notice, **values)


async def _panel_values(work: Work, staff: Staff, practice: Practice) -> dict[str, Any]:
    language = pages.reader()
    talk, turns = await practices.played(work, practice)
    call_id = practice.call_id
    return {
        "practice": practice,
        "call_id": call_id,
        "panel": views.panel_of(practices.script_of(practice), talk, turns, language),
        "next_act": len(turns) + 1,
        "own": practice.trainee_id == staff.id,
        "state": await practices.call_state(work, practice),
    }


async def _debrief_values(
    request: Request, work: Work, staff: Staff, practice: Practice
) -> dict[str, Any]:
    language, scenario = pages.reader(), practices.script_of(practice)
    _, turns = await practices.played(work, practice)
    began = await practices.talk_began(work, practice)
    measured = practices.measured_of(practice)
    only = [turn for turn, _ in turns]
    found = debrief(scenario, only, Ended(practice.ended_how or Ended.LOST), measured)
    remarks = await remarks_of(work, practice)
    writers = {row.by_id for _, row in turns} | {row.by_id for row, _ in remarks}
    names = await accounts.names_of(work, writers)
    return {
        "practice": practice,
        "scenario": views.scenario_row(scenario, language, 0),
        "ended": views.ended_words(practice),
        "well": [said(one.words) % dict(one.values) for one in found.well],
        "next_time": [said(one.words) % dict(one.values) for one in found.next_time],
        "told": [views.fact_words(one, language) for one in found.told],
        "not_told": [views.fact_words(one, language) for one in found.not_told],
        "questions": open_questions(only),
        "timeline": views.timeline_of(
            scenario, turns, began, measured, names, language, practice.trainee_id
        ),
        "measured": measured,
        "shares": views.shares_of(measured),
        "form": await _form_values(request, work, staff, practice, only),
        "remarks": [(names.get(row.by_id, ""), row.at, words) for row, words in remarks],
    }


async def _form_values(
    request: Request, work: Work, staff: Staff, practice: Practice, turns: list[Turn]
) -> dict[str, Any] | None:
    """Compare the contact with what the child told. None if there is none that may be read."""
    contact_id = await contact_of_call(work, staff, practice.call_id) if practice.call_id else None
    if contact_id is None:
        return None
    try:
        opened = await open_contact(work, staff, contact_id)
    except NotFound:
        return None
    scenario = practices.script_of(practice)
    told = debrief(scenario, turns, None, None).told
    rows = compare(sheet_of(work, opened.record), opened.answers(), wanted_of(scenario, told))
    labels, language = labels_of(request, work), language_of(request, work)
    form = sheet_of(work, opened.record).form
    return {
        "contact": opened.record,
        "rows": [views.compared_row(one, form, labels, language) for one in rows],
    }
