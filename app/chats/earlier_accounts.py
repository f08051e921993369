"""The accounts that a line had at a carrier, with their tokens: a change can be taken back for some
days. Then they are forgotten.
"""

from uuid import UUID, uuid4

from sqlalchemy import delete, select

from app.calls.lines.leading import BACK_WITHIN
from app.calls.states import Channel
from app.chats.carrier_rows import EarlierAccount
from app.work import Work

# The carriers at which an account is known by its number alone, which the log holds.
WITHOUT_TOKEN = (Channel.SIGNAL,)


async def keep(
    work: Work, line_id: UUID, channel: Channel, their_id: str, token: str, *, works: bool
) -> None:
    """Keep an account that a line loses, or of which it loses the token. The line is locked.

    `works`: whether the carrier ever took this token. One that it did not take replaces none that
    is kept: to go back, the line needs the last token by which messages of children came.
    """
    if channel in WITHOUT_TOKEN:
        return
    row = await _row(work, line_id, channel, their_id)
    if row is not None and not works:
        row.at = work.now
        await work.session.flush()
        return
    if row is None:
        row = EarlierAccount(
            id=uuid4(), line_id=line_id, channel=channel.value, their_id=their_id, at=work.now
        )
        work.session.add(row)
    row.at = work.now
    row.token_sealed = work.keys.seal(
        token.encode(), table="chat_earlier_accounts", column="token_sealed", row=row.id
    )
    await work.session.flush()


async def token_of(work: Work, line_id: UUID, channel: Channel, their_id: str) -> str | None:
    """Return the token of an account that a line had; None if it is not kept."""
    row = await _row(work, line_id, channel, their_id)
    if row is None:
        return None
    return work.keys.open(
        row.token_sealed, table="chat_earlier_accounts", column="token_sealed", row=row.id
    ).decode()


async def kept_of(work: Work, line_id: UUID) -> set[tuple[str, str]]:
    """Return carrier and account of each that is kept of a line."""
    rows = await work.session.execute(
        select(EarlierAccount.channel, EarlierAccount.their_id).where(
            EarlierAccount.line_id == line_id
        )
    )
    return {(channel, their_id) for channel, their_id in rows}


async def forget_old(work: Work) -> None:
    """Forget what cannot be taken back any more."""
    await work.session.execute(
        delete(EarlierAccount)
        .where(EarlierAccount.at < work.now - BACK_WITHIN)
        .execution_options(synchronize_session=False)
    )


async def _row(work: Work, line_id: UUID, channel: Channel, their_id: str) -> EarlierAccount | None:
    found: EarlierAccount | None = await work.session.scalar(
        select(EarlierAccount).where(
            EarlierAccount.line_id == line_id,
            EarlierAccount.channel == channel.value,
            EarlierAccount.their_id == their_id,
        )
    )
    return found
