"""What the pages of administration, figures and planning show in a new demo.

Requests that wait for a second person, a record that is held, a token, a rota that is proposed and
a shift that is open. All of it by the interface that others use, too.
"""

from datetime import date, timedelta
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.people import send, signed_in
from app.demo.stage import Stage


async def play_first_papers(stage: Stage, contact: dict[str, Any], case: dict[str, Any]) -> None:
    """Write them down; `contact` and `case` are Iva's. Raises ValueError."""
    ana, iva, marko, olga = await signed_in(stage, "ana", "iva", "marko", "olga")
    today = stage.today
    await _refers(iva, contact)
    await send(iva, f"/cases/{case['id']}/members", name=olga.staff.name)
    await _files(ana, marko, today)
    await _requests(ana, contact)
    await send(ana, "/retention/holds", code=contact["code"], reason="The court asked for it.")
    await send(marko, "/tokens", name="Ministry figures", scopes=["statistics"])
    monday = today + timedelta(days=7 - today.weekday())
    await send(ana, "/roster/proposals", first_on=monday.isoformat())
    saturday = (monday + timedelta(days=5)).isoformat()
    times = {"begins_at": f"{saturday}T08:00", "ends_at": f"{saturday}T14:00"}
    await send(ana, "/roster/open-shifts", **times, places=2, note="The school fair.")


async def _refers(iva: Counsellor, contact: dict[str, Any]) -> None:
    why = {"basis": "best_interests", "reason": "The school asked for help."}
    await send(
        iva,
        "/referrals",
        contact_id=contact["id"],
        urgency="routine",
        services=["family_support"],
        place="RS-BG",
        override=why,
        send=True,
    )


async def _files(ana: Counsellor, marko: Counsellor, today: date) -> None:
    """Two files with single records: one is approved, and one waits."""
    since = (today - timedelta(days=30)).isoformat()
    wanted = {"what": "records", "from": since, "to": today.isoformat()}
    first = await send(ana, "/statistics/exports", **wanted, reason="For the yearly review.")
    await send(marko, f"/statistics/exports/{first['id']}/approve")
    await send(ana, "/statistics/exports", **wanted, format="json", reason="For the ministry.")


async def _requests(ana: Counsellor, contact: dict[str, Any]) -> None:
    """A girl asks what is kept of her; another person has to decide."""
    asked = {"kind": "access", "person": "child", "sought": contact["code"]}
    found = await send(ana, "/data-requests", **asked)
    await send(
        ana,
        f"/data-requests/{found['id']}/ask",
        basis="right_of_access",
        identity="facts_of_record",
        words="She told her code and when she wrote.",
    )
