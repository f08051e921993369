"""What Telegram brings: proven by the secret of the line's bot, then received like any message."""

import hmac
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from app.calls.lines import finding_lines
from app.calls.states import Channel
from app.chats import accounts
from app.chats.carrier_rows import AccountState, CarrierAccount
from app.errors import NotAllowed
from app.jobs.transaction import run_verb
from app.log import fault, log
from app.telephony.messaging import receiving
from app.telephony.messaging.telegram.carrier import CARRIER
from app.telephony.replying import ground_of, in_time
from app.web import decisions
from app.web.decisions import Right
from app.work import PROVIDER, Work

HEADER = "x-telegram-bot-api-secret-token"
# In bytes. An update of 4096 letters is nowhere near as long.
_LONGEST = 256 * 1024


class BadSecret(NotAllowed):
    default = "The secret of the request is not valid."


class _NotNow(Exception):
    """The line does not take messages of this carrier now."""


async def bring(request: Request, account_id: UUID) -> Response:
    """Receive an update. Telegram repeats it, and sends no other one, until the answer is 200."""
    given = request.headers.get(HEADER, "")
    length = request.headers.get("content-length", "")
    if not given or not length.isdigit() or int(length) > _LONGEST:
        raise _refused(request)
    body = await request.body()

    async def verb(work: Work) -> None:
        account = await work.session.get(CarrierAccount, account_id)
        if (
            account is None
            or account.channel != Channel.TELEGRAM
            or not hmac.compare_digest(accounts.secret_of(work, account).encode(), given.encode())
        ):
            raise _refused(request)
        decisions.grant(request, Right.TELEGRAM_SECRET)
        await _receive(work, account, _read(body))

    try:
        await in_time(run_verb(ground_of(request), PROVIDER, verb))
    except BadSecret:
        raise
    except _NotNow:
        # Telegram keeps it, and brings it when the line takes messages again.
        return Response(status_code=503)
    except Exception as error:
        log().error("a text failed", area="telephony", **fault(error))
        return Response(status_code=503)
    return Response(status_code=200)


def _refused(request: Request) -> BadSecret:
    decisions.has_line(request)
    log().warning("refused a webhook", area="telephony", path="/telephony/telegram")
    return BadSecret()


def _read(body: bytes) -> dict[str, Any]:
    """Return an update. What cannot be read would come again for ever: it is nothing."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        log().warning("an update cannot be read", area="telephony")
        return {}
    return found


async def _receive(work: Work, account: CarrierAccount, update: dict[str, Any]) -> None:
    arrived = CARRIER.read(update)
    if arrived is None or account.state == AccountState.REMOVING:
        return
    line = await finding_lines.line_of_id(work, account.line_id)
    if line is None or not await receiving.receives(work, line, Channel.TELEGRAM):
        raise _NotNow()
    # Each bot counts its own updates.
    sid = f"{account.their_id}.{arrived.sid}"
    await receiving.receive(work, Channel.TELEGRAM, line, replace(arrived, sid=sid))
