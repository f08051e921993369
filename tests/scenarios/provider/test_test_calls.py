"""An administrator lets a phone be rung: it hears a test, or a prompt as callers hear it."""

from datetime import timedelta
from typing import Any

import pytest

from app.calls import menu
from app.calls.examples import DIGITS
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from app.telephony import script
from app.telephony.inbound.sounds import waiting_sound
from app.telephony.steps import Say
from app.telephony.trial_calls import that_it_is_a_test
from app.words.keys import PromptKey
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import page

PHONE = "+381641111111"
TEST = "This is a test of the helpline: this phone works. You can hang up."
TEST_IN_SERBIAN = "Ovo je proba linije: ovaj telefon radi. Možete da prekinete vezu."


def test_the_examples_name_the_keys_that_callers_are_told() -> None:
    assert DIGITS == {
        PromptKey.OFFER_CALLBACK: menu.CALLBACK_DIGIT,
        PromptKey.ASK_FOR_LAST: menu.LAST_DIGIT,
    }
    assert menu.MESSAGE_DIGIT == script.TAKE_DIGIT == "1"


@pytest.mark.parametrize(
    ("reads", "locale", "text"),
    [
        ("sr", "sr-RS", TEST_IN_SERBIAN),
        ("sr-Cyrl", "sr-RS", TEST_IN_SERBIAN),
        ("sq", "en-GB", TEST),
        ("xx", "en-GB", TEST),
    ],
)
def test_the_test_is_said_in_a_language_that_has_a_voice(
    reads: str, locale: str, text: str
) -> None:
    (said,) = that_it_is_a_test(reads)
    assert isinstance(said, Say)
    assert (said.locale, said.text) == (locale, text)


async def _mila(stage: Stage) -> Counsellor:
    return await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)


async def _rung(stage: Stage, mila: Counsellor, phone: Phone, **more: str) -> dict[str, Any]:
    """Ring a phone, and return what came of the test within a minute."""
    stage.exchange.phones[PHONE] = phone
    made = await mila.ask("POST", "/connections/telephony/test", {"number": PHONE, **more})
    assert (made.status_code, made.json().get("result")) == (202, None), made.text
    await stage.advance(60)
    found = (await mila.ask("GET", f"/connections/tests/{made.json()['id']}")).json()
    kept: dict[str, Any] = found
    return kept


def _heard(phone: Phone) -> str:
    return " ".join(one.text for one in phone.heard)


async def test_a_phone_is_rung_once_and_the_row_says_what_became_of_it(stage: Stage) -> None:
    mila = await _mila(stage)
    refused = await page(stage, mila, "/admin/connections/telephony", number="+12025550143")
    assert "Numbers of the country United States are not dialled" in refused.text
    phone = stage.exchange.phones[PHONE] = Phone()
    told = await page(stage, mila, "/admin/connections/telephony", number=PHONE)
    assert "The phone is being rung." in told.text
    await stage.advance(30)
    assert (_heard(phone), phone.rung) == (TEST, 1)
    shown = await page(stage, mila, "/admin/connections/state")
    assert "The phone was answered, and the words were said." in shown.text
    (leg,) = stage.exchange.legs.values()
    assert leg.over, "we have hung up"
    for other, result in (
        (Phone(busy=True), ("too_busy", None)),
        *([(Phone(picks_up=None), ("undelivered", None))] if WHOLE else []),
        (Phone(unreachable=True), ("not_there", 404)),
    ):
        test = await _rung(stage, mila, other)
        assert (test["result"], test["status"]) == result, test["said"]
        assert not test["worked"]
        (telephony,) = [
            one
            for one in (await mila.ask("GET", "/connections")).json()
            if one["means"] == "telephony"
        ]
        assert telephony["fails"] == other.unreachable, "a busy phone is no failure of ours"
    # The provider takes the call, and no report of it ever comes.
    stage.exchange.knobs.turn("lose", "/telephony/tests/", times=None)
    stage.exchange.phones[PHONE] = Phone(picks_up=None)
    await mila.ask("POST", "/connections/telephony/test", {"number": PHONE})
    await stage.advance(timedelta(minutes=3).total_seconds())
    rows = await stage.rows("SELECT target, result FROM connection_tests ORDER BY wanted_at")
    assert rows[-1]["result"] == "undelivered", "the provider was asked"
    assert {row["target"] for row in rows} == {None}, "no number is kept"
    entries = await stage.rows("SELECT detail::text FROM audit_entries")
    assert not any(PHONE[1:] in row["detail"] for row in entries)


@nightly
async def test_a_phone_hears_a_prompt_as_callers_hear_it(stage: Stage) -> None:
    mila = await _mila(stage)
    (row,) = await stage.rows("SELECT id FROM lines")
    line, at = str(row["id"]), f"/admin/lines/{row['id']}/prompts/en"
    refused = await page(stage, mila, f"{at}/comfort/ring", number="+12025550143")
    assert "Numbers of the country United States are not dialled" in refused.text
    phone = stage.exchange.phones[PHONE] = Phone()
    told = await page(stage, mila, f"{at}/out_of_hours/ring", number=PHONE)
    assert "The phone is being rung." in told.text
    await stage.advance(30)
    assert "tomorrow at 9:00" in _heard(phone)
    phone = Phone()
    await _rung(stage, mila, phone, line=line, key="offer_callback", language="en")
    assert "press 3" in _heard(phone)
    sent = await stage.client.post(
        f"{stage.settings.public_url}{at}/hold",
        files={"sound": ("hold.wav", waiting_sound(), "audio/wav")},
        headers={"Cookie": mila.cookie_header, "Origin": stage.settings.public_url},
    )
    assert sent.status_code == 303, sent.text
    phone = Phone()
    test = await _rung(stage, mila, phone, line=line, key="hold", language="en")
    assert test["worked"]
    assert "/telephony/prompts/" in _heard(phone)
    phone = Phone()
    await _rung(stage, mila, phone, line=line, key="waiting_sound")
    assert "waiting.wav" in _heard(phone)
    for body, status in (
        ({"key": "hold"}, 422),
        ({"line": line}, 422),
        ({"line": line, "key": "hello"}, 422),
        ({"line": line, "key": "hold", "language": "fr"}, 404),
    ):
        answer = await mila.ask("POST", "/connections/telephony/test", {"number": PHONE, **body})
        assert answer.status_code == status, answer.text
