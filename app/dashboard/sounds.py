"""How a ring reaches a person: sounds, devices, notifications.

It is a page of its own, and a part of the page of the own account.

What is chosen for sounds belongs to a browser, not to an account: the browser keeps it. Which
browsers may be woken is kept by the server, sealed.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.dashboard.templating import templates
from app.outbox.push import subscriptions
from app.routing import offers
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, SignedIn, TakesCalls, reader_with
from app.work import Work

router = APIRouter(include_in_schema=False)
Reads = Annotated[Staff, reader_with(Permission.SIGNED_IN)]


class BrowserKeys(BaseModel):
    """The keys with which a message is sealed for a browser."""

    p256dh: str = Field(max_length=200)
    auth: str = Field(max_length=50)


class Browser(BaseModel):
    """What a browser says of itself when it subscribes."""

    endpoint: str = Field(max_length=2000)
    keys: BrowserKeys
    label: str = Field("", max_length=200)


class Unheard(BaseModel):
    """A ring that was not accepted at a page, and the browser of that page if it can be woken."""

    offer: UUID
    here: UUID | None = None


# After how many seconds of a ring the other browsers can be woken.
_AFTER = (5, 10, 15, 20, 30)


@router.get("/sounds")
async def sounds_page(request: Request, work: InWork, staff: Reads) -> Response:
    """Show the page; its script fills in what this browser can do and has chosen."""
    values = {"staff": staff, **await sounds_values(work, staff)}
    return templates.TemplateResponse(request, "sounds.html", values)


async def sounds_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return what `fragments/people/sounds.html` shows."""
    return {
        "browsers": await subscriptions.browsers_of(work, staff),
        "after": [one for one in _AFTER if one < work.settings.offer_seconds],
    }


@router.post("/sounds/push/key")
async def push_key(work: InWork, _staff: TakesCalls) -> dict[str, str]:
    """Return the public key that a browser asks for before it subscribes."""
    return {"key": await subscriptions.public_key(work)}


@router.post("/sounds/push")
async def subscribe(work: InWork, staff: TakesCalls, browser: Browser) -> dict[str, UUID]:
    """Enter the browser: from now on it is woken."""
    keys = browser.keys
    id_ = await subscriptions.subscribe(
        work, staff, browser.endpoint, keys.p256dh, keys.auth, browser.label
    )
    return {"id": id_}


@router.post("/sounds/push/ring")
async def wake_others(work: InWork, staff: TakesCalls, ring: Unheard) -> dict[str, bool]:
    """Wake the reader's other browsers: it rings at an open page, and is not accepted there."""
    return {"rings": await offers.wake_other_browsers(work, staff, ring.offer, ring.here)}


@router.post("/sounds/push/{subscription_id}/forget")
async def forget(work: InWork, staff: SignedIn, subscription_id: UUID) -> dict[str, UUID]:
    """Forget one of the reader's own browsers."""
    await subscriptions.forget(work, staff, subscription_id)
    return {"id": subscription_id}
