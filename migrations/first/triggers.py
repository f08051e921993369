"""When the functions of the database run."""

from collections.abc import Iterator

# Logs: rows are added, and never changed or taken away.
APPEND_ONLY = (
    "audit_entries",
    "call_events",
    "completed_versions",
    "consents",
    "definitions",
    "disclosures",
    "earlier_answers",
    "presence_changes",
    "received_events",
    "record_events",
    "urgency_decisions",
)
# Each row of these logs carries the hash of the one before.
CHAINED = {
    "audit_entries": "chain_audit_entry",
    "call_events": "chain_call_event",
    "record_events": "chain_record_event",
}
# What is counted, and which changes of it throw the kept copy of its day away.
COUNTED = {
    "calls": ("INSERT OR DELETE OR UPDATE", "statistics_of_call"),
    "contacts": ("INSERT OR DELETE OR UPDATE", "statistics_of_contact"),
    "lines": ("UPDATE", "statistics_of_line"),
    "offers": ("INSERT OR DELETE OR UPDATE", "statistics_of_part"),
    "presence_changes": ("INSERT", "statistics_of_presence"),
    "staff": ("UPDATE", "statistics_of_staff"),
}
OTHERS = (
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public_releases "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER rank BEFORE INSERT OR UPDATE OF queued_at, priority ON calls "
    "FOR EACH ROW EXECUTE FUNCTION rank_call()",
    "CREATE TRIGGER statistics AFTER INSERT ON call_events FOR EACH ROW "
    "WHEN (new.kind IN ('hold', 'resume', 'handed_over')) "
    "EXECUTE FUNCTION statistics_of_part()",
    "CREATE CONSTRAINT TRIGGER running_deadline AFTER UPDATE ON deadlines "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.stopped_at IS NOT NULL) "
    "EXECUTE FUNCTION check_running_deadline('referral_id')",
    "CREATE CONSTRAINT TRIGGER running_deadline AFTER INSERT OR UPDATE ON referrals "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.urgency IN ('immediate', 'urgent') "
    "AND new.state IN ('draft', 'sent', 'delivered', 'failed', 'rejected', 'redirected', "
    "'expired')) EXECUTE FUNCTION check_running_deadline('id')",
)


def triggers() -> Iterator[str]:
    """Yield the statements that create them."""
    for table in APPEND_ONLY:
        yield (
            f"CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, function in CHAINED.items():
        yield (
            f"CREATE TRIGGER chain BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    for table, (changes, function) in COUNTED.items():
        yield (
            f"CREATE TRIGGER statistics AFTER {changes} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    yield from OTHERS
