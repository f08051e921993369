"""The JSON views of referrals and agencies."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.referrals.directory.entries import Entry
from app.referrals.directory.finding import Found, LeftOut
from app.referrals.directory.models import Agency
from app.referrals.models import Deadline, Recipient, Referral
from app.referrals.reading import ListedReferral, Story
from app.words.pages import message_words


class DeadlineView(BaseModel):
    kind: str
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    breached_at: datetime | None


class ReferralRow(BaseModel):
    id: UUID
    code: str
    state: str
    urgency: str
    # None if it cannot be opened, or while the keeper of the keys is away.
    service: str | None
    opened_at: datetime
    opened_how: str
    owner_id: UUID
    agency: str
    next_due: datetime | None
    breached: bool


class RecipientView(BaseModel):
    id: UUID
    number: int
    agency: str
    name: str
    state: str
    why: list[str]
    reason: str | None
    offered_at: datetime
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    accepted_at: datetime | None
    seen_at: datetime | None


class AttemptView(BaseModel):
    number: int
    agency: str
    kind: str
    purpose: str
    wanted_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    result: str | None


class EventView(BaseModel):
    kind: str
    at: datetime
    by: str | None
    detail: dict[str, Any]
    words: str


class ReferralView(ReferralRow):
    call_id: UUID | None
    contact_id: UUID | None
    case_id: UUID | None
    protocol: str
    protocol_version: int
    acknowledged_at: datetime | None
    accepted_at: datetime | None
    seen_at: datetime | None
    written_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    held_by_staff: bool
    # The child of the contact whom it is about, and the codes of the other referrals for this need.
    child_entry: str | None
    together: list[str]
    # Answers that are not disclosed to any agency until they are confirmed.
    to_confirm: list[str]
    # Consent was withdrawn, and a supervisor has yet to decide.
    withdrawal_at: datetime | None
    separation_risk: bool
    family_first: list[str]
    wants_feedback: bool
    feedback_at: datetime | None
    revision: int
    answers: dict[str, Any]
    deadlines: list[DeadlineView]
    recipients: list[RecipientView]
    attempts: list[AttemptView]
    consents: list[dict[str, Any]]
    disclosures: list[dict[str, Any]]
    dispatches: list[dict[str, Any]]
    events: list[EventView]


class ReferralList(BaseModel):
    referrals: list[ReferralRow]
    next_before: datetime | None


class AgencyView(BaseModel):
    code: str
    name: str
    sector: str
    services: list[str]
    areas: list[str]
    age_from: int | None
    age_to: int | None
    hours: str
    timezone: str
    languages: list[str]
    email: str | None
    sms: str | None
    duty_phones: list[dict[str, str]]
    deputy: str | None
    valid_from: date | None
    valid_until: date | None
    verified_on: date | None
    verified_by: str
    mandated_for: list[str]
    doubted_at: datetime | None
    # Its numbers and addresses that are those of a person who has left.
    of_leavers: list[str]


class FoundView(BaseModel):
    agency: str
    name: str
    reasons: list[str]


def deadline_view(c: Deadline) -> DeadlineView:
    return DeadlineView(
        kind=c.kind,
        started_at=c.started_at,
        due_at=c.due_at,
        stopped_at=c.stopped_at,
        breached_at=c.breached_at,
    )


def _row(
    r: Referral, service: str, agency: str, next_due: datetime | None, breached: bool
) -> dict[str, Any]:
    return {
        "id": r.id,
        "code": r.code,
        "state": r.state,
        "urgency": r.urgency,
        "service": service or None,
        "opened_at": r.opened_at,
        "opened_how": r.opened_how,
        "owner_id": r.owner_id,
        "agency": agency,
        "next_due": next_due,
        "breached": breached,
    }


def referral_row(line: ListedReferral) -> ReferralRow:
    return ReferralRow(
        **_row(line.referral, line.service, line.agency, line.next_due, line.breached)
    )


def referral_brief(r: Referral) -> dict[str, Any]:
    """Return the short view that every verb returns: the present state of the referral."""
    return {"id": str(r.id), "code": r.code, "state": r.state, "urgency": r.urgency}


def _recipient(a: Recipient, agency: Agency) -> RecipientView:
    return RecipientView(
        id=a.id,
        number=a.number,
        agency=agency.code,
        name=agency.name,
        state=a.state,
        why=a.why,
        reason=a.reason,
        offered_at=a.offered_at,
        delivered_at=a.delivered_at,
        acknowledged_at=a.acknowledged_at,
        accepted_at=a.accepted_at,
        seen_at=a.seen_at,
    )


def referral_view(story: Story) -> ReferralView:
    """Return a referral in full. Its reading has been logged."""
    r = story.opened.record
    running = [c for c in story.deadlines if c.stopped_at is None]
    current = next((g.name for a, g in story.recipients if a.id == r.recipient_id), "")
    row = _row(
        r,
        story.asked.service,
        current,
        running[0].due_at if running else None,
        any(c.breached_at is not None for c in running),
    )
    return ReferralView(
        **row,
        **{name: getattr(r, name) for name in _PLAIN},
        family_first=list(story.asked.first),
        together=[one.code for one, _ in story.siblings],
        answers=story.opened.answers(),
        deadlines=[deadline_view(c) for c in story.deadlines],
        recipients=[_recipient(a, g) for a, g in story.recipients],
        attempts=[
            AttemptView(agency=name, **{key: getattr(g, key) for key in _OF_ATTEMPT})
            for g, name in story.attempts
        ],
        consents=[
            {
                **{key: getattr(c, key) for key in _OF_CONSENT},
                "for_what": list(story.named[c.id]),
                "words": words,
            }
            for c, words in story.consents
        ],
        disclosures=[
            {"at": d.at, "to": name, "how": d.how, "ground": d.ground, "fields": d.fields}
            for d, name in story.disclosures
        ],
        dispatches=[
            {**{key: getattr(d, key) for key in _OF_DISPATCH}, "place": place, "words": words}
            for d, place, words in story.dispatches
        ],
        events=[
            EventView(
                kind=e.kind,
                at=e.at,
                by=story.names.get(e.staff_id) if e.staff_id else None,
                detail=e.detail,
                words=words,
            )
            for e, words in story.events
        ],
    )


# The columns that are shown as they are.
_OF_ATTEMPT = (
    "number",
    "kind",
    "purpose",
    "wanted_at",
    "sent_at",
    "answered_at",
    "ended_at",
    "result",
)
_OF_CONSENT = (
    "at",
    "kind",
    "given_by",
    "how",
    "scope",
    "withheld_from",
    "basis",
    "child_told",
    "despite",
)
_OF_DISPATCH = (
    "id",
    "team",
    "wanted_at",
    "state",
    "asked_at",
    "on_the_way_at",
    "arrived_at",
    "seen_at",
    "ended_at",
    "result",
)
_PLAIN = (
    "child_entry",
    "to_confirm",
    "withdrawal_at",
    "call_id",
    "contact_id",
    "case_id",
    "protocol",
    "protocol_version",
    "acknowledged_at",
    "accepted_at",
    "seen_at",
    "written_at",
    "completed_at",
    "closed_at",
    "outcome",
    "held_by_staff",
    "separation_risk",
    "wants_feedback",
    "feedback_at",
    "revision",
)


def agency_view(agency: Agency, entry: Entry) -> AgencyView:
    """Return an agency of the directory, without passwords or secrets of its systems."""
    plain = {
        name: list(value) if isinstance(value := getattr(entry, name), tuple) else value
        for name in AgencyView.model_fields
        if name not in ("duty_phones", "doubted_at", "of_leavers")
    }
    phones = [{"number": p.number, "hours": p.hours} for p in entry.duty_phones]
    return AgencyView(
        **plain,
        duty_phones=phones,
        doubted_at=agency.doubted_at,
        of_leavers=list(agency.of_leavers),
    )


def found_view(found: Found | LeftOut) -> FoundView:
    reasons = [message_words(one) for one in found.reasons]
    return FoundView(agency=found.agency.code, name=found.agency.name, reasons=reasons)
