"""Answers from before their question was marked as special are sealed, wherever they stand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.contacts import completing, contacts
from app.contacts.models import CompletedVersion, Contact, EarlierAnswer
from app.contacts.records import Opened
from app.contacts.registry import library_of
from app.contacts.saving import Change
from app.contacts.special_codes import admit, codes_of
from app.contacts.states import ContactChannel
from app.country import marked
from app.country.sets import put_in_force, take_back
from app.database.logs import Why, change_rows
from app.definitions.risk import Urgency
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.staff.log_checks.sealed_words import verify_words
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.work import Work
from tests.support.definitions.sets import NEXT, at, taken, with_short_form
from tests.support.planted import as_person, readable_in
from tests.support.profile import by_day
from tests.support.verbs import a_supervisor

pytestmark = pytest.mark.whole

_DISTRICT = "- {code: district,"
_ILL = (
    "- {code: ill, type: choice, %slabel: {en: Ill, sr: Bolest}, options: ["
    "{code: zzcough, label: {en: Cough, sr: Kašalj}},"
    " {code: zzfever, label: {en: Fever, sr: Groznica}}]}\n      "
)
OPEN = with_short_form((_DISTRICT, _ILL % "" + _DISTRICT))
MARKED = with_short_form(NEXT, (_DISTRICT, _ILL % "special: health, " + _DISTRICT))
CODES = ("zzcough", "zzfever")
# The definitions say what the codes mean.
DEFINED = {"definitions.text", "definition_sets.files"}


async def a_contact(work: Work, owner: Staff) -> Contact:
    """Return a completed contact in which an answer was changed later."""
    answers: dict[str, Any] = {
        "note.who": "child",
        "note.about": ["V-BULLYING"],
        "note.ill": "zzcough",
        "note.danger": "no",
    }
    changes = [Change(path, value, 0) for path, value in answers.items()]
    contact, saved = await contacts.create_contact(
        work, owner, channel=ContactChannel.EMAIL, changes=changes
    )
    assert saved.refused == {}
    await flush(work)
    work.now += timedelta(hours=1)
    change = [Change("note.ill", "zzfever", contact.revision)]
    _, saved = await contacts.save(work, owner, contact.id, change)
    assert list(saved.saved) == ["note.ill"]
    await contacts.decide_urgency(work, owner, contact.id, Urgency.ROUTINE, "")
    await completing.complete(work, owner, contact.id)
    await flush(work)
    return await _again(work, contact)


async def _again(work: Work, contact: Contact) -> Contact:
    return await work.session.get_one(Contact, contact.id, populate_existing=True)


async def seal(work: Work) -> int:
    """Do what the job does, in the transaction of the test."""
    total = 0
    for some in await marked.marked_records(work):
        for step in marked.steps_of(some):
            after: Any = None
            while True:
                done, after = await marked.seal_some(work, some, step, after)
                total += done
                if after is None:
                    break
    await flush(work)
    return total


async def later_marked(work: Work) -> tuple[int, Contact, Contact]:
    """Return the order of a set that marks a question, and two contacts from before."""
    boss = await a_supervisor(work)
    as_person(work, boss)
    await put_in_force(work, await taken(work, OPEN, "open"), accept=True)
    await at(work, work.now)
    first, second = await a_contact(work, boss), await a_contact(work, boss)
    assert first.answers["note.ill"] == "zzfever", "it is no special code yet"
    order = await put_in_force(work, await taken(work, MARKED, "marked"), accept=True)
    (job,) = [job for job in work.jobs if job.task == Task.SEAL_MARKED]
    assert job.delay == timedelta(seconds=60)
    await at(work, work.now + timedelta(seconds=60))
    return order.id, first, second


async def test_a_later_mark_seals_what_stands_in_records_and_logs_and_opens_nothing_again(
    work: Work,
) -> None:
    order, first, _ = await later_marked(work)
    before = {code: await readable_in(work, code) for code in CODES}
    assert before["zzfever"] - DEFINED == {"contacts.answers", "completed_versions.answers"}
    assert before["zzcough"] - DEFINED == {"earlier_answers.answer"}
    days = "SELECT count(*) FROM statistic_days"
    kept, revision = await work.session.scalar(text(days)), first.revision
    assert await marked.is_left(work)
    assert await seal(work) == 6, "of each contact the answer, the earlier one, the completed one"
    for code in CODES:
        assert await readable_in(work, code) - DEFINED == set()
    assert await work.session.scalar(text(days)) == kept, "figures are not counted anew for it"
    contact = await _again(work, first)
    assert contact.revision == revision
    assert contact.answers.keys() == {"note.who", "note.danger"}
    await admit(work, contact)
    assert codes_of(work, contact)["note.ill"] == "zzfever"
    statement = select(AuditEntry.detail).where(AuditEntry.action == AuditLog.MARKED_ANSWERS_SEALED)
    rows = (await work.session.scalars(statement)).all()
    assert [(row["form"], row["number"]) for row in rows] == [("brief 2", 2)] * 3
    assert "note.ill" in rows[0]["questions"]
    # A second time changes nothing, and neither does a mark that is taken back.
    sealed = dict(contact.sealed)
    await its_history_reads_as_before(work, contact)
    assert await seal(work) == 0
    assert not await marked.is_left(work)
    await take_back(work, order)
    await at(work, work.now + timedelta(seconds=1))
    assert library_of(work.ground).form_for("contact").version == 2
    assert await seal(work) == 0
    assert (await _again(work, contact)).sealed == sealed


async def its_history_reads_as_before(work: Work, contact: Contact) -> None:
    rows: Sequence[Any] = (
        await work.session.scalars(
            select(EarlierAnswer).where(EarlierAnswer.subject_id == contact.id)
        )
    ).all()
    (earlier,) = rows
    opened = Opened(work, contact)
    assert opened.unseal_answer("note.ill", earlier.sealed) == "zzcough"
    version = (
        await work.session.scalars(
            select(CompletedVersion).where(CompletedVersion.contact_id == contact.id)
        )
    ).one()
    assert opened.unseal_answer("note.ill", version.sealed["note.ill"]) == "zzfever"
    # What was sealed later has a sum from then on.
    reports = {one.table: one for one in await verify_words(work)}
    assert [one for one in reports.values() if one.broken] == []
    assert reports["words_of_completed_versions"].rows == 4
    assert reports["words_of_earlier_answers"].rows == 2
    assert reports["words_before_sums"].rows == 0


async def test_of_an_erased_record_nothing_more_is_kept_than_was(work: Work) -> None:
    _, first, _ = await later_marked(work)
    await work.session.execute(
        text("UPDATE contacts SET erased_at = now() WHERE id = :id"), {"id": first.id}
    )
    seals = "SELECT sealed FROM completed_versions WHERE contact_id = :id"
    await change_rows(
        work.session,
        Why.ERASING,
        "completed_versions",
        [({"contact_id": first.id, "number": 1}, {"sealed": {}})],
    )
    await _again(work, first)
    assert await seal(work) == 6
    assert await work.session.scalar(text(seals), {"id": first.id}) == {}
    for code in CODES:
        assert await readable_in(work, code) - DEFINED == set()


@pytest.mark.parametrize(
    "put",
    by_day(
        [
            # Another answer is changed by it, one is lost, one is sealed that was never there.
            {"answers": {"note.who": "adult", "note.danger": "no"}, "sealed": {"note.ill": "x"}},
            {"answers": {"note.who": "child"}, "sealed": {"note.ill": "x"}},
            {"answers": None, "sealed": {"note.ill": "x", "note.none": "x"}},
            {"answers": {}, "sealed": {}},
        ],
    ),
    ids=by_day(["another", "lost", "added", "gone"]),
)
async def test_a_log_takes_no_other_change_than_the_seal(work: Work, put: dict[str, Any]) -> None:
    _, first, _ = await later_marked(work)
    version = (
        await work.session.scalars(
            select(CompletedVersion).where(CompletedVersion.contact_id == first.id)
        )
    ).one()
    answers = put["answers"]
    if answers is None:
        answers = {path: v for path, v in version.answers.items() if path != "note.ill"}
    sealed = {**version.sealed, **put["sealed"]} if put["sealed"] else {}
    sought = {"contact_id": first.id, "number": 1}
    with pytest.raises(DBAPIError, match="append-only"):
        await change_rows(
            work.session,
            Why.RESEALING,
            "completed_versions",
            [(sought, {"answers": answers, "sealed": sealed})],
        )
