"""What is erased when its time is over: nothing of a child is left in any column of any table."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from app.calls.models import Call, VoiceMessage
from app.contacts import completing
from app.contacts.models import Case, Contact, EarlierAnswer, MatchKey
from app.contacts.registry import sheet_of
from app.contacts.scopes import Erased
from app.errors import Conflict, NotAllowed, NotFound
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.referrals.states import NoticeKind
from app.referrals.trail import add_notice
from app.retention import records, running
from app.retention.holds import find_by_code, hold, lift, open_holds
from app.retention.kinds import DataKind, HeldKind, least_days
from app.retention.models import Erasure
from app.retention.rules import set_rules
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.statistics.models import Export
from app.work import Work
from tests.support import planted
from tests.support.planted import as_person, planted_in
from tests.support.profile import by_day
from tests.support.retention.erasing import D, due_rows, erase, facts, is_erased, row, rule
from tests.support.verbs import a_counsellor, a_line, a_supervisor, an_administrator, logged

pytestmark = pytest.mark.whole

YEAR = timedelta(days=366)


async def test_nothing_of_a_contact_is_left_and_the_figures_stay(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    contact = await planted.a_contact(work, ana)
    before = await planted_in(work)
    assert {"contacts.headline", "contacts.headline_words"} <= before.plain
    assert {
        "contacts.sealed",
        "completed_versions.sealed",
        "earlier_answers.sealed",
        "record_events.words_sealed",
        "urgency_decisions.reason_sealed",
        "openings.reason_sealed",
    } <= before.sealed
    figures = await facts(work)
    answers = dict(contact.answers)
    assert await work.session.scalar(select(func.count()).select_from(MatchKey))
    await rule(work, D.CONTACTS, 365)
    assert await due_rows(work, D.CONTACTS) == 0
    work.now += YEAR
    await is_erased(work, D.CONTACTS)
    assert (await planted_in(work)).all == set()
    assert await work.session.scalar(select(func.count()).select_from(MatchKey)) == 0
    kept = await row(work, Contact, contact.id)
    assert kept.erased_at == work.now
    assert all(sheet_of(work, kept).is_special(path) for path in kept.sealed)
    assert (kept.headline, kept.categories_sealed) == (None, None)
    # What is counted stays as it was; a date and a free text are not counted.
    assert answers.keys() - kept.answers.keys() == {"contact.headline", "incident.on"}
    assert await facts(work) == figures
    earlier = (await work.session.scalars(select(EarlierAnswer))).all()
    assert earlier
    assert all(one.answer is None and one.sealed is None for one in earlier)


async def test_of_what_is_special_only_codes_stay_and_no_date_or_text(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of a form may ask by marked codes for what this one asks as a date."""
    await a_line(work)
    contact = await planted.a_contact(work, await a_counsellor(work, "ana"))
    codes = {path for path in contact.sealed if sheet_of(work, contact).is_special(path)}
    assert codes
    contact.sealed = {**contact.sealed, "incident.on": next(iter(contact.sealed.values()))}
    await work.session.flush()
    sheet = replace(sheet_of(work, contact), marked=frozenset({"incident.on"}))
    assert sheet.is_special("incident.on")
    monkeypatch.setattr(records, "sheet_of", lambda work, record: sheet)
    await rule(work, D.CONTACTS, 365)
    work.now += YEAR
    await is_erased(work, D.CONTACTS)
    assert (await row(work, Contact, contact.id)).sealed.keys() == codes


async def test_the_logs_keep_who_did_what_and_their_chains_fit(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    contact = await planted.a_contact(work, ana)
    await rule(work, D.CONTACTS, 365)
    count = text("SELECT count(*) FROM record_events WHERE subject_id = :id")
    events = await work.session.scalar(count, {"id": contact.id})
    work.now += YEAR
    await erase(work, D.CONTACTS)
    # One more: that it was erased.
    assert await work.session.scalar(count, {"id": contact.id}) == events + 1
    reports = [*await verify_chains(work.session), *await verify_words(work)]
    assert [report for report in reports if report.broken] == []
    # Words that are gone from the log of any other record are found.
    await work.session.execute(text("UPDATE contacts SET erased_at = NULL"))
    broken = [report.table for report in await verify_chains(work.session) if report.broken]
    assert broken == ["record_events"]


@pytest.mark.parametrize("erasing", ["off", "on"])
async def test_rows_of_logs_give_up_their_words_only_to_retention(
    forger: Work, erasing: str
) -> None:
    """Also where the role owns the tables; that of the program may not even try."""
    work = forger
    await a_line(work)
    await planted.a_contact(work, await a_counsellor(work, "ana"))
    await work.session.execute(
        text("SELECT set_config('helpline.erasing', :on, true)"), {"on": erasing}
    )
    refused = [
        "UPDATE record_events SET kind = 'note'",
        "UPDATE record_events SET words_sealed = '\\x0102' WHERE words_sealed IS NOT NULL",
        "UPDATE completed_versions SET answers = '{\"child.a1.age\": 3}'",
        "UPDATE earlier_answers SET path = 'x', sealed = NULL",
        "UPDATE call_events SET kind = 'x'",
        "DELETE FROM record_events",
    ]
    # The record is not erased, so its words stay even then.
    refused.append("UPDATE record_events SET words_sealed = NULL")
    refused.append("UPDATE completed_versions SET sealed = '{}'")
    for statement in refused:
        with pytest.raises(Exception, match="is append-only"):
            async with work.session.begin_nested():
                await work.session.execute(text(statement))


async def test_an_erased_record_cannot_be_changed(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    contact = await planted.a_contact(work, ana)
    await rule(work, D.CONTACTS, 365)
    work.now += YEAR
    await erase(work, D.CONTACTS)
    as_person(work, ana)
    with pytest.raises(Erased):
        await completing.reopen(work, ana, contact.id, "Something more.")
    with pytest.raises(Erased):
        await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")


async def test_nothing_of_a_closed_case_is_left(work: Work) -> None:
    boss = await a_supervisor(work)
    case = await planted.a_case(work, boss)
    before = await planted_in(work)
    assert "cases.headline" in before.plain
    assert {
        "cases.sealed",
        "case_documents.name_sealed",
        "case_documents.content_sealed",
        "case_flags.words_sealed",
        "case_requests.reason_sealed",
        "follow_ups.words_sealed",
        "follow_ups.provider_sealed",
        "follow_ups.result_sealed",
        "record_events.words_sealed",
    } <= before.sealed
    await rule(work, D.CASES, 365)
    work.now += YEAR
    await is_erased(work, D.CASES)
    assert (await planted_in(work)).all == set()
    kept = await row(work, Case, case.id)
    assert kept.answers["child.a1.outcome"] == "home"
    assert kept.place == "RS-08"
    assert "goal.a1.by_when" not in kept.answers
    assert (kept.status, kept.risk) == ("closed", "high")


async def test_nothing_of_a_closed_referral_is_left(work: Work) -> None:
    boss = await a_supervisor(work)
    referral = await planted.an_open_referral(work, boss)
    await planted.close_referral(work, referral)
    add_notice(work, referral, NoticeKind.UNMAPPED, problem=f"{planted.WORD} is no value")
    before = await planted_in(work)
    assert "notices.detail" in before.plain
    assert {
        "referrals.sealed",
        "dispatches.place_sealed",
        "dispatches.words_sealed",
        "record_events.words_sealed",
    } <= before.sealed
    consents = text("SELECT count(*) FROM consents WHERE octet_length(words_sealed) > 30")
    assert await work.session.scalar(consents) == 1
    await rule(work, D.REFERRALS, 365)
    work.now += YEAR
    await is_erased(work, D.REFERRALS)
    assert (await planted_in(work)).all == set()
    assert await work.session.scalar(consents) == 0
    kept = await row(work, Referral, referral.id)
    assert (kept.state, kept.outcome) == ("closed", "child_safe_at_home_with_plan")
    assert kept.accepted_at is not None
    assert kept.answers["child.age"] == 11


async def test_the_sound_of_a_voice_message_is_erased_when_it_was_heard(work: Work) -> None:
    await a_line(work)
    call = await planted.a_call(work)
    waiting = await planted.a_call(work, "CA2")
    await work.session.execute(
        text("UPDATE voice_messages SET heard_at = NULL WHERE call_id = :id"), {"id": waiting.id}
    )
    figures = await facts(work)
    assert (await planted_in(work)).sealed == {"voice_messages.audio_sealed"}
    await rule(work, D.VOICE_MESSAGES, 30)
    work.now += YEAR
    await is_erased(work, D.VOICE_MESSAGES)
    sounds = await work.session.execute(select(VoiceMessage.call_id, VoiceMessage.audio_sealed))
    assert {c: sound is not None for c, sound in sounds} == {call.id: False, waiting.id: True}
    await work.session.execute(text("UPDATE voice_messages SET heard_at = created_at"))
    await is_erased(work, D.VOICE_MESSAGES)
    assert (await planted_in(work)).all == set()
    assert await facts(work) == figures


async def test_numbers_are_forgotten_as_the_setting_says_until_a_rule_says_otherwise(
    work: Work,
) -> None:
    await a_line(work)
    call = await planted.a_call(work)
    assert call.caller_number_sealed is not None
    work.settings.number_retention_days = 10
    work.now += timedelta(days=9)
    assert await erase(work, D.CALLER_NUMBERS) == 0
    await rule(work, D.CALLER_NUMBERS, None)
    work.now += YEAR
    assert await erase(work, D.CALLER_NUMBERS) == 0
    await rule(work, D.CALLER_NUMBERS, 20)
    figures = await facts(work)
    await is_erased(work, D.CALLER_NUMBERS)
    found = await row(work, Call, call.id)
    # The keyed hash stays, by which the caller is known again.
    assert found.caller_number_sealed is None
    assert found.caller_key is not None
    assert await facts(work) == figures


async def test_the_file_of_an_export_is_erased_and_its_request_stays(work: Work) -> None:
    export = await planted.a_file(work)
    assert (await planted_in(work)).sealed == {"export_parts.data_sealed"}
    work.now += timedelta(days=6)
    assert await erase(work, D.EXPORT_FILES) == 0
    work.now += timedelta(days=2)
    await is_erased(work, D.EXPORT_FILES)
    assert (await planted_in(work)).all == set()
    assert (await row(work, Export, export.id)).state == "expired"


async def test_records_are_kept_for_ever_until_an_administrator_decides(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    await planted.a_contact(work, ana)
    work.now += timedelta(days=30_000)
    assert {due.kind: due.days for due in await running.dry_run(work) if due.days} == {
        D.CALLER_NUMBERS: 365,
        D.EXPORT_FILES: 7,
        D.CALLER_FLAGS: 365,
        D.THIRD_PARTY_NUMBERS: 365,
        D.FILE_REASONS: 1095,
        D.DATA_REQUESTS: 1095,
    }
    for kind in (D.CONTACTS, D.CASES, D.REFERRALS, D.VOICE_MESSAGES, D.CALLER_HASHES, D.DRAFTS):
        assert await erase(work, kind) == 0


async def test_what_is_open_keeps_what_belongs_to_it(work: Work) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work)
    contact = await planted.a_contact(work, boss, call)
    case = await planted.a_case(work, boss, contact)
    referral = await planted.an_open_referral(work, boss, contact)
    await set_rules(work, {kind: max(100, least_days(kind)) for kind in D}, at_once=True)
    work.now += YEAR
    kinds = [D.CALLER_NUMBERS, D.VOICE_MESSAGES, D.CONTACTS, D.CASES, D.REFERRALS]
    # The referral is open.
    assert [await due_rows(work, kind) for kind in kinds] == [0] * 5
    await planted.close_referral(work, referral)
    work.now += YEAR
    await _is_due_but_for(work, kinds, "UPDATE follow_ups SET done_at = NULL", "done_at = now()")
    reopened = "UPDATE cases SET closed_at = NULL"
    await _is_due_but_for(work, kinds, reopened, f"closed_at = '{case.closed_at}'")
    # A contact that was reopened is being written.
    await work.session.execute(text("UPDATE contacts SET state = 'reopened'"))
    assert [await due_rows(work, kind) for kind in kinds] == [1, 1, 0, 1, 1]
    await work.session.execute(text("UPDATE contacts SET state = 'complete'"))
    for kind in kinds:
        assert await erase(work, kind) == 1, kind
    assert (await planted_in(work)).all == set()


async def _is_due_but_for(work: Work, kinds: list[DataKind], alive: str, over: str) -> None:
    assert [await due_rows(work, kind) for kind in kinds] == [1] * 5
    await work.session.execute(text(alive))
    assert [await due_rows(work, kind) for kind in kinds] == [0] * 5, alive
    table = alive.split()[1]
    await work.session.execute(text(f"UPDATE {table} SET {over}"))


@pytest.mark.parametrize("held", by_day(HeldKind))
async def test_what_is_held_is_not_erased_until_the_hold_is_lifted(
    work: Work, held: HeldKind
) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    contact = await planted.a_contact(work, boss, await planted.a_call(work))
    case = await planted.a_case(work, boss, contact)
    referral = await planted.an_open_referral(work, boss, contact)
    await planted.close_referral(work, referral)
    records: dict[HeldKind, Any] = {
        HeldKind.CONTACT: contact,
        HeldKind.CASE: case,
        HeldKind.REFERRAL: referral,
    }
    kinds = [D.CALLER_NUMBERS, D.VOICE_MESSAGES, D.CONTACTS, D.CASES, D.REFERRALS]
    await set_rules(work, {kind: max(100, least_days(kind)) for kind in D}, at_once=True)
    as_person(work, boss)
    await hold(work, boss, held, records[held].id, f"{planted.WORD}: a court asks for it.")
    await flush(work)
    work.now += YEAR
    for kind in kinds:
        assert await due_rows(work, kind) == await erase(work, kind) == 0, kind
    await lift(work, boss, held, records[held].id)
    await flush(work)
    for kind in kinds:
        assert await erase(work, kind) == 1, kind
    # Nor is the reason of the hold left.
    assert (await planted_in(work)).all == set()


async def test_a_batch_that_is_interrupted_has_erased_nothing(work: Work) -> None:
    """As after `kill -9`: rows and receipt are one transaction, and the run goes on with it."""
    await a_line(work)
    await planted.a_contact(work, await a_counsellor(work, "ana"))
    await rule(work, D.CONTACTS, 365)
    work.now += YEAR
    before, run_id = (await planted_in(work)).all, uuid4()
    savepoint = await work.session.begin_nested()
    assert await running.erase_some(work, D.CONTACTS, run_id, set()) == 1
    assert (await planted_in(work)).all == set()
    await savepoint.rollback()
    work.session.expunge_all()
    assert (await planted_in(work)).all == before
    assert await running.receipts(work) == []
    assert await running.erase_some(work, D.CONTACTS, run_id, set()) == 1
    assert await running.erase_some(work, D.CONTACTS, run_id, set()) == 0
    assert [one.rows for one in await running.receipts(work)] == [1]


async def test_a_record_whose_form_is_not_known_here_is_left_and_the_others_go(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    strange, known = [await planted.a_contact(work, ana) for _ in range(2)]
    await work.session.execute(
        text("UPDATE contacts SET form_version = 999 WHERE id = :id"), {"id": strange.id}
    )
    await rule(work, D.CONTACTS, 365)
    work.now += YEAR
    run_id, left_out = uuid4(), set[UUID]()
    assert await running.erase_some(work, D.CONTACTS, run_id, left_out) == 2
    assert left_out == {strange.id}
    assert await running.erase_some(work, D.CONTACTS, run_id, left_out) == 0
    assert [one.rows for one in await running.receipts(work)] == [1]
    assert (await row(work, Contact, strange.id)).sealed != {}
    gone = await row(work, Contact, known.id)
    assert all(sheet_of(work, gone).is_special(path) for path in gone.sealed)


async def test_each_role_holds_what_it_may(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    contact = await planted.a_contact(work, ana)
    stranger = await a_supervisor(work, "nora", "north")
    reason = "A court asks for it."
    with pytest.raises(NotAllowed):
        await find_by_code(work, ana, contact.code)
    # A supervisor reaches what they read; an administrator, who reads nothing, what they are told.
    with pytest.raises(NotFound):
        await find_by_code(work, stranger, contact.code)
    with pytest.raises(NotFound):
        await hold(work, stranger, HeldKind.CONTACT, contact.id, reason)
    mila = await an_administrator(work)
    found = await find_by_code(work, mila, f" {contact.code.lower()} ")
    assert found == (HeldKind.CONTACT, contact.id)
    await hold(work, mila, *found, reason)
    with pytest.raises(Conflict):
        await hold(work, mila, *found, reason)
    assert [one.code for one in await open_holds(work)] == [contact.code]
    await lift(work, mila, *found)
    with pytest.raises(Conflict):
        await lift(work, mila, *found)
    for code in ("", "x", "K-000-000-000"):
        with pytest.raises(NotFound):
            await find_by_code(work, mila, code)


async def test_each_run_leaves_a_receipt_and_a_line_of_the_log(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(running.AT_ONCE, D.VOICE_MESSAGES, 2)
    await a_line(work)
    for sid in ("CA1", "CA2", "CA3"):
        await planted.a_call(work, sid)
    await rule(work, D.VOICE_MESSAGES, 30)
    work.now += YEAR
    run_id = uuid4()
    for kind in (D.CALLER_NUMBERS, D.VOICE_MESSAGES, D.CONTACTS):
        # A run that was stopped goes on with the same receipt.
        while await running.erase_some(work, kind, run_id, set()):
            pass
    await flush(work)
    await running.log_receipts(work, run_id)
    assert sorted(logged(work)) == [
        ("caller_numbers_forgotten", {"count": 3, "days": 365, "run": str(run_id)}),
        ("content_erased", {"count": 3, "days": 30, "run": str(run_id)}),
    ]
    await flush(work)
    assert await running.log_receipts(work, run_id) == []
    found = {(one.kind, one.rows, one.days, one.at) for one in await running.receipts(work)}
    assert found == {
        ("caller_numbers", 3, 365, work.now),
        ("voice_messages", 3, 30, work.now),
    }
    count = await work.session.scalar(select(func.count()).select_from(Erasure))
    assert count == 2
