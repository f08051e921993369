"""Odd values in webhooks, pages and the interface are no error."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from app.demo.stage import ACCOUNT, LINE, TOKEN, Stage
from app.practice.wire import sign
from tests.support.profile import by_day, nightly
from tests.support.talks import talk

ODD = by_day(["²", "9" * 5000, "\x00", "99999999999", "-1", "1e9", "٣"], 3)


# By day `tests/odd_input/test_webhooks.py` has forms of any kind.
@nightly
async def test_odd_values_are_no_error_and_lose_nothing(stage: Stage) -> None:
    """All of them in one talk, which the last one ends."""
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

    for number, odd in enumerate(ODD):
        await _in_each_place(stage, post, row, f"CF{number}", odd)
    assert (await stage.call_of(leg))["state"] != "ended"
    for odd in ODD:
        over = {"CallSid": "CAother", "CallStatus": "failed", "SipResponseCode": odd}
        assert await post(f"/telephony/legs/{leg_id}/status", **over) == 204
    # By its identifier: the counsellor is rung again, by a second leg that may stand first.
    [failed] = await stage.rows("SELECT ended_at FROM legs WHERE id = %s", leg_id)
    assert failed["ended_at"] is not None
    for odd in ODD:
        assert await post("/telephony/status", CallStatus="completed", SequenceNumber=odd) == 204
        assert (await stage.call_of(leg))["state"] == "ended"
    await stage.exchange.hang_up(leg)
    await stage.advance(2)


async def _in_each_place(
    stage: Stage, post: Callable[..., Awaitable[int]], row: dict[str, Any], room: str, odd: str
) -> None:
    """Report an odd value of what happens in a talk. `room`: a conference of this value alone."""
    number = urlencode({"n": odd[:40]})
    for step in ("menu", "wait", "choice", "returned", "message", "message-again"):
        assert await post(f"/telephony/calls/{row['call_id']}/{step}?{number}", Digits=odd) == 200
    assert await post("/telephony/voice", CallDuration=odd, SequenceNumber=odd) == 200
    late = f"Mon, 01 Jan {odd[:20]} 00:00:00 +0000"
    event = {"StatusCallbackEvent": "participant-mute", "ConferenceSid": room}
    conference = f"/telephony/offers/{row['id']}/conference"
    assert await post(conference, SequenceNumber=odd, Timestamp=late, **event) == 204
    # An event that the provider does not have today is kept by a code of ours.
    event = {"StatusCallbackEvent": "participant-sings", "ConferenceSid": room}
    assert await post(conference, SequenceNumber="90", **event) == 204
    kinds = await stage.rows(
        "SELECT kind FROM call_events WHERE delivery_key LIKE %s ORDER BY id",
        f"conference:{room}:%",
    )
    assert [one["kind"] for one in kinds] == ["participant-mute", "conference-event"]
    recording = {"RecordingSid": f"RE{room}", "RecordingStatus": "completed"}
    path = f"/telephony/calls/{row['call_id']}/recording"
    assert await post(path, RecordingDuration=odd, **recording) == 204


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
        assert answer.status_code == 401, name
    odd = await stage.client.post(base + "/login", headers={"Origin": "http://["})
    assert odd.status_code == 403
