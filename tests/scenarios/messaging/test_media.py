"""Pictures and voice notes of children: refused unless the line takes them, and then guarded."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.chats import media
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.texts import WHATSAPP
from app.retention.data_requests.erasing_kinds import erase_words
from app.retention.kinds import DataKind
from app.retention.rules import set_rules
from app.retention.running import erase_some
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.children.who_text import (
    CHILD,
    PERSON,
    has_bot,
    read_by,
    takes,
    takes_texts,
    writer,
)
from tests.support.documents.files import WHERE, WHO, everything, jpeg, voice_note
from tests.support.profile import nightly
from tests.support.referrals import page

MEDIA = "SELECT id, kind, state, problem, scan, source_sealed, call_id FROM chat_media ORDER BY at"
# A scanner that finds something in files with one word.
SCANNER = "sh -c '! grep -q EICAR'"


async def came(stage: Stage, counsellor: Counsellor, call_id: Any) -> list[dict[str, Any]]:
    """Return what the counsellor reads that came with messages."""
    said = (await counsellor.ask("GET", f"/chats/{call_id}/messages")).json()
    return [one for message in said for one in message["media"]]


@nightly
async def test_a_line_takes_pictures_and_voice_notes_by_telegram(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.settings.scan_command = SCANNER
    await takes_texts(stage, "telegram")
    bot, telegram = await has_bot(stage), stage.exchange.telegram
    ana = await writer(stage)
    telegram.send_file(bot, PERSON, "photo", jpeg())
    await stage.advance(3)
    assert any("cannot get pictures" in one.text for one in bot.chats[PERSON].texts)
    assert (await stage.rows(MEDIA), telegram.files_read) == ([], 0), "off unless it is chosen"
    await stage.let_write(media=["picture", "voice"])
    call_id = await takes(stage, ana)
    telegram.send_file(bot, PERSON, "photo", jpeg(), caption="Vidi")
    telegram.send_file(bot, PERSON, "voice", voice_note())
    await stage.advance(6)
    picture, note = await came(stage, ana, call_id)
    assert [(one["kind"], one["state"]) for one in (picture, note)] == [
        ("picture", "kept"),
        ("voice", "kept"),
    ]
    rows = await stage.rows(MEDIA)
    assert {row["scan"] for row in rows} == {"clean"}
    assert {row["source_sealed"] for row in rows} == {None}
    await _is_shown_after_a_click(stage, ana, picture, note)
    other = await stage.add_counsellor("mira", role=Role.COUNSELLOR)
    for at in (f"/chats/media/{picture['id']}", f"/chats/media/{uuid4()}"):
        assert (await other.ask("GET", at)).status_code == 404
    # What is harmful, of another kind, or too large is not kept.
    stage.settings.document_megabytes = 1
    for content in (jpeg() + b"EICAR", b"GIF89a", jpeg() + bytes(1_100_000)):
        telegram.send_file(bot, PERSON, "photo", content)
        await stage.advance(4)
    problems = [one["problem"] for one in await came(stage, ana, call_id)]
    assert problems == [None, None, "harmful", "unknown_kind", "too_large"]
    assert "found something harmful" in (await page(stage, ana, "/board/chats")).text
    # A flood fills no disk: after a day's bytes of a child, more is refused as on other lines.
    monkeypatch.setattr(media, "MOST_OF_CHILD", 1000)
    telegram.send_file(bot, PERSON, "photo", jpeg())
    await stage.advance(4)
    assert "cannot get pictures" in bot.chats[PERSON].texts[-1].text
    assert len(await stage.rows(MEDIA)) == 5
    # It goes with the words of the conversation.
    (await ana.ask("POST", f"/chats/{call_id}/end")).raise_for_status()
    await _erased_with_the_words(stage)
    assert (await ana.ask("GET", f"/chats/media/{picture['id']}")).status_code == 404


async def _is_shown_after_a_click(
    stage: Stage, ana: Counsellor, picture: dict[str, Any], note: dict[str, Any]
) -> None:
    """Each opening is in the log, and what a camera wrote is gone."""
    board = (await page(stage, ana, "/board/chats")).text
    assert "/api/v1/chats/media/" not in board
    shown = (await page(stage, ana, f"/board/chats/media/{picture['id']}")).text
    assert f'<img src="/api/v1/chats/media/{picture["id"]}"' in shown
    for one, kind in ((picture, "image/jpeg"), (note, "audio/ogg")):
        opened = await ana.ask("GET", f"/chats/media/{one['id']}")
        assert opened.headers["content-type"] == kind
        assert "sandbox" in opened.headers["content-security-policy"]
        for word in (WHO, WHERE):
            assert word.encode() not in everything(opened.content)
    log = await stage.rows(
        "SELECT count(*) AS n FROM audit_entries WHERE action = 'chat_media_opened'"
    )
    assert log[0]["n"] == 2


async def _erased_with_the_words(stage: Stage) -> None:
    await stage.change_rows("UPDATE chat_messages SET seen_at = at WHERE author = 'child'")
    async with transaction(stage.ground, PROGRAM) as work:
        await set_rules(work, {DataKind.CHAT_MESSAGES: 30}, at_once=True)
        work.now += timedelta(days=31)
        assert await erase_some(work, DataKind.CHAT_MESSAGES, uuid4(), set()) > 0
    kept = await stage.rows("SELECT state, content_sealed FROM chat_media")
    assert {(row["state"], row["content_sealed"]) for row in kept} == {("erased", None)}


async def test_a_picture_by_whatsapp_is_fetched_once_and_deleted_there(stage: Stage) -> None:
    await takes_texts(stage, "whatsapp")
    await stage.let_write(media=["picture"])
    ana, texts = await writer(stage), stage.exchange.texts
    knobs = stage.exchange.knobs
    knobs.turn("duplicate", "/telephony/sms", times=None)
    # The server is cut off once, and asks again.
    knobs.turn("fail", "/Media/ME", times=2)
    child, line = WHATSAPP + CHILD, WHATSAPP + LINE
    texts.write(child, line, "", media=("image/jpeg",), files=(jpeg(),))
    await stage.advance(8)
    call_id = await takes(stage, ana)
    (picture,) = await came(stage, ana, call_id)
    assert picture["state"] == "kept"
    assert texts.files == {}, "deleted at the provider"
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    assert [one["text"] for one in said if one["author"] == "child"] == ["📷"]
    texts.write(child, line, "Evo", media=("audio/ogg",), files=(voice_note(),))
    await stage.advance(4)
    assert any("cannot get pictures" in one for one in read_by(stage, child))
    assert len(await stage.rows(MEDIA)) == 1, "the line takes pictures alone"
    assert stage.exchange.faults == []
    # A person who asks for erasure gets the words and the pictures erased.
    async with transaction(stage.ground, PROGRAM) as work:
        await erase_words(work, [call_id])
    rows = await stage.rows("SELECT text_sealed FROM chat_messages WHERE author = 'child'")
    assert {row["text_sealed"] for row in rows} == {None}
    assert (await stage.rows(MEDIA))[0]["state"] == "erased"
