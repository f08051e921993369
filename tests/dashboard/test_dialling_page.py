"""The page of dialling: an administrator sees the rules and what was refused, and changes them."""

from app.dashboard.settings.dialling_pages import KIND_WORDS, LIMITS, PURPOSE_WORDS, WHY_WORDS
from app.demo.stage import Stage
from app.dialling.models import DialledFor
from app.dialling.rules import NumberKind, Why
from app.staff.roles import Role
from tests.support.profile import nightly
from tests.support.referrals import page, phone
from tests.support.talks import talk

PREMIUM = "+381900123456"


def test_each_code_of_dialling_has_words() -> None:
    assert set(KIND_WORDS) == set(NumberKind)
    assert set(WHY_WORDS) == set(Why)
    assert set(PURPOSE_WORDS) == set(DialledFor)


@nightly
async def test_the_rules_are_seen_and_changed_and_hold_in_the_next_talk(stage: Stage) -> None:
    """By day the rules are tried by their verbs (tests/dialling)."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana")
    call_id = (await stage.call_of(await talk(stage, ana)))["id"]
    for wrong, what in ((PREMIUM, "never dialled"), ("+385911234567", "ask an administrator")):
        body = {"number": wrong, "role": "police"}
        refused = await ana.ask("POST", f"/calls/{call_id}/add", body)
        assert (refused.status_code, refused.json()["error"]) == (422, "NotDialled")
        assert what in refused.json()["detail"]
    shown = (await page(stage, mila, "/admin/dialling")).text
    assert "Nothing was refused." in shown
    form = {"revision": "0", "countries": "hr", "kind.mobile": "on", "kind.fixed_line": "on"}
    limits = dict.fromkeys(LIMITS, "1")
    mistyped = await page(stage, mila, "/admin/dialling", **form, **limits | {"alarm_day": "x"})
    assert "Write whole numbers" in mistyped.text
    assert 'value="HR" checked> Croatia' in mistyped.text, "what was chosen stays"
    assert "The countries of the lines (Serbia) are always dialled." in shown
    saved = await page(stage, mila, "/admin/dialling", **form, **limits)
    assert "The rules are saved." in saved.text
    late = await page(stage, mila, "/admin/dialling", **form, **limits)
    assert "Another person has changed this" in late.text
    phone(stage, "+385911234567")
    body = {"number": "+385911234567", "role": "police"}
    assert (await ana.ask("POST", f"/calls/{call_id}/add", body)).status_code == 202
    assert (await ana.ask("POST", f"/calls/{call_id}/add", body)).status_code == 429
    told = (await mila.ask("GET", "/dialling")).json()
    assert (told["home"], told["countries"], told["person_hour"]) == (["RS"], ["HR"], 1)
    changes = {"revision": told["revision"], "person_hour": 2, "person_day": 2}
    assert (await mila.ask("PUT", "/dialling", changes)).json()["person_hour"] == 2
    assert (await mila.ask("PUT", "/dialling", {"countries": ["??"]})).status_code == 422
    # It is over the limit of the alarm: the administrator sees it, and acknowledges it.
    await stage.advance(90)
    assert "More is dialled than usual" in (await page(stage, mila, "/roster")).text
    (alarm,) = await stage.rows("SELECT * FROM alarms WHERE kind = 'dialling_hour'")
    assert (await mila.ask("GET", "/staffing-alarms")).json() == []
    done = await mila.ask("POST", f"/staffing-alarms/{alarm['id']}/acknowledge")
    assert done.status_code == 204
    shown = (await page(stage, mila, "/admin/dialling")).text
    assert "within the last hour" in shown
    assert ">ana</th>" in shown
    log = await stage.rows(
        "SELECT detail FROM audit_entries WHERE action = 'dialling_changed' ORDER BY id"
    )
    assert [one["detail"]["after"].get("person_hour") for one in log] == [1, 2]
