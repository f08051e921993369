"""Requests of brothers and sisters that are carried out at the same moment, each by a worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.contacts.log_kinds import RecordLog
from app.contacts.models import Contact, RecordEvent
from app.contacts.saving import Change, save_answers
from app.jobs.transaction import flush, transaction
from app.retention.data_requests import answering, ending, erasing, requests
from app.retention.data_requests.changed_since import before_report
from app.retention.data_requests.kinds import ItemKind, RequestKind, RequestState
from app.retention.data_requests.models import DataRequest, RequestFile
from app.retention.data_requests.reports import report
from app.staff.models import Staff
from app.statistics.exports import carrying_out
from app.statistics.exports.writers import PIECE
from app.statistics.models import Export, ExportPart, ExportState
from app.work import PROGRAM, Ground, Work
from tests.fixtures import ReadingsOf
from tests.support.planted import WORD
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.retention.requested import a_caller, a_person, approved, found_by
from tests.support.retention.written_once import Told

S = RequestState


async def _approved(ground: Ground, *kinds: RequestKind, of: Told[Any] = a_caller) -> list[UUID]:
    """Return approved requests about one number, which a brother and a sister share."""
    found = []
    async with transaction(ground, PROGRAM) as work:
        # Elsewhere readings are committed by themselves, and would wait for this transaction.
        ground.kept["readings"] = ReadingsOf(work)
        boss, _, _ = await of(work)
        for kind in kinds:
            request = await found_by(work, boss, kind=kind)
            await approved(work, boss, request)
            found.append(request.id)
        await flush(work)
    del ground.kept["readings"]
    return found


async def _state(work: Work, request_id: UUID) -> DataRequest:
    return await requests.read_request(work, request_id)


def _in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two workers begin each kind of rows together."""
    begin, seen, one_batch = asyncio.Barrier(2), set(), erasing.one_batch

    async def together(ground: Ground, request_id: UUID, kind: ItemKind) -> bool:
        if (request_id, kind) not in seen:
            seen.add((request_id, kind))
            await begin.wait()
        return await one_batch(ground, request_id, kind)

    monkeypatch.setattr(erasing, "one_batch", together)


async def test_what_two_erasures_share_is_erased_and_counted_once(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By day of a caller, who has a contact alone.
    told = a_person if WHOLE else a_caller
    ids = await _approved(ground, RequestKind.ERASURE, RequestKind.ERASURE, of=told)
    async with transaction(ground, PROGRAM) as work:
        items = await requests.items_of(work, await _state(work, ids[0]))
        there = Counter(item.kind for item in items)
    _in_step(monkeypatch)
    await asyncio.gather(*(answering.carry_out(ground, one) for one in ids))
    async with transaction(ground, PROGRAM) as work:
        done = [await _state(work, one) for one in ids]
        assert [one.state for one in done] == [S.DONE, S.DONE]
        assert sum((Counter(one.counts) for one in done), Counter()) == there
        assert [one.kept for one in done] == [{}, {}]
        erased = await work.session.execute(
            select(RecordEvent.subject_id, func.count())
            .where(RecordEvent.kind == RecordLog.ERASED)
            .group_by(RecordEvent.subject_id)
        )
        # The contact, the case, the referral and the profile.
        assert [count for _, count in erased] == [1] * (4 if WHOLE else 1)


@nightly
async def test_what_one_erasure_keeps_and_another_erased_is_no_more_said_to_be_kept(
    ground: Ground,
) -> None:
    """The officer of one kept it; the other one was decided at the same moment."""
    keeps, erases = await _approved(ground, RequestKind.ERASURE, RequestKind.ERASURE)
    async with transaction(ground, PROGRAM) as work:
        for item in await requests.items_of(work, await _state(work, keeps)):
            if item.kind == ItemKind.CONTACT:
                item.keep = "another_person"
    await answering.carry_out(ground, erases)
    await answering.carry_out(ground, keeps)
    async with transaction(ground, PROGRAM) as work:
        assert (await _state(work, keeps)).kept == {}
        assert (await _state(work, erases)).counts["contact"] == 1


@pytest.mark.parametrize(("first", "state"), by_day([("erasure", S.LAPSED), ("report", S.EXPIRED)]))
async def test_no_report_shows_what_is_erased_at_the_same_moment(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, first: str, state: RequestState
) -> None:
    shown, erased = await _approved(ground, RequestKind.ACCESS, RequestKind.ERASURE)
    reached, kept = asyncio.Event(), asyncio.Event()
    end_others, erasures = ending.end_others, list[asyncio.Task[None]]()

    async def made(_page: Any) -> dict[str, bytes]:
        # All of it was read: now the erasure goes its whole way before the report is kept, or to
        # where it ends what would outlast it.
        erasures.append(asyncio.create_task(answering.carry_out(ground, erased)))
        await asyncio.wait_for(erasures[0] if first == "erasure" else reached.wait(), 30)
        return {"json": b"What is held about her"}

    async def ended(work: Work, request_id: UUID) -> None:
        reached.set()
        if first == "report":
            await asyncio.wait_for(kept.wait(), 30)
        await end_others(work, request_id)

    monkeypatch.setattr(answering, "files_of", made)
    monkeypatch.setattr(ending, "end_others", ended)
    await answering.carry_out(ground, shown)
    async with transaction(ground, PROGRAM) as work:
        at_first = S.LAPSED if first == "erasure" else S.DONE
        assert (await _state(work, shown)).state == at_first
    kept.set()
    await asyncio.gather(*erasures)
    async with transaction(ground, PROGRAM) as work:
        assert (await _state(work, erased)).state == S.DONE
        assert (await _state(work, shown)).state == state
        assert (await work.session.scalars(select(RequestFile.id))).all() == []


async def test_no_report_shows_a_child_that_takes_the_place_of_another_while_it_is_made(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = await _approved(ground, RequestKind.ACCESS)
    compare, read = before_report.leave_out, []

    async def changed_then(*compared: Any) -> None:
        await compare(*compared)
        async with transaction(ground, PROGRAM) as work:
            contact = (await work.session.scalars(select(Contact).with_for_update())).one()
            change = Change("child.a1.name", "Sestra", contact.revision)
            assert (await save_answers(work, contact, [change])).conflicts == {}

    async def made(page: Any) -> dict[str, bytes]:
        read.append(str(page))
        return {"json": b"What is held about her"}

    monkeypatch.setattr(report, "leave_out", changed_then)
    monkeypatch.setattr(answering, "files_of", made)
    await answering.carry_out(ground, shown)
    (told,) = read
    assert f"{WORD} child" in told
    assert "Sestra" not in told
    async with transaction(ground, PROGRAM) as work:
        assert (await _state(work, shown)).state == S.DONE


@nightly
async def test_no_file_of_single_records_that_is_made_meanwhile_outlasts_an_erasure(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day one that is ready goes (test_data_requests), and a report that is made meanwhile."""
    (erased,) = await _approved(ground, RequestKind.ERASURE)
    async with transaction(ground, PROGRAM) as work:
        export = Export(
            id=uuid4(),
            what="contacts",
            format="csv",
            begins="2030-01-01",
            ends="2030-01-31",
            options={},
            state=ExportState.APPROVED.value,
            personal=True,
            asked_role="supervisor",
            asked_at=work.now,
            reason_sealed=b"x",
            decided_by=await work.session.scalar(select(Staff.id).limit(1)),
        )
        work.session.add(export)

    async def pieces(_kind: str) -> AsyncIterator[bytes]:
        yield bytes(PIECE)
        await answering.carry_out(ground, erased)
        yield b"What was held about her"

    @asynccontextmanager
    async def made(*_: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(pieces=pieces, progress={"done": 0}, table=SimpleNamespace(of=1))

    monkeypatch.setattr(carrying_out, "made", made)
    monkeypatch.setattr(carrying_out, "wanted_of", lambda _: SimpleNamespace(kind="csv"))
    await carrying_out.make(ground, export.id)
    async with transaction(ground, PROGRAM) as work:
        assert (await _state(work, erased)).state == S.DONE
        assert (await work.session.get_one(Export, export.id)).state == ExportState.EXPIRED
        assert (await work.session.scalars(select(ExportPart.number))).all() == []
