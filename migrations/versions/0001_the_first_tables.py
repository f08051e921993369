"""The first tables: what a helpline keeps, and what the database itself sees to.

Logs only grow, and each row is chained to the one before (`chain_...`, `refuse_change`); an urgent
referral always has a running deadline; a change to what is counted throws away the kept copy of
its day (`statistics_of_...`). The tables of the job store are procrastinate's own, as its pinned
version ships them: when that version changes its tables, a further migration applies its files.

The folder `migrations/first` has the tables, a file for each area.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from psycopg import ClientCursor

from migrations.first import (
    agencies,
    calls,
    cases,
    contacts,
    referrals,
    rota,
    routing,
    staff,
    statistics,
)
from migrations.first.functions import FUNCTIONS
from migrations.first.triggers import triggers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A table stands after those that it refers to.
TABLES = (
    agencies.agencies,
    staff.api_tokens,
    staff.audit_entries,
    contacts.definitions,
    rota.holidays,
    calls.leg_pace,
    calls.leg_requests,
    calls.lines,
    contacts.match_keys,
    contacts.profiles,
    calls.reconciled,
    statistics.service_targets,
    staff.staff,
    statistics.statistic_days,
    routing.alarms,
    statistics.asked_tables,
    rota.calendar_feeds,
    calls.caller_flags,
    calls.caller_wishes,
    calls.calls,
    cases.cases,
    rota.coverage_alarms,
    agencies.duty_phones,
    contacts.earlier_answers,
    statistics.exports,
    calls.line_languages,
    calls.line_numbers,
    agencies.mandates,
    routing.presence_changes,
    routing.presences,
    contacts.profile_numbers,
    calls.prompts,
    statistics.public_releases,
    contacts.record_events,
    statistics.report_schedules,
    rota.rota_changes,
    rota.shifts,
    staff.staff_sessions,
    statistics.statistic_columns,
    routing.alarm_attempts,
    calls.call_events,
    calls.call_questions,
    routing.callbacks,
    cases.case_documents,
    cases.case_flags,
    cases.case_links,
    cases.case_members,
    cases.case_requests,
    contacts.contacts,
    statistics.export_parts,
    cases.follow_ups,
    calls.legs,
    routing.offers,
    calls.voice_messages,
    cases.case_contacts,
    contacts.completed_versions,
    contacts.contact_readers,
    contacts.openings,
    routing.participants,
    referrals.referrals,
    contacts.urgency_decisions,
    referrals.consents,
    agencies.deliveries,
    referrals.notices,
    agencies.received_events,
    referrals.recipients,
    cases.same_children,
    agencies.attempts,
    agencies.agency_cases,
    referrals.deadlines,
    referrals.disclosures,
    referrals.dispatches,
    agencies.links,
    referrals.deadline_breaches,
)


def upgrade() -> None:
    for table in TABLES:
        table()
    # Kept days are packed already: the database does not try to make them smaller.
    op.execute("ALTER TABLE statistic_columns ALTER COLUMN data SET STORAGE EXTERNAL")
    # A reading of a list names fifty records: it stays in its row, written once.
    op.execute("ALTER TABLE audit_entries SET (toast_tuple_target = 8160)")
    for statement in (*FUNCTIONS, *triggers()):
        op.execute(sa.text(statement.replace(":", "\\:")))
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    # Many statements in one string: without parameters, and not as a prepared statement.
    ClientCursor(raw).execute(SchemaManager.get_schema())
