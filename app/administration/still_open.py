"""What is still open of a person who has left, or whom the provider gives no role any more; and
what stopped because its maker has another role now.

An administrator who deactivates a person is told of it on the page. When a directory or the
provider lets them leave, also in the night, it alarms until it is closed.
"""

from functools import partial
from typing import NamedTuple
from uuid import UUID

from app.calls.lines import lost_partners, partner_doubts
from app.calls.lines.line_rows import Line
from app.jobs.transaction import run_verb, transaction
from app.people import changing, wallboards, work_left
from app.people.provider import access
from app.people.wallboards import Wallboard
from app.referrals.directory import leavers
from app.staff import tokens
from app.staff.models import ApiToken, Staff
from app.staff.roles import Permission, may
from app.work import PROGRAM, Ground, Work


class StillOpen(NamedTuple):
    """Codes of the directory and names of lines that lead to a phone or address of theirs, and
    the tokens and wallboards that they made, which stopped with the account or role, until another
    one is made or a week is over."""

    entries: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    # Entries with a phone that they entered as their second one and never proved.
    perhaps: tuple[str, ...] = ()
    tokens: tuple[ApiToken, ...] = ()
    wallboards: tuple[Wallboard, ...] = ()
    # Lines whose partner has such a phone.
    perhaps_lines: tuple[str, ...] = ()
    # Lines that are without a partner since theirs had the phone of this person.
    without_partner: tuple[Line, ...] = ()


async def of(work: Work, staff: Staff) -> StillOpen:
    """Return what is open of a person. For a person who is back: the entries at which their
    phone and address acknowledge nothing yet, since no person has checked the entry again. For
    a person whose role may not make such things: what they made. For every person: the tokens and
    wallboards that stopped, since they stay so when the account or role is back."""
    reached, gone = await leavers.still(work, staff), await _is_gone(work, staff)
    made = await tokens.stopped_of(work, staff)
    walls = await wallboards.stopped_of(work, staff)
    # Those of a person who left, or lost the role, before they ended with it are open.
    if gone or not may(staff.role, Permission.KEEP_TOKENS):
        made = [*await tokens.made_by(work, staff), *made]
    if gone or not may(staff.role, Permission.KEEP_WALLBOARDS):
        walls = [*await wallboards.made_by(work, staff), *walls]
    if not gone:
        return StillOpen(reached.entries, tokens=tuple(made), wallboards=tuple(walls))
    return StillOpen(
        reached.entries,
        reached.lines,
        reached.perhaps,
        tuple(made),
        tuple(walls),
        reached.perhaps_lines,
        tuple(await lost_partners.lost_of(work, staff)),
    )


async def _is_gone(work: Work, staff: Staff) -> bool:
    if not staff.active:
        return True
    identity = await access.identity_of(work, staff)
    return identity is not None and identity.lost_at is not None


async def watch(work: Work, person_id: UUID) -> None:
    """Alarm of what is open, or end the alarm if nothing is. May run twice."""
    staff = await changing.lock_person(work, person_id)
    if any(await of(work, staff)):
        await work_left.note_open(work, staff)
    else:
        await work_left.is_closed(work, staff)


async def to_close(work: Work) -> list[UUID]:
    """Return the people whose alarm goes on although nothing of theirs is open any more."""
    people = await work_left.with_open(work)
    return [one.id for one in people if not any(await of(work, one))]


async def look_again(ground: Ground) -> None:
    """End the alarms of people of whom nothing is open any more. No account is locked for others.

    The number of a partner that was not held against the people who have left is held against them,
    once.

    It is not a job that defers the next: each run of one that is repeated would go on for ever.
    """
    async with transaction(ground, PROGRAM) as work:
        lines = await partner_doubts.to_look_at(work)
        people = await to_close(work)
    for line_id in lines:
        await run_verb(ground, PROGRAM, partial(partner_doubts.look_at_once, line_id=line_id))
    for person_id in people:
        await run_verb(ground, PROGRAM, partial(watch, person_id=person_id))
