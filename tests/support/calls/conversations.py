"""What tests of written conversations need: a line to which children write, counsellors who write,
and children."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from app.calls.chat_rules import ChatRules, check_chat
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.speech import LineScript
from app.chats import ending, opening
from app.chats.left import untaken
from app.database.topics import Topic
from app.demo.stage import LINE
from app.jobs.transaction import send_rows
from app.routing import offers, queue
from app.routing.alarm_rows import Alarm
from app.routing.models import Offer
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_counsellor, a_line


def a_key() -> str:
    """Return a key as a page makes it by chance."""
    return uuid4().hex


async def a_chat_line(work: Work, **rules: Any) -> LineScript:
    """Add a line to which children write."""
    await a_line(work)
    chat = check_chat(ChatRules(on=True, **rules), ("sr", "en"))
    await work.session.execute(update(Line).where(Line.number == LINE).values(chat=chat))
    work.ground.memory.forget(Topic.LINES)
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    return line


async def a_writer(work: Work, name: str, at_once: int = 3) -> Staff:
    """Add a counsellor who is available for calls and for this many conversations."""
    staff = await a_counsellor(work, name)
    staff.chats_at_once = at_once
    await work.session.flush()
    forget(work)
    return staff


def forget(work: Work) -> None:
    """Read presences and people again: what a process remembers is of before."""
    for topic in (Topic.PRESENCE, Topic.ROSTER, Topic.LINES):
        work.ground.memory.forget(topic)


async def a_child(
    work: Work, line: LineScript, *, danger: bool = False, visit: bytes | None = None
) -> Call:
    """Let a child open a conversation."""
    forget(work)
    opened = await opening.open_conversation(
        work,
        line,
        language="sr",
        danger=danger,
        client_key=a_key(),
        origin=opening.Origin(visit=visit),
    )
    return opened.call


async def matched(work: Work) -> list[Offer]:
    """Run matching once. Return the open offers of conversations, by slot."""
    forget(work)
    await queue.match_once(work)
    await work.session.flush()
    return await open_offers(work)


async def open_offers(work: Work) -> list[Offer]:
    rows = await work.session.scalars(
        select(Offer)
        .where(Offer.released_at.is_(None), Offer.state == "open")
        .order_by(Offer.opened_at, Offer.slot)
    )
    return list(rows)


async def takes(work: Work, offer: Offer) -> Call:
    """Let a counsellor accept an offer."""
    call, locked = await offers.lock_offer(work, offer.id)
    await ending.accept(work, call, locked)
    await send_rows(work)
    return call


async def writing(work: Work, line: LineScript) -> tuple[Call, Offer]:
    """Let a child write, and the counsellor who is offered the conversation take it."""
    call = await a_child(work, line)
    offer = next(one for one in await matched(work) if one.call_id == call.id)
    await takes(work, offer)
    return call, offer


async def call_again(work: Work, call_id: UUID) -> Call:
    """Return a call as it is stored now."""
    return await work.session.get_one(Call, call_id, populate_existing=True)


async def looked(work: Work) -> list[str]:
    """Compare the messages with their limits. Return the kinds of the open alarms."""
    await untaken.look_at_messages(work)
    await work.session.flush()
    return list(await work.session.scalars(select(Alarm.kind).where(Alarm.ended_at.is_(None))))
