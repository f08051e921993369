"""The directory: agencies with their duty phones and mandates, checked as a whole."""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from app.database.topics import Topic
from app.dialling import outward
from app.errors import Invalid, NotFound
from app.referrals.directory import addresses, leavers
from app.referrals.directory.address_rows import AddressField
from app.referrals.directory.entries import Entry, Phone, check_entry, for_log
from app.referrals.directory.models import Agency, DutyPhone, Mandate
from app.referrals.directory.phones import phones_of, set_phones
from app.referrals.library import protocols_of
from app.referrals.states import Sector
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import ActorKind, Work


class MandateHeld(Invalid):
    """A mandate that another agency has."""

    def __init__(self, service: str, place: str, holder: Agency) -> None:
        self.service, self.place, self.holder = service, place, holder.name
        super().__init__(
            "mandated_for: %(service)s@%(place)s is the mandate of %(code)s. Remove it "
            "there first, or change both in one file.",
            service=service,
            place=place,
            code=holder.code,
        )


async def save_agency(work: Work, entry: Entry, *, with_: set[str] | None = None) -> Agency:
    """Add an agency, or change the agency of that code. `with_` holds the codes in the same file.

    Raises Invalid.
    """
    entry = check_entry(work, entry, await outward.rules_now(work))
    if entry.sector == Sector.OWN_HOUSE:
        await leavers.wait_for_leavers(work)
    if entry.deputy and entry.deputy not in (with_ or ()):
        there = select(Agency.id).where(Agency.code == entry.deputy)
        if await work.session.scalar(there) is None:
            raise Invalid("deputy: there is no agency '%(deputy)s'", deputy=entry.deputy[:60])
    agency = await work.session.scalar(
        select(Agency).where(Agency.code == entry.code).with_for_update()
    )
    new = agency is None
    if agency is None:
        agency = Agency(id=uuid4(), code=entry.code, created_at=work.now)
        work.session.add(agency)
    if not new:
        entry = await addresses.hold_back(work, agency, entry)
    before: dict[str, Any] = {} if new else await _values(work, agency)
    # Every address of an entry that becomes one of our own people is new.
    was_ours = not new and agency.sector == Sector.OWN_HOUSE
    reached = await leavers.addresses_of(work, agency) if was_ours else set()
    changed = [] if new else _different(before, entry)
    if not new and not changed:
        return agency
    _set_columns(agency, entry)
    if new and work.actor.kind is ActorKind.PERSON:
        # Its addresses wait, too: the agency is there, and can be reached once they are approved.
        _set_columns(agency, replace(entry, **_NO_ADDRESS))
        agency.country, agency.changed_at = protocols_of(work.ground).current.country, work.now
        await work.session.flush()
        entry = await addresses.hold_back(work, agency, entry)
    agency.country = protocols_of(work.ground).current.country
    agency.changed_at = work.now
    if "verified_on" in changed or "verified_by" in changed:
        await _believe_again(work, agency)
    await work.session.flush()
    await set_phones(work, agency, entry.duty_phones)
    await leavers.keep_present(work, agency)
    await _set_mandates(work, agency, entry.mandated_for, with_ or set())
    after = {name: for_log(name, getattr(entry, name)) for name in _FIELDS}
    write_entry(
        work,
        AuditLog.AGENCY_ADDED if new else AuditLog.AGENCY_CHANGED,
        f"agency:{agency.code}",
        before=None if new else {name: for_log(name, before[name]) for name in changed},
        after={name: value for name, value in after.items() if name in changed or (new and value)},
    )
    if agency.sector == Sector.OWN_HOUSE:
        in_force = await leavers.addresses_of(work, agency)
        await leavers.mark_in_force(work, agency, in_force - reached)
    work.announce(Topic.DIRECTORY)
    return agency


async def _believe_again(work: Work, agency: Agency) -> None:
    """End marks and doubts of an entry that was verified again: not of what is about to be
    replaced, which stays in force until a second person has approved the new one."""
    going = await addresses.waits_to_go(work, agency)
    agency.of_leavers = [one for one in agency.of_leavers if one in going]
    agency.doubted_at = agency.doubted_at if agency.sms in going else None
    await work.session.execute(
        update(DutyPhone)
        .where(DutyPhone.agency_id == agency.id, DutyPhone.number.not_in(going))
        .values(doubted_at=None)
        .execution_options(synchronize_session="fetch")
    )


def _set_columns(agency: Agency, entry: Entry) -> None:
    for name in _COLUMNS:
        value = getattr(entry, name)
        setattr(agency, name, list(value) if isinstance(value, tuple) else value)


_NO_ADDRESS: dict[str, Any] = {"email": None, "sms": None, "webhook_url": None, "primero": None}
_COLUMNS = (
    "name",
    "sector",
    "services",
    "areas",
    "age_from",
    "age_to",
    "hours",
    "timezone",
    "languages",
    "email",
    "sms",
    "deputy",
    "valid_from",
    "valid_until",
    "verified_on",
    "verified_by",
    "webhook_url",
    "primero",
)


_FIELDS = ("duty_phones", "mandated_for", *_COLUMNS)


async def _values(work: Work, agency: Agency) -> dict[str, Any]:
    """Return what the directory says of a stored agency, as an entry holds it."""
    phones = tuple(Phone(p.number, p.hours) for p in await phones_of(work, agency.id))
    rows = await work.session.scalars(select(Mandate).where(Mandate.agency_id == agency.id))
    mandates = tuple(sorted(f"{m.service}@{m.place}" for m in rows))
    found: dict[str, Any] = {"duty_phones": phones, "mandated_for": mandates}
    for name in _COLUMNS:
        value = getattr(agency, name)
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def _different(values: dict[str, Any], entry: Entry) -> list[str]:
    """Return the fields of an entry that differ from the stored values."""
    return [
        name
        for name in _FIELDS
        if (
            set(getattr(entry, name)) != set(values[name])
            if name == "mandated_for"
            else getattr(entry, name) != values[name]
        )
    ]


async def _set_mandates(
    work: Work, agency: Agency, mandated_for: tuple[str, ...], with_: set[str]
) -> None:
    wanted = {tuple(m.split("@", 1)) for m in mandated_for}
    rows = await work.session.scalars(select(Mandate).where(Mandate.agency_id == agency.id))
    for row in rows.all():
        if (row.service, row.place) not in wanted:
            await work.session.delete(row)
    for service, place in sorted(wanted):
        there = await work.session.get(Mandate, (service, place))
        if there is None:
            work.session.add(Mandate(service=service, place=place, agency_id=agency.id))
        elif there.agency_id != agency.id:
            holder = await work.session.get(Agency, there.agency_id)
            assert holder is not None
            if holder.code not in with_:
                raise MandateHeld(service, place, holder)
            there.agency_id = agency.id
            write_entry(
                work,
                AuditLog.MANDATE_MOVED,
                f"agency:{holder.code}",
                before=f"agency:{holder.code}",
                after=f"agency:{agency.code}",
                mandate=f"{service}@{place}",
            )
    await work.session.flush()


def make_secret() -> str:
    """Return a secret for signed events, as both sides write it into their settings."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def set_webhook_secret(work: Work, code: str) -> str:
    """Make a new secret for an agency's events; it is shown once. Raises NotFound.

    The one in force stays until a second person has approved the new one.
    """
    agency = await agency_of_code(work, code)
    secret = make_secret()
    before, after = addresses.secret_for_log(agency, AddressField.WEBHOOK_SECRET)
    await addresses.keep_secret(work, agency, AddressField.WEBHOOK_SECRET, secret)
    subject = f"agency:{agency.code}"
    write_entry(work, AuditLog.WEBHOOK_SECRET_MADE, subject, before=before, after=after)
    return secret


async def set_primero_password(work: Work, code: str, password: str) -> None:
    """Set the password of the account at the agency's own system. Raises NotFound, Invalid."""
    agency = await agency_of_code(work, code)
    if agency.primero is None:
        raise Invalid("First enter the address and account of its system in the directory.")
    if not 1 <= len(password) <= 500:
        raise Invalid("A password has 1 to 500 characters.")
    before, after = addresses.secret_for_log(agency, AddressField.PRIMERO_PASSWORD)
    await addresses.keep_secret(work, agency, AddressField.PRIMERO_PASSWORD, password)
    subject = f"agency:{agency.code}"
    write_entry(work, AuditLog.PASSWORD_OF_AGENCY_SYSTEM_SET, subject, before=before, after=after)


# -- reading -----------------------------------------------------------------------------------


async def agency_of_code(work: Work, code: str) -> Agency:
    """Return the agency of that code. Raises NotFound."""
    found = await work.session.scalar(select(Agency).where(Agency.code == code))
    if found is None:
        raise NotFound("There is no agency '%(code)s' in the directory.", code=code[:60])
    return found


async def names_of_codes(work: Work, codes: Iterable[str]) -> dict[str, str]:
    """Return the names of agencies by their codes, also of those that are not asked any more."""
    wanted = sorted(set(codes))
    if not wanted:
        return {}
    rows = await work.session.execute(
        select(Agency.code, Agency.name).where(Agency.code.in_(wanted))
    )
    return {row.code: row.name for row in rows}


async def entries(work: Work) -> list[tuple[Agency, Entry]]:
    """Return the whole directory, by code."""
    rows = (await work.session.scalars(select(Agency).order_by(Agency.code))).all()
    phones: dict[UUID, list[Phone]] = {}
    for phone in await work.session.scalars(
        select(DutyPhone).where(DutyPhone.gone_at.is_(None)).order_by(DutyPhone.position)
    ):
        phones.setdefault(phone.agency_id, []).append(Phone(phone.number, phone.hours))
    mandates: dict[UUID, list[str]] = {}
    for m in await work.session.scalars(select(Mandate).order_by(Mandate.service, Mandate.place)):
        mandates.setdefault(m.agency_id, []).append(f"{m.service}@{m.place}")
    return [(row, _entry(row, phones.get(row.id, []), mandates.get(row.id, []))) for row in rows]


def _entry(row: Agency, phones: list[Phone], mandates: list[str]) -> Entry:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value := getattr(row, name), list) else value
        for name in _COLUMNS
    }
    return Entry(code=row.code, duty_phones=tuple(phones), mandated_for=tuple(mandates), **values)


async def doubted_phones(work: Work) -> set[tuple[UUID, str]]:
    """Return the duty phones that were reported as wrong numbers, with their agency."""
    rows = await work.session.execute(
        select(DutyPhone.agency_id, DutyPhone.number).where(
            DutyPhone.doubted_at.is_not(None), DutyPhone.gone_at.is_(None)
        )
    )
    return {(agency_id, number) for agency_id, number in rows}
