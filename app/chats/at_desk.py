"""The conversations of a counsellor, as the desk shows them: what is unread, and who waits."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, false, func, select, true

from app.calls import danger_words
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import CARRIED, Channel
from app.chats import reading, statements, typing
from app.chats.models import Access, Author, Message, ReaderKind, Typing
from app.database.quick import Question, Row, is_one_of
from app.jobs.transaction import ask
from app.privacy.numbers import CallerKind
from app.routing.models import Offer, OfferState
from app.staff.models import Staff
from app.work import Work

# A child whose page was not heard for this long is away.
_AWAY = timedelta(seconds=45)


class AtDesk(NamedTuple):
    """A conversation that a counsellor has, or that is offered to them."""

    call_id: UUID
    offer_id: UUID
    slot: int
    state: str
    line: str
    language: str
    danger: bool
    returned: bool
    unread: int
    # Since when the child waits for an answer: its first message after the counsellor's last.
    waits_since: datetime | None
    away_since: datetime | None
    last_number: int
    types: bool
    typed: str | None
    # For an offer: the seconds in which it can be accepted.
    seconds_left: int | None
    channel: Channel
    # With a scripted child: for training, and in no figure.
    practice: bool = False
    # The child reads each letter as it is typed.
    letters: bool = False
    line_id: UUID | None = None
    # Danger was written from there again and again: no agency is asked by itself.
    danger_again: bool = False
    # The child writes from a phone number that is known.
    has_number: bool = False
    # What the child wrote speaks of danger, and which words were the first to.
    alarming: bool = False
    danger_words: str = ""


# Built once: it is sent after each message that a counsellor's page hears of. Written by a child
# and not seen, the first that was not answered, and the last number, in one look at the messages.
_ANSWERED = (
    select(func.max(Message.number))
    .where(
        Message.call_id == Call.id,
        Message.author == Author.COUNSELLOR.value,
        Message.kind == ReaderKind.SAID.value,
    )
    .correlate(Call)
    .scalar_subquery()
)
_BY_CHILD = Message.author == Author.CHILD.value
_COUNTED = (
    select(
        func.count().filter(_BY_CHILD, Message.seen_at.is_(None)).label("unread"),
        func.min(Message.at)
        .filter(_BY_CHILD, Message.number > func.coalesce(_ANSWERED, 0))
        .label("waits_since"),
        func.coalesce(func.max(Message.number), 0).label("last"),
    )
    .where(Message.call_id == Call.id)
    .correlate(Call)
    .lateral("counted")
)
_AT_DESK = Question(
    select(
        Offer.id.label("offer_id"),
        Offer.slot,
        Offer.state,
        Offer.expires_at,
        Call.id,
        Call.language,
        Call.danger,
        Call.danger_again,
        Call.alarming,
        Call.danger_words_sealed,
        Call.returned,
        Call.channel,
        Call.line_id,
        Call.rings_only_id,
        Call.heard_at,
        and_(
            Call.caller_kind == CallerKind.E164,
            Call.caller_number_sealed.is_not(None),
            is_one_of(Call.channel, [channel.value for channel in CARRIED]),
        ).label("has_number"),
        func.coalesce(Line.name, "").label("line"),
        func.coalesce(Line.practice, false()).label("practice"),
        _COUNTED,
        Typing.id.label("typing_id"),
        Typing.text_sealed,
        Access.letters,
    )
    .join(Call, Call.id == Offer.call_id)
    .join(Line, Line.id == Call.line_id, isouter=True)
    .join(_COUNTED, true())
    .join(Access, Access.call_id == Call.id, isouter=True)
    .join(
        Typing,
        and_(
            Typing.call_id == Call.id,
            Typing.author == Author.CHILD.value,
            Typing.at >= bindparam("typed_since"),
        ),
        isouter=True,
    )
    .where(
        Offer.counsellor_id == bindparam("staff_id"),
        Offer.released_at.is_(None),
        Offer.slot.is_not(None),
    )
    .order_by(Offer.slot)
)


async def conversations(work: Work, staff: Staff) -> list[AtDesk]:
    """Return the conversations that a counsellor has and is offered, by slot."""
    rows = await ask(
        work,
        _AT_DESK.sql,
        **{**_AT_DESK.fixed, "staff_id": staff.id, "typed_since": work.now - typing.LASTS},
    )
    return [_at_desk(work, row) for row in rows]


class News(NamedTuple):
    """What is new in one conversation: how it stands, and what was said and whispered."""

    of: AtDesk
    # The last message of the counsellor that the child's page has, and the last that it has shown.
    delivered: int
    seen: int
    words: list[reading.ShownMessage]


async def news(work: Work, staff: Staff, call_id: UUID, after: int) -> News:
    """Return what is new in a conversation of a counsellor after a number, with one statement; it
    is delivered by this. Raises NotYours."""
    read = await statements.read_news(work, staff.id, call_id, after, work.now - typing.LASTS)
    if read is None:
        raise reading.NotYours()
    row = read.facts
    of = {"id": row["holds_id"], "state": row["state"], "text_sealed": row["typed_sealed"]}
    line = await finding_lines.line_of_id(work, row["line_id"])
    named = {"line": line.name if line else "", "practice": bool(line and line.practice)}
    carried = Channel(row["channel"]).is_carried
    return News(
        _at_desk(work, {**row, **of, **named}),
        row["delivered"],
        row["seen"],
        [reading.opened_row(work, one, carried=carried) for one in read.messages],
    )


def _at_desk(work: Work, row: Row) -> AtDesk:
    channel = Channel(row["channel"])
    # Before it is accepted, a counsellor sees no more of a conversation than of a call.
    offered = row["state"] == OfferState.OPEN
    # By a carrier, and for a scripted child, there is no page that could be open or closed.
    is_page = channel is Channel.WEB and row["rings_only_id"] is None
    types = row["typing_id"] is not None and not offered
    left = max(0, int((row["expires_at"] - work.now).total_seconds()))
    return AtDesk(
        call_id=row["id"],
        offer_id=row["offer_id"],
        slot=row["slot"],
        state=row["state"],
        line=row["line"],
        language=row["language"] or "",
        danger=row["danger"],
        returned=row["returned"] > 0,
        unread=0 if offered else row["unread"],
        waits_since=None if offered else row["waits_since"],
        away_since=row["heard_at"] if is_page and work.now - row["heard_at"] > _AWAY else None,
        last_number=0 if offered else row["last"],
        types=types,
        typed=typing.opened(work, row["typing_id"], row["text_sealed"]) if types else None,
        seconds_left=left if offered else None,
        channel=channel,
        practice=row["practice"],
        letters=bool(row["letters"]) and not offered,
        line_id=row["line_id"],
        danger_again=row["danger_again"],
        has_number=not offered and row.get("has_number", False),
        alarming=row["alarming"],
        danger_words=danger_words.opened(work, row["id"], row["danger_words_sealed"]),
    )
