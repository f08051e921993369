"""A referral is opened from a call: by the urgent button, or because no counsellor answered."""

from uuid import UUID, uuid4

from sqlalchemy import false, or_, select

from app.calls import record
from app.calls.models import Call
from app.calls.states import CallState
from app.contacts.models import Contact
from app.contacts.records import open_record
from app.contacts.registry import library_of, sheet_of
from app.definitions.answers import Answers
from app.definitions.risk import DANGER_KEY, Urgency
from app.privacy.numbers import CallerKind
from app.referrals.consent.consenting import (
    Override,
    given_of,
    override_by_protocol,
    record_override,
)
from app.referrals.consent.grounds import Basis
from app.referrals.consent.rules import Scope
from app.referrals.library import protocols_of
from app.referrals.log_kinds import LogKind
from app.referrals.models import Notice, Referral
from app.referrals.opening.opening import (
    BY_HAND,
    AlreadyReferred,
    Group,
    Need,
    NotFromPracticeCall,
    Wish,
    is_practice,
    open_draft,
    refer,
)
from app.referrals.opening.prefill import children_of
from app.referrals.opening.sending import send
from app.referrals.services import asked_by_all
from app.referrals.states import ASKED_OF_AUTHORITIES, NoticeKind, OpenedHow, Service
from app.referrals.trail import PROGRAM_ITSELF, add_notice, note
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.words.stored import NO_COUNSELLOR, URGENT_BUTTON, stored
from app.work import Work


async def refer_urgently(
    work: Work,
    staff: Staff,
    call_id: UUID,
    service: Service,
    *,
    place: str | None,
    warm: bool,
    wish_read: bool = False,
) -> Referral:
    """Open and send referrals by the urgent button of a live call.

    They are filled from the call's contact. Without consent in the contact, an override for the
    child's vital interests is recorded and a second person is informed. Raises NotFound, Conflict,
    and WishNotRead if the contact says in words who must not be told, unless `wish_read`.
    """
    # A second click at the same time waits here, and then finds the first one's referral.
    await record.lock_call(work, call_id)
    if await is_practice(work, call_id, None):
        raise NotFromPracticeCall()
    there = await _open_referrals(work, call_id, service)
    unowned = [r for r in there if r.opened_how == OpenedHow.DANGER_KEY and r.opened_by is None]
    if unowned:
        # The program referred while no counsellor could take the call; now the referral gets one.
        return await _adopt(work, staff, unowned[0])
    children = await _not_referred(work, staff, call_id, there)
    # In danger the counsellor does not have to look at older open referrals first.
    wish = Wish(
        Urgency.IMMEDIATE,
        OpenedHow.URGENT_BUTTON,
        (service,),
        place=place,
        warm=warm,
        seen_open=True,
        children=children,
    )
    made = await refer(work, staff, wish, call_id=call_id)
    for one in made[1:]:
        # One duty phone is added to the call, for all children.
        one.warm = False
    for one in made:
        given = await given_of(work, one)
        scope = Scope.AUTHORITIES if service in ASKED_OF_AUTHORITIES else Scope.SERVICES
        if given is None or scope not in given.scope:
            # A protocol without this ground for immediate danger is refused when it is loaded.
            why = stored(URGENT_BUTTON)
            override = Override(Basis.VITAL_INTERESTS, why, wish_read=wish_read)
            await record_override(work, one, override, BY_HAND)
        await send(work, one, BY_HAND)
    return made[0]


async def _open_referrals(work: Work, call_id: UUID, service: Service) -> list[Referral]:
    """Return the referrals of a locked call to a service that are not closed, locked."""
    its = select(Referral).where(Referral.call_id == call_id, Referral.closed_at.is_(None))
    found = (await work.session.scalars(its)).all()
    asked = asked_by_all(work, found)
    ids = [one.id for one, (to, _) in zip(found, asked, strict=True) if to == service]
    if not ids:
        return []
    rows = await work.session.scalars(
        its.where(Referral.id.in_(ids))
        .order_by(Referral.opened_at, Referral.code)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def _not_referred(
    work: Work, staff: Staff, call_id: UUID, there: list[Referral]
) -> tuple[str, ...]:
    """Return the children of a call's contact who are not yet referred to that service.

    Empty if there is no referral at all. Raises AlreadyReferred if every child is referred.
    """
    if not there:
        return ()
    contact_id = await work.session.scalar(select(Contact.id).where(Contact.call_id == call_id))
    if contact_id is None:
        raise AlreadyReferred()
    contact = await open_record(work, staff, Contact, contact_id, AuditLog.CONTACT_READ_TO_REFER)
    children = [c for c in children_of(contact, sheet_of(work, contact.record)) if c is not None]
    referred = {one.child_entry for one in there}
    if None in referred:
        # Opened before a child was named: it is about the first.
        referred |= set(children[:1])
    left = tuple(child for child in children if child not in referred)
    if not left:
        raise AlreadyReferred()
    return left


async def _adopt(work: Work, staff: Staff, referral: Referral) -> Referral:
    before, referral.owner_id, referral.opened_by = referral.owner_id, staff.id, staff.id
    referral.contact_id = await work.session.scalar(
        select(Contact.id).where(Contact.call_id == referral.call_id)
    )
    note(work, referral, LogKind.OWNER, BY_HAND, **{"from": str(before), "to": str(staff.id)})
    return referral


async def refer_unanswered(work: Work, call: Call) -> Referral | None:
    """Refer a caller who pressed the danger key and whom no counsellor answered in time.

    The call is locked. Running it twice opens one referral. Where danger was written again and
    again from one page or number within the hour, and people still act on an earlier referral of
    it, no other one is opened, and the supervisors are told.
    """
    there = select(Referral.id).where(Referral.call_id == call.id)
    state = CallState(call.state)
    # A caller who is talking, or has talked, with a counsellor needs no referral from here.
    answered = state is CallState.CONNECTED or (
        state is CallState.ENDED and call.answered_at is not None
    )
    if answered or await work.session.scalar(there) is not None:
        return None
    if await is_practice(work, call.id, None):
        # A trainee's danger key rings no duty phone.
        return None
    if call.danger_again and call.answered_at is None:
        earlier = await _earlier_from_there(work, call)
        if earlier is not None:
            await _tell_of_another(work, call, earlier)
            return None
    protocol = protocols_of(work.ground).current
    form = library_of(work.ground).form_for("referral")
    answers: Answers = {}
    signs, phone = form.path_of("danger_signs"), form.path_of("child_phone")
    if signs is not None:
        answers[signs] = sorted(form.with_cue("danger_signs", "danger_now"))
    if (
        phone is not None
        and call.caller_kind == CallerKind.E164
        and call.caller_number_sealed is not None
    ):
        await write_reading(work, AuditLog.CALLER_NUMBER_OPENED_FOR_REFERRAL, str(call.id))
        number = work.keys.open(
            call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
        )
        answers[phone] = number.decode()
    wish = Wish(Urgency.IMMEDIATE, OpenedHow.DANGER_KEY)
    referral = await open_draft(
        work,
        None,
        wish,
        protocol.danger_key.service,
        Group(uuid4(), uuid4()),
        Need(None, (), frozenset({DANGER_KEY}), answers),
        call_id=call.id,
    )
    await override_by_protocol(work, referral, protocol.danger_key.basis, stored(NO_COUNSELLOR))
    add_notice(work, referral, NoticeKind.DANGER_UNANSWERED)
    await send(work, referral, PROGRAM_ITSELF)
    return referral


async def _earlier_from_there(work: Work, call: Call) -> Referral | None:
    """Return the last open referral of another conversation of the same page or number. A network
    is none of them: very many children may share one."""
    keys = [
        column == key
        for column, key in (
            (Call.visit_key, call.visit_key),
            (Call.caller_key, call.caller_key),
        )
        if key is not None
    ]
    found: Referral | None = await work.session.scalar(
        select(Referral)
        .join(Call, Call.id == Referral.call_id)
        .where(or_(false(), *keys), Call.id != call.id, Referral.closed_at.is_(None))
        .order_by(Referral.opened_at.desc())
        .limit(1)
    )
    return found


async def _tell_of_another(work: Work, call: Call, earlier: Referral) -> None:
    """Tell the supervisors, once for each conversation, that danger was said once more."""
    told = select(Notice.id).where(
        Notice.referral_id == earlier.id,
        Notice.kind == NoticeKind.DANGER_UNANSWERED,
        Notice.detail["call"].astext == str(call.id),
    )
    if await work.session.scalar(told.limit(1)) is None:
        add_notice(work, earlier, NoticeKind.DANGER_UNANSWERED, call=str(call.id))
