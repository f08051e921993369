"""The pages that a role may open, in the order of the rail. The command palette lists the same."""

from typing import NamedTuple

from app.staff.roles import Permission, may
from app.words.pages import N_

_P = Permission


class Place(NamedTuple):
    """A page of the rail. A role that holds one of the permissions may open it."""

    href: str
    icon: str
    words: str
    section: str
    needs: tuple[Permission, ...]


PLACES = (
    Place("/", "headphones", N_("Desk"), "desk", (_P.SIGNED_IN,)),
    Place("/contacts", "message-square", N_("Contacts"), "contacts", (_P.READ_RECORDS,)),
    Place("/cases", "folder", N_("Cases"), "cases", (_P.READ_RECORDS,)),
    Place("/referrals", "siren", N_("Referrals"), "referrals", (_P.SEE_REFERRALS,)),
    Place("/team", "users", N_("Team"), "team", (_P.SUPERVISE,)),
    Place("/supervisor", "bell", N_("What is due"), "supervisor", (_P.SEE_DEADLINES,)),
    Place("/roster", "calendar-days", N_("Rota"), "roster", (_P.SEE_ROSTER,)),
    Place("/agencies", "building-2", N_("Agencies"), "agencies", (_P.SEE_DIRECTORY,)),
    Place("/reports", "chart-column", N_("Reports"), "reports", (_P.SEE_STATISTICS,)),
    Place("/practice", "graduation-cap", N_("Practice"), "practice", (_P.TAKE_CALLS,)),
    Place("/admin", "settings", N_("Administration"), "admin", (_P.SEE_DEFINITIONS, _P.READ_LOG)),
)


def places_of(role: str) -> list[Place]:
    """Return the pages that a role may open."""
    return [one for one in PLACES if any(may(role, need) for need in one.needs)]
