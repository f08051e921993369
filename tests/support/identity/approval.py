"""Accounts that wait for a second person, and the person who decides."""

from typing import Any
from urllib.parse import urlsplit

from app.people.approval import deciding
from app.people.approval.rows import AccessRequest
from app.people.provider.mapping import MappingWanted
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import logged

PASSWORD = "correct horse battery"
WANTED = MappingWanted(
    name="City",
    issuer="https://id.example",
    client_id="helpline",
    roles=(("lead", "supervisor"), ("help", "counsellor")),
    unknown="create",
    links_by_email=True,
)


async def a_reader(work: Work, name: str, role: Role = Role.SUPERVISOR) -> Staff:
    email = f"{name}@helpline.example"
    return await accounts.add_staff(work, name=name, role=role, password=PASSWORD, email=email)


def token(address: str | None) -> str:
    assert address is not None
    return urlsplit(address).fragment


async def waiting(work: Work, of: Staff) -> AccessRequest:
    (found,) = await deciding.waiting(work, None, of.id)
    return found.row


async def nothing_waits(work: Work) -> bool:
    return await deciding.waiting(work, None) == []


async def decide(work: Work, by: Staff | None, of: Staff, *, approve: bool = True) -> None:
    await deciding.decide(work, (await waiting(work, of)).id, by=by, approve=approve)
    await work.session.refresh(of)


def acts_of(work: Work) -> list[tuple[str, Any]]:
    return [(act, detail) for act, detail in logged(work) if act.startswith("access_")]
