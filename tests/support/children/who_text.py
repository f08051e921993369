"""Children who write by SMS and WhatsApp to a whole helpline, and counsellors who answer."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.calls.lines import chat_lines, finding_lines
from app.calls.states import Channel
from app.chats import accounts
from app.chats.carrier_rows import Sent
from app.chats.models import Message
from app.database.topics import Topic
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.practice.signal import SignalPerson
from app.practice.telegram import Bot
from app.practice.texts import WHATSAPP
from app.staff.models import Staff
from app.work import PROGRAM

CHILD = "+381641234567"
# A child in Telegram.
PERSON = 5_550_100_200
# A child in Signal, which keeps its number to itself.
SECRETIVE = "5f1d8a52-2f0f-4f6c-9c37-0f7d5a7a3b10"
_DAY = timedelta(hours=25)
TEMPLATE = "HX" + "0" * 31 + "1"


async def takes_texts(stage: Stage, *by: str, templates: tuple[str, ...] = ()) -> None:
    """Let children write to the line by these carriers; the child has a phone.

    They are answered in English, so that the test reads what the program says.
    """
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        await chat_lines.change_chat(
            work,
            line,
            on=True,
            languages=["en"],
            by=list(by or ("sms",)),
            templates=list(templates),
        )
    stage.exchange.texts.senders.add(LINE)
    for address in (CHILD, WHATSAPP + CHILD):
        stage.exchange.phones.setdefault(address, Phone())
    await stage.advance(1)


async def has_bot(stage: Stage) -> Bot:
    """Give the line a bot, as an administrator does, and let it be registered."""
    bot = stage.exchange.telegram.make_bot()
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        await accounts.set_token(work, line, Channel.TELEGRAM, bot.token)
    await stage.advance(1)
    assert bot.url.startswith(f"{stage.settings.public_url}/telephony/telegram/")
    return bot


async def has_signal(stage: Stage) -> SignalPerson:
    """Give the line a number in Signal, as an administrator does, and return the child that writes
    to it."""
    stage.exchange.signal.register(LINE)
    async with transaction(stage.ground, PROGRAM) as work:
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        await accounts.set_token(work, line, Channel.SIGNAL, LINE)
    await stage.advance(1)
    return stage.exchange.signal.person(SECRETIVE, None)


async def writer(stage: Stage, name: str = "ana", at_once: int = 3) -> Counsellor:
    """Add a counsellor who is available and writes."""
    counsellor = await stage.add_counsellor(name)
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(
            update(Staff).where(Staff.name == name).values(chats_at_once=at_once)
        )
    stage.ground.memory.forget(Topic.EVERYTHING)
    await stage.advance(1)
    return counsellor


async def takes(stage: Stage, counsellor: Counsellor) -> UUID:
    """Let a counsellor accept the conversation that is offered to them."""
    found = (await counsellor.ask("GET", "/chats/mine")).json()
    offer = next(one for one in found if one["state"] == "open")
    answer = await counsellor.ask("POST", f"/offers/{offer['offer_id']}/accept")
    assert answer.status_code < 300, answer.text
    await stage.advance(1)
    return UUID(offer["call_id"])


async def says(stage: Stage, counsellor: Counsellor, call_id: Any, text: str) -> None:
    """Let a counsellor answer."""
    key = f"key-{abs(hash(text)):x}"
    answer = await counsellor.ask(
        "POST", f"/chats/{call_id}/messages", {"client_key": key, "text": text}
    )
    assert answer.status_code < 300, answer.text


def read_by(stage: Stage, address: str = CHILD) -> list[str]:
    """Return what the child has read, in order."""
    return [one.text for one in stage.exchange.phones[address].texts]


async def written(stage: Stage, call_id: Any) -> list[tuple[str, str | None, bool]]:
    """Return a conversation's messages: author, failure, and whether it was delivered."""
    rows = await stage.rows(
        "SELECT author, failure, delivered_at IS NOT NULL AS came FROM chat_messages"
        " WHERE call_id = %s ORDER BY number",
        call_id,
    )
    return [(row["author"], row["failure"], row["came"]) for row in rows]


async def a_day_passes(stage: Stage) -> None:
    """Let everything that was written be of a day before."""
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(update(Message).values(at=Message.at - _DAY))
        await work.session.execute(update(Sent).values(wanted_at=Sent.wanted_at - _DAY))
    last = stage.exchange.texts.last
    for key in last:
        last[key] -= _DAY
