"""The page of emergency access, and its alarm on every page of those who are told at once."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import page
from app.errors import Refusal
from app.people.emergency import closing, emergencies, reviewing
from app.staff.emergency_rows import EmergencyKind, EmergencyState
from app.staff.log_checks.beginnings import beginning_of
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with, set_cookie
from app.web.sign_in import signing_in
from app.words.pages import _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
Asks = Annotated[Staff, reader_with(Permission.ASK_EMERGENCY)]
Sees = Annotated[Staff, reader_with(Permission.SEE_EMERGENCIES)]
Confirms = Annotated[Staff, reader_with(Permission.CONFIRM_EMERGENCY)]
Reviews = Annotated[Staff, reader_with(Permission.REVIEW_EMERGENCIES)]
_Words = Annotated[str, Form(max_length=4000)]


@router.get("/emergency")
async def emergency_page(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show emergency access: how it is asked for, what is open, and what was."""
    return await _show(request, work, staff)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    told: str = "",
    problem: str = "",
    ground: str = "",
    code: str = "",
    minutes: int = 60,
) -> Response:
    return page(
        request,
        "emergency/page.html",
        staff=staff,
        shown=await reviewing.shown_to(work, staff),
        begins=await beginning_of(work.session),
        may_refuse=emergencies.may_refuse,
        made_by_one=_(emergencies.MadeByOne.default),
        may_end=closing.may_end,
        may_review=reviewing.may_review,
        shortest=emergencies.SHORTEST,
        longest=emergencies.LONGEST,
        told=told,
        problem=problem,
        ground=ground,
        code=code,
        minutes=minutes,
        now=work.now,
    )


@router.get("/board/emergencies")
async def alarms(request: Request, work: InWork, staff: Sees) -> Response:
    """Render the alarm, which sounds until its reader has seen it."""
    shown = await reviewing.shown_to(work, staff, alarms=True)
    mine = [
        one
        for one in shown
        if one.row.asked_by != staff.id
        and (one.row.state != EmergencyState.ENDED or reviewing.may_review(one.row, staff))
    ]
    return page(
        request,
        "emergency/alarms.html",
        shown=mine,
    )


@router.post("/emergency")
async def ask(
    request: Request,
    work: InWork,
    staff: Asks,
    kind: Annotated[EmergencyKind, Form()],
    ground: _Words = "",
    code: Annotated[str, Form(max_length=100)] = "",
    minutes: Annotated[int, Form()] = 60,
) -> Response:
    """Ask for emergency access."""
    try:
        await emergencies.ask(work, staff, kind, ground, minutes, code)
    except Refusal as refusal:
        await work.undo()
        typed: dict[str, Any] = {"ground": ground, "code": code, "minutes": minutes}
        return await _show(request, work, staff, problem=refusal_words(refusal), **typed)
    told = _("Everyone concerned is told. A second person of another role has 15 minutes.")
    return await _show(request, work, staff, told=told)


@router.post("/emergency/{emergency_id}/confirm")
async def confirm(request: Request, work: InWork, staff: Confirms, emergency_id: UUID) -> Response:
    """Confirm what another person has asked for."""
    return await _decide(request, work, staff, emergency_id, confirm=True)


@router.post("/emergency/{emergency_id}/refuse")
async def refuse(request: Request, work: InWork, staff: Confirms, emergency_id: UUID) -> Response:
    """Refuse what another person has asked for."""
    return await _decide(request, work, staff, emergency_id, confirm=False)


async def _decide(
    request: Request, work: Work, staff: Staff, emergency_id: UUID, *, confirm: bool
) -> Response:
    try:
        await emergencies.decide(work, staff, emergency_id, confirm=confirm)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    told = _("It is open now, and everyone concerned is told.") if confirm else _("Refused.")
    return await _show(request, work, staff, told=told)


@router.post("/emergency/{emergency_id}/enter")
async def enter(request: Request, work: InWork, staff: SignedIn, emergency_id: UUID) -> Response:
    """Act on the accounts: the browser is signed in to the account of the emergency."""
    try:
        token = await signing_in.enter_emergency(request, work, staff, emergency_id)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    answer = RedirectResponse("/admin/people", status_code=303)
    set_cookie(answer, work.ground, token)
    return answer


@router.post("/emergency/{emergency_id}/end")
async def end(request: Request, work: InWork, staff: SignedIn, emergency_id: UUID) -> Response:
    """End it before its time, or take back what was asked for."""
    try:
        await closing.end(work, staff, emergency_id)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    return await _show(request, work, staff, told=_("It is over."))


@router.post("/emergency/{emergency_id}/seen")
async def seen(request: Request, work: InWork, staff: Sees, emergency_id: UUID) -> Response:
    """Let the alarm sound no more on the reader's pages."""
    await reviewing.seen(work, staff, emergency_id)
    return await alarms(request, work, staff)


@router.post("/emergency/{emergency_id}/review")
async def review(
    request: Request,
    work: InWork,
    staff: Reviews,
    emergency_id: UUID,
    words: _Words = "",
    fitting: Annotated[bool, Form()] = False,
) -> Response:
    """Write whether it was right."""
    try:
        await reviewing.review(work, staff, emergency_id, fitting=fitting, words=words)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    return await _show(request, work, staff, told=_("The review is written."))
