"""Open a referral: from the urgent button, the danger key, a contact or case, or by hand.

It is filled with what is known, and the rest is added later: no form delays the search for help.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import and_, func, or_, select

from app.contacts.cases.models import CaseContact
from app.contacts.consent.said import said_of, wish_in_words
from app.contacts.models import Case, Contact, Filled
from app.contacts.records import is_contact, open_record
from app.contacts.registry import beginning, library_of, sheet_of
from app.contacts.saving import merged, save_answers
from app.contacts.scopes import readable
from app.contacts.special_codes import admit, categories_of, codes_of
from app.definitions.answers import Answers, Sheet, Value
from app.definitions.forms import Meaning
from app.definitions.risk import Urgency
from app.errors import Code, Conflict, Invalid, Message, NotFound
from app.referrals.consent.consenting import (
    SCOPES,
    Agreed,
    Override,
    record_consent,
    record_override,
)
from app.referrals.consent.rules import GivenBy, How
from app.referrals.deadlines import tracking
from app.referrals.library import protocols_of
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.opening.prefill import Known, Prefilled, children_of, of_child, prefill
from app.referrals.protocol import Protocol
from app.referrals.scopes import reads_referral
from app.referrals.services import ask_for, asked_by_all, open_services
from app.referrals.states import OVER, OWN_SERVICES, OpenedHow, ReferralState, Service
from app.referrals.trail import PROGRAM_ITSELF, By, Via, note
from app.routing.responsible import pick_owner
from app.staff import receiving
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

BY_HAND = By(Via.BY_HAND)


@dataclass(frozen=True)
class Wish:
    """The request to open referrals: how urgent, which services, for which children."""

    urgency: Urgency
    how: OpenedHow
    # Empty: the services that the protocol gives for the signs.
    services: tuple[Service, ...] = ()
    place: str | None = None
    answers: Answers = field(default_factory=dict)
    consent: Agreed | Override | None = None
    # Add the duty phone that acknowledges to the live call.
    warm: bool = False
    # The children of the contact; empty: all of them.
    children: tuple[str, ...] = ()
    # Why services that can keep the child with its family are not asked first; empty: they are.
    directly: str = ""
    # The user has seen the open referrals of the same child and wants another one.
    seen_open: bool = False


class OpenForTheSameChild(Conflict):
    """There is an open referral of the same contact or profile, to the same service."""


class AlreadyReferred(Conflict):
    default = "This call was referred to this service already. Open that referral instead."


# -- from a record -------------------------------------------------------------------------------


class NotFromPracticeCall(Conflict):
    default = (
        "This was a practice call: no agency is rung about it. Say aloud what you would refer, and "
        "to whom."
    )


async def is_practice(work: Work, call_id: UUID | None, contact_id: UUID | None) -> bool:
    """Return whether a call or contact belongs to a practice line, whose callers are trainees."""
    return bool(await work.session.scalar(select(func.is_practice(call_id, contact_id))))


async def _is_practice_case(work: Work, case_id: UUID | None) -> bool:
    """Return whether a contact of a case came from a practice line."""
    found = select(CaseContact.case_id).where(
        CaseContact.case_id == case_id, func.is_practice(None, CaseContact.contact_id)
    )
    return case_id is not None and await work.session.scalar(found.limit(1)) is not None


async def refer(
    work: Work,
    staff: Staff,
    wish: Wish,
    *,
    contact_id: UUID | None = None,
    call_id: UUID | None = None,
    case_id: UUID | None = None,
) -> list[Referral]:
    """Open one referral for each child and each service that it needs.

    Nothing is sent yet; `send` does that. Raises NotFound, Invalid, OpenForTheSameChild.
    """
    known: Known | None = None
    if call_id is not None and contact_id is None:
        contact_id = await work.session.scalar(select(Contact.id).where(Contact.call_id == call_id))
    if contact_id is not None:
        known = await open_record(work, staff, Contact, contact_id, AuditLog.CONTACT_READ_TO_REFER)
        call_id = known.record.call_id or call_id
    elif case_id is not None:
        known = await open_record(work, staff, Case, case_id, AuditLog.CASE_READ_TO_REFER)
    if await is_practice(work, call_id, contact_id):
        raise NotFromPracticeCall()
    case_id = await _case_of(work, staff, case_id, contact_id)
    if await _is_practice_case(work, case_id):
        raise NotFromPracticeCall()
    if OWN_SERVICES & set(wish.services):
        raise Invalid("Choose another service: our own people are part of every escalation.")
    needs = [_need_of(work, wish, known, child) for child in _children(work, wish, known)]
    services = dict.fromkeys(service for need in needs for service in need.services)
    if known is not None and not wish.seen_open:
        await _check_not_open(work, staff, known.record, needs)
    together = uuid4()
    groups = {service: Group(together, uuid4()) for service in services}
    return [
        await open_draft(
            work,
            staff,
            wish,
            service,
            groups[service],
            need,
            known=known,
            call_id=call_id,
            case_id=case_id,
        )
        for need in needs
        for service in need.services
    ]


class Group(NamedTuple):
    """Referrals that are opened at once: all of them, and those for one service."""

    together: UUID
    alike: UUID


@dataclass(frozen=True)
class Need:
    """What one child needs, and what is known about it."""

    child: str | None
    services: tuple[Service, ...]
    signs: frozenset[str]
    answers: Answers
    to_confirm: tuple[str, ...] = ()


def _children(work: Work, wish: Wish, known: Known | None) -> list[str | None]:
    """Return the chosen children of a contact or case. Raises Invalid."""
    if known is None:
        return [None]
    found = children_of(known, sheet_of(work, known.record))
    if not wish.children:
        return found
    if not set(wish.children) <= set(found):
        raise Invalid("This record has no such child. Choose a child from the record.")
    return [child for child in found if child in wish.children]


def _need_of(work: Work, wish: Wish, source: Known | None, child: str | None) -> Need:
    """Return what a contact or case says about one child, and which services the child needs."""
    library = library_of(work.ground)
    form = library.form_for("referral")
    known = prefill(source, form, library, child) if source is not None else Prefilled()
    answers = known.answers | wish.answers
    place = form.path_of("place")
    if wish.place and place is not None:
        answers[place] = wish.place
    written = {*wish.answers, *([place] if wish.place else [])}
    signs = _signs(work, source, child) if source is not None else frozenset[str]()
    protocol = protocols_of(work.ground).current
    services = wish.services or tuple(protocol.needed_for(signs)) or (protocol.default_service,)
    return Need(
        child,
        tuple(dict.fromkeys(services)),
        signs,
        answers,
        tuple(path for path in known.to_confirm if path not in written),
    )


async def _check_not_open(work: Work, staff: Staff, record: Filled, needs: list[Need]) -> None:
    """Check that no referral to the same service is open for the same child.

    Raises OpenForTheSameChild with the codes that the person may read.
    """
    from_case = Referral.contact_id.is_(None)
    if not is_contact(record):
        here = and_(Referral.case_id == record.id, from_case)
        of_case = select(CaseContact.contact_id).where(CaseContact.case_id == record.id)
        same = or_(Referral.case_id == record.id, Referral.contact_id.in_(of_case))
    else:
        here = Referral.contact_id == record.id
        its_cases = select(CaseContact.case_id).where(CaseContact.contact_id == record.id)
        same = or_(here, and_(Referral.case_id.in_(its_cases), from_case))
    if isinstance(profile_id := getattr(record, "profile_id", None), UUID):
        of_profile = select(Contact.id).where(Contact.profile_id == profile_id)
        same = or_(same, Referral.contact_id.in_(of_profile))
    result = await work.session.execute(
        select(
            Referral.id,
            Referral.services_sealed,
            Referral.code,
            here.label("here"),
            Referral.child_entry,
            reads_referral(staff).label("readable"),
        )
        .where(same, Referral.state.not_in(sorted(OVER)), Referral.state != ReferralState.COMPLETED)
        .order_by(Referral.opened_at)
    )
    rows = result.all()
    asked = open_services(work, [(row.id, row.services_sealed) for row in rows])
    wanted = {(need.child, service.value) for need in needs for service in need.services}
    services = {service for _, service in wanted}
    found = [
        (code if readable else "", service)
        for (_, _, code, in_here, child, readable), (service, _) in zip(rows, asked, strict=True)
        # From another record, or opened before its child was named, it may be about any child.
        if service in services and (child is None or not in_here or (child, service) in wanted)
    ]
    if found:
        raise OpenForTheSameChild(
            "There is an open referral for the same child: %(codes)s. Look there first. If "
            "another one is still needed, confirm that you have looked.",
            codes=[
                Message("%(code)s (%(service)s)", code=code, service=Code(service))
                if code
                else Message("one that you may not read (%(service)s)", service=Code(service))
                for code, service in dict.fromkeys(found)
            ],
        )


async def _case_of(
    work: Work, staff: Staff, case_id: UUID | None, contact_id: UUID | None
) -> UUID | None:
    """Return the case, checked against what the person may read; else the contact's case.

    Raises NotFound.
    """
    if case_id is not None:
        statement = readable(Case, staff).with_only_columns(Case.id).where(Case.id == case_id)
        if await work.session.scalar(statement) is None:
            raise NotFound("Not found, or you do not have access.")
        return case_id
    if contact_id is None:
        return None
    found: UUID | None = await work.session.scalar(
        select(CaseContact.case_id).where(CaseContact.contact_id == contact_id).limit(1)
    )
    return found


def _signs(work: Work, known: Known, child: str | None) -> frozenset[str]:
    """Return the categories, with mapped ones and those above them, and the signs of danger."""
    sheet = sheet_of(work, known.record)
    answers = of_child(codes_of(work, known.record), sheet, child)
    codes = categories_of(work, known.record)
    return frozenset(sheet.with_above(codes)) | set(sheet.cues(answers))


async def open_draft(
    work: Work,
    staff: Staff | None,
    wish: Wish,
    service: Service,
    group: Group,
    need: Need,
    *,
    known: Known | None = None,
    call_id: UUID | None = None,
    case_id: UUID | None = None,
) -> Referral:
    record = known.record if known is not None else None
    protocol = protocols_of(work.ground).current
    owner = None
    if staff is not None:
        # If the person leaves at this moment, a colleague owns it: it is opened all the same.
        owner = await receiving.receiver_by_id(work, staff.id, waits=False)
    owner = owner or await pick_owner(work)
    referral = _draft(
        work,
        wish,
        protocol,
        team=record.team if record is not None else owner.team,
        owner_id=owner.id,
        opened_by=staff.id if staff else None,
        contact_id=record.id if record is not None and is_contact(record) else None,
        call_id=call_id,
        case_id=case_id,
        opened_together=group.together,
        opened_alike=group.alike,
        child_entry=need.child,
    )
    refused = await _fill(work, referral, need.answers)
    if wish.place and sheet_of(work, referral).form.path_of("place") in refused:
        raise Invalid("This place is not in the country's list. Choose a place from the list.")
    referral.to_confirm = [path for path in need.to_confirm if path not in refused]
    before = before_placement(work, referral, service, need.signs)
    ask_for(work, referral, service, () if wish.directly.strip() else before)
    work.session.add(referral)
    await work.session.flush()
    # Not the services: they can tell of the child's health, and the chained log is kept for ever.
    note(
        work,
        referral,
        LogKind.OPENED,
        BY_HAND if staff else PROGRAM_ITSELF,
        opened_how=wish.how.value,
        urgency=wish.urgency.value,
        protocol=protocol.protocol,
        version=protocol.version,
        owner=str(owner.id),
    )
    if wish.directly.strip() and referral.separation_risk:
        note(work, referral, LogKind.NOT_TO_THE_FAMILY_FIRST, BY_HAND, words=wish.directly)
    tracking.start_from(work, referral, "opened")
    await _first_consent(work, referral, wish.consent, known)
    return referral


def _draft(work: Work, wish: Wish, protocol: Protocol, **of: Any) -> Referral:
    """Return a draft without answers, whose escalation has not begun."""
    return Referral(
        **beginning(work, "referral"),
        **of,
        opened_how=wish.how.value,
        urgency=wish.urgency.value,
        protocol=protocol.protocol,
        protocol_version=protocol.version,
        state=ReferralState.DRAFT.value,
        warm=wish.warm,
        answers={},
        sealed={},
        versions={},
        revision=0,
        edited_from=0,
        headline_words="",
        place_path=[],
        escalation_round=0,
        escalation_step=0,
        escalation_phone=-1,
        turn=0,
        held_by_staff=False,
        wants_feedback=False,
        separation_risk=False,
    )


def _answer(work: Work, referral: Referral, meaning: Meaning) -> Value | None:
    """Return the answer to the question with this meaning; a sealed text counts as none."""
    form = sheet_of(work, referral).form
    path = form.path_of(meaning)
    question = form.find(path) if path is not None else None
    if path is None or question is None or question[1].personal is not None:
        return None
    return codes_of(work, referral).get(path)


async def _fill(work: Work, referral: Referral, answers: Answers) -> dict[str, Message]:
    """Write the known answers; return those that the form refuses, which can be added later."""
    saved = await save_answers(work, referral, merged(answers), new=True)
    _take_what_it_goes_by(work, referral)
    return saved.refused


def _take_what_it_goes_by(work: Work, referral: Referral) -> None:
    age = _answer(work, referral, "child_age")
    referral.child_age = age if isinstance(age, int) else None
    referral.wants_feedback = _answer(work, referral, "wants_feedback") == "yes"


def before_placement(
    work: Work, referral: Referral, service: str, signs: frozenset[str]
) -> list[str]:
    """Return the services to ask before a child is placed away from home, so that it can stay.

    Record on the referral whether the child may be separated from its family, in any case.
    """
    sheet = sheet_of(work, referral)
    disability = _answer(work, referral, "disability")
    disabled = isinstance(disability, list) and bool(
        set(disability) - sheet.form.nothing("disability")
    )
    rule = tracking.protocol_of(work, referral).family_first
    at_risk = rule is not None and rule.at_risk(
        referral.child_age, disabled, signs | sheet.with_above(categories_of(work, referral))
    )
    referral.separation_risk = referral.separation_risk or at_risk
    if rule is None or not at_risk or service not in rule.instead_of:
        return []
    return [one.value for one in rule.first]


async def take_facts(work: Work, referral: Referral) -> None:
    """Copy from the form what the referral works with: age, feedback, and family first."""
    await admit(work, referral)
    _take_what_it_goes_by(work, referral)
    (asked,) = asked_by_all(work, [referral])
    before = before_placement(work, referral, asked.service, frozenset())
    if before and not asked.first and referral.state == ReferralState.DRAFT:
        # This became known only now. A sent referral stays where it is; a draft asks them first.
        ask_for(work, referral, asked.service, before)


async def _first_consent(
    work: Work, referral: Referral, said: Agreed | Override | None, known: Known | None
) -> None:
    match said:
        case Override():
            await record_override(work, referral, said, BY_HAND)
        case Agreed():
            await record_consent(work, referral, said, BY_HAND)
        case None if known is not None:
            agreed = _consent_of(known, sheet_of(work, known.record), referral.child_entry)
            if agreed is not None:
                await record_consent(work, referral, agreed, BY_HAND)


def _consent_of(known: Known, sheet: Sheet, child: str | None) -> Agreed | None:
    """Return the consent in the form of the contact or case; only a "yes" counts."""
    scope = [
        scope
        for scope, meaning in SCOPES.items()
        if said_of(known.record, sheet, meaning, child) == "yes"
    ]
    given_by = said_of(known.record, sheet, "consent_by", child)
    if not scope or given_by not in set(GivenBy):
        return None
    if wish_in_words(known.record, sheet):
        # The contact says in words who must not be told: a person has to name the agencies.
        return None
    return Agreed(GivenBy(given_by), How.SPOKEN, tuple(scope))
