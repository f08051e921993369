"""Whether something about a child may be told to somebody, and on what ground. Pure.

With neither consent nor a recorded override nothing is told. What the child or a caregiver
wants withheld from somebody is withheld, unless an override says otherwise.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import Refusal
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
        "Nothing is sent: it was asked that this recipient is not told. "
        "Choose another one, or record an override that names it."
    )


class ConsentWithdrawn(NotConsented):
    default = "Nothing is sent: the consent was withdrawn."


@dataclass(frozen=True)
class Given:
    """What was last said about consent to one referral."""

    kind: str  # consent, override or withdrawn
    scope: frozenset[str] = frozenset()
    withheld_from: frozenset[str] = frozenset()
    basis: str | None = None
    # The services for which it was given; none: for what the referral asks for.
    for_what: frozenset[str] = frozenset()
    # Sectors or codes that an override names although it was asked that they are not told.
    despite: frozenset[str] = frozenset()
    # Who gave it, or took it back.
    given_by: str | None = None

    @property
    def kept_from(self) -> frozenset[str]:
        """Sectors and codes that must not be told."""
        return self.withheld_from - self.despite


@dataclass(frozen=True)
class Recipient:
    code: str
    sector: str
    services: frozenset[str] = frozenset()


def ground_for(given: Given | None, recipient: Recipient) -> str:
    """The ground on which the recipient may be told, as it is recorded with every disclosure.

    Raises NotConsented, Withheld or ConsentWithdrawn.
    """
    if given is None:
        raise NotConsented()
    if given.kind == "withdrawn":
        raise ConsentWithdrawn()
    if recipient.sector == Sector.OWN_HOUSE:
        return "own house"
    named = {recipient.code, recipient.sector}
    if named & given.withheld_from and not named & given.despite:
        raise Withheld()
    if given.kind == "override":
        against = ", against an explicit wish" if named & given.despite else ""
        return f"override: {given.basis}{against}"
    wanted = Scope.AUTHORITIES if recipient.sector in AUTHORITIES else Scope.SERVICES
    if wanted not in given.scope:
        raise NotConsented(
            f"Nothing is sent: consent was given, but not for {wanted.value}. "
            "Ask for it, or record an override with its basis and reason."
        )
    if given.for_what and not given.for_what & recipient.services:
        raise NotConsented("Nothing is sent: consent was given for other services than these.")
    return "consent"


def fields_for(wanted: list[str], answered: list[str]) -> list[str]:
    """Of the answered questions those that a service needs: `section` or `section.field`."""
    return [
        path
        for path in answered
        if any(path == want or path.startswith(want + ".") for want in wanted)
    ]
