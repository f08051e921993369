"""Who reads which contact, counted anew from what gives the right to: owners, cases, openings."""

from datetime import datetime


def without_a_cause(now: datetime) -> str:
    """Return the query for rows of access that nothing carries at that time."""
    return f"""
    SELECT r.cause, s.name, c.code
    FROM contact_readers r
      JOIN contacts c ON c.id = r.contact_id
      JOIN staff s ON s.id = r.staff_id
    WHERE NOT CASE r.cause
      WHEN 'case' THEN EXISTS (
        SELECT FROM case_contacts l JOIN case_members m ON m.case_id = l.case_id
        WHERE l.contact_id = r.contact_id AND m.staff_id = r.staff_id)
      WHEN 'opened_for_reason' THEN EXISTS (
        SELECT FROM openings o WHERE o.staff_id = r.staff_id
          AND o.until > '{now.isoformat()}' AND r.contact_id = ANY (o.contacts))
      WHEN 'taken_by' THEN r.staff_id = c.on_behalf_of
      ELSE r.staff_id = c.owner_id
        OR EXISTS (
          SELECT FROM record_events e
          WHERE e.subject_id = r.contact_id AND e.kind = 'handed_over'
            AND r.staff_id::text IN (e.detail->>'before', e.detail->>'owner_id'))
        OR EXISTS (
          SELECT FROM audit_entries a
          WHERE a.subject = c.call_id::text AND a.action = 'written_message_taken'
            AND a.detail->>'owner' = r.staff_id::text)
      END
    """


WITHOUT_READING = """
    SELECT s.name, c.code
    FROM (
      SELECT owner_id AS staff_id, id AS contact_id FROM contacts
      UNION
      SELECT m.staff_id, l.contact_id
      FROM case_contacts l JOIN case_members m ON m.case_id = l.case_id
    ) AS reads
      JOIN contacts c ON c.id = reads.contact_id
      JOIN staff s ON s.id = reads.staff_id
    WHERE NOT EXISTS (
      SELECT FROM contact_readers r
      WHERE r.staff_id = reads.staff_id AND r.contact_id = reads.contact_id)
"""
