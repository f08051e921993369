"""Whether a recipient may be told about a child, and on what ground. Pure.

With neither consent nor a recorded override nothing is told. A recipient from whom the child or
a caregiver withholds it is not told, unless an override names that recipient.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import Message, Refusal
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


class Basis(StrEnum):
    """A lawful ground without consent."""

    VITAL_INTERESTS = "vital_interests"
    LEGAL_OBLIGATION = "legal_obligation"
    BEST_INTERESTS = "best_interests"


class NotConsented(Refusal):
    status = 409
    default = (
        "Nothing is sent: there is neither consent for this recipient nor an override with its "
        "basis and reason. Record one of them first."
    )


class Withheld(NotConsented):
    default = (
        "Nothing is sent: the consent excludes this recipient. "
        "Choose another one, or record an override that names it."
    )


class ConsentWithdrawn(NotConsented):
    default = (
        "Nothing is sent: the consent was withdrawn. Record new consent, or an override with its "
        "basis and reason."
    )


@dataclass(frozen=True)
class Given:
    """The consent or override that counts for one referral now, or its withdrawal."""

    kind: ConsentKind
    scope: frozenset[str] = frozenset()
    withheld_from: frozenset[str] = frozenset()
    basis: str | None = None
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


# Two sentences without a value: the log keeps them, and a page says them in its reader's language.
_NOT_FOR = {
    Scope.AUTHORITIES: Message(
        "Nothing is sent: consent was given, but not for authorities. Ask for it, or record an "
        "override with its basis and reason."
    ),
    Scope.SERVICES: Message(
        "Nothing is sent: consent was given, but not for services. Ask for it, or record an "
        "override with its basis and reason."
    ),
}


def ground_for(given: Given | None, recipient: Addressee) -> str:
    """Return the ground on which the recipient may be told, as recorded with every disclosure.

    Raises NotConsented, Withheld or ConsentWithdrawn.
    """
    if given is None:
        raise NotConsented()
    if given.kind is ConsentKind.WITHDRAWN:
        raise ConsentWithdrawn()
    if recipient.sector == Sector.OWN_HOUSE:
        return "own house"
    named = {recipient.code, recipient.sector}
    if named & given.withheld_from and not named & given.despite:
        raise Withheld()
    if given.kind is ConsentKind.OVERRIDE:
        against = ", against an explicit wish" if named & given.despite else ""
        return f"override: {given.basis}{against}"
    wanted = Scope.AUTHORITIES if recipient.sector in AUTHORITIES else Scope.SERVICES
    if wanted not in given.scope:
        raise NotConsented(_NOT_FOR[wanted])
    if given.for_what and not given.for_what & recipient.services:
        raise NotConsented(
            "Nothing is sent: consent was given for other services. "
            "Ask for it, or record an override with its basis and reason."
        )
    return ConsentKind.CONSENT.value


def fields_for(wanted: list[str], answered: list[str]) -> list[str]:
    """Return the answered questions that a service needs; it names `section` or `section.field`."""
    return [
        path
        for path in answered
        if any(path == want or path.startswith(want + ".") for want in wanted)
    ]
