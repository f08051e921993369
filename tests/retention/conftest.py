"""What the tests of requests about data share."""

from typing import Any

import pytest

from app.contacts import profiles
from app.retention.data_requests import answering, own_calls, requests
from app.retention.data_requests.reports import report, shown_records, written_conversations
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


@pytest.fixture
def readings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings are committed by themselves, and would wait for the one transaction of the test."""

    async def write(work: Work, action: AuditLog, subject: str, **detail: Any) -> None:
        write_entry(work, action, subject, **detail)

    for module in (
        profiles,
        requests,
        report,
        answering,
        written_conversations,
        own_calls,
        shown_records,
    ):
        monkeypatch.setattr(module, "write_reading", write)
