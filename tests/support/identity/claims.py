"""A person as the provider of identities describes them, who signs in."""

from dataclasses import replace
from typing import Any

from app.people.provider import access
from app.people.provider.mapping import MappingWanted
from app.staff.models import Staff
from app.work import Work


async def comes(work: Work, wanted: MappingWanted, claims: dict[str, Any], **rules: Any) -> Staff:
    """Let a person sign in whom the provider describes so, by these rules."""
    found = await access.signed_in_person(work, replace(wanted, **rules), claims)
    assert isinstance(found, Staff)
    return found
