"""The JSON interface of tokens: programs that read figures."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.staff import tokens
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["tokens"], route_class=StrictRoute)
KeepsTokens = Annotated[Staff, Depends(Requires(Permission.KEEP_TOKENS), scope="function")]


class TokenView(BaseModel):
    """A token, without its secret."""

    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    # Who made it, if it stopped because they left or lost the role by which they made it.
    revoked_with: UUID | None
    used_at: datetime | None


class TokenIn(BaseModel):
    name: Annotated[str, Field(max_length=60)]
    scopes: list[str]
    # Days for which it is valid.
    days: int = 365


class MadeToken(BaseModel):
    """The token itself, which is shown only once."""

    token: str


@router.get("/tokens")
async def all_tokens(work: InWork, _staff: KeepsTokens) -> list[TokenView]:
    """Return all tokens, without their secrets."""
    return [
        TokenView.model_validate(one, from_attributes=True)
        for one in await tokens.list_tokens(work)
    ]


@router.post("/tokens", status_code=201)
async def make_token(work: InWork, _staff: KeepsTokens, asked: TokenIn) -> MadeToken:
    """Make a token. It is in this answer only."""
    return MadeToken(token=await tokens.add_token(work, asked.name, asked.scopes, asked.days))


@router.delete("/tokens/{name}", status_code=204)
async def revoke_token(work: InWork, _staff: KeepsTokens, name: str) -> None:
    """Revoke a token: from now on it opens nothing."""
    await tokens.revoke_token(work, name)
