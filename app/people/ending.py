"""What a change of an account ends at once: sessions, talks, presence, access that a role gave."""

from sqlalchemy import select

from app.abilities import EndpointKind
from app.errors import Code, Conflict
from app.jobs.names import Task
from app.people import holding, wallboards
from app.people.emergency import emergency_reading
from app.referrals.directory import leavers
from app.referrals.directory.leavers import StillReached
from app.routing import withdrawing
from app.routing.offers_held import has_anything
from app.routing.participants.participants import ParticipantPurpose
from app.routing.rota import roster
from app.staff import former_addresses, phone_proofs, sessions, tokens
from app.staff.audit import write_entry
from app.staff.emergency_rows import LIVE, Emergency, EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, Role, lost_between, may
from app.work import Work


class StillHolds(Conflict):
    """The person holds work that the new role may not do."""

    def __init__(self, role: Role, kinds: list[holding.WorkKind]) -> None:
        super().__init__(
            "As %(role)s this person may not keep what they hold: %(kinds)s. Hand it over first.",
            role=Code(role.value),
            kinds=[Code(kind.value) for kind in kinds],
        )


async def check_can_hold(work: Work, staff: Staff, role: Role) -> None:
    """Check that a person may hold in a new role what they hold. Raises StillHolds."""
    if not may(role, Permission.TAKE_CALLS):
        # Duty that is planned at the same time is counted, or refused.
        await roster.lock_rota(work)
    held = await holding.count(work, staff)
    left = [kind for kind, number in held.items() if number and not may(role, holding.NEEDS[kind])]
    if left:
        raise StillHolds(role, left)


async def role_changed(work: Work, staff: Staff, before: Role) -> None:
    """End what a new role does not allow. Permissions themselves are read with each request."""
    lost = lost_between(before, Role(staff.role))
    if Permission.TAKE_CALLS in lost:
        await withdrawing.take_out(work, staff)
    elif Permission.SUPERVISE in lost:
        await withdrawing.leave_others(
            work, staff, ParticipantPurpose.SUPERVISE, ParticipantPurpose.CALL_FOR_HELP
        )
    talks = await has_anything(work, staff.id)
    # A page with a talk in it stays open, so that the child is not cut off; each of its requests
    # is asked for the permissions of the new role.
    if lost and not talks:
        await sign_out(work, staff)
    else:
        await end_emergencies(work, staff)
    number = 0
    if Permission.KEEP_TOKENS in lost:
        number += await tokens.end_made_by(work, staff)
    if Permission.KEEP_WALLBOARDS in lost:
        number += await wallboards.end_made_by(work, staff)
    if number:
        # A program or a screen stopped: administrators are told, as of what a leaver made.
        work.defer(Task.WATCH_LEAVER, staff_id=str(staff.id))


async def sign_out(work: Work, staff: Staff) -> int:
    """End all sessions of a person, and every emergency access that they asked for. Return how many
    sessions there were."""
    await end_emergencies(work, staff)
    number = await sessions.end_sessions(work, staff.id)
    if number:
        write_entry(work, AuditLog.SESSIONS_ENDED, str(staff.id), number=number)
    return number


async def end_emergencies(work: Work, staff: Staff) -> None:
    """End every emergency access that a person asked for: it was opened to them as they were.

    The person is signed out of the account by which they act, and reads no record by it any more,
    at once. The rest is a job of its own, because its end locks other accounts; until then
    `emergencies.enter` refuses them.
    """
    found = await work.session.scalars(
        select(Emergency).where(Emergency.asked_by == staff.id, Emergency.state.in_(LIVE))
    )
    for row in found.all():
        if row.account_id is not None:
            await sessions.end_sessions(work, row.account_id)
        elif row.state == EmergencyState.OPEN:
            await emergency_reading.end(work, row, staff)
        work.defer(Task.CLOSE_EMERGENCY, emergency_id=str(row.id), at_once=True)


async def end_made(work: Work, staff: Staff) -> None:
    """End the tokens of programs and the wallboards that a person made: they saw the secrets.
    `app/administration/still_open.py` names what stopped."""
    await tokens.end_made_by(work, staff)
    await wallboards.end_made_by(work, staff)


async def forget_telephone(work: Work, staff: Staff) -> StillReached:
    """Forget at which phone a person is rung, and how they prove there who they are: their PIN,
    too. With a phone of their own they go on duty without signing in. Return where else they
    are still reached."""
    await former_addresses.note_all(work, staff)
    reached = await leavers.note(work, staff)
    staff.endpoint_kind, staff.endpoint = EndpointKind.BROWSER.value, None
    staff.second_phone = None
    await phone_proofs.forget(work, staff)
    await work.session.flush()
    return reached
