"""Who is woken by web push: people with a browser for it who are not at a screen now."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.outbox.push.subscriptions import wake
from app.routing.models import Presence
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import Work

# A page says every 20 seconds that it is there.
AT_A_SCREEN = timedelta(seconds=45)
# How long a call for help or an alarm is worth waking a person for.
_WORTH = timedelta(minutes=2)
_SUPERVISORS = [role.value for role in Role if may(role, Permission.SUPERVISE)]


async def wake_absent(work: Work, people: Collection[UUID]) -> None:
    """Wake those of some people who have no page open. The message says nothing of the reason."""
    here = await work.session.scalars(
        select(Presence.counsellor_id).where(
            Presence.counsellor_id.in_(people), Presence.heartbeat_at > work.now - AT_A_SCREEN
        )
    )
    await wake(work, set(people) - set(here), work.now + _WORTH)


async def wake_supervisors(work: Work) -> None:
    """Wake the supervisors who have no page open."""
    people = await work.session.scalars(
        select(Staff.id).where(Staff.active, Staff.role.in_(_SUPERVISORS))
    )
    await wake_absent(work, people.all())


async def wake_who_is_rung(work: Work, number: str) -> None:
    """Wake the person at whose phone it rings, if the number is that of an account."""
    people = await work.session.scalars(
        select(Staff.id).where(Staff.active, Staff.endpoint == number)
    )
    await wake_absent(work, people.all())
