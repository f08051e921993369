"""What entries of the log still decide, once they are erased."""

import re
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from app.people import leaving, links
from app.retention import log_due
from app.retention.data_requests.kinds import AskingPerson, ItemKind
from app.retention.data_requests.reports.parts import Paper
from app.retention.data_requests.reports.report import count_log
from app.staff.account_makers import are_two_people
from app.staff.log_checks.beginnings import beginning_of
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import every_entry
from app.work import Work
from tests.support.retention.old_log import YEARS, broken, call, entry, old_log
from tests.support.verbs import a_counsellor


async def test_what_decides_about_accounts_is_kept_beside_the_log(work: Work) -> None:
    person = str(uuid4())
    for action, after in (
        (AuditLog.STAFF_ADDED, {"role": "counsellor"}),
        (AuditLog.STAFF_CHANGED, {"team": "north"}),
        (AuditLog.STAFF_CHANGED, {"email": "a…"}),
        (AuditLog.SIGNED_IN, {}),
        (AuditLog.STAFF_DEACTIVATED, {}),
    ):
        await entry(work, 3000, action=action, subject=person, before={}, after=after)
    assert await call(work, up_to=5) == 5
    entries = every_entry()
    found = await work.session.scalars(
        select(entries).where(entries.subject == person).order_by(entries.id)
    )
    assert [(one.id, one.action) for one in found] == [
        (1, "staff_added"),
        (3, "staff_changed"),
        (5, "staff_deactivated"),
    ]
    assert await broken(work) == {}


async def test_the_function_of_the_database_and_the_program_say_the_same(work: Work) -> None:
    """What is kept is a list in the function: code that reads another kind needs it there, too."""
    source = await work.session.scalar(
        text("SELECT prosrc FROM pg_proc WHERE proname = 'erase_log'")
    )
    assert source is not None
    kept = re.search(r"e\.action IN \(([^)]*)\)", source)
    assert kept is not None
    assert set(re.findall(r"'(\w+)'", kept[1])) <= set(AuditLog)
    assert f"days < {YEARS}" in source
    assert log_due.NAMES_HELD in source


async def test_who_made_an_account_is_no_second_person_also_after_the_log_begins_later(
    work: Work,
) -> None:
    ana, vera = await a_counsellor(work, "ana"), await a_counsellor(work, "vera")
    assert await are_two_people(work, vera, ana)
    for action in (AuditLog.STAFF_ADDED, AuditLog.STAFF_DEACTIVATED):
        await entry(work, 3000, action=action, subject=str(ana.id), actor=str(vera.id))
    assert not await are_two_people(work, vera, ana)
    left = await leaving.last_left_at(work, ana)
    assert left is not None
    assert await call(work) == 2
    assert not await are_two_people(work, vera, ana)
    assert await leaving.last_left_at(work, ana) == left
    assert await links.was_used(work, ana)
    assert not await links.was_used(work, vera)


async def test_a_person_who_asks_is_told_where_the_log_begins(work: Work) -> None:
    await old_log(work, 3000, 2999)
    await entry(work, 12, action="case_read", subject="case:x")
    paper = Paper(work, uuid4(), AskingPerson.CHILD, "en", ZoneInfo("UTC"))
    nothing: dict[ItemKind, list[Any]] = {kind: [] for kind in ItemKind}
    assert (await count_log(paper, nothing))[1] == []
    assert await call(work) == 2
    ((block,),) = ((await count_log(paper, nothing))[1],)
    begins = await beginning_of(work.session)
    assert begins is not None
    assert block.lines == [{"label": "The log begins on", "value": paper.at(begins.at)}]
