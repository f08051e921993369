"""Who owns a referral or a message that no person has taken: preferably a supervisor."""

from sqlalchemy import select

from app.errors import NotFound
from app.routing.models import Presence, PresenceState
from app.routing.rota import roster
from app.staff import receiving
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import Work

_ORDER = [Role.SUPERVISOR, Role.REFERRAL_OFFICER, Role.COUNSELLOR]


async def pick_owner(work: Work, able_to: Permission = Permission.WRITE_REFERRALS) -> Staff:
    """Choose the owner of what the program opens or a caller leaves: best a supervisor who is
    present, of those whose role may do this.

    It never waits, as callers may wait for the transaction. Raises NotFound if no account may own
    it.
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
    able = [(s, state) for s, state in rows if may(s.role, able_to)]
    if not able:
        raise NotFound("No active account may be responsible for this. Add a supervisor.")

    def far(one: tuple[Staff, str | None]) -> tuple[bool, bool, int]:
        staff, state = one
        away = state in (None, PresenceState.OFF_DUTY, PresenceState.AWAY)
        role = _ORDER.index(Role(staff.role)) if staff.role in set(_ORDER) else 9
        return staff.role != Role.SUPERVISOR, away and staff.id not in present, role

    nearest = [staff for staff, _ in sorted(able, key=far)]
    for one in nearest:
        # A person who leaves at this moment is passed over, if there is another.
        owner = await receiving.receiver_by_id(work, one.id, waits=False)
        if owner is not None and may(owner.role, able_to):
            return owner
    return nearest[0]
