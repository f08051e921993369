"""A supervisor with a mobile and a mail address of their own, who leaves."""

from app.people import leaving
from app.people.provider.rows import LinkedHow, StaffIdentity
from app.referrals.directory.leavers import StillReached
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_supervisor, an_administrator

MOBILE, OTHER, MAIL = "+381641112223", "+381641112224", "Vera@home.example"


async def a_leaver(work: Work) -> Staff:
    vera = await a_supervisor(work)
    vera.endpoint_kind, vera.endpoint, vera.email = "phone", MOBILE, MAIL.lower()
    await work.session.flush()
    return vera


async def leaves(work: Work, staff: Staff) -> StillReached:
    """Deactivate an account, and return where its person is still reached."""
    mila = await an_administrator(work)
    plan = leaving.shifts_uncovered()
    return (await leaving.deactivate(work, staff.id, plan, by=mila)).reached


async def linked(work: Work, staff: Staff) -> StaffIdentity:
    identity = StaffIdentity(
        staff_id=staff.id,
        issuer="i",
        subject="v",
        linked_at=work.now,
        linked_how=LinkedHow("created").value,
    )
    work.session.add(identity)
    await work.session.flush()
    return identity
