"""Where a person who has left would still be reached as one of our own people on call.

Two people have approved each number and address of the directory, but for a person who worked here.
When they leave, nothing is written there and no key there acknowledges, until the entry is verified
again: an urgent case would count as in hand while no person of ours knows of it.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, literal, or_, select, update

from app.calls.line_rows import Line
from app.database.topics import Topic
from app.outbox.channels import ChannelKind
from app.privacy import ends
from app.referrals.channels.models import Link
from app.referrals.directory.agencies import doubt_phone
from app.referrals.directory.models import Agency
from app.referrals.directory.phones import phones_of
from app.referrals.states import Sector
from app.staff import phone_proofs
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import EndpointKind, Staff
from app.work import Work


class StillReached(NamedTuple):
    """Where a person who has left is still reached: codes of the directory, and names of lines that
    connect callers with their telephone, as the partner."""

    entries: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


async def note(work: Work, staff: Staff) -> StillReached:
    """Note where a person who leaves, and whose account still has its telephone, would be reached.

    What another active account has as well, such as a telephone that is handed on, is theirs.
    """
    numbers = {staff.second_phone} - {None}
    if staff.endpoint_kind == EndpointKind.PHONE:
        numbers |= {staff.endpoint} - {None}
    phones = {one for one in numbers if one and not await _is_of_another(work, staff, _rings(one))}
    mail = (staff.email or "").lower()
    if mail and await _is_of_another(work, staff, func.lower(Staff.email) == mail):
        mail = ""
    if not phones and not mail:
        return StillReached()
    entries = [
        agency.code
        for agency in await work.session.scalars(
            select(Agency)
            .where(Agency.sector == Sector.OWN_HOUSE)
            .order_by(Agency.code)
            .with_for_update()
        )
        if await _is_marked(work, agency, phones, mail)
    ]
    if entries:
        work.announce(Topic.DIRECTORY)
    partner = Line.plan["partner_number"].astext
    lines = select(Line.name).where(partner.in_(phones), Line.active).order_by(Line.name)
    return StillReached(tuple(entries), tuple(await work.session.scalars(lines)))


def _rings(number: str) -> ColumnElement[bool]:
    return or_(Staff.endpoint == number, Staff.second_phone == number)


async def _is_of_another(work: Work, staff: Staff, which: ColumnElement[bool]) -> bool:
    another = exists().where(Staff.active, Staff.id != staff.id, which)
    return bool(await work.session.scalar(select(another)))


async def _is_marked(work: Work, agency: Agency, phones: set[str], mail: str) -> bool:
    """Mark what of an entry is the person's. Return whether anything is."""
    rung = {one.number for one in await phones_of(work, agency.id)} & phones
    texted = {agency.sms or ""} & phones
    mailed = {agency.email} if agency.email and agency.email.lower() == mail else set()
    found = rung | texted | mailed
    if not found:
        return False
    before = list(agency.of_leavers)
    agency.of_leavers = sorted({*before, *found})
    for number in sorted(rung):
        await doubt_phone(work, agency.id, number)
    channels = [ChannelKind.SMS] * bool(texted) + [ChannelKind.EMAIL] * bool(mailed)
    await work.session.execute(
        update(Link)
        .where(
            Link.agency_id == agency.id,
            Link.channel.in_([one.value for one in channels]),
            Link.expires_at > work.now,
        )
        .values(expires_at=work.now, proven_until=None)
    )
    await work.session.flush()
    was, now = ([_for_log(one) for one in some] for some in (before, agency.of_leavers))
    write_entry(
        work,
        AuditLog.AGENCY_CHANGED,
        f"agency:{agency.code}",
        before={"of_leavers": was},
        after={"of_leavers": now},
    )
    return True


def _for_log(address: str) -> str:
    return ends.of_email(address) if "@" in address else ends.of_number(address)


async def is_a_leavers(work: Work, number: str) -> bool:
    """Return whether a key at this telephone of our people on call acknowledges nothing: it was
    that of a person who has left, and no other one has proven it since."""
    marked = exists().where(
        Agency.sector == Sector.OWN_HOUSE, literal(number) == func.any(Agency.of_leavers)
    )
    if not await work.session.scalar(select(marked)):
        return False
    return not await phone_proofs.is_proven_by_any(work, number)
