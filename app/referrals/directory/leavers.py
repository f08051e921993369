"""Where a person who has left would still be reached as one of our own people on call.

Two people have approved each number and address of the directory, but for a person who worked here.
When they leave, nothing is written there and no key there acknowledges, until the entry is verified
again: an urgent case would count as in hand while no person of ours knows of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import exists, func, literal, or_, select, update

from app.calls.lines.line_rows import Line
from app.database.topics import Topic
from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.privacy import ends
from app.referrals.channels.models import Link
from app.referrals.directory.models import Agency, DutyPhone
from app.referrals.directory.phones import doubt_phone, phones_of
from app.referrals.states import Sector
from app.staff import former_addresses, phone_proofs
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

LOCK = 710048
_WITH_PARTNER = select(Line).where(Line.plan["partner_number"].astext.is_not(None))
_OWN_ENTRIES = select(Agency).where(Agency.sector == Sector.OWN_HOUSE).order_by(Agency.code)


class StillReached(NamedTuple):
    """Where a person who has left is still reached: codes of the directory, and names of lines that
    connect callers with their phone, as the partner. `perhaps`: codes of entries with a
    phone that they entered as their second one and never proved; it still acknowledges.
    `perhaps_lines`: names of lines whose partner has such a phone, and is in doubt."""

    entries: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    perhaps_lines: tuple[str, ...] = ()


async def note(work: Work, staff: Staff) -> StillReached:
    """Note where a person who leaves would be reached: by what the account has, or had before.

    What another active account has as well is theirs: an address, or a phone that they have
    proven, such as one that is handed on.
    """
    await wait_for_leavers(work)
    entries, perhaps = [], []
    for agency in await work.session.scalars(_OWN_ENTRIES.with_for_update()):
        addresses = await addresses_of(work, agency)
        found = await former_addresses.theirs(work, staff, addresses)
        if found:
            await _mark(work, agency, found)
            entries.append(agency.code)
        doubted = await former_addresses.perhaps_theirs(work, staff, addresses - found)
        if doubted:
            await _doubt(work, agency, doubted)
            perhaps.append(agency.code)
    if entries or perhaps:
        work.announce(Topic.DIRECTORY)
    partner_of, perhaps_of = await _note_partners(work, staff)
    return StillReached(tuple(entries), partner_of, tuple(perhaps), perhaps_of)


async def still(work: Work, staff: Staff) -> StillReached:
    """Return where a person who has left is still reached now."""
    doubted = exists().where(
        DutyPhone.agency_id == Agency.id,
        DutyPhone.doubted_at.is_not(None),
        DutyPhone.gone_at.is_(None),
    )
    marked = func.cardinality(Agency.of_leavers) > 0
    entries, perhaps = [], []
    for agency in await work.session.scalars(
        _OWN_ENTRIES.where(or_(marked, doubted, Agency.doubted_at.is_not(None)))
    ):
        if await former_addresses.which_of(work, staff, agency.of_leavers):
            entries.append(agency.code)
        if await former_addresses.perhaps_of(work, staff, await _in_doubt(work, agency)):
            perhaps.append(agency.code)
    lines = (await work.session.scalars(_WITH_PARTNER.where(Line.active))).all()
    theirs = await former_addresses.theirs(work, staff, {_partner(one) for one in lines})
    in_doubt = [one for one in lines if one.partner_doubted_at is not None]
    not_proven = await former_addresses.perhaps_theirs(
        work, staff, {_partner(one) for one in in_doubt} - theirs
    )
    return StillReached(
        tuple(entries), _named(lines, theirs), tuple(perhaps), _named(in_doubt, not_proven)
    )


async def _in_doubt(work: Work, agency: Agency) -> set[str]:
    """Return the phones of an entry that are in doubt."""
    rung = {one.number for one in await phones_of(work, agency.id) if one.doubted_at is not None}
    return rung | ({agency.sms} if agency.doubted_at is not None and agency.sms else set())


async def to_confirm(work: Work) -> list[tuple[str, str]]:
    """Return code and name of every entry of our own people on call. What was never in an account
    is in no list of it: a person who deactivates another one looks these through."""
    return [(one.code, one.name) for one in await work.session.scalars(_OWN_ENTRIES)]


async def _note_partners(work: Work, staff: Staff) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines whose callers are connected with a phone of a person who leaves, and
    perhaps with one, by name. These are put in doubt.

    Every line is locked, also one without a partner or a retired one: a number that comes into
    force at the same time is seen here, or its change sees that the person has left. Calls come in
    meanwhile.
    """
    locked = await work.session.scalars(
        select(Line)
        .order_by(Line.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    lines = [one for one in locked if one.plan.get("partner_number")]
    numbers = {_partner(one) for one in lines}
    theirs = await former_addresses.theirs(work, staff, numbers)
    doubted = await former_addresses.perhaps_theirs(work, staff, numbers - theirs)
    for line in lines:
        if _partner(line) in doubted:
            line.partner_doubted_at = line.partner_doubted_at or work.now
    await work.session.flush()
    return _named(lines, theirs), _named(lines, doubted)


def _partner(line: Line) -> str:
    return str(line.plan["partner_number"])


def _named(lines: Sequence[Line], numbers: set[str]) -> tuple[str, ...]:
    """Return the lines in use whose partner has one of several numbers, by name."""
    return tuple(sorted(one.name for one in lines if one.active and _partner(one) in numbers))


async def addresses_of(work: Work, agency: Agency) -> set[str]:
    """Return the phones and addresses of an entry that are in force."""
    duty = {one.number for one in await phones_of(work, agency.id)}
    return duty | {one for one in (agency.sms, agency.email) if one}


async def _doubt(work: Work, agency: Agency, found: set[str]) -> None:
    """Put in doubt what a person entered as a second phone and never proved: it may be the
    helpline's on-call phone, which acknowledges for others."""
    for number in sorted(found):
        await doubt_phone(work, agency.id, number)
    if agency.sms in found:
        agency.doubted_at = agency.doubted_at or work.now
    await work.session.flush()


async def wait_for_leavers(work: Work) -> None:
    """Wait for those who are leaving, and let others who leave wait until the end of the
    transaction: else they would not see an entry that is being added, nor it that they leave."""
    await work.session.execute(select(func.pg_advisory_xact_lock(LOCK)))


async def mark_in_force(work: Work, agency: Agency, new: set[str]) -> None:
    """Mark what of new addresses of an entry is of people who have left: it may have been asked for
    before they did. What is perhaps theirs is put in doubt. Their alarm begins."""
    if agency.sector != Sector.OWN_HOUSE or not new:
        return
    found = await former_addresses.of_leavers(work, new)
    if found:
        await _mark(work, agency, set().union(*found.values()))
    perhaps = await former_addresses.perhaps_of_leavers(work, new)
    if perhaps:
        await _doubt(work, agency, set().union(*perhaps.values()))
    for staff_id in sorted({*found, *perhaps}):
        work.defer(Task.WATCH_LEAVER, staff_id=str(staff_id))


class ToVerify(NamedTuple):
    """An entry of our own people on call that must be verified again: what of it acknowledges
    nothing, since it is of a person who has left, and which phones are in doubt."""

    code: str
    of_leavers: tuple[str, ...]
    in_doubt: tuple[str, ...]


async def to_verify(work: Work) -> list[ToVerify]:
    """Return the entries of our own people on call that must be verified again, by code."""
    found = []
    for agency in await work.session.scalars(_OWN_ENTRIES):
        doubted = await _in_doubt(work, agency) - set(agency.of_leavers)
        if agency.of_leavers or doubted:
            found.append(ToVerify(agency.code, tuple(agency.of_leavers), tuple(sorted(doubted))))
    return found


async def keep_present(work: Work, agency: Agency) -> None:
    """Forget marks of what the entry does not have any more."""
    present = await addresses_of(work, agency)
    agency.of_leavers = [one for one in agency.of_leavers if one in present]


async def _mark(work: Work, agency: Agency, found: set[str]) -> None:
    texted, mailed = agency.sms in found, agency.email in found
    before = list(agency.of_leavers)
    agency.of_leavers = sorted({*before, *found})
    for number in sorted(found):
        await doubt_phone(work, agency.id, number)
    channels = [ChannelKind.SMS] * texted + [ChannelKind.EMAIL] * mailed
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


def _for_log(address: str) -> str:
    return ends.of_email(address) if "@" in address else ends.of_number(address)


async def is_a_leavers(work: Work, number: str) -> bool:
    """Return whether a key at this phone of our people on call acknowledges nothing: it was
    that of a person who has left, and no other one has proven it since."""
    marked = exists().where(
        Agency.sector == Sector.OWN_HOUSE, literal(number) == func.any(Agency.of_leavers)
    )
    if not await work.session.scalar(select(marked)):
        return False
    return not await phone_proofs.is_proven_by_any(work, number)
