"""What leads children to a telephone or a page: supervisors are told of each change of it.

One administrator could otherwise send children elsewhere, unseen by colleagues. A letter holds no
number and no address: only who changed which kind of thing, on which line.
"""

from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import select

from app.jobs.names import Task
from app.staff.models import Staff
from app.staff.roles import Role
from app.words.elsewhere import leads_elsewhere
from app.work import ActorKind, Work


class Leads(StrEnum):
    """A kind of thing that leads children somewhere, as a job names it."""

    NUMBER = "number"
    NUMBERS_BEHIND = "numbers_behind"
    SHOWN_NUMBER = "shown_number"
    PROMPT = "prompt"
    RECORDING = "recording"
    PAGE = "page"
    MESSENGER = "messenger"
    TRANSLATION = "translation"


async def tell_supervisors(work: Work, line_id: UUID | None, *changed: Leads) -> None:
    """Write to every supervisor but the one who acts. `line_id` is None for all lines.

    The end of an emergency access puts back what was; its review says so.
    """
    puts_back = work.actor.kind is ActorKind.PROGRAM and work.actor.emergency is not None
    if not changed or work.settings.smtp_url is None or puts_back:
        return
    people = select(Staff.id).where(
        Staff.active, Staff.email.is_not(None), ~Staff.emergency, Staff.role == Role.SUPERVISOR
    )
    for staff_id in await work.session.scalars(people.order_by(Staff.id)):
        if staff_id != work.actor.staff_id:
            work.defer(
                Task.TELL_LEADS_ELSEWHERE,
                letter_id=str(uuid4()),
                staff_id=str(staff_id),
                by=str(work.actor.staff_id or ""),
                at=work.now.isoformat(),
                line_id=str(line_id or ""),
                changed=[one.value for one in changed],
            )


def of_words(text: str, *known: str | None) -> tuple[Leads, ...]:
    """Return what a prompt changes: one with a number or an address that was not heard before."""
    return (Leads.PROMPT,) if leads_elsewhere(text, [one or "" for one in known]) else ()


def of_pages(before: dict[str, str], after: dict[str, str]) -> tuple[Leads, ...]:
    """Return what other pages change, by their names: a path of the same host leads nowhere else.
    An empty page is none."""
    changed = any(url and _host(url) != _host(before.get(name, "")) for name, url in after.items())
    return (Leads.PAGE,) if changed else ()


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return url
