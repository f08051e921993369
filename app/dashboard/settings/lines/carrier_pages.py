"""By what children write to a line besides the page: its bot of Telegram, its number in Signal."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import AwareDatetime

from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import accounts, fetched
from app.dashboard.settings.lines.line_pages import Keeps, Short, change_and_show
from app.web.access import InWork

router = APIRouter(include_in_schema=False)


@router.post("/admin/lines/{line_id}/telegram")
async def set_telegram_bot(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, token: Short = ""
) -> Response:
    """Give a line a bot of Telegram, or its bot another token. No page shows a token again."""

    async def verb(line: LineScript) -> None:
        await accounts.set_token(work, line, Channel.TELEGRAM, token)

    return await change_and_show(request, work, staff, line_id, "telegram", {}, verb)


@router.post("/admin/lines/{line_id}/telegram/remove")
async def remove_telegram_bot(
    request: Request, work: InWork, staff: Keeps, line_id: UUID
) -> Response:
    """Take the bot of a line away."""

    async def verb(line: LineScript) -> None:
        await accounts.remove(work, line, Channel.TELEGRAM)

    return await change_and_show(request, work, staff, line_id, "telegram", {}, verb)


@router.post("/admin/lines/{line_id}/signal")
async def set_signal_number(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, number: Short = ""
) -> Response:
    """Give a line a number in Signal, or another one."""

    async def verb(line: LineScript) -> None:
        await accounts.set_token(work, line, Channel.SIGNAL, number)

    return await change_and_show(request, work, staff, line_id, "signal", {"number": number}, verb)


@router.post("/admin/lines/{line_id}/signal/remove")
async def remove_signal_number(
    request: Request, work: InWork, staff: Keeps, line_id: UUID
) -> Response:
    """Take the number of a line in Signal away."""

    async def verb(line: LineScript) -> None:
        await accounts.remove(work, line, Channel.SIGNAL)

    return await change_and_show(request, work, staff, line_id, "signal", {}, verb)


@router.post("/admin/lines/{line_id}/signal/put-away")
async def put_away_unread(
    request: Request,
    work: InWork,
    staff: Keeps,
    line_id: UUID,
    until: Annotated[AwareDatetime | None, Form()] = None,
) -> Response:
    """Put away what came by Signal until the page was drawn and cannot be read, so that it alarms
    no person any more."""

    async def verb(line: LineScript) -> None:
        await fetched.put_away(work, line, Channel.SIGNAL, until=until)

    return await change_and_show(request, work, staff, line_id, "signal", {}, verb)
