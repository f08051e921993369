"""What was said is kept: contacts, cases, profiles, and a log of each that can only grow.

Free text about a person is sealed; what a counsellor decided, and what each completed contact
said, is never written over. Supervisors belong to a team.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("record_events", "urgency_decisions", "completed_versions", "definitions", "earlier_answers")

_AUDIT = """
    CREATE OR REPLACE FUNCTION chain_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last audit_entries;
    BEGIN
      PERFORM pg_advisory_xact_lock(116112);
      SELECT * INTO last FROM audit_entries ORDER BY id DESC LIMIT 1;
      NEW.previous := coalesce(last.hash, ''::bytea);
      {number}
      NEW.hash := audit_entries_digest(NEW);
      RETURN NEW;
    END $$
    """

_STATEMENTS = [
    # Numbered without gaps from now on, so that whoever audits sees that none is missing.
    _AUDIT.format(number="NEW.id := coalesce(last.id, 0) + 1;"),
    """
    CREATE FUNCTION record_events_digest(e record_events) RETURNS bytea
    LANGUAGE sql IMMUTABLE AS $$
      SELECT sha256(e.previous || convert_to(jsonb_build_array(
        e.subject_kind, e.subject_id, e.kind, extract(epoch FROM e.at), e.staff_id, e.detail,
        encode(coalesce(e.words_sealed, ''::bytea), 'hex'), e.words_id
      )::text, 'UTF8'))
    $$
    """,
    """
    CREATE FUNCTION chain_record_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      -- One at a time for each subject, whoever holds its row.
      PERFORM pg_advisory_xact_lock(hashtextextended(NEW.subject_id::text, 116115));
      SELECT hash INTO NEW.previous FROM record_events
        WHERE subject_id = NEW.subject_id ORDER BY id DESC LIMIT 1;
      NEW.previous := coalesce(NEW.previous, ''::bytea);
      -- The number is given under the lock, so that the order of ids is the chain's.
      NEW.id := nextval(pg_get_serial_sequence('record_events', 'id'));
      NEW.hash := record_events_digest(NEW);
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER chain BEFORE INSERT ON record_events "
    "FOR EACH ROW EXECUTE FUNCTION chain_record_event()",
    *(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "EXECUTE FUNCTION refuse_change()"
        for table in _APPEND_ONLY
    ),
]


def upgrade() -> None:
    op.create_table('definitions',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('digest', postgresql.BYTEA(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('registered_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'name', 'version', name=op.f('pk_definitions'))
    )
    op.create_table('match_keys',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('subject_kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', postgresql.BYTEA(), nullable=False),
    sa.CheckConstraint("kind IN ('name', 'sound', 'number')", name=op.f('ck_match_keys_kind')),
    sa.CheckConstraint("subject_kind IN ('contact', 'case')", name=op.f('ck_match_keys_subject_kind')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_match_keys'))
    )
    op.create_index('ix_match_keys_key', 'match_keys', ['key', 'subject_kind', 'subject_id'], unique=False)
    op.create_index('ix_match_keys_subject_id', 'match_keys', ['subject_id', 'path'], unique=False)
    op.create_table('profiles',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('merged_into', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['merged_into'], ['profiles.id'], name=op.f('fk_profiles_merged_into')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_profiles')),
    sa.UniqueConstraint('code', name=op.f('uq_profiles_code'))
    )
    op.create_table('cases',
    sa.Column('workflow', sa.Text(), nullable=False),
    sa.Column('workflow_version', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('closed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('separation_risk', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('separation_outcome', sa.Text(), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('form', sa.Text(), nullable=False),
    sa.Column('form_version', sa.Integer(), nullable=False),
    sa.Column('categories', sa.Text(), nullable=False),
    sa.Column('categories_version', sa.Integer(), nullable=False),
    sa.Column('places', sa.Text(), nullable=False),
    sa.Column('places_version', sa.Integer(), nullable=False),
    sa.Column('team', sa.Text(), nullable=False),
    sa.Column('opened_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('answers', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('sealed', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('versions', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('revision', sa.Integer(), server_default='0', nullable=False),
    sa.Column('edited_by', sa.Uuid(), nullable=True),
    sa.Column('edited_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('edited_from', sa.Integer(), server_default='0', nullable=False),
    sa.Column('headline', sa.Text(), nullable=True),
    sa.Column('headline_words', sa.Text(), server_default='', nullable=False),
    sa.Column('category_codes', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('place', sa.Text(), nullable=True),
    sa.Column('place_path', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("separation_outcome IN ('with_family', 'kin', 'foster', 'residential', 'unknown')", name=op.f('ck_cases_separation_outcome')),
    sa.ForeignKeyConstraint(['owner_id'], ['staff.id'], name=op.f('fk_cases_owner_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cases')),
    sa.UniqueConstraint('code', name=op.f('uq_cases_code'))
    )
    op.create_index('ix_cases_category_codes', 'cases', ['category_codes'], unique=False, postgresql_using='gin')
    op.create_index('ix_cases_headline', 'cases', [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")], unique=False, postgresql_using='gin')
    op.create_index('ix_cases_opened_at', 'cases', ['opened_at'], unique=False)
    op.create_index('ix_cases_owner_id', 'cases', ['owner_id', 'opened_at'], unique=False)
    op.create_index('ix_cases_place_path', 'cases', ['place_path'], unique=False, postgresql_using='gin')
    op.create_index('ix_cases_status', 'cases', ['status', 'opened_at'], unique=False)
    op.create_index('ix_cases_team', 'cases', ['team', 'opened_at'], unique=False)
    op.create_table('earlier_answers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('subject_kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('answer', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('sealed', sa.Text(), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('replaced_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('replaced_by', sa.Uuid(), nullable=True),
    sa.CheckConstraint("subject_kind IN ('contact', 'case')", name=op.f('ck_earlier_answers_subject_kind')),
    sa.ForeignKeyConstraint(['replaced_by'], ['staff.id'], name=op.f('fk_earlier_answers_replaced_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_earlier_answers'))
    )
    op.create_index('ix_earlier_answers_subject_id', 'earlier_answers', ['subject_id', 'id'], unique=False)
    op.create_table('profile_numbers',
    sa.Column('profile_id', sa.Uuid(), nullable=False),
    sa.Column('caller_key', postgresql.BYTEA(), nullable=False),
    sa.ForeignKeyConstraint(['profile_id'], ['profiles.id'], name=op.f('fk_profile_numbers_profile_id')),
    sa.PrimaryKeyConstraint('profile_id', 'caller_key', name=op.f('pk_profile_numbers'))
    )
    op.create_index('ix_profile_numbers_caller_key', 'profile_numbers', ['caller_key'], unique=False)
    op.create_table('record_events',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('subject_kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('staff_id', sa.Uuid(), nullable=True),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('words_sealed', postgresql.BYTEA(), nullable=True),
    sa.Column('words_id', sa.Uuid(), nullable=True),
    sa.Column('previous', postgresql.BYTEA(), nullable=False),
    sa.Column('hash', postgresql.BYTEA(), nullable=False),
    sa.CheckConstraint("subject_kind IN ('contact', 'case', 'profile')", name=op.f('ck_record_events_subject_kind')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_record_events_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_record_events'))
    )
    op.create_index('ix_record_events_subject_id', 'record_events', ['subject_id', 'id'], unique=False)
    op.create_table('case_documents',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('staff_id', sa.Uuid(), nullable=False),
    sa.Column('name_sealed', postgresql.BYTEA(), nullable=False),
    sa.Column('content_sealed', postgresql.BYTEA(), nullable=False),
    sa.Column('media_type', sa.Text(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('scan', sa.Text(), nullable=False),
    sa.CheckConstraint("scan IN ('clean', 'not_scanned')", name=op.f('ck_case_documents_scan')),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_case_documents_case_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_case_documents_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_case_documents'))
    )
    op.create_index('ix_case_documents_case_id', 'case_documents', ['case_id'], unique=False)
    op.create_table('case_members',
    sa.Column('staff_id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('opened_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('since', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_case_members_case_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_case_members_staff_id')),
    sa.PrimaryKeyConstraint('staff_id', 'case_id', name=op.f('pk_case_members'))
    )
    op.create_index('ix_case_members_case_id', 'case_members', ['case_id'], unique=False)
    op.create_index('ix_case_members_newest', 'case_members', ['staff_id', 'opened_at', 'case_id'], unique=False)
    op.create_table('contacts',
    sa.Column('call_id', sa.Uuid(), nullable=True),
    sa.Column('profile_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), server_default='draft', nullable=False),
    sa.Column('closed_as', sa.Text(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=True),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('on_behalf_of', sa.Uuid(), nullable=True),
    sa.Column('taken_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('urgency', sa.Text(), nullable=True),
    sa.Column('urgency_suggested', sa.Text(), nullable=True),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('completed_by', sa.Uuid(), nullable=True),
    sa.Column('completions', sa.Integer(), server_default='0', nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('form', sa.Text(), nullable=False),
    sa.Column('form_version', sa.Integer(), nullable=False),
    sa.Column('categories', sa.Text(), nullable=False),
    sa.Column('categories_version', sa.Integer(), nullable=False),
    sa.Column('places', sa.Text(), nullable=False),
    sa.Column('places_version', sa.Integer(), nullable=False),
    sa.Column('team', sa.Text(), nullable=False),
    sa.Column('opened_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('answers', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('sealed', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('versions', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('revision', sa.Integer(), server_default='0', nullable=False),
    sa.Column('edited_by', sa.Uuid(), nullable=True),
    sa.Column('edited_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('edited_from', sa.Integer(), server_default='0', nullable=False),
    sa.Column('headline', sa.Text(), nullable=True),
    sa.Column('headline_words', sa.Text(), server_default='', nullable=False),
    sa.Column('category_codes', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('place', sa.Text(), nullable=True),
    sa.Column('place_path', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("channel IN ('call', 'voice_message', 'email', 'walk_in', 'letter', 'outreach', 'chat', 'other')", name=op.f('ck_contacts_channel')),
    sa.CheckConstraint("closed_as IN ('silent', 'hang_up', 'wrong_number', 'test', 'prank', 'abusive', 'thanks', 'question')", name=op.f('ck_contacts_closed_as')),
    sa.CheckConstraint("source IN ('live', 'afterwards', 'paper', 'on_behalf')", name=op.f('ck_contacts_source')),
    sa.CheckConstraint("state <> 'complete' OR completed_at IS NOT NULL", name=op.f('ck_contacts_completed_at')),
    sa.CheckConstraint("state IN ('draft', 'complete', 'reopened')", name=op.f('ck_contacts_state')),
    sa.CheckConstraint("urgency IN ('immediate', 'urgent', 'priority', 'routine')", name=op.f('ck_contacts_urgency')),
    sa.CheckConstraint("urgency_suggested IN ('immediate', 'urgent', 'priority', 'routine')", name=op.f('ck_contacts_urgency_suggested')),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_contacts_call_id')),
    sa.ForeignKeyConstraint(['completed_by'], ['staff.id'], name=op.f('fk_contacts_completed_by')),
    sa.ForeignKeyConstraint(['on_behalf_of'], ['staff.id'], name=op.f('fk_contacts_on_behalf_of')),
    sa.ForeignKeyConstraint(['owner_id'], ['staff.id'], name=op.f('fk_contacts_owner_id')),
    sa.ForeignKeyConstraint(['profile_id'], ['profiles.id'], name=op.f('fk_contacts_profile_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contacts')),
    sa.UniqueConstraint('call_id', name=op.f('uq_contacts_call_id')),
    sa.UniqueConstraint('code', name=op.f('uq_contacts_code'))
    )
    op.create_index('ix_contacts_category_codes', 'contacts', ['category_codes'], unique=False, postgresql_using='gin')
    op.create_index('ix_contacts_headline', 'contacts', [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")], unique=False, postgresql_using='gin')
    op.create_index('ix_contacts_open', 'contacts', ['owner_id'], unique=False, postgresql_where=sa.text("state <> 'complete'"))
    op.create_index('ix_contacts_opened_at', 'contacts', ['opened_at'], unique=False)
    op.create_index('ix_contacts_owner_id', 'contacts', ['owner_id', 'opened_at'], unique=False)
    op.create_index('ix_contacts_place_path', 'contacts', ['place_path'], unique=False, postgresql_using='gin')
    op.create_index('ix_contacts_profile_id', 'contacts', ['profile_id'], unique=False)
    op.create_index('ix_contacts_team', 'contacts', ['team', 'opened_at'], unique=False)
    op.create_table('follow_ups',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.Column('about', sa.Text(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('words_sealed', postgresql.BYTEA(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('reminded_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('overdue_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('done_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('done_by', sa.Uuid(), nullable=True),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('result_sealed', postgresql.BYTEA(), nullable=True),
    sa.CheckConstraint("about IN ('check', 'call_back', 'separation', 'document', 'conference')", name=op.f('ck_follow_ups_about')),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_follow_ups_case_id')),
    sa.ForeignKeyConstraint(['done_by'], ['staff.id'], name=op.f('fk_follow_ups_done_by')),
    sa.ForeignKeyConstraint(['owner_id'], ['staff.id'], name=op.f('fk_follow_ups_owner_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_follow_ups'))
    )
    op.create_index('ix_follow_ups_case_id', 'follow_ups', ['case_id'], unique=False)
    op.create_index('ix_follow_ups_owner_id', 'follow_ups', ['owner_id'], unique=False, postgresql_where=sa.text('done_at IS NULL'))
    op.create_table('case_contacts',
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('linked_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_case_contacts_case_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contacts.id'], name=op.f('fk_case_contacts_contact_id')),
    sa.PrimaryKeyConstraint('case_id', 'contact_id', name=op.f('pk_case_contacts'))
    )
    op.create_index('ix_case_contacts_contact_id', 'case_contacts', ['contact_id'], unique=False)
    op.create_table('completed_versions',
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('staff_id', sa.Uuid(), nullable=False),
    sa.Column('answers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('sealed', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contacts.id'], name=op.f('fk_completed_versions_contact_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_completed_versions_staff_id')),
    sa.PrimaryKeyConstraint('contact_id', 'number', name=op.f('pk_completed_versions'))
    )
    op.create_table('contact_readers',
    sa.Column('staff_id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('opened_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('since', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contacts.id'], name=op.f('fk_contact_readers_contact_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_contact_readers_staff_id')),
    sa.PrimaryKeyConstraint('staff_id', 'contact_id', name=op.f('pk_contact_readers'))
    )
    op.create_index('ix_contact_readers_contact_id', 'contact_readers', ['contact_id'], unique=False)
    op.create_index('ix_contact_readers_newest', 'contact_readers', ['staff_id', 'opened_at', 'contact_id'], unique=False)
    op.create_table('urgency_decisions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('staff_id', sa.Uuid(), nullable=False),
    sa.Column('urgency', sa.Text(), nullable=False),
    sa.Column('suggested', sa.Text(), nullable=True),
    sa.Column('cues', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('reason_sealed', postgresql.BYTEA(), nullable=True),
    sa.CheckConstraint("suggested IN ('immediate', 'urgent', 'priority', 'routine')", name=op.f('ck_urgency_decisions_suggested')),
    sa.CheckConstraint("urgency IN ('immediate', 'urgent', 'priority', 'routine')", name=op.f('ck_urgency_decisions_urgency')),
    sa.ForeignKeyConstraint(['contact_id'], ['contacts.id'], name=op.f('fk_urgency_decisions_contact_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_urgency_decisions_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_urgency_decisions'))
    )
    op.create_index('ix_urgency_decisions_contact_id', 'urgency_decisions', ['contact_id', 'at'], unique=False)
    op.create_index('ix_audit_entries_subject', 'audit_entries', ['subject', 'id'], unique=False)
    op.add_column('staff', sa.Column('team', sa.Text(), server_default='', nullable=False))
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    sequence = "nextval(pg_get_serial_sequence('audit_entries', 'id'))"
    op.execute(_AUDIT.format(number=f"NEW.id := greatest(coalesce(last.id, 0) + 1, {sequence});"))
    for table in _APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only ON {table}")
    op.execute("DROP TRIGGER chain ON record_events")
    op.execute("DROP FUNCTION chain_record_event")
    op.execute("DROP FUNCTION record_events_digest")
    op.drop_column('staff', 'team')
    op.drop_index('ix_audit_entries_subject', table_name='audit_entries')
    op.drop_index('ix_urgency_decisions_contact_id', table_name='urgency_decisions')
    op.drop_table('urgency_decisions')
    op.drop_index('ix_contact_readers_newest', table_name='contact_readers')
    op.drop_index('ix_contact_readers_contact_id', table_name='contact_readers')
    op.drop_table('contact_readers')
    op.drop_table('completed_versions')
    op.drop_index('ix_case_contacts_contact_id', table_name='case_contacts')
    op.drop_table('case_contacts')
    op.drop_index('ix_follow_ups_owner_id', table_name='follow_ups', postgresql_where=sa.text('done_at IS NULL'))
    op.drop_index('ix_follow_ups_case_id', table_name='follow_ups')
    op.drop_table('follow_ups')
    op.drop_index('ix_contacts_team', table_name='contacts')
    op.drop_index('ix_contacts_profile_id', table_name='contacts')
    op.drop_index('ix_contacts_place_path', table_name='contacts', postgresql_using='gin')
    op.drop_index('ix_contacts_owner_id', table_name='contacts')
    op.drop_index('ix_contacts_opened_at', table_name='contacts')
    op.drop_index('ix_contacts_open', table_name='contacts', postgresql_where=sa.text("state <> 'complete'"))
    op.drop_index('ix_contacts_headline', table_name='contacts', postgresql_using='gin')
    op.drop_index('ix_contacts_category_codes', table_name='contacts', postgresql_using='gin')
    op.drop_table('contacts')
    op.drop_index('ix_case_members_newest', table_name='case_members')
    op.drop_index('ix_case_members_case_id', table_name='case_members')
    op.drop_table('case_members')
    op.drop_index('ix_case_documents_case_id', table_name='case_documents')
    op.drop_table('case_documents')
    op.drop_index('ix_record_events_subject_id', table_name='record_events')
    op.drop_table('record_events')
    op.drop_index('ix_profile_numbers_caller_key', table_name='profile_numbers')
    op.drop_table('profile_numbers')
    op.drop_index('ix_earlier_answers_subject_id', table_name='earlier_answers')
    op.drop_table('earlier_answers')
    op.drop_index('ix_cases_team', table_name='cases')
    op.drop_index('ix_cases_status', table_name='cases')
    op.drop_index('ix_cases_place_path', table_name='cases', postgresql_using='gin')
    op.drop_index('ix_cases_owner_id', table_name='cases')
    op.drop_index('ix_cases_opened_at', table_name='cases')
    op.drop_index('ix_cases_headline', table_name='cases', postgresql_using='gin')
    op.drop_index('ix_cases_category_codes', table_name='cases', postgresql_using='gin')
    op.drop_table('cases')
    op.drop_table('profiles')
    op.drop_index('ix_match_keys_subject_id', table_name='match_keys')
    op.drop_index('ix_match_keys_key', table_name='match_keys')
    op.drop_table('match_keys')
    op.drop_table('definitions')
