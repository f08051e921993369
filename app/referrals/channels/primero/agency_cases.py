"""A referral in Primero, another case management system: create, refer, ask, take back.

`AgencyCase` is the case and referral there that stand for one recipient here.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.contacts.cases.printing import in_words
from app.contacts.registry import sheet_of
from app.definitions.trees import label_in
from app.errors import NotFound
from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.models import AgencyCase
from app.referrals.channels.primero.mapping import Mapping, Worded
from app.referrals.channels.primero.primero import ENDED, AgencyFacts, PrimeroAccount, TheirStatus
from app.referrals.channels.registry import is_reached_otherwise
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import ConsentKind, NotConsented
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.disclosures import disclose
from app.referrals.escalation.trying import escalate_on
from app.referrals.library import protocols_of
from app.referrals.log_kinds import LogKind
from app.referrals.models import Recipient, Referral
from app.referrals.reasons import RingAbout, TooLate
from app.referrals.replies import details, replying
from app.referrals.scopes import lock_referral
from app.referrals.services import asked_by
from app.referrals.states import (
    OVER,
    AgencyCaseState,
    ForWhom,
    NoticeKind,
    RecipientState,
    ReferralEvent,
    ReferralState,
    RejectionReason,
    ToldHow,
)
from app.referrals.trail import By, Via, add_notice, ask_to_ring, can, move, note
from app.work import Work


@dataclass(frozen=True)
class Errand:
    """What a job has to do at the other system now."""

    account: PrimeroAccount
    case_id: UUID
    service_id: UUID
    state: str
    their_referral: str | None
    owned_by: str
    refer_to: str
    agency: str
    mapping: Mapping
    known: AgencyFacts


async def _rows(work: Work, recipient_id: UUID) -> tuple[Referral, Recipient, Agency, AgencyCase]:
    recipient = await work.session.get(Recipient, recipient_id)
    assert recipient is not None
    referral = await lock_referral(work, recipient.referral_id)
    agency_case = await work.session.get(AgencyCase, recipient_id, populate_existing=True)
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency_case is not None
    assert agency is not None
    await work.session.refresh(recipient)
    return referral, recipient, agency, agency_case


async def lock_agency_case(work: Work, recipient_id: UUID) -> AgencyCase | None:
    """Lock the referral of an agency case, and return the agency case, or None."""
    if await work.session.get(AgencyCase, recipient_id) is None:
        return None
    return (await _rows(work, recipient_id))[3]


async def errand(
    work: Work, recipient_id: UUID, *, with_facts: bool, to_end: bool = False, again: bool = False
) -> Errand | None:
    """Return what to do at the other system, or None if there is nothing to do.

    `with_facts` discloses the facts, for a referral not yet handed over, or, with `again`, for one
    that was handed over before more was written.
    """
    if await work.session.get(AgencyCase, recipient_id) is None:
        return None
    referral, recipient, agency, agency_case = await _rows(work, recipient_id)
    if agency.primero is None or agency.primero_password_sealed is None:
        return None
    if agency_case.state in (AgencyCaseState.REFUSED, AgencyCaseState.ENDED) and not to_end:
        return None
    handed_over = agency_case.state == AgencyCaseState.REFERRED
    if with_facts and handed_over is not again:
        return None
    known = AgencyFacts()
    mapping = protocols_of(work.ground).mapping(agency.primero["mapping"])
    if with_facts:
        if replying.too_late(referral, recipient) is not None:
            agency_case.state = AgencyCaseState.ENDED.value
            return None
        try:
            known = await _known(work, referral, agency, recipient, mapping)
        except NotConsented as refusal:
            agency_case.state = AgencyCaseState.REFUSED.value
            agency_case.problem = refusal.barred.value
            return None
        agency_case.mapping_version = mapping.version
    agency_case.asked_at = work.now
    config = agency.primero
    return Errand(
        account_of(work, agency),
        agency_case.case_id,
        agency_case.service_id,
        agency_case.state,
        agency_case.their_referral,
        config["owned_by"],
        config.get("refer_to", ""),
        config.get("agency", ""),
        mapping,
        known,
    )


def account_of(work: Work, agency: Agency) -> PrimeroAccount:
    """Return our account at the system of an agency, which has one and its password."""
    assert agency.primero is not None
    assert agency.primero_password_sealed is not None
    password = work.keys.open(
        agency.primero_password_sealed,
        table="agencies",
        column="primero_password_sealed",
        row=agency.id,
    )
    return PrimeroAccount(agency.primero["url"], agency.primero["user"], password.decode())


async def _known(
    work: Work, referral: Referral, agency: Agency, recipient: Recipient, mapping: Mapping
) -> AgencyFacts:
    given = await given_of(work, referral)
    zone = ZoneInfo(tracking.protocol_of(work, referral).timezone)
    answers = await disclose(work, referral, agency, recipient, ToldHow.PRIMERO)
    sheet = sheet_of(work, referral)
    facts = {
        **answers,
        "urgency": referral.urgency,
        "service": asked_by(work, referral).service,
        "basis": given.basis
        if given and given.kind is ConsentKind.OVERRIDE
        else ConsentKind.CONSENT.value,
        "consent_by": given.given_by if given and given.kind is ConsentKind.CONSENT else None,
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
    return AgencyFacts(facts, words, above)


async def note_state(
    work: Work, recipient_id: UUID, state: AgencyCaseState, *, words: str = "", **values: Any
) -> bool:
    """Record the state at the other system; `words` are those of a refusal, and are sealed.

    Return whether to go on there; False if the referral was taken back in the meantime.
    """
    referral, recipient, agency, agency_case = await _rows(work, recipient_id)
    for name, value in values.items():
        setattr(agency_case, name, value)
    if (
        agency_case.state == AgencyCaseState.ENDED
        or replying.too_late(referral, recipient) is not None
    ):
        # Taken back while it was being created there: undo what was just created.
        agency_case.state = AgencyCaseState.ENDED.value
        work.defer(Task.END_AGENCY_CASE, recipient_id=str(recipient_id))
        return False
    agency_case.state = state.value
    by = By(Via.PRIMERO, agency.code)
    if state is AgencyCaseState.REFUSED:
        problem = agency_case.problem
        note(work, referral, LogKind.REFUSED_BY_THEIR_SYSTEM, by, words=words, problem=problem)
        add_notice(work, referral, NoticeKind.UNMAPPED, agency=agency.code, problem=problem)
        only_way = not is_reached_otherwise(agency, than=ChannelKind.PRIMERO)
        if only_way and referral.recipient_id == recipient.id and referral.escalates_at is not None:
            # The agency has no other channel, and will never hear of this referral.
            await escalate_on(work, referral)
    elif state is AgencyCaseState.REFERRED:
        note(work, referral, LogKind.HANDED_TO_THEIR_SYSTEM, by)
        await details.note_opened(work, referral, recipient, ToldHow.THEIR_SYSTEM)
        if recipient.state == RecipientState.OFFERED:
            recipient.state, recipient.delivered_at = RecipientState.DELIVERED.value, work.now
        if referral.recipient_id == recipient.id and can(referral, ReferralEvent.DELIVER):
            move(work, referral, ReferralEvent.DELIVER, by, way=ChannelKind.PRIMERO.value)
        ask_again(work, recipient_id, 0)
    return True


def ask_again(work: Work, recipient_id: UUID, times: int) -> None:
    """Ask for the status there again: after a minute at first, later every ten minutes."""
    wait = timedelta(seconds=min(60 * max(times, 1), 600))
    work.defer(Task.ASK_AGENCY_CASE, delay=wait, recipient_id=str(recipient_id), times=times)


_OTHER_STATUS = "other"


async def note_status(work: Work, recipient_id: UUID, status: str, words: str) -> bool:
    """Apply their status of the referral if it is new. Return whether to keep asking.

    A status without a meaning here is only written to the log: one that is none of theirs is a word
    of the other system, and sealed.
    """
    spoken = None if status in set(TheirStatus) else status
    status = _OTHER_STATUS if spoken is not None else status
    referral, recipient, agency, agency_case = await _rows(work, recipient_id)
    if agency_case.state == AgencyCaseState.ENDED or ReferralState(referral.state) in OVER:
        return False
    if agency_case.their_status != status:
        agency_case.their_status = status
        by = By(Via.PRIMERO, agency.code)
        try:
            match status:
                case TheirStatus.ACCEPTED:
                    await replying.accept(work, referral, recipient, by)
                case TheirStatus.REJECTED:
                    await replying.reject(
                        work, referral, recipient, RejectionReason.OTHER, by, words=words
                    )
                case TheirStatus.DONE:
                    # Primero does not say what became of the child, so no outcome is recorded;
                    # `words` says whether it was a success.
                    await replying.complete(work, referral, recipient, None, by, words=words)
                case _:
                    note(work, referral, LogKind.STATUS_THERE, by, words=spoken, status=status)
        except replying.Over:
            why = TooLate.OVER
            note(work, referral, LogKind.ANSWERED_TOO_LATE, by, status=status, why=why)
        except replying.TakenByAnother:
            why = TooLate.TAKEN
            note(work, referral, LogKind.ANSWERED_TOO_LATE, by, status=status, why=why)
    over = status in ENDED
    if over:
        agency_case.state = AgencyCaseState.ENDED.value
    return not over


async def try_again(work: Work, referral: Referral) -> None:
    """Hand a refused referral over again, after the mapping or their forms changed.

    Raises NotFound.
    """
    rows = (
        await work.session.scalars(
            select(AgencyCase)
            .join(Recipient, Recipient.id == AgencyCase.recipient_id)
            .where(
                Recipient.referral_id == referral.id, AgencyCase.state == AgencyCaseState.REFUSED
            )
        )
    ).all()
    if not rows:
        raise NotFound("No other system has refused this referral.")
    for row in rows:
        row.state, row.problem = AgencyCaseState.WANTED.value, ""
        note(work, referral, LogKind.HANDED_TO_THEIR_SYSTEM_AGAIN, By(Via.BY_HAND))
        work.defer(Task.MAKE_AGENCY_CASE, recipient_id=str(row.recipient_id))


async def note_updated(
    work: Work, recipient_id: UUID, problem: str, words: str, left_out: list[str]
) -> None:
    """Record that their case was updated with later answers, or the problem that prevented it."""
    referral, _, agency, agency_case = await _rows(work, recipient_id)
    by = By(Via.PRIMERO, agency.code)
    if not problem:
        agency_case.left_out = left_out
        note(work, referral, LogKind.THEIR_SYSTEM_UPDATED, by)
        return
    kind = LogKind.UPDATE_REFUSED_BY_THEIR_SYSTEM
    note(work, referral, kind, by, words=words, problem=problem)
    add_notice(work, referral, NoticeKind.UNMAPPED, agency=agency.code, problem=problem)


async def note_ended(work: Work, recipient_id: UUID) -> None:
    referral, _, agency, agency_case = await _rows(work, recipient_id)
    if agency_case.state != AgencyCaseState.ENDED:
        agency_case.state = AgencyCaseState.ENDED.value
        note(work, referral, LogKind.TAKEN_BACK_AT_THEIR_SYSTEM, By(Via.PRIMERO, agency.code))


async def note_not_taken_back(work: Work, recipient_id: UUID, why: str, words: str = "") -> None:
    """Record that the referral still exists at their system: one of our staff has to ring them."""
    if await work.session.get(AgencyCase, recipient_id) is None:
        return
    referral, _, agency, agency_case = await _rows(work, recipient_id)
    if agency_case.their_referral is None:
        return
    agency_case.problem = why
    by = By(Via.PRIMERO, agency.code)
    kind = LogKind.NOT_TAKEN_BACK_AT_THEIR_SYSTEM
    note(work, referral, kind, by, words=words, problem=why)
    whom, about = ForWhom.SUPERVISORS, RingAbout.THEIR_SYSTEM
    ask_to_ring(work, referral, agency.code, about, for_whom=whom, why=why)
