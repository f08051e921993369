"""The page on which a person leaves: what they hold, to whom it goes, and coming back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from app.dashboard.people.accounts import Keeps, reached_words, show_moved
from app.dashboard.templating import templates
from app.errors import Conflict, Invalid, Refusal
from app.people import finding, holding, leaving, links, wallboards, work_left
from app.people.holding import WorkKind
from app.referrals.directory import leavers
from app.routing.rota import giving, roster
from app.staff import tokens
from app.staff.models import Staff
from app.web.access import InWork
from app.words.pages import _, code_words, list_words, message_words, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
_NO_COLLEAGUE = "no_colleague"


@router.get("/admin/people/{person_id}/leave")
async def leave_page(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Show what a person holds, and to whom it can go."""
    person = await finding.person(work, person_id)
    if not person.active and not await work_left.is_of(work, person):
        raise Conflict("This account is inactive already.")
    return await _show(request, work, staff, person)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    person: Staff,
    *,
    sent: Mapping[str, Any] | None = None,
    notice: str = "",
    not_free: bool = False,
) -> Response:
    receivers = await leaving.possible_receivers(work, person)
    held = [(kind, n) for kind, n in (await holding.count(work, person)).items() if n]
    in_all = set.intersection(*(({one.id for one in receivers[kind]}) for kind in WorkKind))
    duty = await giving.foretold(work, person)
    zone = await roster.home_zone(work)
    values = {
        "keeping": [
            (
                name,
                giving.spans_message([one for one in duty.kept if one.counsellor_id == who], zone),
            )
            for who, name in await _names(work, {one.counsellor_id for one in duty.kept})
        ],
        "asked": len(duty.asked),
        "runs": person.id in await roster.on_shift(work),
        "not_free": not_free,
        "staff": staff,
        "person": person,
        "held": held,
        "receivers": receivers,
        "for_all": [one for one in receivers[WorkKind.DRAFTS] if one.id in in_all],
        "to_confirm": await leavers.to_confirm(work) if person.active else [],
        "made_tokens": await tokens.made_by(work, person),
        "made_wallboards": await wallboards.made_by(work, person),
        "doing": await holding.doing(work, person),
        "sent": sent or {},
        "notice": notice,
    }
    return templates.TemplateResponse(request, "person_leaves.html", values)


async def _names(work: Work, people: set[UUID]) -> list[tuple[UUID, str]]:
    found = await work.session.execute(
        select(Staff.id, Staff.name).where(Staff.id.in_(people)).order_by(Staff.name)
    )
    return [(staff_id, name) for staff_id, name in found]


def _plan(sent: Mapping[str, Any]) -> leaving.Plan:
    """Read to whom each kind goes. Raises ValueError."""
    everything = str(sent.get("everything", ""))
    plan: dict[WorkKind, UUID | None] = {}
    for kind in WorkKind:
        chosen = str(sent.get(f"to.{kind.value}", "")) or everything
        if chosen == _NO_COLLEAGUE:
            plan[kind] = None
        elif chosen:
            plan[kind] = UUID(chosen)
    return plan


@router.post("/admin/people/{person_id}/leave")
async def leave(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Hand over what a person holds and, unless they stay, deactivate the account."""
    sent = await request.form()
    try:
        plan, revision = _plan(sent), int(str(sent.get("revision", "")))
    except ValueError:
        raise Invalid("The form is not complete. Open the page again.") from None
    has_left = not (await finding.person(work, person_id)).active
    act = leaving.hand_over if sent.get("act") == "hand_over" else leaving.deactivate
    try:
        handed = await act(
            work,
            person_id,
            plan,
            by=staff,
            revision=revision,
            knowingly=bool(sent.get("knowingly")),
        )
    except Refusal as refusal:
        await work.undo()
        person = await finding.person(work, person_id)
        words, not_free = refusal_words(refusal), isinstance(refusal, giving.NotFree)
        return await _show(request, work, staff, person, sent=sent, notice=words, not_free=not_free)
    person = await finding.person(work, person_id)
    told = await _told(work, person, handed, has_left=has_left)
    return await show_moved(request, work, staff, person, None, told)


async def _told(work: Work, person: Staff, handed: leaving.HandedOver, *, has_left: bool) -> str:
    """Say what was handed over, and which duty stays uncovered."""
    words = list_words(f"{code_words(kind)}: {number}" for kind, number in handed.given.items())
    told = _("Handed over: %(given)s.", given=words or "–")
    if not person.active and not has_left:
        told = _("Deactivated. Handed over: %(given)s.", given=words or "–")
    if handed.uncovered:
        spans = giving.spans_message(handed.uncovered, await roster.home_zone(work))
        told += " " + _("Uncovered: %(stretches)s.", stretches=message_words(spans))
    left = handed.reached
    reached = await reached_words(work, left.entries, left.lines, left.perhaps, left.perhaps_lines)
    return " ".join([told, *reached])


@router.post("/admin/people/{person_id}/reactivate")
async def reactivate(request: Request, work: InWork, staff: Keeps, person_id: UUID) -> Response:
    """Make an account active again, with a new link that is shown once."""
    person = await leaving.reactivate(work, person_id, by=staff)
    address = await links.make_link(work, person_id, by=staff, by_mail=False)
    told = _("Active again.") if person.active else ""
    return await show_moved(request, work, staff, person, address, told)
