"""The first minutes of the demo: after them no page is empty."""

import asyncio
import re
from datetime import timedelta

import pytest

from app.demo.agencies import furnish
from app.demo.first_minutes import play_first_minutes
from app.demo.people import ACCOUNTS, COLLEAGUES, add_people, signed_in
from app.demo.short_deadlines import shorten_deadlines, shortened
from app.demo.stage import MONDAY, Stage
from app.referrals.library import SHIPPED
from app.referrals.protocol import read_protocol
from app.staff.roles import Role
from tests.support.profile import WHOLE
from tests.support.referrals import page


def test_the_shipped_protocol_can_be_shortened_for_a_demo() -> None:
    text = (SHIPPED / "protocol-rs.yaml").read_text()
    shipped, _ = read_protocol(text, "rs.yaml")
    demo, _ = read_protocol(shortened(text), "rs.yaml")
    assert demo.version == shipped.version + 1
    assert demo.hand_over < shipped.hand_over
    with pytest.raises(ValueError, match="does not say"):
        shortened(text.replace("hand_over: PT15M", "hand_over: PT14M"))


@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: minutes of the demo are played")
async def test_after_the_first_minutes_there_is_something_on_each_page(stage: Stage) -> None:
    # Half past midnight in Belgrade: another day than in Greenwich.
    began = MONDAY.replace(hour=23, minute=30)
    stage.stepped.move_to(began)
    await furnish(stage)
    await shorten_deadlines(stage)
    await stage.change_rows("DELETE FROM sign_in_rules")
    await add_people(stage)
    await add_people(stage)
    # Its visitors sign in with a password alone, which the log says.
    relaxed = await stage.rows(
        "SELECT detail->'relaxed' AS roles, factor_roles FROM audit_entries, sign_in_rules"
        " WHERE action = 'sign_in_rules_set'"
    )
    assert [(len(row["roles"]), row["factor_roles"]) for row in relaxed] == [(len(Role), [])]
    names = await stage.rows("SELECT name FROM staff")
    assert sorted(row["name"] for row in names) == sorted(
        [*ACCOUNTS, *(name for name, _ in COLLEAGUES)]
    )
    playing = asyncio.create_task(play_first_minutes(stage))
    await stage.until(playing.done, limit=180, what="the first minutes are over")
    playing.result()
    await stage.advance(60)

    async def count(table: str) -> int:
        return len(await stage.rows(f"SELECT 1 FROM {table}"))

    # Each of the two calls has a contact of its own.
    assert await count("contacts") >= 2
    for table in ("voice_messages", "callbacks", "cases", "api_tokens", "rota_proposals"):
        assert await count(table) == 1, table
    for table in ("open_shifts", "data_requests", "legal_holds"):
        assert await count(table) == 1, table
    assert await count("referrals") == 2
    files = await stage.rows("SELECT state FROM exports")
    assert sorted(row["state"] for row in files) == ["asked", "ready"], "one was approved"
    assert await count("follow_ups") == 2
    kinds = {row["kind"] for row in await stage.rows("SELECT kind FROM notices")}
    assert {"escalated", "wrong_number"} <= kinds, kinds
    # An agency got a link, which the page of practice shows and which opens the agency's page.
    (ana,), exchange = await signed_in(stage, "ana"), stage.settings.practice_exchange
    shown = (await page(stage, ana, "/practice/agency-links")).text
    (link,) = re.findall(r'href="(/r/[^"]+)"', shown)
    opened = await stage.client.get(stage.settings.public_url + link)
    assert opened.status_code == 200, opened.text
    assert "Drugi mobilni tim (izmišljen)" in opened.text
    object.__setattr__(stage.settings, "practice_exchange", None)
    assert (await page(stage, ana, "/practice/agency-links")).status_code == 404
    object.__setattr__(stage.settings, "practice_exchange", exchange)
    # Within five minutes of the start, the referral is late: no agency has acknowledged it, and our
    # own people have not handed it over.
    late: set[str] = set()
    while late != {"acknowledge", "hand_over"}:
        await stage.advance(5)
        assert stage.clock.now() < began + timedelta(minutes=5), late
        found = await stage.rows(
            "SELECT d.kind FROM deadline_breaches b JOIN deadlines d ON d.id = b.deadline_id"
        )
        late = {row["kind"] for row in found}
