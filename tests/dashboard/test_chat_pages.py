"""The desk of a counsellor with whom children write, and a supervisor who reads along."""

import re
from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import pytest
from pypdf import PdfReader

from app.calls.sentences import Sentence
from app.calls.states import WRITTEN
from app.chats import messages, reading_along, ringing
from app.chats.left import answering, left, scopes
from app.chats.models import Failure, MediaProblem
from app.dashboard.chats import views
from app.dashboard.chats.pages import check_words
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.demo.writing import a_child
from app.errors import Invalid, NotFound
from app.people import holding, leaving
from app.routing.callbacks.choices import Who
from app.staff.roles import Role
from app.work import Work
from tests.support.calls.conversations import a_chat_line, a_key, a_writer, matched, takes
from tests.support.calls.conversations import a_child as a_conversation
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.verbs import a_supervisor, an_administrator


def test_whatever_the_program_said_and_whatever_failed_is_shown_in_words() -> None:
    assert set(views.SENTENCES) == set(Sentence)
    assert set(views.FAILURES) == set(Failure)
    assert set(views.ANSWERS_GO) == set(WRITTEN), "each way of writing says where an answer goes"
    assert set(views.MEDIA_PROBLEMS) == set(MediaProblem)


async def writes(stage: Stage, counsellor: Counsellor, chat: str, text: str, **more: str) -> str:
    form = {"text": text, "client_key": uuid4().hex, **more}
    return str((await page(stage, counsellor, f"/board/chats/{chat}/messages", **form)).text)


async def audit(stage: Stage, kind: str) -> list[object]:
    rows = await stage.rows(f"SELECT detail FROM audit_entries WHERE action = '{kind}' ORDER BY id")
    return [row["detail"] for row in rows]


async def begun(stage: Stage, ana: Counsellor, text: str) -> str:
    """Let a child write a first message, and the counsellor accept by the bar."""
    child = a_child(stage)
    await child.open()
    await child.say(text)
    await stage.settle()
    bar = (await page(stage, ana, "/board/frame")).text
    assert "A child writes" in bar
    assert 'data-sound="written"' in bar
    assert text not in (await page(stage, ana, "/board/chats")).text, "not before it is accepted"
    (offer,) = re.findall(r"/board/offers/([0-9a-f-]{36})/accept", bar)
    await page(stage, ana, f"/board/offers/{offer}/accept", sure="yes")
    await stage.settle()
    return child.id


async def test_a_counsellor_writes_rings_and_ends_from_the_desk(stage: Stage) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    sara = await stage.add_counsellor("sara", role=Role.SUPERVISOR, shift=False, state=None)
    chat = await begun(stage, ana, "Neću da živim. Broj je 064 123 4567, mama@posta.example")
    shown = (await page(stage, ana, "/board/chats")).text
    assert "The child wrote “Neću da živim”" in shown
    assert '<mark data-kind="phone" title="phone number">064 123 4567</mark>' in shown
    assert '<mark data-kind="mail"' in shown
    assert "1 new" in shown
    assert "1 new" in (await page(stage, ana, "/board/chats/now")).text
    assert f'/board/chats/{chat}/ring"' not in shown, "the page of a child has no number"
    # A beginning alone, and a person's number, are not sent.
    beginning = re.findall(r'data-insert="(Čujem da) "', shown)[0]
    assert "only a beginning" in await writes(stage, ana, chat, f"{beginning} …")
    warned = await writes(stage, ana, chat, "Javi se na 064 765 4321")
    assert "Not sent yet" in warned
    assert await stage.rows("SELECT 1 FROM chat_messages WHERE author = 'counsellor'") == []
    assert "Tu sam" in await writes(stage, ana, chat, f"{beginning} je teško. Tu sam.")
    assert "✓" in await writes(stage, ana, chat, "Naš je 064 765 4321", despite="true")
    # The number becomes a call-back of this conversation.
    rows = await stage.rows("SELECT number FROM chat_messages WHERE author = 'child'")
    at = f"/board/chats/{chat}/ring/{rows[0]['number']}"
    form = (await page(stage, ana, at)).text
    assert "+381641234567" in form
    values = dict(re.findall(r'name="(day|begins|ends)" required value="([^"]+)"', form))
    assert "Ask whether it is safe" in (await page(stage, ana, at, **values)).text
    assert "Call-back agreed" in (await page(stage, ana, at, **values, safe="true")).text
    (row,) = await stage.rows("SELECT call_id, state FROM callbacks")
    assert (str(row["call_id"]), row["state"]) == (chat, "agreed")
    begins = stage.clock.now()
    window = {"from": begins.isoformat(), "until": (begins + timedelta(hours=1)).isoformat()}
    for message, status in ((rows[0]["number"], 201), (rows[0]["number"] + 1, 404)):
        body = {**window, "safe": True, "message": message}
        assert (await ana.ask("POST", f"/calls/{chat}/callback", body)).status_code == status
    # A supervisor reads along: once in the log. What is whispered is not for the child.
    assert "in writing" in (await page(stage, sara, "/team")).text
    for _ in range(2):
        assert "Tu sam" in (await page(stage, sara, f"/board/chats/{chat}/along")).text
    assert await audit(stage, "conversation_read") == [{"along": True}]
    whisper = {"text": "Pitaj da li je sama", "client_key": uuid4().hex}
    await page(stage, sara, f"/board/chats/{chat}/whisper", **whisper)
    assert "the child does not see it" in (await page(stage, ana, "/board/chats")).text
    # The form of urgent help and handing over name no telephone.
    assert 'name="number"' not in (await page(stage, ana, f"/board/calls/{chat}/ask")).text
    assert 'name="warm"' not in (await page(stage, ana, f"/board/calls/{chat}/urgent")).text
    last = {"goodbye": "Zovi Peru na 064 765 4321"}
    refused = (await page(stage, ana, f"/board/chats/{chat}/end", **last)).text
    assert "The last words hold personal data: 064 765 4321 (phone number)." in refused
    assert await ana.presence() == "writing"
    await page(stage, ana, f"/board/chats/{chat}/end", goodbye="Čuvaj se!")
    assert await ana.presence() == "wrap_up"
    said = await stage.rows("SELECT kind FROM chat_messages ORDER BY number DESC LIMIT 1")
    assert said == [{"kind": "said"}]
    await of_contact(stage, ana, sara)


async def test_what_is_new_in_a_conversation_comes_alone_and_to_its_counsellor_only(
    stage: Stage,
) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    vera = await stage.add_counsellor("vera", chats=2, shift=False, state=None)
    chat = await begun(stage, ana, "Hej <b>vi</b>")
    at = f"/board/chats/{chat}/news"
    first = (await page(stage, ana, at)).text
    assert first.count('class="bubble"') >= 1
    assert "Hej &lt;b&gt;vi" in first
    assert "1 new" in first
    last = int(re.findall(r'data-last="(\d+)"', first)[0])
    # After the last message there is none, and how the conversation stands is still told.
    after = (await page(stage, ana, f"{at}?after={last}")).text
    assert ('class="bubble"' in after, "1 new" in after) == (False, True)
    assert 'class="bubble"' in (await page(stage, ana, f"{at}?after=x")).text, "from the beginning"
    said = await writes(stage, ana, chat, "Tu sam", after=str(last))
    assert said.count('class="bubble"') == 1
    assert "Tu sam" in said
    assert ">ana" in said
    states = (await page(stage, ana, "/board/chats/states")).text
    assert f'data-chat-news="{chat}" data-last="{last + 1}"' in states
    assert "Tu sam" not in states
    # No other person is told, nor the same one when it is not theirs any more.
    assert (await page(stage, vera, at)).status_code == 404
    assert (await page(stage, vera, "/board/chats/states")).text.strip() == ""
    await page(stage, ana, f"/board/chats/{chat}/end", goodbye="Zdravo")
    assert (await page(stage, ana, at)).status_code == 404


async def of_contact(stage: Stage, ana: Counsellor, sara: Counsellor) -> None:
    """What was written is read on the page of the contact, by who may read it, and logged."""
    (contact,) = await stage.rows("SELECT id FROM contacts")
    at = f"/contacts/{contact['id']}/conversation"
    assert at in (await page(stage, ana, f"/contacts/{contact['id']}")).text
    assert "Čuvaj se!" in (await page(stage, ana, at)).text
    assert "Čuvaj se!" in (await page(stage, sara, at)).text
    assert (await audit(stage, "conversation_read"))[1:] == [{"whole": True}, {"whole": True}]
    vera = await stage.add_counsellor("vera", shift=False, state=None)
    assert (await page(stage, vera, at)).status_code == 404
    # It is printed with a case, on a ground, and without what was whispered.
    case = (await ana.ask("POST", "/cases", {"contacts": [str(contact["id"])]})).json()["id"]
    paper = {"purpose": "family", "recipient": "Mother", "conversations": True}
    print_ = f"/cases/{case}/print"
    assert (await ana.ask("POST", print_, paper)).status_code == 422
    to = {"purpose": "court", "recipient": "Court", "conversations": True}
    assert (await ana.ask("POST", print_, to)).status_code == 409, "no consent"
    order = {"ground": "court_order", "reason": "Order 12/30"}
    made = await ana.ask("POST", print_, {**to, **order})
    words = " ".join(p.extract_text() for p in PdfReader(BytesIO(made.content)).pages)
    assert "Čuvaj se!" in words
    assert not re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", words), "dates of programs"
    assert "Pitaj da li je sama" not in words


async def test_a_child_who_leaves_stays_on_the_desk_until_it_is_put_away(stage: Stage) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    child = a_child(stage)
    await child.open()
    await child.say("Zdravo")
    await stage.settle()
    bar = (await page(stage, ana, "/board/frame")).text
    (offer,) = re.findall(r"/board/offers/([0-9a-f-]{36})/accept", bar)
    await page(stage, ana, f"/board/offers/{offer}/accept", sure="yes")
    await stage.settle()
    await page(stage, ana, f"/board/chats/{child.id}/seen", number="2")
    await child.say("Dolazi")
    assert (await child.ask("POST", "/conversation/end")).status_code < 300
    await stage.settle()
    desk = (await page(stage, ana, "/board/chats")).text
    assert "The child has left" in desk
    assert "You have not seen 1 message." in desk
    (contact,) = await stage.rows("SELECT id FROM contacts")
    assert "Dolazi" in (await page(stage, ana, f"/contacts/{contact['id']}/conversation")).text
    # What the page marks as seen by itself puts nothing away.
    at = f"/board/chats/{child.id}/seen"
    assert (await page(stage, ana, at, number="3")).status_code == 404
    assert "The child has left" in (await page(stage, ana, "/board/chats")).text
    vera = await stage.add_counsellor("vera", state=None)
    away = {"number": "3", "away": "true"}
    assert '{"number": 3, "away": true}' in desk
    assert (await page(stage, vera, at, **away)).status_code == 404
    assert "The child has left" not in (await page(stage, vera, "/board/chats")).text
    for _ in range(2):
        assert (await page(stage, ana, at, **away)).status_code == 204
        assert "The child has left" not in (await page(stage, ana, "/board/chats")).text


@nightly
async def test_a_conversation_that_its_counsellor_ended_is_gone(stage: Stage) -> None:
    """By day the verbs of it are tried (tests/chats/test_conversations.py)."""
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    chat = await begun(stage, ana, "Zdravo")
    await page(stage, ana, f"/board/chats/{chat}/end")
    assert "The child has left" not in (await page(stage, ana, "/board/chats")).text


async def test_a_message_that_a_child_left_is_answered_from_the_inbox(stage: Stage) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", state=None)
    child = a_child(stage)
    await child.open()
    body = {"text": "Javite se <b>sutra</b>", "client_key": uuid4().hex}
    code = (await child.ask("POST", "/conversation/message", body)).json()["code"]
    inbox = (await page(stage, ana, "/")).text
    assert "Written messages: 1" in inbox
    assert "Javite se" not in inbox, "not before it is opened"
    at = f"/board/messages/written/{child.id}"
    assert at in inbox
    opened = (await page(stage, ana, at)).text
    assert "Javite se &lt;b&gt;sutra" in opened
    assert "The child reads it when it comes back with its code." in opened
    assert await audit(stage, "conversation_read") == [{"left": True}]
    assert "Write 1 to 4000" in (await page(stage, ana, f"{at}/answer", text=" ")).text
    personal = {"text": "Piši na mama@posta.example", "client_key": uuid4().hex}
    warned = (await page(stage, ana, f"{at}/answer", **personal)).text
    assert f'data-despite="answer-{child.id}"' in warned
    assert await stage.rows("SELECT FROM chat_messages WHERE author = 'counsellor'") == []
    answer = {"text": "Tu smo svaki dan.", "client_key": uuid4().hex}
    for _ in range(2):
        assert (await page(stage, ana, f"{at}/answer", **answer)).text.count("Tu smo svaki") == 1
    assert re.search(
        r"answered</span>\s*<span>ana", (await page(stage, ana, "/board/messages")).text
    )
    begun = await ana.ask("POST", f"/chats/left/{child.id}/contact")
    (contact,) = await stage.rows("SELECT id, call_id, channel FROM contacts")
    assert begun.json() == {"id": str(contact["id"])}
    assert (str(contact["call_id"]), contact["channel"]) == (child.id, "chat")
    assert (await ana.ask("POST", f"/chats/left/{child.id}/contact")).status_code == 409
    assert "Tu smo" in (await page(stage, ana, f"/contacts/{contact['id']}/conversation")).text
    await page(stage, ana, f"{at}/done", sure="yes")
    assert "Written messages" not in (await page(stage, ana, "/board/messages")).text
    assert "marked this message as done" in (await page(stage, ana, f"{at}/answer", text="x")).text
    assert (await child.ask("POST", "/return", {"code": code})).status_code == 200


@nightly
async def test_words_of_a_child_who_has_gone_are_read_and_not_answered(stage: Stage) -> None:
    """By day the verbs of it are tried (tests/chats/test_unread_words.py)."""
    await stage.let_write()
    ana = await stage.add_counsellor("ana", state=None, chats=2)
    child = a_child(stage)
    await child.open()
    await child.say("Hoću da umrem")
    await stage.advance(70)
    assert (await stage.rows("SELECT ended_at FROM calls"))[0]["ended_at"] is None
    await stage.advance(6)
    (row,) = await stage.rows("SELECT state, ended_by FROM calls")
    assert row == {"state": "ended", "ended_by": "away"}
    gone = "The child has gone; there is no way to answer."
    inbox = (await page(stage, ana, "/board/messages")).text
    assert gone in inbox
    assert "words of danger" in inbox
    at = f"/board/messages/written/{child.id}"
    opened = (await page(stage, ana, at)).text
    assert "umrem" in opened
    assert gone in opened
    assert "Send the answer" not in opened
    answer = {"text": "Tu smo", "client_key": uuid4().hex}
    assert gone in (await page(stage, ana, f"{at}/answer", **answer)).text
    code = (await child.ask("POST", "/conversation/code")).json()["code"]
    assert gone not in (await page(stage, ana, "/board/messages")).text
    assert "Tu smo" in (await page(stage, ana, f"{at}/answer", **answer)).text
    back = a_child(stage)
    back.secret = (await back.ask("POST", "/return", {"code": code})).json()["secret"]
    await back.look()
    assert back.words() == ["Hoću da umrem", "Tu smo"]


async def test_what_a_person_who_leaves_has_taken_goes_to_a_colleague(work: Work) -> None:
    line = await a_chat_line(work)
    ana, vera = await a_writer(work, "ana"), await a_writer(work, "vera")
    call = await a_conversation(work, line)
    await left.leave_message(work, call.id, text="Javite se", client_key=a_key())
    await answering.take(work, ana, call.id)
    assert (await holding.count(work, ana))[holding.WorkKind.WRITTEN_MESSAGES] == 1
    plan = leaving.everything_to(vera.id, uncovered=True)
    handed = await leaving.hand_over(work, ana.id, plan, by=None)
    assert handed.given[holding.WorkKind.WRITTEN_MESSAGES] == 1
    (waits,) = await answering.waiting(work, vera.team)
    assert waits.owner_id == vera.id


async def test_what_is_known_of_a_number_is_shown_to_who_answers_its_message(work: Work) -> None:
    line = await a_chat_line(work)
    ana, vera = await a_writer(work, "ana"), await a_writer(work, "vera")
    sara = await a_supervisor(work, "sara")
    call = await a_conversation(work, line)
    await left.leave_message(work, call.id, text="Javite se", client_key=a_key())
    every = [await scopes.may_know_caller(work, one, call.id) for one in (ana, vera, sara)]
    assert every == [True, True, True], "any of them may answer it"
    await answering.take(work, ana, call.id)
    taken = [await scopes.may_know_caller(work, one, call.id) for one in (ana, vera, sara)]
    assert taken == [True, False, True]
    mila = await an_administrator(work)
    assert not await scopes.may_know_caller(work, mila, call.id)


async def test_a_supervisor_of_another_team_does_not_read_along(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_conversation(work, line)
    (offer,) = await matched(work)
    await takes(work, offer)
    await messages.say_as_staff(work, ana, call.id, text="Zdravo", client_key=a_key())
    sara, other = await a_supervisor(work, "sara"), await a_supervisor(work, "ivo")
    other.team = "another"
    await work.session.flush()
    with pytest.raises(NotFound):
        await reading_along.read_along(work, other, call.id)
    said = await reading_along.read_along(work, sara, call.id)
    assert [one.words for one in said if one.words] == ["Zdravo"]


async def test_a_call_back_of_a_conversation_keeps_its_number_sealed(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    call = await a_conversation(work, line)
    (offer,) = await matched(work)
    await takes(work, offer)
    window = (work.now, work.now + timedelta(hours=1))
    with pytest.raises(Invalid):
        await ringing.agree(work, call, "+381641234567", Who.CALLER, window, safe=False)
    row = await ringing.agree(work, call, "+381641234567", Who.CALLER, window, safe=True)
    assert (row.call_id, call.caller_kind) == (call.id, "e164")
    assert b"641234567" not in (call.caller_number_sealed or b"")
    again = await ringing.agree(work, call, "+381641234567", Who.ANYONE, window, safe=True)
    assert again.id != row.id, "the second wish counts"


async def test_where_abuse_material_is_reported_can_be_sent_as_it_is(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    call = await a_conversation(work, line)
    words = views.tools_of(line, "sr").report
    assert words.startswith("Neko ti")
    assert words.endswith(" https://pametnoibezbedno.gov.rs/")
    assert await check_words(work, call.id, words) == []


async def test_an_administrator_lets_children_write_to_a_line(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    (row,) = await quiet.rows("SELECT id FROM lines")
    at = f"/admin/lines/{row['id']}"
    form = {"on": "yes", "slug": "plavi", "language.sr": "yes", "at_once": "2", "reserve": "1"}
    form |= {"reserve_seconds": "90", "sites": "https://a.example", "title": "Vreme sutra"}
    form |= {"exit_site": "https://vreme.example/", "icon": "sun", "emoji": "🙂 🌱"}
    form |= {"closed.sr": "Vraćamo se u osam.", "beginnings.sr": "Čujem da\r\nReci mi još o"}
    form |= {"report_page": "https://hotline.example/prijava"}
    form |= {"by.sms": "yes", "templates": f"sr=HX{'a' * 32}"}
    saved = await page(quiet, mila, f"{at}/chat", **form)
    assert saved.headers["location"] == f"{at}#chat"
    (kept,) = await quiet.rows("SELECT chat FROM lines")
    assert kept["chat"] == {
        "on": True,
        "slug": "plavi",
        "languages": ["sr"],
        "at_once": 2,
        "reserve": 1,
        "reserve_seconds": 90,
        "sites": ["https://a.example"],
        "title": "Vreme sutra",
        "exit_site": "https://vreme.example/",
        "icon": "sun",
        "report_page": "https://hotline.example/prijava",
        "emoji": ["🙂", "🌱"],
        "closed": {"sr": "Vraćamo se u osam."},
        "beginnings": {"sr": ["Čujem da", "Reci mi još o"]},
        "by": ["sms"],
        "templates": [f"sr=HX{'a' * 32}"],
    }
    assert "/chat/plavi" in (await page(quiet, mila, at)).text
    (entry,) = await audit(quiet, "line_chat_set")
    assert isinstance(entry, dict)
    assert (entry["before"], entry["after"]) == ({}, kept["chat"])
    wrongs = {"exit_site": "javascript:1", "report_page": "javascript:2"}
    for name, wrong in {"sites": "http://a.example", **wrongs}.items():
        refused = await page(quiet, mila, f"{at}/chat", **{**form, name: wrong})
        assert 'role="alert"' in refused.text
        assert wrong in refused.text, "what was typed stays"
