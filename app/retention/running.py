"""Erasing what is due, in batches: each is one transaction, with its part of the receipt.

A run may be stopped at any moment and run again: it erases what is still due, and adds to the same
receipt. The line of the log is written at its end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.lines import finding_lines
from app.calls.models import Call, VoiceMessage
from app.chats import erasing as chat_erasing
from app.contacts.models import ProfileNumber
from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.retention import by_country, log_due, records
from app.retention.callers import forget_callbacks, forget_callers
from app.retention.data_requests import lists
from app.retention.data_requests.models import DataRequest
from app.retention.due import count_due, lock_due
from app.retention.kinds import DataKind
from app.retention.models import Erasure, ErasureNight
from app.retention.rules import beside_others, read_rules
from app.routing.callbacks.callback_rows import Callback
from app.routing.participants.participants import Participant
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.models import Export, ExportPart, ExportState
from app.work import PROGRAM, Ground, Work

# Rows that one transaction erases: it takes a fraction of a second, and holds up no call.
AT_ONCE = {
    DataKind.CALLER_NUMBERS: 500,
    DataKind.VOICE_MESSAGES: 50,
    DataKind.CHAT_MESSAGES: 500,
    DataKind.CONTACTS: 50,
    DataKind.CASES: 20,
    DataKind.REFERRALS: 50,
    DataKind.EXPORT_FILES: 5,
    DataKind.CALLER_HASHES: 200,
    DataKind.CALLER_FLAGS: 200,
    DataKind.THIRD_PARTY_NUMBERS: 100,
    DataKind.DRAFTS: 50,
    DataKind.FILE_REASONS: 100,
    DataKind.DATA_REQUESTS: 100,
    # What writes to the log waits meanwhile. Each part is an entry of the log itself.
    DataKind.LOG: 5000,
}
# Seconds between two batches, and the batches of one turn: then other jobs have theirs.
_BREATH = 0.05
BATCHES = 200
# The most runs that are listed.
_SHOWN = 60
# Hours of the night, in the helpline's zone, in which the job begins.
NIGHT_FROM, NIGHT_UNTIL = 2, 5
# What is erased changes no figure, and rows of logs give up what a person wrote.
ERASING = text("SELECT set_config('helpline.erasing', 'on', true)")
NOT_ERASING = text("SELECT set_config('helpline.erasing', 'off', true)")


@dataclass(frozen=True)
class Due:
    """How many rows of a kind are due, from which rule, and the oldest.

    `held_from`: the rows from then on are old enough, and stay because a record is held.
    """

    kind: DataKind
    days: int | None
    rows: int
    oldest: datetime | None
    held_from: datetime | None = None


async def dry_run(work: Work) -> list[Due]:
    """Return what a run would erase now; nothing is changed."""
    return [await due_of(work, kind, days) for kind, days in (await read_rules(work)).days.items()]


async def due_of(work: Work, kind: DataKind, days: int | None) -> Due:
    """Return what a run would erase of a kind now, if it is kept this many days."""
    if days is None:
        return Due(kind, None, 0, None)
    if kind is DataKind.LOG:
        return Due(kind, days, *await log_due.count_due(work, days))
    return Due(kind, days, *await count_due(work, kind, days))


async def receipts(work: Work) -> list[Erasure]:
    """Return what was erased when, newest first."""
    return list(
        await work.session.scalars(select(Erasure).order_by(Erasure.at.desc()).limit(_SHOWN))
    )


# -- one batch ---------------------------------------------------------------------------------


async def erase_some(work: Work, kind: DataKind, run_id: UUID, left_out: set[UUID]) -> int:
    """Erase the next batch of a kind, by the rule that is in force now. Return how many rows.

    Rows that could not be erased are added to `left_out`.
    """
    await beside_others(work)
    days = (await read_rules(work)).days[kind]
    if days is None:
        return 0
    if kind is DataKind.LOG:
        return await _erase_log(work, run_id, days)
    ids = await lock_due(work, kind, days, AT_ONCE[kind], left_out)
    if not ids:
        return 0
    await work.session.execute(ERASING)
    erased = await ERASERS[kind](work, ids, days)
    await work.session.execute(NOT_ERASING)
    left_out |= set(ids) - set(erased)
    if erased:
        await _receive(work, kind, run_id, len(erased), days)
    return len(ids)


async def _erase_log(work: Work, run_id: UUID, days: int) -> int:
    erased = await log_due.erase_next(work, days, AT_ONCE[DataKind.LOG], run_id)
    if erased:
        await _receive(work, DataKind.LOG, run_id, erased, days)
        work.announce(Topic.LOG)
    return erased


async def _numbers(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    """Forget numbers; their keyed hashes stay, by which a caller is known again."""
    await work.session.execute(
        update(Call)
        .where(Call.id.in_(ids))
        .values(caller_number_sealed=None)
        .execution_options(synchronize_session=False)
    )
    return ids


async def _voices(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    await work.session.execute(
        update(VoiceMessage)
        .where(VoiceMessage.id.in_(ids))
        .values(audio_sealed=None, audio_type=None, erased_at=work.now)
        .execution_options(synchronize_session=False)
    )
    work.announce(Topic.MESSAGES)
    return ids


async def _chats(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    """Erase the words of conversations, and what came with them; who wrote when stays."""
    await chat_erasing.erase(work, ids)
    return ids


async def _files(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    await drop_files(work, ids)
    return ids


async def drop_files(work: Work, ids: list[UUID]) -> None:
    """Delete the contents of files; the record of each request stays."""
    await work.session.execute(delete(ExportPart).where(ExportPart.export_id.in_(ids)))
    await work.session.execute(
        update(Export)
        .where(Export.id.in_(ids))
        .values(state=ExportState.EXPIRED.value)
        .execution_options(synchronize_session=False)
    )
    work.announce(Topic.EXPORTS)


async def _hashes(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    """Forget callers, with what is only known by the hash: wishes, and numbers of profiles."""
    keys = list(await work.session.scalars(select(Call.caller_key).where(Call.id.in_(ids))))
    for model in (CallerWish, CallerFlag, ProfileNumber):
        await work.session.execute(
            delete(model)
            .where(model.caller_key.in_(keys))
            .execution_options(synchronize_session=False)
        )
    await forget_callbacks(work, Callback.caller_key.in_(keys))
    await forget_callers(work, ids)
    return ids


async def _flags(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    await work.session.execute(
        delete(CallerFlag)
        .where(CallerFlag.id.in_(ids))
        .execution_options(synchronize_session=False)
    )
    return ids


def _emptied(column: Any, row: Any) -> Callable[[Work, list[UUID], int], Any]:
    async def erase(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
        await records.empty(work, column, row, ids)
        return ids

    return erase


async def _of_requests(work: Work, ids: list[UUID], _days: int) -> list[UUID]:
    for column in (DataRequest.words_sealed, DataRequest.extension_sealed):
        await records.empty(work, column, DataRequest.id, ids)
    return ids


def _of_records(kind: DataKind) -> Callable[[Work, list[UUID], int], Any]:
    async def erase(work: Work, ids: list[UUID], days: int) -> list[UUID]:
        return await records.erase_records(work, kind, ids, days)

    return erase


ERASERS: dict[DataKind, Callable[[Work, list[UUID], int], Any]] = {
    DataKind.CALLER_NUMBERS: _numbers,
    DataKind.VOICE_MESSAGES: _voices,
    DataKind.CHAT_MESSAGES: _chats,
    DataKind.EXPORT_FILES: _files,
    **{kind: _of_records(kind) for kind in records.MODELS},
    DataKind.CALLER_HASHES: _hashes,
    DataKind.CALLER_FLAGS: _flags,
    DataKind.THIRD_PARTY_NUMBERS: _emptied(Participant.number_sealed, Participant.id),
    DataKind.FILE_REASONS: _emptied(Export.reason_sealed, Export.id),
    DataKind.DATA_REQUESTS: _of_requests,
}


async def _receive(work: Work, kind: DataKind, run_id: UUID, rows: int, days: int) -> None:
    """Add a batch to the receipt of its run."""
    receipt = insert(Erasure).values(
        run_id=run_id, kind=kind.value, at=work.now, rows=rows, days=days
    )
    await work.session.execute(
        receipt.on_conflict_do_update(
            index_elements=["run_id", "kind"],
            set_={
                "rows": Erasure.rows + rows,
                "at": work.now,
                "days": days,
                "logged_at": None,
            },
        )
    )


async def log_receipts(work: Work, run_id: UUID) -> list[Erasure]:
    """Write a line of the log for each receipt of a run that has none. Return these receipts."""
    rows = list(
        await work.session.scalars(
            select(Erasure)
            .where(Erasure.run_id == run_id, Erasure.logged_at.is_(None))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    for row in rows:
        row.logged_at = work.now
        if row.kind == DataKind.LOG:
            # Each part is in the log already, written by the function that erased it.
            continue
        numbers = row.kind == DataKind.CALLER_NUMBERS
        action = AuditLog.CALLER_NUMBERS_FORGOTTEN if numbers else AuditLog.CONTENT_ERASED
        write_entry(work, action, row.kind, count=row.rows, days=row.days, run=str(run_id))
    await work.session.flush()
    return rows


# -- a run -------------------------------------------------------------------------------------


async def run_turn(ground: Ground, run_id: UUID, most: int | None = None) -> bool:
    """Erase what is due, batch by batch. Return whether nothing is left of it.

    `most`: the number of batches after which others have their turn.
    """
    batches = 0
    async with transaction(ground, PROGRAM) as work:
        # What a country keeps longer from today on is not erased, whatever became of its job.
        await by_country.look_again(work)
    for kind in DataKind:
        left_out: set[UUID] = set()
        while True:
            if most is not None and batches >= most:
                return False
            async with transaction(ground, PROGRAM, long=True) as work:
                rows = await erase_some(work, kind, run_id, left_out)
            if not rows:
                break
            batches += 1
            await asyncio.sleep(_BREATH)
    async with transaction(ground, PROGRAM) as work:
        await log_receipts(work, run_id)
    return True


async def run_now(ground: Ground) -> list[Erasure]:
    """Erase everything that is due, as a run of its own. Return its receipts."""
    run_id = uuid4()
    await run_turn(ground, run_id)
    async with transaction(ground, PROGRAM) as work:
        rows = await work.session.scalars(select(Erasure).where(Erasure.run_id == run_id))
        return list(rows)


def ask_run(work: Work) -> None:
    """Let a job erase what is due now; its receipts tell what it was."""
    write_entry(work, AuditLog.ERASING_ASKED, "retention")
    work.defer(Task.ERASE_DUE, run_id=str(uuid4()))


async def carry_on(ground: Ground, run_id: UUID) -> None:
    """Carry out a turn of a night's run, and ask for another one if something is left.

    At the end the lists go of what was erased before the oldest back-up.
    """
    if not await run_turn(ground, run_id, BATCHES):
        async with transaction(ground, PROGRAM) as work:
            work.defer(Task.ERASE_DUE, run_id=str(run_id))
        return
    await lists.forget_lists(ground)


async def night_of(work: Work) -> date | None:
    """Return the local date if it is night at the helpline now; None by day."""
    line = await finding_lines.any_line(work)
    local = work.now.astimezone(ZoneInfo(line.timezone if line else "UTC"))
    return local.date() if NIGHT_FROM <= local.hour < NIGHT_UNTIL else None


async def ask_tonight(ground: Ground) -> bool:
    """Ask for this night's run, once, however many workers look. Return whether it was asked for.

    The job is deferred with the row of the night: both are committed, or neither.
    """
    async with transaction(ground, PROGRAM) as work:
        night = await night_of(work)
        if night is None:
            return False
        run_id = uuid4()
        asked = await work.session.scalar(
            insert(ErasureNight)
            .values(night=night, run_id=run_id, begun_at=work.now)
            .on_conflict_do_nothing()
            .returning(ErasureNight.run_id)
        )
        if asked is None:
            return False
        await work.session.execute(
            delete(ErasureNight).where(ErasureNight.night < night - timedelta(days=30))
        )
        work.defer(Task.ERASE_DUE, run_id=str(run_id))
        return True
