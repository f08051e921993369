"""The JSON interface of the browsers of your own that a ring wakes."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.outbox.push import subscriptions
from app.web.access import InWork, SignedIn
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["session"], route_class=StrictRoute)


class BrowserView(BaseModel):
    """A browser that is woken. The address by which it is reached is not shown."""

    id: UUID
    label: str = Field(description="What the browser said of itself when it was entered.")
    created_at: datetime


@router.get("/me/browsers")
async def browsers(work: InWork, staff: SignedIn) -> list[BrowserView]:
    """Return your browsers that are woken when it rings and no page is open, the newest first."""
    return [
        BrowserView.model_validate(one, from_attributes=True)
        for one in await subscriptions.browsers_of(work, staff)
    ]


@router.delete("/me/browsers/{subscription_id}", status_code=204)
async def forget_browser(work: InWork, staff: SignedIn, subscription_id: UUID) -> None:
    """Forget one of your browsers: it is not woken any more."""
    await subscriptions.forget(work, staff, subscription_id)
