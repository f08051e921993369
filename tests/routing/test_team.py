"""A supervisor sees the own team, sets a person's state, and takes calls for help."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.calls import record
from app.calls.lines.line_rows import Line
from app.calls.log_kinds import CallLog, Cause, MadeKind, of_leg
from app.calls.models import Call, RecordedEvent
from app.calls.states import LegStatus
from app.dashboard import rail
from app.errors import Conflict, Invalid, NotFound
from app.routing import in_hand, offers, own_presence
from app.routing.models import OfferState, PresenceState
from app.routing.participants import actions, calls_for_help, inviting, participants, supervising
from app.routing.participants.participants import Mode, ParticipantPurpose
from app.routing.supervision import supervised, team
from app.routing.supervision.team import StateReason
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_supervisor,
    a_talk,
    a_waiting_call,
    another_talk,
    logged,
    offered,
    presence_of,
)


async def set_to(
    work: Work, by: Staff, who: Staff, state: PresenceState, *, after_call: bool = False
) -> None:
    await team.set_state(work, by, who.id, state, StateReason.AGREED, after_call=after_call)
    await work.session.flush()


async def test_a_state_is_set_with_a_reason_that_stands_in_the_log(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await set_to(work, vera, ana, PresenceState.BREAK)
    now = await presence_of(work, ana)
    assert (now.state, now.cause) == (PresenceState.BREAK, Cause.SUPERVISOR_CHOICE)
    detail = {"state": "break", "reason": "agreed", "after_call": False}
    assert logged(work)[-1] == (AuditLog.STATE_SET_BY_SUPERVISOR, detail)


async def test_a_person_who_talks_is_left_alone_but_for_what_follows(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await a_talk(work, ana)
    with pytest.raises(team.PersonInTalk):
        await set_to(work, vera, ana, PresenceState.OFF_DUTY)
    await set_to(work, vera, ana, PresenceState.OFF_DUTY, after_call=True)
    now = await presence_of(work, ana)
    assert (now.state, now.after_call) == (PresenceState.ON_CALL, PresenceState.OFF_DUTY)


async def test_a_colleague_who_helps_in_a_talk_is_left_alone_too(work: Work) -> None:
    vera = await a_supervisor(work)
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    call, _ = await a_talk(work, ana)
    await inviting.consult(work, ana, call, staff_id=boris.id)
    assert (await presence_of(work, boris)).state == PresenceState.BREAK
    with pytest.raises(team.PersonInTalk):
        await set_to(work, vera, boris, PresenceState.AVAILABLE)
    helping = {p.staff.id for p in await team.people(work, vera.team, work.now) if p.helps}
    assert helping == {boris.id}


async def test_a_supervisor_who_helps_out_of_a_break_gets_no_calls(work: Work) -> None:
    vera, mira = await a_supervisor(work), await a_counsellor(work, "mira")
    mira.role = Role.SUPERVISOR.value
    ana = await a_counsellor(work, "ana")
    await own_presence.choose_presence(work, mira, PresenceState.BREAK)
    call, _ = await a_talk(work, ana)
    await supervising.supervise(work, mira, call, Mode.TALK)
    with pytest.raises(team.PersonInTalk):
        await set_to(work, vera, mira, PresenceState.AVAILABLE)
    await own_presence.choose_presence(work, mira, PresenceState.AVAILABLE)
    assert (await presence_of(work, mira)).state == PresenceState.BREAK
    # Without another choice she is on her break again afterwards.
    await own_presence.choose_presence(work, mira, PresenceState.BREAK)
    (comes,) = await participants.live_participants(work, call.id)
    await participants.end_participant(work, call, comes, Cause.LEFT)
    now = await presence_of(work, mira)
    assert (now.state, now.cause == participants.HELPING) == (PresenceState.BREAK, False)


async def test_what_rings_at_a_person_set_off_duty_goes_to_the_next(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, ana)
    await set_to(work, vera, ana, PresenceState.OFF_DUTY)
    assert offer.state == OfferState.DECLINED
    assert (await presence_of(work, ana)).state == PresenceState.OFF_DUTY


async def test_calls_never_ring_at_a_page_that_is_not_open(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    await set_to(work, vera, ana, PresenceState.BREAK)
    now = await presence_of(work, ana)
    heard = now.heartbeat_at = work.now - timedelta(hours=1)
    await work.session.flush()
    with pytest.raises(team.CannotBeRung):
        await set_to(work, vera, ana, PresenceState.AVAILABLE)
    # Nor does setting a state make a silent browser look alive.
    await set_to(work, vera, ana, PresenceState.OFF_DUTY)
    assert (await presence_of(work, ana)).heartbeat_at == heard


async def test_only_the_own_team_and_never_oneself(work: Work) -> None:
    north, ana = await a_supervisor(work, in_team="north"), await a_counsellor(work, "ana")
    with pytest.raises(NotFound):
        await set_to(work, north, ana, PresenceState.BREAK)
    assert [p.staff.name for p in await team.people(work, north.team, work.now)] == ["vera"]
    with pytest.raises(Invalid):
        await set_to(work, north, north, PresenceState.BREAK)


async def test_missed_offers_of_today_are_counted(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, ana)
    await offers.miss_offer(work, call, offer, Cause.NO_KEY_PRESSED)
    await work.session.flush()
    day = work.now - timedelta(hours=5)
    assert {p.staff.name: p.missed for p in await team.people(work, vera.team, day)}["ana"] == 1
    later = work.now + timedelta(hours=1)
    assert {p.staff.name: p.missed for p in await team.people(work, vera.team, later)}["ana"] == 0


async def test_a_missed_practice_call_is_no_missed_offer(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    await work.session.execute(update(Line).where(Line.id == call.line_id).values(practice=True))
    (offer,) = await offered(work, call, ana)
    await offers.miss_offer(work, call, offer, Cause.NO_KEY_PRESSED)
    await work.session.flush()
    day = work.now - timedelta(hours=5)
    assert {p.staff.name: p.missed for p in await team.people(work, vera.team, day)}["ana"] == 0


async def test_a_talk_is_ended_by_the_supervisor_of_its_team(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_counsellor(work, "ana")
    north = await a_supervisor(work, "mira", in_team="north")
    call, _ = await a_talk(work, ana)
    with pytest.raises(NotFound):
        await team.end_talk(work, north, call.id)
    with pytest.raises(NotFound):
        await supervising.supervise(work, north, call, Mode.LISTEN)
    assert await supervised.live_talks(work, north) == []
    # Nor by the ways of the desk: holding, hanging up, a participant, a referral from the call.
    bora = await a_counsellor(work, "bora")
    for stranger in (north, bora):
        with pytest.raises(NotFound):
            await in_hand.lock_in_hand(work, stranger, call.id)
    for own in (ana, vera):
        assert (await in_hand.lock_in_hand(work, own, call.id)).id == call.id
    await team.end_talk(work, vera, call.id)
    assert call.outcome == "answered"
    assert logged(work)[-1] == (AuditLog.TALK_ENDED_BY_SUPERVISOR, {})


async def kinds(work: Work, call: Call) -> list[str]:
    rows = await work.session.scalars(
        select(RecordedEvent.kind)
        .where(
            RecordedEvent.call_id == call.id,
            RecordedEvent.kind.in_((CallLog.CALL_FOR_HELP, CallLog.CALL_FOR_HELP_TAKEN)),
        )
        .order_by(RecordedEvent.id)
    )
    return list(rows)


async def test_a_call_for_help_is_on_all_pages_until_it_is_taken(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    # Of another team, and without a telephone that is ready.
    north = await a_supervisor(work, in_team="north")
    mira = await a_supervisor(work, "mira")
    call, _ = await a_talk(work, ana)
    assert await calls_for_help.call_for_help(work, ana, call) is False
    (call_for_help,) = await supervised.open_calls_for_help(work)
    assert (call_for_help.call.id, call_for_help.counsellor) == (call.id, "ana")
    assert [talk.calls_for_help for talk in await supervised.live_talks(work, north)] == [True]
    assert await calls_for_help.take_call_for_help(work, north, call) is False, (
        "no telephone: taken, not joined"
    )
    assert await supervised.open_calls_for_help(work) == []
    assert [talk.taken_by for talk in await supervised.live_talks(work, mira)] == ["vera"]
    # The supervisor who took it goes on, also without the first answer, and sees the talk of the
    # other team.
    assert await calls_for_help.take_call_for_help(work, north, call) is False
    assert [talk.call.id for talk in await supervised.live_talks(work, north)] == [call.id]
    await supervised.check_supervises(work, north, call.id)
    with pytest.raises(calls_for_help.CallForHelpTaken):
        await calls_for_help.take_call_for_help(work, mira, call)
    # It can be called again, by the same counsellor.
    await calls_for_help.call_for_help(work, ana, call)
    assert len(await supervised.open_calls_for_help(work)) == 1


async def test_a_call_for_help_of_the_version_before_is_open_until_it_is_taken(work: Work) -> None:
    """The program was replaced during the talk."""
    ana = await a_counsellor(work, "ana")
    north = await a_supervisor(work, in_team="north")
    mira = await a_supervisor(work, "mira")
    call, _ = await a_talk(work, ana)
    await record.record(work, call, MadeKind("panic"))
    assert [talk.call.id for talk in await supervised.open_calls_for_help(work)] == [call.id]
    assert [talk.calls_for_help for talk in await supervised.live_talks(work, north)] == [True]
    assert [talk.calls_for_help for talk in await supervised.talks_around(work, "north")] == [True]
    seen = await rail.counts_part(work, rail.seat_of(mira))
    assert 'data-count="team">1<' in seen
    await calls_for_help.take_call_for_help(work, north, call)
    assert await supervised.help_taken_by(work, call.id) == north.id
    assert await supervised.open_calls_for_help(work) == []


async def test_a_call_for_help_that_was_taken_in_the_version_before_stays_taken(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    north = await a_supervisor(work, in_team="north")
    mira = await a_supervisor(work, "mira")
    call, _ = await a_talk(work, ana)
    await record.record(work, call, CallLog.CALL_FOR_HELP)
    await record.record(work, call, MadeKind("panic_taken"), taken_by=str(north.id))
    assert await supervised.open_calls_for_help(work) == []
    assert [talk.taken_by for talk in await supervised.live_talks(work, mira)] == [north.name]
    await supervised.check_supervises(work, north, call.id)
    with pytest.raises(calls_for_help.CallForHelpTaken):
        await calls_for_help.take_call_for_help(work, mira, call)


async def test_who_takes_a_call_for_help_comes_in_and_no_other_phone_rings_on(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    mira, vera = await a_counsellor(work, "mira"), await a_counsellor(work, "vera")
    mira.role = vera.role = Role.SUPERVISOR.value
    await work.session.flush()
    call, _ = await a_talk(work, ana)
    assert await calls_for_help.call_for_help(work, ana, call) is True
    (rung,) = await participants.live_participants(work, call.id)
    assert (rung.staff_id, rung.purpose) == (mira.id, ParticipantPurpose.CALL_FOR_HELP)
    assert await calls_for_help.take_call_for_help(work, vera, call) is True
    (comes,) = await participants.live_participants(work, call.id)
    assert (comes.staff_id, comes.mode) == (vera.id, Mode.TALK)
    assert await kinds(work, call) == [CallLog.CALL_FOR_HELP, CallLog.CALL_FOR_HELP_TAKEN]


async def test_who_rings_for_one_call_for_help_or_is_in_it_cannot_take_another(work: Work) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    vera = await a_counsellor(work, "vera")
    vera.role = Role.SUPERVISOR.value
    await work.session.flush()
    of_ana, of_boris = (await a_talk(work, ana))[0], await another_talk(work, boris)
    assert await calls_for_help.call_for_help(work, ana, of_ana) is True
    assert await calls_for_help.call_for_help(work, boris, of_boris) is False, "vera rings for ana"
    (rung,) = await participants.live_participants(work, of_ana.id)
    with pytest.raises(calls_for_help.HelpsElsewhere):
        await calls_for_help.take_call_for_help(work, vera, of_boris)
    assert {one.counsellor for one in await supervised.open_calls_for_help(work)} == {
        "ana",
        "boris",
    }
    assert await calls_for_help.take_call_for_help(work, vera, of_ana) is True
    await actions.joined(work, of_ana, rung)
    with pytest.raises(calls_for_help.HelpsElsewhere):
        await calls_for_help.take_call_for_help(work, vera, of_boris)
    assert await kinds(work, of_boris) == [CallLog.CALL_FOR_HELP]
    await actions.gone(work, of_ana, rung, Cause.LEFT)
    assert await calls_for_help.take_call_for_help(work, vera, of_boris) is True
    assert await supervised.open_calls_for_help(work) == []


async def test_help_that_did_not_come_is_called_for_again(work: Work) -> None:
    ana, vera = await a_counsellor(work, "ana"), await a_counsellor(work, "vera")
    vera.role = Role.SUPERVISOR.value
    await work.session.flush()
    call, _ = await a_talk(work, ana)
    await calls_for_help.call_for_help(work, ana, call)
    await calls_for_help.take_call_for_help(work, vera, call)
    (comes,) = await participants.live_participants(work, call.id)
    await actions.gone(work, call, comes, of_leg(LegStatus.NO_ANSWER))
    assert [talk.counsellor for talk in await supervised.open_calls_for_help(work)] == ["ana"]


async def test_a_counsellor_cannot_take_the_own_call_for_help(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    await calls_for_help.call_for_help(work, ana, call)
    with pytest.raises(Conflict):
        await calls_for_help.take_call_for_help(work, ana, call)
    assert len(await supervised.open_calls_for_help(work)) == 1
