"""The JSON interface of the provider of identities, and of the links of accounts with it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from app.people import finding
from app.people.provider import access, keeping
from app.people.provider.mapping import MappingWanted
from app.people.provider.rows import IdentityProvider, Unknown
from app.staff.models import Staff
from app.staff.roles import Permission, Role
from app.web.access import InWork, Requires, SignedIn
from app.web.sign_in.provider_sign_in import begin_linking, mark_browser
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["people"], route_class=StrictRoute)
KeepsPeople = Annotated[Staff, Depends(Requires(Permission.KEEP_PEOPLE), scope="function")]
_Text = Annotated[str, Field(max_length=1000)]


class RolePair(BaseModel):
    """A value of the claim, and the role that it gives."""

    value: _Text
    role: Role


class TeamPair(BaseModel):
    """A value of the claim, and the team that it means."""

    value: _Text
    team: _Text


class ProviderBody(BaseModel):
    """The provider: who it is, and what its claims mean here. The first pair that fits counts."""

    name: _Text
    issuer: _Text
    client_id: _Text
    role_claim: _Text = "groups"
    roles: list[RolePair]
    team_claim: _Text = ""
    teams: list[TeamPair] = []
    unknown: Unknown = Unknown.REFUSE
    links_by_email: bool = False
    # Values of `amr` or `acr` that stand for a second factor.
    factors: list[str] = []
    closes_passwords: bool = False

    def wanted(self) -> MappingWanted:
        return MappingWanted(
            name=self.name,
            issuer=self.issuer,
            client_id=self.client_id,
            role_claim=self.role_claim,
            roles=tuple((one.value, one.role.value) for one in self.roles),
            team_claim=self.team_claim,
            teams=tuple((one.value, one.team) for one in self.teams),
            unknown=self.unknown.value,
            links_by_email=self.links_by_email,
            factors=tuple(self.factors),
            closes_passwords=self.closes_passwords,
        )


class ProviderIn(ProviderBody):
    # Left out: the one that is known stays.
    client_secret: _Text | None = None


class ProviderView(ProviderBody):
    """The provider without its secret, and when it last worked."""

    redirect_uri: str
    backchannel_logout_uri: str
    last_success_at: datetime | None
    last_failure_at: datetime | None


class IdentityView(BaseModel):
    """Since when your account is linked, and how it was."""

    issuer: str
    linked_at: datetime
    linked_how: str
    used_at: datetime | None


class Way(BaseModel):
    """The address at the provider to which the browser goes."""

    address: str


def _view(work: InWork, row: IdentityProvider) -> ProviderView:
    wanted = keeping.wanted_of(row)
    known = {**vars(wanted)} | {
        "roles": [RolePair(value=value, role=Role(role)) for value, role in wanted.roles],
        "teams": [TeamPair(value=value, team=team) for value, team in wanted.teams],
    }
    return ProviderView(
        **known,
        redirect_uri=keeping.client_of(work, row).redirect_uri,
        backchannel_logout_uri=keeping.logout_address(work),
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
    )


@router.get("/sign-in/provider")
async def provider(work: InWork, _staff: KeepsPeople) -> ProviderView:
    """Return the provider, without its secret."""
    return _view(work, await keeping.known_provider(work))


@router.put("/sign-in/provider")
async def set_provider(work: InWork, staff: KeepsPeople, sent: ProviderIn) -> ProviderView:
    """Set the provider up, or change it. People whom it gives no role any more lose access."""
    return _view(work, await keeping.save(work, sent.wanted(), sent.client_secret, by=staff))


@router.delete("/sign-in/provider", status_code=204)
async def remove_provider(work: InWork, _staff: KeepsPeople) -> None:
    """Take the provider away: its people sign in with a password."""
    await keeping.remove(work)


@router.post("/sign-in/provider/test", status_code=204)
async def test_provider(work: InWork, staff: KeepsPeople) -> None:  # noqa: ARG001
    """Ask the provider what it says of itself, and for its keys."""
    await keeping.test(work)


@router.delete("/people/{person_id}/identity", status_code=204)
async def unlink_person(work: InWork, staff: KeepsPeople, person_id: UUID) -> None:
    """Unlink another person's account from the provider."""
    await access.unlink(work, await finding.person(work, person_id), by=staff)


@router.get("/me/identity")
async def own_identity(work: InWork, staff: SignedIn) -> IdentityView | None:
    """Say whether your account is linked with the provider."""
    found = await access.identity_of(work, staff)
    return None if found is None else IdentityView.model_validate(found, from_attributes=True)


@router.post("/me/identity")
async def link_own_identity(
    request: Request, response: Response, work: InWork, staff: SignedIn
) -> Way:
    """Begin to link your account. Open the address in the same browser within 10 minutes."""
    sent = await begin_linking(request, work, staff)
    mark_browser(response, work.ground, sent)
    return Way(address=sent.address)


@router.delete("/me/identity", status_code=204)
async def unlink_own_identity(work: InWork, staff: SignedIn) -> None:
    """Unlink your account from the provider."""
    await access.unlink(work, staff, by=staff)
