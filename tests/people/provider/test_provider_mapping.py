"""What claims mean here: roles, teams, a second factor, and where they are looked for."""

from typing import Any

import pytest

from app.people.provider.mapping import MappingWanted, values_at
from app.staff.roles import Role

WANTED = MappingWanted(
    name="City",
    issuer="https://id.example",
    client_id="helpline",
    roles=(("boss", "administrator"), ("help", "counsellor")),
    team_claim="unit",
    teams=(("7", "north"),),
    factors=("mfa", "hwk"),
)


@pytest.mark.parametrize(
    ("claims", "path", "found"),
    [
        ({"groups": ["a", 1, None, "b"]}, "groups", ["a", "b"]),
        ({"groups": "a"}, "groups", ["a"]),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", ["a"]),
        ({"realm_access": ["roles"]}, "realm_access.roles", []),
        ({}, "groups", []),
    ],
)
def test_a_claim_is_found_by_name_or_path(
    claims: dict[str, Any], path: str, found: list[str]
) -> None:
    assert values_at(claims, path) == found


def test_the_first_pair_that_fits_gives_the_role() -> None:
    assert WANTED.role_for(["help", "boss"]) is Role.ADMINISTRATOR
    assert WANTED.role_for(["help"]) is Role.COUNSELLOR
    assert WANTED.role_for(["Help"]) is None
    assert WANTED.role_for([]) is None


def test_a_team_is_the_providers_only_where_a_claim_is_set() -> None:
    assert WANTED.team_for({"unit": "7"}) == "north"
    assert WANTED.team_for({"unit": "8"}) == ""
    assert MappingWanted(name="", issuer="", client_id="").team_for({"unit": "7"}) is None


@pytest.mark.parametrize(
    ("claims", "counts"),
    [
        ({"amr": ["pwd", "mfa"]}, True),
        ({"acr": "hwk"}, True),
        ({"amr": ["pwd"]}, False),
        ({}, False),
    ],
)
def test_only_the_values_that_are_set_stand_for_a_second_factor(
    claims: dict[str, Any], counts: bool
) -> None:
    assert WANTED.counts_as_factor(claims) is counts
