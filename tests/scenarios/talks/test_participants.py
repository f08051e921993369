"""Colleagues and third parties in a talk."""

from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.people import Phone
from app.words import pages
from app.words.without_codes import ONLY_A_PIN
from tests.support.profile import WHOLE, nightly
from tests.support.talks import POLICE, a_talk, act, client, done, inside, rings_at, room, waits


async def _joins_and_is_dropped(stage: Stage, ana: Counsellor, call: Any) -> None:
    """A third party by phone joins the talk, and the counsellor drops them."""
    stage.exchange.phones[POLICE] = Phone(picks_up=2)
    body = {"number": POLICE, "role": "police"}
    for wrong in ({**body, "role": "x"}, {"number": "5"}):
        assert (await ana.ask("POST", f"/calls/{call['id']}/add", wrong)).status_code == 422
    participant = await act(ana, call, "add", body)
    await stage.advance(12)
    assert inside(stage) == {"+381641234567", client(ana), POLICE}
    listed = (await ana.ask("GET", f"/calls/{call['id']}/participants")).json()
    assert [(p["who"], p["state"]) for p in listed] == [("police", "in")]
    assert POLICE not in (await ana.ask("GET", f"/calls/{call['id']}/events")).text
    stored = await stage.rows("SELECT p::text AS words FROM participants p")
    assert POLICE[1:] not in stored[0]["words"]
    refused = await ana.ask(
        "POST", f"/calls/{call['id']}/participants/{participant['participant_id']}/complete"
    )
    assert refused.status_code == 409, "a child is not left with a third party by a slip"
    await act(ana, call, f"participants/{participant['participant_id']}/drop", status=204)
    assert inside(stage) == {"+381641234567", client(ana)}


async def _is_told_that_no_pin_of_hers_counts(
    stage: Stage, ana: Counsellor, call: Any, vera: Counsellor
) -> None:
    """A colleague whose phone is not proven is asked for no PIN where none of hers counts."""
    stage.settings.codes_by_telephone = False
    await stage.watch.execute("UPDATE phone_proofs SET paired_at = NULL")
    await act(ana, call, "transfer", {"counsellor_id": str(vera.id), "warm": False})
    await stage.advance(30)
    with pages.spoken_in("sr"):
        assert stage.exchange.phones["+38164999001"].heard[-1].text == pages.said(ONLY_A_PIN)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert await vera.presence() == "available"
    await stage.watch.execute("UPDATE phone_proofs SET paired_at = now()")
    stage.settings.codes_by_telephone = True


async def test_a_third_party_joins_and_is_dropped_and_a_phone_joins_by_1_and_a_machine_never(
    stage: Stage,
) -> None:
    stage.exchange.phones["+38164999001"] = vera_phone = Phone(picks_up=2, presses=None)
    leg, call, (ana,) = await a_talk(stage, "ana")
    await _joins_and_is_dropped(stage, ana, call)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    await act(ana, call, "transfer", {"counsellor_id": str(vera.id), "warm": False})
    await stage.advance(30)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert await vera.presence() == "available"
    if WHOLE:
        # By day `tests/telephony/counsellor/test_unproven_phone.py` asks a colleague.
        await _is_told_that_no_pin_of_hers_counts(stage, ana, call, vera)
    vera_phone.presses = "1"
    await act(ana, call, "transfer", {"counsellor_id": str(vera.id), "warm": False})
    await stage.advance(12)
    assert inside(stage) == {"+381641234567", "+38164999001"}
    # The star ends it, as it does for the counsellor who took the call.
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == "+38164999001")
    stage.exchange.press(mine, "*")
    await stage.advance(3)
    assert leg.over
    row = await done(stage, leg)
    assert row["ended_by"] == "counsellor"


@nightly
async def test_a_counsellor_drops_out_and_the_others_go_on(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    assert room(stage).participants[leg.sid].held
    # A colleague who helps is offered no call.
    await boris.be("available")
    other = await waits(stage, from_="+381641110009")
    assert await rings_at(stage, boris) == []
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    await stage.exchange.hang_up(mine)
    await stage.advance(3)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert not room(stage).participants[leg.sid].held, "and the child is not left on hold"
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    await stage.exchange.hang_up(other)
    row = await done(stage, leg)
    assert (row["outcome"], row["returned"]) == ("answered", 0)
