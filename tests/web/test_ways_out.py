"""What a child told leaves by no way but the record: no search, file, event or line of a log.

Every route that reads is opened as every role by the test of the scripted hour; here are the ways
that begin with a request of another kind.
"""

from datetime import timedelta
from typing import Any

import psycopg

from app.database.bus import CHANNEL
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.calls.callers import flag, talked
from tests.support.contacts import WHOLE, new_contact
from tests.support.leaks.deferred import in_jobs
from tests.support.referrals import page

NAME, NUMBER, DISABILITY = "Zzlatica", "+381649998877", "psychosocial"
TOLD = (NAME, NAME.lower(), NUMBER, NUMBER.removeprefix("+381"), DISABILITY)
ANSWERS = {
    **WHOLE,
    "contact.headline": f"{NAME} is afraid",
    "child.a1.name": NAME,
    "child.a1.disability": [DISABILITY],
    "actions.summary": f"{NAME} was listened to.",
}


def has_none(text: str, where: str) -> None:
    assert [word for word in TOLD if word in text] == [], where


async def ways_of(stage: Stage, who: Counsellor, code: str) -> dict[str, Any]:
    """What a person gets who asks for it in every way but the address of the record."""
    day = stage.clock.now().date()
    window = f"from={day - timedelta(days=1)}&to={day + timedelta(days=1)}"
    found = {}
    for wanted in ({"headline": NAME}, {"name": NAME}, {"number": NUMBER}, {"code": code}):
        for kind in ("contacts", "cases"):
            found[f"{kind} {wanted}"] = await who.ask("POST", f"/{kind}/search", wanted)
    for what in ("calls", "summary", "counsellors", "room"):
        for form in ("csv", "json"):
            path = f"/statistics/{what}.{form}?{window}"
            found[path] = await who.ask("GET", path)
    for path in ("/calls", "/log", "/connections", "/data-requests", "/retention/holds"):
        found[path] = await who.ask("GET", path)
    for path in ("/admin/log", "/admin/connections", "/contacts", "/cases", "/reports/calls"):
        found[f"page {path}"] = await page(stage, who, path)
    return found


async def test_what_a_child_told_leaves_by_no_search_file_event_or_log(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    others = {
        role: await stage.add_counsellor(f"other {role.value}", role=role, shift=False, state=None)
        for role in (Role.COUNSELLOR, Role.ADMINISTRATOR, Role.AUDITOR, Role.REFERRAL_OFFICER)
    }
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    heard: list[str] = []
    url = stage.ground.database.url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as bus:
        await bus.execute(f"LISTEN {CHANNEL}")
        call = await talked(stage, ana, from_=NUMBER)
        await flag(ana, call, "at_risk")
        contact = await new_contact(ana, ANSWERS)
        done = await ana.ask("POST", "/cases", {"contacts": [contact]})
        assert done.status_code == 201, done.text
        await stage.settle()
        heard += [one.payload async for one in bus.notifies(timeout=0.5)]
    assert len(heard) > 10
    has_none(" ".join(heard), "the bus, from which every event comes")
    code = (await ana.ask("GET", f"/contacts/{contact}")).json()["code"]
    assert NAME in (await ana.ask("POST", "/contacts/search", {"headline": NAME})).text
    for role, who in others.items():
        for way, answer in (await ways_of(stage, who, code)).items():
            assert answer.status_code < 500, f"{role.value} {way}"
            has_none(answer.text, f"{role.value} {way}")
    await _a_file_of_records(stage, vera, others[Role.ADMINISTRATOR])
    rows = await stage.rows("SELECT subject, detail FROM audit_entries")
    has_none(str(rows), "the log of what people did")
    has_none(str(await stage.rows("SELECT kind, detail FROM record_events")), "the log of records")
    has_none(str(await stage.rows("SELECT kind, detail FROM call_events")), "the log of calls")
    assert in_jobs(*TOLD) == []


async def _a_file_of_records(stage: Stage, boss: Counsellor, admin: Counsellor) -> None:
    """A file of single contacts is approved by a second person, and holds no name and no number."""
    day = stage.clock.now().date()
    wanted = {
        "what": "records",
        "from": f"{day}",
        "to": f"{day + timedelta(days=1)}",
        "format": "csv",
        "reason": "For the yearly report of the ministry.",
    }
    asked = await boss.ask("POST", "/statistics/exports", wanted)
    assert asked.status_code == 202, asked.text
    path = f"/statistics/exports/{asked.json()['id']}"
    assert (await admin.ask("POST", f"{path}/approve")).status_code == 200
    await stage.settle()
    file = await boss.ask("GET", f"{path}/file")
    assert file.status_code == 200, file.text
    # What is counted is in this file alone, for whom it was approved.
    assert DISABILITY in file.text
    for word in (NAME, NAME.lower(), NUMBER, NUMBER.removeprefix("+381")):
        assert word not in file.text
    assert (await admin.ask("GET", f"{path}/file")).status_code == 403
