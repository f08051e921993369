"""The ground on which a recipient is told about a child, as it is recorded. Pure.

It stands in the log of a referral and with every disclosure. It is written by `stored` and read by
`read_ground`, and nowhere else.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.words.pages import code_words, list_words


class GroundKind(StrEnum):
    """What allows it."""

    CONSENT = "consent"
    OVERRIDE = "override"
    # Our own services are a part of the helpline.
    OWN_HOUSE = "own_house"


class Basis(StrEnum):
    """A lawful ground without consent."""

    VITAL_INTERESTS = "vital_interests"
    LEGAL_OBLIGATION = "legal_obligation"
    BEST_INTERESTS = "best_interests"


# What is added to the basis of an override that goes against an explicit wish.
AGAINST_WISH = "against_an_explicit_wish"


@dataclass(frozen=True)
class Ground:
    """Why a recipient may be told. An override has a basis, and may go against a wish."""

    kind: GroundKind
    basis: Basis | None = None
    against_wish: bool = False

    def stored(self) -> str:
        """Return the ground as rows hold it: `consent`, or `override: BASIS` and against what."""
        if self.basis is None:
            return self.kind.value
        against = f", {AGAINST_WISH}" if self.against_wish else ""
        return f"{self.kind}: {self.basis}{against}"


def read_ground(stored: str) -> Ground:
    """Return the ground that a row holds. Raises ValueError if it is none."""
    kind, colon, rest = stored.partition(": ")
    basis, comma, against = rest.partition(", ")
    found = Ground(GroundKind(kind), Basis(basis) if colon else None, bool(comma))
    is_override = found.kind is GroundKind.OVERRIDE
    if is_override != bool(colon) or (comma and against != AGAINST_WISH):
        raise ValueError(stored)
    return found


def ground_words(stored: str) -> str:
    """Return the ground that a row holds in the words of pages; of one that a newer program wrote,
    its codes."""
    try:
        ground = read_ground(stored)
    except ValueError:
        return code_words(stored)
    if ground.basis is None:
        return code_words(ground.kind)
    parts = (ground.basis, AGAINST_WISH) if ground.against_wish else (ground.basis,)
    return f"{code_words(ground.kind)}: {list_words(code_words(part) for part in parts)}"
