"""Children write, over HTTP as their page does, and no word and no child is lost."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from app.calls.states import Outcome
from app.chats.left import answering
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end, broken_now
from app.demo.stage import LINE, Stage
from app.demo.writing import WritingChild, a_child
from app.jobs.transaction import transaction
from app.staff.accounts import actor_of
from tests.support.contacts import skip
from tests.support.profile import nightly
from tests.support.talks import talk


async def offers_of(counsellor: Counsellor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await counsellor.ask("GET", "/offers/mine")).json()
    return found


async def take_next(stage: Stage, counsellor: Counsellor) -> str:
    """Let a counsellor accept what is offered. Return the conversation."""
    await stage.until(lambda: offers_of(counsellor), what="a conversation is offered")
    (offer,) = [one for one in await offers_of(counsellor) if one["state"] == "open"]
    answer = await counsellor.ask("POST", f"/offers/{offer['id']}/accept")
    assert answer.status_code == 200, answer.text
    await stage.settle()
    return str(offer["call_id"])


async def write(counsellor: Counsellor, call_id: str, text: str, key: str = "") -> Any:
    body = {"text": text, "client_key": key or uuid4().hex}
    return await counsellor.ask("POST", f"/chats/{call_id}/messages", body)


async def is_well(stage: Stage) -> None:
    await stage.settle()
    assert await broken_now(stage) == []


async def begun(stage: Stage, *counsellors: Counsellor, children: int = 1) -> list[WritingChild]:
    """Let children open conversations, and counsellors take them one after the other."""
    made = [a_child(stage) for _ in range(children)]
    for child, counsellor in zip(made, counsellors, strict=True):
        assert (await child.open()).status_code == 201
        # Who came first is known by the second.
        await stage.advance(1)
        assert await take_next(stage, counsellor) == child.id
    return made


@nightly
async def test_three_children_write_with_one_counsellor_and_a_fourth_waits(stage: Stage) -> None:
    """By day `tests/chats/test_conversations.py` has it by the verbs."""
    await stage.let_write(slug="plavi")
    ana = await stage.add_counsellor("ana", chats=3)
    about = (await a_child(stage).ask("GET", "/plavi/about")).json()
    assert (about["open"], about["languages"], about["number"]) == (True, ["sr", "en"], LINE)
    first, second, third = await begun(stage, ana, ana, ana, children=3)
    fourth = a_child(stage)
    await fourth.open()
    await is_well(stage)
    seen = await fourth.look()
    assert (seen["phase"], seen["place"]["ahead"]) == ("waiting", 0)
    assert [one["slot"] for one in (await ana.ask("GET", "/chats/mine")).json()] == [1, 2, 3]
    for child, words in ((first, "Jedan"), (second, "Dva"), (third, "Tri")):
        assert (await child.say(words)).status_code == 200
    mine = (await ana.ask("GET", "/chats/mine")).json()
    assert [one["unread"] for one in mine] == [1, 1, 1]
    await write(ana, second.id, "Tu sam")
    assert (await second.look())["phase"] == "talking"
    assert second.words() == ["[counsellor_here]", "Dva", "Tu sam"]
    assert (await first.look())["messages"][-1]["text"] == "Jedan"
    await second.end()
    await is_well(stage)
    assert await take_next(stage, ana) == fourth.id
    await is_well(stage)
    summary = (await ana.ask("GET", f"/calls/{second.id}")).json()
    assert (summary["channel"], summary["outcome"]) == ("web", Outcome.ANSWERED)
    contact = (await ana.ask("GET", f"/calls/{second.id}/contact")).json()
    assert contact["channel"] == "chat"


@nightly
async def test_what_arrives_twice_or_late_is_said_once(stage: Stage) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=3)
    child = a_child(stage)
    opened = await asyncio.gather(*(child.open() for _ in range(4)))
    made = {answer.json()["conversation"] for answer in opened if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.status_code for answer in opened} <= {201, 409}
    await child.open()
    assert await take_next(stage, ana) == child.id
    keys = [uuid4().hex for _ in range(5)]
    sent = [child.say(f"Reč {n}", key) for n, key in enumerate(keys)]
    sent += [child.say(f"Reč {n}", key) for n, key in enumerate(keys)]
    numbers = [answer.json()["number"] for answer in await asyncio.gather(*sent)]
    assert numbers[:5] == numbers[5:]
    await child.look()
    assert sorted(numbers[:5]) == [one["number"] for one in child.read if one["by"] == "child"]
    page = (await ana.ask("GET", f"/chats/{child.id}/messages")).json()
    assert [one["text"] for one in page if one["author"] == "child"] == [
        one["text"] for one in child.read if one["by"] == "child"
    ]
    await child.end()
    late = await child.say("Reč 0", keys[0])
    assert late.json()["number"] == numbers[0]
    assert (await child.say("Nova")).status_code == 409
    await is_well(stage)


@nightly
async def test_a_counsellor_who_disappears_loses_no_child(stage: Stage) -> None:
    """By day `tests/chats/test_conversations.py` has it by the verbs."""
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    first, second = await begun(stage, ana, ana, children=2)
    await first.say("Ima li koga?")
    vera = await stage.add_counsellor("vera", chats=1)
    for _ in range(3):
        # The children's pages and vera's are there; ana's is not.
        await stage.advance(35)
        for child in (first, second):
            await child.look()
        await vera.ask("GET", "/chats/mine")
    assert await ana.presence() == "away"
    await is_well(stage)
    assert (await first.look())["again"] is True
    assert "[counsellor_lost]" in first.words()
    rows = await stage.rows("SELECT id, state, returned FROM calls ORDER BY opened_at")
    assert [row["returned"] for row in rows] == [1, 1]
    assert await take_next(stage, vera) == first.id, "the first place is kept"
    page = (await vera.ask("GET", f"/chats/{first.id}/messages")).json()
    assert "Ima li koga?" in [one["text"] for one in page]
    assert (await write(ana, first.id, "Izvini")).status_code == 404
    await ana.be("available")
    assert await take_next(stage, ana) == second.id
    await is_well(stage)


@nightly
async def test_a_child_comes_back_with_its_secret_and_a_closed_tab_is_not_waited_for(
    stage: Stage,
) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=1)
    (child,) = await begun(stage, ana)
    gone = a_child(stage)
    await gone.open()
    await write(ana, child.id, "Kako si?")
    for _ in range(2):
        await stage.advance(40)
        await ana.ask("GET", "/chats/mine")
    (mine,) = (await ana.ask("GET", "/chats/mine")).json()
    assert mine["away_since"] is not None
    assert (await gone.look())["phase"] == "ended"
    again = WritingChild(stage.settings.public_url, stage.client)
    again.secret = child.secret
    assert (await again.look())["phase"] == "talking"
    assert again.words() == ["[counsellor_here]", "Kako si?"]
    (mine,) = (await ana.ask("GET", "/chats/mine")).json()
    assert mine["away_since"] is None
    await is_well(stage)


@nightly
async def test_a_call_in_danger_comes_before_writing_and_the_children_are_told(
    stage: Stage,
) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    (child,) = await begun(stage, ana)
    await talk(stage, ana, digit="9")
    assert await ana.presence() == "on_call"
    await child.look()
    assert "[busy_a_moment]" in child.words()
    assert (await child.say("Čekam")).status_code == 200
    await is_well(stage)
    await ana.do("hang-up")
    assert await ana.presence() == "writing"
    await is_well(stage)


async def answered_at_once(
    stage: Stage, call_id: str, first: Counsellor, second: Counsellor
) -> str:
    """Let two people answer a message that no person has taken, in the same moment: the second
    waits for the lock of the first. Return what the second is told."""
    await stage.change_rows("UPDATE chat_codes SET taken_at = NULL")
    body = {"text": "Ovde smo", "client_key": uuid4().hex}
    async with transaction(stage.ground, actor_of(first.staff)) as work:
        staff = await work.session.merge(first.staff)
        await answering.answer(
            work, staff, UUID(call_id), text="Tu smo", client_key="the-first-answer"
        )
        await work.session.flush()
        late = asyncio.create_task(second.ask("POST", f"/chats/left/{call_id}/messages", body))
        for _ in range(500):
            if await stage.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("the second does not wait")
    answer = await late
    assert answer.status_code == 409, answer.text
    return str(answer.json()["detail"])


async def test_out_of_hours_a_child_leaves_a_message_and_comes_back_with_a_code(
    stage: Stage,
) -> None:
    await stage.let_write()
    vera = await stage.add_counsellor("vera")
    child = a_child(stage)
    assert (await child.ask("GET", f"/{child.line}/about")).json()["open"] is False
    await child.open()
    assert (await child.look())["phase"] == "closed"
    body = {"text": "Javite se", "client_key": uuid4().hex}
    code = (await child.ask("POST", "/conversation/message", body)).json()["code"]
    assert (await child.ask("POST", "/conversation/message", body)).json()["code"] == code
    await is_well(stage)
    (row,) = await stage.rows("SELECT outcome FROM calls")
    assert row["outcome"] == Outcome.VOICEMAIL
    (waits,) = (await vera.ask("GET", "/chats/left")).json()
    assert waits["answered"] is False
    (words,) = (await vera.ask("GET", f"/chats/left/{waits['call_id']}/messages")).json()
    assert words["text"] == "Javite se"
    assert waits["owner_id"] == str(vera.id), "it is a task from the first moment"
    path = f"/chats/left/{waits['call_id']}"
    # It belongs to the team of the person who answered.
    nina = await stage.add_counsellor("nina", state=None)
    await stage.rows("UPDATE staff SET team = 'north' WHERE name = 'nina' RETURNING id")
    stage.ground.memory.forget("everything")
    dora = await stage.add_counsellor("dora", state=None)
    for late, told in (
        (dora, "vera has answered this message. Read the answer."),
        (nina, "vera of another team was first"),
    ):
        assert told in await answered_at_once(stage, waits["call_id"], vera, late)
    answer = {"text": "Ja bih još nešto", "client_key": uuid4().hex}
    assert (await dora.ask("POST", f"{path}/messages", answer)).status_code == 409
    assert (await nina.ask("GET", "/chats/left")).json() == []
    for method, part in (("GET", "messages"), ("POST", "take"), ("POST", "done")):
        assert (await nina.ask(method, f"{path}/{part}")).status_code == 404
    assert (await vera.ask("POST", f"{path}/done")).status_code == 204
    assert (await vera.ask("GET", "/chats/left")).json() == []
    back = a_child(stage)
    assert (await back.ask("POST", "/return", {"code": "1" * 20})).status_code == 404
    opened = (await back.ask("POST", "/return", {"code": code.replace(" ", "-")})).json()
    back.secret = opened["secret"]
    await back.look()
    assert back.words() == ["Javite se", "Tu smo"]
    assert (await child.ask("GET", "/conversation")).status_code == 404, "the earlier one is void"


@nightly
async def test_a_talk_waits_ten_minutes_for_a_page_and_says_why_it_ended(stage: Stage) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=1)
    (child,) = await begun(stage, ana)
    await child.say("Čujem ga")
    for _ in range(20):
        await skip(stage, 29 / 3600)
        await ana.ask("GET", "/chats/mine")
    (row,) = await stage.rows("SELECT state FROM calls")
    assert row["state"] == "connected"
    for _ in range(2):
        await stage.advance(11)
        await ana.ask("GET", "/chats/mine")
    seen = await child.look()
    assert (seen["phase"], seen["ended_by"], seen["left"]) == ("ended", "away", False)
    late = await child.say("Dolazi", "on-its-way-01")
    assert late.json()["error"] == "ConversationOver"
    # What leaves with the end is read with the talk.
    last = {"words": [{"client_key": "on-its-way-01", "text": "Dolazi"}]}
    for _ in range(2):
        assert (await child.ask("POST", "/conversation/end", last)).status_code == 204
    await child.look()
    assert child.words() == ["[counsellor_here]", "Čujem ga", "Dolazi"]
    assert (await stage.rows("SELECT ended_by FROM calls"))[0]["ended_by"] == "away"
    await is_well(stage)


async def test_a_page_that_waits_hears_of_news_and_no_secret_no_words(stage: Stage) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=1)
    (child,) = await begun(stage, ana)
    await child.look()
    waiting = asyncio.create_task(child.look(wait=25))
    await asyncio.sleep(0.05)
    await write(ana, child.id, "Zdravo")
    seen = await asyncio.wait_for(waiting, 5)
    assert seen["messages"][-1]["text"] == "Zdravo"
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": child.secret}):
        url = f"{stage.settings.public_url}/chat/conversation"
        answer = await stage.client.get(url, headers=headers)
        assert answer.status_code == 404
        assert answer.json()["error"] == "WrongSecret"
        assert "set-cookie" not in answer.headers
    nowhere = WritingChild(stage.settings.public_url, stage.client, "+381800000000")
    assert (await nowhere.open()).json()["error"] == "NotWritten"
    feedback = await child.ask("POST", "/conversation/feedback", {"helped": 5})
    assert feedback.status_code == 409
    await child.end()
    for _ in range(2):
        answer = await child.ask("POST", "/conversation/feedback", {"helped": 5, "again": 4})
        assert answer.status_code == 204
    rows = await stage.rows("SELECT helped, again FROM chat_feedback")
    assert rows == [{"helped": 5, "again": 4}]
    await stage.advance(60)
    assert await broken_at_the_end(stage) == []
