"""The JSON interface of referrals, for programs and pages."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from app.api.records.cases import download
from app.api.records.form_views import FormState, SavedView, form_state, saved_with_state
from app.api.records.record_bodies import Changes
from app.api.urgent.referral_bodies import (
    AgreedIn,
    AnswerIn,
    Completion,
    DispatchIn,
    DispatchMove,
    Handover,
    NewReferral,
    OverrideIn,
    Paths,
    Progress,
    Rejection,
    SaidIn,
    To,
    ToColleague,
    UrgencyIn,
    Urgent,
    WithdrawalIn,
    WordsIn,
    Written,
)
from app.api.urgent.referral_views import (
    ReferralList,
    ReferralView,
    referral_brief,
    referral_row,
    referral_view,
)
from app.errors import Invalid
from app.referrals import notices, printing, reading, staff_actions
from app.referrals.consent import withdrawing
from app.referrals.deadlines import urgency as urgency_of
from app.referrals.models import Referral
from app.referrals.opening import from_call, opening
from app.referrals.reading import ReferralsWanted
from app.referrals.states import OpenedHow
from app.routing import in_hand
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.form_language import FormLanguage
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["referrals"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_REFERRALS), scope="function")]
Writes = Annotated[Staff, Depends(Requires(Permission.WRITE_REFERRALS), scope="function")]
SeesDeadlines = Annotated[Staff, Depends(Requires(Permission.SEE_DEADLINES), scope="function")]


# -- opening -----------------------------------------------------------------------------------


@router.post("/calls/{call_id}/urgent", status_code=201)
async def urgent(work: InWork, staff: Writes, call_id: UUID, body: Urgent) -> dict[str, Any]:
    """Open and send an urgent referral for the live call that you hold."""
    await in_hand.call_in_hand(work, staff, call_id)
    made = await from_call.refer_urgently(
        work,
        staff,
        call_id,
        body.service,
        place=body.place,
        warm=body.warm,
        wish_read=body.wish_read,
    )
    return referral_brief(made)


@router.post("/referrals", status_code=201)
async def open_referrals(work: InWork, staff: Writes, body: NewReferral) -> dict[str, Any]:
    """Open one referral for each service that is needed; send them at once if `send` is set."""
    if body.consent is not None and body.override is not None:
        raise Invalid("Give either consent or an override, not both.")
    said = body.consent or body.override
    how = OpenedHow.CASE if body.case_id else OpenedHow.BY_HAND
    wish = opening.Wish(
        body.urgency,
        OpenedHow.CONTACT if body.contact_id else how,
        tuple(body.services),
        place=body.place,
        answers=body.answers,
        consent=said.made() if said else None,
        directly=body.directly,
        seen_open=body.seen_open,
        children=tuple(body.children),
    )
    made = await opening.refer(work, staff, wish, contact_id=body.contact_id, case_id=body.case_id)
    if body.send:
        for referral in made:
            await staff_actions.send(work, staff, referral.id, None)
    return {"id": str(made[0].id), "referrals": [referral_brief(r) for r in made]}


# -- reading -----------------------------------------------------------------------------------


@router.get("/referrals")
async def list_referrals(
    work: InWork,
    staff: Sees,
    state: str | None = None,
    urgency: str | None = None,
    agency: str | None = None,
    mine: bool = False,
    over: bool = False,
    before: datetime | None = None,
) -> ReferralList:
    """List the referrals that you may see, newest first; without a state, those not yet over."""
    if before is not None and before.tzinfo is None:
        raise Invalid("Give `before` with its zone, for example 2026-11-24T08:00:00+01:00.")
    lines = await reading.referrals(
        work, staff, ReferralsWanted(state, urgency, agency, mine, over, before)
    )
    following = lines[-1].referral.opened_at if len(lines) == reading.PAGE else None
    return ReferralList(referrals=[referral_row(one) for one in lines], next_before=following)


@router.get("/referrals/{referral_id}")
async def get_referral(work: InWork, staff: Sees, referral_id: UUID) -> ReferralView:
    """Return a referral with deadlines, attempts, disclosures and log. The reading is logged."""
    return referral_view(await reading.read_story(work, staff, referral_id))


@router.get("/referrals/{referral_id}/state")
async def get_state(
    work: InWork, staff: Sees, referral_id: UUID, language: FormLanguage
) -> FormState:
    """Return which questions the form asks, without any sealed text."""
    return await form_state(work, staff, Referral, referral_id, language)


@router.put("/referrals/{referral_id}/answers", response_model=SavedView)
async def save_answers(
    work: InWork, staff: Writes, referral_id: UUID, body: Changes, language: FormLanguage
) -> Response:
    """Save answers on the form, question by question, as for contacts."""
    referral, saved = await staff_actions.save(work, staff, referral_id, body.made())
    return await saved_with_state(work, referral, saved, language)


@router.post("/referrals/{referral_id}/confirm")
async def confirm(work: InWork, staff: Writes, referral_id: UUID, body: Paths) -> dict[str, Any]:
    """Confirm uncertain answers from the contact. From now on they may be disclosed."""
    return referral_brief(await staff_actions.confirm(work, staff, referral_id, body.paths))


# -- verbs -------------------------------------------------------------------------------------


@router.post("/referrals/{referral_id}/consent")
async def give_consent(
    work: InWork, staff: Writes, referral_id: UUID, body: AgreedIn
) -> dict[str, Any]:
    """Record consent."""
    return referral_brief(await staff_actions.consent(work, staff, referral_id, body.made()))


@router.post("/referrals/{referral_id}/override")
async def override(
    work: InWork, staff: Writes, referral_id: UUID, body: OverrideIn
) -> dict[str, Any]:
    """Record an override: disclose without consent. A second person is informed."""
    return referral_brief(await staff_actions.consent(work, staff, referral_id, body.made()))


@router.post("/referrals/{referral_id}/withdraw-consent")
async def withdraw(
    work: InWork, staff: Writes, referral_id: UUID, body: WithdrawalIn
) -> dict[str, Any]:
    """Record that consent was withdrawn: disclosure stops, and earlier recipients are informed."""
    said = withdrawing.Withdrawal(body.by, body.how, body.words)
    return referral_brief(await withdrawing.withdraw_consent(work, staff, referral_id, said))


@router.post("/referrals/{referral_id}/confirm-withdrawal")
async def confirm_withdrawal(
    work: InWork, staff: Writes, referral_id: UUID, body: WordsIn
) -> dict[str, Any]:
    """Record the supervisor's decision that there are no grounds to go on without consent."""
    found = await withdrawing.confirm_withdrawal(work, staff, referral_id, body.words)
    return referral_brief(found)


@router.post("/referrals/{referral_id}/send")
async def send(work: InWork, staff: Writes, referral_id: UUID, body: To) -> dict[str, Any]:
    """Send to the agency that fits best, or to the agency in the body."""
    return referral_brief(await staff_actions.send(work, staff, referral_id, body.agency))


@router.post("/referrals/{referral_id}/acknowledge")
async def acknowledge(
    work: InWork, staff: Writes, referral_id: UUID, body: SaidIn
) -> dict[str, Any]:
    """Record that the agency has acknowledged the referral."""
    return referral_brief(await staff_actions.acknowledge(work, staff, referral_id, body.made()))


@router.post("/referrals/{referral_id}/accept")
async def accept(work: InWork, staff: Writes, referral_id: UUID, body: SaidIn) -> dict[str, Any]:
    """Record that the agency accepts the referral."""
    return referral_brief(await staff_actions.accept(work, staff, referral_id, body.made()))


@router.post("/referrals/{referral_id}/reject")
async def reject(work: InWork, staff: Writes, referral_id: UUID, body: Rejection) -> dict[str, Any]:
    """Record that the agency rejects it. An urgent referral goes to the next agency at once."""
    found = await staff_actions.reject(work, staff, referral_id, body.reason, body.made())
    return referral_brief(found)


@router.post("/referrals/{referral_id}/progress")
async def progress(
    work: InWork, staff: Writes, referral_id: UUID, body: Progress
) -> dict[str, Any]:
    """Record an agency's progress, and when the child was seen."""
    if body.seen_at is not None and body.seen_at.tzinfo is None:
        raise Invalid("Give seen_at with its zone, for example 2026-11-24T08:00:00+01:00.")
    found = await staff_actions.progress(work, staff, referral_id, body.seen_at, body.made())
    return referral_brief(found)


@router.post("/referrals/{referral_id}/complete")
async def complete(
    work: InWork, staff: Writes, referral_id: UUID, body: Completion
) -> dict[str, Any]:
    """Record that the agency has completed its part."""
    found = await staff_actions.complete(work, staff, referral_id, body.outcome, body.made())
    return referral_brief(found)


@router.post("/referrals/{referral_id}/close")
async def close(work: InWork, staff: Writes, referral_id: UUID, body: WordsIn) -> dict[str, Any]:
    """Close the referral."""
    return referral_brief(await staff_actions.close(work, staff, referral_id, body.words))


@router.post("/referrals/{referral_id}/recall")
async def recall(work: InWork, staff: Writes, referral_id: UUID, body: WordsIn) -> dict[str, Any]:
    """Recall the referral."""
    return referral_brief(await staff_actions.recall(work, staff, referral_id, body.words))


@router.post("/referrals/{referral_id}/take")
async def take(work: InWork, staff: SeesDeadlines, referral_id: UUID) -> dict[str, Any]:
    """Take a referral in hand as a supervisor: ringing stops, a deadline for an agency runs."""
    return referral_brief(await staff_actions.take_in_hand(work, staff, referral_id))


@router.post("/referrals/{referral_id}/urgency")
async def change_urgency(
    work: InWork, staff: Writes, referral_id: UUID, body: UrgencyIn
) -> dict[str, Any]:
    """Raise or lower the urgency, with a reason; deadlines and escalation follow."""
    found = await urgency_of.change_urgency(work, staff, referral_id, body.urgency, body.reason)
    return referral_brief(found)


@router.post("/referrals/{referral_id}/owner")
async def give(work: InWork, staff: Writes, referral_id: UUID, body: ToColleague) -> dict[str, Any]:
    """Make a colleague responsible for the referral."""
    return referral_brief(await staff_actions.give_to(work, staff, referral_id, body.name))


@router.post("/referrals/{referral_id}/handover")
async def handover(
    work: InWork, staff: Writes, referral_id: UUID, body: Handover
) -> dict[str, Any]:
    """Record what was agreed with the agency, with whom and when."""
    if body.at is not None and body.at.tzinfo is None:
        raise Invalid("Give `at` with its zone, for example 2026-11-24T08:00:00+01:00.")
    found = await staff_actions.note_handover(
        work,
        staff,
        referral_id,
        body.agreed,
        body.made(),
        body.at,
        body.reference,
        body.details_told,
    )
    return referral_brief(found)


@router.post("/referrals/{referral_id}/feedback")
async def feedback(work: InWork, staff: Writes, referral_id: UUID, body: WordsIn) -> dict[str, Any]:
    """Record that the professional who reported was given feedback."""
    return referral_brief(await staff_actions.feedback(work, staff, referral_id, body.words))


@router.post("/referrals/{referral_id}/answer")
async def answer(work: InWork, staff: Writes, referral_id: UUID, body: AnswerIn) -> dict[str, Any]:
    """Answer an agency's question."""
    return referral_brief(
        await staff_actions.answer_agency(work, staff, referral_id, body.agency, body.words)
    )


@router.post("/referrals/{referral_id}/try-system-again")
async def try_system_again(work: InWork, staff: Writes, referral_id: UUID) -> dict[str, Any]:
    """Send it to the agency's system again, after its mapping was completed."""
    return referral_brief(await staff_actions.try_system_again(work, staff, referral_id))


@router.post("/referrals/{referral_id}/written")
async def written(work: InWork, staff: Writes, referral_id: UUID, body: Written) -> Response:
    """Create the written confirmation as a PDF; the agency gets it by its link or on paper."""
    content = await printing.confirm_in_writing(work, staff, referral_id, on_paper=body.on_paper)
    return download(content, "application/pdf", "referral.pdf")


@router.post("/referrals/{referral_id}/dispatches", status_code=201)
async def dispatch(
    work: InWork, staff: Writes, referral_id: UUID, body: DispatchIn
) -> dict[str, Any]:
    """Ask for a mobile outreach team."""
    if body.wanted_at.tzinfo is None:
        raise Invalid("Give wanted_at with its zone, for example 2026-11-24T08:00:00+01:00.")
    made = await staff_actions.dispatch(
        work, staff, referral_id, body.place, body.wanted_at, body.team, body.words
    )
    return {"id": str(made.id), "state": made.state}


@router.post("/referrals/{referral_id}/dispatches/{dispatch_id}")
async def move_dispatch(
    work: InWork, staff: Writes, referral_id: UUID, dispatch_id: UUID, body: DispatchMove
) -> dict[str, Any]:
    """Record the progress of the outreach team."""
    moved = await staff_actions.move_dispatch(
        work, staff, referral_id, dispatch_id, body.to, body.result, body.words
    )
    return {"id": str(moved.id), "state": moved.state}


@router.post("/notices/{notice_id}/seen", status_code=204)
async def notice_seen(work: InWork, staff: Sees, notice_id: UUID) -> None:
    """Mark a notice as seen. For an override, this is the check by a second person."""
    await notices.mark_seen(work, staff, notice_id)
