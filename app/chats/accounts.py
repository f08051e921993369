"""The accounts of lines at carriers that are not the telephony provider, such as bots of Telegram.

An administrator gives the token; the edge registers the account at its carrier, and again every
ten minutes, so that it stays registered: see `app/telephony/messaging/`.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, delete, func, or_, select, update

from app.calls.chat_rules import read_chat
from app.calls.lines import chat_lines, leading, lines
from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats import earlier_accounts, fetched
from app.chats.carrier_rows import AccountProblem, AccountState, CarrierAccount
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import AccountSaid
from app.work import PROGRAM, Ground, Work

# A token of Telegram: the number of the bot, a colon, and what only its owner knows. In Signal it
# is the number itself, which the service of the helpline plays.
_TOKENS: Mapping[Channel, re.Pattern[str]] = {
    Channel.TELEGRAM: re.compile(r"([0-9]{5,15}):[A-Za-z0-9_-]{30,64}", re.ASCII),
    Channel.SIGNAL: re.compile(r"(\+[1-9][0-9]{6,14})", re.ASCII),
}
CARRIERS = tuple(_TOKENS)
# How long a registration is believed; and how long if the account is asked every few seconds.
_BELIEVED, _ASKED_WITHIN = timedelta(minutes=10), timedelta(minutes=1)
# The carriers whose accounts are asked: `is_asked` in `app/telephony/messaging/base.py`.
ASKED = (Channel.SIGNAL,)


class NoAccount(NotFound):
    default = "This line has no account there."


class TokenTaken(Conflict):
    default = "Another line has this account. Remove it there first, or make one for each line."


def token_of(work: Work, row: CarrierAccount) -> str:
    """Return the key of an account at its carrier."""
    return work.keys.open(
        row.token_sealed, table="chat_accounts", column="token_sealed", row=row.id
    ).decode()


def _is_token_of(work: Work, row: CarrierAccount, token: str) -> bool:
    return secrets.compare_digest(token_of(work, row).encode(), token.encode())


def secret_of(work: Work, row: CarrierAccount) -> str:
    """Return what the carrier shows with each message that it brings."""
    return work.keys.open(
        row.secret_sealed, table="chat_accounts", column="secret_sealed", row=row.id
    ).decode()


async def account_of(
    work: Work, line_id: UUID | None, channel: Channel, *, lock: bool = False
) -> CarrierAccount | None:
    """Return the account of a line at a carrier."""
    statement = select(CarrierAccount).where(
        CarrierAccount.line_id == line_id,
        CarrierAccount.channel == channel.value,
        CarrierAccount.state != AccountState.REMOVING,
    )
    found: CarrierAccount | None = await work.session.scalar(
        statement.with_for_update() if lock else statement
    )
    return found


async def set_token(work: Work, line: LineScript, channel: Channel, token: str) -> CarrierAccount:
    """Give a line an account, or its account another token, and turn the carrier on for the line.

    Raises Invalid, TokenTaken.
    """
    fits = _TOKENS[channel].fullmatch(token.strip())
    if fits is None:
        raise _no_token(channel)
    their_id = fits[1]
    taken = await work.session.scalar(
        select(CarrierAccount.line_id).where(
            CarrierAccount.channel == channel.value,
            CarrierAccount.their_id == their_id,
            CarrierAccount.line_id != line.id,
            CarrierAccount.state != AccountState.REMOVING,
        )
    )
    if taken is not None:
        raise TokenTaken()
    # Before the account, as where a change of a line is taken back.
    rules = read_chat((await lines.lock_line(work, line.id)).chat)
    row = await account_of(work, line.id, channel, lock=True)
    before = values_for_log(row)
    if row is not None and row.their_id != their_id:
        await _begin_removal(work, row)
        row = None
    is_same = row is not None and _is_token_of(work, row, token.strip())
    taken_at = row.taken_at if row is not None and is_same else None
    if row is None:
        row = CarrierAccount(
            id=uuid4(), line_id=line.id, channel=channel.value, their_id=their_id, set_at=work.now
        )
        work.session.add(row)
    elif not is_same:
        await _keep(work, row)
    secret = secrets.token_urlsafe(32)
    row.token_sealed = work.keys.seal(
        token.strip().encode(), table="chat_accounts", column="token_sealed", row=row.id
    )
    row.secret_sealed = work.keys.seal(
        secret.encode(), table="chat_accounts", column="secret_sealed", row=row.id
    )
    row.state, row.problem, row.set_at = AccountState.WANTED.value, None, work.now
    row.taken_at = taken_at
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_ACCOUNT_SET,
        str(line.id),
        before=before,
        after=values_for_log(row),
    )
    if channel.value not in rules.by:
        await chat_lines.change_chat(work, line, by=[*rules.by, channel.value])
    work.defer(Task.SET_UP_ACCOUNT, account_id=str(row.id))
    work.announce(Topic.LINES)
    await leading.tell_supervisors(work, line.id, leading.Leads.MESSENGER, taken_back=not is_same)
    return row


def _no_token(channel: Channel) -> Invalid:
    if channel is Channel.SIGNAL:
        return Invalid("That is not a phone number. Write it with + and the country code.")
    return Invalid(
        "This is no token of a bot. Copy it from BotFather as it stands, like "
        "123456789:AAE and 32 more characters."
    )


def values_for_log(row: CarrierAccount | None) -> dict[str, Any] | None:
    """Return what the log says of an account: no token is in it."""
    if row is None:
        return None
    return AccountSaid(row.channel, row.their_id, row.name).kept()


async def remove(work: Work, line: LineScript, channel: Channel) -> None:
    """Take the account of a line away: no child can write to it any more. Raises NoAccount."""
    rules = read_chat((await lines.lock_line(work, line.id)).chat)
    row = await account_of(work, line.id, channel, lock=True)
    if row is None:
        raise NoAccount()
    write_entry(
        work,
        AuditLog.LINE_ACCOUNT_REMOVED,
        str(line.id),
        before=values_for_log(row),
        after=None,
    )
    await _begin_removal(work, row)
    left = [one for one in rules.by if one != channel.value]
    await chat_lines.change_chat(work, line, by=left)
    work.announce(Topic.LINES)
    await leading.tell_supervisors(work, line.id, leading.Leads.MESSENGER)


async def _begin_removal(work: Work, row: CarrierAccount) -> None:
    """Let the carrier forget the account; its token is needed for that once more, and kept for a
    while, so that the account can come back."""
    await _keep(work, row)
    row.state, row.problem = AccountState.REMOVING.value, None
    await work.session.flush()
    work.defer(Task.SET_UP_ACCOUNT, account_id=str(row.id))


async def _keep(work: Work, row: CarrierAccount) -> None:
    await earlier_accounts.keep(
        work,
        row.line_id,
        Channel(row.channel),
        row.their_id,
        token_of(work, row),
        works=row.taken_at is not None,
    )


async def has_earlier_token(work: Work, line_id: UUID, channel: Channel) -> bool:
    """Return whether another token of the account that a line has at a carrier is kept."""
    row = await account_of(work, line_id, channel)
    if row is None:
        return False
    kept = await earlier_accounts.token_of(work, line_id, channel, row.their_id)
    return kept is not None and not _is_token_of(work, row, kept)


async def set_up_elsewhere(work: Work, channel: Channel, their_id: str) -> bool:
    """Set an account that goes up again if it has been given to a line meanwhile; return whether it
    has. The carrier may have been asked to forget it after the line asked for its messages."""
    found = await work.session.scalar(
        select(CarrierAccount.id).where(
            CarrierAccount.channel == channel.value,
            CarrierAccount.their_id == their_id,
            CarrierAccount.state != AccountState.REMOVING,
        )
    )
    if found is not None:
        work.defer(Task.SET_UP_ACCOUNT, account_id=str(found))
    return found is not None


async def note(
    work: Work,
    account_id: UUID,
    state: AccountState,
    *,
    name: str | None = None,
    problem: AccountProblem | None = None,
) -> None:
    """Note what the carrier said of an account, by its present token."""
    values: dict[str, Any] = {"state": state.value, "problem": problem, "asked_at": work.now}
    if state in (AccountState.REGISTERED, AccountState.PAUSED):
        values["taken_at"] = func.coalesce(CarrierAccount.taken_at, work.now)
    if name is not None:
        values["name"] = name
    await work.session.execute(
        update(CarrierAccount)
        .where(CarrierAccount.id == account_id, CarrierAccount.state != AccountState.REMOVING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    work.announce(Topic.LINES)


async def note_elsewhere(work: Work, account_id: UUID) -> None:
    """Say that the messages of an account went elsewhere: a person who knows its token arranged
    it."""
    row = await work.session.get(CarrierAccount, account_id)
    if row is None:
        return
    log().error("messages of a bot were brought elsewhere", area="chats")
    write_entry(
        work, AuditLog.LINE_ACCOUNT_ELSEWHERE, str(row.line_id), account=values_for_log(row)
    )
    await leading.tell_supervisors(
        work, row.line_id, leading.Leads.BOT_ELSEWHERE, administrators=True
    )


async def forget(work: Work, account_id: UUID) -> None:
    """Delete an account that its carrier has forgotten."""
    await work.session.execute(
        delete(CarrierAccount)
        .where(CarrierAccount.id == account_id, CarrierAccount.state == AccountState.REMOVING)
        .execution_options(synchronize_session=False)
    )


async def ask_again(ground: Ground) -> None:
    """Register each account again whose registration is old: another program that has the token
    could have taken its messages, and supervisors hear of it."""
    async with transaction(ground, PROGRAM) as work:
        await fetched.forget_old(work)
        await earlier_accounts.forget_old(work)
        believed, silent = work.now - _BELIEVED, CarrierAccount.asked_at < work.now - _ASKED_WITHIN
        unasked = or_(CarrierAccount.asked_at.is_(None), CarrierAccount.asked_at < believed)
        old, is_on = and_(unasked, CarrierAccount.set_at < believed), AccountState.REGISTERED.value
        rows = await work.session.scalars(
            update(CarrierAccount)
            .where(
                or_(
                    old,
                    and_(CarrierAccount.channel.in_(ASKED), CarrierAccount.state == is_on, silent),
                )
            )
            .values(asked_at=work.now)
            .returning(CarrierAccount.id)
            .execution_options(synchronize_session=False)
        )
        for account_id in rows.all():
            work.defer(Task.SET_UP_ACCOUNT, account_id=str(account_id), looks=True)
