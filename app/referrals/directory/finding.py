"""Find the right agency for a child, and say why the others were left out. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.calls.hours import is_open
from app.errors import Code, Message
from app.referrals.reasons import WORDS, Fits
from app.referrals.states import OWN_SERVICES, Sector


@dataclass(frozen=True)
class Candidate:
    """An agency in the directory, with what is needed to find it."""

    id: UUID
    code: str
    name: str
    sector: str
    services: frozenset[str]
    # Codes of the place tree; empty means everywhere.
    areas: frozenset[str]
    age_from: int | None
    age_to: int | None
    hours: str
    timezone: str
    country: str | None
    languages: tuple[str, ...]
    deputy: str | None
    valid_from: date | None
    valid_until: date | None
    # Whether the agency can be written to, or has a system of its own.
    writes: bool = True
    # The hours of its duty phones; an empty one is answered while the agency is open.
    phones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sought:
    """The search. `place_path` leads from the whole country to the place."""

    service: str
    place_path: tuple[str, ...]
    age: int | None
    at: datetime
    # Agencies that by law or protocol receive this service, the nearest place first.
    mandated: tuple[UUID, ...] = ()
    withheld_from: frozenset[str] = frozenset()
    tried: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Found:
    """An agency with the reasons why it fits."""

    agency: Candidate
    fits: tuple[Fits, ...]

    @property
    def reasons(self) -> tuple[Message, ...]:
        return tuple(WORDS[one] for one in self.fits)


@dataclass(frozen=True)
class LeftOut:
    """An agency with the reasons why it was left out."""

    agency: Candidate
    reasons: tuple[Message, ...]


@dataclass(frozen=True)
class Matches:
    right: list[Found]
    left_out: list[LeftOut]


def find(agencies: list[Candidate], sought: Sought) -> Matches:
    """Return the agencies that fit, the best first, and those left out.

    Open agencies come before closed ones, then mandated ones, then the narrowest area. A closed
    agency is not left out, since there may be no other: it comes last, after its deputy.
    """
    right: list[tuple[tuple[int, ...], Found]] = []
    left_out: list[LeftOut] = []
    deputies = {
        a.deputy
        for a in agencies
        if a.deputy and not why_not(a, sought, hours=False) and why_not(a, sought)
    }
    for agency in agencies:
        deputising = agency.code in deputies
        reasons = why_not(agency, sought, hours=False, deputising=deputising)
        if reasons:
            left_out.append(LeftOut(agency, tuple(reasons)))
            continue
        open_now = open_at(agency, sought.at) or _answers_at(agency, sought.at)
        narrow = _narrowness(agency, sought)
        mandated = agency.id in sought.mandated
        fits = []
        if mandated:
            fits.append(Fits.MANDATED)
        if deputising:
            fits.append(Fits.DEPUTY)
        fits.append(Fits.SERVES_PLACE if narrow else Fits.SERVES_EVERYWHERE)
        fits.append(Fits.OPEN if open_now else Fits.CLOSED)
        order = (
            0 if open_now else 1,
            sought.mandated.index(agency.id) if mandated else len(sought.mandated),
            1 if deputising else 0,
            -narrow,
        )
        right.append((order, Found(agency, tuple(fits))))
    right.sort(key=lambda pair: (pair[0], pair[1].agency.code))
    left_out.sort(key=lambda found: (len(found.reasons), found.agency.code))
    return Matches([found for _, found in right], left_out)


def open_at(agency: Candidate, at: datetime) -> bool:
    return is_open(agency.hours, agency.timezone, agency.country, at)


def _answers_at(agency: Candidate, at: datetime) -> bool:
    """Return whether a duty phone is answered then; that may be so while the agency is closed."""
    return any(
        is_open(hours or agency.hours, agency.timezone, agency.country, at)
        for hours in agency.phones
    )


def _narrowness(agency: Candidate, sought: Sought) -> int:
    """Return how near the agency's area is to the place: 0 for everywhere."""
    return max(
        (n + 1 for n, code in enumerate(sought.place_path) if code in agency.areas), default=0
    )


def why_not(
    agency: Candidate, sought: Sought, *, hours: bool = True, deputising: bool = False
) -> list[Message]:
    """Return every reason why an agency is not the right one."""
    found = []
    today = sought.at.astimezone(ZoneInfo(agency.timezone)).date()
    if sought.service not in agency.services and not deputising:
        found.append(Message("does not offer %(service)s", service=Code(sought.service)))
    if agency.sector == Sector.OWN_HOUSE and sought.service not in OWN_SERVICES:
        found.append(Message("is our own staff"))
    if agency.areas and not deputising:
        if not sought.place_path:
            found.append(Message("serves only certain places, and the place is not known"))
        elif not _narrowness(agency, sought):
            found.append(Message("does not serve this place"))
    if sought.age is not None:
        if agency.age_from is not None and sought.age < agency.age_from:
            found.append(Message("takes children from %(age)s years", age=agency.age_from))
        if agency.age_to is not None and sought.age > agency.age_to:
            found.append(Message("takes children up to %(age)s years", age=agency.age_to))
    if agency.valid_from is not None and today < agency.valid_from:
        found.append(Message("is not in force before %(day)s", day=agency.valid_from))
    if agency.valid_until is not None and today >= agency.valid_until:
        found.append(Message("has not been in force since %(day)s", day=agency.valid_until))
    if not agency.writes and not _answers_at(agency, sought.at):
        found.append(Message("answers no phone now and cannot be written to"))
    if {agency.code, agency.sector} & sought.withheld_from:
        found.append(Message("must not be told: the consent excludes it"))
    if agency.id in sought.tried:
        found.append(Message("was tried already"))
    if hours and not (open_at(agency, sought.at) or _answers_at(agency, sought.at)):
        found.append(Message("is closed now"))
    return found
