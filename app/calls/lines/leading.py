"""What leads children to a phone or a page: supervisors are told of each change of it.

One administrator could otherwise send children elsewhere, and no colleague would look. A letter
holds no number and no address: only who changed which kind of thing, on which line.
"""

from datetime import timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import select

from app.jobs.names import Task
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import ActorKind, Work

# How long a second person can take back a changed number or account; the letter is tried as long.
BACK_WITHIN = timedelta(days=14)


class Leads(StrEnum):
    """A kind of thing that leads children somewhere, as a job names it."""

    NUMBER = "number"
    NUMBERS_BEHIND = "numbers_behind"
    SHOWN_NUMBER = "shown_number"
    PROMPT = "prompt"
    RECORDING = "recording"
    PAGE = "page"
    MESSENGER = "messenger"
    # Telegram says that its messages went to another address: another program has the token.
    BOT_ELSEWHERE = "bot_elsewhere"
    TRANSLATION = "translation"
    # The name, which the greeting says and the page shows.
    NAME = "name"
    # With it the emergency number changes, and the page of reports of the country.
    COUNTRY = "country"
    # What children who write read, beside the page itself.
    WORDS = "words"
    SHOWN_IN_CALLBACKS = "shown_in_callbacks"
    # The word in the address of the page on which children write.
    ADDRESS = "address"
    # The sites that show that page within theirs.
    SITES = "sites"
    # A second person refused the number of the partner, which was in doubt: it was taken out.
    PARTNER_REFUSED = "partner_refused"
    # The program took it out: its number was the phone of a person who has left.
    PARTNER_LOST = "partner_lost"


# What a second person can take back: see `app/administration/number_changes.py`.
TAKEN_BACK = frozenset({Leads.NUMBER, Leads.NUMBERS_BEHIND, Leads.SHOWN_NUMBER, Leads.MESSENGER})


async def tell_supervisors(
    work: Work,
    line_id: UUID | None,
    *changed: Leads,
    taken_back: bool = True,
    administrators: bool = False,
) -> None:
    """Write to every supervisor but the one who acts. `line_id` is None for all lines.

    `taken_back`: whether a second person can take this change back, if its kind is of those that
    they can: a line that is new or in use again is retired instead. `administrators`: whether they
    are written to as well, since one of them has to do something.

    The end of an emergency access puts back what was; its review says so. A partner that is lost
    by it was not put back.
    """
    if work.actor.kind is ActorKind.PROGRAM and work.actor.emergency is not None:
        changed = tuple(one for one in changed if one is Leads.PARTNER_LOST)
    if not changed or work.settings.smtp_url is None:
        return
    roles = [Role.SUPERVISOR] + ([Role.ADMINISTRATOR] if administrators else [])
    people = select(Staff.id).where(
        Staff.active, Staff.email.is_not(None), ~Staff.emergency, Staff.role.in_(roles)
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
                taken_back=taken_back and not TAKEN_BACK.isdisjoint(changed),
            )


def of_pages(before: dict[str, str], after: dict[str, str]) -> tuple[Leads, ...]:
    """Return what other pages change, by their names. An empty page is none.

    The whole address counts: a page of the same host may be another person's, or lead on.
    """
    changed = any(url and url != before.get(name, "") for name, url in after.items())
    return (Leads.PAGE,) if changed else ()
