"""The JSON interface of connections: what the program is connected to, and whether it works."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.people.connections import Means, all_connections, send_test_letter
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires

router = APIRouter(tags=["connections"])
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_CONNECTIONS), scope="function")]


class ConnectionView(BaseModel):
    """A connection, within the last 30 days. `waiting`: what waits to be sent."""

    means: Means
    is_set_up: bool
    fails: bool
    last_success: datetime | None
    last_failure: datetime | None
    waiting: int


@router.get("/connections")
async def connections(work: InWork, staff: Keeps) -> list[ConnectionView]:
    """Return every connection. Nothing is sent to find it out."""
    return [
        ConnectionView.model_validate(one, from_attributes=True)
        for one in await all_connections(work)
    ]


@router.post("/connections/mail/test", status_code=204)
async def test_mail(work: InWork, staff: Keeps) -> None:
    """Send a test letter to your own address. 409 if the mail server did not take it."""
    await send_test_letter(work, staff)
