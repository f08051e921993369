"""The JSON interface of written conversations, for counsellors and the supervisors who read along.

Offers are accepted and declined like those of calls; a conversation goes to a colleague or a skill
by the transfer of its call.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.calls.sentences import Sentence
from app.calls.states import Channel
from app.chats import at_desk, ending, media, messages, reading, translating, typing
from app.chats.at_desk import AtDesk
from app.chats.carrier_rows import OnItsWay
from app.chats.left import answering
from app.chats.media import ShownMedia
from app.chats.messages import LONGEST
from app.chats.models import (
    Author,
    Failure,
    MediaKind,
    MediaProblem,
    MediaState,
    ReaderKind,
)
from app.chats.reading import ShownMessage
from app.web.access import HearsMessages, InWork, SignedIn, TakesCalls, WritesContacts
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["chats"], route_class=StrictRoute)
Key = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=LONGEST)]
_Number = Annotated[int, Query(ge=1, le=1_000_000)]
Numbers = Annotated[list[_Number], Query(max_length=translating.MOST)]
After = Annotated[int, Query(ge=0, le=1_000_000)]


class ChatView(BaseModel):
    """A conversation that you have, or that is offered to you."""

    call_id: UUID
    offer_id: UUID
    slot: int
    state: str
    line: str
    language: str
    danger: bool
    returned: bool
    # How many messages you have not seen, and since when the child waits for your answer.
    unread: int
    waits_since: datetime | None
    # Since when the child's page was not heard, if it is away.
    away_since: datetime | None
    last_number: int
    types: bool
    # What the child is typing, if it wants to be read by the letter.
    typed: str | None
    seconds_left: int | None
    channel: Channel
    # With a scripted child: for training, and in no figure.
    practice: bool
    # The child reads each letter as you type.
    letters: bool
    # Danger was written from there again and again within the hour: no agency is asked by itself.
    danger_again: bool
    # The child writes from a phone number, at which a call-back can be agreed.
    has_number: bool
    # What the child wrote speaks of danger, and which words were the first to.
    alarming: bool
    danger_words: str


class MediaView(BaseModel):
    """A picture or a voice note that came with a message; `GET /chats/media/{id}` opens it."""

    id: UUID
    kind: MediaKind
    state: MediaState
    # Why it was not kept.
    problem: MediaProblem | None
    size: int | None


class ChatMessageView(BaseModel):
    number: int
    author: Author
    kind: ReaderKind
    text: str | None
    sentence: Sentence | None
    staff_id: UUID | None
    at: datetime
    delivered_at: datetime | None
    seen_at: datetime | None
    erased: bool
    # Why it did not reach the child, if a carrier brings it.
    failure: Failure | None
    # Why it has not left yet, if a carrier brings it.
    on_its_way: OnItsWay | None
    # When its carrier had it, if that was well before it was brought here.
    sent_at: datetime | None
    media: list[MediaView]


class ChatMessageIn(BaseModel):
    client_key: Key
    text: Text
    # `whisper`: for staff alone, by the supervisor or the counsellor of the conversation.
    kind: ReaderKind = ReaderKind.SAID


class SeenIn(BaseModel):
    """`away`: put away the conversation of a child who has left, if that was its last word."""

    number: Annotated[int, Field(ge=0, le=1_000_000)]
    away: bool = False


class TypedIn(BaseModel):
    text: Text | None = None


class TranslationView(BaseModel):
    """A message in another language, by a machine. It is kept nowhere."""

    number: int
    text: str


class DraftIn(BaseModel):
    text: Text


class PreviewView(BaseModel):
    """Words in the language of the child, by a machine."""

    text: str


class LeftView(BaseModel):
    """A message that a child left, and that waits for an answer."""

    call_id: UUID
    line: str
    language: str
    danger: bool
    # Since when it waits: the child may have written again after an answer.
    left_at: datetime
    until_at: datetime
    # A counsellor's word is the last one.
    answered: bool
    # Who has taken it.
    owner_id: UUID | None
    # The words speak of danger.
    alarming: bool
    # The child has the code, or a carrier brings it the answer.
    answerable: bool
    # By what the child wrote: on the page (`web`) it reads the answer when it comes back with its
    # code, a carrier brings it to its phone at once.
    channel: Channel
    # Which words speak of danger.
    danger_words: str


class BegunView(BaseModel):
    """The record of a contact that was begun."""

    id: UUID


def chat_view(one: AtDesk) -> ChatView:
    return ChatView(**one._asdict())


def chat_message_view(said: ShownMessage, came: Sequence[ShownMedia] = ()) -> ChatMessageView:
    return ChatMessageView(
        number=said.number,
        author=said.author,
        kind=said.kind,
        text=said.words,
        sentence=said.sentence,
        staff_id=said.staff_id,
        at=said.at,
        delivered_at=said.delivered_at,
        seen_at=said.seen_at,
        erased=said.erased,
        failure=said.failure,
        on_its_way=said.on_its_way,
        sent_at=said.sent_at,
        media=[MediaView(**one._asdict()) for one in came],
    )


async def _views(work: Work, found: list[ShownMessage]) -> list[ChatMessageView]:
    came = await media.of_messages(work, found)
    return [chat_message_view(said, came.get(said.id, ())) for said in found]


@router.get("/chats/media/{media_id}")
async def chat_media(work: InWork, staff: SignedIn, media_id: UUID) -> Response:
    """Return a picture or a voice note of a child. The opening is logged."""
    content, media_type = await media.open_media(work, staff, media_id)
    headers = {
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=media_type, headers=headers)


@router.get("/chats/mine")
async def my_chats(work: InWork, staff: TakesCalls) -> list[ChatView]:
    """Return the conversations that you have and are offered, by slot."""
    return [chat_view(one) for one in await at_desk.conversations(work, staff)]


@router.get("/chats/left")
async def left_messages(work: InWork, staff: HearsMessages) -> list[LeftView]:
    """Return the messages that children left and that wait for an answer."""
    return [LeftView(**one._asdict()) for one in await answering.waiting(work, staff.team)]


@router.get("/chats/left/{call_id}/messages")
async def left_words(work: InWork, staff: HearsMessages, call_id: UUID) -> list[ChatMessageView]:
    """Return a message that a child left, with the answers. The reading is logged."""
    return await _views(work, await answering.read_left(work, staff, call_id))


@router.post("/chats/left/{call_id}/messages", status_code=201)
async def answer_left(
    work: InWork, staff: HearsMessages, call_id: UUID, body: ChatMessageIn
) -> ChatMessageView:
    """Answer a message. On the page the child reads it when it comes back with its code; a carrier
    brings it to its phone."""
    await answering.answer(work, staff, call_id, text=body.text, client_key=body.client_key)
    return chat_message_view((await answering.read_left(work, staff, call_id))[-1])


@router.post("/chats/left/{call_id}/take", status_code=204)
async def take(work: InWork, staff: HearsMessages, call_id: UUID) -> None:
    """Become responsible for a message that a child left."""
    await answering.take(work, staff, call_id)


@router.post("/chats/left/{call_id}/contact", status_code=201)
async def begin_contact(work: InWork, staff: WritesContacts, call_id: UUID) -> BegunView:
    """Begin the record of a contact for a message that a child left."""
    contact = await answering.begin_contact(work, staff, call_id)
    await work.session.flush()
    return BegunView(id=contact.id)


@router.post("/chats/left/{call_id}/done", status_code=204)
async def done(work: InWork, staff: HearsMessages, call_id: UUID) -> None:
    """Mark a message that a child left as done."""
    await answering.mark_done(work, staff, call_id)


@router.get("/chats/{call_id}/messages")
async def read(
    work: InWork, staff: SignedIn, call_id: UUID, after: After = 0
) -> list[ChatMessageView]:
    """Return what was said after a number. Readers other than its counsellor are logged."""
    found = await reading.read_as_staff(work, staff, call_id, after)
    return await _views(work, found)


@router.get("/chats/{call_id}/translations")
async def translations(
    work: InWork, staff: TakesCalls, call_id: UUID, numbers: Numbers
) -> list[TranslationView]:
    """Return messages of a conversation that you have in the language of your pages, by an engine
    of this server; 404 NoEngine if there is none, 503 NotTranslated while it does not answer."""
    found = await translating.of_messages(work, staff, call_id, set(numbers))
    return [TranslationView(number=number, text=text) for number, text in found]


@router.post("/chats/{call_id}/translation")
async def preview(work: InWork, staff: TakesCalls, call_id: UUID, body: DraftIn) -> PreviewView:
    """Return words in the language of the child before you send them. Nothing is sent or kept."""
    return PreviewView(text=await translating.of_draft(work, staff, call_id, body.text))


@router.post("/chats/{call_id}/messages", status_code=201)
async def write(
    work: InWork, staff: TakesCalls, call_id: UUID, body: ChatMessageIn
) -> ChatMessageView:
    """Say something to the child, or whisper. The same `client_key` is one message."""
    said = await messages.say_as_staff(
        work, staff, call_id, text=body.text, client_key=body.client_key, kind=body.kind
    )
    return chat_message_view(reading.opened(work, said))


@router.post("/chats/{call_id}/seen", status_code=204)
async def see(work: InWork, staff: TakesCalls, call_id: UUID, body: SeenIn) -> None:
    """Note that you have seen the messages up to a number."""
    await reading.see_as_staff(work, staff, call_id, body.number, away=body.away)


@router.post("/chats/{call_id}/typing", status_code=204)
async def types(work: InWork, staff: TakesCalls, call_id: UUID, body: TypedIn) -> None:
    """Note that you are typing, with the words if the child reads them by the letter."""
    await typing.type_as_staff(work, staff, call_id, body.text)


@router.post("/chats/{call_id}/end", status_code=204)
async def end(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """End a conversation that you have."""
    await ending.end_as_staff(work, staff, call_id)
