"""Urgent cases reach somebody who acts: a directory of agencies, referrals with their clocks.

An urgent referral that nobody has acknowledged cannot be stored without a running clock: a
constraint says so, whatever the program does. Consent, disclosures and what happened only grow.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("consents", "disclosures", "received_events")
_URGENT = (
    "NEW.urgency IN ('immediate', 'urgent') AND NEW.state IN "
    "('draft', 'sent', 'delivered', 'failed', 'rejected', 'redirected', 'expired')"
)

_STATEMENTS = [
    """
    CREATE FUNCTION check_running_clock() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE subject uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
    BEGIN
      IF EXISTS (
        SELECT FROM referrals r WHERE r.id = subject
          AND r.urgency IN ('immediate', 'urgent')
          AND r.state IN ('draft', 'sent', 'delivered', 'failed', 'rejected', 'redirected', 'expired')
          AND NOT EXISTS (
            SELECT FROM clocks c WHERE c.referral_id = r.id AND c.kind = 'acknowledge'
              AND c.stopped_at IS NULL)
      ) THEN
        RAISE EXCEPTION 'an urgent referral would have no running clock'
          USING ERRCODE = 'check_violation';
      END IF;
      RETURN NULL;
    END $$
    """,
    "CREATE CONSTRAINT TRIGGER running_clock AFTER INSERT OR UPDATE ON referrals "
    f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({_URGENT}) "
    "EXECUTE FUNCTION check_running_clock('id')",
    "CREATE CONSTRAINT TRIGGER running_clock AFTER UPDATE ON clocks "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.stopped_at IS NOT NULL) "
    "EXECUTE FUNCTION check_running_clock('referral_id')",
    *(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "EXECUTE FUNCTION refuse_change()"
        for table in _APPEND_ONLY
    ),
]
_SUBJECTS = "subject_kind IN ('contact', 'case', 'profile'{more})"
_EARLIER = "subject_kind IN ('contact', 'case'{more})"


def _subjects(more: str) -> None:
    """Which records the logs may be about."""
    for table, words in (("record_events", _SUBJECTS), ("earlier_answers", _EARLIER)):
        op.drop_constraint(op.f(f"ck_{table}_subject_kind"), table, type_="check")
        op.create_check_constraint(
            op.f(f"ck_{table}_subject_kind"), table, words.format(more=more)
        )


def upgrade() -> None:
    op.create_table('agencies',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('sector', sa.Text(), nullable=False),
    sa.Column('services', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('areas', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('age_from', sa.Integer(), nullable=True),
    sa.Column('age_to', sa.Integer(), nullable=True),
    sa.Column('hours', sa.Text(), server_default='', nullable=False),
    sa.Column('timezone', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=True),
    sa.Column('languages', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('sms', sa.Text(), nullable=True),
    sa.Column('deputy', sa.Text(), nullable=True),
    sa.Column('valid_from', sa.Date(), nullable=True),
    sa.Column('valid_until', sa.Date(), nullable=True),
    sa.Column('verified_on', sa.Date(), nullable=True),
    sa.Column('verified_by', sa.Text(), server_default='', nullable=False),
    sa.Column('doubted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('webhook_url', sa.Text(), nullable=True),
    sa.Column('webhook_secret_sealed', postgresql.BYTEA(), nullable=True),
    sa.Column('primero', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('primero_password_sealed', postgresql.BYTEA(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('changed_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.CheckConstraint("sector IN ('social_welfare', 'police', 'health', 'mental_health', 'education', 'justice', 'shelter', 'mobile_outreach', 'legal_aid', 'family_support', 'missing_children', 'helpline_abroad', 'own_house')", name=op.f('ck_agencies_sector')),
    sa.CheckConstraint('age_from IS NULL OR age_to IS NULL OR age_from <= age_to', name=op.f('ck_agencies_ages')),
    sa.CheckConstraint('valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until', name=op.f('ck_agencies_valid')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agencies')),
    sa.UniqueConstraint('code', name=op.f('uq_agencies_code'))
    )
    op.create_index('ix_agencies_services', 'agencies', ['services'], unique=False, postgresql_using='gin')
    op.create_table('duty_phones',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('hours', sa.Text(), server_default='', nullable=False),
    sa.Column('gone_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_duty_phones_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_duty_phones')),
    sa.UniqueConstraint('agency_id', 'position', name=op.f('uq_duty_phones_agency_id_position'))
    )
    op.create_table('mandates',
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('place', sa.Text(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_mandates_agency_id')),
    sa.PrimaryKeyConstraint('service', 'place', name=op.f('pk_mandates'))
    )
    op.create_index(op.f('ix_mandates_agency_id'), 'mandates', ['agency_id'], unique=False)
    op.create_table('referrals',
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('case_id', sa.Uuid(), nullable=True),
    sa.Column('call_id', sa.Uuid(), nullable=True),
    sa.Column('opened_together', sa.Uuid(), nullable=False),
    sa.Column('opened_by', sa.Uuid(), nullable=True),
    sa.Column('opened_how', sa.Text(), nullable=False),
    sa.Column('urgency', sa.Text(), nullable=False),
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('protocol', sa.Text(), nullable=False),
    sa.Column('protocol_version', sa.Integer(), nullable=False),
    sa.Column('state', sa.Text(), server_default='draft', nullable=False),
    sa.Column('child_age', sa.Integer(), nullable=True),
    sa.Column('family_first', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('separation_risk', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('approach_id', sa.Uuid(), nullable=True),
    sa.Column('agency_id', sa.Uuid(), nullable=True),
    sa.Column('ladder_round', sa.Integer(), server_default='0', nullable=False),
    sa.Column('ladder_step', sa.Integer(), server_default='0', nullable=False),
    sa.Column('ladder_phone', sa.Integer(), server_default='-1', nullable=False),
    sa.Column('climbs_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('turn', sa.Integer(), server_default='0', nullable=False),
    sa.Column('warm', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('sent_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('acknowledged_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('house_has_it', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('accepted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('seen_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('written_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('closed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('wants_feedback', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('feedback_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
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
    sa.CheckConstraint("opened_how IN ('urgent_button', 'danger_key', 'contact', 'by_hand')", name=op.f('ck_referrals_opened_how')),
    sa.CheckConstraint("outcome IN ('child_safe_at_home_with_plan', 'placed_shelter', 'placed_kin_or_foster', 'placed_residential', 'police_action', 'medical_care', 'family_supported', 'declined_by_family', 'unable_to_locate', 'referred_on', 'other')", name=op.f('ck_referrals_outcome')),
    sa.CheckConstraint("service IN ('child_protection', 'police', 'emergency_medical', 'health', 'mental_health', 'education', 'justice', 'shelter', 'mobile_outreach', 'legal_aid', 'family_support', 'disability_support', 'missing_child', 'helpline_abroad', 'supervisor_on_call', 'director_on_call')", name=op.f('ck_referrals_service')),
    sa.CheckConstraint("state IN ('draft', 'sent', 'delivered', 'acknowledged', 'accepted', 'in_progress', 'completed', 'closed', 'failed', 'rejected', 'redirected', 'recalled', 'expired', 'consent_withdrawn')", name=op.f('ck_referrals_state')),
    sa.CheckConstraint("urgency IN ('immediate', 'urgent', 'priority', 'routine')", name=op.f('ck_referrals_urgency')),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_referrals_agency_id')),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_referrals_call_id')),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_referrals_case_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contacts.id'], name=op.f('fk_referrals_contact_id')),
    sa.ForeignKeyConstraint(['opened_by'], ['staff.id'], name=op.f('fk_referrals_opened_by')),
    sa.ForeignKeyConstraint(['owner_id'], ['staff.id'], name=op.f('fk_referrals_owner_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_referrals')),
    sa.UniqueConstraint('code', name=op.f('uq_referrals_code'))
    )
    op.create_index(op.f('ix_referrals_agency_id'), 'referrals', ['agency_id'], unique=False)
    op.create_index('ix_referrals_call_id', 'referrals', ['call_id'], unique=False)
    op.create_index('ix_referrals_category_codes', 'referrals', ['category_codes'], unique=False, postgresql_using='gin')
    op.create_index('ix_referrals_climbing', 'referrals', ['climbs_at'], unique=False, postgresql_where=sa.text('climbs_at IS NOT NULL'))
    op.create_index('ix_referrals_contact_id', 'referrals', ['contact_id'], unique=False)
    op.create_index('ix_referrals_headline', 'referrals', [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")], unique=False, postgresql_using='gin')
    op.create_index('ix_referrals_opened_at', 'referrals', ['opened_at'], unique=False)
    op.create_index('ix_referrals_owner_id', 'referrals', ['owner_id', 'opened_at'], unique=False)
    op.create_index('ix_referrals_place_path', 'referrals', ['place_path'], unique=False, postgresql_using='gin')
    op.create_index('ix_referrals_state', 'referrals', ['state', 'opened_at'], unique=False)
    op.create_index('ix_referrals_team', 'referrals', ['team', 'opened_at'], unique=False)
    op.create_index('uq_referrals_danger_key', 'referrals', ['call_id'], unique=True, postgresql_where=sa.text("opened_how = 'danger_key'"))
    op.create_table('approaches',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('why', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('offered_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('delivered_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('acknowledged_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('accepted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('seen_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.CheckConstraint("reason IN ('no_capacity', 'outside_area', 'outside_mandate', 'age_out_of_range', 'insufficient_information', 'duplicate', 'cannot_locate', 'other')", name=op.f('ck_approaches_reason')),
    sa.CheckConstraint("state IN ('offered', 'delivered', 'acknowledged', 'accepted', 'in_progress', 'completed', 'rejected', 'unanswered', 'withdrawn')", name=op.f('ck_approaches_state')),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_approaches_agency_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_approaches_referral_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_approaches')),
    sa.UniqueConstraint('referral_id', 'number', name=op.f('uq_approaches_referral_id_number'))
    )
    op.create_index('ix_approaches_agency_id', 'approaches', ['agency_id', 'offered_at'], unique=False)
    op.create_table('consents',
    sa.Column('number', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('staff_id', sa.Uuid(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('given_by', sa.Text(), nullable=True),
    sa.Column('how', sa.Text(), nullable=True),
    sa.Column('scope', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('withheld_from', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('for_what', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('basis', sa.Text(), nullable=True),
    sa.Column('child_told', sa.Boolean(), nullable=True),
    sa.Column('words_sealed', postgresql.BYTEA(), nullable=True),
    sa.CheckConstraint("(kind = 'override') = (basis IS NOT NULL)", name=op.f('ck_consents_basis_of_override')),
    sa.CheckConstraint("basis IN ('vital_interests', 'legal_obligation', 'best_interests')", name=op.f('ck_consents_basis')),
    sa.CheckConstraint("kind <> 'override' OR words_sealed IS NOT NULL", name=op.f('ck_consents_reason')),
    sa.CheckConstraint("kind IN ('consent', 'override', 'withdrawn')", name=op.f('ck_consents_kind')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_consents_referral_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_consents_staff_id')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_consents'))
    )
    op.create_index('ix_consents_referral_id', 'consents', ['referral_id', 'number'], unique=False)
    op.create_table('deliveries',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('tries', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_try_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('last_answer', sa.Text(), server_default='', nullable=False),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'delivered', 'dead')", name=op.f('ck_deliveries_state')),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_deliveries_agency_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_deliveries_referral_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries')),
    sa.UniqueConstraint('agency_id', 'referral_id', 'sequence', name=op.f('uq_deliveries_agency_id_referral_id_sequence'))
    )
    op.create_index('ix_deliveries_state', 'deliveries', ['state', 'created_at'], unique=False)
    op.create_table('notices',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('for_whom', sa.Text(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('author_id', sa.Uuid(), nullable=True),
    sa.Column('seen_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('seen_by', sa.Uuid(), nullable=True),
    sa.CheckConstraint("for_whom IN ('owner', 'supervisors')", name=op.f('ck_notices_for_whom')),
    sa.CheckConstraint("kind IN ('breach', 'override', 'call_back', 'question', 'rejected', 'nobody_left', 'wrong_service', 'completed', 'undelivered', 'ring_them', 'unmapped', 'danger_unanswered', 'escalated')", name=op.f('ck_notices_kind')),
    sa.ForeignKeyConstraint(['author_id'], ['staff.id'], name=op.f('fk_notices_author_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_notices_referral_id')),
    sa.ForeignKeyConstraint(['seen_by'], ['staff.id'], name=op.f('fk_notices_seen_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notices'))
    )
    op.create_index('ix_notices_referral_id', 'notices', ['referral_id'], unique=False)
    op.create_index('ix_notices_unseen', 'notices', ['at'], unique=False, postgresql_where=sa.text('seen_at IS NULL'))
    op.create_table('received_events',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('answer', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_received_events_agency_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_received_events_referral_id')),
    sa.PrimaryKeyConstraint('agency_id', 'event_id', name=op.f('pk_received_events'))
    )
    op.create_table('clocks',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('due_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('stopped_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('breached_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('breached_by', sa.Uuid(), nullable=True),
    sa.CheckConstraint("kind IN ('acknowledge', 'seen', 'written', 'follow_up', 'hand_over')", name=op.f('ck_clocks_kind')),
    sa.ForeignKeyConstraint(['breached_by'], ['approaches.id'], name=op.f('fk_clocks_breached_by')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_clocks_referral_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clocks')),
    sa.UniqueConstraint('referral_id', 'kind', name=op.f('uq_clocks_referral_id_kind'))
    )
    op.create_index(op.f('ix_clocks_breached_by'), 'clocks', ['breached_by'], unique=False)
    op.create_index('ix_clocks_running', 'clocks', ['due_at'], unique=False, postgresql_where=sa.text('stopped_at IS NULL'))
    op.create_index('ix_clocks_unbreached', 'clocks', ['due_at'], unique=False, postgresql_where=sa.text('stopped_at IS NULL AND breached_at IS NULL'))
    op.create_table('counterparts',
    sa.Column('approach_id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('service_id', sa.Uuid(), nullable=False),
    sa.Column('their_referral', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), server_default='wanted', nullable=False),
    sa.Column('their_status', sa.Text(), nullable=True),
    sa.Column('mapping', sa.Text(), nullable=False),
    sa.Column('mapping_version', sa.Integer(), nullable=False),
    sa.Column('problem', sa.Text(), server_default='', nullable=False),
    sa.Column('asked_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('wanted', 'case_made', 'referred', 'refused', 'ended')", name=op.f('ck_counterparts_state')),
    sa.ForeignKeyConstraint(['approach_id'], ['approaches.id'], name=op.f('fk_counterparts_approach_id')),
    sa.PrimaryKeyConstraint('approach_id', name=op.f('pk_counterparts')),
    sa.UniqueConstraint('case_id', name=op.f('uq_counterparts_case_id'))
    )
    op.create_table('disclosures',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('approach_id', sa.Uuid(), nullable=True),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('how', sa.Text(), nullable=False),
    sa.Column('ground', sa.Text(), nullable=False),
    sa.Column('fields', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('staff_id', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_disclosures_agency_id')),
    sa.ForeignKeyConstraint(['approach_id'], ['approaches.id'], name=op.f('fk_disclosures_approach_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_disclosures_referral_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_disclosures_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_disclosures'))
    )
    op.create_index('ix_disclosures_referral_id', 'disclosures', ['referral_id', 'id'], unique=False)
    op.create_table('dispatches',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('approach_id', sa.Uuid(), nullable=True),
    sa.Column('place_sealed', postgresql.BYTEA(), nullable=False),
    sa.Column('wanted_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('team', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('asked_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('on_the_way_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('seen_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('words_sealed', postgresql.BYTEA(), nullable=True),
    sa.CheckConstraint("state IN ('asked', 'on_the_way', 'arrived', 'seen', 'done', 'called_off')", name=op.f('ck_dispatches_state')),
    sa.ForeignKeyConstraint(['approach_id'], ['approaches.id'], name=op.f('fk_dispatches_approach_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_dispatches_referral_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dispatches'))
    )
    op.create_index('ix_dispatches_referral_id', 'dispatches', ['referral_id'], unique=False)
    op.create_table('links',
    sa.Column('token_key', postgresql.BYTEA(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('approach_id', sa.Uuid(), nullable=True),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('used_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('used_for', sa.Text(), nullable=True),
    sa.Column('code_of', sa.Uuid(), nullable=False),
    sa.Column('code_key', postgresql.BYTEA(), nullable=True),
    sa.Column('code_channel', sa.Text(), nullable=True),
    sa.Column('code_tries', sa.Integer(), server_default='0', nullable=False),
    sa.Column('proven_until', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('proof_key', postgresql.BYTEA(), nullable=True),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_links_agency_id')),
    sa.ForeignKeyConstraint(['approach_id'], ['approaches.id'], name=op.f('fk_links_approach_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_links_referral_id')),
    sa.PrimaryKeyConstraint('token_key', name=op.f('pk_links')),
    sa.UniqueConstraint('id', name=op.f('uq_links_id'))
    )
    op.create_index('ix_links_approach_id', 'links', ['approach_id'], unique=False)
    op.create_table('rungs',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('referral_id', sa.Uuid(), nullable=False),
    sa.Column('approach_id', sa.Uuid(), nullable=True),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('turn', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), server_default='0', nullable=False),
    sa.Column('purpose', sa.Text(), server_default='ladder', nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('payload_sealed', postgresql.BYTEA(), nullable=True),
    sa.Column('target', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('seconds', sa.Integer(), server_default='30', nullable=False),
    sa.Column('sending', sa.Text(), server_default='wanted', nullable=False),
    sa.Column('wanted_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('sent_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('answered_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('provider_sid', sa.Text(), nullable=True),
    sa.Column('asks', sa.Integer(), server_default='0', nullable=False),
    sa.Column('tries', sa.Integer(), server_default='0', nullable=False),
    sa.CheckConstraint("kind IN ('phone', 'sms', 'email')", name=op.f('ck_rungs_kind')),
    sa.CheckConstraint("purpose IN ('ladder', 'code', 'link', 'withdrawn', 'recalled', 'answer')", name=op.f('ck_rungs_purpose')),
    sa.CheckConstraint("result IN ('acknowledged', 'wants_to_be_called_back', 'wrong_service', 'no_answer', 'busy', 'machine', 'nobody_pressed_a_key', 'unreachable', 'delivered', 'failed', 'not_needed_any_more')", name=op.f('ck_rungs_result')),
    sa.CheckConstraint("sending IN ('wanted', 'sending', 'sent', 'failed')", name=op.f('ck_rungs_sending')),
    sa.ForeignKeyConstraint(['agency_id'], ['agencies.id'], name=op.f('fk_rungs_agency_id')),
    sa.ForeignKeyConstraint(['approach_id'], ['approaches.id'], name=op.f('fk_rungs_approach_id')),
    sa.ForeignKeyConstraint(['referral_id'], ['referrals.id'], name=op.f('fk_rungs_referral_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rungs')),
    sa.UniqueConstraint('provider_sid', name=op.f('uq_rungs_provider_sid')),
    sa.UniqueConstraint('referral_id', 'number', name=op.f('uq_rungs_referral_id_number'))
    )
    op.create_index('ix_rungs_open', 'rungs', ['wanted_at'], unique=False, postgresql_where=sa.text('ended_at IS NULL'))
    op.create_index('ix_rungs_target', 'rungs', ['referral_id', 'target'], unique=False)
    _subjects(", 'referral'")
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    _subjects("")
    op.drop_index('ix_rungs_target', table_name='rungs')
    op.drop_index('ix_rungs_open', table_name='rungs', postgresql_where=sa.text('ended_at IS NULL'))
    op.drop_table('rungs')
    op.drop_index('ix_links_approach_id', table_name='links')
    op.drop_table('links')
    op.drop_index('ix_dispatches_referral_id', table_name='dispatches')
    op.drop_table('dispatches')
    op.drop_index('ix_disclosures_referral_id', table_name='disclosures')
    op.drop_table('disclosures')
    op.drop_table('counterparts')
    op.drop_index('ix_clocks_unbreached', table_name='clocks', postgresql_where=sa.text('stopped_at IS NULL AND breached_at IS NULL'))
    op.drop_index('ix_clocks_running', table_name='clocks', postgresql_where=sa.text('stopped_at IS NULL'))
    op.drop_index(op.f('ix_clocks_breached_by'), table_name='clocks')
    op.drop_table('clocks')
    op.drop_table('received_events')
    op.drop_index('ix_notices_unseen', table_name='notices', postgresql_where=sa.text('seen_at IS NULL'))
    op.drop_index('ix_notices_referral_id', table_name='notices')
    op.drop_table('notices')
    op.drop_index('ix_deliveries_state', table_name='deliveries')
    op.drop_table('deliveries')
    op.drop_index('ix_consents_referral_id', table_name='consents')
    op.drop_table('consents')
    op.drop_index('ix_approaches_agency_id', table_name='approaches')
    op.drop_table('approaches')
    op.drop_index('uq_referrals_danger_key', table_name='referrals', postgresql_where=sa.text("opened_how = 'danger_key'"))
    op.drop_index('ix_referrals_team', table_name='referrals')
    op.drop_index('ix_referrals_state', table_name='referrals')
    op.drop_index('ix_referrals_place_path', table_name='referrals', postgresql_using='gin')
    op.drop_index('ix_referrals_owner_id', table_name='referrals')
    op.drop_index('ix_referrals_opened_at', table_name='referrals')
    op.drop_index('ix_referrals_headline', table_name='referrals', postgresql_using='gin')
    op.drop_index('ix_referrals_contact_id', table_name='referrals')
    op.drop_index('ix_referrals_climbing', table_name='referrals', postgresql_where=sa.text('climbs_at IS NOT NULL'))
    op.drop_index('ix_referrals_category_codes', table_name='referrals', postgresql_using='gin')
    op.drop_index('ix_referrals_call_id', table_name='referrals')
    op.drop_index(op.f('ix_referrals_agency_id'), table_name='referrals')
    op.drop_table('referrals')
    op.drop_index(op.f('ix_mandates_agency_id'), table_name='mandates')
    op.drop_table('mandates')
    op.drop_table('duty_phones')
    op.drop_index('ix_agencies_services', table_name='agencies', postgresql_using='gin')
    op.drop_table('agencies')
    op.execute("DROP FUNCTION check_running_clock")
