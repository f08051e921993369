"""A carrier that brings nothing by itself is asked for messages, by a job that defers the next one.

What it hands out it forgets. So one message is taken at a time and written down as it came, before
it is understood; while the database is away it is held, and nothing more is asked for. Each is
received by itself. One that cannot be read stays, is tried again, and a person is told.
"""

import asyncio
import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import func, select, update

from app.calls import record
from app.calls.chat_rules import read_chat
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.calls.speech import LineScript
from app.chats import accounts, by_carrier, fetched, sendings, typing
from app.chats.carrier_rows import AccountProblem, AccountState, CarrierAccount, Sent
from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import run_verb
from app.log import log
from app.outbox.responses import Refused, RequestFailed
from app.privacy.hash_kinds import HashOf
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.messaging import receiving
from app.telephony.messaging.base import Carrier, MessageFate
from app.telephony.messaging.registry import carrier_of
from app.work import PROVIDER, Work

# How often it is asked, and how often if it does not answer.
EVERY, AFTER_TROUBLE = timedelta(seconds=2), timedelta(seconds=10)
# The most messages that are taken in one turn.
_IN_ONE_TURN = 50
# While the database is away: seconds between attempts.
_TRIED_EVERY = 0.5


class _Asked(NamedTuple):
    """An account that is asked for messages now."""

    carrier: Carrier
    line_id: UUID
    their_id: str
    token: str
    files: frozenset[str]
    problem: str | None


def defer_asking(work: Work, account_id: UUID, delay: timedelta = EVERY) -> None:
    """Have an account asked, whose `asked_at` was set in this transaction: that is the turn of the
    job. A job of an earlier turn asks no more, so there is never more than one."""
    turn = work.now.isoformat()
    work.defer(Task.ASK_ACCOUNT, delay=delay, account_id=str(account_id), turn=turn)


@task(Task.ASK_ACCOUNT)
async def ask_account(context: JobContext, account_id: str, turn: str) -> None:
    """Ask for what children wrote to an account, receive it, and ask again later. May run twice."""
    parts, row_id, at = parts_of(context), UUID(account_id), datetime.fromisoformat(turn)
    async with parts.work() as work:
        asked = await _asked(work, row_id, at)
    if asked is None:
        return
    again, problem = EVERY, None
    try:
        settings, files = parts.ground.settings, bool(asked.files)
        unread = await _receive_kept(parts, asked)
        for _ in range(_IN_ONE_TURN):
            content = await asked.carrier.ask(settings, asked.token, files=files)
            if not content:
                break
            await _keep(parts, asked, content)
            unread = await _receive_kept(parts, asked) or unread
        problem = AccountProblem.UNREAD if unread else None
    except Refused as error:
        again, problem = AFTER_TROUBLE, asked.carrier.trouble(error)
    except RequestFailed:
        again, problem = AFTER_TROUBLE, AccountProblem.AWAY
    async with parts.work() as work:
        await _go_on(work, row_id, at, again, asked.problem, problem)


async def _asked(work: Work, account_id: UUID, turn: datetime) -> _Asked | None:
    """Return an account whose turn it is; None if another job asks, or its line receives nothing
    there any more."""
    row = await work.session.get(CarrierAccount, account_id)
    if row is None or row.state != AccountState.REGISTERED or row.asked_at != turn:
        return None
    carrier = carrier_of(row.channel)
    line = await finding_lines.line_of_id(work, row.line_id)
    if line is None:
        return None
    if not await receiving.receives(work, line, carrier.channel):
        # The carrier keeps what is written, until the line takes it again.
        await accounts.note(work, account_id, AccountState.PAUSED)
        return None
    kinds = frozenset(read_chat(line.chat).media)
    token = accounts.token_of(work, row)
    return _Asked(carrier, row.line_id, row.their_id, token, kinds, row.problem)


async def _go_on(
    work: Work,
    account_id: UUID,
    turn: datetime,
    delay: timedelta,
    before: str | None,
    problem: AccountProblem | None,
) -> None:
    """Have the account asked again, unless another turn has begun meanwhile."""
    found = await work.session.scalar(
        update(CarrierAccount)
        .where(CarrierAccount.id == account_id, CarrierAccount.asked_at == turn)
        .where(CarrierAccount.state == AccountState.REGISTERED)
        .values(asked_at=work.now, problem=problem)
        .returning(CarrierAccount.id)
        .execution_options(synchronize_session=False)
    )
    if found is not None:
        defer_asking(work, account_id, delay)
    if before != problem:
        work.announce(Topic.LINES)


async def _keep(parts: Parts, asked: _Asked, content: bytes) -> None:
    """Write down what the carrier handed out, as soon as the database is there."""
    is_told = False
    while True:
        try:
            await run_verb(
                parts.ground,
                PROVIDER,
                lambda work: fetched.keep(
                    work, asked.line_id, asked.carrier.channel, asked.their_id, content
                ),
            )
            return
        except Exception as error:
            # Given up, it would be lost: it is held until this process ends.
            if not is_told:
                kind = type(error).__name__
                log().error("a text is held in memory", area="telephony", exception_type=kind)
            is_told = True
            await asyncio.sleep(_TRIED_EVERY)


async def _receive_kept(parts: Parts, asked: _Asked) -> bool:
    """Receive what is kept, one after the other. Return whether something cannot be read, and no
    person has put that away."""
    async with parts.work() as work:
        waiting = await fetched.waiting(work, asked.line_id, asked.carrier.channel)
    unread = False
    for one in waiting:
        if not one.due:
            unread = unread or one.alarms
            continue
        receive = functools.partial(_receive_row, asked=asked, row_id=one.id)
        try:
            received = await run_verb(parts.ground, PROVIDER, receive)
        except Exception as error:
            # One message that cannot be read must not hold up the others.
            note = functools.partial(fetched.note_unread, row_id=one.id)
            await run_verb(parts.ground, PROVIDER, note)
            if not one.tried:
                kind = type(error).__name__
                log().error("a text failed", area="telephony", exception_type=kind)
            unread = unread or one.alarms
            continue
        for fields in received:
            await _drop_others(parts, asked, fields)
    return unread


async def _receive_row(work: Work, row_id: UUID, asked: _Asked) -> Sequence[Mapping[str, Any]]:
    """Receive what is kept, and keep it no longer. Return what was in it."""
    row = await fetched.lock(work, row_id)
    if row is None:
        return ()
    line = await finding_lines.line_of_id(work, row.line_id)
    if line is None:
        raise LookupError("the line is gone")
    received = asked.carrier.unpack(await fetched.content_of(work, row))
    for fields in received:
        await _receive(work, line, row.their_id, asked.carrier, fields)
    await work.session.delete(row)
    return received


async def _receive(
    work: Work, line: LineScript, their_id: str, carrier: Carrier, fields: Mapping[str, Any]
) -> None:
    arrived, told = carrier.read(fields), carrier.told(fields)
    if arrived is not None:
        # The carrier's id holds who wrote: a hash of it is as good.
        sid = work.keys.text_key(f"arrival {their_id} {arrived.sid}").hex()
        await receiving.receive(work, carrier.channel, line, replace(arrived, sid=sid))
    elif told is not None:
        await _report(work, line.id, carrier, told)
    elif types := carrier.types(fields):
        address, begins = types
        key = work.keys.match_key(HashOf.CALLER, address)
        call = await by_carrier.running(work, line, carrier.channel, key)
        if call is not None:
            await typing.type_as_child(work, call.id, None if begins else "")


async def _report(work: Work, line_id: UUID, carrier: Carrier, told: MessageFate) -> None:
    """Note what became of the messages of which a child's phone tells."""
    found = await work.session.execute(
        select(Sent.id, Sent.call_id)
        .join(Call, Call.id == Sent.call_id)
        .where(
            Call.line_id == line_id,
            Call.channel == carrier.channel.value,
            Call.caller_key == work.keys.match_key(HashOf.CALLER, told.address),
            func.split_part(Sent.provider_sid, ".", 1).in_(told.about),
        )
        .order_by(Sent.wanted_at)
    )
    for sent_id, call_id in found.all():
        call = await record.lock_call(work, call_id)
        sent = await sendings.lock_sent(work, sent_id)
        await sendings.note_report(work, call, sent, told.report, told.why, told.code)


async def _drop_others(parts: Parts, asked: _Asked, fields: Mapping[str, Any]) -> None:
    """Delete at the carrier what came with a message and is not fetched."""
    arrived = asked.carrier.read(fields) if asked.files else None
    for one in arrived.attached if arrived is not None else ():
        if one.kind.value not in asked.files:
            try:
                await asked.carrier.drop(parts.platform, one.source)
            except RequestFailed:
                log().warning("a file stays at its carrier", area="telephony")
