"""What a child's page is told, as JSON."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.calls.sentences import Sentence
from app.calls.states import Unstaffed
from app.chats.as_child import Phase, Seen
from app.chats.messages import LONGEST, MOST_LAST
from app.chats.models import Author
from app.chats.reading import ShownMessage

Key = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=LONGEST)]


class AboutView(BaseModel):
    """A line to which children write."""

    name: str
    number: str
    languages: list[str]
    # Whether a counsellor who writes is there now; if not, when one will be.
    open: bool
    opens_at: datetime | None
    # The usual wait of late; none if there were few conversations.
    expected_seconds: int | None


class OpenedView(BaseModel):
    """The secret comes back in the `Authorization` header of every later request."""

    conversation: UUID
    secret: str


class MessageIn(BaseModel):
    client_key: Key
    text: Text


# The last words that an end brings: the page takes no more while they are not sent (`ask.js`).
LastWords = Annotated[list[MessageIn], Field(max_length=MOST_LAST)]


class OpenIn(BaseModel):
    """`leaves`: the child has left before this was answered, with these `words`. `typing`: as in
    the end of a conversation. `visit`: a chance number of the page, new each time it is loaded; by
    it a visit is known, and no person."""

    language: Annotated[str, Field(max_length=20)]
    danger: bool = False
    client_key: Key
    visit: Key = ""
    leaves: bool = False
    typing: bool = False
    words: LastWords = []


class EndIn(BaseModel):
    """`words`: what the child has said and the page knows no answer to, in their order. `typing`:
    words stand on the page that the child has not sent; they are not told. `danger`: the child has
    said that it is in danger, and the page knows no answer to it. `stays`: the page may come back,
    so nothing ends."""

    typing: bool = False
    danger: bool = False
    stays: bool = False
    words: LastWords = []


class SeenIn(BaseModel):
    number: Annotated[int, Field(ge=0, le=1_000_000)]


class TypingIn(BaseModel):
    # The words so far, if the child wants to be read by the letter; empty: all was deleted.
    text: Text | None = None


class LettersIn(BaseModel):
    on: bool


class FeedbackIn(BaseModel):
    helped: Annotated[int, Field(ge=1, le=5)] | None = None
    again: Annotated[int, Field(ge=1, le=5)] | None = None


class CodeIn(BaseModel):
    code: Annotated[str, Field(max_length=60)]


class CodeView(BaseModel):
    code: str


class PlaceView(BaseModel):
    ahead: int
    expected_seconds: int | None


class MessageView(BaseModel):
    """`by`: who wrote it. What the program says is a `sentence`, in the words of the page."""

    number: int
    by: Literal["child", "counsellor", "program"]
    text: str | None
    sentence: Sentence | None
    # The key with which this page sent it.
    client_key: str | None
    at: datetime
    delivered: bool
    seen: bool
    erased: bool


class SaidView(BaseModel):
    number: int
    at: datetime


class ConversationView(BaseModel):
    """The conversation, with the messages after the asked number."""

    conversation: UUID
    phase: Phase
    language: str
    danger: bool
    again: bool
    place: PlaceView | None
    unstaffed: Unstaffed | None
    opens_at: datetime | None
    ended_by: Literal["child", "counsellor", "program", "away"] | None
    # A message is left; and the child came back to it with its code.
    left: bool
    by_code: bool
    may_rate: bool
    types: bool
    # Both sides read each letter; and what the counsellor is typing then.
    letters: bool
    typed: str | None
    # The last of the child's own messages that was delivered, and the last that was seen.
    delivered: int
    seen: int
    messages: list[MessageView]


_ENDED: dict[str, Literal["child", "counsellor", "program", "away"]] = {
    "caller": "child",
    "counsellor": "counsellor",
    "away": "away",
}


def message_view(said: ShownMessage) -> MessageView:
    by: Literal["child", "counsellor", "program"] = "counsellor"
    if said.author is Author.CHILD:
        by = "child"
    elif said.author is Author.PROGRAM:
        by = "program"
    return MessageView(
        number=said.number,
        by=by,
        text=said.words,
        sentence=said.sentence,
        client_key=said.client_key,
        at=said.at,
        delivered=said.delivered_at is not None,
        seen=said.seen_at is not None,
        erased=said.erased,
    )


def conversation_view(seen: Seen) -> ConversationView:
    return ConversationView(
        conversation=seen.call_id,
        phase=seen.phase,
        language=seen.language,
        danger=seen.danger,
        again=seen.again,
        place=PlaceView(**seen.place._asdict()) if seen.place else None,
        unstaffed=seen.unstaffed,
        opens_at=seen.opens_at,
        ended_by=_ENDED.get(seen.ended_by, "program") if seen.ended_by else None,
        left=seen.left,
        by_code=seen.by_code,
        may_rate=seen.may_rate,
        types=seen.types,
        letters=seen.letters,
        typed=seen.typed,
        delivered=seen.delivered,
        seen=seen.seen,
        messages=[message_view(said) for said in seen.words],
    )
