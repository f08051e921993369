"""What a stored row of a call's log is read as."""

from datetime import UTC, datetime

from app.api.views import event_view
from app.calls.log_kinds import CallLog
from app.calls.models import RecordedEvent


def test_a_row_of_an_earlier_version_is_read_by_the_kind_of_today() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for stored, read in (
        ("panic", "call_for_help"),
        ("panic_taken", "call_for_help_taken"),
        ("panic_unanswered", "call_for_help_unanswered"),
        (CallLog.OPENED, "opened"),
    ):
        row = RecordedEvent(id=1, kind=stored, source="worker", at=at, detail={})
        assert (event_view(row, {}).kind, row.kind) == (read, stored)
