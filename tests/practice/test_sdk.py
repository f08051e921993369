"""The provider's own SDK pointed at the exchange: our client, and every error as it sees it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from twilio.base.exceptions import TwilioRestException

from app.demo.stage import LINE, Stage
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.retention.data_requests.kinds import CopyKind
from app.settings import Settings
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.urls import message_path
from tests.support.talks import CHILD, talk


def patient(stage: Stage) -> Any:
    """Our client, with the time that it has in production: no job asks again here."""
    return platform_of(stage.settings.model_copy(update={"twilio_timeout": 5.0}))


async def test_the_sdk_reads_what_the_exchange_says(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    provider = patient(stage)
    found = await provider.fetch_call(leg.sid)
    assert found is not None
    assert found.status == "in-progress"
    assert await provider.fetch_call("CA" + "0" * 32) is None
    conference = next(iter(stage.exchange.conferences.all.values()))
    assert await provider.find_conference(conference.name) == conference.sid
    inside = await provider.participants(conference.sid)
    assert inside[leg.sid] == "caller"
    assert sorted(inside.values()) == ["caller", "counsellor"]
    since = stage.clock.now() - timedelta(minutes=5)
    to = f"client:{ana.staff.identity}"
    assert await provider.find_leg(to=to, since=since, known=set()) in inside
    assert await provider.find_leg(to=to, since=since, known=set(inside)) is None
    await provider.end(leg.sid)
    await provider.end(leg.sid)  # a second time is as good
    over = await provider.fetch_call(leg.sid)
    assert over is not None
    assert over.status == "completed"
    assert over.ended_at is not None


async def test_what_is_over_is_deleted_once_and_what_goes_on_is_not(stage: Stage) -> None:
    provider = patient(stage)
    leg = stage.ring(CHILD)
    await stage.advance(1)
    sid = await provider.send_message(
        to=CHILD, from_=LINE, body="Hello", told=message_path(uuid4())
    )
    for kind, one in ((CopyKind.CALL, leg.sid), (CopyKind.MESSAGE, sid)):
        with pytest.raises(Refused) as goes_on:
            await provider.delete_copy(kind, one)
        assert (goes_on.value.status, goes_on.value.code) == (409, 20009)
    assert [one.sid for one in await provider.messages_with(CHILD)] == [sid]
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    assert leg.sid in {one.sid for one in await provider.calls_with(CHILD)}
    for kind, one in ((CopyKind.CALL, leg.sid), (CopyKind.MESSAGE, sid)):
        await provider.delete_copy(kind, one)
        with pytest.raises(Refused) as gone:
            await provider.delete_copy(kind, one)
        assert (gone.value.status, gone.value.code) == (404, 20404)
    assert leg.sid not in {one.sid for one in await provider.calls_with(CHILD)}
    assert await provider.messages_with(CHILD) == []
    with pytest.raises(Refused) as unknown:
        await provider.delete_copy(CopyKind.RECORDING, "RE" + "0" * 32)
    assert unknown.value.status == 404


async def test_what_went_wrong_is_told_apart(stage: Stage) -> None:
    provider, knobs = platform_of(stage.settings), stage.exchange.knobs
    leg = stage.ring()
    await stage.advance(1)
    knobs.turn("refuse")
    with pytest.raises(TryAgain) as storm:
        await provider.fetch_call(leg.sid)
    assert storm.value.after == 1.0
    knobs.turn("fail")
    with pytest.raises(Uncertain):
        await provider.move(leg.sid, "/telephony/x")
    knobs.turn("accept_and_time_out", seconds=2.0)
    with pytest.raises(Uncertain):
        await provider.fetch_call(leg.sid)
    wrong = stage.settings.model_copy(update={"twilio_api_key_secret": "wrong"})
    with pytest.raises(Refused) as refused:
        await platform_of(wrong).fetch_call(leg.sid)
    assert refused.value.code == 20003
    nowhere = stage.settings.model_copy(update={"twilio_api_base_url": "http://127.0.0.1:9"})
    with pytest.raises(TryAgain):
        await platform_of(nowhere).fetch_call(leg.sid)
    with pytest.raises(Refused):
        await platform_of(Settings(twilio_account_sid=None)).fetch_call(leg.sid)


async def test_the_exchange_refuses_as_the_provider_does(stage: Stage) -> None:
    provider = patient(stage)
    client = provider.client

    def code_of(**values: object) -> int:
        with pytest.raises(TwilioRestException) as refused:
            client.calls.create(**values)
        return int(refused.value.code)

    good = {"to": "+38164999001", "from_": LINE, "url": "https://example.org/x"}
    for change, code in [
        ({"from_": "+15005550006"}, 21210),
        ({"to": "nonsense"}, 21211),
        ({"to": ""}, 21201),
        ({"timeout": 900}, 21216),
        ({"url": "/relative"}, 21205),
        ({"status_callback_event": ["initiated ringing"]}, 21626),
    ]:
        assert await asyncio.to_thread(lambda c=change: code_of(**{**good, **c})) == code  # type: ignore[misc]
    assert len(stage.exchange.faults) == 2
    stage.exchange.faults.clear()


async def test_errors_never_carry_a_number(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        await patient(stage).ring(
            to="+381649999", from_="+38164123456", document="/x", told="/y", seconds=20
        )
    assert "38164" not in str(refused.value)
    assert refused.value.__cause__ is None
