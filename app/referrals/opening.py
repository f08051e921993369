"""Opening a referral: from the urgent button, the danger key, a contact, or by hand.

What is known goes along, the rest follows: nothing has to be filled in before help is sought.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import or_, select

from app.calls import record
from app.calls.models import Call
from app.calls.states import CallState
from app.contacts.answers import Answers
from app.contacts.models import Case, CaseContact, Contact
from app.contacts.records import Opened, beginning, open_record, present, sheet_of
from app.contacts.risk import Urgency
from app.contacts.saving import merged, save_answers
from app.contacts.scopes import readable
from app.errors import Conflict, Invalid, NotFound
from app.referrals import clocks
from app.referrals.climbing import begin
from app.referrals.consent import Basis, GivenBy, How, NotConsented, Scope
from app.referrals.consenting import (
    Agreed,
    Override,
    given_of,
    override_by_protocol,
    record_consent,
    record_override,
)
from app.referrals.library import protocols_of
from app.referrals.models import Agency, Referral
from app.referrals.offering import next_agency, offer_to
from app.referrals.scopes import reads_referral
from app.referrals.states import (
    ASKED_OF_AUTHORITIES,
    HOUSE,
    OVER,
    NoticeKind,
    OpenedHow,
    ReferralEvent,
    ReferralState,
    Sector,
    Service,
)
from app.referrals.trail import PROGRAM_ITSELF, By, NotPossible, move, note, tell_house
from app.routing import roster
from app.routing.models import Presence, PresenceState
from app.staff.audit import write_reading
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import Work

_BY_HAND = By("by_hand")
# What of a contact goes along: the question here, and those there that say the same.
_PREFILLED = {
    "reason.why": ("actions.summary", "incident.account"),
    "reason.categories": ("contact.categories",),
    "reason.place": ("contact.place",),
    "child.confidential": ("actions.confidential",),
    "child.name": ("child.*.name",),
    "child.age": ("child.*.age",),
    "child.age_is": ("child.*.age_is",),
    "child.gender": ("child.*.gender",),
    "child.disability": ("child.*.disability",),
    "child.found_at": ("child.*.found_at",),
    "child.phone": ("child.*.phone",),
    "child.school": ("child.*.school_name",),
    "family.caregiver_informed": ("incident.caregiver_knows",),
    "danger.signs": ("danger.signs",),
    "danger.suspected": ("incident.who_name",),
    "wishes.own_words": ("incident.account",),
    "wishes.wants": ("wishes.child_wants",),
    "wishes.safe_to_contact": ("wishes.safe_to_contact",),
    "wishes.how_to_contact": ("wishes.how_to_contact",),
    "parties.reporter": ("caller.organisation",),
    "parties.wants_feedback": ("caller.wants_feedback",),
}
_NO_DISABILITY = {"none"}


@dataclass(frozen=True)
class Wish:
    """What is asked for, by whom, and with what."""

    urgency: Urgency
    how: OpenedHow
    # Empty: what the protocol says that the signs need.
    services: tuple[Service, ...] = ()
    place: str | None = None
    answers: Answers = field(default_factory=dict)
    consent: Agreed | Override | None = None
    # Bring whoever acknowledges into the live call.
    warm: bool = False
    # Not first to those who can keep the child with its family, and why not.
    directly: str = ""
    # What is open for the same child was seen, and another is wanted all the same.
    seen_open: bool = False


class NoAgency(Conflict):
    default = "No agency of the directory fits. Choose one by hand, or add one to the directory."


class OpenForTheSameChild(Conflict):
    """There is an open referral of the same contact or profile, to the same service."""


class AlreadyReferred(Conflict):
    default = "This call is referred to that service already. Open the referral instead."


# -- from what there is --------------------------------------------------------------------------


async def refer(
    work: Work,
    staff: Staff,
    wish: Wish,
    *,
    contact_id: UUID | None = None,
    call_id: UUID | None = None,
    case_id: UUID | None = None,
) -> list[Referral]:
    """Open one referral for each service that is needed. Raises NotFound, Invalid.

    Nothing is sent yet: see `send`.
    """
    contact: Opened[Contact] | None = None
    if call_id is not None and contact_id is None:
        contact_id = await work.session.scalar(select(Contact.id).where(Contact.call_id == call_id))
    if contact_id is not None:
        contact = await open_record(work, staff, Contact, contact_id, "contact read to refer")
        call_id = contact.record.call_id or call_id
    case_id = await _case_of(work, staff, case_id, contact_id)
    answers = _from_contact(work, contact) if contact else {}
    answers |= wish.answers
    if wish.place:
        answers["reason.place"] = wish.place
    signs = await _signs(work, contact)
    protocol = protocols_of(work.ground).current
    services = wish.services or tuple(protocol.needed_for(signs)) or (protocol.default_service,)
    if HOUSE & set(services):
        raise Invalid("Choose a service; our own people are in the ladder anyway.")
    if contact is not None and not wish.seen_open:
        await _check_not_open(work, staff, contact.record, services)
    together = uuid4()
    return [
        await _open(
            work, staff, wish, service, together, answers, signs, contact=contact,
            call_id=call_id, case_id=case_id,
        )
        for service in dict.fromkeys(services)
    ]  # fmt: skip


async def _check_not_open(
    work: Work, staff: Staff, contact: Contact, services: tuple[Service, ...]
) -> None:
    """What is open for the same child is seen before a second one is opened.

    Raises OpenForTheSameChild with the codes of those that the person may read.
    """
    same = Referral.contact_id == contact.id
    if contact.profile_id is not None:
        of_profile = select(Contact.id).where(Contact.profile_id == contact.profile_id)
        same = or_(same, Referral.contact_id.in_(of_profile))
    rows = await work.session.execute(
        select(Referral.code, Referral.service, reads_referral(staff).label("readable"))
        .where(
            same, Referral.service.in_([s.value for s in services]),
            Referral.state.not_in(sorted(OVER)), Referral.state != ReferralState.COMPLETED,
        )
        .order_by(Referral.opened_at)
    )  # fmt: skip
    found = [
        f"{code if readable else 'one that you may not read'} ({service.replace('_', ' ')})"
        for code, service, readable in rows
    ]
    if found:
        raise OpenForTheSameChild(
            f"There is an open referral for the same child: {', '.join(dict.fromkeys(found))}. "
            "Look there first; confirm that you have, if another one is needed all the same."
        )


async def _case_of(
    work: Work, staff: Staff, case_id: UUID | None, contact_id: UUID | None
) -> UUID | None:
    """The case, within what the person may read; that of the contact if none is given."""
    if case_id is not None:
        statement = readable(Case, staff).with_only_columns(Case.id).where(Case.id == case_id)
        if await work.session.scalar(statement) is None:
            raise NotFound("There is no such case, or not for you.")
        return case_id
    if contact_id is None:
        return None
    found: UUID | None = await work.session.scalar(
        select(CaseContact.case_id).where(CaseContact.contact_id == contact_id).limit(1)
    )
    return found


async def _signs(work: Work, contact: Opened[Contact] | None) -> set[str]:
    """Categories with what is above them, and signs of danger."""
    if contact is None:
        return set()
    signs = set(contact.record.category_codes)
    signs |= set(sheet_of(work, contact.record).cues(present(contact.record)))
    return signs


def _from_contact(work: Work, contact: Opened[Contact]) -> Answers:
    """What the contact says, as far as this form asks for it."""
    record, sheet = contact.record, sheet_of(work, contact.record)
    # A person is a section that repeats: the first child is whom the referral is about.
    children = next((s for s in sheet.form.sections if s.code == "child" and s.repeats), None)
    entries = sheet.entries(present(record), children) if children else []
    first = entries[0] if entries else None
    found: Answers = {"child.case_code": record.code}
    for path, sources in _PREFILLED.items():
        for source in sources:
            there = source.replace("*", first) if first else source
            if there in record.answers or there in record.sealed:
                value = contact.answer(there)
                if value is not None:
                    found[path] = value
                    break
    if len(entries) > 1:
        found["child.others"] = f"+ {len(entries) - 1}: {record.code}"
    return found


async def _open(
    work: Work,
    staff: Staff | None,
    wish: Wish,
    service: Service,
    together: UUID,
    answers: Answers,
    signs: set[str],
    *,
    contact: Opened[Contact] | None = None,
    call_id: UUID | None = None,
    case_id: UUID | None = None,
) -> Referral:
    protocol = protocols_of(work.ground).current
    owner = staff or await pick_owner(work)
    referral = Referral(
        **beginning(work, "referral"), team=contact.record.team if contact else owner.team,
        owner_id=owner.id, opened_by=staff.id if staff else None,
        contact_id=contact.record.id if contact else None, call_id=call_id, case_id=case_id,
        opened_together=together, opened_how=wish.how.value, urgency=wish.urgency.value,
        service=service.value, protocol=protocol.protocol, protocol_version=protocol.version,
        state=ReferralState.DRAFT.value, warm=wish.warm, answers={}, sealed={}, versions={},
        revision=0, edited_from=0, headline_words="", category_codes=[], place_path=[],
        ladder_round=0, ladder_step=0, ladder_phone=-1, turn=0, house_has_it=False,
        wants_feedback=False, separation_risk=False, family_first=[],
    )  # fmt: skip
    refused = await _fill(work, referral, answers)
    if "reason.place" in refused and wish.place:
        raise Invalid("There is no such place in the country's tree.")
    before = before_placement(work, referral, signs)
    if not wish.directly.strip():
        referral.family_first = before
    work.session.add(referral)
    await work.session.flush()
    note(
        work, referral, "opened", _BY_HAND if staff else PROGRAM_ITSELF, opened_how=wish.how.value,
        urgency=wish.urgency.value, service=service.value, protocol=protocol.protocol,
        version=protocol.version, family_first=list(referral.family_first),
        owner=str(owner.id),
    )  # fmt: skip
    if wish.directly.strip() and referral.separation_risk:
        note(work, referral, "not to the family first", _BY_HAND, words=wish.directly)
    clocks.start_from(work, referral, "opened")
    await _first_consent(work, referral, wish.consent, contact)
    return referral


async def _fill(work: Work, referral: Referral, answers: Answers) -> dict[str, str]:
    """Write what is known; what this form does not take is left out, and can be written later."""
    saved = await save_answers(work, referral, merged(answers), new=True)
    age = referral.answers.get("child.age")
    referral.child_age = age if isinstance(age, int) else None
    referral.wants_feedback = referral.answers.get("parties.wants_feedback") == "yes"
    return saved.refused


def before_placement(work: Work, referral: Referral, signs: set[str]) -> list[str]:
    """Whom to ask before a child is placed away from home, so that it can stay there. Whether the
    child may be separated from its family is written down, whoever is asked.
    """
    disability = referral.answers.get("child.disability")
    disabled = isinstance(disability, list) and bool(set(disability) - _NO_DISABILITY)
    rule = clocks.protocol_of(work, referral).family_first
    at_risk = rule is not None and rule.at_risk(
        referral.child_age, disabled, signs | set(referral.category_codes)
    )
    referral.separation_risk = referral.separation_risk or at_risk
    if rule is None or not at_risk or referral.service not in rule.instead_of:
        return []
    return [service.value for service in rule.first]


def take_facts(work: Work, referral: Referral) -> None:
    """What the form says that the referral itself goes by: the age, the feedback, the family."""
    age = referral.answers.get("child.age")
    referral.child_age = age if isinstance(age, int) else None
    referral.wants_feedback = referral.answers.get("parties.wants_feedback") == "yes"
    before = before_placement(work, referral, set())
    if before and not referral.family_first and referral.state == ReferralState.DRAFT:
        # Known only now. Who has it already keeps it; a draft goes to those first.
        referral.family_first = before


async def _first_consent(
    work: Work, referral: Referral, said: Agreed | Override | None, contact: Opened[Contact] | None
) -> None:
    match said:
        case Override():
            await record_override(work, referral, said, _BY_HAND)
        case Agreed():
            await record_consent(work, referral, said, _BY_HAND)
        case None if contact is not None:
            agreed = _consent_of(contact)
            if agreed is not None:
                await record_consent(work, referral, agreed, _BY_HAND)


def _consent_of(contact: Opened[Contact]) -> Agreed | None:
    """What the contact's own form says about consent; only a yes is one."""
    scope = [
        scope
        for scope, path in (
            (Scope.SERVICES, "consent.services"),
            (Scope.AUTHORITIES, "consent.authorities"),
        )
        if contact.record.answers.get(path) == "yes"
    ]
    given_by = contact.record.answers.get("consent.given_by")
    if not scope or given_by not in set(GivenBy):
        return None
    if "consent.withheld_from" in contact.record.sealed:
        # Somebody must not be told, in words that no program can read: a person has to say whom.
        return None
    return Agreed(GivenBy(given_by), How.SPOKEN, tuple(scope))


async def pick_owner(work: Work) -> Staff:
    """Who answers for a referral that nobody opened: a supervisor who is there, or whoever comes
    nearest to that. Raises NotFound where there is no account at all.
    """
    rows = (
        await work.session.execute(
            select(Staff, Presence.state)
            .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
            .where(Staff.active.is_(True))
            .order_by(Staff.created_at, Staff.name)
        )
    ).all()
    present = await roster.on_shift(work)
    order = [Role.SUPERVISOR, Role.REFERRAL_OFFICER, Role.COUNSELLOR]
    able = [(s, state) for s, state in rows if may(s.role, Permission.WRITE_REFERRALS)]
    if not able:
        raise NotFound("There is nobody with an account who could own a referral.")

    def far(one: tuple[Staff, str | None]) -> tuple[bool, bool, int]:
        staff, state = one
        away = state in (None, PresenceState.OFF_DUTY, PresenceState.AWAY)
        role = order.index(Role(staff.role)) if staff.role in set(order) else 9
        return staff.role != Role.SUPERVISOR, away and staff.id not in present, role

    return min(able, key=far)[0]


# -- sending -----------------------------------------------------------------------------------


async def send(work: Work, referral: Referral, by: By, *, agency_id: UUID | None = None) -> None:
    """Send a locked draft: to that agency, or to the right one. Then the ladder begins.

    Raises NotConsented and what is below it, NotFound, NotPossible: then nothing was sent.
    """
    if referral.state != ReferralState.DRAFT:
        raise NotPossible("It was sent already.")
    if await given_of(work, referral.id) is None:
        raise NotConsented()
    if agency_id is not None:
        await check_can_be_sent_to(work, agency_id)
        await offer_to(work, referral, agency_id, ("chosen by hand",), by)
    else:
        following = await next_agency(work, referral)
        if following.found is not None:
            found = following.found
            await offer_to(work, referral, found.agency.id, found.reasons, by)
        elif following.refusal is not None:
            # There is one, and it may not be told: whoever sends it can ask, or say why not.
            raise following.refusal
        else:
            await _nobody_fits(work, referral, following.why, by)
    await begin(work, referral)


async def check_can_be_sent_to(work: Work, agency_id: UUID) -> None:
    """Our own people are in the ladder: a referral is for others. Raises NotFound, Invalid."""
    agency = await work.session.get(Agency, agency_id)
    if agency is None:
        raise NotFound("There is no such agency in the directory.")
    if agency.sector == Sector.OWN_HOUSE:
        raise Invalid("Our own people are in the ladder anyway. Choose an agency.")


async def _nobody_fits(work: Work, referral: Referral, why: str, by: By) -> None:
    """No agency of the directory fits: what is urgent goes to our own people. Raises NoAgency."""
    if referral.urgency not in (Urgency.IMMEDIATE, Urgency.URGENT):
        raise NoAgency()
    move(work, referral, ReferralEvent.FAIL, by, why=why)
    tell_house(work, referral, NoticeKind.NOBODY_LEFT, why=why)


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
    """The urgent button of a live call: opened and sent in one step. Raises NotFound, Conflict,
    and WishNotRead where the contact says in words whom it must not reach, unless `wish_read`.

    What there is of the talk goes along. Where the contact holds no consent for this, it is told
    for the child's vital interests; that is written down, and a second person is informed.
    """
    # A second click at the same time waits here, and finds the first.
    await record.lock_call(work, call_id)
    there = await work.session.scalar(
        select(Referral)
        .where(
            Referral.call_id == call_id,
            Referral.service == service.value,
            Referral.closed_at.is_(None),
        )
        .limit(1)
        .with_for_update()
    )
    if there is not None and there.opened_how == OpenedHow.DANGER_KEY and there.opened_by is None:
        # The program has asked while nobody could take the call: now somebody answers for it.
        return await _adopt(work, staff, there)
    if there is not None:
        raise AlreadyReferred()
    # Danger waits for no second look at what is open from before.
    wish = Wish(
        Urgency.IMMEDIATE, OpenedHow.URGENT_BUTTON, (service,), place=place, warm=warm,
        seen_open=True,
    )  # fmt: skip
    (made,) = await refer(work, staff, wish, call_id=call_id)
    given = await given_of(work, made.id)
    scope = Scope.AUTHORITIES if service in ASKED_OF_AUTHORITIES else Scope.SERVICES
    if given is None or scope not in given.scope:
        # The protocol is refused at load if it does not know this ground here.
        why = "Urgent button in a live call: the child is in danger now."
        override = Override(Basis.VITAL_INTERESTS, why, wish_read=wish_read)
        await record_override(work, made, override, _BY_HAND)
    await send(work, made, _BY_HAND)
    return made


async def _adopt(work: Work, staff: Staff, referral: Referral) -> Referral:
    before, referral.owner_id, referral.opened_by = referral.owner_id, staff.id, staff.id
    referral.contact_id = await work.session.scalar(
        select(Contact.id).where(Contact.call_id == referral.call_id)
    )
    note(work, referral, "owner", _BY_HAND, **{"from": str(before), "to": str(staff.id)})
    return referral


async def refer_unanswered(work: Work, call: Call) -> Referral | None:
    """Somebody pressed the danger key and nobody could take the call in time.

    Running it twice is once; the call is locked.
    """
    there = select(Referral.id).where(Referral.call_id == call.id)
    state = CallState(call.state)
    # Who is talking is in good hands, and so was who talked to the end.
    answered = state is CallState.CONNECTED or (
        state is CallState.ENDED and call.answered_at is not None
    )
    if answered or await work.session.scalar(there) is not None:
        return None
    protocol = protocols_of(work.ground).current
    answers: dict[str, Any] = {"danger.signs": ["danger_now"]}
    if call.caller_number_sealed is not None:
        await write_reading(work, "caller's number opened for a referral", str(call.id))
        number = work.keys.open(
            call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
        )
        answers["child.phone"] = number.decode()
    wish = Wish(Urgency.IMMEDIATE, OpenedHow.DANGER_KEY)
    referral = await _open(
        work, None, wish, protocol.danger_key.service, uuid4(), answers, {"danger_key"},
        call_id=call.id,
    )  # fmt: skip
    await override_by_protocol(
        work, referral, protocol.danger_key.basis,
        "The danger key was pressed, and nobody could take the call in time.",
    )  # fmt: skip
    tell_house(work, referral, NoticeKind.DANGER_UNANSWERED)
    await send(work, referral, PROGRAM_ITSELF)
    return referral
