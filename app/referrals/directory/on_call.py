"""Our own people who are on call for a service now."""

from dataclasses import dataclass

from sqlalchemy import func, select

from app import words
from app.referrals.directory.finding import Candidate
from app.referrals.directory.models import Agency
from app.referrals.directory.right_agency import find_right
from app.referrals.states import Service
from app.work import Work


async def find_on_call(work: Work, service: Service) -> list[Candidate]:
    """Return our own people who are on call for a service now."""
    found = await find_right(work, service.value, None, None)
    return [one.agency for one in found.right]


async def people_on_call(work: Work, service: Service) -> Agency | None:
    """Return the entry of our own people who are on call for a service now, if there is one."""
    found = await find_on_call(work, service)
    return await work.session.get(Agency, found[0].id) if found else None


@dataclass(frozen=True)
class OnCall:
    """How our own people on call are written to, and in which language."""

    email: str
    language: str


async def on_call_address(work: Work, service: Service) -> OnCall | None:
    """Return the e-mail address of our own people who are on call for a service now."""
    on_call = [one.id for one in await find_on_call(work, service)]
    rows = await work.session.execute(
        select(Agency.id, Agency.email, Agency.languages).where(
            Agency.id.in_(on_call),
            Agency.email.is_not(None),
            Agency.email != func.all(Agency.of_leavers),
        )
    )
    found = {row.id: OnCall(row.email, words.first_known(row.languages)) for row in rows}
    return next((found[one] for one in on_call if one in found), None)
