"""The JSON interface of one's own calendar: a secret address that calendar programs read."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.routing.rota import feeds
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["roster"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_ROSTER), scope="function")]
SignedIn = Annotated[Staff, Depends(Requires(Permission.SIGNED_IN), scope="function")]


class FeedView(BaseModel):
    """Whether there is an address, and since when."""

    made_at: datetime | None


class MadeFeed(BaseModel):
    """The address, which is shown only once."""

    address: str


@router.get("/me/calendar-feed")
async def own_feed(work: InWork, staff: SignedIn) -> FeedView:
    """Return whether your calendar has an address."""
    found = await feeds.feed_of(work, staff)
    return FeedView(made_at=found.made_at if found else None)


@router.post("/me/calendar-feed", status_code=201)
async def make_feed(work: InWork, staff: Sees) -> MadeFeed:
    """Make a new secret address for your calendar; the earlier one ends. Shown only once."""
    return MadeFeed(address=feeds.address_of(work, await feeds.make_feed(work, staff)))


@router.delete("/me/calendar-feed", status_code=204)
async def revoke_feed(work: InWork, staff: SignedIn) -> None:
    """Revoke the address of your calendar."""
    await feeds.revoke_feed(work, staff)
