"""Whether a recipient may be told about a child, and on what ground. Pure.

With neither consent nor a recorded override nothing is told. A recipient from whom the child or
a caregiver withholds it is not told, unless an override names that recipient.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import Refusal
from app.referrals.consent.grounds import Basis, Ground, GroundKind
from app.referrals.reasons import WORDS, Barred
from app.referrals.states import AUTHORITIES, Sector


class Scope(StrEnum):
    """For whom consent was given."""

    SERVICES = "services"
    AUTHORITIES = "authorities"


class GivenBy(StrEnum):
    CHILD = "child"
    CAREGIVER = "caregiver"
    OTHER = "other"


class How(StrEnum):
    SPOKEN = "spoken_on_the_call"
    IN_PERSON = "in_person"
    WRITTEN = "written"


class ConsentKind(StrEnum):
    """What a row of the record of consent says."""

    CONSENT = "consent"
    OVERRIDE = "override"
    WITHDRAWN = "withdrawn"


class NotConsented(Refusal):
    """A recipient may not be told. `barred` is what a log keeps of it."""

    status = 409
    barred: Barred = Barred.NO_CONSENT
    default = WORDS[barred].text


class Withheld(NotConsented):
    barred = Barred.EXCLUDED
    default = WORDS[barred].text


class ConsentWithdrawn(NotConsented):
    barred = Barred.WITHDRAWN
    default = WORDS[barred].text


def _not_for(barred: Barred) -> NotConsented:
    """Return the refusal of a recipient for whom consent was not given."""
    refusal = NotConsented(WORDS[barred])
    refusal.barred = barred
    return refusal


@dataclass(frozen=True)
class Given:
    """The consent or override that counts for one referral now, or its withdrawal."""

    kind: ConsentKind
    scope: frozenset[str] = frozenset()
    withheld_from: frozenset[str] = frozenset()
    basis: Basis | None = None
    # The services for which it was given; empty: for the service of the referral.
    for_what: frozenset[str] = frozenset()
    # Sectors or codes that an override names although the consent excludes them.
    despite: frozenset[str] = frozenset()
    # Who gave it, or took it back.
    given_by: str | None = None

    @property
    def kept_from(self) -> frozenset[str]:
        """Sectors and codes that must not be told."""
        return self.withheld_from - self.despite


@dataclass(frozen=True)
class Addressee:
    code: str
    sector: str
    services: frozenset[str] = frozenset()


_NOT_FOR = {
    Scope.AUTHORITIES: Barred.NOT_FOR_AUTHORITIES,
    Scope.SERVICES: Barred.NOT_FOR_SERVICES,
}


def ground_for(given: Given | None, recipient: Addressee) -> Ground:
    """Return the ground on which the recipient may be told; it is kept with every disclosure.

    Raises NotConsented, Withheld or ConsentWithdrawn.
    """
    if given is None:
        raise NotConsented()
    if given.kind is ConsentKind.WITHDRAWN:
        raise ConsentWithdrawn()
    if recipient.sector == Sector.OWN_HOUSE:
        return Ground(GroundKind.OWN_HOUSE)
    named = {recipient.code, recipient.sector}
    if named & given.withheld_from and not named & given.despite:
        raise Withheld()
    if given.kind is ConsentKind.OVERRIDE:
        against_wish = bool(named & given.despite)
        return Ground(GroundKind.OVERRIDE, given.basis, against_wish=against_wish)
    wanted = Scope.AUTHORITIES if recipient.sector in AUTHORITIES else Scope.SERVICES
    if wanted not in given.scope:
        raise _not_for(_NOT_FOR[wanted])
    if given.for_what and not given.for_what & recipient.services:
        raise _not_for(Barred.OTHER_SERVICES)
    return Ground(GroundKind.CONSENT)


def fields_for(wanted: list[str], answered: list[str]) -> list[str]:
    """Return the answered questions that a service needs; it names `section` or `section.field`."""
    return [
        path
        for path in answered
        if any(path == want or path.startswith(want + ".") for want in wanted)
    ]
