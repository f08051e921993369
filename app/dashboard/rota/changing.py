"""Forms of the rota's page besides single stretches: absences, swaps, and the copy of a week."""

from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.rota.done import Done
from app.dashboard.rota.duty import Typed, read_to
from app.dashboard.rota.page import Plans, Sees, show_week, week_of
from app.dashboard.rota.places import place_word
from app.errors import Invalid, Refusal
from app.routing.rota import changes, copying, roster, stretches, templates
from app.routing.rota.models import RotaChangeState
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, Place
from app.staff.models import Staff
from app.web.access import InWork
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
# The most stretches that an address names; the others are only counted.
_NAMED = 12


def _back(week: date, done: Done, places: list[Place], **more: Any) -> Response:
    asked = [("week", week.isoformat()), ("done", done), *more.items()]
    asked += [("left", place_word(place)) for place in places[:_NAMED]]
    return RedirectResponse(f"/roster?{urlencode(asked)}", 303)


@router.post("/roster/change")
async def change(request: Request, work: InWork, staff: Sees) -> Response:
    """Write down an absence, let a colleague take over, or add a stretch."""
    sent = {name: str(value).strip()[:300] for name, value in (await request.form()).items()}
    names = ("staff_id", "from_at", "until_at", "layer", "reason")
    typed = Typed(*(sent.get(name, "") for name in names))
    zone = await roster.home_zone(work)
    try:
        to = read_to(
            Typed(typed.staff_id, typed.from_at, typed.until_at, typed.layer or Layer.PRIMARY), zone
        )
        done, fallen = await _carry_out(work, staff, to, sent)
    except Refusal as refusal:
        await work.undo()
        day = _day(typed.from_at) or work.now.astimezone(zone).date()
        return await show_week(
            request, work, staff, week_of(day, zone), notice=refusal_words(refusal), typed=sent
        )
    return _back(to.start.astimezone(zone).date(), done, fallen, at=place_word(to))


async def _carry_out(
    work: Work, staff: Staff, to: Place, sent: dict[str, str]
) -> tuple[Done, list[Place]]:
    """Carry a change out. Return what was done, and the duty that no person works now."""
    who, reason = to.counsellor_id, sent.get("reason", "")
    match sent.get("kind"):
        case ChangeKind.ABSENCE:
            fallen = await changes.fallen_out(work, who, to.start, to.end)
            await changes.be_absent(work, staff, who, to.start, to.end, reason)
            return Done.ABSENT, fallen
        case ChangeKind.SWAP:
            try:
                instead = UUID(sent.get("instead_id", ""))
            except ValueError:
                raise Invalid("Choose the colleague who takes over.") from None
            row = await changes.swap(work, staff, who, instead, to.start, to.end, reason)
            return (Done.SWAPPED if row.state == RotaChangeState.IN_FORCE else Done.ASKED), []
        case ChangeKind.EXTRA:
            await stretches.add(work, staff, to, reason)
            return Done.ADDED, []
    raise Invalid("Choose what is to change.")


@router.post("/roster/copy")
async def copy_week(request: Request, work: InWork, staff: Plans) -> Response:
    """Copy a week into another, and lead there."""
    sent = await request.form()
    zone = await roster.home_zone(work)
    source, target = _day(str(sent.get("from_on", ""))), _day(str(sent.get("to_on", "")))
    shown = source or work.now.astimezone(zone).date()
    try:
        if source is None or target is None:
            raise Invalid("Choose a day of the week to copy to.")
        done = await copying.copy_week(work, staff, source, target)
    except Refusal as refusal:
        await work.undo()
        words = refusal_words(refusal)
        return await show_week(request, work, staff, week_of(shown, zone), notice=words)
    left = [one.place for one in done.left_out]
    return _back(target, Done.COPIED, left, made=done.made, there=done.there)


@router.post("/roster/templates")
async def save_template(request: Request, work: InWork, staff: Plans) -> Response:
    """Keep a week as a template."""
    return await _with_template(request, work, staff, Done.SAVED)


@router.post("/roster/templates/put")
async def put_template(request: Request, work: InWork, staff: Plans) -> Response:
    """Put a template on a week."""
    return await _with_template(request, work, staff, Done.PUT)


@router.post("/roster/templates/delete")
async def delete_template(request: Request, work: InWork, staff: Plans) -> Response:
    """Delete a template."""
    return await _with_template(request, work, staff, Done.DELETED)


async def _with_template(request: Request, work: Work, staff: Staff, done: Done) -> Response:
    """Save, put or delete a template, and lead to the week."""
    sent = await request.form()
    zone = await roster.home_zone(work)
    week = _day(str(sent.get("week", ""))) or work.now.astimezone(zone).date()
    made, there, left = 0, 0, list[Place]()
    try:
        if done == Done.SAVED:
            made = (await templates.save(work, staff, str(sent.get("name", ""))[:200], week)).duties
        else:
            template_id = _template_id(str(sent.get("template_id", "")))
            if done == Done.PUT:
                copied = await templates.put(work, staff, template_id, week)
                made, there = copied.made, copied.there
                left = [one.place for one in copied.left_out]
            else:
                await templates.delete(work, staff, template_id)
    except Refusal as refusal:
        await work.undo()
        words, shown = refusal_words(refusal), week_of(week, zone)
        return await show_week(request, work, staff, shown, notice=words, status=refusal.status)
    return _back(week, done, left, made=made, there=there)


def _template_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("Choose a template.") from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
