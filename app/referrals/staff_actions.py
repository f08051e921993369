"""What our own people do with a referral, on its page or through the API."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update

from app.contacts.models import Case, Contact
from app.contacts.saving import Change, Saved, save_answers
from app.database.topics import Topic
from app.definitions.risk import Urgency
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.referrals.channels.primero.agency_cases import try_again
from app.referrals.consent.consenting import (
    Agreed,
    Override,
    given_of,
    record_consent,
    record_override,
)
from app.referrals.consent.letting_go import let_go_of_who_may_not
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import agency_of_code
from app.referrals.directory.models import Agency
from app.referrals.disclosures import disclose
from app.referrals.escalation.trying import begin, go_to
from app.referrals.log_kinds import LogKind
from app.referrals.models import Dispatch, Recipient, Referral
from app.referrals.opening import opening, sending
from app.referrals.reasons import Fits
from app.referrals.replies import details, outreach, replying
from app.referrals.replies.links import answer_question, recipient_to
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
    ToldHow,
)
from app.referrals.trail import By, NotPossible, Via, add_notice, note
from app.routing.alarm_rows import Alarm
from app.staff import receiving
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.second_person import is_person
from app.work import Work


@dataclass(frozen=True)
class ToldByAgency:
    """What a person at an agency said to a member of our staff, who writes it down."""

    # The code of the agency.
    agency: str
    # The person at the agency; sealed in the log.
    name: str = ""
    words: str = ""


async def _with_recipient(
    work: Work, staff: Staff, referral_id: UUID, said: ToldByAgency
) -> tuple[Referral, Recipient, By]:
    """Return the referral, the recipient that replied, and the reply's origin: told to our staff.

    Raises NotFound for an agency that was not asked.
    """
    referral = await lock_own(work, staff, referral_id)
    agency = await agency_of_code(work, said.agency)
    recipient = await recipient_to(work, referral, agency)
    return referral, recipient, By(Via.BY_HAND, agency.code, said.name.strip())


def _check_named(said: ToldByAgency) -> None:
    """Check that the reply names a person: only a person ends an escalation. Raises Invalid."""
    if not said.name.strip():
        raise Invalid("Write the name of the person at the agency who said this.")


async def send(work: Work, staff: Staff, referral_id: UUID, agency: str | None) -> Referral:
    """Send a draft, or one that came back, to the right agency or to a chosen one.

    Raises NotFound, NotConsented, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    agency_id = (await agency_of_code(work, agency)).id if agency else None
    if referral.state == ReferralState.DRAFT:
        await sending.send(work, referral, By(Via.BY_HAND), agency_id=agency_id)
    elif ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over.")
    elif agency_id is None:
        raise Invalid("This referral was sent already. Choose the agency that gets it now.")
    else:
        await sending.check_can_be_sent_to(work, agency_id)
        await go_to(work, referral, agency_id, (Fits.BY_HAND,), By(Via.BY_HAND))
    return referral


async def consent(work: Work, staff: Staff, referral_id: UUID, said: Agreed | Override) -> Referral:
    """Record consent or an override, and recall agencies that may no longer be told.

    Raises NotFound, Invalid, NotPossible.
    """
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: nothing is told any more.")
    # This may count for the other referrals of the contact, too.
    others = await _others_of_contact(work, referral)
    befores = [(one, await given_of(work, one)) for one in (referral, *others)]
    if isinstance(said, Override):
        if referral.withdrawal_at is not None and not may(staff.role, Permission.SEE_DEADLINES):
            raise NotAllowed(
                "Consent was withdrawn. Ask a supervisor to decide whether it is overridden."
            )
        await record_override(work, referral, said, By(Via.BY_HAND))
    else:
        await record_consent(work, referral, said, By(Via.BY_HAND))
    for one, before in befores:
        await let_go_of_who_may_not(work, one, before)
    await _go_on(work, referral)
    return referral


async def _others_of_contact(work: Work, referral: Referral) -> list[Referral]:
    """Return the other referrals of the contact that are not over, locked."""
    if referral.contact_id is None:
        return []
    ids = await work.session.scalars(
        select(Referral.id)
        .where(
            Referral.contact_id == referral.contact_id,
            Referral.id != referral.id,
            Referral.state.not_in(sorted(OVER)),
        )
        .order_by(Referral.id)
    )
    return [await lock_referral(work, one) for one in ids.all()]


async def _go_on(work: Work, referral: Referral) -> None:
    """Resume the escalation, if consent was withdrawn and there is a ground again."""
    if referral.withdrawal_at is None:
        return
    referral.withdrawal_at = None
    if ReferralState(referral.state) in UNACKNOWLEDGED and referral.escalates_at is None:
        # A new round: the phones that were tried before are tried again.
        referral.escalation_round += 1
        if referral.recipient_id is not None:
            recipient = await work.session.get(Recipient, referral.recipient_id)
            assert recipient is not None
            recipient.round = referral.escalation_round
        await begin(work, referral)


async def try_system_again(work: Work, staff: Staff, referral_id: UUID) -> Referral:
    """Hand a referral to the other system again, after the mapping changed. Raises NotFound."""
    referral = await lock_own(work, staff, referral_id)
    await try_again(work, referral)
    return referral


async def acknowledge(work: Work, staff: Staff, referral_id: UUID, said: ToldByAgency) -> Referral:
    """Record that an agency has the referral, as it told our staff.

    Raises NotFound, Invalid, Over, TakenByAnother.
    """
    _check_named(said)
    referral, recipient, by = await _with_recipient(work, staff, referral_id, said)
    await replying.acknowledge(work, referral, recipient, by, words=said.words)
    return referral


async def accept(work: Work, staff: Staff, referral_id: UUID, said: ToldByAgency) -> Referral:
    """Record that the agency will act. Raises as `acknowledge`."""
    _check_named(said)
    referral, recipient, by = await _with_recipient(work, staff, referral_id, said)
    await replying.accept(work, referral, recipient, by)
    return referral


async def reject(
    work: Work, staff: Staff, referral_id: UUID, reason: RejectionReason, said: ToldByAgency
) -> Referral:
    """Record that the agency will not act. Raises NotFound, Over, TakenByAnother."""
    referral, recipient, by = await _with_recipient(work, staff, referral_id, said)
    await replying.reject(work, referral, recipient, reason, by, words=said.words)
    return referral


async def progress(
    work: Work, staff: Staff, referral_id: UUID, seen_at: datetime | None, said: ToldByAgency
) -> Referral:
    """Record the agency's progress, and when the child was seen. Raises as `acknowledge`."""
    referral, recipient, by = await _with_recipient(work, staff, referral_id, said)
    if recipient.accepted_at is None:
        _check_named(said)
    await replying.progress(work, referral, recipient, by, seen_at=seen_at, words=said.words)
    return referral


async def complete(
    work: Work,
    staff: Staff,
    referral_id: UUID,
    outcome: ReferralOutcome | None,
    said: ToldByAgency,
) -> Referral:
    """Record that the agency has done its part. Raises as `acknowledge`."""
    referral, recipient, by = await _with_recipient(work, staff, referral_id, said)
    if recipient.accepted_at is None:
        _check_named(said)
    await replying.complete(work, referral, recipient, outcome, by, words=said.words)
    return referral


async def close(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """Close a referral: enough was done. Raises NotFound, NotPossible, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    await replying.close(work, referral, words, By(Via.BY_HAND))
    return referral


async def recall(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """Take a referral back. One that is immediate and was sent needs two members of staff.

    Raises NotFound, NotPossible, Invalid, NotAllowed for an emergency account as the second one,
    and Conflict if the same person asks twice.
    """
    referral = await lock_own(work, staff, referral_id)
    alone = referral.urgency != Urgency.IMMEDIATE or referral.state == ReferralState.DRAFT
    if alone or referral.recall_wanted_by not in (None, staff.id):
        if not alone and not is_person(staff):
            raise NotAllowed("An emergency account is no second person.")
        await replying.recall(work, referral, words, By(Via.BY_HAND))
        return referral
    if referral.recall_wanted_by == staff.id:
        raise Conflict("You have asked for the recall already. A second person has to confirm it.")
    if not words.strip():
        raise Invalid("Write why the referral is recalled.")
    if ReferralState(referral.state) in (*OVER, ReferralState.COMPLETED):
        raise NotPossible("This referral is done and can no longer be recalled.")
    referral.recall_wanted_by = staff.id
    note(work, referral, LogKind.RECALL_WANTED, By(Via.BY_HAND), words=words)
    add_notice(work, referral, NoticeKind.RECALL_WANTED, author=staff.id)
    return referral


async def take_in_hand(work: Work, staff: Staff, referral_id: UUID) -> Referral:
    """Give the referral to a supervisor: the escalation stops, and a deadline to hand over starts.

    Raises NotFound, NotPossible, and Conflict if a colleague or an agency has it already.
    """
    await receiving.check_receives(work, staff)
    referral = await lock_own(work, staff, referral_id)
    if referral.state == ReferralState.DRAFT:
        raise NotPossible("This referral was not sent yet. Send it first.")
    await _check_free(work, referral, staff)
    await replying.acknowledge_by_staff(work, referral, By(Via.BY_HAND))
    if referral.owner_id != staff.id:
        _give(work, referral, staff)
    return referral


async def _check_free(work: Work, referral: Referral, staff: Staff) -> None:
    """Raises Conflict if a colleague or an agency holds the referral already."""
    if referral.held_by_staff and referral.owner_id != staff.id:
        owner = await work.session.get(Staff, referral.owner_id)
        assert owner is not None
        raise Conflict("%(name)s has taken this referral already.", name=owner.name)
    if ReferralState(referral.state) in HELD and not referral.held_by_staff:
        agency = await work.session.get(Agency, referral.agency_id)
        assert agency is not None
        raise Conflict(
            "%(agency)s has this referral. Ring them; if they do not act, send it to "
            "another agency.",
            agency=agency.name,
        )


def _give(work: Work, referral: Referral, to: Staff) -> None:
    before, referral.owner_id = referral.owner_id, to.id
    note(work, referral, LogKind.OWNER, By(Via.BY_HAND), **{"from": str(before), "to": str(to.id)})


async def give_to(work: Work, staff: Staff, referral_id: UUID, name: str) -> Referral:
    """Make another member of staff the owner. Raises NotFound, NotPossible."""
    to = await receiving.receiver(work, Staff.name == name.strip())
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over.")
    if to is None or not may(to.role, Permission.WRITE_REFERRALS):
        raise NotFound("There is no such colleague who may own a referral. Check the name.")
    _give(work, referral, to)
    return referral


async def give_all(work: Work, owner: Staff, to: Staff) -> int:
    """Give the referrals of a person who leaves to a colleague, with the alarms about what the
    owner did not do. Return how many referrals there were."""
    rows = await work.session.scalars(
        select(Referral)
        .where(Referral.owner_id == owner.id, Referral.state.not_in(OVER))
        .order_by(Referral.id)
        .with_for_update()
    )
    found = rows.all()
    for referral in found:
        _give(work, referral, to)
    work.announce(Topic.REFERRALS, Topic.NOTICES)
    return len(found)


async def give_alarms(work: Work, owner: Staff, to: Staff) -> None:
    """Give the open alarms about danger on record to the colleague who owns the records now."""
    await work.session.flush()
    of_them = [
        Alarm.subject_id.in_(select(model.id).where(model.owner_id == to.id))
        for model in (Referral, Contact, Case)
    ]
    await work.session.execute(
        update(Alarm)
        .where(Alarm.owner_id == owner.id, Alarm.ended_at.is_(None), or_(*of_them))
        .values(owner_id=to.id)
        .execution_options(synchronize_session=False)
    )


async def note_handover(
    work: Work,
    staff: Staff,
    referral_id: UUID,
    agreed: str,
    said: ToldByAgency,
    at: datetime | None,
    reference: str,
    details_told: bool,
) -> Referral:
    """Record what was agreed with a person at an agency, with whom and when; also by phone.

    With `details_told` the agency has the details and need not open them. Raises NotFound,
    Invalid, NotConsented.
    """
    referral, recipient, by = await _with_recipient(work, staff, referral_id, said)
    if not agreed.strip() or not said.name.strip():
        raise Invalid("Write what was agreed, and with whom.")
    when = at or work.now
    if when > work.now or when < referral.opened_at.replace(second=0, microsecond=0):
        raise Invalid("The agreement must be after the referral was opened, and not in the future.")
    more = {"reference": reference.strip()[:60]} if reference.strip() else {}
    note(work, referral, LogKind.HANDED_OVER, by, words=agreed, agreed_at=when.isoformat(), **more)
    if details_told:
        agency = await work.session.get(Agency, recipient.agency_id)
        assert agency is not None
        await disclose(work, referral, agency, recipient, ToldHow.BY_TELEPHONE)
        await details.note_opened(work, referral, recipient, ToldHow.BY_TELEPHONE)
    return referral


async def feedback(work: Work, staff: Staff, referral_id: UUID, words: str) -> Referral:
    """Record that the professional who reported was told the outcome. Raises NotFound, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    await replying.give_feedback(work, referral, words, By(Via.BY_HAND))
    return referral


async def answer_agency(
    work: Work, staff: Staff, referral_id: UUID, agency: str, words: str
) -> Referral:
    """Answer an agency's question. Raises NotFound, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: nothing is told any more.")
    await answer_question(work, referral, agency, words, By(Via.BY_HAND))
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
    return await outreach.dispatch(
        work, referral, place, wanted_at, team, By(Via.BY_HAND), words=words
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
    """Record how far the team is, as our staff were told. Raises NotFound, Conflict, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    return await outreach.move_dispatch(
        work, referral, dispatch_id, to, By(Via.BY_HAND), result=result, words=words
    )


async def save(
    work: Work, staff: Staff, referral_id: UUID, changes: list[Change]
) -> tuple[Referral, Saved]:
    """Write on the form; see `save_answers`. Raises NotFound, NotPossible, Invalid."""
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: its form is kept as it was.")
    saved = await save_answers(work, referral, changes)
    # An answer that our own staff write needs no confirmation.
    referral.to_confirm = [path for path in referral.to_confirm if path not in saved.saved]
    await opening.take_facts(work, referral)
    await tracking.run_feedback(work, referral)
    await details.note_written(work, referral, saved.saved)
    return referral, saved


async def confirm(work: Work, staff: Staff, referral_id: UUID, paths: list[str]) -> Referral:
    """Confirm answers that only came close in the contact, so that agencies may be told them.

    Raises NotFound, NotPossible, Invalid.
    """
    referral = await lock_own(work, staff, referral_id)
    if ReferralState(referral.state) in OVER:
        raise NotPossible("This referral is over: its form is kept as it was.")
    if not paths or not set(paths) <= set(referral.to_confirm):
        raise Invalid("Choose one or more of the answers that need confirmation.")
    referral.to_confirm = [path for path in referral.to_confirm if path not in paths]
    note(work, referral, LogKind.CONFIRMED, By(Via.BY_HAND), questions=sorted(paths))
    await opening.take_facts(work, referral)
    await details.note_written(work, referral, paths)
    return referral
