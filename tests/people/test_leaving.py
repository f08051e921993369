"""A person leaves: what they hold goes to colleagues in the same step, and all access ends."""

import re
from dataclasses import replace
from datetime import date, time, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.calls.models import Call, VoiceMessage
from app.calls.speech import LineScript
from app.calls.states import CallState
from app.chats import messages
from app.chats.left import answering, left
from app.chats.models import Author, Message, ReturnCode
from app.contacts import contacts
from app.contacts.cases import cases, follow_ups, people
from app.contacts.cases.models import CaseMember, FollowUp
from app.contacts.models import Case, Contact
from app.contacts.states import ContactChannel, FollowUpAbout
from app.demo.stage import Stage
from app.errors import Invalid
from app.jobs.transaction import send_rows, transaction
from app.outbox.push import subscriptions
from app.outbox.push.models import PushSubscription
from app.people import changing, holding, leaving, provisioning
from app.people.holding import WorkKind
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.choices import Who
from app.routing.models import PresenceState
from app.routing.rota import changes, giving, roster, stretches
from app.routing.rota import feeds as calendar_feeds
from app.routing.rota.models import CalendarFeed, ShiftRow
from app.routing.rota.shifts import Place
from app.staff import accounts, session_tokens
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_child,
    a_key,
    a_writer,
    call_again,
    matched,
    writing,
)
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.verbs import (
    a_counsellor,
    a_referral,
    a_talk,
    an_administrator,
    an_agency,
    logged,
    presence_of,
    rings,
    sessions_of,
)


async def a_draft(work: Work, owner: Staff) -> Contact:
    contact, _ = await contacts.create_contact(work, owner, channel=ContactChannel.CALL)
    await send_rows(work)
    stored = await work.session.get(Contact, contact.id)
    assert stored is not None
    return stored


async def a_case(work: Work, owner: Staff) -> Case:
    return await cases.open_case(work, owner, [])


async def a_voice_message(work: Work, owner: Staff) -> VoiceMessage:
    call, _ = await rings(work, "CA-voice")
    message = VoiceMessage(
        id=uuid4(),
        call_id=call.id,
        recording_sid="RE1",
        state="imported",
        created_at=work.now,
        owner_id=owner.id,
        taken_at=work.now,
    )
    work.session.add(message)
    await work.session.flush()
    return message


async def a_written_message(work: Work, line: LineScript, owner: Staff) -> UUID:
    call = await a_child(work, line)
    await left.leave_message(work, call.id, text="Javite se", client_key=a_key())
    await answering.take(work, owner, call.id)
    await work.session.flush()
    return call.id


async def a_callback(work: Work, by: Staff, from_: str, state: CallbackState) -> Callback:
    """A call-back that a counsellor agreed with a caller; or made, and has yet to say of whom."""
    call, _ = await rings(work, f"CA{from_}", From=from_)
    window = (work.now + timedelta(hours=1), work.now + timedelta(hours=2))
    row = await callbacks.agree(work, call, Who.CALLER, window, safe=True)
    row.state = state.value
    if state is CallbackState.SPOKEN:
        row.talked_by = by.id
    else:
        row.made_by = by.id
    await work.session.flush()
    return row


async def everything_of(work: Work, ana: Staff, vera: Staff) -> tuple[Case, Case]:
    """Let a counsellor hold one of each kind; return the own case, and a colleague's."""
    line = await a_chat_line(work)
    await a_draft(work, ana)
    await a_voice_message(work, ana)
    await a_written_message(work, line, ana)
    await a_callback(work, ana, "+381641110001", CallbackState.AGREED)
    await a_callback(work, ana, "+381641110002", CallbackState.SPOKEN)
    own, others = await a_case(work, ana), await a_case(work, vera)
    await people.add_member(work, vera, others.id, ana.name)
    for case in (own, others):
        await follow_ups.add_follow_up(work, case, ana, FollowUpAbout.CHECK, days=3)
    await an_agency(work, "house")
    await a_referral(work, ana)
    return own, others


async def test_everything_goes_to_one_colleague_and_nothing_is_left(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    vera = await accounts.add_staff(work, name="vera", role=Role.COUNSELLOR)
    own, others = await everything_of(work, ana, vera)
    await session_tokens.open_session(work, ana)
    await calendar_feeds.make_feed(work, ana)
    held = await holding.count(work, ana)
    assert held == dict.fromkeys(WorkKind, 1), "the test leaves no kind out"
    given = await leaving.deactivate(work, ana.id, leaving.everything_to(vera.id), by=mila)
    assert given.given == held
    assert not any((await holding.count(work, ana)).values())
    assert (own.owner_id, others.owner_id) == (vera.id, vera.id)
    owners = await work.session.scalars(select(FollowUp.owner_id))
    assert set(owners.all()) == {vera.id}
    assert (await work.session.scalars(select(VoiceMessage.owner_id))).all() == [vera.id]
    assert (await work.session.scalars(select(ReturnCode.owner_id))).all() == [vera.id]
    is_member = select(CaseMember).where(
        CaseMember.staff_id == ana.id, CaseMember.case_id == others.id
    )
    assert await work.session.scalar(is_member) is None
    assert (ana.active, await sessions_of(work, ana)) == (False, 0)
    feeds = await work.session.scalars(select(CalendarFeed.revoked_at))
    assert feeds.all() == [work.now]
    acts = [action for action, _ in logged(work)]
    assert acts[-1] == AuditLog.STAFF_DEACTIVATED
    assert AuditLog.STAFF_HANDED_OVER in acts


async def test_without_a_taker_nothing_happens_at_all(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await a_draft(work, ana)
    with pytest.raises(leaving.NotPlaced, match="drafts, shifts"):
        await leaving.deactivate(work, ana.id, {}, by=mila)
    assert ana.active


async def test_each_kind_can_go_to_another_and_only_to_one_who_may_hold_it(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    vera, zora = [
        await accounts.add_staff(work, name=name, role=Role.COUNSELLOR) for name in ("vera", "zora")
    ]
    draft = await a_draft(work, ana)
    with pytest.raises(Invalid, match="mila"):
        await leaving.hand_over(work, ana.id, leaving.everything_to(mila.id), by=mila)
    plan = {WorkKind.DRAFTS: vera.id, WorkKind.SHIFTS: zora.id}
    handed = await leaving.hand_over(work, ana.id, plan, by=mila)
    assert handed.given == {WorkKind.DRAFTS: 1, WorkKind.SHIFTS: 1}
    await work.session.refresh(draft)
    assert (draft.owner_id, ana.active) == (vera.id, True)
    assert len(await giving.shifts_ahead(work, zora)) == 1


async def test_shifts_can_be_left_uncovered(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=mila)
    assert await giving.shifts_ahead(work, ana) == []


@pytest.mark.parametrize(
    ("rule", "begins", "gets"),
    [
        # Every second Monday, from the Monday before last: today, and not next week.
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", date(2029, 12, 31), date(2030, 1, 14)),
        # From last Monday: next week.
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", date(2030, 1, 7), date(2030, 1, 21)),
        ("FREQ=MONTHLY", date(2029, 12, 20), date(2030, 1, 20)),
        ("FREQ=DAILY;COUNT=20", date(2030, 1, 10), date(2030, 1, 14)),
    ],
)
async def test_a_shift_keeps_its_days_and_the_past_of_the_rota(
    work: Work, rule: str, begins: date, gets: date
) -> None:
    ana, vera = await _two(work)
    row = await roster.add_shift(
        work, ana, recurrence=rule, starts_at=time(12), minutes=60, first_on=begins
    )
    await giving.give_duty(work, ana, vera)
    (new,) = await giving.shifts_ahead(work, vera)
    assert new.first_on == gets
    assert "COUNT" not in rule or new.recurrence == "FREQ=DAILY;COUNT=16"
    await work.session.refresh(row)
    assert row.last_on == (work.now - timedelta(days=1)).date()


async def _two(work: Work) -> list[Staff]:
    return [
        await accounts.add_staff(work, name=name, role=Role.COUNSELLOR) for name in ("ana", "vera")
    ]


async def test_a_child_in_a_talk_waits_at_the_front_and_is_not_hung_up_on(work: Work) -> None:
    mila = await an_administrator(work)
    ana, vera = await a_counsellor(work, "ana"), await a_counsellor(work, "vera")
    call, _ = await a_talk(work, ana)
    assert (await holding.doing(work, ana)).talking
    plan = leaving.everything_to(vera.id, uncovered=True)
    await leaving.deactivate(work, ana.id, plan, by=mila)
    kept = await work.session.get(Call, call.id, populate_existing=True)
    assert kept is not None
    assert (kept.state, kept.ended_at, kept.returned) == (CallState.QUEUED, None, 1)
    assert (await presence_of(work, ana)).state == PresenceState.OFF_DUTY


async def test_a_child_who_writes_waits_at_the_front_and_loses_no_word(work: Work) -> None:
    mila = await an_administrator(work)
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    await messages.add(work, call, Author.CHILD, text="Još sam tu", client_key=a_key())
    await send_rows(work)
    vera = await a_writer(work, "vera")
    assert (await holding.doing(work, ana)).talking
    plan = leaving.everything_to(vera.id, uncovered=True)
    await leaving.deactivate(work, ana.id, plan, by=mila)
    kept = await call_again(work, call.id)
    assert (kept.state, kept.ended_at, kept.returned) == (CallState.QUEUED, None, 1)
    said = select(Message.author).where(Message.call_id == call.id)
    assert Author.CHILD in (await work.session.scalars(said)).all()
    (offer,) = await matched(work)
    assert (offer.call_id, offer.counsellor_id) == (call.id, vera.id)


async def test_an_agreed_call_back_is_kept_and_a_colleagues_team_answers_for_it(
    work: Work,
) -> None:
    mila = await an_administrator(work)
    await a_chat_line(work)
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, team="north")
    vera = await accounts.add_staff(work, name="vera", role=Role.COUNSELLOR, team="south")
    kept = await a_callback(work, ana, "+381641110001", CallbackState.AGREED)
    given_up = await a_callback(work, ana, "+381641110002", CallbackState.GIVEN_UP)
    over = await a_callback(work, ana, "+381641110003", CallbackState.CANCELLED)
    window = (kept.window_from, kept.window_until)
    assert (await holding.doing(work, ana)).callbacks == 1
    with pytest.raises(leaving.NotPlaced, match="agreed callbacks"):
        await leaving.deactivate(work, ana.id, {}, by=mila)
    given = await leaving.deactivate(work, ana.id, leaving.everything_to(vera.id), by=mila)
    assert given.given == {WorkKind.AGREED_CALLBACKS: 2}
    for row in (kept, given_up, over):
        await work.session.refresh(row)
    assert (kept.state, (kept.window_from, kept.window_until)) == (CallbackState.AGREED, window)
    assert kept.number_sealed is not None
    assert [one.made_by for one in (kept, given_up, over)] == [vera.id, vera.id, ana.id]
    listed = {one.id for one, _, _ in await callbacks.open_callbacks(work, "south")}
    assert listed == {kept.id, given_up.id}
    assert await callbacks.open_callbacks(work, "north") == []


async def test_the_page_says_who_makes_agreed_call_backs_and_who_answers_for_them(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    leaves = f"/admin/people/{ana.id}/leave"
    assert "call-backs that this person agreed" not in (await page(quiet, mila, leaves)).text
    async with transaction(quiet.ground, PROGRAM) as work:
        await a_callback(work, ana.staff, "+381641110001", CallbackState.AGREED)
    shown = (await page(quiet, mila, leaves)).text
    assert 'name="to.agreed_callbacks"' in shown
    assert "Any counsellor of the line makes the call-backs that this person agreed" in shown
    assert "The colleague who takes them over answers for them." in shown


async def test_the_pages_name_what_a_leaver_leaves_open(stage: Stage) -> None:
    """Work that no colleague could take over, a mobile on call, and tokens."""
    mila, olga = [
        await stage.add_counsellor(name, role=Role.ADMINISTRATOR, shift=False, state=None)
        for name in ("mila", "olga")
    ]
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    mobile = "+381641112223"
    telephone = f"endpoint_kind = 'phone', endpoint = '{mobile}'"
    await stage.change_rows(f"UPDATE staff SET {telephone} WHERE name = 'ana'")
    async with transaction(stage.ground, PROGRAM) as work:
        entry = Entry("on-call", "On call", "own_house", ("supervisor_on_call",))
        phones = (Phone(mobile, ""),)
        await save_agency(work, replace(entry, languages=("en",), duty_phones=phones))
        await a_callback(work, ana.staff, "+381641110001", CallbackState.AGREED)
        await provisioning.leave(work, ana.id)
    assert f"/admin/people/{ana.id}/leave" in (await page(stage, mila, "/admin/people")).text
    assert "of a person who has left" in (await page(stage, mila, "/agencies")).text
    person = f"/admin/people/{ana.id}"
    lost = f"partner_lost_at = now(), partner_lost_of = '{ana.id}'"
    await stage.change_rows(f"UPDATE lines SET {lost}")
    shown = (await page(stage, mila, person)).text
    for said in (
        "No colleague could take over",
        "this line has no partner",
        "Their phones are forgotten",
    ):
        assert said in shown
    assert "this line has no partner" in (await page(stage, mila, "/access-requests")).text
    entry = (await page(stage, mila, "/agencies/on-call/entry")).text
    assert "no key there acknowledges and nothing is sent" in entry
    vera = await stage.add_counsellor("vera", shift=False, state=None)
    shown = (await page(stage, mila, f"{person}/leave")).text
    assert 'value="deactivate"' not in shown
    (revision,) = re.findall(r'name="revision" value="(\d+)"', shown)
    form = {"revision": revision, "everything": str(vera.id), "act": "hand_over"}
    assert "Handed over: " in (await page(stage, mila, f"{person}/leave", **form)).text
    people = (await page(stage, mila, "/admin/people")).text
    assert "/leave" not in people
    assert 'id="left-open"' in people, "her mobile is still on call"
    assert "The directory still has" in (await page(stage, mila, person)).text
    # An administrator leaves on the page itself.
    await olga.ask("POST", "/tokens", {"name": "warehouse", "scopes": ["statistics"], "days": 9})
    await stage.change_rows(f"UPDATE staff SET {telephone} WHERE name = 'olga'")
    shown = (await page(stage, mila, f"/admin/people/{olga.id}/leave")).text
    assert "warehouse" in shown
    assert "/agencies/on-call/entry" in shown, "to be looked through"
    (revision,) = re.findall(r'name="revision" value="(\d+)"', shown)
    form = {"revision": revision, "act": "deactivate"}
    done = (await page(stage, mila, f"/admin/people/{olga.id}/leave", **form)).text
    assert "The directory still has a number or address of this person: On call." in done
    assert "warehouse" in done


async def test_the_page_says_which_duty_stays_uncovered_before_it_does(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana, vera, boris = [
        await quiet.add_counsellor(name, shift=False, state=None)
        for name in ("ana", "vera", "boris")
    ]
    begins = quiet.clock.now().replace(hour=20) + timedelta(days=1)
    ends = begins + timedelta(hours=2)
    async with transaction(quiet.ground, PROGRAM) as work:
        for days, who in ((0, ana), (1, ana), (1, vera), (2, ana)):
            shift = timedelta(days=days)
            await stretches.add(work, None, Place(who.id, begins + shift, ends + shift))
    quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=1))
    async with transaction(quiet.ground, PROGRAM) as work:
        await changes.swap(work, None, ana.id, boris.id, begins, ends)
        later = timedelta(days=2)
        await changes.swap(work, ana.staff, ana.id, boris.id, begins + later, ends + later)
    leaves = f"/admin/people/{ana.id}/leave"
    shown = (await page(quiet, mila, leaves)).text
    assert "boris keeps the duty of an agreed swap" in shown
    assert "not agreed yet are withdrawn" in shown
    assert 'name="knowingly"' not in shown
    form = {"revision": str(ana.staff.revision), "everything": str(vera.id)}
    refused = (await page(quiet, mila, leaves, **form, act="deactivate")).text
    assert "vera is not free for a part of the duty" in refused
    assert 'name="knowingly"' in refused
    done = await page(quiet, mila, leaves, **form, act="deactivate", knowingly="yes")
    assert "Uncovered: " in done.text, done.text
    rows = "SELECT count(*) AS n FROM rota_changes WHERE state = 'in_force' AND counsellor_id = "
    counted = [(await quiet.rows(f"{rows}'{who.id}'"))[0]["n"] for who in (ana, vera, boris)]
    assert counted == [0, 2, 1]


async def test_the_last_administrator_and_oneself_stay(work: Work) -> None:
    mila = await an_administrator(work)
    with pytest.raises(changing.LastAdministrator):
        await leaving.deactivate(work, mila.id, by=None)
    await an_administrator(work, "olga")
    with pytest.raises(changing.OwnAccount):
        await leaving.deactivate(work, mila.id, by=mila)


async def test_who_comes_back_has_no_password_and_no_session_from_before(work: Work) -> None:
    mila, ana = await an_administrator(work), await a_counsellor(work, "ana")
    ana.password_hash = "a hash"
    token = await session_tokens.open_session(work, ana)
    work.session.add(
        PushSubscription(
            staff_id=ana.id, endpoint_sealed=b"x", endpoint_key=b"x", label="", created_at=work.now
        )
    )
    await work.session.flush()
    await leaving.deactivate(work, ana.id, leaving.shifts_uncovered(), by=mila)
    assert await subscriptions.browsers_of(work, ana) == []
    with pytest.raises(leaving.AlreadyInactive):
        await leaving.deactivate(work, ana.id, by=mila)
    await leaving.reactivate(work, ana.id, by=mila)
    assert ana.active
    assert await work.session.scalar(select(Staff.password_hash).where(Staff.id == ana.id)) is None
    assert await session_tokens.staff_of_session(work, token) is None
    assert await work.session.scalar(select(ShiftRow.id)) is None
    with pytest.raises(leaving.AlreadyActive):
        await leaving.reactivate(work, ana.id, by=mila)


async def test_a_call_back_stays_with_who_talked_if_there_is_no_colleague(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    row = await a_callback(work, ana, "+381641110001", CallbackState.TRYING)
    call.callback_id, call.answered_at, ana.active = row.id, work.now, False
    await work.session.flush()
    await callback_attempts.after_attempt(work, call)
    assert (row.state, row.talked_by) == (CallbackState.SPOKEN, ana.id)
    row.state, row.talked_by = CallbackState.TRYING.value, None
    boris = await a_counsellor(work, "boris")
    await callback_attempts.after_attempt(work, call)
    assert row.talked_by == boris.id
