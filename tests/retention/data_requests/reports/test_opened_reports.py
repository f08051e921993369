"""A finished report is compared again whenever it is opened, as long as it lasts."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.contacts.models import Contact
from app.errors import Conflict
from app.jobs.transaction import flush, transaction
from app.retention.data_requests import answering, deadlines, requests
from app.retention.data_requests.kinds import RequestState
from app.retention.data_requests.models import DataRequest, RequestFile, RequestItem
from app.retention.data_requests.reports import report
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage
from tests.support.retention.requested import approved, release
from tests.support.retention.siblings import SISTER, asked, remove, write
from tests.support.verbs import a_line, a_supervisor

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

MADE = b"What is held about her"


async def finished(work: Work) -> tuple[Staff, Contact, DataRequest]:
    """Return the officer, the contact and the report of a child that is alone in it."""
    boss = await a_supervisor(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, _ = await asked(work, boss, lone.code)
    await release(work, boss, request)
    await approved(work, boss, request)
    work.actor = PROGRAM
    await report.read_all(work, request)
    await answering.keep_files(work, request.id, {"json": MADE})
    await flush(work)
    as_person(work, boss)
    return boss, lone, request


async def test_a_report_opens_while_it_shows_the_person_alone(work: Work) -> None:
    await a_line(work)
    boss, lone, request = await finished(work)
    assert await answering.open_report(work, boss, request.id, "json") == MADE
    # A colleague goes on with the record of the same child.
    await write(work, lone, {"actions.summary": "She was rung again."})
    work.now += timedelta(days=6)
    assert await answering.open_report(work, boss, request.id, "json") == MADE


async def test_what_it_shows_is_on_no_page_and_is_forgotten_with_it(work: Work) -> None:
    await a_line(work)
    boss, _, request = await finished(work)
    assert await requests.items_of(work, request) == []
    assert await _rows(work, RequestItem, request) > 0
    work.now += timedelta(days=7)
    await answering.expire_files(work)
    assert await _rows(work, RequestItem, request) == await _rows(work, RequestFile, request) == 0
    assert (request.state, request.sought_sealed) == (RequestState.EXPIRED, None)
    with pytest.raises(Conflict, match="no report to open"):
        await answering.open_report(work, boss, request.id, "json")


@pytest.mark.parametrize("was_opened", by_day([False, True]))
async def test_a_report_that_may_show_another_child_by_now_is_deleted_and_not_opened(
    quiet: QuietStage, was_opened: bool
) -> None:
    async with transaction(quiet.ground, PROGRAM) as work:
        boss, lone, request = await finished(work)
        if was_opened:
            await answering.open_report(work, boss, request.id, "json")
    async with transaction(quiet.ground, PROGRAM) as work:
        as_person(work, boss)
        contact = await work.session.get_one(Contact, lone.id)
        await remove(work, contact, "a1")
        await write(work, contact, {"child.a2": 1, "child.a2.name": SISTER})
    for refusal in ("may be about another person. The report was deleted", "no report to open"):
        with pytest.raises(Conflict, match=refusal):
            await _open(quiet, boss, request)
    async with transaction(quiet.ground, PROGRAM) as work:
        left = await work.session.get_one(DataRequest, request.id)
        assert (left.state, left.sought_sealed) == (RequestState.EXPIRED, None)
        assert await _rows(work, RequestFile, left) == await _rows(work, RequestItem, left) == 0
        # Unless it was opened before, the person still waits, and the request is begun again.
        assert deadlines.is_unanswered(left) is not was_opened


async def _open(quiet: QuietStage, boss: Staff, request: DataRequest) -> bytes:
    async with transaction(quiet.ground, PROGRAM) as work:
        as_person(work, boss)
        return await answering.open_report(work, boss, request.id, "json")


async def _rows(work: Work, model: Any, request: DataRequest) -> int:
    of_request = model.request_id == request.id
    return await work.session.scalar(select(func.count()).where(of_request)) or 0
