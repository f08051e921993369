"""A child texts, is answered, and is known again; nothing is received or sent twice."""

import re

import pytest

from app.calls.states import CallState
from app.demo.stage import LINE, Stage
from app.practice.people import Phone
from app.practice.texts import WHATSAPP, Pocket
from app.retention.data_requests.kinds import CopyKind
from app.staff.roles import Role
from app.telephony.platforms.choose import platform_of
from tests.support.children.who_text import (
    CHILD,
    TEMPLATE,
    a_day_passes,
    read_by,
    says,
    takes,
    takes_texts,
    writer,
    written,
)
from tests.support.leaks.deferred import in_jobs
from tests.support.profile import nightly
from tests.support.referrals import page

NUMBERS = "SELECT * FROM calls WHERE channel <> 'voice' ORDER BY opened_at"
ABROAD = "+4915112345678"


# By day `tests/telephony/inbound/test_duty_texts.py` answers a child abroad.
@nightly
@pytest.mark.parametrize("carrier", ["sms", "whatsapp"])
async def test_a_child_with_a_telephone_of_another_country_has_a_conversation(
    stage: Stage, carrier: str
) -> None:
    await takes_texts(stage, carrier)
    ana, prefix = await writer(stage), "" if carrier == "sms" else WHATSAPP
    stage.exchange.phones[prefix + ABROAD] = Phone()
    stage.exchange.texts.write(prefix + ABROAD, prefix + LINE, "Zzpomozite mi")
    await stage.advance(4)
    await says(stage, ana, await takes(stage, ana), "Zztu sam")
    await stage.advance(4)
    read = [one.split(".")[0] for one in read_by(stage, prefix + ABROAD)]
    assert (read[:1], read[-1:]) == (["We have your message"], ["Zztu sam"])


async def test_a_child_texts_is_answered_and_is_known_the_next_day(stage: Stage) -> None:
    await takes_texts(stage)
    ana = await writer(stage)
    texts, knobs = stage.exchange.texts, stage.exchange.knobs
    knobs.turn("duplicate", "/telephony/sms", times=None)
    texts.write(CHILD, LINE, "Zzmogu li da pišem?\nMi se ne ide u školu.")
    await stage.advance(4)
    assert [one.split(".")[0] for one in read_by(stage)] == ["We have your message"]
    call_id = await takes(stage, ana)
    texts.write(CHILD, LINE, "Zztu sam")
    await stage.advance(4)
    form = (await page(stage, ana, f"/board/chats/{call_id}/ring")).text
    assert 'name="day"' in form
    assert CHILD[5:] not in form
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    mine = [one["text"] for one in said if one["author"] == "child"]
    assert mine == ["Zzmogu li da pišem?\nMi se ne ide u školu.", "Zztu sam"], "each once"
    # The provider has carried it out, and its answer never comes: it is asked, not sent again.
    knobs.turn("accept_and_time_out", "/Messages.json", seconds=7)
    knobs.turn("reorder", "/telephony/chats", times=None)
    await says(stage, ana, call_id, "Zzdrago mi je")
    await says(stage, ana, call_id, "Zzšta se desilo?")
    await stage.advance(40)
    assert read_by(stage)[-2:] == ["Zzdrago mi je", "Zzšta se desilo?"]
    assert read_by(stage).count("Zzdrago mi je") == 1
    assert all(came for author, _, came in await written(stage, call_id) if author != "child")
    (await ana.ask("POST", f"/chats/{call_id}/end")).raise_for_status()
    await stage.advance(31)
    knobs.reset()
    # Later a new conversation of the same person, who has rung before, too.
    leg = stage.exchange.ring(CHILD, LINE)
    await stage.advance(2)
    await stage.exchange.hang_up(leg)
    texts.write(CHILD, LINE, "Zzopet ja")
    await stage.advance(4)
    rows = await stage.rows("SELECT channel, state, caller_key, line_id FROM calls")
    assert sorted(row["channel"] for row in rows) == ["sms", "sms", "voice"]
    assert len({row["caller_key"] for row in rows}) == 1
    assert in_jobs("Zz", "+381") == []


@nightly
async def test_who_writes_stop_gets_no_more(stage: Stage) -> None:
    await takes_texts(stage)
    ana = await writer(stage)
    texts = stage.exchange.texts
    texts.keeps_opt_outs = False
    texts.write(CHILD, LINE, "Zdravo")
    await stage.advance(4)
    call_id = await takes(stage, ana)
    # It may be rung at the number from which it writes, which is not shown for that.
    at = f"/board/chats/{call_id}/ring"
    assert f'hx-get="{at}"' in (await page(stage, ana, "/board/chats")).text
    form = (await page(stage, ana, at)).text
    assert CHILD[5:] not in form
    values = dict(re.findall(r'name="(day|begins|ends)" required value="([^"]+)"', form))
    assert "Ask whether it is safe" in (await page(stage, ana, at, **values)).text
    assert "Call-back agreed" in (await page(stage, ana, at, **values, safe="true")).text
    (row,) = await stage.rows("SELECT call_id, state FROM callbacks")
    assert (row["call_id"], row["state"]) == (call_id, "agreed")
    await stage.change_rows("DELETE FROM callbacks")
    texts.write(CHILD, LINE, "ne mogu, stop")
    await stage.advance(3)
    assert (await stage.rows(NUMBERS))[0]["state"] == CallState.CONNECTED, "a sentence"
    texts.write(CHILD, LINE, "Odjava.")
    await stage.advance(4)
    assert (await stage.rows(NUMBERS))[0]["state"] == CallState.ENDED
    assert read_by(stage)[-1].startswith("You will get no more messages")
    count = len(read_by(stage))
    texts.write(CHILD, LINE, "STOP")
    await stage.advance(4)
    assert len(read_by(stage)) == count, "told once"
    await stage.advance(30)
    # A child who writes again wants an answer; where the provider keeps the word, it is told why.
    texts.write(CHILD, LINE, "Ipak bih da pišem")
    await stage.advance(4)
    again = await takes(stage, ana)
    assert again != call_id
    texts.opted_out.add((CHILD, LINE))
    await says(stage, ana, again, "Tu sam")
    await stage.advance(4)
    assert (await written(stage, again))[-1] == ("counsellor", "opted_out", False)


@nightly
async def test_pictures_are_not_fetched_and_failures_are_seen(stage: Stage) -> None:
    await takes_texts(stage)
    ana = await writer(stage)
    texts = stage.exchange.texts
    texts.write(CHILD, LINE, "", media=("image/jpeg",))
    await stage.advance(4)
    assert any("We cannot get pictures" in one for one in read_by(stage))
    call_id = await takes(stage, ana)
    for code, why in ((30003, "unreachable"), (30005, "unknown_number"), (30007, "filtered")):
        texts.pockets[CHILD] = Pocket(fails=code)
        await says(stage, ana, call_id, f"Zdravo {code}")
        await stage.advance(4)
        assert (await written(stage, call_id))[-1] == ("counsellor", why, False)
    texts.pockets.clear()
    stage.exchange.knobs.turn("refuse", "/Messages.json", times=2)
    await says(stage, ana, call_id, "Sada?")
    await stage.advance(8)
    assert read_by(stage)[-1] == "Sada?"
    assert not [one for one in stage.exchange.asked if "/Media" in one[1]]


async def test_out_of_hours_a_text_waits_for_its_answer(stage: Stage) -> None:
    await takes_texts(stage)
    texts = stage.exchange.texts
    leg = stage.exchange.ring(CHILD, LINE)
    await stage.advance(2)
    await stage.exchange.hang_up(leg)
    texts.write(CHILD, LINE, "Ima li koga?")
    await stage.advance(4)
    texts.write(CHILD, LINE, "Javite se")
    await stage.advance(4)
    assert len(read_by(stage)) == 1, "told once that no counsellor is here"
    assert read_by(stage)[0].startswith("We have your message. No counsellor is here now")
    (row,) = await stage.rows(NUMBERS)
    assert (row["state"], row["outcome"]) == ("ended", "voicemail")
    ana = await writer(stage)
    (left,) = (await ana.ask("GET", "/chats/left")).json()
    assert left["channel"] == "sms"
    inbox = (await page(stage, ana, "/board/messages")).text
    assert "English · sms" in inbox
    opened = (await page(stage, ana, f"/board/messages/written/{left['call_id']}")).text
    assert "It goes to the phone at once, by SMS." in opened
    assert "with its code" not in opened
    assert "written message · sms" in opened
    assert "This number has called 1 time before" in opened
    said = (await ana.ask("GET", f"/chats/left/{left['call_id']}/messages")).json()
    assert [one["text"] for one in said if one["author"] == "child"] == [
        "Ima li koga?",
        "Javite se",
    ]
    answer = await ana.ask(
        "POST",
        f"/chats/left/{left['call_id']}/messages",
        {"client_key": "answer-to-it", "text": "Sada smo tu"},
    )
    assert answer.status_code == 201
    await stage.advance(4)
    assert read_by(stage)[-1] == "Sada smo tu"
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    window = "from=2030-01-01&to=2030-02-01&by=channel&measures=calls"
    figures = await boss.ask("GET", f"/statistics/summary?{window}")
    counted = {row["channel"]: row["calls"] for row in figures.json()["rows"]}
    assert counted == {"sms": 1, "call": 1, "total": 2}


@nightly
async def test_whatsapp_is_the_same_person_and_closes_after_a_day(stage: Stage) -> None:
    await takes_texts(stage, "sms", "whatsapp", templates=(f"en={TEMPLATE}",))
    texts = stage.exchange.texts
    texts.templates[TEMPLATE] = "Imate odgovor. Napišite bilo šta."
    child, line = WHATSAPP + CHILD, WHATSAPP + LINE
    texts.write(child, line, "Ima li koga?", name="Zzmilica")
    await stage.advance(1)
    texts.write(CHILD, LINE, "Ima li koga?")
    await stage.advance(4)
    rows = await stage.rows(NUMBERS)
    assert [row["channel"] for row in rows] == ["whatsapp", "sms"]
    assert rows[0]["caller_key"] == rows[1]["caller_key"]
    # When the person asks for it, the provider's copies of both are found, whatever we still know.
    came = {message.sid for message in texts.came}
    assert len(came) == 2
    copies = await platform_of(stage.settings).find_copies([CHILD])
    assert came <= {one.sid for one in copies if one.kind == CopyKind.MESSAGE}
    seen = await stage.rows("SELECT FROM chat_messages WHERE seen_at IS NOT NULL")
    assert len(seen) == 1, "WhatsApp says what was read"
    await a_day_passes(stage)
    ana = await writer(stage)
    call_id = rows[0]["id"]
    for n, words in enumerate(("Izvinite", "Sada smo tu")):
        await ana.ask(
            "POST",
            f"/chats/left/{call_id}/messages",
            {"client_key": f"answer-{n}-to-it", "text": words},
        )
    await stage.advance(5)
    assert read_by(stage, child)[1:] == ["Imate odgovor. Napišite bilo šta."], "asked once"
    texts.write(child, line, "Da")
    await stage.advance(9)
    assert [one for one in read_by(stage, child) if one in ("Izvinite", "Sada smo tu")] == [
        "Izvinite",
        "Sada smo tu",
    ]
    assert await stage.rows("SELECT FROM chat_sent WHERE reported = 'failed'") == []


@nightly
async def test_the_server_is_gone_between_hearing_and_answering(stage: Stage) -> None:
    """By day a lost text is found in `test_late_words.py`, and `tests/outbox/test_once.py` sends
    nothing a second time of which the other side has no trace."""
    await takes_texts(stage)
    await writer(stage)
    texts, knobs = stage.exchange.texts, stage.exchange.knobs
    # No page hears it: the provider brings a text once.
    knobs.turn("lose", "/telephony/sms")
    texts.write(CHILD, LINE, "Zdravo")
    await stage.advance(2)
    # Heard, and cut off before the answer that it is queued leaves.
    knobs.turn("fail", "/Messages.json", times=3)
    texts.write(CHILD, LINE, "Tu sam")
    await stage.advance(0.2)
    await stage.restart_server()
    await stage.advance(125)
    (call,) = await stage.rows(NUMBERS)
    rows = await stage.rows("SELECT author FROM chat_messages WHERE call_id = %s", call["id"])
    assert [row["author"] for row in rows].count("child") == 2, "found at the provider"
    # The provider has no text and may still send it: it is given up, not sent a second time.
    assert read_by(stage) == []
    assert await stage.rows("SELECT reported FROM chat_sent") == [{"reported": "failed"}]


@nightly
@pytest.mark.parametrize("prefix", ["", WHATSAPP])
async def test_a_conversation_goes_on_when_its_line_is_retired(stage: Stage, prefix: str) -> None:
    """By day `tests/telephony/messaging/test_receiving.py` has it by the verbs."""
    second = "+381113334444"
    await stage.add_line(second, "en", "Druga linija")
    await takes_texts(stage, "sms", "whatsapp")
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await writer(stage)
    texts, knobs = stage.exchange.texts, stage.exchange.knobs
    child, line = prefix + CHILD, prefix + LINE
    texts.write(child, line, "Zdravo")
    await stage.advance(4)
    call_id = await takes(stage, ana)
    by_number = {row["number"]: row["id"] for row in await stage.rows("SELECT * FROM lines")}
    assert (await mila.ask("POST", f"/lines/{by_number[LINE]}/retire")).status_code == 204
    texts.write(child, line, "Tu sam")
    await stage.advance(2)
    await says(stage, ana, call_id, "Tu sam i ja")
    await stage.advance(4)
    assert read_by(stage, child)[-1] == "Tu sam i ja"
    # Another line has its number now. One text is never brought, and found at the provider.
    numbers = {"leads_here": [LINE]}
    answer = await mila.ask("PATCH", f"/lines/{by_number[second]}/numbers", numbers)
    assert answer.status_code < 300, answer.text
    await stage.let_write(second, by=["sms", "whatsapp"], languages=["en"])
    knobs.turn("lose", "/telephony/sms")
    texts.write(child, line, "Jesi li tu?")
    await stage.advance(125)
    texts.write(child, line, "Javi se")
    await stage.advance(2)
    said = (await ana.ask("GET", f"/chats/{call_id}/messages")).json()
    mine = [one["text"] for one in said if one["author"] == "child"]
    assert mine == ["Zdravo", "Tu sam", "Jesi li tu?", "Javi se"]
    texts.write(child, line, "STOP")
    await stage.advance(4)
    assert (await stage.rows(NUMBERS))[0]["state"] == CallState.ENDED
    texts.opted_out.clear()
    texts.write(child, line, "Opet ja")
    await stage.advance(4)
    calls = await stage.rows(NUMBERS)
    assert [row["line_id"] for row in calls] == [by_number[LINE], by_number[second]]


@nightly
async def test_a_retired_line_begins_no_conversation_and_a_new_number_keeps_it(
    stage: Stage,
) -> None:
    second = "+381113334444"
    await stage.add_line(second, "en", "Druga linija")
    await takes_texts(stage)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await writer(stage)
    texts = stage.exchange.texts
    (row,) = await stage.rows(f"SELECT id FROM lines WHERE number = '{LINE}'")
    changed = await mila.ask("PATCH", f"/lines/{row['id']}", {"number": "+381112220000"})
    assert changed.status_code < 300, changed.text
    texts.write(CHILD, LINE, "Zdravo")
    await stage.advance(4)
    (call,) = await stage.rows(NUMBERS)
    assert call["line_id"] == row["id"], "the former number still leads to it"
    assert (await mila.ask("POST", f"/lines/{row['id']}/retire")).status_code == 204
    other = "+381649999999"
    stage.exchange.phones.setdefault(other, Phone())
    texts.write(other, LINE, "Zdravo")
    await stage.advance(4)
    assert len(await stage.rows(NUMBERS)) == 1
    assert "3334444" in read_by(stage, other)[-1], "it is asked to ring a line in use"
