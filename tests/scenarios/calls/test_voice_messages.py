"""Voice messages: left, fetched, sealed, heard and done with."""

import asyncio

from sqlalchemy import text

from app.calls.models import Call
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.profile import nightly
from tests.support.talks import is_queued, talk, waiting


async def test_one_voice_message_has_one_contact(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = stage.ring()
    await stage.advance(1)
    call = await stage.call_of(leg)
    async with transaction(stage.ground, PROGRAM) as work:
        assert await work.session.get(Call, call["id"]) is not None
        await work.session.execute(
            text(
                "INSERT INTO voice_messages (id, call_id, recording_sid, created_at)"
                " VALUES (gen_random_uuid(), :call, 'RE1', now())"
            ),
            {"call": call["id"]},
        )
    body = {"channel": "voice_message", "call_id": str(call["id"])}
    answers = await asyncio.gather(*(ana.ask("POST", "/contacts", body) for _ in range(6)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 5
    headers = {"Cookie": f"{COOKIE}={ana.cookies[COOKIE]}", "Content-Type": "application/json"}
    url = f"{stage.settings.public_url}/api/v1/contacts/search"
    odd = await stage.client.post(url, content=b'{"code": "\\ud800"}', headers=headers)
    assert odd.status_code == 422


@nightly
async def test_a_second_visit_to_the_voice_message_is_a_new_one(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    leg = await waiting(stage, "+381641110001")
    for visit in range(2):
        await stage.until(
            lambda v=visit: sum("Da nam ostaviš" in h.text for h in leg.heard) > v, limit=400
        )
        await stage.advance(1)
        stage.exchange.press(leg, "1")
        await stage.advance(3)
        assert (await stage.call_of(leg))["state"] == "greeting"
        await stage.until(lambda: is_queued(stage, leg), limit=60)
    await ana.do("hang-up")
    await ana.be("available")
    assert (await stage.call_of(leg))["state"] == "offered"


async def test_a_voice_message_is_fetched_sealed_heard_and_deleted_at_the_provider(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana", state="break")
    leg = stage.ring("+381641110001")
    leg.person.message_seconds = 12  # type: ignore[union-attr]
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: is_queued(stage, leg), limit=10)
    stage.exchange.press(leg, "1")
    await stage.advance(40)
    assert leg.has_heard("Posle zvučnog signala")
    assert leg.has_heard("Savetnik će poslušati tvoju poruku")
    assert not leg.over
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "voicemail"
    message = (await stage.rows("SELECT * FROM voice_messages"))[0]
    assert (message["state"], message["seconds"]) == ("imported", 12)
    assert message["provider_deleted_at"] is not None
    assert all(recording.deleted for recording in stage.exchange.recordings.values())
    audio = await ana.ask("GET", f"/voice-messages/{message['id']}")
    assert audio.headers["content-type"] == "audio/mpeg"
    assert audio.content[:2] == b"\xff\xfb"
    assert audio.content not in message["audio_sealed"]
    log = await stage.rows("SELECT action FROM audit_entries")
    assert "voice_message_opened" in [row["action"] for row in log]


@nightly
async def test_a_counsellor_comes_on_duty_while_the_caller_is_asked_for_a_message(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(10)
    assert leg.has_heard("U ovom trenutku niko ne može")
    await ana.be("available")
    await stage.advance(40)
    assert await stage.rows("SELECT 1 FROM offers WHERE counsellor_id = %s", ana.id) != []
    assert (await stage.call_of(leg))["queued_at"] is not None


async def test_a_voice_message_is_a_task_with_an_owner_until_it_is_done(stage: Stage) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    leg = stage.ring("+381641110001")
    leg.person.message_seconds = 9  # type: ignore[union-attr]
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(40)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    (message,) = await stage.rows("SELECT id, owner_id FROM voice_messages")
    assert message["owner_id"] == chief.id, "it has an owner from the first moment"
    ana = await stage.add_counsellor("ana")
    assert (await ana.ask("POST", f"/voice-messages/{message['id']}/take")).status_code == 204
    (message,) = await stage.rows("SELECT id, owner_id, heard_at FROM voice_messages")
    assert (message["owner_id"], message["heard_at"]) == (ana.id, None)
    assert (await ana.ask("POST", f"/voice-messages/{message['id']}/done")).status_code == 204
    assert (await chief.ask("POST", f"/voice-messages/{message['id']}/take")).status_code == 409
