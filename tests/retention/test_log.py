"""The oldest part of the log of people's acts goes by a rule, and its chain stays provable."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import select, text

from app.calls.models import VoiceMessage
from app.contacts import contacts
from app.contacts.models import Opening
from app.contacts.states import ContactChannel
from app.errors import Invalid
from app.jobs.transaction import flush
from app.people.emergency import emergencies
from app.retention import running
from app.retention.holds import hold, lift
from app.retention.kinds import HeldKind, default_days
from app.retention.models import Erasure, LegalHold
from app.routing.callbacks import callbacks
from app.routing.callbacks.choices import Who
from app.staff.emergency_rows import EmergencyKind
from app.staff.log_checks.beginnings import beginning_of
from app.staff.log_rows import LogBeginning
from app.work import Work
from tests.support import planted
from tests.support.retention.erasing import D, due_rows, erase, is_erased, rule
from tests.support.retention.old_log import SHORTEST, YEARS, broken, call, entry, ids, old_log
from tests.support.verbs import a_counsellor, a_line, a_referral, an_agency, rings


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
    monkeypatch.setitem(running.AT_ONCE, D.LOG, 2)
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
    contact, _ = await contacts.create_contact(work, ana, channel=ContactChannel.CALL)
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
    contact, _ = await contacts.create_contact(work, ana, channel=ContactChannel.CALL)
    await flush(work)
    case = await planted.a_case(work, ana, contact)
    made, other = await a_referral(work, ana), await a_referral(work, ana)
    made.contact_id = contact.id
    await hold(work, None, HeldKind.CASE, case.id, "a court asks")
    await flush(work)
    held = set(await work.session.scalar(text("SELECT held_in_log()")) or ())
    assert {str(case.id), str(contact.id), str(made.id)} <= held
    assert str(other.id) not in held


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
