"""Counsellors with nothing but a telephone."""

import re
from datetime import timedelta

import pytest

from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from app.staff.roles import Role
from app.words import pages
from app.words.without_codes import ONLY_A_PIN
from tests.support.leaks.deferred import in_jobs
from tests.support.profile import by_day, nightly
from tests.support.referrals import page
from tests.support.talks import CHILD, rings_at, text_message, waits

VERA, PIN = "+38164999001", "258036"


async def rings_in(stage: Stage, digit: str, *entries: str) -> Leg:
    """A call that shows the number of vera: a key for the duty, then what is entered."""
    leg = stage.ring(VERA)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(2)
    for entry in entries:
        stage.exchange.press(leg, entry)
        # After a wrong entry the next one is asked for after a while.
        await stage.advance(14 if entry != entries[-1] else 6)
    return leg


def code_in(phone: Phone) -> str:
    """The code in the last text to a phone."""
    found = re.search(r"\d{6}", phone.texts[-1].text)
    assert found
    return found[0]


@pytest.mark.usefixtures("each_minute")
async def test_a_counsellor_rings_the_line_and_presses_a_key(stage: Stage) -> None:
    stage.exchange.phones[VERA] = Phone(picks_up=2)
    vera = await stage.add_counsellor("vera", endpoint=VERA, state=None, pin=PIN)
    for digit, state in by_day((("2", "break"), ("1", "available"), ("3", "off_duty"))):
        leg = await rings_in(stage, digit, PIN)
        assert await vera.presence() == state
        await stage.until(lambda leg=leg: leg.over, limit=30)
        row = await stage.call_of(leg)
        lines = await stage.rows("SELECT practice FROM lines WHERE id = %s", row["line_id"])
        assert lines[0]["practice"], "it counts in no statistic"
    for table in ("call_events", "audit_entries"):
        rows = await stage.rows(f"SELECT t::text AS words FROM {table} t")
        assert rows, table
        assert not any(PIN in row["words"] for row in rows), table
    # In silence they are a caller like any.
    ana = await stage.add_counsellor("ana")
    leg = stage.ring(VERA)
    await stage.advance(22)
    stage.exchange.press(leg, "1")
    await stage.advance(3)
    assert await rings_at(stage, ana) == ["ana"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert in_jobs(PIN) == []
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_forged_number_sets_nothing_and_is_a_caller(stage: Stage) -> None:
    """Wrong PINs lock the way by phone, and never the desk."""
    stage.exchange.phones[VERA] = Phone(picks_up=2)
    vera = await stage.add_counsellor("vera", endpoint=VERA, state=None, pin=PIN)
    leg = await rings_in(stage, "1", "000000", "111111", "222222")
    assert leg.has_heard("Vaše dežurstvo nije promenjeno")
    assert not leg.over, "it may be a child, who goes on like any caller"
    assert await vera.presence() == "off_duty"
    await stage.exchange.hang_up(leg)
    leg = await rings_in(stage, "1", "333333", "444444")
    await stage.exchange.hang_up(leg)
    leg = await rings_in(stage, "1", PIN)
    assert await vera.presence() == "off_duty", "locked"
    await stage.exchange.hang_up(leg)
    await vera.be("available")
    assert await vera.presence() == "available", "the desk is not"
    stage.stepped.move_to(stage.clock.now() + timedelta(minutes=16))
    await vera.sign_in()
    await rings_in(stage, "2", PIN)
    assert await vera.presence() == "break"


async def test_without_a_pin_a_code_is_texted_to_the_phone_of_the_account(stage: Stage) -> None:
    stage.exchange.phones[VERA] = phone = Phone(picks_up=2)
    vera = await stage.add_counsellor("vera", endpoint=VERA, state=None, paired=False)
    await where_no_code_goes_by_telephone(stage, vera, phone)
    assert await vera.presence() == "off_duty"
    leg = await rings_in(stage, "1")
    code = code_in(phone)
    stage.exchange.press(leg, code)
    await stage.advance(5)
    assert await vera.presence() == "available"
    (proof,) = await stage.rows("SELECT paired_at, code_hash FROM phone_proofs")
    assert proof["paired_at"] is not None
    assert proof["code_hash"] is None
    assert in_jobs(code) == []
    for table in ("call_events", "audit_entries"):
        rows = await stage.rows(f"SELECT t::text AS words FROM {table} t")
        assert rows, table
        assert not any(code in row["words"] for row in rows), table


async def where_no_code_goes_by_telephone(stage: Stage, vera: Counsellor, phone: Phone) -> None:
    """Vera, who has no PIN, is told how to get one: in the call, in a text, and on the page."""
    stage.settings.codes_by_telephone = False
    assert ONLY_A_PIN in (await page(stage, vera, "/account")).text
    leg = await rings_in(stage, "1")
    with pages.spoken_in("sr"):
        assert leg.has_heard(pages.said(ONLY_A_PIN))
    assert phone.texts == []
    await stage.exchange.hang_up(leg)
    for words in ("Available", "000000"):
        assert ONLY_A_PIN in (await text_message(stage, VERA, words)).text
    stage.settings.codes_by_telephone = True


@nightly
async def test_a_code_of_an_administrator_sets_the_presence_and_then_a_pin(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    stage.exchange.phones[VERA] = phone_of_vera = Phone(picks_up=2)
    vera = await stage.add_counsellor("vera", endpoint=VERA, state=None, paired=False)
    at = f"/admin/people/{vera.staff.id}"
    assert "The phone is not proven yet." in (await page(stage, mila, at)).text
    made = await page(stage, mila, f"{at}/phone-code", make="1")
    found = re.search(r'id="phone-code">(\d{6})<', made.text)
    assert found
    assert made.headers["cache-control"] == "no-store"
    leg = await rings_in(stage, "1", found[1])
    assert await vera.presence() == "available"
    for entry in (PIN, PIN):
        stage.exchange.press(leg, entry)
        await stage.advance(10)
    await stage.until(lambda: leg.over, limit=30)
    assert phone_of_vera.texts == [], "the code in hand is enough"
    shown = (await page(stage, mila, at)).text
    assert "The phone is proven." in shown
    assert "There is a PIN." in shown
    await rings_in(stage, "2", PIN)
    assert await vera.presence() == "break"
    # The page of the own account, and the interface for programs.
    assert "You have a PIN." in (await page(stage, vera, "/account")).text
    wrong = {"present": "wrong", "pin": "369147", "again": "369147"}
    assert (
        "present password is wrong" in (await page(stage, vera, "/account/phone-pin", **wrong)).text
    )
    assert (await mila.ask("POST", f"/people/{mila.staff.id}/phone-code")).status_code == 409
    again = await mila.ask("POST", f"/people/{vera.staff.id}/phone-code")
    assert re.fullmatch(r"\d{6}", again.json()["code"])


# By day the verbs of it are tried (`tests/telephony/counsellor/test_unproven_phone.py`).
@nightly
async def test_a_phone_that_is_not_proven_takes_a_call_only_with_the_pin(stage: Stage) -> None:
    stage.exchange.phones[VERA] = phone = Phone(picks_up=1, presses="1")
    vera = await stage.add_counsellor("vera", endpoint=VERA, pin=PIN, paired=False)
    # A PIN that does not count is not asked for.
    stage.settings.codes_by_telephone = False
    leg = await waits(stage)
    await stage.until(lambda: bool(phone.heard), limit=30)
    with pages.spoken_in("sr"):
        assert phone.heard[-1].text == pages.said(ONLY_A_PIN)
    await stage.until(lambda: phone.rung >= 2, limit=60)
    stage.settings.codes_by_telephone = True
    await stage.advance(15)
    assert (await stage.call_of(leg))["state"] != "connected", "key 1 is not enough"
    phone.presses = PIN
    await stage.until(lambda: stage.exchange.conferences.of_leg(leg) is not None, limit=90)
    (proof,) = await stage.rows("SELECT paired_at FROM phone_proofs")
    assert proof["paired_at"] is not None
    # From now on the program knows the phone, and key 1 takes a call as before.
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    await vera.be("available")
    phone.presses = "1"
    leg = await waits(stage, "+381641110002")
    await stage.until(lambda: stage.exchange.conferences.of_leg(leg) is not None, limit=60)


# By day the verbs of it are tried (`tests/telephony/inbound`: `test_staff_texts.py`).
@nightly
@pytest.mark.usefixtures("each_minute")
async def test_a_counsellor_writes_to_the_line_and_so_does_a_child(stage: Stage) -> None:
    vera = await stage.add_counsellor("vera", endpoint=VERA, state=None)
    for words, state, said in (
        ("Available", "available", "available"),
        ("pauza.", "break", "on a break"),
        (" OFF duty ", "off_duty", "off duty"),
    ):
        before = await vera.presence()
        # The number that a text shows proves nothing: only the phone gets the code.
        answer = await text_message(stage, VERA, words)
        code = re.search(r"\d{6}", answer.text)
        assert code, words
        assert await vera.presence() == before
        assert "wrong or has expired" in (await text_message(stage, VERA, "000000")).text
        assert f"You are {said} now" in (await text_message(stage, VERA, code[0])).text
        assert await vera.presence() == state
        assert "wrong or has expired" in (await text_message(stage, VERA, code[0])).text, "once"
        assert "Write AVAILABLE" in (await text_message(stage, VERA, "offf")).text
        assert await vera.presence() == state
    # A child's text is answered, and not kept.
    answer = await text_message(stage, CHILD, "Zzpomozi mi")
    assert "Please call +38111116111" in answer.text
    assert in_jobs("Zzpomozi") == []
    assert await stage.rows("SELECT id FROM call_events") == []
    logged = await stage.rows("SELECT t::text AS words FROM audit_entries t")
    assert logged
    assert not any("Zzpomozi" in row["words"] for row in logged)


@nightly
async def test_three_misses_and_a_phone_is_left_alone(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = phone = Phone(picks_up=None)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    stage.settings.offer_seconds = 8
    leg = await waits(stage)
    await stage.advance(170)
    # The last one on duty is told after the third, and has one more.
    assert phone.rung == 4
    assert any("missed calls" in told.text for told in phone.texts)
    assert await vera.presence() == "away"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
