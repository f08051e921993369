"""The pages that a role may open, in the order of the rail. The command palette lists the same."""

from typing import NamedTuple

from app.staff.roles import Permission, may
from app.words.pages import N_

_P = Permission


class RailPlace(NamedTuple):
    """A page of the rail. A role that holds one of the permissions may open it."""

    href: str
    icon: str
    words: str
    section: str
    needs: tuple[Permission, ...]


PLACES = (
    RailPlace("/", "headphones", N_("Desk"), "desk", (_P.SIGNED_IN,)),
    RailPlace("/contacts", "message-square", N_("Contacts"), "contacts", (_P.READ_RECORDS,)),
    RailPlace("/cases", "folder", N_("Cases"), "cases", (_P.READ_RECORDS,)),
    RailPlace("/referrals", "siren", N_("Referrals"), "referrals", (_P.SEE_REFERRALS,)),
    RailPlace("/team", "users", N_("Team"), "team", (_P.SUPERVISE,)),
    RailPlace("/supervisor", "bell", N_("What is due"), "supervisor", (_P.SEE_DEADLINES,)),
    RailPlace("/roster", "calendar-days", N_("Rota"), "roster", (_P.SEE_ROSTER,)),
    RailPlace("/agencies", "building-2", N_("Agencies"), "agencies", (_P.SEE_DIRECTORY,)),
    RailPlace("/reports", "chart-column", N_("Reports"), "reports", (_P.SEE_STATISTICS,)),
    RailPlace("/practice", "graduation-cap", N_("Practice"), "practice", (_P.TAKE_CALLS,)),
    RailPlace(
        "/admin", "settings", N_("Administration"), "admin", (_P.SEE_DEFINITIONS, _P.READ_LOG)
    ),
)


def places_of(role: str) -> list[RailPlace]:
    """Return the pages that a role may open."""
    return [one for one in PLACES if any(may(role, need) for need in one.needs)]
