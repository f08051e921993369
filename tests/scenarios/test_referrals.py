"""Urgent cases reach somebody who acts: by phone, by message, by link, up the ladder."""

from app.demo.stage import Stage
from tests.scenarios.helpline import add_agency, phone, referral_of, story
from tests.scenarios.test_main_job import talk


async def test_the_third_phone_is_a_person(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await add_agency(
        stage, "house", "shelter", phones=("+381113000001", "+381113000002", "+381113000003")
    )
    phone(stage, "+381113000001", picks_up=None)
    phone(stage, "+381113000002", machine=True)
    third = phone(stage, "+381113000003", presses="1")
    leg = await talk(stage, ana)
    call = await stage.call_of(leg)
    made = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "shelter"})
    assert made.status_code == 201, made.text
    await stage.advance(120)
    found = await referral_of(ana, made.json()["id"])
    print("\n".join(story(found)))
    assert found["state"] == "acknowledged"
    assert [r["result"] for r in found["rungs"]] == ["no_answer", "machine", "acknowledged"]
    assert third.rung == 1
