"""What the claims of a person mean here, as an administrator has set it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.staff.roles import Role


@dataclass(frozen=True)
class MappingWanted:
    """What an administrator sets."""

    name: str
    issuer: str
    client_id: str
    role_claim: str = "groups"
    roles: tuple[tuple[str, str], ...] = ()
    team_claim: str = ""
    teams: tuple[tuple[str, str], ...] = ()
    unknown: str = "refuse"
    links_by_email: bool = False
    factors: tuple[str, ...] = ()
    closes_passwords: bool = False

    def roles_of(self, claims: dict[str, Any]) -> list[str]:
        """Return the values of the claim with roles."""
        return values_at(claims, self.role_claim)

    def role_for(self, values: Sequence[str]) -> Role | None:
        """Return the role that these values give; the first pair that fits counts."""
        return next((Role(role) for value, role in self.roles if value in values), None)

    def team_for(self, claims: dict[str, Any]) -> str | None:
        """Return the team that the claims give; None if teams are not the provider's."""
        if not self.team_claim:
            return None
        found = values_at(claims, self.team_claim)
        return next((team for value, team in self.teams if value in found), "")

    def counts_as_factor(self, claims: dict[str, Any]) -> bool:
        """Return whether the person gave a second factor at the provider, as set here."""
        said = {*values_at(claims, "amr"), *values_at(claims, "acr")}
        return bool(said & set(self.factors))


def values_at(claims: dict[str, Any], path: str) -> list[str]:
    """Return the texts of a claim: `groups`, or with dots the inside of one, as
    `realm_access.roles`. A claim whose own name has dots is found first."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    many = found if isinstance(found, list) else [found]
    return [one for one in many if isinstance(one, str)]
