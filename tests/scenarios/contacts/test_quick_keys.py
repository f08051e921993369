"""Contacts closed with one key."""

from datetime import timedelta

from app.demo.stage import Stage
from tests.support.calls.callers import hangs_up_unheard, talks_unheard
from tests.support.contacts import (
    WHOLE,
    contact_of,
    desk_page,
    new_contact,
    press,
    write,
)
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk


async def test_a_key_never_closes_the_record_of_an_earlier_child(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    first = await talks_unheard(quiet, ana, over=True)
    earlier = (await ana.ask("GET", f"/calls/{first}/contact")).json()
    quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=40))
    second = await talks_unheard(quiet, ana)
    later = (await ana.ask("GET", f"/calls/{second}/contact")).json()
    await write(ana, later["id"], WHOLE)
    (await ana.ask("POST", f"/contacts/{later['id']}/complete")).raise_for_status()
    await hangs_up_unheard(quiet, second)
    assert await ana.presence() == "wrap_up"
    page = await desk_page(quiet, ana)
    assert earlier["code"] not in page
    assert "no longer belongs to your call" in await press(quiet, ana, earlier["id"], "silent")
    assert (await ana.ask("GET", f"/contacts/{earlier['id']}")).json()["state"] == "draft"


async def test_a_child_in_danger_is_not_put_aside_with_one_key(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana, digit="9")
    contact = await contact_of(ana, stage, leg)
    state = (await ana.ask("GET", f"/contacts/{contact['id']}/state")).json()
    assert state["suggestion"]["cues"] == ["danger_key"], "the key is a sign, too"
    assert "decide the urgency on the form" in await desk_page(stage, ana)
    assert "signs of danger" in await press(stage, ana, contact["id"], "silent")
    assert stage.exchange.conferences.of_leg(leg) is not None
    body = {"closed_as": "silent"}
    refused = await ana.ask("POST", f"/contacts/{contact['id']}/close", body)
    assert refused.json()["error"] == "SignsOfDanger"
    decided = {"urgency": "routine", "reason": "pressed by mistake, and said so"}
    await ana.ask("POST", f"/contacts/{contact['id']}/urgency", decided)
    refused = await ana.ask("POST", f"/contacts/{contact['id']}/close", body)
    assert refused.json()["error"] == "SilentNotAsked"
    call = await stage.call_of(leg)
    asked = await ana.ask("POST", f"/calls/{call['id']}/questions", {"question": "alone"})
    assert asked.status_code == 202, asked.text
    await stage.advance(60)
    assert (await ana.ask("POST", f"/contacts/{contact['id']}/close", body)).status_code == 200


async def test_a_contact_closed_by_mistake_is_counted_as_what_it_was(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contact = await new_contact(ana)
    body = {"closed_as": "silent"}
    closed = (await ana.ask("POST", f"/contacts/{contact}/close", body)).json()
    assert (closed["closed_as"], closed["categories"]) == ("silent", ["NC", "NC-SILENT"])
    again = await ana.ask("POST", f"/contacts/{contact}/reopen", {"reason": "wrong key"})
    assert (again.json()["closed_as"], again.json()["categories"]) == (None, [])
    await write(ana, contact, {"contact.kind": WHOLE["contact.kind"]})
    # What is written, be it one chosen word, is never counted as another thing.
    refused = await ana.ask("POST", f"/contacts/{contact}/close", body)
    assert (refused.status_code, refused.json()["error"]) == (409, "SomethingWritten")
    assert "clear its answers" in refused.json()["detail"]
    await write(ana, contact, WHOLE)
    (await ana.ask("POST", f"/contacts/{contact}/complete")).raise_for_status()
    found = (await ana.ask("POST", "/contacts/search", {"category": "V-BULLYING"})).json()
    assert [c["id"] for c in found["contacts"]] == [contact]
