"""Danger that is on record without any action: it raises an alarm until a person decides.

The check runs every few seconds and reads rows only, so a lost job cannot hide anything. An alarm
is escalated to the owner of the record, a supervisor and the director on call.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    Uuid,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from app.contacts.cases.models import CaseContact
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact
from app.contacts.scopes import readable
from app.contacts.states import Subject
from app.database.quick import Question
from app.database.topics import Topic
from app.definitions.risk import Urgency
from app.errors import Conflict, Invalid, NotFound
from app.jobs.transaction import transaction
from app.referrals.library import protocols_of
from app.referrals.models import Deadline, Notice, Recipient, Referral
from app.referrals.scopes import reads_referral
from app.referrals.states import OVER, DeadlineKind, NoticeKind, ReferralState
from app.routing.alarm_rows import Alarm, AlarmKind
from app.routing.rota.unstaffed_alarms import end_alarm, open_alarm
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import N_
from app.work import PROGRAM, Ground, Work

# Seconds between two checks.
EVERY = 5
_LOCK = 710011
_ACTS = (ReferralState.ACCEPTED, ReferralState.IN_PROGRESS)
WORDS = {
    AlarmKind.DRAFT_NOT_SENT: N_("A referral of immediate danger was opened and not sent."),
    AlarmKind.OVERRIDE_NOT_SEEN: N_("No second person has seen an override of consent."),
    AlarmKind.DANGER_NOT_REFERRED: N_("A contact with immediate danger was not referred."),
    AlarmKind.RISK_ROSE: N_("The risk of a case has risen and nothing was referred."),
    AlarmKind.WITHDRAWAL_UNDECIDED: N_("Consent to an immediate referral was withdrawn."),
    AlarmKind.DETAILS_NOT_OPENED: N_(
        "An agency acts on a referral and has not opened its details."
    ),
}
_SUBJECTS = {
    AlarmKind.DANGER_NOT_REFERRED: Subject.CONTACT,
    AlarmKind.RISK_ROSE: Subject.CASE,
}


class Danger(NamedTuple):
    """Danger without action: its kind, the record that holds it, and the record's owner."""

    kind: AlarmKind
    subject_id: UUID
    # None where the owner may not be the one who decides.
    owner_id: UUID | None


def subject_kind(alarm: Alarm) -> Subject:
    """Return what an alarm is about: a referral, a contact or a case."""
    return _SUBJECTS.get(AlarmKind(alarm.kind), Subject.REFERRAL)


async def look(ground: Ground) -> int:
    """Open alarms for what is found and end those that are settled. Return how many were opened."""
    found, known = await _ask(ground)
    if _is_same(found, known):
        return 0
    async with transaction(ground, PROGRAM) as work:
        # Two workers that check at once would open each alarm twice.
        if not await work.session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
            return 0
        return await _settle(work, found)


async def is_settled(ground: Ground) -> bool:
    """Return whether what is found now has its alarms, and nothing else has one."""
    return _is_same(*await _ask(ground))


def _is_same(found: set[Danger], known: set[Danger]) -> bool:
    return {one[:2] for one in found} == {one[:2] for one in known}


def _since(name: str) -> Any:
    """Return the parameter for now minus the protocol's time of a kind."""
    return bindparam(name, type_=DateTime(timezone=True))


def _undecided(kind: AlarmKind, subject: Any, since: Any) -> ColumnElement[bool]:
    """Limit to subjects about which no person has decided since the danger was recorded."""
    return ~exists().where(
        Alarm.subject_id == subject, Alarm.kind == kind.value, Alarm.decided_at >= since
    )


def _danger(kind: AlarmKind, subject: Any, owner: Any) -> Select[tuple[str, UUID, UUID | None]]:
    return select(literal(kind.value).label("kind"), subject.label("subject"), owner.label("owner"))


_NO_OWNER = cast(null(), Uuid)
# A decision counts for the urgency for which it was made.
_IMMEDIATE_SINCE = func.coalesce(Referral.urgency_at, Referral.opened_at)
_IMMEDIATE = literal(Urgency.IMMEDIATE.value)
_REFERRED = exists().where(
    or_(
        Referral.contact_id == Contact.id,
        and_(Referral.call_id == Contact.call_id, Contact.call_id.is_not(None)),
    )
)
# One query, run every few seconds; it nearly always finds nothing.
_FOUND = Question(
    union_all(
        _danger(AlarmKind.DRAFT_NOT_SENT, Referral.id, Referral.owner_id).where(
            Referral.state == literal(ReferralState.DRAFT.value),
            Referral.urgency == _IMMEDIATE,
            _since("draft") >= _IMMEDIATE_SINCE,
            _undecided(AlarmKind.DRAFT_NOT_SENT, Referral.id, _IMMEDIATE_SINCE),
        ),
        # The author cannot be the second person: a supervisor is asked first.
        _danger(AlarmKind.OVERRIDE_NOT_SEEN, Referral.id, _NO_OWNER)
        .join(Notice, Notice.referral_id == Referral.id)
        .where(
            Notice.kind == literal(NoticeKind.OVERRIDE.value),
            Notice.seen_at.is_(None),
            Notice.at <= _since("override"),
            Referral.urgency == _IMMEDIATE,
            and_(*(Referral.state != literal(state.value) for state in sorted(OVER))),
        )
        .distinct(),
        _danger(AlarmKind.DANGER_NOT_REFERRED, Contact.id, Contact.owner_id).where(
            Contact.danger_at.is_not(None),
            Contact.danger_at <= _since("contact"),
            # A scripted child is in no danger.
            ~func.is_practice(null(), Contact.id),
            ~_REFERRED,
            _undecided(AlarmKind.DANGER_NOT_REFERRED, Contact.id, Contact.danger_at),
        ),
        _danger(AlarmKind.RISK_ROSE, Case.id, Case.owner_id).where(
            Case.risk_rose_at.is_not(None),
            Case.closed_at.is_(None),
            Case.risk_rose_at <= _since("case"),
            ~exists().where(
                CaseContact.case_id == Case.id, func.is_practice(null(), CaseContact.contact_id)
            ),
            ~exists().where(Referral.case_id == Case.id, Referral.opened_at >= Case.risk_rose_at),
            _undecided(AlarmKind.RISK_ROSE, Case.id, Case.risk_rose_at),
        ),
        _danger(AlarmKind.DETAILS_NOT_OPENED, Referral.id, Referral.owner_id)
        .join(Deadline, Deadline.referral_id == Referral.id)
        .join(Recipient, Recipient.id == Referral.recipient_id)
        .where(
            Deadline.kind == literal(DeadlineKind.DETAILS.value),
            Deadline.stopped_at.is_(None),
            Deadline.breached_at.is_not(None),
            Recipient.details_at.is_(None),
            or_(*(Referral.state == literal(state.value) for state in _ACTS)),
            _undecided(AlarmKind.DETAILS_NOT_OPENED, Referral.id, Deadline.breached_at),
        ),
        # A supervisor decides, not the counsellor who wrote it down.
        _danger(AlarmKind.WITHDRAWAL_UNDECIDED, Referral.id, _NO_OWNER).where(
            Referral.withdrawal_at.is_not(None)
        ),
        select(literal("open:") + Alarm.kind, Alarm.subject_id, Alarm.owner_id).where(
            Alarm.ended_at.is_(None), Alarm.subject_id.is_not(None)
        ),
    )
)


async def _ask(ground: Ground) -> tuple[set[Danger], set[Danger]]:
    """Return what is found now, and what has an open alarm already."""
    times, now = protocols_of(ground).current.alarms, ground.clock.now()
    since = {name: now - getattr(times, name) for name in ("draft", "override", "contact", "case")}
    found: set[Danger] = set()
    known: set[Danger] = set()
    for row in await ground.database.quick.rows(_FOUND, **since):
        state, _, kind = row["kind"].rpartition(":")
        danger = Danger(AlarmKind(kind), row["subject"], row["owner"])
        (known if state else found).add(danger)
    return found, known


async def _settle(work: Work, found: Iterable[Danger]) -> int:
    """Open new alarms, and end those that are settled: sent, seen, referred, opened."""
    rows = await work.session.scalars(
        select(Alarm)
        .where(Alarm.ended_at.is_(None), Alarm.subject_id.is_not(None))
        .with_for_update()
    )
    known = {(alarm.kind, alarm.subject_id): alarm for alarm in rows.all()}
    now = {(one.kind.value, one.subject_id): one for one in found}
    for key, alarm in known.items():
        if key not in now:
            end_alarm(work, alarm)
            work.announce(Topic.NOTICES)
    opened = 0
    for key, danger in now.items():
        if key in known:
            continue
        await open_alarm(work, danger.kind, subject_id=danger.subject_id, owner_id=danger.owner_id)
        work.announce(Topic.NOTICES)
        opened += 1
    return opened


# -- for people ----------------------------------------------------------------------------------


async def open_dangers(work: Work, staff: Staff) -> list[Alarm]:
    """Return the open alarms of a person's own records; for a supervisor, of all in their scope."""
    rows = await work.session.scalars(
        select(Alarm)
        .where(Alarm.ended_at.is_(None), Alarm.subject_id.is_not(None), _concerns(staff))
        .order_by(Alarm.begun_at)
    )
    return list(rows)


def _concerns(staff: Staff) -> ColumnElement[bool]:
    """Limit alarms to records that the person may read, as their owner or as a supervisor."""
    readable_subject = or_(
        Alarm.subject_id.in_(select(Referral.id).where(reads_referral(staff))),
        Alarm.subject_id.in_(readable(Contact, staff).with_only_columns(Contact.id)),
        Alarm.subject_id.in_(readable(Case, staff).with_only_columns(Case.id)),
    )
    if may(staff.role, Permission.SEE_DEADLINES):
        return readable_subject
    return and_(Alarm.owner_id == staff.id, readable_subject)


async def lock_own_alarm(work: Work, staff: Staff, alarm_id: UUID) -> Alarm:
    """Return an alarm that the person is responsible for, locked. Raises NotFound."""
    found = await work.session.scalar(
        select(Alarm).where(Alarm.id == alarm_id, _concerns(staff)).with_for_update(of=Alarm)
    )
    if found is None:
        raise NotFound("Not found, or you do not have access.")
    return found


async def decide(work: Work, staff: Staff, alarm_id: UUID, words: str) -> None:
    """Record a person's decision that no more action is needed, with the reason; the alarm ends.

    An override is decided by looking at it, a withdrawal on the referral. Raises NotFound, Invalid,
    Conflict.
    """
    alarm = await lock_own_alarm(work, staff, alarm_id)
    if alarm.kind == AlarmKind.OVERRIDE_NOT_SEEN:
        raise Conflict("Open the referral and mark the override as seen.")
    if alarm.kind == AlarmKind.WITHDRAWAL_UNDECIDED:
        raise Conflict("Open the referral: override the consent there, or confirm the withdrawal.")
    if not words.strip() or len(words) > 4000 or "\x00" in words:
        raise Invalid("Write why no more action is needed, in at most 4000 characters.")
    if alarm.ended_at is not None:
        raise Conflict("This alarm is over already.")
    alarm.decided_at, alarm.decided_by = work.now, staff.id
    end_alarm(work, alarm)
    alarm.turn += 1
    alarm.words_sealed = work.keys.seal(
        words.strip().encode(), table="alarms", column="words_sealed", row=alarm.id
    )
    assert alarm.subject_id is not None
    note_event(
        work,
        subject_kind(alarm),
        alarm.subject_id,
        RecordLog.DANGER_DECIDED,
        words=words.strip(),
        alarm=alarm.kind,
    )
    write_entry(work, AuditLog.DANGER_ALARM_DECIDED, f"{subject_kind(alarm)}:{alarm.subject_id}")
    work.announce(Topic.NOTICES)
