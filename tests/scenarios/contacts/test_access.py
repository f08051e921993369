"""Which role reads what, every reading in the log, and nothing readable in the database."""

import base64

from app.demo.counsellor import Counsellor
from app.jobs.transaction import transaction
from app.staff.log_checks.chains import verify_chains
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import WHOLE, changes, completed, new_contact
from tests.support.pages.legible import legible, tables_with
from tests.support.program.quiet import QuietStage


async def test_nothing_sealed_is_readable_in_the_database(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    secrets = {
        "child.a1.name": "Zzname Zzsurname",
        "child.a1.found_at": "Zzstreet 5",
        "child.a1.phone": "+381649998877",
        "incident.account": "Zzstory",
        "actions.summary": "Zzsummary",
        "wishes.child_wants": "Zzwish",
    }
    contact_id = await completed(ana, **secrets)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    await ana.ask("POST", f"/cases/{case}/notes", {"text": "Zznote"})
    await ana.ask("POST", f"/contacts/{contact_id}/reopen", {"reason": "Zzreason"})
    await ana.ask("POST", "/contacts/search", {"name": "Zzname"})
    words = (
        "zzname",
        "zzsur",
        "zzstre",
        "zzstor",
        "zzsumm",
        "zzwish",
        "zznote",
        "zzreas",
        "9998877",
    )
    assert await tables_with(quiet, *words) == []
    # The look itself sees through hex and base64.
    assert "zzname" in legible("x " + base64.b64encode(b'"Zzname here"').decode())
    assert "zzname" in legible("(1," + "\\" * 2 + "x" + b"Zzname".hex() + ")")


async def test_every_reading_is_in_the_log_and_the_log_is_whole(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR)
    contact_id = await completed(ana)
    before = len(await quiet.rows("SELECT id FROM audit_entries"))
    for _ in range(3):
        (await boss.ask("GET", f"/contacts/{contact_id}")).raise_for_status()
    (await boss.ask("POST", "/contacts/search", {"name": "Jovana"})).raise_for_status()
    rows = (await quiet.rows("SELECT * FROM audit_entries ORDER BY id"))[before:]
    assert [(r["action"], r["actor"]) for r in rows] == [
        ("contact_read", str(boss.id)),
        ("contact_read", str(boss.id)),
        ("contact_read", str(boss.id)),
        ("records_searched", str(boss.id)),
    ]
    assert rows[0]["subject"] == f"contact:{contact_id}"
    assert rows[3]["detail"] == {"by": ["name"], "ids": [contact_id]}
    async with transaction(quiet.ground, PROGRAM) as work:
        reports = await verify_chains(work.session)
    assert [r.broken for r in reports] == [[]] * len(reports)
    assert next(r for r in reports if r.table == "record_events").rows >= 2
    # What is sealed stays sealed when it is moved to another row.
    other = await completed(ana)
    await quiet.rows(
        "UPDATE contacts c SET sealed = o.sealed FROM contacts o "
        "WHERE c.id = %s AND o.id = %s RETURNING c.id",
        other,
        contact_id,
    )
    moved = await ana.ask("GET", f"/contacts/{other}")
    assert (moved.status_code, moved.json()["error"]) == (500, "CannotOpen")


async def test_scopes_of_every_role(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contact_id = await completed(ana)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    officer = await quiet.add_counsellor("officer", role=Role.REFERRAL_OFFICER, state=None)
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    other_boss = await quiet.add_counsellor("far", role=Role.SUPERVISOR, state=None)
    await quiet.rows("UPDATE staff SET team = 'south' WHERE name = 'far' RETURNING id")
    admin = await quiet.add_counsellor("admin", role=Role.ADMINISTRATOR, state=None)
    auditor = await quiet.add_counsellor("auditor", role=Role.AUDITOR, state=None)

    async def sees(who: Counsellor) -> list[int]:
        paths = (f"/contacts/{contact_id}", f"/cases/{case}")
        return [(await who.ask("GET", path)).status_code for path in paths]

    assert await sees(boss) == [200, 200]
    assert await sees(other_boss) == [404, 404]
    assert await sees(officer) == [404, 404]
    assert await sees(admin) == [403, 403]
    assert await sees(auditor) == [403, 403]
    added = await ana.ask("POST", f"/cases/{case}/members", {"name": "officer"})
    assert added.status_code == 200
    assert await sees(officer) == [200, 200]
    assert (await officer.ask("POST", f"/cases/{case}/notes", {"text": "seen"})).status_code == 204
    write_ = await officer.ask(
        "PUT", f"/contacts/{contact_id}/answers", changes({"contact.kind": "child"})
    )
    assert write_.status_code == 403
    for who, status in ((admin, 200), (boss, 200), (ana, 403), (auditor, 403)):
        assert (await who.ask("GET", "/definitions/unmapped")).status_code == status


async def test_lists_and_states_are_readings_of_a_list(quiet: QuietStage) -> None:
    """One row for a list, with the ids of what was on it; an empty list says nothing of a child."""
    ana = await quiet.add_counsellor("ana")
    (await ana.ask("POST", "/contacts/search", {})).raise_for_status()
    first = await completed(ana)
    second = await new_contact(ana, WHOLE)
    made = await ana.ask("POST", "/referrals", {"urgency": "routine", "services": ["shelter"]})
    before = len(await quiet.rows("SELECT id FROM audit_entries"))
    for method, path, body in (
        ("POST", "/contacts/search", {}),
        ("GET", f"/contacts/{first}/state", None),
        ("GET", "/referrals", None),
        ("GET", f"/referrals/{made.json()['id']}/state", None),
    ):
        (await ana.ask(method, path, body)).raise_for_status()
    rows = (await quiet.rows("SELECT * FROM audit_entries ORDER BY id"))[before:]
    assert {r["action"] for r in rows} == {"records_listed"}
    assert [(r["subject"], sorted(r["detail"]["ids"])) for r in rows] == [
        ("contacts", sorted([first, second])),
        ("contacts", [first]),
        ("referrals", [made.json()["id"]]),
        ("referrals", [made.json()["id"]]),
    ]
