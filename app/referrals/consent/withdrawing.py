"""Withdraw consent: the child or a caregiver withdraws it, or the contact later says "no".

It is withdrawn for the child, and so for every referral of the child that rests on consent. An
immediate referral does not end at once: nothing more is told, and a supervisor decides whether
there is a ground to go on without consent.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select

from app.contacts.consent.said import said_of
from app.contacts.consent.withdrawals import carry_refusals, note_withdrawal, refused_of
from app.contacts.models import Case, Contact
from app.contacts.registry import sheet_of
from app.definitions.risk import Urgency
from app.errors import NotAllowed
from app.referrals.channels.attempts import end_attempts
from app.referrals.channels.telling import call_off_teams, tell_recipients
from app.referrals.consent.consenting import (
    SCOPES,
    Agreed,
    child_of,
    from_record,
    given_of,
    of_same_child,
    record_consent,
    records_of,
    write_consent,
)
from app.referrals.consent.letting_go import let_go_of_who_may_not
from app.referrals.consent.rules import ConsentKind, GivenBy, How, Scope
from app.referrals.deadlines import tracking
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.scopes import lock_own, lock_referral
from app.referrals.states import OVER, NoticeKind, Purpose, ReferralEvent, ReferralState
from app.referrals.trail import PROGRAM_ITSELF, By, NotPossible, Via, add_notice, move, note
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.stored import SAYS_NO, stored
from app.work import Work

_BY_HAND = By(Via.BY_HAND)
# No agency was told yet, or the work is done: there is nothing to decide.
_DECIDED = (ReferralState.DRAFT, ReferralState.COMPLETED)


@dataclass(frozen=True)
class Withdrawal:
    """Who withdraws consent, and how."""

    by: GivenBy
    how: How
    words: str = ""


async def withdraw_consent(
    work: Work, staff: Staff, referral_id: UUID, said: Withdrawal
) -> Referral:
    """Withdraw consent for a child: nothing is told from now on, and agencies that know are told.

    Raises NotFound, NotPossible.
    """
    await _lock_in_order(work, referral_id)
    referral = await lock_own(work, staff, referral_id)
    given = await given_of(work, referral)
    if given is None or given.kind is ConsentKind.WITHDRAWN:
        raise NotPossible("This referral has no consent that could be withdrawn.")
    if given.kind is ConsentKind.OVERRIDE:
        raise NotPossible(
            "This referral rests on a lawful ground, not on consent. "
            "Write the child's wish into the log; recall the referral if the ground is gone."
        )
    await _withdraw_all(work, referral, said, _BY_HAND)
    return referral


async def _lock_in_order(work: Work, referral_id: UUID) -> None:
    """Lock the referrals of a child by id: two colleagues who withdraw consent in two of them at
    once must not wait for each other.
    """
    referral = await work.session.get(Referral, referral_id)
    if referral is None:
        return
    ids = await work.session.scalars(
        select(Referral.id).where(await of_same_child(work, referral)).order_by(Referral.id)
    )
    for one in ids.all():
        await lock_referral(work, one)


async def _withdraw_all(work: Work, referral: Referral, said: Withdrawal, by: By) -> None:
    """Withdraw consent for a locked referral, and for the child's others that rest on consent."""
    ids = await work.session.scalars(
        select(Referral.id)
        .where(await of_same_child(work, referral), Referral.id != referral.id)
        .order_by(Referral.id)
    )
    others = [await lock_referral(work, other_id) for other_id in ids.all()]
    resting = [one for one in others if await _rests_on_consent(work, one)]
    for one in (referral, *resting):
        await _withdraw(work, one, said, by)
    # Printing reads the consent from the child's contacts and cases.
    records = await records_of(work, referral)
    for child in records:
        await note_withdrawal(work, child.model, child.record_id, child.entry)
    if not records and referral.contact_id is not None:
        await note_withdrawal(work, Contact, referral.contact_id, None)


async def _rests_on_consent(work: Work, referral: Referral) -> bool:
    given = await given_of(work, referral)
    return given is not None and given.kind is ConsentKind.CONSENT


async def _withdraw(work: Work, referral: Referral, said: Withdrawal, by: By) -> None:
    write_consent(
        work,
        referral,
        ConsentKind.WITHDRAWN,
        words=said.words,
        given_by=said.by.value,
        how=said.how.value,
    )
    told = {"withdrawn_by": said.by.value, "by_way": said.how.value}
    if ReferralState(referral.state) in OVER:
        # A referral that is over stays over; each agency that was told still has to hear this.
        note(work, referral, ReferralEvent.WITHDRAW_CONSENT, by, words=said.words, **told)
        await _end(work, referral)
    elif referral.urgency == Urgency.IMMEDIATE and ReferralState(referral.state) not in _DECIDED:
        note(work, referral, LogKind.WITHDRAWAL_TO_BE_DECIDED, by, words=said.words, **told)
        referral.withdrawal_at = work.now
        referral.escalates_at = None
        referral.turn += 1
        await end_attempts(work, referral)
        add_notice(
            work, referral, NoticeKind.WITHDRAWN, author=work.actor.staff_id, by=said.by.value
        )
    else:
        move(work, referral, ReferralEvent.WITHDRAW_CONSENT, by, words=said.words, **told)
        await _end(work, referral)


async def _end(work: Work, referral: Referral) -> None:
    referral.closed_at, referral.escalates_at = referral.closed_at or work.now, None
    referral.withdrawal_at = None
    referral.turn += 1
    await tracking.stop(work, referral)
    await call_off_teams(work, referral)
    await tell_recipients(work, referral, Purpose.WITHDRAWN)


async def confirm_withdrawal(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """End an immediate referral: a supervisor has decided that there is no ground to go on.

    Raises NotFound, NotAllowed, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    if not may(staff.role, Permission.SEE_DEADLINES):
        raise NotAllowed("Ask a supervisor: only a supervisor decides about an immediate case.")
    if referral.withdrawal_at is None:
        raise NotPossible("This referral has no withdrawal to decide about.")
    move(work, referral, ReferralEvent.WITHDRAW_CONSENT, _BY_HAND, words=words)
    await _end(work, referral)
    return referral


async def record_says_no(work: Work, record_id: UUID, paths: list[str]) -> None:
    """Apply a "no" to consent in answers that were just written in a contact or case.

    It counts in every other record of the child. For a referral of the child that rests on a "yes"
    it is a withdrawal.
    """
    record: Contact | Case | None = await work.session.get(
        Contact, record_id, populate_existing=True
    )
    its = Referral.contact_id == record_id
    if record is None:
        record = await work.session.get(Case, record_id, populate_existing=True)
        # A referral that was made from one of its contacts follows that contact.
        its = and_(Referral.case_id == record_id, Referral.contact_id.is_(None))
    assert record is not None
    elsewhere = await carry_refusals(work, record, paths)
    ids = await work.session.scalars(
        select(Referral.id).where(or_(its, *map(from_record, elsewhere))).order_by(Referral.id)
    )
    for referral_id in ids.all():
        referral = await lock_referral(work, referral_id)
        own = child_of(referral)
        entries: set[str | None] = {*elsewhere.get(own, ())} if own is not None else set()
        if own is None or own.record_id == record_id:
            entries.add(referral.child_entry)
        await _refuse(work, referral, record, entries, paths)


async def _refuse(
    work: Work,
    referral: Referral,
    record: Contact | Case,
    entries: set[str | None],
    paths: list[str],
) -> None:
    """Remove from a locked referral's consent what a record now refuses for its child."""
    given = await given_of(work, referral)
    if (
        given is None
        or given.kind is not ConsentKind.CONSENT
        or ReferralState(referral.state) in OVER
    ):
        return
    refused = {meaning for child in entries for meaning in refused_of(work, record, child, paths)}
    left = sorted(given.scope - {s.value for s, meaning in SCOPES.items() if meaning in refused})
    if len(left) == len(given.scope):
        return
    by_whom = {said_of(record, sheet_of(work, record), "consent_by", child) for child in entries}
    said = by_whom.pop() if len(by_whom) == 1 else None
    by = GivenBy(said) if said in set(GivenBy) else GivenBy.CHILD
    if not left:
        words = stored(SAYS_NO, code=record.code)
        await _withdraw_all(work, referral, Withdrawal(by, How.SPOKEN, words), PROGRAM_ITSELF)
        return
    agreed = Agreed(
        by,
        How.SPOKEN,
        tuple(Scope(scope) for scope in left),
        tuple(sorted(given.withheld_from)),
        tuple(sorted(given.for_what)),
    )
    await record_consent(work, referral, agreed, PROGRAM_ITSELF)
    await let_go_of_who_may_not(work, referral, given)
