"""Urgent cases reach a person who acts: agencies are asked in turn, until one acknowledges."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.contacts import skip, skip_minutes, until_later
from tests.support.mail import Mail, link_in
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    ADDRESSES,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    in_danger,
    page,
    phone,
    referral_of,
    story,
)


@nightly
async def test_restarted_in_the_middle_of_the_escalation(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(
        night, "house", "shelter", phones=("+381113000001", "+381113000002"), **ADDRESSES
    )
    first = phone(night, "+381113000001", picks_up=None)
    second = phone(night, "+381113000002", picks_up=None)
    phone(night, ADDRESSES["sms"])
    referral_id = await in_danger(night, ana)
    for _ in range(3):
        await night.restart_server()
        await night.advance(30)
    await ana.sign_in()
    assert (first.rung, second.rung) == (1, 1)
    await night.advance(30)
    assert len(post.messages) == 1
    found = await referral_of(ana, referral_id)
    assert [r["kind"] for r in found["attempts"]][:4] == ["phone", "phone", "email", "sms"]


@nightly
async def test_two_agencies_answer_at_once(night: Stage, post: Mail) -> None:
    """The first one answers late, when the second has it: one winner, and the other is told so."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "first", "shelter", email="a@first.example")
    await add_agency(night, "second", "shelter", email="a@second.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: len(post.messages) == 2, limit=300)
    one, two = (link_in(text) for _, text in post.messages)
    assert (await click(night, one + "/step", {"kind": "accept", "name": "A"})).is_redirect
    late = await click(night, two + "/step", {"kind": "accept", "name": "B"})
    assert "Another service has taken" in late.text
    found = await referral_of(ana, made["id"])
    assert found["state"] == "accepted"
    assert found["agency"] == "First"


async def test_a_protocol_changes_while_referrals_run(night: Stage, tmp_path: Path) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    before = await by_hand(ana)
    shipped = Path("app/referrals/data/protocol-rs.yaml").read_text()
    changed = shipped.replace("version: 3\n", "version: 4\n", 1).replace("PT15M", "PT5M", 1)
    changed = changed.replace("within: PT15M", "within: PT5M")
    (tmp_path / "protocol.yaml").write_text(changed)
    night.settings.definitions_dir = tmp_path
    await night.restart_server()
    await ana.sign_in()
    after = await by_hand(ana)
    old, new = await referral_of(ana, before["id"]), await referral_of(ana, after["id"])
    assert (old["protocol_version"], new["protocol_version"]) == (3, 4)

    def minutes(found: dict[str, Any]) -> float:
        deadline = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
        began, due = (datetime.fromisoformat(deadline[k]) for k in ("started_at", "due_at"))
        return (due - began).total_seconds() / 60

    assert (minutes(old), minutes(new)) == (15, 5)
    # The old file is gone: what runs under it runs on.
    night.settings.definitions_dir = None
    await night.restart_server()
    await ana.sign_in()
    sent = await ana.ask("POST", f"/referrals/{after['id']}/override", OVERRIDE)
    assert sent.status_code == 200
    assert (await ana.ask("POST", f"/referrals/{after['id']}/send", {})).status_code == 200


@nightly
async def test_an_agency_leaves_the_directory_while_it_is_asked(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    await add_agency(night, "other", "shelter", phones=("+381113000009",))
    phone(night, "+381113000001", picks_up=None)
    other = phone(night, "+381113000009", presses="1")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(5)
    await add_agency(
        night,
        "house",
        "shelter",
        email="a@house.example",
        valid_until=night.clock.now().date() - timedelta(days=1),
    )
    await until_later(night, lambda: other.rung == 1, 240, "the other agency")
    await night.advance(20)
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


@nightly
async def test_key_1_of_our_own_unproven_phone_does_not_stop_the_escalation(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    number, pin = "+381641112224", "283746"
    vera = await night.add_counsellor(
        "vera",
        role=Role.SUPERVISOR,
        endpoint=number,
        shift=False,
        state=None,
        pin=pin,
        paired=False,
    )
    await add_agency(night, "on-call", "supervisor_on_call", sector="own_house", phones=(number,))
    director_phone = "+381113000004"
    await add_agency(
        night, "director", "director_on_call", sector="own_house", phones=(director_phone,)
    )
    await add_agency(night, "first", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", busy=True)
    own = phone(night, number, presses="1")
    director = phone(night, director_phone, picks_up=None)
    referral_id = await in_danger(night, ana)
    await until_later(night, lambda: own.rung == 1, 300, "the supervisor")
    await night.until(lambda: director.rung == 1, limit=30, what="the next person")
    assert not (await referral_of(ana, referral_id))["held_by_staff"]
    history = (await page(night, ana, f"/referrals/{referral_id}")).text
    assert "Rings a duty phone of On Call" in history
    assert "of on-call" not in history
    noted = await night.rows(
        "SELECT subject, detail FROM audit_entries WHERE action = 'key_at_unproven_phone'"
    )
    assert (noted[0]["subject"], noted[0]["detail"]) == (referral_id, {"staff_id": str(vera.id)})
    # In the next round the person enters the PIN: the phone is proven, and the person has it.
    own.press_after, said = 2.0, len(own.heard)
    await until_later(night, lambda: own.rung == 2, 900, "the next round")
    await night.until(lambda: any("PIN" in h.text for h in own.heard[said:]), limit=60)
    own.presses = pin
    await night.advance(10)
    found = await referral_of(ana, referral_id)
    assert found["held_by_staff"], story(found)


async def test_escalation_goes_on_until_a_person_acknowledges(night: Stage, post: Mail) -> None:
    """Duty phones, SMS and e-mail, the next agency, our supervisor, our director, around."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    director = await two_agencies_and_our_own_staff_who_do_not_answer(night)
    referral_id = await in_danger(night, ana)
    await override_is_seen(night)
    await skip_minutes(night, 11, every=1 / 2)
    await every_step_was_tried_and_it_goes_around(night, ana, referral_id)
    # The quarter of an hour is over: the breach is in the log, and there is a notice of it.
    await skip_minutes(night, 5, every=1)
    found = await referral_of(ana, referral_id)
    assert "deadline_missed" in " ".join(story(found))
    kinds = {r["kind"] for r in await night.rows("SELECT kind FROM notices")}
    assert {"breach", "escalated", "override"} <= kinds
    # Then the director answers the phone: our own staff have it, and an agency still has to.
    director.picks_up, director.presses = 1.0, "1"
    times_rung = director.rung
    for _ in range(45):
        if director.rung > times_rung:
            break
        await skip(night, 20 / 3600)
    await night.advance(30)
    found = await referral_of(ana, referral_id)
    assert found["held_by_staff"], story(found)
    assert "hand_over" in running_deadlines(found)
    # No agency takes it over in time: the escalation begins anew.
    director.picks_up = None
    await skip_minutes(night, 16)
    found = await referral_of(ana, referral_id)
    assert not found["held_by_staff"]
    assert "acknowledge" in running_deadlines(found)
    # An agency that comes late is heard.
    late = link_in(post.to("a@first.example")[0]) + "/step"
    assert (await click(night, late, {"kind": "accept", "name": "M"})).is_redirect
    assert (await referral_of(ana, referral_id))["state"] == "accepted"


async def two_agencies_and_our_own_staff_who_do_not_answer(night: Stage) -> Phone:
    """Return the phone of the director, which rings and is not answered; the others are busy."""
    first = {"phones": ("+381113000001",), "email": "a@first.example", "sms": "+381640000001"}
    await add_agency(night, "first", "shelter", **first)
    await add_agency(night, "second", "shelter", phones=("+381113000002",))
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(
        night,
        "director",
        "director_on_call",
        sector="own_house",
        phones=("+381113000004",),
        email="director@line.example",
    )
    for number in ("+381113000001", "+381113000002", "+381113000003"):
        phone(night, number, busy=True)
    phone(night, "+381640000001")
    return phone(night, "+381113000004", picks_up=None)


async def override_is_seen(night: Stage) -> None:
    """A second person looks at the override, so that no alarm about it rings a phone."""
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    notice = (await night.rows("SELECT id FROM notices WHERE kind = 'override'"))[0]["id"]
    assert (await vera.ask("POST", f"/notices/{notice}/seen")).status_code == 204


async def every_step_was_tried_and_it_goes_around(
    night: Stage, ana: Counsellor, referral_id: str
) -> None:
    found = await referral_of(ana, referral_id)
    tried = [(r["agency"], r["kind"]) for r in found["attempts"]]
    assert tried[:7] == [
        ("First", "phone"),
        ("First", "email"),
        ("First", "sms"),
        ("Second", "phone"),
        ("On Call", "phone"),
        ("Director", "phone"),
        ("Director", "email"),
    ]
    assert found["state"] == "sent"
    assert ("First", "phone") in tried[7:], "it goes around again"
    # No person is tried again within a minute.
    times: dict[tuple[str, str], list[Any]] = {}
    for row in await night.rows("SELECT target, kind, wanted_at FROM attempts ORDER BY number"):
        times.setdefault((row["target"], row["kind"]), []).append(row["wanted_at"])
    for first_and_later in times.values():
        for earlier, later in pairwise(first_and_later):
            assert later - earlier >= timedelta(seconds=60)


def running_deadlines(found: dict[str, Any]) -> list[str]:
    return [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None]


async def test_a_wrong_number_is_not_a_rejection(night: Stage) -> None:
    """Key 3: the next way of the same agency is tried, and the directory's keeper sees the mark."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    numbers = ("+381113000001", "+381113000002")
    await add_agency(night, "house", "shelter", phones=numbers, name="Safe House")
    await add_agency(night, "xother", "shelter", phones=("+381113000003",))
    phone(night, numbers[0], presses="3")
    second = phone(night, numbers[1], presses="2")
    other = phone(night, "+381113000003")
    referral_id = await in_danger(night, ana)
    await night.advance(40)
    found = await referral_of(ana, referral_id)
    assert [r["result"] for r in found["attempts"]] == ["wrong_number", "wants_to_be_called_back"]
    assert [(a["agency"], a["reason"]) for a in found["recipients"]] == [("house", None)]
    assert other.rung == 0
    assert found["state"] == "sent", "wanting to be called back is not acknowledging"
    kinds = [r["kind"] for r in await night.rows("SELECT kind FROM notices ORDER BY at")]
    assert {"wrong_number", "call_back"} <= set(kinds)
    doubted = await night.rows("SELECT number FROM duty_phones WHERE doubted_at IS NOT NULL")
    assert [r["number"] for r in doubted] == [numbers[0]]
    shown = await page(night, ana, "/agencies")
    assert f"wrong number? {numbers[0]}" in shown.text
    boss = await night.add_counsellor("boss", role=Role.SUPERVISOR, shift=False, state=None)
    listed = (await page(night, boss, "/board/referrals")).text
    assert "correct the directory</strong>: Safe House" in " ".join(listed.split())
    # The escalation waits for the call back, and then goes on.
    second.presses = "1"
    await until_later(night, lambda: second.rung + other.rung > 1, 400, "a phone rings", every=15)
    await night.advance(30)
    assert (await referral_of(ana, referral_id))["state"] == "acknowledged"


@nightly
async def test_where_no_agency_fits_our_own_staff_are_asked_and_are_no_agencys_deputy(
    night: Stage,
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(
        night, "day", "shelter", phones=(("+381113000001", "Mo-Fr 08:00-16:00"),), deputy="on-call"
    )
    phone(night, "+381113000003", presses="1")
    referral_id = await in_danger(night, ana)
    await night.advance(60)
    found = await referral_of(ana, referral_id)
    assert found["held_by_staff"]
    assert found["recipients"] == []
    assert found["attempts"][0]["result"] == "acknowledged"
    # A supervisor adds an agency, and sends it there.
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    await ana.ask("POST", f"/referrals/{referral_id}/send", {"agency": "house"})
    await night.advance(40)
    found = await referral_of(ana, referral_id)
    assert (found["state"], found["held_by_staff"]) == ("acknowledged", False), story(found)
    assert found["recipients"][-1]["agency"] == "house"


@nightly
async def test_agencies_that_are_closed_at_night_are_not_offered_and_fill_no_log(
    night: Stage,
) -> None:
    """They are not offered what they cannot hear of; and the log does not fill with rounds."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    for n in range(4):
        await add_agency(
            night, f"day-{n}", "shelter", phones=((f"+3811130000{n:02d}", "Mo-Fr 08:00-16:00"),)
        )
    referral_id = await in_danger(night, ana)
    await skip_minutes(night, 25, every=2.5)
    found = await referral_of(ana, referral_id)
    assert found["recipients"] == []
    assert len(found["events"]) < 25, len(found["events"])
    kinds = [r["kind"] for r in await night.rows("SELECT kind FROM notices")]
    assert "no_agency_left" in kinds
    # In the morning they are asked.
    duty = phone(night, "+381113000000", presses="1")
    await skip(night, 7)
    await until_later(night, lambda: duty.rung > 0, 400, "the first that is open")
    await night.advance(30)
    await ana.sign_in()
    assert (await referral_of(ana, referral_id))["state"] == "acknowledged"


async def test_our_own_staff_are_steps_of_the_escalation_and_not_recipients(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    vera = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await add_agency(
        quiet, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE)
    refused = await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "on-call"})
    assert refused.status_code == 422
    await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    # What stops an escalation was said by a person.
    for verb in ("acknowledge", "accept", "progress", "complete"):
        answer = await ana.ask("POST", f"/referrals/{made['id']}/{verb}", {})
        assert answer.status_code == 422, verb
    taken = await vera.ask("POST", f"/referrals/{made['id']}/take")
    assert taken.status_code == 200
    found = await referral_of(vera, made["id"])
    assert found["owner_id"] == str(vera.id)
    assert any(e["kind"] == "owner" for e in found["events"])


@nightly
async def test_a_key_that_is_reported_after_the_end_of_the_leg_counts(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001", "+381113000002"))
    phone(night, "+381113000001", presses="1")
    phone(night, "+381113000002", picks_up=None)
    night.exchange.knobs.turn("delay", "/pressed", times=1, seconds=3)
    referral_id = await in_danger(night, ana)
    await night.advance(5)
    rung = (await night.rows("SELECT id FROM attempts"))[0]["id"]
    leg = next(leg for leg in night.exchange.legs.values() if leg.to == "+381113000001")
    # The end overtakes the key.
    base = f"{night.settings.public_url}/telephony/duty/{rung}"
    fields = [*night.exchange.leg_fields(leg)]
    ended = [(k, "completed" if k == "CallStatus" else v) for k, v in fields]
    await night.exchange.sender.call_back(f"{base}/status", ended)
    assert (await referral_of(ana, referral_id))["attempts"][0]["result"] == "no_key_pressed"
    # Key 1 is not yet a yes: the question after it was never heard.
    await night.exchange.sender.call_back(f"{base}/pressed?n=1", [*fields, ("Digits", "1")])
    assert (await referral_of(ana, referral_id))["attempts"][0]["result"] == "no_key_pressed"
    confirming = str(4 + rung.int % 6)
    pressed = [*fields, ("Digits", confirming)]
    await night.exchange.sender.call_back(f"{base}/pressed?n=11", pressed)
    found = await referral_of(ana, referral_id)
    assert found["state"] == "acknowledged"
    assert found["attempts"][0]["result"] == "acknowledged"


@nightly
async def test_at_the_change_of_a_duty_phones_shift_no_phone_is_skipped(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    numbers = [f"+38111300000{n}" for n in (1, 2, 3)]
    await add_agency(
        night, "house", "shelter", phones=((numbers[0], "00:00-02:01"), numbers[1], numbers[2])
    )
    first, second, third = (
        phone(night, numbers[0], picks_up=None),
        phone(night, numbers[1], presses="1"),
        phone(night, numbers[2], presses="1"),
    )
    night.stepped.move_to(night.clock.now() + timedelta(seconds=45))
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(90)
    assert (first.rung, second.rung, third.rung) == (1, 1, 0)
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"
