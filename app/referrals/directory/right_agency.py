"""The right agency for a child now, from a copy of the directory in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.contacts.registry import library_of
from app.database.topics import Topic
from app.referrals.directory.agencies import entries
from app.referrals.directory.entries import EVERYWHERE, Entry
from app.referrals.directory.finding import Candidate, Matches, Sought, find
from app.referrals.directory.models import Agency
from app.work import Work

# How long a process uses its copy of the directory before it reads it again.
_BELIEVED = timedelta(seconds=30)


@dataclass(frozen=True)
class Directory:
    """A copy of the directory as plain values, kept in memory for a while."""

    candidates: list[Candidate]
    mandates: dict[tuple[str, str], UUID]


async def directory_of(work: Work) -> Directory:
    """Return the directory for finding the right agency, from memory where possible."""
    memory = work.ground.memory
    known: Directory | None = memory.recall(Topic.DIRECTORY, "", work.now)
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
        memory.keep(Topic.DIRECTORY, "", known, work.now + _BELIEVED)
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
) -> Matches:
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
