"""The JSON interface of how children write to a line."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from app.api.settings.lines import KeepsLines
from app.calls.chat_rules import ChatRules, read_chat
from app.calls.lines import chat_lines, finding_lines
from app.calls.states import Channel
from app.chats import accounts, fetched
from app.chats.carrier_rows import AccountProblem, AccountState, CarrierAccount
from app.web.access import InWork
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["lines"], route_class=StrictRoute)


class ChatSettingsView(BaseModel):
    """How children write to a line."""

    on: bool
    slug: str | None
    languages: list[str]
    at_once: int
    reserve: int
    reserve_seconds: int
    sites: list[str]
    exit_site: str
    title: str
    icon: str
    # Where abuse material is reported; null: the page of the line's country, if one is known.
    report_page: str | None
    # What the child's page shows, and what counsellors have at hand; words by language.
    emoji: list[str]
    closed: dict[str, str]
    beginnings: dict[str, list[str]]
    # The carriers by which children write, and what is sent by WhatsApp after a day of silence.
    by: list[str]
    # What is taken by them besides words: `picture`, `voice`.
    media: list[str]
    templates: list[str]


class ChatSettingsIn(BaseModel):
    """What is left out stays; an empty `slug` removes it."""

    on: bool | None = None
    slug: Annotated[str, Field(max_length=40)] | None = None
    languages: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=8)] | None = (
        None
    )
    at_once: int | None = None
    reserve: int | None = None
    reserve_seconds: int | None = None
    sites: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=50)] | None = (
        None
    )
    exit_site: Annotated[str, Field(max_length=300)] | None = None
    title: Annotated[str, Field(max_length=80)] | None = None
    icon: Annotated[str, Field(max_length=20)] | None = None
    report_page: Annotated[str, Field(max_length=300)] | None = None
    emoji: Annotated[list[Annotated[str, Field(max_length=12)]], Field(max_length=50)] | None = None
    closed: Annotated[dict[str, str], Field(max_length=8)] | None = None
    beginnings: Annotated[dict[str, list[str]], Field(max_length=8)] | None = None
    by: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=8)] | None = None
    media: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=8)] | None = None
    templates: (
        Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=20)] | None
    ) = None


class TelegramView(BaseModel):
    """The bot of a line at Telegram, without its token. `name`: how children find it, as soon as
    Telegram has said it. `state`: `registered` when children are heard; `paused` while the line
    does not take messages by Telegram; `wanted` until Telegram answers; `refused` with a
    `problem`."""

    name: str | None
    state: AccountState
    problem: AccountProblem | None
    set_at: datetime
    asked_at: datetime | None


class TelegramIn(BaseModel):
    """The token that BotFather shows the owner of the bot."""

    token: Annotated[str, Field(max_length=200)]


def _telegram_view(row: CarrierAccount) -> TelegramView:
    return TelegramView.model_validate(row, from_attributes=True)


class SignalView(BaseModel):
    """The number of a line in Signal. `name`: how children find it. `state`: `registered` when
    children are heard; `paused` while the line does not take messages by Signal; `wanted` until the
    service answers; `refused` with a `problem`, which may also be there while it is registered."""

    name: str | None
    state: AccountState
    problem: AccountProblem | None
    set_at: datetime
    asked_at: datetime | None


class SignalIn(BaseModel):
    """A number that the helpline's service for Signal plays, such as +381111234567."""

    number: Annotated[str, Field(max_length=20)]


def _signal_view(row: CarrierAccount) -> SignalView:
    return SignalView.model_validate(row, from_attributes=True)


def _chat_view(rules: ChatRules) -> ChatSettingsView:
    return ChatSettingsView(**asdict(rules))


@router.get("/lines/{line_id}/chat")
async def chat_settings(work: InWork, _staff: KeepsLines, line_id: UUID) -> ChatSettingsView:
    """Return whether and how children write to a line."""
    row, _line = await finding_lines.read_line(work, line_id)
    return _chat_view(read_chat(row.chat))


@router.patch("/lines/{line_id}/chat")
async def set_chat(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: ChatSettingsIn
) -> ChatSettingsView:
    """Change how children write to a line: the languages, how many conversations a counsellor has
    at once, the counsellors who are kept for calls, the sites that may show the page, where a
    child goes that leaves at once, and what the browser shows of the page."""
    _row, line = await finding_lines.read_line(work, line_id)
    return _chat_view(await chat_lines.change_chat(work, line, **body.model_dump()))


@router.get("/lines/{line_id}/telegram")
async def telegram_bot(work: InWork, _staff: KeepsLines, line_id: UUID) -> TelegramView:
    """Return the bot by which children write to a line with Telegram."""
    await finding_lines.read_line(work, line_id)
    row = await accounts.account_of(work, line_id, Channel.TELEGRAM)
    if row is None:
        raise accounts.NoAccount()
    return _telegram_view(row)


@router.put("/lines/{line_id}/telegram")
async def set_telegram_bot(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: TelegramIn
) -> TelegramView:
    """Give a line a bot of Telegram, or its bot another token. The program registers it; read the
    state a moment later."""
    _row, line = await finding_lines.read_line(work, line_id)
    return _telegram_view(await accounts.set_token(work, line, Channel.TELEGRAM, body.token))


@router.delete("/lines/{line_id}/telegram", status_code=204)
async def remove_telegram_bot(work: InWork, _staff: KeepsLines, line_id: UUID) -> None:
    """Take the bot of a line away. Children who wrote to it are not heard there any more."""
    _row, line = await finding_lines.read_line(work, line_id)
    await accounts.remove(work, line, Channel.TELEGRAM)


@router.get("/lines/{line_id}/signal")
async def signal_number(work: InWork, _staff: KeepsLines, line_id: UUID) -> SignalView:
    """Return the number by which children write to a line with Signal."""
    await finding_lines.read_line(work, line_id)
    row = await accounts.account_of(work, line_id, Channel.SIGNAL)
    if row is None:
        raise accounts.NoAccount()
    return _signal_view(row)


@router.put("/lines/{line_id}/signal")
async def set_signal_number(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: SignalIn
) -> SignalView:
    """Give a line a number in Signal, or another one. The program looks for it at the helpline's
    service; read the state a moment later."""
    _row, line = await finding_lines.read_line(work, line_id)
    return _signal_view(await accounts.set_token(work, line, Channel.SIGNAL, body.number))


@router.delete("/lines/{line_id}/signal", status_code=204)
async def remove_signal_number(work: InWork, _staff: KeepsLines, line_id: UUID) -> None:
    """Take the number of a line in Signal away. Children who wrote to it are not heard there any
    more."""
    _row, line = await finding_lines.read_line(work, line_id)
    await accounts.remove(work, line, Channel.SIGNAL)


@router.post("/lines/{line_id}/signal/put-away", status_code=204)
async def put_away_unread(
    work: InWork, _staff: KeepsLines, line_id: UUID, until: AwareDatetime | None = None
) -> None:
    """Put away what came by Signal and cannot be read, so that it alarms no person any more. It is
    kept for 30 days, and tried on. `until`: what came later alarms on."""
    _row, line = await finding_lines.read_line(work, line_id)
    await fetched.put_away(work, line, Channel.SIGNAL, until=until)
