"""Emergency access on the pages: the alarm of others, the second person, and acting under it."""

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import skip
from tests.support.identity.emergency import sent
from tests.support.pages.readers import seen

ALERTS = "/board/emergencies"


async def test_two_people_open_the_accounts_and_everyone_is_alarmed(stage: Stage) -> None:
    vera, nina, mila, olga = [
        await stage.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (
            ("vera", Role.SUPERVISOR),
            ("nina", Role.SUPERVISOR),
            ("rada", Role.REFERRAL_OFFICER),
            ("olga", Role.AUDITOR),
        )
    ]
    ground = "No administrator can sign in."
    wrong = await sent(stage, vera, "/emergency", kind="accounts", ground=" ")
    assert "Write why it is needed" in wrong.text
    asked = await sent(stage, vera, "/emergency", kind="accounts", ground=ground)
    assert "Everyone concerned is told" in asked.text
    row = (await stage.rows("SELECT id FROM emergencies"))[0]["id"]
    for one in (nina, mila, olga):
        assert "data-help=" in await seen(stage, one, ALERTS), "it sounds"
    assert "data-help=" not in await seen(stage, vera, ALERTS), "she knows"
    quiet = await sent(stage, nina, f"/emergency/{row}/seen")
    assert "data-help=" not in quiet.text
    assert "vera asks for emergency access" in quiet.text
    refused = await sent(stage, nina, f"/emergency/{row}/confirm")
    assert "of another role" in refused.text
    opened = await sent(stage, mila, f"/emergency/{row}/confirm")
    assert "It is open now" in opened.text
    assert "data-help=" in await seen(stage, nina, ALERTS), "open, it sounds again"
    entered = await sent(stage, vera, f"/emergency/{row}/enter")
    assert entered.headers["location"] == "/admin/people"
    cookie = entered.headers["set-cookie"].partition(";")[0]
    headers = {"Cookie": cookie}
    api = f"{stage.settings.public_url}/api/v1"
    invited = await stage.client.post(f"{api}/people", json={"name": "New"}, headers=headers)
    assert invited.status_code == 201, invited.text
    # Its own alarm it neither confirms nor reviews.
    again = {"kind": "accounts", "ground": ground}
    own = await stage.client.post(f"{api}/emergencies", json=again, headers=headers)
    assert own.status_code == 403
    marked = await stage.rows(
        "SELECT DISTINCT action FROM audit_entries WHERE detail->>'emergency' = %s", str(row)
    )
    assert {one["action"] for one in marked} >= {"staff_added", "password_link_made"}
    await skip(stage, 61 / 60)
    await stage.settle()
    gone = await stage.client.get(f"{api}/me", headers=headers)
    assert gone.status_code == 401, "its time is over"
    assert "has no review yet" in await seen(stage, olga, ALERTS)
    assert "has no review yet" not in await seen(stage, nina, ALERTS)
    assert "staff added" in await seen(stage, olga, "/emergency"), "what was done under it"
    form = {"fitting": "true", "words": "All of it was needed."}
    done = await sent(stage, olga, f"/emergency/{row}/review", **form)
    assert "The review is written" in done.text
    assert "All of it was needed." in await seen(stage, mila, "/emergency")
    assert (await seen(stage, olga, ALERTS)).strip() == ""
    await _says_where_the_log_begins(stage, olga)


async def _says_where_the_log_begins(stage: Stage, olga: Counsellor) -> None:
    """What was done under it is missing from a log that begins later."""
    assert "The log begins on" not in await seen(stage, olga, "/emergency")
    await stage.watch.execute("SET session_replication_role = replica")
    await stage.watch.execute(
        "INSERT INTO log_beginnings VALUES"
        " ('audit_entries', 1, '', 1, now(), now(), 1095, gen_random_uuid())"
    )
    await stage.watch.execute("UPDATE audit_entries SET at = at + interval '1 day'")
    assert "The log begins on" in await seen(stage, olga, "/emergency")
