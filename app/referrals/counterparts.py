"""The counterpart of an approach in Primero: made, referred, asked about, taken back."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.contacts.printing import in_words
from app.contacts.records import sheet_of
from app.contacts.trees import label_in
from app.errors import NotFound
from app.referrals import answering, clocks, details
from app.referrals.climbing import climb_on
from app.referrals.consent import NotConsented
from app.referrals.consenting import given_of
from app.referrals.disclosures import disclose
from app.referrals.library import protocols_of
from app.referrals.mapping import Mapping, Worded
from app.referrals.models import Agency, Approach, Counterpart, Referral
from app.referrals.primero import STATUS, Account, Known
from app.referrals.scopes import lock_referral
from app.referrals.states import (
    OVER,
    ApproachState,
    NoticeKind,
    ReferralEvent,
    ReferralState,
    RejectionReason,
)
from app.referrals.trail import By, can, move, note, tell_house
from app.work import Work


@dataclass(frozen=True)
class Errand:
    """What has to be done at the other system now."""

    account: Account
    case_id: UUID
    service_id: UUID
    state: str
    their_referral: str | None
    owned_by: str
    refer_to: str
    agency: str
    mapping: Mapping
    known: Known


async def _rows(work: Work, approach_id: UUID) -> tuple[Referral, Approach, Agency, Counterpart]:
    approach = await work.session.get(Approach, approach_id)
    assert approach is not None
    referral = await lock_referral(work, approach.referral_id)
    counterpart = await work.session.get(Counterpart, approach_id, populate_existing=True)
    agency = await work.session.get(Agency, approach.agency_id)
    assert counterpart is not None
    assert agency is not None
    await work.session.refresh(approach)
    return referral, approach, agency, counterpart


async def errand(
    work: Work, approach_id: UUID, *, with_facts: bool, to_end: bool = False, again: bool = False
) -> Errand | None:
    """What to do there; with the disclosed facts if it has yet to be handed over there, or, with
    `again`, if it was and more has been written since."""
    if await work.session.get(Counterpart, approach_id) is None:
        return None
    referral, approach, agency, counterpart = await _rows(work, approach_id)
    if agency.primero is None or agency.primero_password_sealed is None:
        return None
    if counterpart.state in ("refused", "ended") and not to_end:
        return None
    if with_facts and counterpart.state not in (
        ("referred",) if again else ("wanted", "case_made")
    ):
        return None
    password = work.keys.open(
        agency.primero_password_sealed, table="agencies", column="primero_password_sealed",
        row=agency.id,
    )  # fmt: skip
    known = Known()
    mapping = protocols_of(work.ground).mapping(agency.primero["mapping"])
    if with_facts:
        if answering.too_late(referral, approach) is not None:
            counterpart.state = "ended"
            return None
        try:
            known = await _known(work, referral, agency, approach, mapping)
        except NotConsented as refusal:
            counterpart.state, counterpart.problem = "refused", refusal.detail
            return None
        counterpart.mapping_version = mapping.version
    counterpart.asked_at = work.now
    config = agency.primero
    return Errand(
        Account(config["url"], config["user"], password.decode()),
        counterpart.case_id, counterpart.service_id, counterpart.state,
        counterpart.their_referral, config["owned_by"], config.get("refer_to", ""),
        config.get("agency", ""), mapping, known,
    )  # fmt: skip


async def _known(
    work: Work, referral: Referral, agency: Agency, approach: Approach, mapping: Mapping
) -> Known:
    given = await given_of(work, referral)
    zone = ZoneInfo(clocks.protocol_of(work, referral).timezone)
    answers = await disclose(work, referral, agency, approach, "primero")
    sheet = sheet_of(work, referral)
    facts = {
        **answers,
        "urgency": referral.urgency,
        "service": referral.service,
        "basis": given.basis if given and given.kind == "override" else "consent",
        "consent_by": given.given_by if given and given.kind == "consent" else None,
        "code": referral.code,
        "opened_on": referral.opened_at.astimezone(zone).date().isoformat(),
        "opened_at": referral.opened_at.isoformat(),
    }
    words = {
        path: Worded(
            label_in(found[1].label, mapping.language),
            in_words(sheet, found[1], value, mapping.language),
        )
        for path, value in answers.items()
        if (found := sheet.form.find(path)) is not None
    }
    codes = [code for value in answers.values() if isinstance(value, list) for code in value]
    above = {str(code): tuple(sheet.nearest_first(str(code))) for code in codes}
    return Known(facts, words, above)


async def note_state(work: Work, approach_id: UUID, state: str, **values: Any) -> bool:
    """Write down how far it is at the other system. The answer is whether to go on there: not
    if it was taken back in the meantime.
    """
    referral, approach, agency, counterpart = await _rows(work, approach_id)
    for name, value in values.items():
        setattr(counterpart, name, value)
    if counterpart.state == "ended" or answering.too_late(referral, approach) is not None:
        # It was taken back while it was being made there: what has just come about is undone.
        counterpart.state = "ended"
        work.defer("referrals:end_counterpart", approach_id=str(approach_id))
        return False
    counterpart.state = state
    by = By("primero", agency.code)
    if state == "refused":
        note(work, referral, "refused by their system", by, problem=counterpart.problem)
        tell_house(
            work, referral, NoticeKind.UNMAPPED, agency=agency.code, problem=counterpart.problem
        )
        only_way = not (agency.email or agency.sms or agency.webhook_url)
        if only_way and referral.approach_id == approach.id and referral.climbs_at is not None:
            # Nobody there will ever hear of it.
            await climb_on(work, referral)
    elif state == "referred":
        note(work, referral, "handed to their system", by)
        await details.note_opened(work, referral, approach, "their system")
        if approach.state == ApproachState.OFFERED:
            approach.state, approach.delivered_at = ApproachState.DELIVERED.value, work.now
        if referral.approach_id == approach.id and can(referral, ReferralEvent.DELIVER):
            move(work, referral, ReferralEvent.DELIVER, by, way="primero")
        ask_again(work, approach_id, 0)
    return True


def ask_again(work: Work, approach_id: UUID, times: int) -> None:
    """Ask what became of it there: each minute at first, later every ten."""
    wait = timedelta(seconds=min(60 * max(times, 1), 600))
    work.defer("referrals:ask_counterpart", delay=wait, approach_id=str(approach_id), times=times)


async def note_status(work: Work, approach_id: UUID, status: str, words: str) -> bool:
    """Their status of the referral, taken over where it says something new.

    The answer is whether it is still worth asking. What has no counterpart here is written
    down, and nothing is made of it.
    """
    referral, approach, agency, counterpart = await _rows(work, approach_id)
    if counterpart.state == "ended" or ReferralState(referral.state) in OVER:
        return False
    if counterpart.their_status != status:
        counterpart.their_status = status
        by = By("primero", agency.code)
        meaning = STATUS.get(status)
        try:
            match meaning:
                case "accept":
                    await answering.accept(work, referral, approach, by)
                case "reject":
                    await answering.reject(
                        work, referral, approach, RejectionReason.OTHER, by, words=words
                    )
                case "complete":
                    # What became of the child Primero does not say, and neither do we; whether
                    # it was a success stands in the words.
                    await answering.complete(work, referral, approach, None, by, words=words)
                case _:
                    note(work, referral, "status there", by, status=status)
        except answering.Over as refusal:
            note(work, referral, "answered too late", by, status=status, why=refusal.detail)
        except answering.TakenByAnother as refusal:
            note(work, referral, "answered too late", by, status=status, why=refusal.detail)
    over = status in ("rejected", "done", "revoked")
    if over:
        counterpart.state = "ended"
    return not over


async def try_again(work: Work, referral: Referral) -> None:
    """The mapping was completed, or their forms: hand it over anew. Raises NotFound."""
    rows = (
        await work.session.scalars(
            select(Counterpart)
            .join(Approach, Approach.id == Counterpart.approach_id)
            .where(Approach.referral_id == referral.id, Counterpart.state == "refused")
        )
    ).all()
    if not rows:
        raise NotFound("No other system has refused this referral.")
    for row in rows:
        row.state, row.problem = "wanted", ""
        note(work, referral, "handed to their system again", By("by_hand"))
        work.defer("referrals:make_counterpart", approach_id=str(row.approach_id))


async def note_updated(work: Work, approach_id: UUID, problem: str, left_out: list[str]) -> None:
    """What was written later stands in the case at the other system, or why it does not."""
    referral, _, agency, counterpart = await _rows(work, approach_id)
    by = By("primero", agency.code)
    if not problem:
        counterpart.left_out = left_out
        note(work, referral, "their system updated", by)
        return
    note(work, referral, "update refused by their system", by, problem=problem)
    tell_house(work, referral, NoticeKind.UNMAPPED, agency=agency.code, problem=problem)


async def note_ended(work: Work, approach_id: UUID) -> None:
    referral, _, agency, counterpart = await _rows(work, approach_id)
    if counterpart.state != "ended":
        counterpart.state = "ended"
        note(work, referral, "taken back at their system", By("primero", agency.code))


async def note_not_taken_back(work: Work, approach_id: UUID, why: str) -> None:
    """The referral still stands at their system: somebody has to ring them."""
    if await work.session.get(Counterpart, approach_id) is None:
        return
    referral, _, agency, counterpart = await _rows(work, approach_id)
    if counterpart.their_referral is None:
        return
    counterpart.problem = why
    by = By("primero", agency.code)
    note(work, referral, "not taken back at their system", by, problem=why)
    tell_house(
        work, referral, NoticeKind.RING_THEM, agency=agency.code, purpose="at their system", why=why
    )
