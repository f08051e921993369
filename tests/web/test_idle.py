"""A session that has ended, over HTTP: requests, the live stream, and the log."""

import asyncio

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM
from tests.support.contacts import skip_minutes
from tests.support.profile import nightly
from tests.support.talks import talk


async def test_a_page_that_is_only_open_is_signed_out(stage: Stage) -> None:
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules(session_hours=1, idle_minutes=10))
    base = stage.settings.public_url

    async def beat(acts: str) -> int:
        headers = {"Cookie": vera.cookie_header, "Sec-Fetch-Mode": "cors"}
        url = f"{base}/board/heartbeat?acts={acts}"
        return (await stage.client.post(url, headers=headers)).status_code

    await skip_minutes(stage, 9, every=9)
    assert await beat("true") == 204
    events = f"{base}/api/v1/events"
    async with stage.client.stream(
        "GET", events, headers={"Cookie": vera.cookie_header, "Sec-Fetch-Mode": "cors"}
    ) as stream:
        lines = stream.aiter_lines()
        while "topics" not in await anext(lines):
            pass
        await skip_minutes(stage, 9, every=9)
        assert await beat("false") == 204, "nine minutes after the last act"
        await stage.advance(61)
        async with asyncio.timeout(15):
            async for _ in lines:
                pass
    assert await beat("true") == 401
    (row,) = await stage.rows(
        "SELECT subject, detail FROM audit_entries WHERE action = 'session_over'"
    )
    assert (row["subject"], row["detail"]) == (str(vera.id), {"because": "idle"})


# By day `tests/people/test_idle_sessions.py` has an offer, a talk and a wrap-up.
@nightly
async def test_in_a_talk_a_page_is_never_signed_out(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules(session_hours=1, idle_minutes=10))
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await skip_minutes(stage, 75, every=25)
    offer = await ana.offer()
    assert offer is not None, "beyond both limits"
    assert offer["state"] == "connected"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await ana.presence() == "wrap_up"
    await ana.be("off_duty")
    await stage.advance(6)
    assert (await ana.ask("GET", "/me")).status_code == 401
