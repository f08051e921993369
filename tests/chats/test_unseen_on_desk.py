"""What a child wrote in a talk or after it, and its counsellor did not see, is read by a person: it
alarms, the supervisors of the team have it, and a colleague gets it when the counsellor leaves."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select

from app.calls import record
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.chats import (
    as_child,
    ended_without_counsellor,
    ending,
    feedback,
    messages,
    reading,
    translating,
)
from app.chats.left import answering, left, untaken
from app.chats.models import Author, Message
from app.chats.noticing import danger_in
from app.dashboard.chats.views import gone_card
from app.dashboard.templating import templates
from app.errors import Conflict, NotFound
from app.jobs.transaction import send_rows
from app.people import holding, leaving
from app.people.holding import WorkKind
from app.routing import lost_counsellor
from app.routing import presence as presences
from app.routing.alarm_rows import Alarm
from app.routing.models import Offer, PresenceState
from app.staff.models import Staff
from app.words import pages
from app.work import Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_child,
    a_key,
    a_writer,
    matched,
    takes,
)
from tests.support.calls.engine import KEY, engine
from tests.support.verbs import a_supervisor

pytestmark = pytest.mark.whole

DANGER = "Hoću da se ubijem"


async def _say(work: Work, call: Call, text: str) -> None:
    await messages.say_as_child(work, call.id, text=text, client_key=a_key())


async def _talk(work: Work) -> tuple[Staff, Call]:
    """Let a child talk with a counsellor, who has seen its first word, at noon."""
    work.now = datetime(2030, 1, 14, 12, tzinfo=ZoneInfo("Europe/Belgrade"))
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Zdravo")
    await takes(work, (await matched(work))[0])
    await reading.see_as_staff(work, ana, call.id, 9)
    return ana, call


async def _alarms(work: Work) -> int:
    await work.session.flush()
    await untaken.look_at_messages(work)
    await work.session.flush()
    return len((await work.session.scalars(select(Alarm).where(Alarm.ended_at.is_(None)))).all())


async def _go_off_duty(work: Work, staff: Staff) -> None:
    presence = await presences.lock_presence(work, staff.id)
    await presences.set_presence(work, presence, PresenceState.OFF_DUTY, Cause.ACCOUNT_CHANGED)
    await work.session.flush()


async def test_a_talk_that_its_counsellor_ends_and_has_seen_leaves_the_desk(work: Work) -> None:
    ana, call = await _talk(work)
    await ending.end_as_staff(work, ana, call.id)
    assert await ended_without_counsellor.conversations(work, ana) == [], "she has seen all"


async def test_a_message_that_crossed_the_end_is_on_the_desk(work: Work) -> None:
    ana, call = await _talk(work)
    await _say(work, call, "On je tu, hoću da se ubijem")
    await ending.end_as_staff(work, ana, call.id)
    (kept,) = await ended_without_counsellor.conversations(work, ana)
    assert (kept.call_id, kept.unread, kept.alarming) == (call.id, 1, True)


async def test_late_words_alarm_until_they_are_seen(work: Work) -> None:
    ana, call = await _talk(work)
    await ending.end_as_staff(work, ana, call.id)
    assert await _alarms(work) == 0
    await ending.end_as_child(work, call.id, [(a_key(), "Nemoj još")])
    assert await _alarms(work) == 0
    work.now += timedelta(hours=12, minutes=1)
    assert await _alarms(work) == 0, "it is night"
    work.now += timedelta(hours=8)
    assert await _alarms(work) == 1
    (kept,) = await ended_without_counsellor.conversations(work, ana)
    await reading.see_as_staff(work, ana, call.id, kept.last, away=True)
    assert await _alarms(work) == 0


@pytest.mark.parametrize("after_end", [False, True])
async def test_unseen_words_of_danger_alarm_at_once_also_at_night(
    work: Work, after_end: bool
) -> None:
    ana, call = await _talk(work)
    work.now += timedelta(hours=11)
    if after_end:
        await ending.end_as_staff(work, ana, call.id)
        await ending.end_as_child(work, call.id, [(a_key(), DANGER)])
    else:
        await _say(work, call, DANGER)
        await ending.end_as_child(work, call.id)
    assert await _alarms(work) == 1
    nora = await a_supervisor(work, "nora", ana.team)
    (kept,) = await ended_without_counsellor.conversations(work, nora)
    assert (kept.call_id, kept.alarming, kept.counsellor) == (call.id, True, "ana")
    pages.speak("en")
    card = templates.get_template("fragments/chats/gone.html").render(gone=[gone_card(kept)])
    pages.speak("sr")
    assert "<bdi>ana</bdi>" in card
    assert "words of danger" in card
    ended_by = "counsellor" if after_end else "child"
    assert f"The {ended_by} ended the conversation." in card


async def test_supervisors_of_the_team_have_what_an_absent_counsellor_did_not_see(
    work: Work,
) -> None:
    ana, call = await _talk(work)
    vera = await a_writer(work, "vera")
    nora = await a_supervisor(work, "nora", ana.team)
    far = await a_supervisor(work, "far", "far away")
    await _say(work, call, "Nemoj još")
    await ending.end_as_child(work, call.id)
    assert await ended_without_counsellor.conversations(work, nora) == [], "its counsellor is there"
    await _go_off_duty(work, ana)
    # Also after a month.
    work.now += timedelta(days=30)
    for other in (vera, far):
        assert await ended_without_counsellor.conversations(work, other) == []
        with pytest.raises(NotFound):
            await reading.see_as_staff(work, other, call.id, 99, away=True)
    (kept,) = await ended_without_counsellor.conversations(work, nora)
    assert (kept.call_id, kept.unread, kept.counsellor) == (call.id, 1, "ana")
    assert kept.contact_id is not None
    assert [one.words for one in await reading.read_whole(work, nora, call.id) if one.words] == [
        "Zdravo",
        "Nemoj još",
    ]
    for _ in range(2):
        await reading.see_as_staff(work, nora, call.id, kept.last, away=True)
    assert await ended_without_counsellor.conversations(work, nora) == []
    assert await ended_without_counsellor.conversations(work, ana) == []


async def test_a_colleague_gets_unseen_words_of_a_counsellor_who_leaves(work: Work) -> None:
    ana, call = await _talk(work)
    vera = await a_writer(work, "vera")
    await _say(work, call, "Nemoj još")
    await ending.end_as_child(work, call.id)
    assert (await holding.count(work, ana))[WorkKind.WRITTEN_MESSAGES] == 1
    plan = leaving.everything_to(vera.id, uncovered=True)
    handed = await leaving.deactivate(work, ana.id, plan, by=None)
    await send_rows(work)
    assert handed.given[WorkKind.WRITTEN_MESSAGES] == 1
    (kept,) = await ended_without_counsellor.conversations(work, vera)
    assert (kept.call_id, kept.unread, kept.counsellor) == (call.id, 1, "")
    assert len(await reading.read_whole(work, vera, call.id)) > 1
    await reading.see_as_staff(work, vera, call.id, kept.last, away=True)
    assert await ended_without_counsellor.conversations(work, vera) == []


async def test_late_words_to_a_counsellor_who_has_left_go_to_a_colleague(work: Work) -> None:
    ana, call = await _talk(work)
    vera = await a_writer(work, "vera")
    await ending.end_as_staff(work, ana, call.id)
    plan = leaving.everything_to(vera.id, uncovered=True)
    await leaving.deactivate(work, ana.id, plan, by=None)
    await work.session.flush()
    nora = await a_supervisor(work, "nora", "another team")
    await ending.end_as_child(work, call.id, [(a_key(), "Nemoj još")])
    await send_rows(work)
    (kept,) = await ended_without_counsellor.conversations(work, nora)
    assert (kept.call_id, kept.counsellor) == (call.id, "")
    assert len(await reading.read_whole(work, nora, call.id)) > 1


async def test_words_of_danger_are_marked_when_the_child_leaves_before_the_job(work: Work) -> None:
    ana, call = await _talk(work)
    await _say(work, call, DANGER)
    offer = (await work.session.scalars(select(Offer).where(Offer.call_id == call.id))).one()
    locked = await record.lock_call(work, call.id)
    await lost_counsellor.give_back(
        work, locked, offer, Cause.BROWSER_NOT_HEARD, PresenceState.AWAY
    )
    await ending.end_as_child(work, call.id)
    (waits,) = await answering.waiting(work, ana.team)
    assert (waits.call_id, waits.alarming) == (call.id, True)
    assert waits.danger_words == danger_in(DANGER, ("sr",))


async def test_a_child_who_wrote_of_danger_in_a_talk_is_not_asked_how_it_was(work: Work) -> None:
    ana, call = await _talk(work)
    await _say(work, call, DANGER)
    await reading.see_as_staff(work, ana, call.id, 99)
    await ending.end_as_staff(work, ana, call.id)
    assert not (await as_child.conversation(work, call.id)).may_rate
    with pytest.raises(Conflict):
        await feedback.rate(work, call.id, helped=5, again=5)


async def test_translating_delivers_nothing(work: Work) -> None:
    ana, call = await _talk(work)
    await _say(work, call, "Ima li koga?")
    await _say(work, call, "Halo?")
    await work.session.flush()
    of_child = select(Message.number, Message.delivered_at).where(
        Message.call_id == call.id, Message.author == Author.CHILD
    )
    numbers = [number for number, _ in (await work.session.execute(of_child)).all()]
    pages.speak("en")
    try:
        async with engine() as stand_in:
            work.ground.settings.translation_url = stand_in.url
            work.ground.settings.translation_key = KEY
            work.let_go = _nothing  # type: ignore[method-assign]
            found = await translating.of_messages(work, ana, call.id, {numbers[0]})
    finally:
        pages.speak("sr")
    assert [number for number, _ in found] == [numbers[0]]
    delivered = dict((await work.session.execute(of_child)).all())
    assert [delivered[number] is not None for number in numbers] == [True, False, False]


async def test_a_code_is_locked_after_its_conversation_as_everywhere(work: Work) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    code = await left.leave_message(work, call.id, text="Zdravo", client_key=a_key())
    await work.session.flush()
    connection = (await work.session.connection()).sync_connection
    assert connection is not None
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *more: object) -> None:
        if "FOR UPDATE" in statement:
            asked.append("chat_codes" if "FROM chat_codes" in statement else "calls")

    event.listen(connection, "before_cursor_execute", note)
    try:
        assert (await left.return_by_code(work, code))[0] == call.id
    finally:
        event.remove(connection, "before_cursor_execute", note)
    assert asked[0] == "calls"
    assert "chat_codes" in asked


async def _nothing() -> None:
    """Keep the transaction of the test."""
