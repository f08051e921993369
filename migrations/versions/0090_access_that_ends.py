"""Contacts and accounts: what was given for a while, or to a person who has left, ends.

A person reads a contact for a cause that is one of a few. A contact that was opened for a reason,
or in an emergency, and whose reader worked on its case when the opening ended, was noted with a
text that nothing took back. Such a row, and one whose case or opening is over, gets the cause that
still carries it; if there is none, it goes. The owner of a contact who lost it with a case reads it
again.

An account whose person has left is parted from the provider of identities, and its telephones and
PIN are forgotten: active again, it took calls at the former telephone before any new password.
"""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0080"
branch_labels = None
depends_on = None

_ENDS = "r.cause IN ('case', 'opened_for_reason', 'owner or on its case')"
# What carries a reading, what lasts longest first.
_CARRIED = """
    CASE
      WHEN EXISTS (SELECT FROM contacts c WHERE c.id = r.contact_id AND c.owner_id = r.staff_id)
        THEN 'owner'
      WHEN EXISTS (
          SELECT FROM record_events e
          WHERE e.subject_kind = 'contact' AND e.subject_id = r.contact_id
            AND e.kind = 'handed_over' AND e.detail->>'owner_id' = r.staff_id::text)
        THEN 'given'
      WHEN EXISTS (
          SELECT FROM case_contacts l JOIN case_members m ON m.case_id = l.case_id
          WHERE l.contact_id = r.contact_id AND m.staff_id = r.staff_id)
        THEN 'case'
      WHEN EXISTS (
          SELECT FROM openings o
          WHERE o.staff_id = r.staff_id AND o.until > now() AND r.contact_id = ANY (o.contacts))
        THEN 'opened_for_reason'
    END
"""


# In this order. Public, so that a test can try them without a database of an earlier version.
HEALS = (
    f"""
    CREATE TEMPORARY TABLE ending_readings ON COMMIT DROP AS
    SELECT r.staff_id, r.contact_id, {_CARRIED} AS cause FROM contact_readers r WHERE {_ENDS}
    """,
    """
    UPDATE contact_readers r SET cause = e.cause FROM ending_readings e
    WHERE (r.staff_id, r.contact_id) = (e.staff_id, e.contact_id)
      AND e.cause IS NOT NULL AND r.cause <> e.cause
    """,
    """
    DELETE FROM contact_readers r USING ending_readings e
    WHERE (r.staff_id, r.contact_id) = (e.staff_id, e.contact_id) AND e.cause IS NULL
    """,
    """
    INSERT INTO contact_readers (staff_id, contact_id, opened_at, since, cause)
    SELECT owner_id, id, opened_at, now(), 'owner' FROM contacts
    ON CONFLICT DO NOTHING
    """,
)
_LEFT = """
    NOT s.active AND EXISTS (
      SELECT FROM audit_entries a WHERE a.subject = s.id::text AND a.action = 'staff_deactivated')
"""
# What opened the accounts of those who have left; the column `left_at` is there by then.
CLOSES = (
    f"""
    UPDATE staff_identities i SET left_at = now() FROM staff s
    WHERE s.id = i.staff_id AND {_LEFT}
    """,
    f"""
    UPDATE phone_proofs p
    SET pin_hash = NULL, chosen_hash = NULL, paired_at = NULL,
        code_hash = NULL, code_kind = NULL, code_until = NULL
    FROM staff s WHERE s.id = p.staff_id AND {_LEFT}
    """,
    f"""
    UPDATE staff s
    SET endpoint_kind = 'browser', endpoint = NULL, second_phone = NULL, by_provider = false
    WHERE {_LEFT}
    """,
)


def upgrade() -> None:
    op.execute("LOCK TABLE contact_readers IN SHARE ROW EXCLUSIVE MODE")
    for statement in HEALS:
        op.execute(statement)
    op.create_check_constraint(
        op.f("ck_contact_readers_cause"),
        "contact_readers",
        "cause IN ('owner', 'taken_by', 'call_transferred', 'given', 'opened_for_reason', 'case')",
    )
    op.add_column("staff_identities", sa.Column("left_at", sa.TIMESTAMP(timezone=True)))
    for statement in CLOSES:
        op.execute(statement)
