"""The directory: agencies with their duty phones and mandates, checked as a whole."""

import base64
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from app.calls.hours import read_hours
from app.contacts.records import library_of
from app.errors import Invalid, NotFound
from app.privacy.numbers import e164
from app.referrals.directory.finding import Answer, Candidate, Sought, find
from app.referrals.library import protocols_of
from app.referrals.models import Agency, DutyPhone, Mandate
from app.referrals.states import HOUSE, Sector, Service
from app.staff.audit import write_entry
from app.work import Work

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,59}")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
EVERYWHERE = "*"
# How long a process uses its copy of the directory before it reads it again.
_BELIEVED = timedelta(seconds=30)
_TOPIC = "directory"


@dataclass(frozen=True)
class Phone:
    number: str
    # When the phone is answered; empty: whenever the agency is open.
    hours: str = ""


@dataclass(frozen=True)
class Entry:
    """An agency as the keeper of the directory writes it."""

    code: str
    name: str
    sector: str
    services: tuple[str, ...]
    areas: tuple[str, ...] = ()
    age_from: int | None = None
    age_to: int | None = None
    hours: str = ""
    timezone: str = ""
    languages: tuple[str, ...] = ()
    email: str | None = None
    sms: str | None = None
    duty_phones: tuple[Phone, ...] = ()
    deputy: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    verified_on: date | None = None
    verified_by: str = ""
    # `service@place`, with `*` for everywhere.
    mandated_for: tuple[str, ...] = ()
    webhook_url: str | None = None
    primero: dict[str, Any] | None = field(default=None)


def check_entry(work: Work, entry: Entry) -> Entry:
    """Return the entry as it can be stored. Raises Invalid with all its errors."""
    wrong: list[str] = []
    places = library_of(work.ground).places.choices()
    protocol = protocols_of(work.ground).current
    if not _CODE.fullmatch(entry.code):
        wrong.append("code: 2 to 60 small letters, digits and dashes")
    if not 1 <= len(entry.name) <= 200 or not entry.name.isprintable():
        wrong.append("name: 1 to 200 characters")
    if entry.sector not in set(Sector):
        wrong.append(f"sector: one of {', '.join(Sector)}")
    unknown = [s for s in entry.services if s not in set(Service)]
    if unknown or not entry.services:
        wrong.append(f"services: one or more of {', '.join(Service)}")
    own_house = entry.sector == Sector.OWN_HOUSE
    if any((service in HOUSE) != own_house for service in entry.services):
        wrong.append("services: supervisor_on_call and director_on_call are for own_house only")
    wrong += [f"areas: there is no place {c[:40]!r}" for c in entry.areas if c not in places]
    for name in ("age_from", "age_to"):
        age = getattr(entry, name)
        if age is not None and not 0 <= age <= 25:
            wrong.append(f"{name}: 0 to 25 years")
    if entry.age_from is not None and entry.age_to is not None and entry.age_from > entry.age_to:
        wrong.append("age_from is above age_to")
    timezone = entry.timezone or protocol.timezone
    for what, hours in (("hours", entry.hours), *((p.number, p.hours) for p in entry.duty_phones)):
        try:
            read_hours(hours or "24/7", timezone, protocol.country)
        except ValueError as error:
            wrong.append(f"{what}: {error}")
    strange = [one for one in entry.languages if not _LANGUAGE.fullmatch(one)]
    wrong += [f"languages: {one[:20]!r} is not a code like sr" for one in strange]
    phones, sms = _numbers(entry, wrong)
    if entry.email is not None and not _EMAIL.fullmatch(entry.email):
        wrong.append("email: not an address")
    if entry.deputy == entry.code:
        wrong.append("deputy: an agency cannot be its own deputy")
    if entry.valid_from and entry.valid_until and entry.valid_from >= entry.valid_until:
        wrong.append("valid_until is exclusive and must be after valid_from")
    for mandate in entry.mandated_for:
        service, _, place = mandate.partition("@")
        if service not in entry.services:
            wrong.append(f"mandated_for: {mandate[:60]!r} is not for a service of this agency")
        if place != EVERYWHERE and place not in places:
            wrong.append(f"mandated_for: write service@place, not {mandate[:60]!r}")
    if entry.webhook_url is not None:
        _check_address("webhook_url", entry.webhook_url, work.settings.in_production, wrong)
    if entry.primero is not None:
        _check_primero(work, entry.primero, wrong)
    if not (phones or sms or entry.email or entry.webhook_url or entry.primero):
        wrong.append("duty_phones, email or sms: give at least one way to reach the agency")
    if wrong:
        raise Invalid("; ".join(wrong))
    return Entry(
        **{
            **{f.name: getattr(entry, f.name) for f in fields(Entry)},
            "duty_phones": phones,
            "sms": sms,
            "timezone": timezone,
        }
    )


def _numbers(entry: Entry, wrong: list[str]) -> tuple[tuple[Phone, ...], str | None]:
    phones = []
    for phone in entry.duty_phones:
        number = e164(phone.number)
        if number is None:
            wrong.append(f"duty_phones: {phone.number[:30]!r} needs a + and the country code")
        else:
            phones.append(Phone(number, phone.hours))
    if len({p.number for p in phones}) != len(phones):
        wrong.append("duty_phones: a number is listed twice")
    sms = e164(entry.sms) if entry.sms else None
    if entry.sms and sms is None:
        wrong.append("sms: the number needs a + and the country code")
    return tuple(phones), sms


def _check_address(what: str, url: str, in_production: bool, wrong: list[str]) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        fine = False
    if not fine:
        wrong.append(f"{what}: an http(s) address without user name and password")
    elif in_production and not url.startswith("https://"):
        wrong.append(f"{what}: must start with https://")


def _check_primero(work: Work, primero: dict[str, Any], wrong: list[str]) -> None:
    known = {"url", "user", "owned_by", "refer_to", "agency", "mapping"}
    if set(primero) - known or not {"url", "user", "owned_by", "mapping"} <= set(primero):
        wrong.append(f"primero: url, user, owned_by, mapping; and refer_to or agency ({known})")
        return
    _check_address("primero url", str(primero["url"]), work.settings.in_production, wrong)
    names = {name for name, _ in protocols_of(work.ground).mappings}
    if primero["mapping"] not in names:
        wrong.append(f"primero mapping: one of {', '.join(sorted(names))}")


async def save_agency(work: Work, entry: Entry, *, with_: set[str] | None = None) -> Agency:
    """Add an agency, or change the agency of that code. `with_` holds the codes in the same file.

    Raises Invalid.
    """
    entry = check_entry(work, entry)
    if entry.deputy and entry.deputy not in (with_ or ()):
        there = select(Agency.id).where(Agency.code == entry.deputy)
        if await work.session.scalar(there) is None:
            raise Invalid(f"deputy: there is no agency {entry.deputy[:60]!r}")
    agency = await work.session.scalar(
        select(Agency).where(Agency.code == entry.code).with_for_update()
    )
    new = agency is None
    if agency is None:
        agency = Agency(id=uuid4(), code=entry.code, created_at=work.now)
        work.session.add(agency)
    changed = [] if new else await _changed(work, agency, entry)
    if not new and not changed:
        return agency
    for name in _COLUMNS:
        value = getattr(entry, name)
        setattr(agency, name, list(value) if isinstance(value, tuple) else value)
    agency.country = protocols_of(work.ground).current.country
    agency.changed_at = work.now
    if "verified_on" in changed:
        # The keeper of the directory has verified the entry again.
        agency.doubted_at = None
        await work.session.execute(
            update(DutyPhone)
            .where(DutyPhone.agency_id == agency.id)
            .values(doubted_at=None)
            .execution_options(synchronize_session="fetch")
        )
    await work.session.flush()
    await _set_phones(work, agency, entry.duty_phones)
    await _set_mandates(work, agency, entry.mandated_for, with_ or set())
    write_entry(
        work, "agency added" if new else "agency changed", f"agency:{agency.code}", fields=changed
    )
    work.announce(_TOPIC)
    return agency


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


async def _changed(work: Work, agency: Agency, entry: Entry) -> list[str]:
    """Return the columns of the entry that differ from the stored agency."""
    found = []
    phones = [Phone(p.number, p.hours) for p in await phones_of(work, agency.id)]
    if phones != list(entry.duty_phones):
        found.append("duty_phones")
    rows = await work.session.scalars(select(Mandate).where(Mandate.agency_id == agency.id))
    if {f"{m.service}@{m.place}" for m in rows} != set(entry.mandated_for):
        found.append("mandated_for")
    for name in _COLUMNS:
        value = getattr(entry, name)
        if getattr(agency, name) != (list(value) if isinstance(value, tuple) else value):
            found.append(name)
    return found


async def _set_phones(work: Work, agency: Agency, phones: tuple[Phone, ...]) -> None:
    rows = await work.session.scalars(select(DutyPhone).where(DutyPhone.agency_id == agency.id))
    known = {row.number: row for row in rows}
    # Positions are unique: move all rows out of the way first.
    for n, row in enumerate(known.values()):
        row.position, row.gone_at = -1 - n, row.gone_at or work.now
    await work.session.flush()
    for n, phone in enumerate(phones):
        kept = known.get(phone.number)
        if kept is None:
            work.session.add(
                DutyPhone(
                    id=uuid4(),
                    agency_id=agency.id,
                    position=n,
                    number=phone.number,
                    hours=phone.hours,
                )
            )
        else:
            kept.position, kept.hours, kept.gone_at = n, phone.hours, None
    await work.session.flush()


async def doubt_phone(work: Work, agency_id: UUID, number: str) -> None:
    """Mark a number that was reported as a wrong number, for the keeper of the directory."""
    await work.session.execute(
        update(DutyPhone)
        .where(
            DutyPhone.agency_id == agency_id,
            DutyPhone.number == number,
            DutyPhone.doubted_at.is_(None),
        )
        .values(doubted_at=work.now)
        .execution_options(synchronize_session="fetch")
    )
    work.announce(_TOPIC)


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
                raise Invalid(
                    f"mandated_for: {service}@{place} is the mandate of {holder.code}. "
                    "Remove it there first, or change both in one file."
                )
            there.agency_id = agency.id
            write_entry(
                work,
                "mandate moved",
                f"agency:{holder.code}",
                to=agency.code,
                mandate=f"{service}@{place}",
            )
    await work.session.flush()


def make_secret() -> str:
    """Return a secret for signed events, as both sides write it into their settings."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def set_webhook_secret(work: Work, code: str) -> str:
    """Make a new secret for an agency's events; it is shown once. Raises NotFound."""
    agency = await agency_of_code(work, code)
    secret = make_secret()
    agency.webhook_secret_sealed = work.keys.seal(
        secret.encode(), table="agencies", column="webhook_secret_sealed", row=agency.id
    )
    write_entry(work, "webhook secret made", f"agency:{agency.code}")
    return secret


async def set_primero_password(work: Work, code: str, password: str) -> None:
    """Set the password of the account at the agency's own system. Raises NotFound, Invalid."""
    agency = await agency_of_code(work, code)
    if agency.primero is None:
        raise Invalid("First enter the address and account of its system in the directory.")
    if not 1 <= len(password) <= 500:
        raise Invalid("A password has 1 to 500 characters.")
    agency.primero_password_sealed = work.keys.seal(
        password.encode(), table="agencies", column="primero_password_sealed", row=agency.id
    )
    write_entry(work, "password of another system set", f"agency:{agency.code}")


# -- reading -----------------------------------------------------------------------------------


async def agency_of_code(work: Work, code: str) -> Agency:
    """Return the agency of that code. Raises NotFound."""
    found = await work.session.scalar(select(Agency).where(Agency.code == code))
    if found is None:
        raise NotFound(f"There is no agency {code[:60]!r} in the directory.")
    return found


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


async def phones_of(work: Work, agency_id: UUID) -> list[DutyPhone]:
    """Return the duty phones of an agency in their order."""
    rows = await work.session.scalars(
        select(DutyPhone)
        .where(DutyPhone.agency_id == agency_id, DutyPhone.gone_at.is_(None))
        .order_by(DutyPhone.position)
    )
    return list(rows)


async def doubted_phones(work: Work) -> set[tuple[UUID, str]]:
    """Return the duty phones that were reported as wrong numbers, with their agency."""
    rows = await work.session.execute(
        select(DutyPhone.agency_id, DutyPhone.number).where(
            DutyPhone.doubted_at.is_not(None), DutyPhone.gone_at.is_(None)
        )
    )
    return {(agency_id, number) for agency_id, number in rows}


@dataclass(frozen=True)
class Directory:
    """A copy of the directory as plain values, kept in memory for a while."""

    candidates: list[Candidate]
    mandates: dict[tuple[str, str], UUID]


async def directory_of(work: Work) -> Directory:
    """Return the directory for finding the right agency, from memory where possible."""
    memory = work.ground.memory
    known: Directory | None = memory.recall(_TOPIC, "", work.now)
    if known is None:
        found = await entries(work)
        known = Directory(
            [_candidate(agency, entry) for agency, entry in found],
            {
                (service, place): agency.id
                for agency, entry in found
                for service, _, place in (m.partition("@") for m in entry.mandated_for)
            },
        )
        memory.keep(_TOPIC, "", known, work.now + _BELIEVED)
    return known


def _candidate(agency: Agency, entry: Entry) -> Candidate:
    return Candidate(
        id=agency.id,
        code=agency.code,
        name=agency.name,
        sector=agency.sector,
        services=frozenset(entry.services),
        areas=frozenset(entry.areas),
        age_from=entry.age_from,
        age_to=entry.age_to,
        hours=entry.hours,
        timezone=entry.timezone,
        country=agency.country,
        languages=entry.languages,
        deputy=entry.deputy,
        valid_from=entry.valid_from,
        valid_until=entry.valid_until,
        writes=bool(entry.email or entry.sms or entry.webhook_url or entry.primero),
        phones=tuple(phone.hours for phone in entry.duty_phones),
    )


async def find_right(
    work: Work,
    service: str,
    place: str | None,
    age: int | None,
    *,
    withheld_from: Iterable[str] = (),
    tried: Iterable[UUID] = (),
) -> Answer:
    """Return the right agencies for a child now, the best first, and why the others are not."""
    directory = await directory_of(work)
    path = library_of(work.ground).places.paths().get(place or "", ())
    nearest = [directory.mandates.get((service, p)) for p in (*reversed(path), EVERYWHERE)]
    sought = Sought(
        service=service,
        place_path=tuple(path),
        age=age,
        at=work.now,
        mandated=tuple(dict.fromkeys(m for m in nearest if m is not None)),
        withheld_from=frozenset(withheld_from),
        tried=frozenset(tried),
    )
    return find(directory.candidates, sought)


async def house(work: Work, service: Service) -> list[Candidate]:
    """Return our own people who are on call for a service now."""
    found = await find_right(work, service.value, None, None)
    return [one.agency for one in found.right]


async def house_address(work: Work, service: Service) -> str | None:
    """Return the e-mail address of our own people who are on call for a service now."""
    on_call = [one.id for one in await house(work, service)]
    rows = await work.session.execute(
        select(Agency.id, Agency.email).where(Agency.id.in_(on_call), Agency.email.is_not(None))
    )
    addresses = {row.id: row.email for row in rows}
    return next((addresses[one] for one in on_call if one in addresses), None)


def local_today(work: Work) -> date:
    """Return today's date where the helpline is."""
    return work.now.astimezone(ZoneInfo(protocols_of(work.ground).current.timezone)).date()
