"""Commands of the documents that need rows of the reader, as they stand there: with these rows.

`tests/documents/test_helpline_commands.py` runs the others, and names the tests of these.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from app.cli import data_requests, retention
from app.cli.staff import ways_in
from app.jobs.transaction import flush
from app.retention.data_requests import answering, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.reports import report
from app.retention.holds import open_holds
from app.staff import second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.command_line import Types, typed_on
from tests.support.documents.shell import documented
from tests.support.planted import as_person
from tests.support.retention.requested import NUMBER, WORDS, a_person, release
from tests.support.verbs import a_supervisor, an_administrator

pytestmark = pytest.mark.whole

Typed = Callable[..., Types]
CODE = "D-7F3-9QD-2XC"


@pytest.fixture
def typed(work: Work, monkeypatch: pytest.MonkeyPatch) -> Typed:
    async def write(work: Work, action: AuditLog, subject: str, **detail: Any) -> None:
        write_entry(work, action, subject, **detail)

    # Readings are committed by themselves, and would wait for the one transaction of the test.
    for module in (requests, report, answering):
        monkeypatch.setattr(module, "write_reading", write)
    return lambda app, *modules: typed_on(work, monkeypatch, app, *modules)


async def test_a_case_is_held_and_let_go(work: Work, typed: Typed) -> None:
    types = typed(retention.app, retention)
    boss = await a_supervisor(work)
    case = await planted.a_case(work, boss)
    work.actor = PROGRAM
    record = {"C-7F3-9QD-2XC": case.code}
    for words in documented("retention hold", record):
        await types(*words)
    assert [held.code for held in await open_holds(work)] == [case.code]
    for words in documented("retention lift", record):
        await types(*words)
    assert await open_holds(work) == []


async def test_a_person_is_found_and_their_request_is_decided(work: Work, typed: Typed) -> None:
    types = typed(data_requests.app, data_requests)
    boss, _, contact = await a_person(work)
    work.actor = PROGRAM
    (words,) = documented("data-requests find")
    found = await types(*words, given=NUMBER)
    code = found.output.partition("\t")[0]
    for words in documented("data-requests show", {CODE: code}):
        assert f"contact:{contact.id}" in (await types(*words)).output
    for words in documented(
        "data-requests keep", {CODE: code, "contact:0195…": f"contact:{contact.id}"}
    ):
        assert "kept: legal_duty" in (await types(*words)).output
    begun = await work.session.scalars(select(DataRequest).where(DataRequest.code == code))
    await release(work, None, begun.one())
    for words in documented("data-requests extend", {CODE: code}):
        extended = (await types(*words)).output
        assert "complex\tnot told" in extended
        assert "There are many records." in extended
    for words in documented("data-requests told", {CODE: code}):
        assert "told on" in (await types(*words)).output
    for words in documented("data-requests ask", {CODE: code}):
        assert f"{code}\terasure\tchild\tasked" in (await types(*words)).output
    # The command line decides what a person asked on the page.
    as_person(work, boss)
    asked = await requests.find(work, boss, RequestKind.ERASURE, AskingPerson.CHILD, NUMBER)
    await release(work, boss, asked)
    await requests.ask(work, boss, asked.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS)
    work.actor = PROGRAM
    for words in documented("data-requests decide", {CODE: asked.code}):
        await types(*words)
    assert asked.state == RequestState.APPROVED


async def test_the_report_of_a_request_is_written(
    work: Work, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = typed(data_requests.app, data_requests)
    boss, _, _ = await a_person(work)
    as_person(work, boss)
    asked = await requests.find(work, boss, RequestKind.ACCESS, AskingPerson.CHILD, NUMBER)
    await release(work, boss, asked)
    await requests.ask(
        work, boss, asked.id, RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT, WORDS
    )
    work.actor = PROGRAM
    mila = await an_administrator(work)
    as_person(work, mila)
    await requests.decide(work, mila, asked.id, approve=True)
    work.actor = PROGRAM
    await flush(work)
    # What stands in it, and how it is printed, is tried where it is made.
    await answering.keep_files(work, asked.id, {"pdf": b"%PDF", "json": b"{}"})
    boss.active = False
    for words in documented("data-requests take-over", {CODE: asked.code}):
        assert "\tdone" in (await types(*words)).output
    monkeypatch.chdir(tmp_path)
    for words in documented("data-requests report", {CODE: asked.code}):
        await types(*words)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


async def test_a_second_factor_is_taken_away(work: Work, typed: Typed) -> None:
    vera = await a_supervisor(work, "vera")
    telephone = pyotp.TOTP((await second_factor.begin(work, vera)).secret)
    await second_factor.confirm(work, vera, telephone.at(work.now))
    assert (await second_factor.state_of(work, vera)).since is not None
    types = typed(ways_in.app, ways_in)
    for words in documented("staff reset-second-factor"):
        await types(*words)
    assert (await second_factor.state_of(work, vera)).since is None
