"""Creating a contact sends the database no more than it must."""

import re

import pytest

from tests.support.kept.statements import statements
from tests.support.program.quiet import QuietStage

# What one statement writes or asks; a contact and its owner's access are one.
_OF_CREATING = [
    {"receives_work"},
    {"match_keys"},
    {"contacts", "contact_readers"},
    {"record_events"},
    {"pg_notify"},
]
_NAMES = re.compile(r"INSERT INTO (\w+)|(receives_work|pg_notify)\(")


async def test_creating_a_contact_sends_five_statements(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await quiet.add_counsellor("ana")
    answers = {"contact.kind": "child", "child.a1": 1, "child.a1.name": "Jovana", "child.a1.age": 9}
    body = {"channel": "call", "answers": answers}
    # The session is remembered from then on.
    assert (await ana.ask("POST", "/contacts", body)).status_code == 201
    with statements(monkeypatch) as sent:
        made = await ana.ask("POST", "/contacts", body)
    assert (made.status_code, made.json()["refused"]) == (201, {})
    named = [{one or other for one, other in _NAMES.findall(sql)} for sql in sent]
    assert named == _OF_CREATING, sent
    rows = await quiet.rows(
        "SELECT r.staff_id, r.cause, r.since = c.opened_at AND r.opened_at = c.opened_at AS at_once"
        " FROM contact_readers r JOIN contacts c ON c.id = r.contact_id WHERE c.id = %s",
        made.json()["id"],
    )
    assert rows == [{"staff_id": ana.id, "cause": "owner", "at_once": True}]
