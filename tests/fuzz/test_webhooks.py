"""Webhooks with made-up forms and signatures: each is answered, and a forged one does nothing."""

from urllib.parse import urlencode

from hypothesis.strategies import lists, one_of, sampled_from, text, tuples

from app.demo.stage import ACCOUNT, LINE, TOKEN, Stage
from app.practice.wire import sign
from tests.fuzz.trying import TEXT, tried

NAMES = sampled_from(
    "CallSid CallStatus From To Direction Digits SpeechResult CallDuration SequenceNumber "
    "Timestamp ErrorCode RecordingSid RecordingUrl RecordingDuration RecordingStatus QueueTime "
    "QueueResult DialCallStatus DialCallSid ConferenceSid StatusCallbackEvent AnsweredBy "
    "SipResponseCode ForwardedFrom CallerName ParentCallSid Body MessageSid MessageStatus "
    "SmsStatus NumMedia MediaUrl0".split()
)
VALUES = one_of(
    TEXT,
    sampled_from(["", "-1", "0", "9" * 400, "1e999", "nan", "null", "[]", "completed", "ringing"]),
    sampled_from([LINE, "+381641234567", "anonymous", "sip:a@b;c=d", "client:c_ana", "tel:112"]),
    # As a form that is encoded twice, or that hides another field.
    sampled_from(["%00", "%2B381641234567", "a&CallStatus=completed", "a;b=c", "<Say>", "]]>"]),
)
FORMS = lists(tuples(one_of(NAMES, TEXT), VALUES), max_size=14)
STEPS = "menu wait choice returned message message-again recording"
HANDS = sampled_from(["voice", "voice/fallback", "status", "sms", *STEPS.split()])


async def test_any_form_of_a_webhook_gets_a_document(stage: Stage) -> None:
    leg = stage.ring()
    await stage.advance(1)
    call = (await stage.call_of(leg))["id"]
    base = stage.settings.public_url

    async def send(path: str, pairs: list[tuple[str, str]], signature: str | None) -> int:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if signature is not None:
            headers["X-Twilio-Signature"] = signature
        answer = await stage.client.post(
            base + path, content=urlencode(pairs).encode(), headers=headers
        )
        if answer.status_code == 200:
            assert answer.headers["content-type"].startswith("text/xml")
            assert answer.text.startswith("<?xml")
        return answer.status_code

    async def signed(made: tuple[str, list[tuple[str, str]]]) -> None:
        where, pairs = made
        path = (
            f"/telephony/calls/{call}/{where}" if where in STEPS.split() else f"/telephony/{where}"
        )
        # The account twice is still one account; another one is refused.
        pairs = [("AccountSid", ACCOUNT), *(one for one in pairs if one[0] != "AccountSid")]
        found = await send(path, pairs, sign(TOKEN, base + path, pairs))
        # A request about another call than the one in its address is none of ours.
        assert found in (200, 204), (path, found)

    async def forged(made: tuple[str, list[tuple[str, str]]]) -> None:
        signature, pairs = made
        before = await stage.rows("SELECT count(*) FROM call_events")
        pairs = [("AccountSid", ACCOUNT), ("CallSid", "CAforged"), *pairs]
        assert await send("/telephony/voice", pairs, signature) == 403
        assert await stage.rows("SELECT count(*) FROM call_events") == before

    await tried(tuples(HANDS, FORMS), signed, 40)
    letters = text("ABCxyz019+/=,", max_size=60)
    await tried(tuples(letters, FORMS), forged, 15)
    # Whatever was sent, the next child is greeted and the record of each ring is one.
    next_ = stage.ring("+381649876543")
    await stage.advance(2)
    assert (await stage.call_of(next_))["state"] in ("greeting", "queued")
    assert await stage.rows("SELECT 1 FROM calls WHERE provider_sid = 'CAforged'") == []
    for one in (leg, next_):
        await stage.exchange.hang_up(one)
    await stage.advance(2)
