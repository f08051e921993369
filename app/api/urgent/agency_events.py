"""Events between an agency's system and ours: received with its signature, and sent again."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from app.errors import Invalid
from app.referrals.channels.webhook import delivery, replies
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web import decisions
from app.web.access import InWork, Public, Requires
from app.web.decisions import Right
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["referrals"], route_class=StrictRoute)
SeesDeadlines = Annotated[Staff, Depends(Requires(Permission.SEE_DEADLINES), scope="function")]
_SIGNED = [Depends(Public("an agency's system proves itself by its signature"))]


@router.post("/deliveries/{delivery_id}/again", status_code=204)
async def send_again(work: InWork, staff: SeesDeadlines, delivery_id: UUID) -> None:
    """Send an event again that could not be delivered."""
    await delivery.send_again(work, staff, delivery_id)


@router.post("/agencies/{code}/events", dependencies=_SIGNED)
async def receive_event(request: Request, work: InWork, code: str) -> dict[str, Any]:
    """Receive an agency system's signed event (Standard Webhooks: id, timestamp, signature)."""
    body = await _bounded(request)
    headers = request.headers
    event_id = headers.get("webhook-id", "")
    agency = await replies.sender_of(
        work,
        code[:60],
        event_id,
        headers.get("webhook-timestamp", ""),
        headers.get("webhook-signature", "")[:2000],
        body,
    )
    decisions.grant(request, Right.AGENCY_SIGNATURE)
    return await replies.receive(work, agency, event_id, body)


async def _bounded(request: Request) -> bytes:
    """Read a body of at most 64 KB, whatever length the sender claims. Raises Invalid."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > 64 * 1024:
            raise Invalid("The event is larger than 64 KB. Send a smaller one.")
    return bytes(body)
