"""The JSON interface of short messages between supervisors and their team."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.routing.supervision import team_messages
from app.web.access import InWork, TakesCalls
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["team"], route_class=StrictRoute)


class RecipientView(BaseModel):
    """A person to whom you can write."""

    id: UUID
    name: str


class UnreadView(BaseModel):
    unread: int


class TeamMessageIn(BaseModel):
    to: UUID
    words: Annotated[str, Field(max_length=4000)] = Field(
        description="At most 500 characters, and nothing about a child."
    )
    key: UUID | None = Field(
        None, description="An id that you make: a message that is sent twice is stored once."
    )


class SentView(BaseModel):
    id: UUID


class TeamMessageView(BaseModel):
    """A message from you or to you, of the last day."""

    id: UUID
    sent_at: datetime
    other_id: UUID = Field(description="The other person.")
    other: str = Field(description="The name of the other person.")
    own: bool = Field(description="You wrote it.")
    read: bool = Field(description="It was opened before this request.")
    words: str


@router.get("/team/messages/recipients")
async def recipients(work: InWork, staff: TakesCalls) -> list[RecipientView]:
    """Return the people of your team to whom you can write: for a counsellor the supervisors."""
    return [
        RecipientView(id=id_, name=name) for id_, name in await team_messages.partners(work, staff)
    ]


@router.get("/team/messages/unread")
async def unread(work: InWork, staff: TakesCalls) -> UnreadView:
    """Return how many messages you have not opened."""
    return UnreadView(unread=await team_messages.count_unread(work, staff))


@router.post("/team/messages", status_code=201)
async def send(work: InWork, staff: TakesCalls, body: TeamMessageIn) -> SentView:
    """Send a message to a person of your team."""
    sent = await team_messages.send(work, staff, body.to, body.words, body.key)
    return SentView(id=sent)


@router.post("/team/messages/read")
async def read(work: InWork, staff: TakesCalls) -> list[TeamMessageView]:
    """Open your messages, the oldest first. They count as read from now on, and the log says so."""
    return [
        TeamMessageView.model_validate(one, from_attributes=True)
        for one in await team_messages.read_all(work, staff)
    ]
