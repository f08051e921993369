"""Retention as its people see it: a rule, a hold, a night, a receipt."""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.retention import running
from app.retention.running import ask_tonight
from app.staff.roles import Role
from tests.support.contacts import completed
from tests.support.profile import nightly
from tests.support.referrals import page

NAME = "Јована"


async def a_night(stage: Stage) -> None:
    """Let the night of the helpline come, about a hundred days later; workers look twice."""
    later = stage.clock.now() + timedelta(days=100)
    stage.stepped.move_to(later.replace(hour=12))
    assert await ask_tonight(stage.ground) is False, "it is day"
    # Half past two in Belgrade.
    stage.stepped.move_to(later.replace(hour=0, minute=45) + timedelta(days=1, minutes=45))
    assert [await ask_tonight(stage.ground) for _ in range(2)] == [True, False]
    await stage.settle()


async def figures(stage: Stage, who: Counsellor) -> Any:
    found = await who.ask("GET", "/statistics/summary?from=2030-01-01&to=2030-02-01&by=category")
    assert found.status_code == 200, found.text
    # The notes say as of when.
    return {name: value for name, value in found.json().items() if name != "notes"}


@nightly
async def test_a_rule_a_hold_a_night_and_a_receipt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others have their turn after each batch.
    monkeypatch.setattr(running, "BATCHES", 1)
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    olga = await stage.add_counsellor("olga", role=Role.AUDITOR, shift=False, state=None)
    contact = await completed(ana)
    here = f"/contacts/{contact}"
    read = (await ana.ask("GET", here)).json()

    await held_by_the_supervisor(stage, ana, vera, contact)
    await ruled_by_the_administrator(stage, mila)
    await a_night(stage)
    for who in (ana, vera, mila, olga):
        await who.sign_in()
    assert NAME in str((await ana.ask("GET", here)).json()), "it is held"
    counted = await figures(stage, vera)
    shown = (await page(stage, mila, "/admin/retention")).text
    assert read["code"] in shown
    assert "Nothing was erased yet." in shown
    assert "Novi Sad" not in shown, "an administrator reads no reason"
    lifted = await page(stage, mila, "/admin/retention/holds", code=read["code"], act="lift")
    assert "The hold is lifted." in lifted.text
    due = {one["kind"]: one["rows"] for one in (await olga.ask("GET", "/retention/dry-run")).json()}
    assert due["contacts"] == 1

    await a_night(stage)
    for who in (ana, vera, mila, olga):
        await who.sign_in()
    after = (await ana.ask("GET", here)).json()
    assert NAME not in str(after)
    assert after["answers"]["child.a1.age"] == read["answers"]["child.a1.age"]
    seen = (await page(stage, ana, here)).text
    assert "Names and texts were erased" in seen
    assert "Novi Sad" not in seen
    refused = await ana.ask("POST", f"{here}/reopen", {"reason": "Something more."})
    assert (refused.status_code, refused.json()["error"]) == (409, "Erased")
    assert await figures(stage, vera) == counted
    await receipt_is_read(stage, olga)
    await log_tells_what_was_done(stage, contact)


async def held_by_the_supervisor(
    stage: Stage, ana: Counsellor, vera: Counsellor, contact: str
) -> None:
    """The supervisor holds it on its page, where the counsellor reads why, and has no button."""
    here = f"/contacts/{contact}"
    assert 'action="/admin/retention' not in (await page(stage, vera, here)).text
    assert f"/api/v1/retention/contact/{contact}/hold" in (await page(stage, vera, here)).text
    reason = {"reason": "The court of Novi Sad asks for it."}
    path = f"/retention/contact/{contact}"
    assert (await ana.ask("POST", f"{path}/hold", reason)).status_code == 403
    assert (await vera.ask("POST", f"{path}/hold", {"reason": "x"})).status_code == 422
    assert (await vera.ask("POST", f"{path}/hold", reason)).status_code == 204
    assert (await vera.ask("POST", f"{path}/hold", reason)).status_code == 409
    seen = (await page(stage, ana, here)).text
    assert "The court of Novi Sad" in seen
    assert "lift-hold" not in seen


async def ruled_by_the_administrator(stage: Stage, mila: Counsellor) -> None:
    """The administrator sets a rule; of two at once the second is told."""
    form = {"revision": "0", "caller_numbers": "365", "export_files": "7", "contacts": "9o"}
    assert (
        "Write days as whole numbers" in (await page(stage, mila, "/admin/retention", **form)).text
    )
    form["contacts"] = "10"
    assert "90 to 36500 days" in (await page(stage, mila, "/admin/retention", **form)).text
    form["contacts"] = "90"
    assert "The rules are saved." in (await page(stage, mila, "/admin/retention", **form)).text
    assert (
        "Another person has changed" in (await page(stage, mila, "/admin/retention", **form)).text
    )
    (log,) = await stage.rows("SELECT detail FROM audit_entries WHERE action = 'retention_changed'")
    assert log["detail"].pop("from"), "a shorter rule holds later"
    assert log["detail"] == {
        "before": {"contacts": "for_ever", "contacts_decided_by": "program"},
        "after": {"contacts": 90, "contacts_decided_by": "helpline"},
    }


async def receipt_is_read(stage: Stage, olga: Counsellor) -> None:
    told = (await olga.ask("GET", "/retention")).json()
    assert [(one["kind"], one["rows"], one["days"]) for one in told["receipts"]] == [
        ("contacts", 1, 90)
    ]
    assert re.search(
        r'id="receipts".*Names and texts of contacts',
        seen_by_auditor(await page(stage, olga, "/admin/retention")),
    )
    assert (await olga.ask("PUT", "/retention", {"rules": {"contacts": None}})).status_code == 403


async def log_tells_what_was_done(stage: Stage, contact: str) -> None:
    actions = await stage.rows(
        "SELECT action, subject, detail FROM audit_entries "
        "WHERE action IN ('record_held', 'record_hold_lifted', 'content_erased') ORDER BY id"
    )
    assert [(row["action"], row["subject"]) for row in actions] == [
        ("record_held", f"contact:{contact}"),
        ("record_hold_lifted", f"contact:{contact}"),
        ("content_erased", "contacts"),
    ]
    held, lifted = actions[0]["detail"], actions[1]["detail"]
    assert (held, lifted) == ({"before": None, "after": "held"}, {"before": "held", "after": None})
    assert actions[-1]["detail"].keys() == {"count", "days", "run"}


def seen_by_auditor(answer: Any) -> str:
    """The page of a reader who may change nothing."""
    text = str(answer.text)
    assert 'id="save-retention"' not in text
    assert 'id="hold-record"' not in text
    return text.replace("\n", " ")
