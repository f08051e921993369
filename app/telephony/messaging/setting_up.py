"""The account of a line is registered at its carrier: where messages go, and with which secret."""

from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls.lines import finding_lines
from app.chats import accounts
from app.chats.carrier_rows import AccountProblem, AccountState, CarrierAccount
from app.jobs.names import Task
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.telephony.jobs import parts_of, task
from app.telephony.messaging import asking, receiving
from app.telephony.messaging.base import AtCarrier, Carrier
from app.telephony.messaging.registry import carrier_of
from app.work import Work


@task(Task.SET_UP_ACCOUNTS)
async def set_up_accounts(context: JobContext, line_id: str) -> None:
    """Set up the accounts of a line again: how children write to it has changed."""
    async with parts_of(context).work() as work:
        found = select(CarrierAccount.id).where(CarrierAccount.line_id == UUID(line_id))
        for account_id in await work.session.scalars(found):
            work.defer(Task.SET_UP_ACCOUNT, account_id=str(account_id))


@task(Task.SET_UP_ACCOUNT)
async def set_up_account(context: JobContext, account_id: str, looks: bool = False) -> None:
    """Register an account, let its carrier keep messages, or take it away. May run twice.

    `looks`: nothing of it was changed just now, so it is looked at whether another program changed
    it at the carrier since it was set up.
    """
    parts, row_id = parts_of(context), UUID(account_id)
    async with parts.work() as work:
        found = await _wanted(work, row_id)
        row = await work.session.get(CarrierAccount, row_id)
        looks = looks and found is not None and row is not None and _may_go_elsewhere(row, *found)
    if found is None:
        return
    carrier, wanted = found
    name, problem, is_elsewhere = None, None, False
    try:
        is_elsewhere = looks and await carrier.is_elsewhere(parts.ground.settings, wanted)
        if is_elsewhere:
            # By itself: if the carrier then fails, the next try may find it set back.
            async with parts.work() as work:
                await accounts.note_elsewhere(work, row_id)
        name = await carrier.set_up(parts.ground.settings, wanted)
    except Refused as error:
        problem = carrier.trouble(error)
    except (TryAgain, Uncertain):
        # What was not looked at yet, the next try looks at.
        state = wanted.state if looks and not is_elsewhere else AccountState.WANTED
        async with parts.work() as work:
            await note_tried(work, wanted, state, problem=AccountProblem.AWAY)
        # The same can be asked again: it is tried until the carrier answers.
        raise
    async with parts.work() as work:
        if wanted.state is AccountState.REMOVING:
            await accounts.forget(work, row_id)
            await accounts.set_up_elsewhere(work, carrier.channel, wanted.their_id)
            return
        state = AccountState.REFUSED if problem else wanted.state
        await note_tried(work, wanted, state, name=name, problem=problem)
        if await _wanted(work, row_id) != found:
            # It was changed meanwhile.
            work.defer(Task.SET_UP_ACCOUNT, account_id=account_id)
        elif carrier.is_asked and state is AccountState.REGISTERED:
            asking.defer_asking(work, row_id)


async def note_tried(
    work: Work,
    tried: AtCarrier,
    state: AccountState,
    *,
    name: str | None = None,
    problem: AccountProblem | None = None,
) -> None:
    """Note what a carrier said of an account, unless it got another token meanwhile: the carrier
    said nothing of that one, and the job that came with it asks."""
    row = await work.session.get(
        CarrierAccount, tried.id, with_for_update=True, populate_existing=True
    )
    if row is not None and _of(work, row, tried.state) == tried:
        await accounts.note(work, tried.id, state, name=name, problem=problem)


def _may_go_elsewhere(row: CarrierAccount, carrier: Carrier, wanted: AtCarrier) -> bool:
    """Return whether messages of the account could reach another system.

    If the program fetches the messages, they reach no other system. Where they go does not matter
    while the account is being removed.
    """
    is_as_wanted = row.state == wanted.state
    return is_as_wanted and not carrier.is_asked and wanted.state is not AccountState.REMOVING


async def _wanted(work: Work, account_id: UUID) -> tuple[Carrier, AtCarrier] | None:
    row = await work.session.get(CarrierAccount, account_id, populate_existing=True)
    if row is None:
        return None
    carrier = carrier_of(row.channel)
    state = AccountState(row.state)
    if state is AccountState.REMOVING and await accounts.set_up_elsewhere(
        work, carrier.channel, row.their_id
    ):
        await accounts.forget(work, account_id)
        return None
    if state is not AccountState.REMOVING:
        line = await finding_lines.line_of_id(work, row.line_id)
        # With no more conversations to go on with, it is paused when it is next asked.
        receives = line is not None and await receiving.receives(work, line, carrier.channel)
        state = AccountState.REGISTERED if receives else AccountState.PAUSED
    return carrier, _of(work, row, state)


def _of(work: Work, row: CarrierAccount, state: AccountState) -> AtCarrier:
    token, secret = accounts.token_of(work, row), accounts.secret_of(work, row)
    return AtCarrier(row.id, state, row.their_id, token, secret)
