"""The page of the provider of identities: by which other sign-in people come in, and as what."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.dashboard.people.accounts import Keeps
from app.dashboard.templating import page
from app.errors import Invalid, Refusal
from app.people.provider import keeping
from app.people.provider.mapping import MappingWanted
from app.people.provider.rows import Unknown
from app.staff.models import Staff
from app.staff.roles import Role
from app.web.access import InWork
from app.words.pages import _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
_Text = Annotated[str, Form(max_length=1000)]
_Lines = Annotated[str, Form(max_length=40_000)]
_NEW = MappingWanted(name="", issuer="", client_id="")


@router.get("/admin/provider")
async def provider_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the provider."""
    return await _show(request, work, staff)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    wanted: MappingWanted | None = None,
    *,
    told: str = "",
    problem: str = "",
) -> Response:
    row = await keeping.provider(work)
    return page(
        request,
        "settings/provider.html",
        staff=staff,
        provider=row,
        wanted=wanted or (keeping.wanted_of(row) if row else _NEW),
        roles=list(Role),
        unknown=list(Unknown),
        back=f"{work.settings.public_url.rstrip('/')}{keeping.BACK}",
        logout=keeping.logout_address(work),
        people=await keeping.people_number(work),
        told=told,
        problem=problem,
    )


def read_pairs(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of lines like `value = meaning`. Raises Invalid."""
    found = []
    for line in lines:
        if not line.strip():
            continue
        value, sign, meaning = line.rpartition("=")
        if not sign:
            raise Invalid("Each line is a value of the claim, = and what it means.")
        found.append((value.strip(), meaning.strip()))
    return tuple(found)


@router.post("/admin/provider")
async def set_provider(
    request: Request,
    work: InWork,
    staff: Keeps,
    name: _Text = "",
    issuer: _Text = "",
    client_id: _Text = "",
    secret: _Text = "",
    role_claim: _Text = "",
    roles: _Lines = "",
    team_claim: _Text = "",
    teams: _Lines = "",
    unknown: _Text = "",
    factors: _Text = "",
    links_by_email: bool = Form(default=False),
    closes_passwords: bool = Form(default=False),
) -> Response:
    """Set the provider up, or change it."""
    wanted = MappingWanted(
        name=name,
        issuer=issuer,
        client_id=client_id,
        role_claim=role_claim,
        team_claim=team_claim,
        unknown=unknown,
        links_by_email=links_by_email,
        factors=tuple(factors.replace(",", " ").split()),
        closes_passwords=closes_passwords,
    )
    try:
        pairs = {"roles": read_pairs(roles.splitlines()), "teams": read_pairs(teams.splitlines())}
        wanted = MappingWanted(**{**vars(wanted), **pairs})
        await keeping.save(work, wanted, secret, by=staff)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, wanted, problem=refusal_words(refusal))
    return await _show(request, work, staff, told=_("Saved."))


@router.post("/admin/provider/test")
async def test_provider(request: Request, work: InWork, staff: Keeps) -> Response:
    """Ask the provider what it says of itself."""
    try:
        await keeping.test(work)
    except Refusal as refusal:
        return await _show(request, work, staff, problem=refusal_words(refusal))
    told = _("The provider answers, and its keys can be read.")
    return await _show(request, work, staff, told=told)


@router.post("/admin/provider/remove")
async def remove_provider(request: Request, work: InWork, staff: Keeps) -> Response:
    """Take the provider away."""
    try:
        await keeping.remove(work)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    return await _show(request, work, staff, told=_("The provider is removed."))
