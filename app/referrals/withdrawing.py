"""Consent that is withdrawn, by the child or caregiver or by what the contact says afterwards.

It is withdrawn for the child: every referral of that child that rests on consent hears of it. What
is immediate is not ended by it at once. Nothing more is told, a supervisor hears of it, and decides
whether there is a ground to go on without consent.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select

from app.contacts.models import Case, Contact
from app.contacts.records import sheet_of
from app.contacts.risk import Urgency
from app.contacts.said import said_of
from app.contacts.withdrawals import carry_refusals, note_withdrawal, refused_of
from app.errors import NotAllowed
from app.referrals import clocks
from app.referrals.consent import GivenBy, How, Scope
from app.referrals.consenting import (
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
from app.referrals.letting_go import let_go_of_who_may_not
from app.referrals.models import Referral
from app.referrals.scopes import lock_own, lock_referral
from app.referrals.states import OVER, NoticeKind, ReferralEvent, ReferralState
from app.referrals.telling import call_off_teams, end_rungs, tell_recipients
from app.referrals.trail import PROGRAM_ITSELF, By, NotPossible, move, note, tell_house
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

_BY_HAND = By("by_hand")
# No agency was told yet, or what there was to do is done: there is nothing to decide.
_DECIDED = (ReferralState.DRAFT, ReferralState.COMPLETED)


@dataclass(frozen=True)
class Withdrawal:
    """Who withdraws consent, and in which way that was said."""

    by: GivenBy
    how: How
    words: str = ""


async def withdraw_consent(
    work: Work, staff: Staff, referral_id: UUID, said: Withdrawal
) -> Referral:
    """The child or caregiver no longer agrees: nothing is told from now on, and everybody who
    was told hears of it. Raises NotFound, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    given = await given_of(work, referral)
    if given is None or given.kind == "withdrawn":
        raise NotPossible("There is no consent that could be withdrawn.")
    if given.kind == "override":
        raise NotPossible(
            "This referral does not rest on consent but on a lawful ground. "
            "Write the child's wish into the log; recall the referral if the ground is gone."
        )
    await _withdraw_all(work, referral, said, _BY_HAND)
    return referral


async def _withdraw_all(work: Work, referral: Referral, said: Withdrawal, by: By) -> None:
    """Withdraw it for a locked referral, and for the others of the same child that rest on it."""
    ids = await work.session.scalars(
        select(Referral.id)
        .where(await of_same_child(work, referral), Referral.id != referral.id)
        .order_by(Referral.id)
    )
    others = [await lock_referral(work, other_id) for other_id in ids.all()]
    resting = [one for one in others if await _rests_on_consent(work, one)]
    for one in (referral, *resting):
        await _withdraw(work, one, said, by)
    # What is printed goes by the contacts and cases of the child.
    records = await records_of(work, referral)
    for child in records:
        await note_withdrawal(work, child.model, child.record_id, child.entry)
    if not records and referral.contact_id is not None:
        await note_withdrawal(work, Contact, referral.contact_id, None)


async def _rests_on_consent(work: Work, referral: Referral) -> bool:
    given = await given_of(work, referral)
    return given is not None and given.kind == "consent"


async def _withdraw(work: Work, referral: Referral, said: Withdrawal, by: By) -> None:
    write_consent(
        work, referral, "withdrawn", words=said.words, given_by=said.by.value, how=said.how.value
    )
    told = {"withdrawn_by": said.by.value, "by_way": said.how.value}
    if ReferralState(referral.state) in OVER:
        # It is over, and stays so; each agency that was told has to hear this all the same.
        note(work, referral, "withdraw_consent", by, words=said.words, **told)
        await _end(work, referral)
    elif referral.urgency == Urgency.IMMEDIATE and ReferralState(referral.state) not in _DECIDED:
        note(work, referral, "withdrawal to be decided", by, words=said.words, **told)
        referral.withdrawal_at = work.now
        referral.climbs_at = None
        referral.turn += 1
        await end_rungs(work, referral)
        tell_house(
            work, referral, NoticeKind.WITHDRAWN, author=work.actor.staff_id, by=said.by.value
        )
    else:
        move(work, referral, ReferralEvent.WITHDRAW_CONSENT, by, words=said.words, **told)
        await _end(work, referral)


async def _end(work: Work, referral: Referral) -> None:
    referral.closed_at, referral.climbs_at = referral.closed_at or work.now, None
    referral.withdrawal_at = None
    referral.turn += 1
    await clocks.stop(work, referral)
    await call_off_teams(work, referral)
    await tell_recipients(work, referral, "withdrawn")


async def confirm_withdrawal(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """A supervisor has decided that there is no ground to go on: what is immediate ends, too.

    Raises NotFound, NotAllowed, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    if not may(staff.role, Permission.SEE_CLOCKS):
        raise NotAllowed("A supervisor decides what becomes of an immediate case.")
    if referral.withdrawal_at is None:
        raise NotPossible("There is no withdrawal to be decided.")
    move(work, referral, ReferralEvent.WITHDRAW_CONSENT, _BY_HAND, words=words)
    await _end(work, referral)
    return referral


async def record_says_no(work: Work, record_id: UUID, paths: list[str]) -> None:
    """A contact or case says "no" in answers that were written just now. That counts in every other
    record of the child, and where a referral of the child rests on a yes it is the same as a
    withdrawal.
    """
    record: Contact | Case | None = await work.session.get(
        Contact, record_id, populate_existing=True
    )
    its = Referral.contact_id == record_id
    if record is None:
        record = await work.session.get(Case, record_id, populate_existing=True)
        # What was referred from one of its contacts goes by that contact.
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
    """Take from the consent to a locked referral what a record refuses in the entries of its
    child.
    """
    given = await given_of(work, referral)
    if given is None or given.kind != "consent" or ReferralState(referral.state) in OVER:
        return
    refused = {meaning for child in entries for meaning in refused_of(work, record, child, paths)}
    left = sorted(given.scope - {s.value for s, meaning in SCOPES.items() if meaning in refused})
    if len(left) == len(given.scope):
        return
    by_whom = {said_of(record, sheet_of(work, record), "consent_by", child) for child in entries}
    said = by_whom.pop() if len(by_whom) == 1 else None
    by = GivenBy(said) if said in set(GivenBy) else GivenBy.CHILD
    if not left:
        words = f"{record.code} says no."
        await _withdraw_all(work, referral, Withdrawal(by, How.SPOKEN, words), PROGRAM_ITSELF)
        return
    agreed = Agreed(
        by, How.SPOKEN, tuple(Scope(scope) for scope in left),
        tuple(sorted(given.withheld_from)), tuple(sorted(given.for_what)),
    )  # fmt: skip
    await record_consent(work, referral, agreed, PROGRAM_ITSELF)
    await let_go_of_who_may_not(work, referral, given)
