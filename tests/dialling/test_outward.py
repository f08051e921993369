"""Numbers are checked when they are entered and when they are dialled, counted, and limited."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from app.calls.lines import finding_lines
from app.calls.models import Call, Leg
from app.dialling import outward
from app.dialling.minutes import minutes
from app.dialling.models import Dial, DialledFor, DiallingRules, DialWay
from app.errors import ChangedMeanwhile, Invalid
from app.outbox.channels import ChannelKind
from app.people import changing, dialling, links
from app.people.dialling import RuleChanges
from app.referrals.channels.attempts import add_attempt
from app.referrals.channels.models import Attempt
from app.referrals.directory.agencies import agency_of_code, save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.directory.models import DutyPhone
from app.referrals.escalation.alarms import message_of
from app.routing import changing_plans, volume
from app.routing.alarm_rows import Alarm
from app.routing.callbacks import callbacks, choices
from app.routing.participants import inviting
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.telephony.duty_phones.duty import DutyCall
from app.telephony.inbound import arriving
from app.telephony.jobs import Parts
from app.telephony.platforms.choose import platform_of
from app.work import PROGRAM, Actor, ActorKind, Work
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_referral,
    a_talk,
    an_administrator,
    logged,
    rings,
)

POLICE, PREMIUM, SATELLITE, ABROAD = (
    "+38111300000",
    "+381900123456",
    "+881612345678",
    "+385911234567",
)


def shelter(*numbers: str, sms: str | None = None) -> Entry:
    return Entry(
        code="house",
        name="House",
        sector="shelter",
        services=("shelter",),
        languages=("en",),
        email="a@house.example",
        sms=sms,
        duty_phones=tuple(Phone(number) for number in numbers),
    )


@pytest.mark.parametrize("number", [PREMIUM, SATELLITE, ABROAD])
async def test_a_forbidden_number_is_refused_where_it_is_entered(work: Work, number: str) -> None:
    await a_line(work)
    ana, mila = await a_counsellor(work, "ana"), await an_administrator(work)
    for entry in (shelter(number), shelter(POLICE, sms=number)):
        with pytest.raises(Invalid, match=r"(duty_phones: '\+\d+'|sms): .*Enter another number"):
            await save_agency(work, entry)
    for endpoint in (number, f"sip:{number}@trunk.example"):
        with pytest.raises(outward.NotDialled, match="Enter another number"):
            await changing.change(work, ana.id, changing.Changes(endpoint=endpoint), by=mila)
        invited = changing.Changes(name="new", endpoint=endpoint)
        with pytest.raises(outward.NotDialled):
            await links.invite(work, invited, by=mila, by_mail=False)
    line = await finding_lines.any_line(work)
    assert line is not None
    with pytest.raises(outward.NotDialled):
        await changing_plans.change_plan(work, line, partner_number=number)


async def test_a_forbidden_number_is_neither_asked_into_a_talk_nor_called_back(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    for number in (PREMIUM, SATELLITE, ABROAD, "12345"):
        with pytest.raises(outward.NotDialled):
            await inviting.add_third_party(work, ana, call, number, "police")
        with pytest.raises(outward.NotDialled):
            await inviting.consult(work, ana, call, number=number)
    assert (await inviting.add_third_party(work, ana, call, "192", "police")).number_sealed
    for caller in (PREMIUM, ABROAD):
        rung, _ = await rings(work, f"CA{caller}", From=caller)
        assert not await callbacks.can_be_called(work, rung)
        who, window = choices.Who.CALLER, (work.now, work.now + timedelta(hours=1))
        with pytest.raises(outward.NotDialled, match="Enter another number"):
            await callbacks.agree(work, rung, who, window, safe=True)
    assert await callbacks.can_be_called(work, call)


async def dials(work: Work) -> list[Dial]:
    await work.session.flush()
    return list(await work.session.scalars(select(Dial).order_by(Dial.at)))


async def test_a_number_that_became_forbidden_is_not_rung_and_the_next_person_is_asked(
    work: Work,
) -> None:
    """An urgent referral goes on: its escalation takes the next phone at once."""
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    await save_agency(work, shelter("+381641110001", POLICE))
    # Stored before there were rules, as it were.
    stored = update(DutyPhone).where(DutyPhone.number == "+381641110001").values(number=PREMIUM)
    await work.session.execute(stored)
    referral = await a_referral(work, ana)
    first = await work.session.scalar(select(Attempt).where(Attempt.kind == ChannelKind.PHONE))
    assert first is not None
    assert first.target == PREMIUM
    out = DutyCall(Parts(work.ground, platform_of(work.settings)), str(first.id))
    await out.lock(work)
    assert await out.prepare(work, first)
    assert not await out.may_go(work, first)
    await out.failed(work, first, None)
    await work.session.flush()
    (kept,) = await dials(work)
    assert (kept.refused, kept.country, kept.purpose) == ("expensive", "RS", "duty_phone")
    again = await work.session.scalars(
        select(Attempt.target).where(Attempt.referral_id == referral.id, Attempt.id != first.id)
    )
    assert POLICE in again.all()
    assert referral.escalates_at is not None
    assert [row.refused for row in await outward.refusals(work)] == ["expensive"]


async def test_a_partner_whose_number_became_forbidden_is_left_out(work: Work) -> None:
    await a_line(work)
    line = await finding_lines.any_line(work)
    assert line is not None
    await changing_plans.change_plan(work, line, partner_number=POLICE)
    work.ground.memory.forget("lines")
    call, _ = await rings(work)
    line = await finding_lines.any_line(work)
    assert line is not None
    assert await arriving.partner_is_due(work, call, line, at_once=True)
    refused = replace(line, plan={**line.plan, "partner_number": PREMIUM})
    other = await rings(work, "CA2")
    for _ in range(3):
        assert not await arriving.partner_is_due(work, other[0], refused, at_once=True)
    assert [row.refused for row in await dials(work)] == [None, "expensive"], "counted once"


async def set_rules(work: Work, **values: int) -> None:
    given = {"person_hour": 3, "person_day": 4, "alarm_hour": 3, "alarm_day": 5}
    given |= {"minutes_hour": 1000, "minutes_day": 1000} | values
    work.session.add(DiallingRules(id=1, countries=[], kinds=["fixed_line", "mobile"], **given))
    await work.session.flush()
    work.ground.memory.forget("lines")


async def test_a_person_has_a_limit_for_an_hour_and_one_for_a_day(work: Work) -> None:
    ana, boro = await a_counsellor(work, "ana"), await a_counsellor(work, "boro")
    call, _ = await a_talk(work, ana)
    await set_rules(work)

    async def asks(who: Staff = ana, *, danger: bool = False) -> None:
        key = uuid4()
        await outward.count_for_person(
            work, who.id, key, POLICE, DialledFor.PARTICIPANT, danger=danger
        )

    for _ in range(3):
        await asks()
    with pytest.raises(outward.DialledTooOften, match="Wait 60 minutes"):
        await asks()
    with pytest.raises(outward.DialledTooOften, match="the limit for one person"):
        await inviting.add_third_party(work, ana, call, POLICE, "police")
    # It counts by person, and a child in danger is never kept waiting for it.
    await asks(boro)
    await asks(danger=True)
    work.now += timedelta(minutes=61)
    with pytest.raises(outward.DialledTooOften, match="4 numbers dialled within 24 hours"):
        await asks()
    work.now += timedelta(hours=24)
    await asks()
    assert [row[1:] for row in await outward.per_person(work)] == [(1, 1)]


async def test_an_agreed_call_back_counts_for_the_person_and_not_for_a_caller_at_the_keys(
    work: Work,
) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    await set_rules(work, person_hour=1)
    window = (work.now, work.now + timedelta(hours=1))
    for _ in range(2):
        await callbacks.agree(work, call, choices.Who.CALLER, window, safe=True)
    assert await dials(work) == []
    work.actor = actor_of(ana)
    await callbacks.agree(work, call, choices.Who.CALLER, window, safe=True)
    with pytest.raises(outward.DialledTooOften):
        await callbacks.agree(work, call, choices.Who.CALLER, window, safe=True)
    (row,) = await dials(work)
    assert (row.way, row.staff_id) == ("agreed", ana.id)
    assert await outward.volume(work) == (0, 0), "nothing went out yet"


async def test_no_limit_holds_up_the_phones_of_an_urgent_referral(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    await save_agency(work, shelter(POLICE))
    await set_rules(work, person_hour=1, person_day=1, alarm_hour=1, alarm_day=1)
    work.actor = actor_of(ana)
    for _ in range(3):
        await outward.may_dial(work, POLICE, uuid4(), DialledFor.DUTY_PHONE)
    referral = await a_referral(work, ana)
    agency = await agency_of_code(work, "house")
    attempt = await add_attempt(work, referral, agency, ChannelKind.PHONE, POLICE)
    out = DutyCall(Parts(work.ground, platform_of(work.settings)), str(attempt.id))
    await out.lock(work)
    assert await out.may_go(work, attempt)
    assert await outward.volume(work) == (4, 4)


async def alarm_kinds(work: Work) -> list[str]:
    await volume.look_at_volume(work)
    await work.session.flush()
    return list(await work.session.scalars(select(Alarm.kind).where(Alarm.ended_at.is_(None))))


async def test_much_that_is_dialled_is_told_once_in_a_window_and_again_in_the_next(
    work: Work,
) -> None:
    await a_line(work)
    mila = await an_administrator(work)
    mila.email = "mila@example.org"
    await set_rules(work)

    async def go_out(times: int) -> None:
        for _ in range(times):
            await outward.may_dial(work, POLICE, uuid4(), DialledFor.ALARM, DialWay.SMS)

    await go_out(2)
    assert await alarm_kinds(work) == []
    await go_out(1)
    assert await alarm_kinds(work) == ["dialling_hour"]
    told = [job.arguments for job in work.jobs if job.task == "routing:mail_volume"]
    assert [one["staff_id"] for one in told] == [str(mila.id)]
    assert "referrals:alarm_turn" in {job.task for job in work.jobs}, "the people on call are rung"
    await go_out(1)
    assert await alarm_kinds(work) == ["dialling_hour"]
    work.now += timedelta(minutes=61)
    assert await alarm_kinds(work) == [], "it is over"
    await go_out(3)
    assert sorted(await alarm_kinds(work)) == ["dialling_day", "dialling_hour"]
    await outward.may_dial(work, SATELLITE, uuid4(), DialledFor.ALARM)
    assert (await outward.volume(work))[0] == 3, "what was refused did not go out"


def a_leg(call: Call, id_: UUID, begun: datetime | None, **values: object) -> Leg:
    told = {"created_at": begun or call.opened_at, "answered_at": begun} | values
    return Leg(id=id_, call_id=call.id, offer_id=uuid4(), sending="sent", **told)


async def test_minutes_of_dialled_phones_are_counted_and_open_the_alarm(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    await set_rules(work, minutes_hour=61, minutes_day=600)
    phone, sip, page_, unanswered, asked = (uuid4() for _ in range(5))
    for key, to in (
        (phone, POLICE),
        (sip, "sip:ana@phones.example"),
        (page_, "client:ana"),
        (unanswered, POLICE),
        (asked, POLICE),
    ):
        await outward.may_dial(work, to, key, DialledFor.COUNSELLOR)
    assert await outward.volume(work) == (4, 4), "a SIP address costs, a page does not"
    begun = work.now
    work.session.add_all(
        [
            # One that goes on, one that was over after ten minutes, and a person in a talk.
            a_leg(call, phone, begun),
            a_leg(call, sip, begun, ended_at=begun + timedelta(minutes=10)),
            a_leg(call, uuid4(), begun, participant_id=asked, ended_at=begun + timedelta(hours=2)),
            a_leg(call, page_, begun),
            a_leg(call, unanswered, None, ended_at=begun + timedelta(hours=9)),
        ]
    )
    work.now = begun + timedelta(minutes=30)
    assert await minutes(work) == (30 + 10 + 30, 30 + 10 + 30)
    assert await alarm_kinds(work) == ["dialling_hour"], "five calls, and many minutes"
    work.now = begun + timedelta(hours=3)
    assert await minutes(work) == (60, 180 + 10 + 120)
    assert await alarm_kinds(work) == [], "it is over"
    work.now = begun + timedelta(hours=9)
    assert await minutes(work) == (60, 540 + 10 + 120)
    assert await alarm_kinds(work) == ["dialling_day"]
    # A call that goes on for longer than a day counts as a day.
    work.now = begun + timedelta(hours=30)
    assert await minutes(work) == (60, 1440)


async def test_minutes_of_call_backs_and_partners_count(work: Work) -> None:
    await a_line(work)
    (back, _), (to_partner, _) = await rings(work), await rings(work, "CA2")
    await outward.may_dial(work, POLICE, back.id, DialledFor.CALLBACK)
    back.direction, back.sending, back.answered_at = "outbound", "sent", work.now
    to_partner.partner_at = to_partner.transferred_at = work.now
    await work.session.flush()
    work.now += timedelta(minutes=20)
    assert await minutes(work) == (40, 40)


async def test_without_a_line_there_is_an_alarm_and_a_letter_all_the_same(work: Work) -> None:
    mila = await an_administrator(work)
    mila.email = "mila@example.org"
    await set_rules(work, alarm_hour=1)
    await outward.may_dial(work, POLICE, uuid4(), DialledFor.ALARM)
    assert await finding_lines.any_line(work) is None
    assert await alarm_kinds(work) == ["dialling_hour"]
    assert await alarm_kinds(work) == ["dialling_hour"], "once"
    assert "routing:mail_volume" in {job.task for job in work.jobs}
    (alarm,) = await volume.open_alarms(work)
    _, text = await message_of(work, alarm, "en")
    # No sign of direction beside the address, which would become a part of it.
    _, from_right = await message_of(work, alarm, "ar")
    assert from_right.endswith(f" {work.settings.public_url}/roster")
    assert "than usual. See" in text
    assert text.endswith("/roster")


async def test_the_rules_are_changed_with_before_and_after_and_strand_no_number(work: Work) -> None:
    await a_line(work)
    mila = await an_administrator(work)
    work.actor = Actor(ActorKind.PERSON, mila.id, mila.name, mila.role)
    changed = await dialling.change(work, RuleChanges(countries=["hr"], person_hour=5), revision=0)
    assert (changed.countries, changed.person_hour, changed.revision) == (("HR",), 5, 1)
    assert logged(work)[-1] == (
        "dialling_changed",
        {
            "before": {"countries": [], "person_hour": 30},
            "after": {"countries": ["HR"], "person_hour": 5},
        },
    )
    work.ground.memory.forget("lines")
    # At the command line its addresses wait for no second person.
    work.actor = PROGRAM
    await save_agency(work, shelter(ABROAD))
    with pytest.raises(dialling.NumbersInUse, match="house"):
        await dialling.change(work, RuleChanges(countries=[]))
    with pytest.raises(dialling.NumbersInUse):
        await dialling.change(work, RuleChanges(kinds=["fixed_line"]))
    with pytest.raises(ChangedMeanwhile):
        await dialling.change(work, RuleChanges(person_day=50), revision=0)
    before = len(logged(work))
    await dialling.change(work, RuleChanges(person_hour=5))
    assert len(logged(work)) == before, "nothing changed"
    for wrong in (
        RuleChanges(countries=["Serbia"]),
        RuleChanges(countries=["XX"]),
        RuleChanges(kinds=[]),
        RuleChanges(kinds=["premium_rate"]),
        RuleChanges(person_hour=0),
        RuleChanges(person_day=2),
        RuleChanges(alarm_hour=9000),
        RuleChanges(minutes_hour=17000),
        RuleChanges(minutes_day=0),
    ):
        with pytest.raises(Invalid):
            await dialling.change(work, wrong)


async def test_what_is_dialled_is_kept_without_the_number(work: Work) -> None:
    await a_line(work)
    call, _ = await rings(work)
    assert isinstance(call, Call)
    await outward.may_dial(work, POLICE, call.id, DialledFor.CALLBACK)
    await outward.may_dial(work, POLICE, call.id, DialledFor.CALLBACK)
    (row,) = await dials(work)
    kept = {column.name: getattr(row, column.name) for column in Dial.__table__.columns}
    assert POLICE[4:] not in str(kept)
    assert (row.country, row.refused) == ("RS", None)
