"""Webhooks with made-up bodies and signatures: each is answered, and a forged one does nothing."""

import re
from urllib.parse import urlencode
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from hypothesis.strategies import SearchStrategy, lists, one_of, sampled_from, text, tuples

from app.demo.stage import ACCOUNT, LINE, TOKEN, Stage
from app.jobs.transaction import transaction
from app.practice.telegram import SECRET
from app.practice.wire import sign
from app.referrals.channels.webhook.signing import headers_for
from app.referrals.directory.agencies import set_webhook_secret
from app.staff import tokens
from app.work import PROGRAM
from tests.support.children.who_text import has_bot, takes_texts
from tests.support.program.made_up import BYTES, TEXT, tried
from tests.support.referrals import add_agency
from tests.support.routes import routes
from tests.support.systems import signing_by
from tests.support.talks import talk

pytestmark = pytest.mark.whole

Pairs = list[tuple[str, str]]
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
FORMS: SearchStrategy[Pairs] = lists(tuples(one_of(NAMES, TEXT), VALUES), min_size=1, max_size=14)
# What agencies, directories and messengers send: JSON, or what is none.
BODIES = one_of(
    BYTES,
    TEXT.map(str.encode),
    sampled_from([b"null", b"[]", b'{"update_id":{}}', b'{"type":[],"data":7}', b"[" * 5000]),
)
# Those that only say a status are answered with 204.
WELL = (200, 204)
_PARAMETER = re.compile(r"{(\w+)}")


def _filled(path: str, rows: dict[str, str]) -> str:
    """Return an address with a row for each parameter; most have none with this id."""
    return _PARAMETER.sub(lambda one: rows.get(one[1], str(UUID(int=7))), path)


def _asked(route: APIRoute, rows: dict[str, str]) -> str:
    """Return the query of an address, which is our own and part of the signature."""
    names = [one.name for one in route.dependant.query_params if one.field_info.is_required()]
    return "?" + urlencode({one: rows[one] for one in names}) if names else ""


def _webhooks(stage: Stage, rows: dict[str, str]) -> list[str]:
    """Return the addresses of all webhooks of the provider, filled in."""
    return sorted(
        _filled(path, rows) + _asked(route, rows)
        for route in routes(stage)
        for path in (route.path,)
        if path.startswith("/telephony/")
        and "POST" in (route.methods or ())
        and "/telegram/" not in path
    )


async def test_any_form_of_a_webhook_gets_a_document(stage: Stage) -> None:
    leg = await talk(stage, await stage.add_counsellor("ana"))
    call = await stage.call_of(leg)
    rows = {"call_id": str(call["id"])}
    for name, table in (("offer_id", "offers"), ("leg_id", "legs")):
        (one, *_) = await stage.rows(f"SELECT id FROM {table}")
        rows[name] = str(one["id"])
    rows |= {"o": rows["offer_id"], "s": "available", "q": str(UUID(int=7)), "n": "1"}
    base = stage.settings.public_url

    async def send(path: str, pairs: Pairs, signature: str | None) -> int:
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

    async def signed(path: str, pairs: Pairs) -> None:
        # The account twice is still one account; another one is refused.
        pairs = [("AccountSid", ACCOUNT), *(one for one in pairs if one[0] != "AccountSid")]
        # A request about another call than the one in its address is none of ours.
        assert await send(path, pairs, sign(TOKEN, base + path, pairs)) in WELL, path

    async def forged(made: tuple[str, Pairs]) -> None:
        signature, pairs = made
        before = await stage.rows("SELECT count(*) FROM call_events")
        pairs = [("AccountSid", ACCOUNT), ("CallSid", "CAforged"), *pairs]
        assert await send("/telephony/voice", pairs, signature) == 403
        assert await stage.rows("SELECT count(*) FROM call_events") == before

    paths = _webhooks(stage, rows)
    assert len(paths) > 45

    async def each(forms: list[Pairs]) -> None:
        """Send one made-up form to each address of a few, but not the simplest of all."""
        if all(len(one) == 1 for one in forms):
            return
        for path, pairs in zip(some, forms, strict=True):
            await signed(path, pairs)

    # A few at a time: a made-up input has a bound.
    for begin in range(0, len(paths), 5):
        some = paths[begin : begin + 5]
        await tried(lists(FORMS, min_size=len(some), max_size=len(some)), each, 2)
    letters = text("ABCxyz019+/=,", max_size=60)
    await tried(tuples(letters, FORMS), forged, 5)
    # Whatever was sent, the next child is greeted and the record of each ring is one.
    next_ = stage.ring("+381649876543")
    await stage.advance(2)
    assert (await stage.call_of(next_))["state"] == "greeting"
    assert await stage.rows("SELECT 1 FROM calls WHERE provider_sid = 'CAforged'") == []
    for ringing in (leg, next_):
        await stage.exchange.hang_up(ringing)
    await stage.advance(2)


async def test_any_body_from_a_messenger_agency_or_directory_is_answered(stage: Stage) -> None:
    await takes_texts(stage, "telegram")
    bot = await has_bot(stage)
    await add_agency(stage, "house", "shelter", email="a@house.example")
    async with transaction(stage.ground, PROGRAM) as work:
        secret = await set_webhook_secret(work, "house")
        token = await tokens.add_token(work, "directory", ["accounts"], 30)
    base = stage.settings.public_url
    people = await stage.rows("SELECT count(*) FROM staff")
    directory = [
        (method, base + _filled(route.path, {}))
        for route in routes(stage)
        if "/scim/" in route.path
        for method in sorted({"POST", "PUT", "PATCH"} & set(route.methods or ()))
    ]
    assert len(directory) >= 3
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}

    async def sent(body: bytes) -> None:
        post = stage.client.post
        told = await post(bot.url, content=body, headers={SECRET: bot.secret})
        assert told.status_code == 200, "it would come again for ever"
        assert (await post(bot.url, content=body, headers={SECRET: "x"})).status_code == 403
        url, json = f"{base}/api/v1/agencies/house/events", body.decode(errors="replace")
        signature = headers_for(signing_by(secret), "msg-1", stage.clock.now(), json.encode())
        for headers, content in ((signature, json.encode()), (signature, body), ({}, body)):
            refused = await post(url, content=content, headers=headers)
            assert 400 <= refused.status_code < 500, refused.text
        for method, where in directory:
            refused = await stage.client.request(method, where, content=body, headers=bearer)
            assert 400 <= refused.status_code < 500, refused.text

    await tried(BODIES, sent, 4)
    assert await stage.rows("SELECT count(*) FROM staff") == people
