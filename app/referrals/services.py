"""Which services a referral asks for, and for which ones consent was given: sealed codes.

Some of them tell of a child's health, so they are stored as special codes are. All values of a
column have one length, however many services they name. They are opened without a row of the log:
a list of referrals, whose reading is in the log, shows them, and the program goes by them at night.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from pydantic_core import from_json

from app.log import log
from app.privacy.keys import Bound, CannotOpen, Keys
from app.privacy.safe import new_salt, start_of, sum_of
from app.referrals.models import Consent, Referral
from app.referrals.states import Service
from app.work import Work

# Bytes of each value before it is sealed: all services of the list together are shorter.
LENGTH = 384
# Values that are opened at once where very many are: a keeper takes no more than 5000.
_AT_ONCE = 1000


class Asked(NamedTuple):
    """What a referral asks for."""

    # Empty if what is stored cannot be opened, or while the keeper of the keys is away.
    service: str
    # Services that are asked before it, so that the child can stay with its family.
    first: tuple[str, ...] = ()


def _place(row: UUID) -> Bound:
    return Bound("referrals", "services_sealed", row)


def _place_of_consent(row: UUID) -> Bound:
    return Bound("consents", "for_what_sealed", row)


def _codes(services: Iterable[str]) -> bytes:
    """Return services as they are sealed: spaces after them mean nothing in JSON."""
    codes = [Service(one).value for one in services]
    body = json.dumps(codes, separators=(",", ":")).encode().ljust(LENGTH)
    assert len(body) == LENGTH
    return body


def _opened(keys: Keys, values: Sequence[tuple[Bound, bytes]]) -> list[bytes | None]:
    """Return what was sealed, opened together; None of what cannot be opened."""
    try:
        return [*keys.open_together(values)]
    except CannotOpen:
        if len(values) > 1:
            half = len(values) // 2
            return _opened(keys, values[:half]) + _opened(keys, values[half:])
        ((place, _),) = values
        what = "the services of a referral or consent cannot be opened"
        log().error(what, area="referrals", kind=place.table, code=str(place.row))
        return [None]


def _open(work: Work, values: Sequence[tuple[Bound, bytes]]) -> None:
    """Open all values that this work has not opened yet, together."""
    there = [one for one in dict.fromkeys(values) if one not in work.opened_codes]
    for one, opened in zip(there, _opened(work.keys, there), strict=True):
        # What a consent names has a salt before it.
        codes = None if opened is None else tuple(from_json(opened[-LENGTH:]))
        work.opened_codes[one] = codes


def ask_for(work: Work, referral: Referral, service: str, first: Iterable[str] = ()) -> None:
    """Write down what a referral asks for."""
    asked = (service, *dict.fromkeys(first))
    place = _place(referral.id)
    sealed = work.keys.seal(_codes(asked), table=place.table, column=place.column, row=place.row)
    referral.services_sealed = sealed
    work.opened_codes[place, sealed] = asked


def open_services(
    work: Work, referrals: Iterable[tuple[UUID, bytes]], consents: Iterable[Consent] = ()
) -> list[Asked]:
    """Return what each of some referrals asks for, by its id and what is stored.

    The services that these consents name are opened with them. What cannot be opened spoils no
    other: its service is empty.
    """
    values = [(_place(row), sealed) for row, sealed in referrals]
    named = [
        (_place_of_consent(one.id), one.for_what_sealed)
        for one in consents
        if one.for_what_sealed is not None
    ]
    _open(work, [*values, *named])
    found = [work.opened_codes[one] or ("",) for one in values]
    return [Asked(service, tuple(first)) for service, *first in found]


def asked_by_all(work: Work, referrals: Iterable[Referral]) -> list[Asked]:
    """Return what each referral asks for, as `open_services` does."""
    return open_services(work, [(one.id, one.services_sealed) for one in referrals])


def asked_by(work: Work, referral: Referral) -> Asked:
    """Return what a referral asks for. Raises CannotOpen."""
    (asked,) = asked_by_all(work, [referral])
    if not asked.service:
        raise CannotOpen()
    return asked


def seal_for_what(work: Work, consent_id: UUID, services: Iterable[str]) -> dict[str, bytes]:
    """Return the columns of a consent that say for which services it is given.

    The salt of the checksum is sealed with them: without the keys the checksum tells nothing.
    """
    body, place = new_salt() + _codes(dict.fromkeys(services)), _place_of_consent(consent_id)
    return {
        "for_what_sealed": work.keys.seal(
            body, table=place.table, column=place.column, row=place.row
        ),
        "for_what_sum": sum_of(start_of(b""), body),
    }


def for_what(work: Work, consent: Consent) -> tuple[str, ...]:
    """Return the services that a consent names; empty: it is for the service of its referral.

    Raises CannotOpen.
    """
    if consent.for_what_sealed is None:
        return ()
    value = (_place_of_consent(consent.id), consent.for_what_sealed)
    _open(work, [value])
    services = work.opened_codes[value]
    if services is None:
        raise CannotOpen()
    return services


def services_of_all(keys: Keys, rows: Sequence[tuple[UUID, bytes]]) -> list[str]:
    """Return the service of each of very many referrals; for a thread of its own."""
    found: list[str] = []
    for begins in range(0, len(rows), _AT_ONCE):
        some = [(_place(row), sealed) for row, sealed in rows[begins : begins + _AT_ONCE]]
        found += [from_json(one)[0] for one in keys.open_together(some)]
    return found
