"""Rows of an earlier version say after a migration what the newest version expects of them."""

import json
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.database.migrate import migrate
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.referrals.reasons import WORDS, WhyNoAgency
from app.staff.log_kinds import AuditLog
from tests.support.kept.earlier import upgrade_to
from tests.support.profile import nightly

_ROWS = """
INSERT INTO record_events (subject_kind, subject_id, kind, at, detail, words_sealed, words_id,
                           previous, hash)
VALUES ('case', %s, 'reopened', now(), '{}', %s, gen_random_uuid(), '', '')
"""
_VERIFY = """
SELECT count(*) FROM (
  SELECT hash, record_events_digest(record_events) AS computed, previous,
         lag(hash, 1, ''::bytea) OVER (PARTITION BY subject_id ORDER BY id) AS expected
  FROM record_events
) AS linked WHERE hash <> computed OR previous <> expected
"""
_VERIFY_LOG = """
SELECT count(*) FROM (
  SELECT hash, audit_entries_digest(audit_entries) AS computed, previous,
         lag(hash, 1, ''::bytea) OVER (ORDER BY id) AS expected
  FROM audit_entries
) AS linked WHERE hash <> computed OR previous <> expected
"""


@nightly
@pytest.mark.parametrize("forged", [False, True])
def test_the_chain_of_records_is_linked_anew_unless_it_is_broken(
    earlier: str, forged: bool
) -> None:
    upgrade_to("0011", earlier)
    with psycopg.connect(as_role(earlier, SUPERUSER)) as rows:
        for subject in (uuid4(), uuid4()):
            for words in (b"\x01\x01sealed", None, b"\x01\x01more"):
                rows.execute(_ROWS, [subject, words])
        if forged:
            rows.execute("SET session_replication_role = replica")
            rows.execute("UPDATE record_events SET kind = 'x' WHERE id = 2")
    if forged:
        with pytest.raises(RuntimeError, match="1 rows of record_events"):
            migrate(earlier)
    else:
        migrate(earlier)
        with psycopg.connect(earlier) as rows:
            assert rows.execute(_VERIFY).fetchall() == [(0,)]
            found = rows.execute("SELECT count(words_digest), count(*) FROM record_events")
            assert found.fetchall() == [(4, 6)]


@nightly
def test_partners_are_to_be_looked_at_and_tokens_that_were_taken_are_known(earlier: str) -> None:
    upgrade_to("0106", earlier)
    with psycopg.connect(as_role(earlier, SUPERUSER)) as rows:
        for number, partner, state in (("1", "+381113334446", "registered"), ("2", None, "wanted")):
            line = uuid4()
            rows.execute(
                "INSERT INTO lines (id, number, name, country, timezone, plan, created_at)"
                " VALUES (%s, %s, 'x', 'RS', 'UTC', %s, now())",
                [line, number, Jsonb({"partner_number": partner} if partner else {})],
            )
            rows.execute(
                "INSERT INTO chat_accounts (id, line_id, channel, their_id, token_sealed,"
                " secret_sealed, state, set_at) VALUES (%s, %s, 'telegram', %s, '', '', %s, now())",
                [uuid4(), line, number, state],
            )
    migrate(earlier)
    with psycopg.connect(earlier) as rows:
        found = rows.execute(
            "SELECT partner_to_look_at, taken_at IS NOT NULL FROM lines"
            " JOIN chat_accounts ON line_id = lines.id ORDER BY number"
        )
        assert found.fetchall() == [(True, True), (False, False)]


# An account of a line at Telegram: its state, its name, when it was asked after its token was set,
# when a child wrote after that, and whether its token was taken, as far as can be known.
_ACCOUNTS = (
    ("registered", "bot", "1 hour", None, True),
    ("wanted", "bot", "1 hour", None, False),
    ("wanted", "bot", "1 hour", "1 minute", True),
    ("wanted", "bot", "1 hour", "-1 minute", False),
    ("refused", "bot", "1 hour", "1 minute", True),
    ("refused", "bot", "2 days", None, False),
    ("wanted", "bot", "2 days", None, True),
    ("wanted", None, "2 days", None, False),
)


@nightly
def test_tokens_are_known_to_be_taken_by_what_came_with_them(earlier: str) -> None:
    upgrade_to("0106", earlier)
    with psycopg.connect(as_role(earlier, SUPERUSER)) as rows:
        for number, (state, name, asked, wrote, _) in enumerate(_ACCOUNTS):
            line, call = uuid4(), uuid4()
            rows.execute(
                "INSERT INTO lines (id, number, name, country, timezone, plan, created_at)"
                " VALUES (%s, %s, 'x', 'RS', 'UTC', '{}', now())",
                [line, str(number)],
            )
            rows.execute(
                "INSERT INTO chat_accounts (id, line_id, channel, their_id, token_sealed,"
                " secret_sealed, state, name, set_at, asked_at) VALUES (%s, %s, 'telegram', %s, '',"
                " '', %s, %s, now(), now() + %s::interval)",
                [uuid4(), line, str(number), state, name, asked],
            )
            if wrote is None:
                continue
            rows.execute(
                "INSERT INTO calls (id, line_id, channel, caller_kind, opened_at, heard_at)"
                " VALUES (%s, %s, 'telegram', 'withheld', now(), now())",
                [call, line],
            )
            rows.execute(
                "INSERT INTO chat_messages (id, call_id, number, author, text_sealed, at)"
                " VALUES (%s, %s, 1, 'child', 'x', now() + %s::interval)",
                [uuid4(), call, wrote],
            )
    migrate(earlier)
    with psycopg.connect(earlier) as rows:
        found = rows.execute(
            "SELECT taken_at IS NOT NULL FROM lines JOIN chat_accounts ON line_id = lines.id"
            " ORDER BY number::int"
        )
        assert [taken for (taken,) in found] == [taken for *_, taken in _ACCOUNTS]


_READERS = """
INSERT INTO contact_readers (staff_id, contact_id, opened_at, since, cause)
VALUES (%s, %s, now(), now(), %s)
"""
_A_CONTACT = """
INSERT INTO contacts (id, code, form, form_version, categories, categories_version, places,
  places_version, team, opened_at, owner_id, channel, source, taken_at, answers, sealed)
VALUES (%s, %s, 'contact', 1, 'chi', 1, 'rs', 1, '', now(), %s, 'call', 'live', now(), '{}', '{}')
"""
_A_CASE = """
INSERT INTO cases (id, code, form, form_version, categories, categories_version, places,
  places_version, team, opened_at, owner_id, workflow, workflow_version, status, answers, sealed)
VALUES (%s, 'C-1', 'case', 1, 'chi', 1, 'rs', 1, '', now(), %s, 'case', 1, 'open', '{}', '{}')
"""
# What gives the right to read, the cause that an earlier version had noted, and the right one.
_READINGS = (
    ("nothing", "owner or on its case", None),
    ("nothing", "opened_for_reason", None),
    ("nothing", "case", None),
    ("was owned", "owner or on its case", "given"),
    ("owned", "owner or on its case", "owner"),
    ("owned", None, "owner"),
    ("of the case", "owner or on its case", "case"),
    ("opened", "opened_for_reason", "opened_for_reason"),
    ("over", "opened_for_reason", None),
    ("nothing", "taken_by", "taken_by"),
)


def _a_reading(rows: psycopg.Connection, ana: UUID, bora: UUID, case: UUID, why: str) -> UUID:
    contact = uuid4()
    rows.execute(_A_CONTACT, [contact, str(contact)[:8], bora if why == "owned" else ana])
    if why == "was owned":
        rows.execute(
            "INSERT INTO record_events (subject_kind, subject_id, kind, at, detail, previous, hash)"
            " VALUES ('contact', %s, 'handed_over', now(), %s, '', '')",
            [contact, json.dumps({"owner_id": str(bora)})],
        )
    if why == "of the case":
        rows.execute("INSERT INTO case_contacts VALUES (%s, %s, now())", [case, contact])
    if why in ("opened", "over"):
        rows.execute(
            "INSERT INTO openings (id, staff_id, contact_id, team, contacts, at, until,"
            " reason_sealed) VALUES (gen_random_uuid(), %s, %s, '', %s, now(), now() + %s, 'x')",
            [bora, contact, [contact], timedelta(hours=1 if why == "opened" else -1)],
        )
    return contact


def test_no_reading_of_an_earlier_version_outlasts_its_cause(database: str) -> None:
    """A row that an earlier version forgot goes, and one that is carried gets its cause."""
    (ana, bora), case = (uuid4(), uuid4()), uuid4()
    migration = import_module("migrations.versions.0090_access_that_ends")
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        rows.execute("ALTER TABLE contact_readers DROP CONSTRAINT ck_contact_readers_cause")
        for staff in (ana, bora):
            rows.execute(
                "INSERT INTO staff (id, name, role, endpoint_kind, identity, languages, skills,"
                " created_at) VALUES (%s, %s, 'counsellor', 'browser', %s, '{}', '{}', now())",
                [staff, str(staff), str(staff)],
            )
        rows.execute(_A_CASE, [case, ana])
        rows.execute("INSERT INTO case_members VALUES (%s, %s, now(), now())", [bora, case])
        wanted = {}
        for why, noted, right in _READINGS:
            contact = _a_reading(rows, ana, bora, case, why)
            if noted is not None:
                rows.execute(_READERS, [bora, contact, noted])
            if right is not None:
                wanted[contact] = right
        for statement in migration.HEALS:
            rows.execute(statement)
        found = rows.execute(
            "SELECT contact_id, cause FROM contact_readers WHERE staff_id = %s", [bora]
        )
        assert dict(found.fetchall()) == wanted
        rows.rollback()


def test_what_opened_the_accounts_of_leavers_is_closed_by_a_migration(database: str) -> None:
    """Those of a person who is here, and of one who waits for a second person, stay."""
    migration = import_module("migrations.versions.0090_access_that_ends")
    left, here, waits = (uuid4() for _ in range(3))
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        for staff in (left, here, waits):
            rows.execute(
                "INSERT INTO staff (id, name, role, endpoint_kind, endpoint, identity, languages,"
                " skills, active, by_provider, created_at) VALUES (%s, %s, 'counsellor', 'phone',"
                " '+381601112223', %s, '{}', '{}', %s, true, now())",
                [staff, str(staff), str(staff), staff == here],
            )
            rows.execute(
                "INSERT INTO phone_proofs (staff_id, pin_hash, paired_at) VALUES (%s, 'x', now())",
                [staff],
            )
            rows.execute(
                "INSERT INTO staff_identities (id, staff_id, issuer, subject, linked_at,"
                " linked_how) VALUES (gen_random_uuid(), %s, 'x', %s, now(), 'created')",
                [staff, str(staff)],
            )
        for staff in (left, here):
            rows.execute(
                "INSERT INTO audit_entries (at, actor, action, subject, detail, previous, hash)"
                " VALUES (now(), 'program', 'staff_deactivated', %s, '{}', '', '')",
                [str(staff)],
            )
        for statement in migration.CLOSES:
            rows.execute(statement)
        found = rows.execute(
            "SELECT s.id FROM staff s JOIN phone_proofs p ON p.staff_id = s.id"
            " JOIN staff_identities i ON i.staff_id = s.id"
            " WHERE s.endpoint IS NOT NULL AND s.by_provider AND p.pin_hash IS NOT NULL"
            " AND p.paired_at IS NOT NULL AND i.left_at IS NULL"
        )
        assert {row for (row,) in found} == {here, waits}
        closed = rows.execute(
            "SELECT s.endpoint, s.by_provider, p.pin_hash, p.paired_at, i.left_at IS NOT NULL"
            " FROM staff s JOIN phone_proofs p ON p.staff_id = s.id"
            " JOIN staff_identities i ON i.staff_id = s.id WHERE s.id = %s",
            [left],
        )
        assert closed.fetchall() == [(None, False, None, None, True)]
        rows.rollback()


def test_reports_of_which_the_log_says_that_they_were_opened_answer_after_a_migration(
    database: str,
) -> None:
    """Where the log has begun later, it is not known: each counts as opened."""
    migration = import_module("migrations.versions.0112_answered_requests")
    states = {"opened": "expired", "unopened": "done", "old": "expired", "failed": "failed"}
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        for name, state in states.items():
            request, days = uuid4(), timedelta(days=2000 if name == "old" else 10)
            rows.execute(
                "INSERT INTO data_requests (id, code, kind, person, state, began_at, asked_role,"
                " decided_at, done_at) VALUES (%s, %s, 'access', 'child', %s, now(), 'supervisor',"
                " now(), now() - %s)",
                [request, name, state, days],
            )
            if name == "opened":
                rows.execute(
                    "INSERT INTO audit_entries (at, actor, action, subject, detail, previous, hash)"
                    " VALUES (now(), 'program', 'data_report_opened', %s, '{}', '', '')",
                    [f"data_request:{request}"],
                )
        rows.execute("ALTER TABLE log_beginnings DISABLE TRIGGER USER")
        rows.execute(
            "INSERT INTO log_beginnings (log, last_id, hash, rows, last_at, at, days, run_id)"
            " VALUES ('audit_entries', 0, '', 1, now() - interval '1500 days', now(), 1500, %s)",
            [uuid4()],
        )
        rows.execute(migration.OPENED)
        found = rows.execute("SELECT code FROM data_requests WHERE opened_at IS NOT NULL")
        assert {code for (code,) in found.fetchall()} == {"opened", "old"}
        rows.rollback()


def test_reports_that_were_not_opened_are_closed_after_a_migration_if_their_month_is_over(
    database: str,
) -> None:
    """With which request they were begun again is not known: they would be overdue for good.

    The log says of each that the migration has closed it.
    """
    migration = import_module("migrations.versions.0112_answered_requests")
    rows_of = {
        "failed long ago": ("failed", 70, None, None),
        "unopened long ago": ("expired", 70, None, None),
        "extended, and over": ("failed", 110, 2, 100),
        "extended": ("failed", 70, 2, 60),
        "extended, not told": ("failed", 70, 2, None),
        "failed of late": ("failed", 10, None, None),
        "can be opened": ("done", 70, None, None),
    }
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        for name, (state, days, months, told) in rows_of.items():
            extended = months is not None
            told_on = None if told is None else date.today() - timedelta(days=told)
            rows.execute(
                "INSERT INTO data_requests (id, code, kind, person, state, began_at, asked_role,"
                " decided_at, done_at, extension_months, extended_at, extension_because,"
                " extension_sealed, told_on) VALUES (%s, %s, 'access', 'child', %s, now() - %s,"
                " 'supervisor', now(), now(), %s, %s, %s, %s, %s)",
                [
                    *(uuid4(), name, state, timedelta(days=days)),
                    *(months, datetime.now(UTC) if extended else None),
                    *("complex" if extended else None, b"" if extended else None, told_on),
                ],
            )
        rows.execute(migration.CLOSED)
        found = rows.execute("SELECT code FROM data_requests WHERE state = 'withdrawn'")
        over = {"failed long ago", "unopened long ago", "extended, and over", "extended, not told"}
        assert {code for (code,) in found.fetchall()} == over
        closed = rows.execute(
            "SELECT r.code FROM audit_entries e JOIN data_requests r"
            " ON e.subject = 'data_request:' || r.id WHERE e.actor = 'program'"
            " AND e.action = %s AND e.detail = %s",
            [AuditLog.DATA_REQUEST_WITHDRAWN, Jsonb({"kind": "access", "migration": "0112"})],
        )
        assert sorted(code for (code,) in closed.fetchall()) == sorted(over)
        assert rows.execute(_VERIFY_LOG).fetchall() == [(0,)]
        rows.rollback()


def test_reasons_that_were_sentences_are_codes_after_a_migration(database: str) -> None:
    """Their words are those of before; the rest of a row stays."""
    migration = import_module("migrations.versions.0097_reasons_as_codes")
    words = {one.value: str(said) for one, said in WORDS.items()}
    assert {code: old for old, code in migration.CODES.items() if code in words} == {
        code: old for code, old in words.items() if code != WhyNoAgency.NONE_IN_TIME
    }
    referral, agency = uuid4(), uuid4()
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        rows.execute("SET session_replication_role = replica")
        for number, why in enumerate((["serves everywhere", "open now"], ["of their own"])):
            rows.execute(
                "INSERT INTO recipients (id, referral_id, agency_id, number, round, state, why,"
                " offered_at) VALUES (gen_random_uuid(), %s, %s, %s, 0, 'offered', %s, now())",
                [referral, agency, number, why],
            )
        for detail in ({"why": "no agency of the directory fits"}, {"purpose": "at their system"}):
            rows.execute(
                "INSERT INTO notices (id, referral_id, kind, for_whom, at, detail)"
                " VALUES (gen_random_uuid(), %s, 'ring_them', 'owner', now(), %s)",
                [referral, Jsonb({"agency": "house", **detail})],
            )
        for statement in migration.STATEMENTS:
            rows.execute(statement)
        found = rows.execute("SELECT why FROM recipients ORDER BY number").fetchall()
        assert [why for (why,) in found] == [["serves_everywhere", "open_now"], ["of their own"]]
        told = rows.execute("SELECT detail FROM notices ORDER BY detail ? 'why' DESC").fetchall()
        assert [detail for (detail,) in told] == [
            {"agency": "house", "why": "no_agency_fits"},
            {"agency": "house", "purpose": "at_their_system"},
        ]
        rows.rollback()


def test_jobs_that_wait_and_calls_for_help_have_the_new_names_after_a_migration(
    database: str,
) -> None:
    migration = import_module("migrations.versions.0104_attempts_and_calls_for_help")
    job = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
        " VALUES ('q', 'mail', %s, %s)"
    )
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        rows.execute("SET session_replication_role = replica")
        rows.execute("ALTER TABLE participants DROP CONSTRAINT ck_participants_purpose")
        for purpose in ("panic", "consult"):
            rows.execute(
                "INSERT INTO participants (id, call_id, room_id, purpose, staff_id, wanted_at)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), %s,"
                " gen_random_uuid(), now())",
                [purpose],
            )
        rows.execute(job, [Jsonb({"notice_id": "a", "tries": 2}), "todo"])
        rows.execute(job, [Jsonb({"notice_id": "b"}), "todo"])
        for statement in migration.STATEMENTS:
            rows.execute(statement)
        purposes = rows.execute("SELECT purpose FROM participants ORDER BY purpose").fetchall()
        assert purposes == [("call_for_help",), ("consult",)]
        waiting = "SELECT args FROM procrastinate_jobs WHERE task_name = 'mail' ORDER BY id"
        assert rows.execute(waiting).fetchall() == [
            ({"notice_id": "a", "attempts": 2},),
            ({"notice_id": "b"},),
        ]
        with pytest.raises(psycopg.errors.CheckViolation), rows.transaction():
            rows.execute("UPDATE participants SET purpose = 'panic'")
        rows.rollback()


def test_an_export_that_is_made_is_in_progress_after_a_migration(database: str) -> None:
    migration = import_module("migrations.versions.0134_held_by_staff")
    export = (
        "INSERT INTO exports (id, what, format, begins, ends, options, personal, state, asked_at)"
        " VALUES (gen_random_uuid(), 'calls', 'csv', now(), now(), '{}', false, %s, now())"
    )
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        rows.execute("ALTER TABLE exports DROP CONSTRAINT ck_exports_state")
        for state in ("making", "ready"):
            rows.execute(export, [state])
        for statement in migration.STATEMENTS:
            rows.execute(statement)
        found = rows.execute("SELECT state FROM exports ORDER BY state").fetchall()
        assert found == [("in_progress",), ("ready",)]
        with pytest.raises(psycopg.errors.CheckViolation), rows.transaction():
            rows.execute("UPDATE exports SET state = 'making'")
        rows.rollback()


def test_jobs_that_wait_have_the_name_of_their_area_after_a_migration(database: str) -> None:
    migration = import_module("migrations.versions.0118_jobs_of_administration")
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        rows.execute("SET session_replication_role = replica")
        for name in ("country:undo_settings", "country:seal_marked"):
            rows.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
                " VALUES ('default', %s, '{}', 'todo')",
                [name],
            )
        rows.execute(migration.RENAMED)
        found = rows.execute("SELECT task_name FROM procrastinate_jobs ORDER BY id").fetchall()
        assert found == [("administration:undo_settings",), ("country:seal_marked",)]
        rows.rollback()
