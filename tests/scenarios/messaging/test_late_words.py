"""Words that come late, or while no counsellor reads: none is lost, hidden or misread."""

from datetime import datetime, timedelta

import pytest

from app.calls.states import CallState
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.practice.texts import WHATSAPP
from tests.support.children.who_text import (
    CHILD,
    TEMPLATE,
    a_day_passes,
    read_by,
    says,
    takes,
    takes_texts,
    writer,
)
from tests.support.contacts import skip
from tests.support.profile import nightly


async def _page(stage: Stage, reader: Counsellor, path: str) -> str:
    """Return a part of a page."""
    answer = await stage.client.get(
        f"{stage.settings.public_url}{path}", headers={"Cookie": reader.cookie_header}
    )
    assert answer.status_code == 200, answer.text
    return answer.text


CALLS = "SELECT * FROM calls WHERE channel <> 'voice' ORDER BY opened_at"


@nightly
async def test_a_word_of_the_talk_does_not_end_it(stage: Stage) -> None:
    """By day `tests/telephony/messaging/test_stopping.py` knows these words as none that end it."""
    await takes_texts(stage, "sms", "whatsapp")
    ana = await writer(stage)
    texts = stage.exchange.texts
    texts.write(WHATSAPP + CHILD, WHATSAPP + LINE, "Zdravo")
    await stage.advance(4)
    call_id = await takes(stage, ana)
    words = ["Stani.", "стани", "prekini", "Стій", "end", "cancel"]
    for word in words:
        texts.write(WHATSAPP + CHILD, WHATSAPP + LINE, word)
        await stage.advance(2)
        assert (await stage.rows(CALLS))[0]["state"] == CallState.CONNECTED, word
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    assert [one["text"] for one in said if one["author"] == "child"] == ["Zdravo", *words]


@pytest.mark.usefixtures("each_minute")
async def test_a_text_that_is_found_late_says_when_it_was_written(stage: Stage) -> None:
    await takes_texts(stage)
    ana = await writer(stage)
    texts, knobs = stage.exchange.texts, stage.exchange.knobs
    texts.write(CHILD, LINE, "Zdravo")
    await stage.advance(4)
    call_id = await takes(stage, ana)
    knobs.turn("lose", "/telephony/sms", times=2)
    texts.keeps_opt_outs = False
    written_at = stage.clock.now()
    texts.write(CHILD, LINE, "Hoću da pišem")
    texts.write(CHILD, LINE, "STOP")
    await stage.advance(30)
    texts.write(CHILD, LINE, "Ipak ostajem")
    for _ in range(3):
        await stage.advance(50)
        assert await ana.presence() == "writing", "her page is heard meanwhile"
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    mine = [one for one in said if one["author"] == "child"]
    assert [one["text"] for one in mine] == ["Zdravo", "Ipak ostajem", "Hoću da pišem", "STOP"]
    assert [one["sent_at"] is not None for one in mine] == [False, False, True, True]
    late = datetime.fromisoformat(mine[-2]["sent_at"])
    assert abs(late - written_at) < timedelta(seconds=2)
    # It wrote after its STOP, so that word counts for nothing any more.
    assert (await stage.rows(CALLS))[0]["state"] == CallState.CONNECTED
    page = await _page(stage, ana, f"/board/chats/{call_id}/news?after=0")
    assert page.count("came late, written at") == 2


async def test_what_a_child_writes_after_its_answer_waits_again(stage: Stage) -> None:
    await takes_texts(stage)
    texts = stage.exchange.texts
    texts.write(CHILD, LINE, "Ima li koga?")
    await stage.advance(4)
    ana = await writer(stage)
    (left,) = (await ana.ask("GET", "/chats/left")).json()
    answer = {"client_key": "answer-to-it", "text": "Tu smo do osam"}
    address = f"/chats/left/{left['call_id']}/messages"
    assert (await ana.ask("POST", address, answer)).status_code == 201
    await stage.advance(4)
    (left,) = (await ana.ask("GET", "/chats/left")).json()
    assert left["answered"]
    (await ana.ask("PUT", "/me/presence", {"state": "off_duty"})).raise_for_status()
    await skip(stage, 1)
    count = len(read_by(stage))
    for words in ("Hoću da umrem", "Javite se"):
        texts.write(CHILD, LINE, words)
        await stage.advance(4)
    assert len(read_by(stage)) == count + 1, "told once that no counsellor is here"
    # Every team sees it, as one that was not answered, and it waits from now on.
    nora = await stage.add_counsellor("nora", state=None)
    (left,) = (await nora.ask("GET", "/chats/left")).json()
    assert (left["answered"], left["alarming"]) == (False, True)
    assert stage.clock.now() - datetime.fromisoformat(left["left_at"]) < timedelta(minutes=1)
    (row,) = await stage.rows("SELECT taken_at, owner_id FROM chat_codes")
    assert (row["taken_at"], row["owner_id"]) == (None, ana.id)


async def test_an_answer_that_waits_for_a_word_does_not_look_sent(stage: Stage) -> None:
    await takes_texts(stage, "whatsapp", templates=(f"en={TEMPLATE}",))
    texts = stage.exchange.texts
    texts.templates[TEMPLATE] = "Imate odgovor. Napišite bilo šta."
    child, line = WHATSAPP + CHILD, WHATSAPP + LINE
    texts.write(child, line, "Ima li koga?")
    await stage.advance(4)
    await a_day_passes(stage)
    ana = await writer(stage)
    (left,) = (await ana.ask("GET", "/chats/left")).json()
    address = f"/chats/left/{left['call_id']}/messages"
    answer = {"client_key": "answer-to-it", "text": "Sada smo tu"}
    assert (await ana.ask("POST", address, answer)).json()["on_its_way"] == "sending"
    await stage.advance(5)
    assert (await ana.ask("GET", address)).json()[-1]["on_its_way"] == "held"
    page = await _page(stage, ana, f"/board/messages/written/{left['call_id']}")
    assert "waits until the child writes" in page
    assert "✓" not in page
    texts.write(child, line, "Da")
    await stage.advance(9)
    found = (await ana.ask("GET", address)).json()
    (sent,) = [one for one in found if one["text"] == "Sada smo tu"]
    assert sent["on_its_way"] is None


# By day `test_texts.py` knows it by its number, and `tests/telephony/messaging` its last word.
@nightly
async def test_a_known_child_is_told_apart_answered_and_its_last_word_is_kept(stage: Stage) -> None:
    """One conversation: who it is, whether an answer has left, and the word that ends it."""
    await takes_texts(stage)
    ana = await writer(stage)
    vera = await stage.add_counsellor("vera")
    texts, knobs = stage.exchange.texts, stage.exchange.knobs
    leg = stage.exchange.ring(CHILD, LINE)
    await stage.advance(2)
    await stage.exchange.hang_up(leg)
    texts.write(CHILD, LINE, "Zdravo")
    await stage.advance(4)
    call_id = await takes(stage, ana)
    # It is known by its number on the desk of its counsellor.
    at = f"/board/chats/{call_id}/caller"
    assert at in await _page(stage, ana, "/board/chats")
    assert "This number has called 1 time before" in await _page(stage, ana, at)
    answer = await stage.client.get(
        f"{stage.settings.public_url}{at}", headers={"Cookie": vera.cookie_header}
    )
    assert answer.status_code == 404, "another's conversation"
    # The counsellor reads whether a message has left.
    knobs.turn("fail", "/Messages.json", times=1)
    await says(stage, ana, call_id, "Tu sam")
    news = f"/board/chats/{call_id}/news?after=0"
    assert "being sent" in await _page(stage, ana, news)
    await stage.advance(10)
    assert "being sent" not in await _page(stage, ana, news)
    texts.write(CHILD, LINE, "STOP")
    await stage.advance(4)
    assert (await stage.rows(CALLS))[-1]["state"] == CallState.ENDED
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    assert [one["text"] for one in said if one["author"] == "child"] == ["Zdravo", "STOP"]
