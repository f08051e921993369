"""What our own people do with a referral, on the page or through the interface."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.contacts.risk import Urgency
from app.contacts.saving import Change, Saved, save_answers
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.referrals import answering, clocks, details, opening, sending
from app.referrals.agencies import agency_of_code
from app.referrals.climbing import begin, go_to
from app.referrals.consenting import (
    Agreed,
    Override,
    given_of,
    record_consent,
    record_override,
)
from app.referrals.counterparts import try_again
from app.referrals.disclosures import disclose
from app.referrals.letting_go import let_go_of_who_may_not
from app.referrals.links import answer_question, approach_to
from app.referrals.models import Agency, Approach, Dispatch, Referral
from app.referrals.scopes import lock_own, lock_referral
from app.referrals.states import (
    HELD,
    OVER,
    UNACKNOWLEDGED,
    DispatchState,
    NoticeKind,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
)
from app.referrals.trail import By, NotPossible, note, tell_house
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


@dataclass(frozen=True)
class Said:
    """What a person at an agency said to one of us, who writes it down."""

    # The code of the agency that said it.
    agency: str
    # Who there said it; sealed in the log.
    name: str = ""
    words: str = ""


async def _with_approach(
    work: Work, staff: Staff, referral_id: UUID, said: Said
) -> tuple[Referral, Approach, By]:
    """The referral, the approach to the agency that replied, and that it was told to one of us.

    Raises NotFound for an agency that was not asked.
    """
    referral = await lock_own(work, staff, referral_id)
    agency = await agency_of_code(work, said.agency)
    approach = await approach_to(work, referral, agency)
    return referral, approach, By("by_hand", agency.code, said.name.strip())


def _check_named(said: Said) -> None:
    """What ends an escalation was said by a person. Raises Invalid."""
    if not said.name.strip():
        raise Invalid("Write who at the agency said it.")


async def send(work: Work, staff: Staff, referral_id: UUID, agency: str | None) -> Referral:
    """Send a draft, or one that came back, to the right agency or to a chosen one.

    Raises NotFound, NotConsented, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    agency_id = (await agency_of_code(work, agency)).id if agency else None
    if referral.state == ReferralState.DRAFT:
        await sending.send(work, referral, By("by_hand"), agency_id=agency_id)
    elif ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over.")
    elif agency_id is None:
        raise Invalid("It was sent already: choose the agency that it is to go to now.")
    else:
        await sending.check_can_be_sent_to(work, agency_id)
        await go_to(work, referral, agency_id, ("chosen by hand",), By("by_hand"))
    return referral


async def consent(work: Work, staff: Staff, referral_id: UUID, said: Agreed | Override) -> Referral:
    """Consent or an override, from the page. An agency that may not be told now is asked no
    longer. Raises NotFound, Invalid, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("The referral is over: nothing is told any more.")
    # What is said here may count for the others of the contact, too.
    others = await _others_of_contact(work, referral)
    befores = [(one, await given_of(work, one)) for one in (referral, *others)]
    if isinstance(said, Override):
        if referral.withdrawal_at is not None and not may(staff.role, Permission.SEE_CLOCKS):
            raise NotAllowed(
                "Consent was withdrawn: a supervisor decides whether it is overridden."
            )
        await record_override(work, referral, said, By("by_hand"))
    else:
        await record_consent(work, referral, said, By("by_hand"))
    for one, before in befores:
        await let_go_of_who_may_not(work, one, before)
    await _go_on(work, referral)
    return referral


async def _others_of_contact(work: Work, referral: Referral) -> list[Referral]:
    """The other referrals of the contact that are not over, locked."""
    if referral.contact_id is None:
        return []
    ids = await work.session.scalars(
        select(Referral.id)
        .where(
            Referral.contact_id == referral.contact_id, Referral.id != referral.id,
            Referral.state.not_in(sorted(OVER)),
        )
        .order_by(Referral.id)
    )  # fmt: skip
    return [await lock_referral(work, one) for one in ids.all()]


async def _go_on(work: Work, referral: Referral) -> None:
    """There is a ground again after consent was withdrawn: the ladder goes on where it stood."""
    if referral.withdrawal_at is None:
        return
    referral.withdrawal_at = None
    if ReferralState(referral.state) in UNACKNOWLEDGED and referral.climbs_at is None:
        # A new round: the phones that were tried before are tried again.
        referral.ladder_round += 1
        if referral.approach_id is not None:
            approach = await work.session.get(Approach, referral.approach_id)
            assert approach is not None
            approach.round = referral.ladder_round
        await begin(work, referral)


async def try_system_again(work: Work, staff: Staff, referral_id: UUID) -> Referral:
    """The table was completed: hand it to the other system anew. Raises NotFound."""
    referral = await lock_own(work, staff, referral_id)
    await try_again(work, referral)
    return referral


async def acknowledge(work: Work, staff: Staff, referral_id: UUID, said: Said) -> Referral:
    """An agency told one of us that it has it. Raises NotFound, Invalid, Over, TakenByAnother."""
    _check_named(said)
    referral, approach, by = await _with_approach(work, staff, referral_id, said)
    await answering.acknowledge(work, referral, approach, by, words=said.words)
    return referral


async def accept(work: Work, staff: Staff, referral_id: UUID, said: Said) -> Referral:
    """The same: they will act. Raises Invalid without a name."""
    _check_named(said)
    referral, approach, by = await _with_approach(work, staff, referral_id, said)
    await answering.accept(work, referral, approach, by)
    return referral


async def reject(
    work: Work, staff: Staff, referral_id: UUID, reason: RejectionReason, said: Said
) -> Referral:
    """The same: they will not."""
    referral, approach, by = await _with_approach(work, staff, referral_id, said)
    await answering.reject(work, referral, approach, reason, by, words=said.words)
    return referral


async def progress(
    work: Work, staff: Staff, referral_id: UUID, seen_at: datetime | None, said: Said
) -> Referral:
    """The same: how it goes, and whether the child was seen."""
    referral, approach, by = await _with_approach(work, staff, referral_id, said)
    if approach.accepted_at is None:
        _check_named(said)
    await answering.progress(work, referral, approach, by, seen_at=seen_at, words=said.words)
    return referral


async def complete(
    work: Work, staff: Staff, referral_id: UUID, outcome: ReferralOutcome | None, said: Said
) -> Referral:
    """The same: they have done their part."""
    referral, approach, by = await _with_approach(work, staff, referral_id, said)
    if approach.accepted_at is None:
        _check_named(said)
    await answering.complete(work, referral, approach, outcome, by, words=said.words)
    return referral


async def close(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """What was done is enough. Raises NotFound, NotPossible, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    await answering.close(work, referral, words, By("by_hand"))
    return referral


async def recall(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """It is taken back; what is immediate and was sent, by two of us.

    Raises NotFound, NotPossible, Invalid, and Conflict where the same person asks twice.
    """
    referral = await lock_own(work, staff, referral_id)
    alone = referral.urgency != Urgency.IMMEDIATE or referral.state == ReferralState.DRAFT
    if alone or referral.recall_wanted_by not in (None, staff.id):
        await answering.recall(work, referral, words, By("by_hand"))
        return referral
    if referral.recall_wanted_by == staff.id:
        raise Conflict("You have asked for it already. A second person has to take it back, too.")
    if not words.strip():
        raise Invalid("Write why it is taken back.")
    if ReferralState(referral.state) in (*OVER, ReferralState.COMPLETED):
        raise NotPossible("It is done, and cannot be taken back any more.")
    referral.recall_wanted_by = staff.id
    note(work, referral, "recall wanted", By("by_hand"), words=words)
    tell_house(work, referral, NoticeKind.RECALL_WANTED, author=staff.id)
    return referral


async def take_in_hand(work: Work, staff: Staff, referral_id: UUID) -> Referral:
    """A supervisor of ours has it: the ladder rests, and an agency has to take it by a clock.

    Raises NotFound, NotPossible, Conflict if a colleague or an agency has it already.
    """
    referral = await lock_own(work, staff, referral_id)
    if referral.state == ReferralState.DRAFT:
        raise NotPossible("It was not sent yet.")
    await _check_free(work, referral, staff)
    await answering.acknowledge_in_house(work, referral, By("by_hand"))
    if referral.owner_id != staff.id:
        _give(work, referral, staff)
    return referral


async def _check_free(work: Work, referral: Referral, staff: Staff) -> None:
    """Raises Conflict where a colleague or an agency holds the referral already."""
    if referral.house_has_it and referral.owner_id != staff.id:
        owner = await work.session.get(Staff, referral.owner_id)
        assert owner is not None
        raise Conflict(f"{owner.name} has taken it in hand already.")
    if ReferralState(referral.state) in HELD and not referral.house_has_it:
        agency = await work.session.get(Agency, referral.agency_id)
        assert agency is not None
        raise Conflict(
            f"{agency.name} has it. Ring them; if they do not act, send it to another agency."
        )


def _give(work: Work, referral: Referral, to: Staff) -> None:
    before, referral.owner_id = referral.owner_id, to.id
    note(work, referral, "owner", By("by_hand"), **{"from": str(before), "to": str(to.id)})


async def give_to(work: Work, staff: Staff, referral_id: UUID, name: str) -> Referral:
    """Another of ours answers for it from now on. Raises NotFound, NotPossible."""
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over.")
    to = await work.session.scalar(
        select(Staff).where(Staff.name == name.strip(), Staff.active.is_(True))
    )
    if to is None or not may(to.role, Permission.WRITE_REFERRALS):
        raise NotFound("There is no such colleague who could have a referral.")
    _give(work, referral, to)
    return referral


async def note_handover(
    work: Work,
    staff: Staff,
    referral_id: UUID,
    agreed: str,
    said: Said,
    at: datetime | None,
    reference: str,
    details_told: bool,
) -> Referral:
    """What was agreed with a person at an agency, by whom and when; also by telephone.

    With `details_told` they have the details, and need not open them. Raises NotFound, Invalid,
    NotConsented.
    """
    referral, approach, by = await _with_approach(work, staff, referral_id, said)
    if not agreed.strip() or not said.name.strip():
        raise Invalid("Write what was agreed, and with whom.")
    when = at or work.now
    if when > work.now or when < referral.opened_at.replace(second=0, microsecond=0):
        raise Invalid("The time of the agreement is after the referral was opened, and not ahead.")
    more = {"reference": reference.strip()[:60]} if reference.strip() else {}
    note(work, referral, "handed over", by, words=agreed, agreed_at=when.isoformat(), **more)
    if details_told:
        agency = await work.session.get(Agency, approach.agency_id)
        assert agency is not None
        await disclose(work, referral, agency, approach, "by telephone")
        await details.note_opened(work, referral, approach, "by telephone")
    return referral


async def feedback(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """The professional who reported was told. Raises NotFound, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    await answering.give_feedback(work, referral, words, By("by_hand"))
    return referral


async def answer(work: Work, staff: Staff, referral_id: UUID, agency: str, words: str) -> Referral:
    """Answer an agency's question. Raises NotFound, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: nothing is told any more.")
    await answer_question(work, referral, agency, words, By("by_hand"))
    return referral


async def dispatch(
    work: Work,
    staff: Staff,
    referral_id: UUID,
    place: str,
    wanted_at: datetime,
    team: str,
    words: str,
) -> Dispatch:
    """Ask for a mobile outreach team. Raises NotFound, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    return await answering.dispatch(
        work, referral, place, wanted_at, team, By("by_hand"), words=words
    )


async def move_dispatch(
    work: Work,
    staff: Staff,
    referral_id: UUID,
    dispatch_id: UUID,
    to: DispatchState,
    result: str | None,
    words: str,
) -> Dispatch:
    """How far the team is, as it was told to us. Raises NotFound, Conflict, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    return await answering.move_dispatch(
        work, referral, dispatch_id, to, By("by_hand"), result=result, words=words
    )


async def save(
    work: Work, staff: Staff, referral_id: UUID, changes: list[Change]
) -> tuple[Referral, Saved]:
    """Write on the form; see `save_answers`. Raises NotFound, NotPossible, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: its form is kept as it was.")
    saved = await save_answers(work, referral, changes)
    # What a person of ours has written is what is so.
    referral.to_confirm = [path for path in referral.to_confirm if path not in saved.saved]
    opening.take_facts(work, referral)
    await clocks.run_feedback(work, referral)
    await details.note_written(work, referral, saved.saved)
    return referral, saved


async def confirm(work: Work, staff: Staff, referral_id: UUID, paths: list[str]) -> Referral:
    """What came close in the contact is so: it may be told from now on.

    Raises NotFound, NotPossible, Invalid.
    """
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: its form is kept as it was.")
    if not paths or not set(paths) <= set(referral.to_confirm):
        raise Invalid("Choose from the answers that are to be confirmed.")
    referral.to_confirm = [path for path in referral.to_confirm if path not in paths]
    note(work, referral, "confirmed", By("by_hand"), questions=sorted(paths))
    opening.take_facts(work, referral)
    await details.note_written(work, referral, paths)
    return referral
