"""A report answers the person: it shows something, is in a file, and another officer opens it."""

import contextlib
import errno
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.cli import data_requests as commands
from app.errors import Refusal
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.retention.data_requests import answering, deadlines, reminding, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.command_line import typed_on
from tests.support.planted import as_person
from tests.support.profile import by_day
from tests.support.retention.requested import NUMBER, WORDS, a_person, approved, found_by, release
from tests.support.retention.siblings import SISTER, asked, write
from tests.support.verbs import a_line, a_supervisor, an_administrator

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]


async def made(work: Work, boss: Staff) -> DataRequest:
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, request)
    work.actor = PROGRAM
    work.jobs.clear()
    await answering.keep_files(work, request.id, {"json": b"What is held about her"})
    return request


def told(work: Work) -> list[tuple[str, str]]:
    jobs = [job.arguments for job in work.jobs if job.task == Task.REMIND_OF_REQUESTS]
    work.jobs.clear()
    return sorted((job["staff_id"], job["state"]) for job in jobs)


@pytest.mark.situation
async def test_the_others_are_told_of_a_report_whose_officer_leaves_after_it_was_made(
    work: Work,
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    nora, zora = await a_supervisor(work, "nora"), await a_supervisor(work, "zora")
    mila = await an_administrator(work)
    for one in (boss, nora, zora, mila):
        one.email = f"{one.name}@x.example"
    request = await made(work, boss)
    assert told(work) == []
    work.now += timedelta(days=1)
    assert (await reminding.remind(work), told(work)) == (0, [])
    boss.active = False
    # The person who decided on it may not open it.
    request.decided_by = zora.id
    await flush(work)
    for _ in range(2):
        assert await reminding.remind(work) == 1
        assert told(work) == [(str(nora.id), "unopened")]
        assert (await reminding.remind(work), told(work)) == (0, [])
        work.now += timedelta(days=1)
    as_person(work, nora)
    await answering.take_over(work, nora, request.id)
    await flush(work)
    work.actor = PROGRAM
    assert (await reminding.remind(work), told(work)) == (0, [])
    # It was not opened either. Near the day it is told once more, to its officer.
    work.now += timedelta(days=8)
    assert await answering.expire_files(work) == 1
    work.now = request.began_at + timedelta(days=20)
    assert await reminding.remind(work) == 1
    assert told(work) == [(str(nora.id), "unopened")]
    assert (await reminding.remind(work), told(work)) == (0, [])


@pytest.mark.situation
async def test_a_report_that_its_officer_alone_can_open_is_told_to_others_near_the_day_only(
    work: Work,
) -> None:
    """The officer is there, and has no address."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    nora = await a_supervisor(work, "nora")
    boss.email, nora.email = None, "nora@x.example"
    request = await made(work, boss)
    assert told(work) == []
    work.now += timedelta(days=1)
    assert (await reminding.remind(work), told(work)) == (0, [])
    work.now = request.began_at + timedelta(days=20)
    assert await reminding.remind(work) == 1
    assert told(work) == [(str(nora.id), "unopened")]


# It does not depend on who asks.
@pytest.mark.parametrize("person", by_day([AskingPerson.CHILD, AskingPerson.GUARDIAN]))
async def test_no_report_of_nothing_is_made(
    work: Work, person: AskingPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that was released tells of another child since: the officer has to look anew."""
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    await a_line(work)
    boss = await a_supervisor(work)
    boss.email = "boss@x.example"
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, items = await asked(work, boss, lone.code, RequestKind.ACCESS, person)
    wanted = {(ItemKind(one.kind), one.subject_id): None for one in items.values()}
    await requests.set_kept(work, boss, request.id, wanted)
    await write(work, lone, {"child.a1.name": SISTER})
    await approved(work, boss, request)
    work.jobs.clear()
    work.actor = PROGRAM

    @contextlib.asynccontextmanager
    async def in_the_same(*_: object, **__: object) -> AsyncIterator[Work]:
        yield work

    monkeypatch.setattr(answering, "transaction", in_the_same)
    monkeypatch.setattr(answering, "ONE_STATE", text("SELECT 1"))
    await answering.carry_out(work.ground, request.id)
    await work.session.refresh(request)
    assert request.state == RequestState.FAILED
    assert deadlines.is_unanswered(request)
    jobs = [job.arguments for job in work.jobs if job.task == Task.TELL_REQUEST_ENDED]
    assert [(job["staff_id"], job["state"]) for job in jobs] == [(str(boss.id), "failed")]


@pytest.mark.situation
async def test_a_report_that_cannot_be_written_into_a_file_counts_as_not_opened(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boss, _, _ = await a_person(work)
    work.actor = PROGRAM
    request = await requests.find(work, None, RequestKind.ACCESS, AskingPerson.CHILD, NUMBER)
    await release(work, None, request)
    ground, how = RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT
    await requests.ask(work, None, request.id, ground, how, WORDS)
    as_person(work, boss)
    await requests.decide(work, boss, request.id, approve=True)
    work.actor = PROGRAM
    await answering.keep_files(work, request.id, {"json": b"x", "pdf": b"y"})
    await flush(work)
    types = typed_on(work, monkeypatch, commands.app, commands)
    missing = tmp_path / "no" / "such.pdf"
    done = await types("report", request.code, "--out", str(missing), fails=True)
    assert isinstance(done.exception, Refusal)
    assert f"{missing} cannot be written" in str(done.exception)
    # What it would be is not known.
    done = await types("report", request.code, "--out", str(tmp_path), fails=True)
    assert "Choose one of these formats" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
    await work.session.refresh(request)
    assert deadlines.is_unanswered(request)

    # The disk is full: the command fails, and so its work is undone.
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "report.pdf"
    out.write_bytes(b"of before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = await types("report", request.code, "--out", str(out), fails=True)
    assert "No space left on device" in str(done.exception)
    assert out.read_bytes() == b"of before"

    await types("report", request.code, "--out", str(out))
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (b"y", 0o600)
    assert list(tmp_path.iterdir()) == [out]
    await work.session.refresh(request)
    assert not deadlines.is_unanswered(request)
