"""A line is retired while a child waits in it, and taken back into use from its page."""

from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.staff.roles import Role
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page

SECOND = "+381113334444"


async def line_id_of(stage: Stage, number: str) -> str:
    (row,) = await stage.rows(f"SELECT id FROM lines WHERE number = '{number}'")
    return str(row["id"])


async def answered(stage: Stage, ana: Counsellor) -> None:
    async def talking() -> bool:
        offer = await ana.offer()
        return offer is not None and offer["state"] == "connected"

    await stage.until(ana.offer, what="it rings")
    await ana.accept()
    await stage.until(talking, what="they talk")


async def test_who_waits_is_answered_and_the_next_caller_reaches_another_line(
    stage: Stage,
) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana", state="break")
    await stage.add_line(SECOND, "sr", "Druga linija")
    at = f"/lines/{await line_id_of(stage, SECOND)}"
    leg = stage.ring(to=SECOND)
    await stage.until(lambda: leg.has_heard("Druga linija"))
    await stage.advance(10)
    assert (await mila.ask("POST", f"{at}/retire")).status_code == 204
    assert (await mila.ask("GET", at)).status_code == 404
    assert [one["number"] for one in (await mila.ask("GET", "/lines")).json()] == [LINE]
    (await ana.ask("PUT", "/me/presence", {"state": "available"})).raise_for_status()
    await answered(stage, ana)
    (call,) = await stage.rows("SELECT line_id FROM calls")
    assert str(call["line_id"]) == at.rpartition("/")[2], "the call stays one of its line"
    await stage.exchange.hang_up(leg)
    await stage.advance(40)

    # The provider still brings its number to us: the oldest line answers.
    stranger = stage.ring(to=SECOND, from_="+381649990001")
    await stage.until(lambda: stranger.has_heard("Plavi telefon"))
    assert not stranger.has_heard("Druga linija")
    await stage.exchange.hang_up(stranger)
    await stage.advance(2)
    last = await mila.ask("POST", f"/lines/{await line_id_of(stage, LINE)}/retire")
    assert (last.status_code, last.json()["error"]) == (409, "LastLine")

    shown = (await page(stage, mila, "/admin/lines")).text
    assert "Take Druga linija back into use" in shown
    back = await page(stage, mila, f"/admin{at}/take-into-use", sent="x")
    assert back.status_code == 303
    again = stage.ring(to=SECOND, from_="+381649990002")
    await stage.until(lambda: again.has_heard("Druga linija"))


@nightly
async def test_a_line_that_rang_does_not_become_one_for_practice(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await stage.add_line(SECOND, "sr", "Druga linija")
    line_id = await line_id_of(stage, LINE)
    at = f"/admin/lines/{line_id}"
    fixed = '<fieldset class="boxes" disabled>'
    assert fixed not in (await page(stage, mila, at)).text
    leg = stage.ring()
    await stage.until(lambda: leg.has_heard("Plavi telefon"))
    shown = (await page(stage, mila, at)).text
    assert fixed in shown.partition("Its calls")[0]
    # From a page that was open before, and from a program.
    facts = {"name": "Plavi telefon", "number": LINE, "country": "RS", "timezone": "Europe/Kyiv"}
    was = {"was.number": LINE, "was.country": "RS", "was.practice": "False"}
    late = await page(stage, mila, f"{at}/facts", **facts, **was, kind="practice")
    assert "The line has had calls, so it stays what it is" in late.text
    asked = await mila.ask("PATCH", f"/lines/{line_id}", {"practice": True})
    assert (asked.status_code, asked.json()["error"]) == (409, "LineHasCalls")
    (row,) = await stage.rows(f"SELECT practice, timezone FROM lines WHERE id = '{line_id}'")
    assert (row["practice"], row["timezone"]) == (False, "Europe/Belgrade")
    saved = await page(stage, mila, f"{at}/facts", **facts, **was)
    assert saved.status_code == 303, saved.text


async def test_a_wrong_time_zone_of_the_first_run_is_changed_and_taken_back(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    at = f"/admin/lines/{await line_id_of(quiet, LINE)}"
    facts = {"name": "Plavi telefon", "hours": "24/7", "number": LINE, "kind": "real"}
    wrong = await page(quiet, mila, f"{at}/facts", country="RS", timezone="Nowhere", **facts)
    assert "Nowhere is not a time zone" in wrong.text
    saved = await page(quiet, mila, f"{at}/facts", country="HR", timezone="Europe/Kyiv", **facts)
    assert saved.status_code == 303, saved.text
    (row,) = await quiet.rows("SELECT country, timezone, practice FROM lines")
    assert (row["country"], row["timezone"], row["practice"]) == ("HR", "Europe/Kyiv", False)
    (change,) = (await mila.ask("GET", f"{at.removeprefix('/admin')}/changes")).json()
    assert (change["part"], change["by"]) == ("facts", "mila")
    await page(quiet, mila, f"{at}/changes/{change['id']}/back", sent="x")
    (row,) = await quiet.rows("SELECT country, timezone FROM lines")
    assert (row["country"], row["timezone"]) == ("RS", "Europe/Belgrade")
