"""The bot of a line is registered at Telegram: where messages go, and with which secret."""

from typing import NamedTuple
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import lines
from app.calls.states import Channel
from app.chats import accounts
from app.chats.models import Account, AccountProblem, AccountState
from app.jobs.names import Task
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.messaging import receiving
from app.telephony.messaging.telegram.bot_api import BotApi
from app.telephony.provider.urls import public, telegram_path
from app.work import Work

# What Telegram says to a token that it does not know.
_UNKNOWN = (401, 404)


class _Wanted(NamedTuple):
    """How a bot is to be set up, and with what."""

    state: AccountState
    their_id: str
    token: str
    secret: str


@task(Task.SET_UP_ACCOUNTS)
async def set_up_accounts(context: JobContext, line_id: str) -> None:
    """Set up the accounts of a line again: how children write to it has changed."""
    async with parts_of(context).work() as work:
        found = select(Account.id).where(Account.line_id == UUID(line_id))
        for account_id in await work.session.scalars(found):
            work.defer(Task.SET_UP_ACCOUNT, account_id=str(account_id))


@task(Task.SET_UP_ACCOUNT)
async def set_up_account(context: JobContext, account_id: str) -> None:
    """Register a bot, let Telegram keep its messages, or take it away. May run twice."""
    parts, row_id = parts_of(context), UUID(account_id)
    async with parts.work() as work:
        wanted = await _wanted(work, row_id)
    if wanted is None:
        return
    name, problem = None, None
    try:
        name = await _register(parts, row_id, wanted)
    except Refused as error:
        problem = AccountProblem.TOKEN if error.status in _UNKNOWN else AccountProblem.ADDRESS
    except (TryAgain, Uncertain):
        async with parts.work() as work:
            await accounts.note(work, row_id, AccountState.WANTED, problem=AccountProblem.AWAY)
        # The same can be asked again: it is tried until Telegram answers.
        raise
    async with parts.work() as work:
        if wanted.state is AccountState.REMOVING:
            await accounts.forget(work, row_id)
            await accounts.set_up_elsewhere(work, Channel.TELEGRAM, wanted.their_id)
            return
        state = AccountState.REFUSED if problem else wanted.state
        await accounts.note(work, row_id, state, name=name, problem=problem)
        if await _wanted(work, row_id) != wanted:
            # It was changed meanwhile.
            work.defer(Task.SET_UP_ACCOUNT, account_id=account_id)


async def _wanted(work: Work, account_id: UUID) -> _Wanted | None:
    row = await work.session.get(Account, account_id, populate_existing=True)
    if row is None or row.channel != Channel.TELEGRAM:
        return None
    state = AccountState(row.state)
    if state is AccountState.REMOVING and await accounts.set_up_elsewhere(
        work, Channel.TELEGRAM, row.their_id
    ):
        await accounts.forget(work, account_id)
        return None
    if state is not AccountState.REMOVING:
        line = await lines.line_of_id(work, row.line_id)
        # With no more conversations to go on with, it is paused when it is next asked.
        hears = line is not None and await receiving.hears(work, line, Channel.TELEGRAM)
        state = AccountState.REGISTERED if hears else AccountState.PAUSED
    token, secret = accounts.token_of(work, row), accounts.secret_of(work, row)
    return _Wanted(state, row.their_id, token, secret)


async def _register(parts: Parts, account_id: UUID, wanted: _Wanted) -> str | None:
    """Return the name of the bot. Raises TryAgain, Uncertain, Refused."""
    settings = parts.ground.settings
    bot = BotApi(settings, wanted.token)
    if wanted.state is AccountState.REMOVING:
        await bot.bring_nowhere()
        return None
    name = await bot.name()
    if wanted.state is AccountState.PAUSED:
        await bot.bring_nowhere()
    else:
        await bot.bring_to(public(settings, telegram_path(account_id)), wanted.secret)
    return name
