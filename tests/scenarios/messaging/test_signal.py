"""Children write with Signal to a number of the line, which a service of the helpline plays."""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.chats import accounts
from app.chats.left import untaken
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.telephony.messaging import asking, receiving
from app.telephony.messaging.base import Arrived
from app.work import PROGRAM
from tests.support.children.who_text import (
    CHILD,
    SECRETIVE,
    has_signal,
    says,
    takes,
    takes_texts,
    writer,
    written,
)
from tests.support.documents.files import jpeg
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import page

CALLS = "SELECT id, state, caller_kind, language FROM calls ORDER BY opened_at"
MEDIA = "SELECT kind, state, source_sealed FROM chat_media ORDER BY at"


async def heard(stage: Stage, ana: Counsellor, call_id: Any) -> list[str]:
    found = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    return [one["text"] for one in found if one["author"] == "child"]


async def test_a_child_writes_with_signal_and_its_telephone_tells_what_arrived(
    stage: Stage,
) -> None:
    await takes_texts(stage, "signal")
    child, signal = await has_signal(stage), stage.exchange.signal
    assert signal.numbers[LINE].trust_mode == "always", "a child with a new telephone is answered"
    ana = await writer(stage)
    # In a group, or by a sign alone, a child does not speak to the helpline.
    signal.write(LINE, child, "u grupi", groupInfo={"groupId": "x", "type": "DELIVER"})
    signal.write(LINE, child, reaction={"emoji": "👍", "isRemove": False})
    signal.types(LINE, child)
    first = signal.write(LINE, child, "Dobro sam")
    await stage.advance(6)
    call_id = await takes(stage, ana)
    signal.edit(LINE, child, first, "Nisam dobro")
    signal.write(LINE, child, sticker={"packId": "x", "stickerId": 1})
    signal.call(LINE, child)
    signal.types(LINE, child)
    await stage.advance(6)
    assert await heard(stage, ana, call_id) == ["Dobro sam", "Nisam dobro"]
    assert sum("cannot get pictures" in one.text for one in child.texts) == 2
    (mine,) = (await ana.ask("GET", "/chats/mine")).json()
    assert mine["types"] is True
    # Its telephone tells that a message arrived, and was read; in any order.
    signal.silent = child.untrusted = True
    await says(stage, ana, call_id, "Tu sam")
    await stage.advance(3)
    sent = await stage.rows("SELECT provider_sid FROM chat_sent ORDER BY wanted_at DESC LIMIT 1")
    named = int(sent[0]["provider_sid"].partition(".")[0])
    signal.receipt(LINE, child, "isRead", named)
    signal.receipt(LINE, child, "isDelivery", named, named + 1)
    await stage.advance(4)
    last = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()[-1]
    assert (last["text"], bool(last["delivered_at"]), bool(last["seen_at"])) == (
        "Tu sam",
        True,
        True,
    )
    # While Signal wants a proof, the counsellor reads that it was not sent.
    signal.wants_proof = True
    await says(stage, ana, call_id, "Pričaj mi")
    await stage.advance(4)
    assert (await written(stage, call_id))[-1] == ("counsellor", "filtered", False)
    # A child that does not keep its number to itself is known by it, as in a call.
    other = signal.person(SECRETIVE.replace("5", "6"), CHILD)
    signal.write(LINE, other, "Zdravo")
    await stage.advance(4)
    assert [row["caller_kind"] for row in await stage.rows(CALLS)] == ["written", "e164"]
    assert stage.exchange.faults == []


@nightly
async def test_pictures_come_if_the_line_takes_them_and_nothing_stays_at_the_service(
    stage: Stage,
) -> None:
    await takes_texts(stage, "signal")
    child, signal = await has_signal(stage), stage.exchange.signal
    ana = await writer(stage)
    signal.send_file(LINE, child, "image/jpeg", jpeg())
    await stage.advance(4)
    assert (signal.files, await stage.rows(MEDIA)) == ({}, []), "not even on the service's disk"
    assert any("cannot get pictures" in one.text for one in child.texts)
    await stage.let_write(media=["picture"])
    call_id = await takes(stage, ana)
    signal.send_file(LINE, child, "image/jpeg", jpeg())
    signal.send_file(LINE, child, "audio/aac", b"\xff\xf1")
    await stage.advance(8)
    (row,) = await stage.rows(MEDIA)
    assert (row["kind"], row["state"], row["source_sealed"]) == ("picture", "kept", None)
    assert signal.files == {}
    assert await heard(stage, ana, call_id) == ["📷"]


@nightly
async def test_an_administrator_gives_a_line_a_number_in_signal(stage: Stage) -> None:
    await takes_texts(stage, "sms")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (line,) = await stage.rows("SELECT id FROM lines")
    at, api = f"/admin/lines/{line['id']}", f"/lines/{line['id']}/signal"
    signal = stage.exchange.signal
    refused = (await page(stage, mila, f"{at}/signal", number="x")).text
    assert "That is not a phone number" in refused
    assert (await page(stage, mila, f"{at}/signal", number=LINE)).status_code == 303
    await stage.advance(1)
    assert "does not have this number" in (await page(stage, mila, at)).text
    signal.register(LINE)
    # In a mode that loses what comes while this server is away, children are not heard at all.
    signal.mode = "json-rpc"
    assert (await mila.ask("PUT", api, {"number": LINE})).status_code == 200
    await stage.advance(1)
    assert (await mila.ask("GET", api)).json()["problem"] == "mode"
    assert "set its MODE" in (await page(stage, mila, at)).text
    signal.mode = "native"
    await mila.ask("PUT", api, {"number": LINE})
    await stage.advance(1)
    view = (await mila.ask("GET", api)).json()
    assert (view["name"], view["state"], view["problem"]) == (LINE, "registered", None)
    assert f"https://signal.me/#p/{LINE}" in (await page(stage, mila, at)).text
    # The service is away for a moment: it is said, and gone again. Signal keeps what is written.
    child = signal.person(SECRETIVE, None)
    stage.exchange.knobs.turn("fail", "/signal/receive", times=2)
    signal.write(LINE, child, "Ima li koga?")
    await stage.advance(4)
    assert (await mila.ask("GET", api)).json()["problem"] == "away"
    await stage.advance(25)
    assert (await mila.ask("GET", api)).json()["problem"] is None
    assert len(await stage.rows(CALLS)) == 1
    # While the line does not take them, Signal keeps them, and no job asks.
    await mila.ask("PATCH", f"/lines/{line['id']}/chat", {"by": ["sms"]})
    await stage.advance(1)
    assert (await mila.ask("GET", api)).json()["state"] == "paused"
    signal.write(LINE, child, "Vratio se")
    await stage.advance(5)
    assert len(signal.numbers[LINE].kept) == 1
    await mila.ask("PATCH", f"/lines/{line['id']}/chat", {"by": ["sms", "signal"]})
    await stage.advance(4)
    assert len(signal.numbers[LINE].kept) == 0
    assert (await page(stage, mila, f"{at}/signal/remove", sure="yes")).status_code == 303
    await stage.advance(1)
    assert (await mila.ask("GET", api)).status_code == 404
    kinds = await stage.rows(
        "SELECT action FROM audit_entries WHERE action LIKE 'line_account%%' ORDER BY id"
    )
    assert [row["action"] for row in kinds] == ["line_account_set"] * 3 + ["line_account_removed"]


async def test_what_cannot_be_read_is_kept_told_and_heard_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await takes_texts(stage, "signal")
    child, signal = await has_signal(stage), stage.exchange.signal
    ana = await writer(stage)
    receive = receiving.receive

    async def fails(work: Any, channel: Any, line: Any, arrived: Arrived) -> None:
        if arrived.text == "Pomozite":
            raise RuntimeError("a fault of ours")
        await receive(work, channel, line, arrived)

    monkeypatch.setattr(receiving, "receive", fails)
    signal.write(LINE, child, "Pomozite")
    signal.write(LINE, child, "Ima li koga?")
    await stage.advance(6)
    assert len(signal.numbers[LINE].kept) == 0, "Signal has forgotten both"
    call_id = await takes(stage, ana)
    assert await heard(stage, ana, call_id) == ["Ima li koga?"], "the other one is heard"
    # Nothing more is written.
    monkeypatch.setattr(asking, "EVERY", timedelta(seconds=20))
    (row,) = await stage.rows("SELECT content_sealed, tried_at FROM chat_fetched")
    assert row["tried_at"]
    assert b"Pomozite" not in bytes(row["content_sealed"])
    (line,) = await stage.rows("SELECT id FROM lines")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    at = f"/lines/{line['id']}"
    assert (await mila.ask("GET", f"{at}/signal")).json()["problem"] == "unread"
    assert "could not be read" in (await page(stage, mila, f"/admin{at}")).text
    async with transaction(stage.ground, PROGRAM) as work:
        await untaken.look_at_messages(work)
    alarms = "SELECT ended_at FROM alarms WHERE kind = 'message_not_taken'"
    assert [one["ended_at"] for one in await stage.rows(alarms)] == [None]
    # A person who cannot help it ends the alarm; it is tried on all the same. What came after the
    # page was drawn is not meant.
    put_away = f"/admin{at}/signal/put-away"
    drawn = (stage.clock.now() - timedelta(days=1)).isoformat()
    assert (await page(stage, mila, put_away, until=drawn)).status_code == 303
    assert (await mila.ask("GET", f"{at}/signal")).json()["problem"] == "unread"
    for _ in range(2):
        shown = (await page(stage, mila, f"/admin{at}")).text
        (drawn,) = re.findall(r'name="until" value="([^"]+)"', shown) or [drawn]
        assert (await page(stage, mila, put_away, until=drawn)).status_code == 303
    (entry,) = await stage.rows(
        "SELECT subject, detail FROM audit_entries WHERE action = 'unread_message_put_away'"
    )
    assert (entry["subject"], entry["detail"]["before"]["unread"]) == (str(line["id"]), 1)
    if WHOLE:
        await stage.advance(70)
    async with transaction(stage.ground, PROGRAM) as work:
        await untaken.look_at_messages(work)
    assert None not in [one["ended_at"] for one in await stage.rows(alarms)]
    assert (await mila.ask("GET", f"{at}/signal")).json()["problem"] is None
    assert (await mila.ask("POST", f"{at}/signal/put-away")).status_code == 204
    monkeypatch.setattr(receiving, "receive", receive)
    await stage.advance(90)
    assert await heard(stage, ana, call_id) == ["Ima li koga?", "Pomozite"]
    assert (await mila.ask("GET", f"{at}/signal")).json()["problem"] is None
    assert await stage.rows("SELECT FROM chat_fetched") == []


async def test_one_job_asks_and_another_one_comes_if_it_was_lost(stage: Stage) -> None:
    await takes_texts(stage, "signal")
    child, signal = await has_signal(stage), stage.exchange.signal
    jobs = "SELECT FROM procrastinate_jobs WHERE task_name = 'telephony:ask_account'"
    (line,) = await stage.rows("SELECT id FROM lines")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    for _ in range(2):
        await mila.ask("PUT", f"/lines/{line['id']}/signal", {"number": LINE})
    await stage.advance(9)
    assert len(await stage.rows(jobs)) == 1
    await stage.change_rows("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    signal.write(LINE, child, "Ima li koga?")
    # Some time after the last one was there.
    await stage.change_rows("UPDATE chat_accounts SET asked_at = asked_at - interval '10m'")
    await accounts.ask_again(stage.ground)
    await stage.advance(9)
    assert (len(await stage.rows(CALLS)), len(signal.numbers[LINE].kept)) == (1, 0)
