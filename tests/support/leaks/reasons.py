"""Reasons that people write for what they do: a hold, an opening, an emergency, a file."""

from datetime import UTC, datetime

import httpx2

from tests.support.leaks.night import Night, ask
from tests.support.leaks.searching import said
from tests.support.waiting import until

Client = httpx2.AsyncClient


async def give_reasons(
    night: Night, who: Client, boss: Client, admin: Client, contact: str, case: str
) -> None:
    """Do what needs a reason, once each, about a contact and its case."""
    await ask(boss, "POST", f"/retention/case/{case}/hold", {"reason": said("hold")})
    await _write_anew(boss, contact)
    await _open_earlier(night, who, boss, contact)
    await _emergency(who, boss, admin)
    await _export(boss, admin)


async def _write_anew(boss: Client, contact: str) -> None:
    """The supervisor overwrites an answer of the counsellor, which is kept as an earlier one."""
    revision = (await ask(boss, "GET", f"/contacts/{contact}"))["revision"]
    change = {"path": "actions.summary", "value": said("anew"), "base": revision}
    saved = await ask(boss, "PUT", f"/contacts/{contact}/answers", {"changes": [change]})
    assert saved["refused"] == saved["conflicts"] == {}


async def _open_earlier(night: Night, who: Client, boss: Client, contact: str) -> None:
    """The supervisor has a contact of the same child, which the counsellor opens in the call."""
    made = await ask(boss, "POST", "/contacts", {"channel": "email"})
    profile = night.row(f"SELECT profile_id FROM contacts WHERE id = '{contact}'")
    await ask(boss, "POST", f"/contacts/{made['id']}/profile", {"profile_id": profile})
    await ask(who, "POST", f"/contacts/{contact}/open-earlier", {"reason": said("opening")})


async def _emergency(who: Client, boss: Client, admin: Client) -> None:
    wanted = {"kind": "accounts", "ground": said("emergency"), "minutes": 60}
    at = f"/emergencies/{(await ask(who, 'POST', '/emergencies', wanted))['id']}"
    await ask(boss, "POST", f"{at}/confirm")
    await ask(who, "POST", f"{at}/end")
    await ask(admin, "POST", f"{at}/review", {"fitting": True, "words": said("review")})


async def _export(boss: Client, second: Client) -> None:
    """Single records, which a second person approves."""
    year = datetime.now(UTC).year
    wanted = {"what": "records", "from": f"{year}-01-01", "to": f"{year + 1}-01-01"}
    wanted["reason"] = said("export")
    made = await ask(boss, "POST", "/statistics/exports", wanted)
    at = f"/statistics/exports/{made['id']}"
    await ask(second, "POST", f"{at}/approve")

    async def is_made() -> bool:
        return bool((await ask(boss, "GET", at))["state"] == "ready")

    await until(is_made, within=60, every=0.5)
