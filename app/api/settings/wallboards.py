"""The JSON interface of wallboards: screens of aggregates at secret addresses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.people import wallboards
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["wallboards"], route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_WALLBOARDS), scope="function")]


class WallboardView(BaseModel):
    """A wallboard whose address works, without the address."""

    id: UUID
    name: str
    language: str
    made_at: datetime


class WallboardIn(BaseModel):
    # Where the screen hangs.
    name: Annotated[str, Field(max_length=200)]


class MadeWallboard(BaseModel):
    """The address, which is shown only once."""

    address: str


@router.get("/wallboards")
async def all_wallboards(work: InWork, _staff: Keeps) -> list[WallboardView]:
    """Return the wallboards whose address works."""
    return [
        WallboardView.model_validate(one, from_attributes=True)
        for one in await wallboards.in_use(work)
    ]


@router.post("/wallboards", status_code=201)
async def make_wallboard(work: InWork, staff: Keeps, body: WallboardIn) -> MadeWallboard:
    """Make a wallboard. Its address is in this answer only."""
    token = await wallboards.make(work, staff, body.name)
    return MadeWallboard(address=wallboards.address_of(work, token))


@router.post("/wallboards/{wallboard_id}/withdraw", status_code=204)
async def withdraw_wallboard(work: InWork, _staff: Keeps, wallboard_id: UUID) -> None:
    """Withdraw the address of a wallboard: its screen goes dark."""
    await wallboards.withdraw(work, wallboard_id)
