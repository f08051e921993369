"""The oldest part of the log of people's acts goes by a rule, and its chain stays provable."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.calls.models import VoiceMessage
from app.contacts import contacts
from app.contacts.models import Opening
from app.contacts.states import Channel
from app.errors import Invalid
from app.jobs.transaction import flush
from app.people import leaving, links
from app.people.emergency import emergencies
from app.retention import log_due, running
from app.retention.data_requests.kinds import AskingPerson, ItemKind
from app.retention.data_requests.parts import Paper
from app.retention.data_requests.report import _log
from app.retention.holds import hold, lift
from app.retention.kinds import HeldKind, default_days
from app.retention.models import Erasure, LegalHold
from app.routing.callbacks import callbacks
from app.routing.callbacks.callback_rows import Who
from app.staff.account_makers import are_two_people
from app.staff.audit import verify_chains
from app.staff.emergency_rows import EmergencyKind
from app.staff.log_beginnings import beginning_of
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import LogBeginning, every_entry
from app.work import Work
from tests.support import planted
from tests.support.retention.erasing import D, due_rows, erase, is_erased, rule
from tests.support.retention.old_log import SHORTEST, YEARS, entry, ids, old_log
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_referral,
    an_agency,
    rings,
)

CALL = "SELECT erase_log(:log, :up_to, :days, :run)"


async def broken(work: Work) -> dict[str, list[int | str]]:
    return {one.table: one.broken for one in await verify_chains(work.session) if one.broken}


async def call(work: Work, **values: Any) -> int | None:
    """Call the owner's function as the program can; what it refuses changes nothing. Without a rule
    of the test there is the shortest one."""
    await work.session.execute(text(SHORTEST))
    given = {"log": "audit_entries", "up_to": 2, "days": YEARS, "run": uuid4()} | values
    async with work.session.begin_nested():
        found: int | None = await work.session.scalar(text(CALL), given)
        return found


async def test_the_log_is_kept_for_ever_until_an_administrator_decides_and_then_for_years(
    work: Work,
) -> None:
    assert default_days(D.LOG, 90) is None
    await old_log(work, 5000, 4000)
    assert await due_rows(work, D.LOG) == 0
    with pytest.raises(Invalid):
        await rule(work, D.LOG, YEARS - 1)
    await rule(work, D.LOG, YEARS)
    assert await due_rows(work, D.LOG) == 2


async def test_what_is_older_than_the_rule_goes_and_the_chain_begins_later(work: Work) -> None:
    await old_log(work, 3000, 2500, 2001, 1990, 5)
    await rule(work, D.LOG, 2000)
    await flush(work)
    before = await ids(work)
    assert await beginning_of(work.session) is None
    run_id = uuid4()
    assert await due_rows(work, D.LOG) == 3
    assert await running.erase_some(work, D.LOG, run_id, set()) == 3
    assert await ids(work) == [*before[3:], len(before) + 1]
    assert await broken(work) == {}
    begun = await work.session.scalar(select(LogBeginning))
    assert begun is not None
    assert (begun.last_id, begun.rows, begun.days, begun.run_id) == (3, 3, 2000, run_id)
    beginning = await beginning_of(work.session)
    assert beginning is not None
    assert (beginning.days, beginning.entries) == (2000, 3)
    told = await work.session.scalar(
        text("SELECT detail FROM audit_entries WHERE action = 'log_entries_erased'")
    )
    assert told == {
        "count": 3,
        "days": 2000,
        "last": 3,
        "hash": begun.hash.hex(),
        "run": str(run_id),
    }
    receipt = await work.session.get_one(Erasure, (run_id, "log"))
    assert (receipt.rows, receipt.days) == (3, 2000)
    # The end of the run adds no second entry about it.
    await running.log_receipts(work, run_id)
    await flush(work)
    assert len(await ids(work)) == len(before) - 3 + 1


async def test_the_dry_run_says_what_a_run_erases_in_parts(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(running._AT_ONCE, D.LOG, 2)
    await old_log(work, *range(3000, 2993, -1), 10)
    await rule(work, D.LOG, 2000)
    await flush(work)
    await is_erased(work, D.LOG)
    parts = await work.session.scalars(select(LogBeginning.rows).order_by(LogBeginning.last_id))
    assert list(parts) == [2, 2, 2, 1]
    assert await broken(work) == {}
    # A log that grows on fits, too.
    await entry(work, 0)
    assert await broken(work) == {}


async def test_an_entry_that_stays_keeps_all_after_it(work: Work) -> None:
    """A clock that was wrong for an hour leaves an old entry after a young one: no hole is made."""
    await old_log(work, 3000, 10, 3000, 3000)
    await rule(work, D.LOG, YEARS)
    assert await erase(work, D.LOG) == 1
    assert (await ids(work))[:3] == [2, 3, 4]


async def test_a_log_whose_entries_are_all_old_goes_on_with_its_numbers(work: Work) -> None:
    await old_log(work, 3000, 2999)
    assert await call(work) == 2
    assert await ids(work) == [3]
    await entry(work, 0)
    assert await ids(work) == [3, 4]
    assert await broken(work) == {}


async def dry(work: Work) -> running.Due:
    (found,) = [one for one in await running.dry_run(work) if one.kind is D.LOG]
    return found


@pytest.mark.parametrize(
    "named", [{"subject": "case:{id}"}, {"ids": ["x", "{id}"]}, {"of": {"read": "case:{id}"}}]
)
async def test_what_names_a_held_record_stays_with_all_after_it(
    work: Work, named: dict[str, Any]
) -> None:
    held = uuid4()
    await old_log(work, 3000, 2999)
    await entry(work, 2998, **json.loads(json.dumps(named).replace("{id}", str(held))))
    await old_log(work, 2997, 10)
    await rule(work, D.LOG, YEARS)
    values = {"id": uuid4(), "reason_sealed": b"", "held_at": work.now}
    work.session.add(LegalHold(subject_kind="case", subject_id=held, **values))
    await flush(work)
    at = await work.session.scalar(text("SELECT at FROM audit_entries WHERE id = 3"))
    assert (await dry(work)).held_from == at
    assert (await dry(work)).rows == 2
    await is_erased(work, D.LOG)
    assert (await ids(work))[0] == 3
    assert await broken(work) == {}


async def test_a_hold_keeps_what_is_said_of_the_call_until_it_is_lifted(work: Work) -> None:
    await a_line(work)
    call, _ = await rings(work)
    await old_log(work, 3000)
    await entry(work, 2999, action="call_record_read", subject=str(call.id))
    contact = await planted.a_contact(work, await a_counsellor(work, "ana"), call)
    await rule(work, D.LOG, YEARS)
    await hold(work, None, HeldKind.CONTACT, contact.id, "a court asks")
    await flush(work)
    assert (await dry(work)).rows == 1
    await is_erased(work, D.LOG)
    await lift(work, None, HeldKind.CONTACT, contact.id)
    assert (await dry(work)).held_from is None
    await is_erased(work, D.LOG)
    assert (await ids(work))[0] == 3


async def test_a_hold_keeps_what_is_said_of_all_that_belongs_to_the_record(work: Work) -> None:
    ana, bob = await a_counsellor(work, "ana"), await a_counsellor(work, "bob")
    await a_line(work)
    await an_agency(work, "house")
    call, _ = await rings(work)
    window = (work.now, work.now + timedelta(hours=1))
    callback = await callbacks.agree(work, call, Who.CALLER, window, safe=True)
    voice = VoiceMessage(call_id=call.id, recording_sid="RE1", created_at=work.now)
    contact, _ = await contacts.create_contact(work, ana, channel=Channel.CALL)
    await flush(work)
    linked = {"call": call.id, "id": contact.id}
    await work.session.execute(text("UPDATE contacts SET call_id = :call WHERE id = :id"), linked)
    made, sibling, other = [await a_referral(work, ana) for _ in range(3)]
    made.contact_id, made.opened_together = contact.id, sibling.opened_together
    opening = Opening(
        staff_id=bob.id,
        contact_id=contact.id,
        team="",
        contacts=[contact.id],
        at=work.now,
        until=work.now,
        reason_sealed=b"",
    )
    work.session.add_all([voice, opening])
    await flush(work)
    emergency = await emergencies.ask(
        work, bob, EmergencyKind.RECORD, "A ground.", 60, contact.code
    )
    await hold(work, None, HeldKind.CONTACT, contact.id, "a court asks")
    await flush(work)
    held = set(await work.session.scalar(text("SELECT held_in_log()")) or ())
    named: list[Any] = [contact, call, callback, voice, made, sibling, opening, emergency]
    assert [type(one) for one in named if str(one.id) not in held] == []
    assert str(other.id) not in held


async def test_a_held_case_keeps_what_is_said_of_a_referral_that_names_one_of_its_contacts(
    work: Work,
) -> None:
    ana = await a_counsellor(work, "ana")
    await an_agency(work, "house")
    contact, _ = await contacts.create_contact(work, ana, channel=Channel.CALL)
    await flush(work)
    case = await planted.a_case(work, ana, contact)
    made, other = await a_referral(work, ana), await a_referral(work, ana)
    made.contact_id = contact.id
    await hold(work, None, HeldKind.CASE, case.id, "a court asks")
    await flush(work)
    held = set(await work.session.scalar(text("SELECT held_in_log()")) or ())
    assert {str(case.id), str(contact.id), str(made.id)} <= held
    assert str(other.id) not in held


# -- attacks by the role of the program --------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_entries WHERE id = 1",
        "DELETE FROM log_beginnings",
        "UPDATE log_beginnings SET last_id = 9",
        "TRUNCATE log_beginnings",
        "INSERT INTO log_beginnings VALUES ('audit_entries', 9, '\\x', 9, now(), now(), 1095,"
        " gen_random_uuid())",
        "DELETE FROM kept_entries",
        "INSERT INTO kept_entries SELECT * FROM audit_entries",
    ],
)
async def test_the_programs_role_can_neither_delete_nor_forge_a_beginning(
    work: Work, statement: str
) -> None:
    await old_log(work, 3000, 2999, 2998)
    await call(work)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with work.session.begin_nested():
            await work.session.execute(text(statement))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        # The third entry is of last week.
        ({"up_to": 3}, "younger"),
        ({"up_to": 4}, "younger"),
        ({"days": 2999}, "younger"),
        # Entries that are not there yet: the next ones would be lost.
        ({"up_to": 1, "days": YEARS - 1}, "1095 days at least"),
        ({"days": None}, "1095 days at least"),
        ({"days": -5}, "1095 days at least"),
        ({"log": "record_events"}, "not erased in this way"),
        ({"log": None}, "not erased in this way"),
        ({"up_to": 90000}, "in parts"),
    ],
)
async def test_the_function_refuses_what_is_young_and_what_is_no_oldest_part(
    work: Work, values: dict[str, Any], told: str
) -> None:
    await old_log(work, 3000, 2998, 7, 2990)
    with pytest.raises(DBAPIError, match=told):
        await call(work, **values)
    assert await ids(work) == [1, 2, 3, 4]


RULES = {
    "for ever": ("DELETE FROM retention_rules", "for ever"),
    "for ever, decided": ("UPDATE retention_rules SET days = NULL", "for ever"),
    "the program's": ("UPDATE retention_rules SET decided_by = 'program'", "for ever"),
    "longer": ("UPDATE retention_rules SET days = 2999", "for 2999 days"),
    "a shorter one that waits": (
        "UPDATE retention_rules SET days = 2999, next_days = 1095, next_at = now() + '1 day'",
        "for 2999 days",
    ),
    "for ever, and a rule that waits": (
        "UPDATE retention_rules SET days = NULL, next_days = 1095, next_at = now() + '1 day'",
        "for ever",
    ),
    "a longer one since yesterday": (
        "UPDATE retention_rules SET next_days = 2999, next_at = now() - interval '1 day'",
        "for 2999 days",
    ),
}


@pytest.mark.parametrize(("statement", "told"), RULES.values(), ids=RULES)
async def test_the_function_reads_the_rule_itself(work: Work, statement: str, told: str) -> None:
    await old_log(work, 3000, 2998)
    await work.session.execute(text(SHORTEST))
    await work.session.execute(text(statement))
    given = {"log": "audit_entries", "up_to": 2, "days": YEARS, "run": uuid4()}
    with pytest.raises(DBAPIError, match=told):
        async with work.session.begin_nested():
            await work.session.scalar(text(CALL), given)
    assert await ids(work) == [1, 2]


async def test_the_function_reads_the_holds_itself(work: Work) -> None:
    held = uuid4()
    await old_log(work, 3000)
    await entry(work, 2999, subject=f"case:{held}")
    values = {"id": uuid4(), "reason_sealed": b"", "held_at": work.now}
    work.session.add(LegalHold(subject_kind="case", subject_id=held, **values))
    await flush(work)
    with pytest.raises(DBAPIError, match="held"):
        await call(work)
    assert await call(work, up_to=1) == 1
    await work.session.execute(text("UPDATE legal_holds SET lifted_at = now()"))
    assert await call(work) == 1


async def test_nothing_is_erased_twice_or_from_the_middle(work: Work) -> None:
    await old_log(work, 3000, 2999, 2998)
    assert await call(work, up_to=0) == 0
    assert await call(work) == 2
    assert await call(work) == 0
    # A number that none has: the part up to it is not the one that was meant.
    with pytest.raises(DBAPIError, match="younger"):
        await call(work, up_to=9)
    assert len(await ids(work)) == 2


FORGERIES = {
    "a row is deleted": "DELETE FROM audit_entries WHERE id = 2",
    "the first one is deleted": "DELETE FROM audit_entries WHERE id = 1",
    "a row is changed": "UPDATE audit_entries SET subject = 'x' WHERE id = 2",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_what_was_forged_is_kept(forger: Work, forgery: str) -> None:
    """To erase it would erase the proof; the check names it for as long as it is there."""
    await old_log(forger, 3000, 2999, 2998, 10)
    await rule(forger, D.LOG, YEARS)
    await flush(forger)
    await forger.session.execute(text("SET LOCAL session_replication_role = replica"))
    await forger.session.execute(text(forgery))
    await forger.session.execute(text("SET LOCAL session_replication_role = origin"))
    before = await ids(forger)
    assert await running.erase_some(forger, D.LOG, uuid4(), set()) == 0
    assert await ids(forger) == before
    assert "audit_entries" in await broken(forger)


BEGINNINGS = {
    "an entry that is deleted after the beginning": (
        "DELETE FROM audit_entries WHERE id = 3",
        {"audit_entries"},
    ),
    "a beginning that was moved on with its entries": (
        "DELETE FROM audit_entries WHERE id = 3; INSERT INTO log_beginnings SELECT log, 3, "
        "(SELECT previous FROM audit_entries WHERE id = 4), 1, last_at, at, days, run_id "
        "FROM log_beginnings",
        {"log_beginnings"},
    ),
    "a beginning that was taken away": ("DELETE FROM log_beginnings", {"audit_entries"}),
    "a beginning of another hash": (
        "UPDATE log_beginnings SET hash = sha256(hash)",
        {"audit_entries", "log_beginnings"},
    ),
    "an entry before the beginning": (
        "INSERT INTO audit_entries OVERRIDING SYSTEM VALUE SELECT 1, at, actor, action, subject, "
        "detail, previous, hash FROM audit_entries WHERE id = 3",
        {"audit_entries"},
    ),
    "a kept entry that names another person": (
        "UPDATE kept_entries SET actor = 'x'",
        {"kept_entries"},
    ),
}


@pytest.mark.parametrize(("forgery", "found"), BEGINNINGS.values(), ids=BEGINNINGS)
async def test_the_check_names_what_another_role_does_to_the_beginning(
    forger: Work, forgery: str, found: set[str]
) -> None:
    await entry(forger, 3000, action="staff_added")
    await old_log(forger, 2999, 10, 9)
    assert await call(forger) == 2
    assert await broken(forger) == {}
    await forger.session.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in forgery.split("; "):
        await forger.session.execute(text(statement))
    assert set(await broken(forger)) == found


async def test_the_owner_deletes_no_entry_past_the_function_either(forger: Work) -> None:
    await old_log(forger, 3000, 2999, 2998)
    await call(forger)
    with pytest.raises(DBAPIError, match="append-only"):
        async with forger.session.begin_nested():
            await forger.session.execute(text("DELETE FROM audit_entries WHERE id = 3"))


# -- what entries still decide -----------------------------------------------------------------


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
    left = await leaving._left_at(work, ana)
    assert left is not None
    assert await call(work) == 2
    assert not await are_two_people(work, vera, ana)
    assert await leaving._left_at(work, ana) == left
    assert await links._was_used(work, ana)
    assert not await links._was_used(work, vera)


async def test_a_person_who_asks_is_told_where_the_log_begins(work: Work) -> None:
    await old_log(work, 3000, 2999)
    await entry(work, 12, action="case_read", subject="case:x")
    paper = Paper(work, AskingPerson.CHILD, "en", ZoneInfo("UTC"))
    nothing: dict[ItemKind, list[Any]] = {kind: [] for kind in ItemKind}
    assert (await _log(paper, nothing))[1] == []
    assert await call(work) == 2
    ((block,),) = ((await _log(paper, nothing))[1],)
    begins = await beginning_of(work.session)
    assert begins is not None
    assert block.lines == [{"label": "The log begins on", "value": paper.at(begins.at)}]


# -- two at once, and a run that is killed -----------------------------------------------------


def test_of_two_runs_one_wins_and_one_that_is_killed_leaves_nothing_half(database: str) -> None:
    asked = "SELECT erase_log('audit_entries', 2, 1095, gen_random_uuid())"
    added = (
        "INSERT INTO audit_entries (at, actor, action, subject, detail, previous, hash)"
        " SELECT now() - interval '3000 days', 'program', 'case_read', 'x', '{}', '', ''"
        " FROM generate_series(1, 3)"
    )
    state = (
        "SELECT (SELECT array_agg(id ORDER BY id) FROM audit_entries),"
        " (SELECT count(*) FROM log_beginnings)"
    )
    with psycopg.connect(database) as one, psycopg.connect(database, autocommit=True) as two:
        two.execute(SHORTEST)
        two.execute(added)
        assert one.execute(asked).fetchone() == (2,)
        assert two.execute(asked).fetchone() == (0,)
        pid = one.info.backend_pid
        one.close()
        # A connection is gone from the list of activity a moment before its locks are.
        while two.execute("SELECT 1 FROM pg_locks WHERE pid = %s", [pid]).fetchone():
            pass
        assert two.execute(state).fetchone() == ([1, 2, 3], 0)
        assert two.execute(asked).fetchone() == (2,)
        assert two.execute(asked).fetchone() == (0,)
        assert two.execute(state).fetchone() == ([3, 4], 1)
