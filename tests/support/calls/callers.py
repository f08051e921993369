"""Callers whose talk is over, and flags on them, for tests."""

from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from tests.support.talks import CHILD, talk


async def talked(stage: Stage, who: Counsellor, from_: str = CHILD) -> Any:
    """Have a talk that is over, its counsellor free again. Return the id of the call."""
    leg = await talk(stage, who, from_=from_)
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    await who.be("available")
    return (await stage.call_of(leg))["id"]


async def flag(who: Counsellor, call: Any, kind: str, hours: int = 24, status: int = 201) -> Any:
    body = {"kind": kind, "reason": "shouts at whoever answers", "hours": hours}
    answer = await who.ask("POST", f"/calls/{call}/flags", body)
    assert answer.status_code == status, answer.text
    return answer.json().get("id")
