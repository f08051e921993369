"""A person leaves: what they hold goes to colleagues, and everything that they may do ends.

All of it in one transaction: nothing is left without an owner, and no access is left.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from app.abilities import EndpointKind
from app.calls import messages
from app.chats import ended_without_counsellor
from app.chats.left import answering
from app.contacts import contacts
from app.contacts.cases import follow_ups
from app.contacts.cases import people as case_people
from app.database.topics import Topic
from app.errors import Code, Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.outbox.push import subscriptions
from app.people import changing, ending, finding, holding, links, work_left
from app.people.approval import asking
from app.people.approval.asking import AccessWanted
from app.people.holding import NEEDS, WorkKind
from app.people.provider import access
from app.referrals import staff_actions
from app.referrals.directory import leavers
from app.referrals.directory.leavers import StillReached
from app.routing import withdrawing
from app.routing.callbacks import callbacks
from app.routing.rota import feeds, giving, roster
from app.routing.rota.shifts import Place
from app.staff import passwords, second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import every_entry
from app.staff.models import AccessKind, Staff
from app.staff.roles import Permission, Role, may
from app.staff.second_person import By, note_could_approve
from app.staff.sessions import accounts_changed
from app.work import Work

# To whom each kind goes. None is allowed for shifts: they are left uncovered.
Plan = Mapping[WorkKind, UUID | None]


class HandedOver(NamedTuple):
    """How much of each kind was handed over; the duty that stays uncovered because the colleague is
    not free, and the duty that others keep by agreed swaps. `left`: what stays with the person,
    because no colleague was chosen. `reached`: where the directory and lines still lead to them."""

    given: dict[WorkKind, int]
    uncovered: tuple[Place, ...] = ()
    kept: tuple[Place, ...] = ()
    left: tuple[tuple[WorkKind, int], ...] = ()
    reached: StillReached = StillReached()


class AlreadyInactive(Conflict):
    default = "This account is inactive already."


class AlreadyActive(Conflict):
    default = "This account is active."


class NotPlaced(Conflict):
    """There is work for which no colleague was chosen."""

    def __init__(self, kinds: list[WorkKind]) -> None:
        super().__init__(
            "Choose who takes this over: %(kinds)s.", kinds=[Code(kind.value) for kind in kinds]
        )


def everything_to(to: UUID, *, uncovered: bool = False) -> dict[WorkKind, UUID | None]:
    """Return a plan by which one colleague gets everything, with or without the shifts."""
    plan: dict[WorkKind, UUID | None] = dict.fromkeys(WorkKind, to)
    return {**plan, WorkKind.SHIFTS: None} if uncovered else plan


def shifts_uncovered() -> dict[WorkKind, UUID | None]:
    """Return a plan for a person who holds nothing but shifts, which are left uncovered."""
    return {WorkKind.SHIFTS: None}


async def possible_receivers(work: Work, staff: Staff) -> dict[WorkKind, list[Staff]]:
    """Return the colleagues who may hold each kind of work, by name."""
    people = [one for one in await finding.find_people(work) if one.active and one.id != staff.id]
    return {kind: [one for one in people if may(one.role, NEEDS[kind])] for kind in WorkKind}


async def hand_over(
    work: Work,
    person_id: UUID,
    plan: Plan,
    *,
    by: Staff | None,
    revision: int | None = None,
    knowingly: bool = False,
) -> HandedOver:
    """Give what a person holds to colleagues; the person stays.

    `knowingly`: duty for which the colleague is not free stays uncovered. Raises NotFound,
    NotAllowed, Invalid, NotPlaced, NotFree, ChangedMeanwhile.
    """
    staff = await changing.lock_person(work, person_id, revision, receivers=_receivers(plan))
    if by is not None and by.id != staff.id:
        changing.check_gives(by, staff, Role(staff.role))
    # Before anything is counted: duty that is planned at the same time is counted, or refused.
    await roster.lock_rota(work)
    handed = await _give_everything(work, staff, plan, knowingly=knowingly)
    await work_left.is_over(work, staff)
    return handed


def _receivers(plan: Plan) -> set[UUID]:
    return {to for to in plan.values() if to is not None}


async def _give_everything(
    work: Work, staff: Staff, plan: Plan, *, knowingly: bool, leaves_rest: bool = False
) -> HandedOver:
    held = {kind: number for kind, number in (await holding.count(work, staff)).items() if number}
    placed = {kind: await _taker(work, staff, kind, plan.get(kind)) for kind in held}
    open_ones = [
        kind
        for kind, to in placed.items()
        if to is None and not (kind is WorkKind.SHIFTS and kind in plan)
    ]
    if open_ones and not leaves_rest:
        raise NotPlaced(open_ones)
    # In this order: the follow-ups of own cases go with the cases.
    given, duty = dict[WorkKind, int](), giving.Given()
    for kind in (kind for kind in WorkKind if kind in held and kind not in open_ones):
        to = placed[kind]
        if kind is WorkKind.SHIFTS:
            duty = await giving.give_duty(work, staff, to, knowingly=knowingly)
            given[kind] = duty.number
        elif to is not None:
            given[kind] = await _give(work, staff, kind, to)
    if given:
        write_entry(
            work,
            AuditLog.STAFF_HANDED_OVER,
            str(staff.id),
            before={kind.value: str(staff.id) for kind in given},
            after={kind.value: str(to.id) if (to := placed[kind]) else None for kind in given},
            given={kind.value: number for kind, number in given.items()},
            uncovered=len(duty.uncovered),
        )
    left = tuple((kind, held[kind]) for kind in open_ones)
    return HandedOver(given, duty.uncovered, duty.kept, left)


async def _taker(work: Work, staff: Staff, kind: WorkKind, to_id: UUID | None) -> Staff | None:
    """Return the colleague who gets a kind of work, as the locked account is now. Raises NotFound,
    Invalid."""
    if to_id is None:
        return None
    to = await work.session.get(Staff, to_id, populate_existing=True)
    if to is None:
        raise NotFound("There is no such account.")
    if to.id == staff.id or not to.active or not may(to.role, NEEDS[kind]):
        raise Invalid(
            "%(name)s cannot take this over: %(kind)s.", name=to.name, kind=Code(kind.value)
        )
    return to


async def _give(work: Work, staff: Staff, kind: WorkKind, to: Staff) -> int:
    number = 0
    match kind:
        case WorkKind.DRAFTS:
            number = await contacts.give_drafts(work, staff, to)
        case WorkKind.CASES:
            number = await case_people.give_cases(work, staff, to)
        case WorkKind.FOLLOW_UPS:
            number = await follow_ups.give_follow_ups(work, staff, to)
        case WorkKind.REFERRALS:
            number = await staff_actions.give_all(work, staff, to)
        case WorkKind.AGREED_CALLBACKS:
            number = await callbacks.give_agreed(work, staff.id, to.id)
        case WorkKind.CALLBACK_REPLIES:
            number = await callbacks.give_replies(work, staff.id, to.id)
        case WorkKind.VOICE_MESSAGES:
            number = await messages.give_all(work, staff.id, to.id)
        case WorkKind.WRITTEN_MESSAGES:
            number = await answering.give_all(work, staff.id, to.id)
            number += await ended_without_counsellor.give_all(work, staff.id, to.id)
    if kind in (WorkKind.REFERRALS, WorkKind.DRAFTS, WorkKind.CASES):
        await staff_actions.give_alarms(work, staff, to)
    return number


async def deactivate(
    work: Work,
    person_id: UUID,
    plan: Plan | None = None,
    *,
    by: Staff | None,
    revision: int | None = None,
    knowingly: bool = False,
    leaves_rest: bool = False,
) -> HandedOver:
    """Hand over what a person holds and deactivate the account, in one step.

    A talk goes on to a colleague; a child is never hung up on. `knowingly`: duty for which the
    colleague is not free stays uncovered. `leaves_rest`: they leave although no colleague was
    chosen for something, which stays with the account. Raises NotFound, NotAllowed, Invalid,
    NotPlaced, NotFree, AlreadyInactive, LastAdministrator, ChangedMeanwhile.
    """
    plan = plan or {}
    staff = await changing.lock_person(work, person_id, revision, receivers=_receivers(plan))
    if not staff.active:
        raise AlreadyInactive()
    changing.check_gives(by, staff, Role(staff.role))
    await changing.check_not_last(work, staff)
    # Before anything is counted, and before a call is locked: the rota can be locked for long, and
    # the directory while it is imported, and no caller waits for them.
    await roster.lock_rota(work)
    await leavers.wait_for_leavers(work)
    if may(staff.role, Permission.TAKE_CALLS):
        await withdrawing.take_out(work, staff)
    given = await _give_everything(work, staff, plan, knowingly=knowingly, leaves_rest=leaves_rest)
    # Also for a person who holds no duty: a swap without duty would move what they work one day.
    await giving.give_duty(work, staff, None)
    await case_people.leave_cases(work, staff)
    await links.withdraw(work, staff.id)
    await asking.withdraw(work, staff)
    await ending.sign_out(work, staff)
    await ending.end_made(work, staff)
    await feeds.revoke_feed(work, staff)
    for browser in await subscriptions.browsers_of(work, staff):
        await subscriptions.forget(work, staff, browser.id)
    staff.active = False
    # What opened the account opens nothing again: neither phone, provider nor password.
    telephone = _telephone(staff)
    reached = await ending.forget_telephone(work, staff)
    await access.leave(work, staff)
    await passwords.forget_password(work, staff)
    await second_factor.take_away(work, staff)
    staff.revision += 1
    await work.session.flush()
    _log(work, AuditLog.STAFF_DEACTIVATED, staff, telephone)
    accounts_changed(work)
    work.announce(Topic.ROSTER, Topic.PRESENCE, Topic.QUEUE)
    return given._replace(reached=reached)


async def reactivate(work: Work, person_id: UUID, *, by: By) -> Staff:
    """Make an account active again. It has no password, no session, no address of a calendar, no
    phone and no link with the provider: the person chooses a new password. One that would learn
    of children may stay inactive until a second person has approved it. Duty from before they left
    does not come back. Raises NotFound, NotAllowed, AlreadyActive.
    """
    staff = await changing.lock_person(work, person_id)
    if staff.active:
        raise AlreadyActive()
    changing.check_gives(by, staff, Role(staff.role))
    if await asking.hold_back(work, staff, AccessWanted(AccessKind.ACCOUNT), by=by):
        return staff
    await asking.withdraw(work, staff)
    left_at = await last_left_at(work, staff)
    if left_at is not None:
        await giving.forget_duty(work, staff, left_at)
    await work_left.is_over(work, staff)
    # What of the directory acknowledges nothing since they left becomes an alarm.
    work.defer(Task.WATCH_LEAVER, staff_id=str(staff.id))
    staff.active, staff.password_hash = True, None
    note_could_approve(staff)
    staff.revision += 1
    await work.session.flush()
    _log(work, AuditLog.STAFF_REACTIVATED, staff)
    accounts_changed(work)
    work.announce(Topic.ROSTER)
    return staff


async def last_left_at(work: Work, staff: Staff) -> datetime | None:
    """Return when a person left last, or None if they never did."""
    entry = every_entry()
    found: datetime | None = await work.session.scalar(
        select(func.max(entry.at)).where(
            entry.subject == str(staff.id), entry.action == AuditLog.STAFF_DEACTIVATED
        )
    )
    return found


def _telephone(staff: Staff) -> dict[str, str]:
    """Return at which phone a person is rung, as the log may hold it; empty in the browser."""
    found = {"endpoint": finding.endpoint_of(staff), "second_phone": staff.second_phone or ""}
    kept = {name: value for name, value in found.items() if value not in ("", EndpointKind.BROWSER)}
    return {name: changing.for_log("endpoint", value) for name, value in kept.items()}


def _log(
    work: Work, action: AuditLog, staff: Staff, telephone: Mapping[str, str] | None = None
) -> None:
    """Log that an account has become active, or inactive. `telephone`: what was forgotten with
    it."""
    gone = dict.fromkeys(telephone or {})
    write_entry(
        work,
        action,
        str(staff.id),
        before={"active": not staff.active, **(telephone or {})},
        after={"active": staff.active, **gone},
        role=staff.role,
    )
