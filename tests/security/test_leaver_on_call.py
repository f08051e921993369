"""The mobile and the mail of a person who has left acknowledge nothing in the place of ours."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.administration import still_open
from app.administration.still_open import StillOpen
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.cli import agencies as commands
from app.dashboard import rail
from app.demo.stage import LINE
from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.people import changing, leaving, provisioning, second_phone, work_left
from app.people.changing import Changes
from app.people.letters import letter_to_owner
from app.people.provider import access
from app.people.wallboards import Wallboard
from app.referrals.channels.attempts import add_attempt, phone_on_duty, phones_on_duty
from app.referrals.channels.links import add_link
from app.referrals.channels.models import Attempt
from app.referrals.channels.registry import writing_to
from app.referrals.directory import addresses, leavers
from app.referrals.directory.agencies import agency_of_code, save_agency
from app.referrals.directory.directory_csv import write_directory
from app.referrals.directory.entries import Entry, Phone
from app.referrals.directory.leavers import StillReached
from app.referrals.directory.models import Agency
from app.referrals.directory.on_call import on_call_address
from app.referrals.directory.phones import phones_of
from app.referrals.escalation import alarms
from app.referrals.states import Purpose, Service
from app.routing.alarm_rows import Alarm, AlarmAttempt, AlarmKind
from app.routing.rota import unstaffed_alarms
from app.staff import accounts, former_addresses, phone_proofs, tokens
from app.staff.models import FormerAddress
from app.staff.telling import Told
from app.telephony.duty_phones import alarm_calls, duty
from app.telephony.provider.signature import Signed
from app.telephony.script import TAKE_DIGIT
from app.work import PROGRAM, Work
from tests.support.command_line import typed_on
from tests.support.identity.leavers import MAIL, MOBILE, OTHER, a_leaver, leaves, linked
from tests.support.profile import by_day, each_once
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_referral,
    a_supervisor,
    an_administrator,
    an_agency,
    logged,
)

pytestmark = pytest.mark.whole

ENTRY = Entry(
    code="on-call",
    name="On call",
    sector="own_house",
    services=("supervisor_on_call",),
    languages=("en",),
    email=MAIL,
    sms=MOBILE,
    duty_phones=(Phone(MOBILE, ""), Phone(OTHER, "")),
    verified_on=date(2029, 1, 1),
    verified_by="Mila",
)


async def on_call(work: Work, entry: Entry = ENTRY) -> Agency:
    work.actor = PROGRAM
    return await save_agency(work, entry)


async def test_where_a_leaver_is_still_reached_is_said_and_nothing_goes_there(work: Work) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    await an_agency(work, "house")
    await a_line(work)
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    row = await work.session.get_one(Line, line.id)
    row.plan = {**row.plan, "partner_number": MOBILE}
    ana = await a_counsellor(work, "ana")
    referral = await a_referral(work, ana)
    link, _ = add_link(work, referral, agency.id, None, ChannelKind.EMAIL, lives=timedelta(hours=1))
    await work.session.flush()
    assert len(writing_to(agency)) == 2
    assert await leaves(work, vera) == StillReached(("on-call",), ("Plavi telefon",))
    assert agency.of_leavers == sorted([MOBILE, MAIL])
    assert [act for act, _ in logged(work)].count("agency_changed") == 1
    assert (writing_to(agency), await on_call_address(work, Service.SUPERVISOR_ON_CALL)) == (
        [],
        None,
    )
    assert link.expires_at <= work.now
    # Rung last: it could have been handed on. No code of a link is spoken there.
    assert await phones_on_duty(work, agency) == [OTHER, MOBILE]
    assert await phone_on_duty(work, agency) == OTHER
    # What is checked again counts again, and so does what another person proves.
    assert await leavers.is_a_leavers(work, MOBILE)
    bob = await a_counsellor(work, "bob", endpoint=MOBILE)
    assert await leavers.is_a_leavers(work, MOBILE)
    await phone_proofs.pair(work, bob)
    await work.session.flush()
    assert not await leavers.is_a_leavers(work, MOBILE)
    await on_call(work, replace(ENTRY, verified_by="Olga"))
    assert (agency.of_leavers, len(writing_to(agency))) == ([], 2)


async def test_a_phone_that_a_colleague_has_as_well_stays_on_call(work: Work) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    bob = await a_counsellor(work, "bob")
    bob.second_phone, vera.email = MOBILE, None
    await phone_proofs.pair(work, bob)
    assert await leaves(work, vera) == StillReached()
    assert agency.of_leavers == []
    # One that a colleague only chose is not theirs.
    await phone_proofs.forget_pairing(work, bob)
    olga = await a_supervisor(work, "olga")
    olga.endpoint_kind, olga.endpoint = "phone", MOBILE
    await work.session.flush()
    plan = leaving.shifts_uncovered()
    handed = await leaving.deactivate(work, olga.id, plan, by=None)
    assert (handed.reached.entries, agency.of_leavers) == (("on-call",), [MOBILE])
    assert await leavers.is_a_leavers(work, MOBILE)
    await phone_proofs.pair(work, bob)
    assert not await leavers.is_a_leavers(work, MOBILE), "a second phone that is proven is theirs"


@pytest.mark.parametrize("out", ["changed", "second", "mail"])
async def test_what_was_taken_out_of_the_account_before_is_found_when_its_person_leaves(
    work: Work, out: str
) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    vera.email = None
    if out == "changed":
        await changing.change(work, vera.id, Changes(endpoint="+381641119999"), by=None)
    elif out == "second":
        vera.endpoint_kind, vera.endpoint, vera.second_phone = "browser", None, MOBILE
        await phone_proofs.pair(work, vera)
        await work.session.flush()
        await second_phone.give_up(work, vera)
    else:
        vera.endpoint_kind, vera.endpoint, vera.email = "browser", None, MAIL.lower()
        await changing.change(work, vera.id, Changes(email="other@home.example"), by=None)
    assert (await leaves(work, vera)).entries == ("on-call",)
    assert agency.of_leavers == [MAIL if out == "mail" else MOBILE]
    kept = await work.session.scalars(select(FormerAddress.address_key))
    assert not any(MOBILE.encode() in key for key in kept)


async def test_who_leaves_by_a_directory_or_the_provider_alarms_until_all_is_closed(
    work: Work,
) -> None:
    mila, vera, agency = await an_administrator(work), await a_leaver(work), await on_call(work)
    work.settings.smtp_url, mila.email = "smtp://127.0.0.1:1", "mila@helpline.example"
    await a_line(work)
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    row = await work.session.get_one(Line, line.id)
    row.plan = {**row.plan, "partner_number": MOBILE}
    wallboard = Wallboard(name="Hall", made_by=vera.id, made_at=work.now, language="en")
    wallboard.token_key = b"k"
    work.session.add(wallboard)
    await work.session.flush()
    await provisioning.change(work, vera.id, provisioning.PersonEntry("vera", active=False))
    assert [job.task for job in work.jobs].count(Task.WATCH_LEAVER) == 1
    work.jobs.clear()
    await still_open.watch(work, vera.id)
    told = [job.task for job in work.jobs]
    assert told == [Task.TELL_OWNER]
    letter = await letter_to_owner(work, mila.id, Told.WORK_LEFT, work.now, "")
    assert letter is not None
    assert "vera" not in letter[2].lower()
    assert await work_left.with_open(work) == [vera]
    await work.session.flush()
    assert 'data-count="admin">1<' in await rail.counts_part(work, rail.seat_of(mila))
    left = await still_open.of(work, vera)
    assert (left.entries, left.lines) == (("on-call",), ("Plavi telefon",))
    assert [one.name for one in left.wallboards] == ["Hall"]
    # It goes on for as long as one of them is open, and no second letter goes out.
    agency.of_leavers, row.plan = [], {}
    await work.session.flush()
    work.jobs.clear()
    await still_open.watch(work, vera.id)
    assert (work.jobs, await work_left.with_open(work)) == ([], [vera])
    assert await still_open.to_close(work) == []
    # It stopped with the account; until another one is made that is said for a week.
    assert wallboard.withdrawn_at is not None
    wallboard.withdrawn_at -= tokens.NAMED
    await work.session.flush()
    assert await still_open.to_close(work) == [vera.id]
    await still_open.watch(work, vera.id)
    assert (work.jobs, await work_left.with_open(work)) == ([], [])


@pytest.mark.parametrize("given_up", [False, True])
async def test_the_helplines_phone_as_an_unproven_second_phone_still_acknowledges(
    work: Work, given_up: bool
) -> None:
    house = replace(ENTRY, email=None, duty_phones=(Phone(MOBILE, ""),))
    ana, agency = await a_counsellor(work, "ana"), await on_call(work, house)
    ana.second_phone = MOBILE
    await work.session.flush()
    if given_up:
        await second_phone.give_up(work, ana)
    assert await leaves(work, ana) == StillReached(perhaps=("on-call",))
    assert (agency.of_leavers, len(writing_to(agency))) == ([], 1)
    assert not await leavers.is_a_leavers(work, MOBILE)
    # It could be theirs after all: those who change the directory are asked to look, and alarmed.
    (phone,) = await phones_of(work, agency.id)
    assert phone.doubted_at is not None
    await still_open.watch(work, ana.id)
    await work.session.flush()
    assert (await still_open.of(work, ana)).perhaps == ("on-call",)
    assert (await work_left.with_open(work), await still_open.to_close(work)) == ([ana], [])
    await on_call(work, replace(house, verified_by="Olga"))
    assert await still_open.to_close(work) == [ana.id]


async def test_what_is_about_to_be_replaced_stays_marked_when_the_entry_is_checked(
    work: Work,
) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    mila, olga = await an_administrator(work, "olga"), await a_supervisor(work, "olga2")
    await leaves(work, vera)
    work.actor = accounts.actor_of(mila)
    new = "+381641112299"
    checked = replace(ENTRY, duty_phones=(Phone(new, ""),), sms=OTHER, verified_by="Olga")
    await save_agency(work, checked)
    # The new number waits for a second person: hers is in force until then.
    assert agency.of_leavers == [MOBILE]
    assert await leavers.is_a_leavers(work, MOBILE)
    waits = await addresses.waiting(work, olga)
    await addresses.decide(work, olga, [one.change.id for one in waits], approve=True)
    assert (agency.of_leavers, (await leavers.still(work, vera)).entries) == ([], ())


async def test_a_leavers_number_that_goes_to_another_field_stays_marked(work: Work) -> None:
    house = replace(ENTRY, email=None, duty_phones=(Phone(OTHER, ""),))
    vera, agency = await a_leaver(work), await on_call(work, house)
    mila, olga = await an_administrator(work, "olga"), await a_supervisor(work, "olga2")
    await leaves(work, vera)
    work.actor = accounts.actor_of(mila)
    await save_agency(work, replace(house, sms=OTHER, duty_phones=(Phone(MOBILE, ""),)))
    waits = await addresses.waiting(work, olga)
    await addresses.decide(work, olga, [one.change.id for one in waits], approve=True)
    assert [one.number for one in await phones_of(work, agency.id)] == [MOBILE]
    assert agency.of_leavers == [MOBILE]


async def test_an_approval_marks_only_what_it_brings_in(work: Work) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    mila, olga = await an_administrator(work, "olga"), await a_supervisor(work, "olga2")
    await leaves(work, vera)
    # Her mobile was handed on to the helpline, which is checked.
    await on_call(work, replace(ENTRY, verified_by="Olga"))
    work.actor = accounts.actor_of(mila)
    await save_agency(work, replace(ENTRY, verified_by="Olga", email="house@example.org"))
    waits = await addresses.waiting(work, olga)
    await addresses.decide(work, olga, [one.change.id for one in waits], approve=True)
    assert agency.of_leavers == []


async def test_who_comes_back_alarms_until_the_entry_is_checked_again(work: Work) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    await leaves(work, vera)
    work.jobs.clear()
    await leaving.reactivate(work, vera.id, by=None)
    assert [job.task for job in work.jobs] == [Task.WATCH_LEAVER]
    await still_open.watch(work, vera.id)
    await work.session.flush()
    assert (await work_left.with_open(work), await still_open.to_close(work)) == ([vera], [])
    assert await still_open.of(work, vera) == StillOpen(("on-call",))
    await on_call(work, replace(ENTRY, verified_by="Olga"))
    assert (agency.of_leavers, await still_open.to_close(work)) == ([], [vera.id])


@pytest.mark.parametrize("was", [None, ENTRY.sector, "police"])
async def test_an_address_of_a_leaver_that_no_one_has_to_approve_acknowledges_nothing(
    work: Work, was: str | None
) -> None:
    """The operator enters it: in a new entry, in one of before, and in one that becomes ours."""
    vera, entry = await a_leaver(work), replace(ENTRY, email="house@example.org")
    await leaves(work, vera)
    if was is not None:
        phones = ENTRY.duty_phones if was == "police" else (Phone(OTHER, ""),)
        sms = MOBILE if was == "police" else OTHER
        does = ("police",) if was == "police" else ENTRY.services
        before = replace(entry, sector=was, services=does, duty_phones=phones, sms=sms)
        agency = await on_call(work, before)
        assert agency.of_leavers == []
    work.jobs.clear()
    agency = await on_call(work, replace(entry, verified_by="Olga"))
    assert agency.of_leavers == [MOBILE]
    told = [job.arguments for job in work.jobs if job.task == Task.WATCH_LEAVER]
    assert told == [{"staff_id": str(vera.id)}]
    # It was handed on to the helpline.
    await on_call(work, replace(entry, verified_by="Mila"))
    assert agency.of_leavers == []


@pytest.mark.parametrize(
    ("field", "left"),
    each_once(["duty_phones", "email"], ["by a colleague", "by the directory", "by the provider"]),
)
async def test_an_address_that_was_asked_for_before_its_person_left_acknowledges_nothing(
    work: Work, field: str, left: str
) -> None:
    bare = replace(ENTRY, email=None, sms=OTHER, duty_phones=())
    vera, agency = await a_leaver(work), await on_call(work, bare)
    mila, olga = await an_administrator(work, "olga"), await a_supervisor(work, "olga2")
    work.actor = accounts.actor_of(mila)
    await save_agency(work, replace(bare, **{field: getattr(ENTRY, field)}))
    if left == "by a colleague":
        await leaves(work, vera)
    elif left == "by the directory":
        await provisioning.leave(work, vera.id)
    else:
        await access.close(work, vera, await linked(work, vera))
    work.jobs.clear()
    waits = await addresses.waiting(work, olga)
    await addresses.decide(work, olga, [one.change.id for one in waits], approve=True)
    theirs = MAIL if field == "email" else MOBILE
    assert agency.of_leavers == [theirs]
    assert [address for _channel, address in writing_to(agency)] == [OTHER]
    assert await leavers.is_a_leavers(work, theirs)
    told = [job.arguments for job in work.jobs if job.task == Task.WATCH_LEAVER]
    assert told == [{"staff_id": str(vera.id)}]


def key(digits: str) -> Signed:
    return Signed({"CallSid": "CA1", "Digits": digits}, "/")


@pytest.mark.parametrize("digits", by_day([duty.ACKNOWLEDGE, duty.CALL_BACK]))
async def test_a_leavers_mobile_takes_no_urgent_case(work: Work, digits: str) -> None:
    vera, agency = await a_leaver(work), await on_call(work)
    await an_agency(work, "house")
    referral = await a_referral(work, await a_counsellor(work, "ana"))
    await leaves(work, vera)
    attempt = await add_attempt(
        work,
        referral,
        agency,
        ChannelKind.PHONE,
        MOBILE,
        purpose=Purpose.ESCALATION,
        recipient_id=None,
    )
    await work.session.flush()
    assert attempt is not None
    await duty.pressed(work, attempt.id, key(digits), 1)
    tried = await work.session.get_one(Attempt, attempt.id, populate_existing=True)
    assert (tried.result, referral.held_by_staff) == ("not_confirmed", False)
    noted = [detail for act, detail in logged(work) if act == "key_at_unproven_phone"]
    assert noted == [{"agency": "on-call"}]


async def an_alarm(work: Work) -> tuple[Alarm, AlarmAttempt]:
    await unstaffed_alarms.open_alarm(
        work, AlarmKind.OVERRIDE_NOT_SEEN, subject_id=uuid4(), owner_id=None
    )
    await work.session.flush()
    alarm = (await work.session.scalars(select(Alarm))).one()
    await alarms.escalate(work, alarm)
    attempt = (await work.session.scalars(select(AlarmAttempt))).one()
    return alarm, attempt


async def test_a_leavers_mobile_takes_no_alarm(work: Work) -> None:
    await a_line(work)
    vera = await a_leaver(work)
    await on_call(work, replace(ENTRY, duty_phones=(Phone(MOBILE, ""),)))
    await leaves(work, vera)
    alarm, attempt = await an_alarm(work)
    assert attempt.target == MOBILE
    await alarm_calls.pressed(work, attempt.id, key(TAKE_DIGIT), 1)
    assert (attempt.result, alarm.acknowledged_by) == ("not_confirmed", None)


def a_file(entry: Entry) -> str:
    """The file with which an operator imports the entry."""
    return write_directory([(Agency(), entry)])


@pytest.mark.parametrize("before", ["none", "replaced"])
async def test_what_an_operator_brings_into_force_is_held_against_leavers(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str
) -> None:
    vera = await a_leaver(work)
    if before == "replaced":
        await on_call(work, replace(ENTRY, email=None, sms=OTHER, duty_phones=(Phone(OTHER, ""),)))
    elif before == "another sector":
        await on_call(work, replace(ENTRY, sector="shelter", services=("shelter",)))
    assert await leaves(work, vera) == StillReached()
    work.jobs.clear()
    work.actor = PROGRAM
    # Last month's file, with another date of its check.
    file, types = tmp_path / "a.csv", typed_on(work, monkeypatch, commands.app, commands)
    file.write_text(a_file(replace(ENTRY, verified_on=date(2028, 12, 1))))
    done = await types("import", str(file))
    agency = await agency_of_code(work, "on-call")
    assert agency.of_leavers == sorted([MOBILE, MAIL])
    assert writing_to(agency) == []
    assert await leavers.is_a_leavers(work, MOBILE)
    told = [job.arguments for job in work.jobs if job.task == Task.WATCH_LEAVER]
    assert told == [{"staff_id": str(vera.id)}]
    said = "on-call: of a person who has left, acknowledges nothing: {}. Verify the entry again."
    assert done.stderr.splitlines() == [said.format(MOBILE), said.format(MAIL)]
    # Once it is verified again it counts, and the same file takes nothing back.
    file.write_text(a_file(replace(ENTRY, verified_by="Olga")))
    assert (await types("import", str(file))).output == "1 agencies\n"
    assert agency.of_leavers == []


@pytest.mark.parametrize("way", ["approved", "imported"])
async def test_an_unproven_second_phone_that_comes_into_force_after_its_person_left_is_in_doubt(
    work: Work, way: str
) -> None:
    bare = replace(ENTRY, email=None, sms=OTHER, duty_phones=())
    ana, agency = await a_counsellor(work, "ana"), await on_call(work, bare)
    mila, olga = await an_administrator(work, "olga"), await a_supervisor(work, "olga2")
    ana.second_phone = MOBILE
    await work.session.flush()
    changed = replace(bare, sms=MOBILE, duty_phones=(Phone(MOBILE, ""),))
    work.actor = accounts.actor_of(mila) if way == "approved" else PROGRAM
    if way == "approved":
        await save_agency(work, changed)
    assert await leaves(work, ana) == StillReached()
    work.jobs.clear()
    if way == "approved":
        waits = await addresses.waiting(work, olga)
        await addresses.decide(work, olga, [one.change.id for one in waits], approve=True)
    else:
        await on_call(work, changed)
    (phone,) = await phones_of(work, agency.id)
    assert (phone.doubted_at, agency.doubted_at, agency.of_leavers) == (work.now, work.now, [])
    told = {job.arguments["staff_id"] for job in work.jobs if job.task == Task.WATCH_LEAVER}
    assert told == {str(ana.id)}
    assert (await leavers.still(work, ana)).perhaps == ("on-call",)
    assert await commands.to_verify(work) == [
        f"on-call: in doubt: {MOBILE}. Verify the entry again."
    ]


async def test_who_lost_the_role_and_came_back_without_the_provider_is_no_leaver(
    work: Work,
) -> None:
    vera = await a_leaver(work)
    vera.email = None
    identity = await linked(work, vera)
    await access.close(work, vera, identity)
    assert await former_addresses.of_leavers(work, [MOBILE]) == {vera.id: {MOBILE}}
    await leaves(work, vera)
    await leaving.reactivate(work, vera.id, by=None)
    assert (vera.active, identity.lost_at is not None) == (True, True)
    assert await former_addresses.of_leavers(work, [MOBILE]) == {}
    agency = await on_call(work)
    assert agency.of_leavers == []


@pytest.mark.parametrize("verb", ["added", "left"])
async def test_an_entry_that_is_added_and_who_leaves_meanwhile_wait_for_each_other(
    work: Work, verb: str
) -> None:
    vera = await a_leaver(work)
    if verb == "added":
        await on_call(work)
    else:
        await leaves(work, vera)
    held = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND objid = :lock"
    assert await work.session.scalar(text(held), {"lock": leavers.LOCK}) == 1
