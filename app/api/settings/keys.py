"""The JSON interface of the keys: which one seals, what each has sealed, and sealing anew."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from app.sealing import hashes, resealing, state
from app.sealing.state import KeyUse
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["keys"], prefix="/keys", route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_KEYS), scope="function")]


class KeyView(BaseModel):
    """A key: how many values are sealed with it, and since when it seals or is retired."""

    number: int
    use: KeyUse
    values: int | None
    since: datetime | None


class HashesView(BaseModel):
    """A generation of hashes; null while hashes are being carried over to it."""

    generation: int
    complete_at: datetime | None


class KeysView(BaseModel):
    """The keys, and nothing by which one could be found."""

    problem: str
    first: int
    current: int
    can_rotate: bool
    keys: list[KeyView]
    # When values were last counted: after each sealing anew. Null: never.
    counted_at: datetime | None
    hashes: list[HashesView]
    resealed_at: datetime | None
    under_way_since: datetime | None


@router.get("")
async def all_keys(work: InWork, _staff: Keeps) -> KeysView:
    """Return the keys, and what each had sealed when it was counted last."""
    found = await state.read(work)
    return KeysView.model_validate(found, from_attributes=True)


@router.post("/reseal", status_code=202)
async def reseal(work: InWork, _staff: Keeps) -> None:
    """Begin to seal everything anew that another key has sealed; `resealed_at` tells when it is
    done."""
    state.ask_for_resealing(work)


@router.post("/rotate", status_code=202)
async def rotate(work: InWork, _staff: Keeps) -> None:
    """Let the first key of the settings seal, in a minute, and have everything sealed anew."""
    await resealing.rotate_key(work)


@router.post("/rotate-hashes", status_code=202)
async def rotate_hashes(work: InWork, _staff: Keeps) -> None:
    """Give the hashes by which callers and names are found a new key."""
    await hashes.rotate_hashes(work)


@router.post("/{number}/retire", status_code=204)
async def retire(work: InWork, _staff: Keeps, number: Annotated[int, Path(ge=0, le=255)]) -> None:
    """Retire a key with which nothing is sealed any more; then it can leave the settings."""
    await resealing.retire_key(work, state.all_tables(work), number)
