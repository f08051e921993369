"""A wallboard: a secret address, counts without names, and its end."""

import re

from limits import RateLimitItemPerMinute

from app.demo.stage import Stage
from app.staff.roles import Role
from app.web.limits import Limiter
from tests.support.routes import wallboard
from tests.support.talks import talk, waits


async def test_a_screen_shows_counts_and_no_person(stage: Stage) -> None:
    admin = await stage.add_counsellor("admin", role=Role.ADMINISTRATOR, state=None)
    headers = {"Cookie": admin.cookie_header}
    base = stage.settings.public_url
    token = await wallboard(stage, admin)
    rows = await stage.rows("SELECT * FROM wallboards")
    assert token not in str(rows)
    assert token not in str(await stage.rows("SELECT * FROM audit_entries"))
    assert token not in (await stage.client.get(f"{base}/admin", headers=headers)).text
    ana = await stage.add_counsellor("Zorica")
    await talk(stage, ana, from_="+381641110001")
    await waits(stage, from_="+381641110002")
    await stage.advance(5)
    page = await stage.client.get(f"{base}/wall/{token}")
    assert page.status_code == 200
    assert re.search(r'id="wall-waiting">1<', page.text)
    assert re.search(r'id="wall-talking">1<', page.text)
    assert re.search(r'id="wall-answered">1<', page.text)
    for secret in ("Zorica", "38164", str(ana.id)):
        assert secret not in page.text
    now = await stage.client.get(f"{base}/wall/{token}/now")
    assert "<html" not in now.text
    # What the browser guesses is counted, and the screen itself is not slowed down by it.
    for _ in range(59):
        await Limiter(stage.ground).hit(RateLimitItemPerMinute(60), "wall", "127.0.0.1")
    guesses = [(await stage.client.get(f"{base}/wall/guess")).status_code for _ in range(2)]
    assert guesses == [404, 429]
    assert (await stage.client.get(f"{base}/wall/{token}/now")).status_code == 200
    (row,) = rows
    for _ in range(2):
        gone = await stage.client.post(
            f"{base}/admin/wallboards/{row['id']}/withdraw", headers=headers
        )
        assert "Hall" not in gone.text
    # The guesses of this address are forgotten by then.
    await stage.advance(61)
    assert (await stage.client.get(f"{base}/wall/{token}")).status_code == 404
    acts = await stage.rows(
        "SELECT action FROM audit_entries WHERE action LIKE 'wallboard%%' ORDER BY id"
    )
    assert [row["action"] for row in acts] == ["wallboard_made", "wallboard_withdrawn"]
