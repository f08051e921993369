"""Ways in which the service once failed, each kept as a story."""

from typing import Any
from urllib.parse import urlencode

import pytest

from app.demo.stage import ACCOUNT, LINE, TOKEN, Stage
from app.practice.parties import Phone
from app.practice.wire import sign
from app.telephony.provider.client import Provider
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_matrix import waiting


async def test_a_second_visit_to_the_voice_message_is_a_new_one(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    leg = await waiting(stage, "+381641110001")
    for visit in range(3):
        await stage.until(
            lambda v=visit: sum("Da nam ostaviš" in h.text for h in leg.heard) > v, limit=400
        )
        await stage.advance(1)
        stage.exchange.press(leg, "1")
        await stage.advance(3)
        assert (await stage.call_of(leg))["state"] == "greeting"
        await stage.until(lambda: _queued(stage, leg), limit=60)
    await ana.do("hang-up")
    await ana.be("available")
    assert (await stage.call_of(leg))["state"] == "offered"


async def _queued(stage: Stage, leg: Any) -> bool:
    return bool((await stage.call_of(leg))["state"] == "queued")


@pytest.mark.parametrize("endpoint", ["browser", "+38164999001"])
async def test_a_leg_that_was_given_up_and_lives_is_ended(
    stage: Stage, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(Provider, "find_leg", nothing)
    stage.exchange.knobs.turn("accept_and_time_out", "POST", seconds=1.2)
    stage.exchange.knobs.turn("delay", "/legs/", times=3, seconds=12)
    stage.exchange.phones["+38164999001"] = Phone(picks_up=18)
    ana = await stage.add_counsellor("ana", endpoint=endpoint)
    leg = await waiting(stage)
    if endpoint == "browser":
        await ana.accept()
    await stage.advance(9)
    await stage.exchange.hang_up(leg)
    await stage.advance(12)
    outbound = [x for x in stage.exchange.legs.values() if x.direction != "inbound"]
    assert len(outbound) == 1
    assert outbound[0].over


async def test_a_conference_that_ends_under_both_does_not_end_the_call(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    offer = (await stage.rows("SELECT id, call_id FROM offers"))[0]
    counsellor = next(x for x in stage.exchange.legs.values() if x.direction != "inbound")
    base = stage.settings.public_url
    stage.exchange.knobs.turn("refuse", "Participants", times=8)
    for path, who in (
        (f"/telephony/offers/{offer['id']}/left", counsellor),
        (f"/telephony/calls/{offer['call_id']}/left?o={offer['id']}", leg),
    ):
        fields = stage.exchange.leg_fields(who)
        document = await stage.exchange.sender.fetch(base + path, fields, {})
    assert document.verbs[-1].name == "Redirect"
    assert (await stage.call_of(leg))["state"] == "queued"


ODD = ["²", "9" * 5000, "99999999999", "\x00", "-1", "1e9", "٣"]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_values_are_no_error_and_lose_nothing(stage: Stage, odd: str) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    row = (await stage.rows("SELECT id, call_id FROM offers"))[0]
    [only_leg] = await stage.rows("SELECT id FROM legs")
    leg_id = only_leg["id"]
    base = stage.settings.public_url
    common = {"AccountSid": ACCOUNT, "CallSid": leg.sid, "To": LINE, "CallStatus": "in-progress"}

    async def post(path: str, **fields: str) -> int:
        pairs = list({**common, **fields}.items())
        headers = {
            "X-Twilio-Signature": sign(TOKEN, base + path, pairs),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = await stage.client.post(
            base + path, content=urlencode(pairs).encode(), headers=headers
        )
        return answer.status_code

    number = urlencode({"n": odd[:40]})
    for step in ("menu", "wait", "choice", "returned", "message", "message-again"):
        assert await post(f"/telephony/calls/{row['call_id']}/{step}?{number}", Digits=odd) == 200
    assert await post("/telephony/voice", CallDuration=odd, SequenceNumber=odd) == 200
    late = f"Mon, 01 Jan {odd[:20]} 00:00:00 +0000"
    event = {"StatusCallbackEvent": "participant-mute", "ConferenceSid": "CF1"}
    conference = f"/telephony/offers/{row['id']}/conference"
    assert await post(conference, SequenceNumber=odd, Timestamp=late, **event) == 204
    recording = {"RecordingSid": f"RE{len(odd)}", "RecordingStatus": "completed"}
    path = f"/telephony/calls/{row['call_id']}/recording"
    assert await post(path, RecordingDuration=odd, **recording) == 204
    over = {"CallSid": "CAother", "CallStatus": "failed", "SipResponseCode": odd}
    assert await post(f"/telephony/legs/{leg_id}/status", **over) == 204
    # By its identifier: the counsellor is rung again, by a second leg that may stand first.
    [failed] = await stage.rows("SELECT ended_at FROM legs WHERE id = %s", leg_id)
    assert failed["ended_at"] is not None
    assert await post("/telephony/status", CallStatus="completed", SequenceNumber=odd) == 204
    assert (await stage.call_of(leg))["state"] == "ended"
    await stage.exchange.hang_up(leg)
    await stage.advance(2)


async def test_odd_input_to_pages_and_interface_is_no_error(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    base = stage.settings.public_url
    assert (await ana.ask("GET", "/calls?line=%00")).status_code == 422
    login = await stage.client.post(base + "/login", data={"username": "a\x00", "password": "x"})
    assert login.status_code == 401
    for name in (b'"a\\u0000"', b'"\\ud800"'):
        body = b'{"username": ' + name + b', "password": "x"}'
        headers = {"Content-Type": "application/json"}
        answer = await stage.client.post(base + "/api/v1/session", content=body, headers=headers)
        assert answer.status_code in (401, 422)
    odd = await stage.client.post(base + "/login", headers={"Origin": "http://["})
    assert odd.status_code == 403
