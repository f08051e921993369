"""A child who cannot speak is asked questions that are spoken to it, and answers with a key."""

from typing import Any

from sqlalchemy import select

from app.calls import record
from app.calls.models import CallQuestion
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.staff.models import Staff
from app.staff.roles import Role
from app.staff.sessions import accounts_changed
from app.telephony.inbound import asking_by_key
from app.work import PROGRAM
from tests.support.calls.callers import talks_unheard
from tests.support.calls.legs import told
from tests.support.profile import WHOLE, nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import a_talk, client, done, inside, talk


async def ask(stage: Stage, who: Counsellor, call: Any, code: str, status: int = 202) -> Any:
    answer = await who.ask("POST", f"/calls/{call['id']}/questions", {"question": code})
    assert answer.status_code == status, answer.text
    await stage.advance(3)
    return answer.json()


async def answers(who: Counsellor, call: Any) -> list[tuple[str, str | None]]:
    found = (await who.ask("GET", f"/calls/{call['id']}/questions")).json()
    return [(one["question"], one["answer"]) for one in found]


async def silent(stage: Stage) -> tuple[Leg, Any, Counsellor]:
    leg, call, (ana,) = await a_talk(stage, "ana")
    return leg, call, ana


async def test_a_key_answers_and_the_talk_goes_on(stage: Stage) -> None:
    leg, call, ana = await silent(stage)
    (contact,) = await stage.rows("SELECT id FROM contacts")
    close = f"/contacts/{contact['id']}/close"
    refused = await ana.ask("POST", close, {"closed_as": "silent"})
    assert refused.status_code == 409, "not before it was asked"
    assert "key" in refused.json()["detail"]
    await ask(stage, ana, call, "alone")
    assert leg.has_heard("možeš da odgovaraš tasterima")
    assert inside(stage) == {client(ana)}, "the counsellor stays in the conference"
    await ask(stage, ana, call, "safe", 409)
    stage.exchange.press(leg, "2")
    await stage.advance(5)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert await answers(ana, call) == [("alone", "no")]
    kinds = [r["kind"] for r in await stage.rows("SELECT kind FROM call_events ORDER BY id")]
    assert "question_asked" in kinds
    assert "question_answered" in kinds
    row = await stage.call_of(leg)
    assert (row["state"], row["returned"]) == ("connected", 0)
    if WHOLE:
        # No key and a wrong key lead back to the counsellor, too.
        await ask(stage, ana, call, "who")
        stage.exchange.press(leg, "8")
        await stage.advance(40)
        assert inside(stage) == {"+381641234567", client(ana)}
        assert await answers(ana, call) == [("alone", "no"), ("who", None)]
    assert not (await stage.call_of(leg))["danger"]
    # An answer that means danger sets the urgency.
    await ask(stage, ana, call, "safe")
    stage.exchange.press(leg, "2")
    await stage.advance(6)
    assert (await stage.call_of(leg))["danger"]
    (contact,) = await stage.rows("SELECT urgency FROM contacts")
    assert contact["urgency"] == "immediate"
    assert (await done(stage, leg))["outcome"] == "answered"


async def test_a_caller_who_was_asked_in_vain_is_closed_as_silent(stage: Stage) -> None:
    leg, call, ana = await silent(stage)
    await ask(stage, ana, call, "alone")
    await stage.advance(40)
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    await closed_as_silent(stage, ana)


# By day one after a question, above.
@nightly
async def test_a_caller_who_hangs_up_at_once_is_closed_as_silent(stage: Stage) -> None:
    """During a question, and before there was one."""
    leg, call, ana = await silent(stage)
    await ask(stage, ana, call, "hurt")
    await stage.exchange.hang_up(leg)
    await stage.advance(10)
    row = await stage.call_of(leg)
    assert (row["state"], row["outcome"]) == ("ended", "answered")
    assert await ana.presence() == "wrap_up"
    assert await broken_at_the_end(stage) == []
    await closed_as_silent(stage, ana)
    await ana.be("available")
    await stage.exchange.hang_up(await talk(stage, ana))
    await stage.advance(3)
    await closed_as_silent(stage, ana)


async def closed_as_silent(stage: Stage, who: Counsellor) -> None:
    (contact,) = await stage.rows("SELECT id FROM contacts WHERE closed_as IS NULL")
    closed = await who.ask("POST", f"/contacts/{contact['id']}/close", {"closed_as": "silent"})
    assert closed.status_code == 200, closed.text


async def _is_answered(stage: Stage, key: str) -> None:
    """The caller presses a key at the question that was asked."""
    async with transaction(stage.ground, PROGRAM) as work:
        row = (await work.session.scalars(select(CallQuestion))).one()
        call = await record.lock_call(work, row.call_id)
        await told(work, call, asking_by_key.question(row.id, key, 1))


async def test_only_those_who_may_read_the_record_read_the_answers(quiet: QuietStage) -> None:
    stage = quiet
    ana = await stage.add_counsellor("ana")
    call = {"id": await talks_unheard(stage, ana)}
    asked = await ana.ask("POST", f"/calls/{call['id']}/questions", {"question": "hurt"})
    assert asked.status_code == 202, asked.text
    await _is_answered(stage, "1")
    readers = {
        role: await stage.add_counsellor(role.value, role=role, shift=False, state=None)
        for role in (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR)
    }

    async def seen(who: Counsellor) -> tuple[int, list[dict[str, str]]]:
        found = await who.ask("GET", f"/calls/{call['id']}/questions")
        events = (await who.ask("GET", f"/calls/{call['id']}/events")).json()
        answered = [one["detail"] for one in events if one["kind"] == "question_answered"]
        return found.status_code, answered

    # The log of the call does not say what was answered, and the database holds it sealed.
    logged = [{"question": "hurt", "pressed": True}]
    for who in (ana, readers[Role.SUPERVISOR]):
        assert await seen(who) == (200, logged)
        assert await answers(who, call) == [("hurt", "yes")]
    (row,) = await stage.rows("SELECT * FROM call_questions")
    assert b"yes" not in bytes(row["answer_sealed"])
    read = await stage.rows(
        "SELECT actor FROM audit_entries WHERE action = 'call_record_read' AND subject = %s",
        str(call["id"]),
    )
    # For ana, who has the call, only the log; for the supervisor the answers, too.
    assert len(read) == 4
    for role in (Role.ADMINISTRATOR, Role.AUDITOR):
        assert await seen(readers[role]) == (403, logged), role
    elsewhere = await stage.add_counsellor("north", role=Role.SUPERVISOR, shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        (await work.session.get_one(Staff, elsewhere.id)).team = "north"
        accounts_changed(work)
    assert await seen(elsewhere) == (403, logged), "of another team"


@nightly
async def test_the_counsellor_is_lost_during_a_question_and_the_child_is_first(
    stage: Stage,
) -> None:
    from app.practice.people import Phone

    leg, call, ana = await silent(stage)
    await ask(stage, ana, call, "about")
    mine = next(x for x in stage.exchange.legs.values() if x.to == client(ana) and not x.over)
    stage.exchange.phones[client(ana)] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(8)
    row = await stage.call_of(leg)
    assert (row["state"], row["returned"]) == ("queued", 1)
    assert not leg.over
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
