"""Read referrals: lists, the story of one referral, and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    LargeBinary,
    Row,
    Uuid,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from app.calls.models import Call
from app.contacts.cases.models import CaseContact
from app.contacts.consent.said import wish_in_words
from app.contacts.events import events_of
from app.contacts.models import Contact, RecordEvent
from app.contacts.records import Opened, open_record
from app.contacts.registry import sheet_of
from app.database.quick import Question
from app.definitions.risk import Urgency
from app.errors import Invalid
from app.privacy.keeper.client import KeeperAway
from app.referrals.channels.models import AgencyCase, Attempt
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import Given
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import names_of_codes
from app.referrals.directory.models import Agency
from app.referrals.disclosures import disclosures_of
from app.referrals.models import (
    Consent,
    Deadline,
    Disclosure,
    Dispatch,
    Notice,
    Recipient,
    Referral,
)
from app.referrals.scopes import reads_referral
from app.referrals.services import Asked, asked_by_all, for_what, open_services
from app.referrals.states import OVER, ReferralState
from app.staff.accounts import names_of
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

PAGE = 50


@dataclass(frozen=True)
class ReferralsWanted:
    """The filter of a list; with nothing set, all referrals that are not over."""

    state: str | None = None
    urgency: str | None = None
    agency: str | None = None
    mine: bool = False
    over: bool = False
    # Only those opened before this instant, for the next page of a list.
    before: datetime | None = None


@dataclass(frozen=True)
class ListedReferral:
    """A referral in a list."""

    referral: Referral
    # Empty if it cannot be opened, or while the keeper of the keys is away: the desk of a call is
    # drawn without it.
    service: str
    agency: str
    owner: str
    next_due: datetime | None
    breached: bool


async def referrals(work: Work, staff: Staff, wanted: ReferralsWanted) -> list[ListedReferral]:
    """Return the referrals that a person may see, newest first; the list is logged as a reading."""
    statement = (
        select(Referral, Agency.name, Staff.name)
        .join(Agency, Agency.id == Referral.agency_id, isouter=True)
        .join(Staff, Staff.id == Referral.owner_id)
        .where(reads_referral(staff))
    )
    if wanted.state is not None:
        if wanted.state not in set(ReferralState):
            raise Invalid("The state is one of: %(states)s.", states=list(ReferralState))
        statement = statement.where(Referral.state == wanted.state)
    elif wanted.over:
        statement = statement.where(Referral.state.in_(sorted(OVER)))
    else:
        statement = statement.where(Referral.state.not_in(sorted(OVER)))
    if wanted.urgency is not None:
        statement = statement.where(Referral.urgency == wanted.urgency)
    if wanted.agency is not None:
        statement = statement.where(Agency.code == wanted.agency)
    if wanted.mine:
        statement = statement.where(Referral.owner_id == staff.id)
    if wanted.before is not None:
        statement = statement.where(Referral.opened_at < wanted.before)
    rows = (
        await work.session.execute(statement.order_by(Referral.opened_at.desc()).limit(PAGE))
    ).all()
    running = await tracking.deadlines_of(work, [r.id for r, _, _ in rows])
    if rows:
        ids = [str(referral.id) for referral, _, _ in rows]
        await write_reading(work, AuditLog.RECORDS_LISTED, "referrals", ids=ids)
    return _lines(work, rows, running)


async def referred_from(
    work: Work,
    staff: Staff,
    *,
    call_id: UUID | None = None,
    contact_id: UUID | None = None,
    case_id: UUID | None = None,
) -> list[ListedReferral]:
    """Return the referrals made from a call, a contact or a case that the person may see."""
    which: ColumnElement[bool] = Referral.call_id == call_id
    if contact_id is not None:
        which = Referral.contact_id == contact_id
    elif case_id is not None:
        of_its_contacts = select(CaseContact.contact_id).where(CaseContact.case_id == case_id)
        which = or_(Referral.case_id == case_id, Referral.contact_id.in_(of_its_contacts))
    rows = await work.session.execute(
        select(Referral, Agency.name, Staff.name)
        .join(Agency, Agency.id == Referral.agency_id, isouter=True)
        .join(Staff, Staff.id == Referral.owner_id)
        .where(which, reads_referral(staff))
        .order_by(Referral.opened_at)
    )
    found = rows.all()
    known = await tracking.deadlines_of(work, [r.id for r, _, _ in found]) if found else {}
    return _lines(work, found, known)


def _lines(
    work: Work,
    rows: Sequence[Row[Referral, str, str]],
    deadlines: Mapping[UUID, list[Deadline]],
) -> list[ListedReferral]:
    try:
        asked = asked_by_all(work, [referral for referral, _, _ in rows])
    except KeeperAway:
        asked = [Asked("")] * len(rows)
    return [
        _line(referral, service, agency, owner, deadlines.get(referral.id, []))
        for (referral, agency, owner), (service, _) in zip(rows, asked, strict=True)
    ]


def _line(
    referral: Referral, service: str, agency: str | None, owner: str, known: list[Deadline]
) -> ListedReferral:
    open_ = [c for c in known if c.stopped_at is None]
    return ListedReferral(
        referral,
        service,
        agency or "",
        owner,
        open_[0].due_at if open_ else None,
        any(c.breached_at is not None for c in open_),
    )


@dataclass
class Story:
    """Everything about one referral, as its page shows it."""

    opened: Opened[Referral]
    deadlines: list[Deadline]
    recipients: list[tuple[Recipient, Agency]]
    attempts: list[tuple[Attempt, str]]
    consents: list[tuple[Consent, str]]
    disclosures: list[tuple[Disclosure, str]]
    dispatches: list[tuple[Dispatch, str, str]]
    notices: list[Notice]
    agency_cases: dict[UUID, AgencyCase]
    events: list[tuple[RecordEvent, str]]
    asked: Asked
    # Those that were opened together with it, each with its service.
    siblings: list[tuple[Referral, str]]
    # The services that each consent names.
    named: dict[UUID, tuple[str, ...]]
    names: dict[UUID, str] = field(default_factory=dict)
    contact_code: str = ""
    # The contact says in words who must not be told.
    wish_in_words: bool = False
    agencies: dict[str, str] = field(default_factory=dict)
    # The consent that counts now, from this referral or another one of the same child.
    given: Given | None = None

    @property
    def holder(self) -> Recipient | None:
        """Return the recipient that has the referral, or that is being asked."""
        wanted = self.opened.record.recipient_id
        return next((a for a, _ in self.recipients if a.id == wanted), None)


async def read_story(work: Work, staff: Staff, referral_id: UUID) -> Story:
    """Return a referral that the person may read; the reading is logged first. Raises NotFound."""
    opened = await open_record(work, staff, Referral, referral_id, AuditLog.REFERRAL_READ)
    session, referral = work.session, opened.record
    recipients, attempts = await _asked_agencies(work, referral)
    consents = await session.scalars(
        select(Consent).where(Consent.referral_id == referral.id).order_by(Consent.number)
    )
    said = [
        (c, opened.words(c.words_sealed, table="consents", column="words_sealed", row=c.id))
        for c in consents
    ]
    siblings = await _siblings(work, staff, referral)
    asked, *theirs = open_services(
        work, [(one.id, one.services_sealed) for one in (referral, *siblings)], [c for c, _ in said]
    )
    dispatches = await session.scalars(
        select(Dispatch).where(Dispatch.referral_id == referral.id).order_by(Dispatch.asked_at)
    )
    notices = await session.scalars(
        select(Notice).where(Notice.referral_id == referral.id).order_by(Notice.at)
    )
    events = await events_of(opened)
    story = Story(
        opened,
        deadlines=(await tracking.deadlines_of(work, [referral.id])).get(referral.id, []),
        recipients=recipients,
        attempts=attempts,
        consents=said,
        disclosures=await disclosures_of(work, referral),
        dispatches=[(d, _place(opened, d), _words(opened, d)) for d in dispatches],
        notices=list(notices),
        agency_cases=await _agency_cases(work, recipients),
        events=events,
        asked=asked,
        siblings=[(one, to) for one, (to, _) in zip(siblings, theirs, strict=True)],
        named={c.id: for_what(work, c) for c, _ in said},
        agencies=await _names_in(work, recipients, events),
        given=await given_of(work, referral),
    )
    story.names = await names_of(work, _people(story))
    if referral.contact_id is not None:
        contact = await session.get(Contact, referral.contact_id, populate_existing=True)
        assert contact is not None
        story.contact_code = contact.code
        story.wish_in_words = wish_in_words(contact, sheet_of(work, contact))
    return story


async def _asked_agencies(
    work: Work, referral: Referral
) -> tuple[list[tuple[Recipient, Agency]], list[tuple[Attempt, str]]]:
    """Return the recipients of a referral, and the attempts to reach them, in their order."""
    recipients = await work.session.execute(
        select(Recipient, Agency)
        .join(Agency, Agency.id == Recipient.agency_id)
        .where(Recipient.referral_id == referral.id)
        .order_by(Recipient.number)
    )
    attempts = await work.session.execute(
        select(Attempt, Agency.name)
        .join(Agency, Agency.id == Attempt.agency_id)
        .where(Attempt.referral_id == referral.id)
        .order_by(Attempt.number)
    )
    return [(one, agency) for one, agency in recipients], [(one, name) for one, name in attempts]


async def _names_in(
    work: Work, recipients: list[tuple[Recipient, Agency]], events: list[tuple[RecordEvent, str]]
) -> dict[str, str]:
    """Return the names of the agencies in a referral's log, by their codes.

    Our own people on call are in it, too, who are no recipients.
    """
    known = {agency.code: agency.name for _, agency in recipients}
    said = {e.detail.get(name) for e, _ in events for name in ("agency", "recipient")}
    return known | await names_of_codes(work, {one for one in said if one} - set(known))


async def _agency_cases(
    work: Work, recipients: list[tuple[Recipient, Agency]]
) -> dict[UUID, AgencyCase]:
    ids = [recipient.id for recipient, _ in recipients]
    rows = await work.session.scalars(select(AgencyCase).where(AgencyCase.recipient_id.in_(ids)))
    return {row.recipient_id: row for row in rows}


async def _siblings(work: Work, staff: Staff, referral: Referral) -> list[Referral]:
    """Return the referrals opened together with this one that the person may see."""
    rows = await work.session.scalars(
        select(Referral).where(
            Referral.opened_together == referral.opened_together,
            Referral.id != referral.id,
            reads_referral(staff),
        )
    )
    return list(rows)


def _people(story: Story) -> set[UUID]:
    """Return the staff whose names the page shows."""
    referral = story.opened.record
    people = {event.staff_id for event, _ in story.events} | {c.staff_id for c, _ in story.consents}
    people |= {notice.seen_by for notice in story.notices}
    people |= {referral.owner_id, referral.recall_wanted_by}
    return {one for one in people if one is not None}


def _place(opened: Opened[Any], row: Dispatch) -> str:
    return opened.words(row.place_sealed, table="dispatches", column="place_sealed", row=row.id)


def _words(opened: Opened[Any], row: Dispatch) -> str:
    return opened.words(row.words_sealed, table="dispatches", column="words_sealed", row=row.id)


# -- counts ------------------------------------------------------------------------------------


async def counts(work: Work, staff: Staff) -> dict[str, int]:
    """Count the open referrals and the overdue deadlines that a person may see."""
    open_ = (
        select(func.count())
        .select_from(Referral)
        .where(reads_referral(staff), Referral.state.not_in(sorted(OVER)))
    )
    overdue = (
        select(func.count())
        .select_from(Deadline)
        .join(Referral, Referral.id == Deadline.referral_id)
        .where(
            reads_referral(staff), Deadline.stopped_at.is_(None), Deadline.breached_at.is_not(None)
        )
    )
    return {
        "open": await work.session.scalar(open_) or 0,
        "overdue": await work.session.scalar(overdue) or 0,
    }


# Built once, since it runs at every ring. Only the last calls: a caller may ring a thousand times.
_CALLER: BindParameter[bytes] = bindparam("key", type_=LargeBinary())
_LATEST = (
    select(Call.id)
    .where(Call.caller_key == _CALLER, Call.id != bindparam("call_id", type_=Uuid()))
    .order_by(Call.opened_at.desc())
    .limit(50)
)
_URGENT = Question(
    select(Referral.id)
    .where(
        Referral.call_id.in_(_LATEST.scalar_subquery()),
        or_(Referral.urgency == Urgency.IMMEDIATE, Referral.urgency == Urgency.URGENT),
        and_(*(Referral.state != state for state in sorted(OVER))),
    )
    .limit(1)
)


async def has_open_urgent_referral(work: Work, call: Call) -> bool:
    """Return whether the caller's number has an urgent referral that is not over."""
    quick = work.ground.database.quick
    return bool(await quick.rows(_URGENT, key=call.caller_key, call_id=call.id))
