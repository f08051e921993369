"""A secret of one kind opens what it is for, and nothing that another kind opens."""

from typing import Any

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people import links, wallboards
from app.people.changing import Changes
from app.routing.rota import feeds
from app.staff import tokens
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.mail import Mail
from tests.support.referrals import click, sent_link


async def _asked(stage: Stage, door: str, secret: str) -> Any:
    """Return the answer to a secret where secrets of a kind are shown."""
    base, client = stage.settings.public_url, stage.client
    client.cookies.clear()
    if door == "agency":
        return await click(stage, f"/r/{secret}")
    if door == "invitation":
        return await click(stage, "/welcome/open", {"token": secret})
    if door == "calendar":
        return await client.get(f"{base}/calendar/{secret}.ics")
    if door == "wallboard":
        return await client.get(f"{base}/wall/{secret}")
    if door == "program":
        shown = {"Authorization": f"Bearer {secret}"}
        return await client.get(f"{base}/api/v1/statistics/summary", headers=shown)
    return await client.get(f"{base}/api/v1/me", headers={"Cookie": f"{COOKIE}={secret}"})


async def test_a_secret_of_one_kind_is_none_of_another_kind(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    _, path = await sent_link(night, post, ana)
    async with transaction(night.ground, PROGRAM) as work:
        _, invited = await links.invite(work, Changes(name="nova"), by=None, by_mail=False)
        kinds = {
            "agency": path.removeprefix("/r/"),
            "invitation": str(invited).partition("#")[2],
            "calendar": await feeds.make_feed(work, ana.staff),
            "wallboard": await wallboards.make(work, ana.staff, "Hall"),
            "program": await tokens.add_token(work, "figures", ["statistics"], 10),
            "session": ana.cookies[COOKIE],
        }
    for door in kinds:
        opened = {
            kind
            for kind, secret in kinds.items()
            if (answer := await _asked(night, door, secret)).status_code == 200
            if door != "invitation" or "nova" in answer.text
        }
        assert opened == {door}
