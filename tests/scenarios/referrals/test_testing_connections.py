"""An administrator tests the connections: a text, an event, and a read of a case system."""

from typing import Any

import pytest

from app.cli import connections
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.outbox.responses import Refused, RequestFailed, TryAgain, Uncertain
from app.people import connection_tests
from app.people.connection_rows import Found
from app.people.connection_test_rows import result_of
from app.practice.people import Phone
from app.staff.accounts import add_staff, find_by_name
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.command_line import typed_on
from tests.support.documents.shell import documented
from tests.support.primero import PrimeroStandIn
from tests.support.referrals import page
from tests.support.systems import Receiver, with_primero, with_system

PHONE = "+381641111111"


async def _mila(stage: Stage) -> Counsellor:
    return await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)


async def _last(mila: Counsellor, means: str) -> dict[str, Any]:
    found = (await mila.ask("GET", "/connections")).json()
    (one,) = [one for one in found if one["means"] == means]
    kept: dict[str, Any] = one
    return kept


async def test_a_test_text_arrives_once_and_the_row_says_what_became_of_it(stage: Stage) -> None:
    mila = await _mila(stage)
    refused = await page(stage, mila, "/admin/connections/sms", number="+12025550143")
    assert "Numbers of the country United States are not dialled" in refused.text
    assert "+12025550143" in refused.text, "what was typed stays"
    told = await page(stage, mila, "/admin/connections/sms", number=PHONE)
    assert "The text is on its way." in told.text
    stage.exchange.phones[PHONE] = Phone()
    await stage.advance(5)
    (text,) = stage.exchange.phone_at(PHONE).texts
    assert text.text == "This is a test of the helpline: its texts work. You need not answer."
    shown = await page(stage, mila, "/admin/connections/state")
    assert "The text arrived." in shown.text
    sms = await _last(mila, "sms")
    assert (sms["last_test"]["result"], sms["fails"], sms["waiting"]) == ("delivered", False, 0)
    # The phone is off: the provider takes the text, and reports later that it did not come.
    stage.exchange.phone_at(PHONE).unreachable = True
    made = await mila.ask("POST", "/connections/sms/test", {"number": PHONE})
    assert (made.status_code, made.json()["result"]) == (202, None)
    await stage.advance(5)
    test = (await mila.ask("GET", f"/connections/tests/{made.json()['id']}")).json()
    assert (test["result"], test["status"], test["worked"]) == ("undelivered", 30003, False)
    assert (await _last(mila, "sms"))["fails"]
    assert len(stage.exchange.messages) == 2, "each text is sent once"
    rows = await stage.rows("SELECT target, provider_sid FROM connection_tests")
    assert {row["target"] for row in rows} == {None}, "no number is kept"
    entries = await stage.rows("SELECT detail::text FROM audit_entries")
    assert not any(PHONE[1:] in row["detail"] for row in entries)


async def test_the_operator_tests_mail_telephone_and_texts_on_the_command_line(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters: list[str] = []

    async def takes(_ground: Any, to: str, *_words: Any, **_how: Any) -> None:
        letters.append(to)

    monkeypatch.setattr(connection_tests, "send_mail", takes)
    stage.settings.smtp_url = "smtp://127.0.0.1:1"
    # The line by which the documents name theirs is that of the stage.
    line = {"+38111116111": LINE}
    for command, put in (
        ("connections test-mail", {}),
        ("connections test-call", line),
        ("connections test-sms", {}),
    ):
        for words in documented(command, put):
            async with transaction(stage.ground, PROGRAM) as work:
                if (ana := await find_by_name(work.session, "ana")) is None:
                    ana = await add_staff(work, name="ana", role=Role.ADMINISTRATOR, endpoint=PHONE)
                    ana.email = "ana@helpline.example"
                types = typed_on(work, monkeypatch, connections.app, connections)
                await types(*words)
            stage.exchange.phones.setdefault(PHONE, Phone())
            await stage.advance(5)
    assert letters == ["ana@helpline.example"]
    made = await stage.rows("SELECT means FROM connection_tests ORDER BY wanted_at")
    assert [row["means"] for row in made] == ["mail", "telephony", "telephony", "sms"]
    assert len(stage.exchange.messages) == 1


async def test_a_test_event_is_signed_and_tried_once(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mila = await _mila(stage)
    assert "no agency has one" in (await page(stage, mila, "/admin/connections")).text
    await with_system(stage, receiver)
    told = await page(stage, mila, "/admin/connections/webhooks", agency="house")
    assert "took the test event." in told.text
    (taken,) = receiver.taken
    assert taken["type"] == "test"
    assert taken["data"] == {"agency": "house", "sequence": 0}
    hooks = await _last(mila, "webhooks")
    assert hooks["last_success"] is not None
    assert not hooks["fails"]
    await stage.advance(1)
    receiver.status = 401
    refused = await page(stage, mila, "/admin/connections/webhooks", agency="house")
    assert "did not accept the signature (status 401)" in refused.text
    await stage.advance(1)
    receiver.status = 500
    answer = await mila.ask("POST", "/connections/webhooks/test", {"agency": "house"})
    assert answer.status_code == 409
    assert "has a fault (status 500)" in answer.json()["detail"]
    hooks = await _last(mila, "webhooks")
    assert hooks["fails"]
    assert (hooks["last_test"]["result"], hooks["last_test"]["status"]) == ("their_fault", 500)
    attempts = len(receiver.attempts)
    await stage.advance(60)
    assert len(receiver.attempts) == attempts == 3, "no test is repeated"
    assert await stage.rows("SELECT * FROM deliveries") == []
    receiver.status = 200
    await stage.advance(1)
    house = {"safe-house": "house"}
    for command, put in (("connections test-event", house), ("connections list", {})):
        async with transaction(stage.ground, PROGRAM) as work:
            types = typed_on(work, monkeypatch, connections.app, connections)
            for words in documented(command, put):
                assert "took the test event." in (await types(*words)).output
    rows = await stage.rows(
        "SELECT detail FROM audit_entries WHERE action = 'connection_tested' ORDER BY id"
    )
    assert [row["detail"]["result"] for row in rows] == [
        "accepted",
        "not_let_in",
        "their_fault",
        "accepted",
    ]
    shown = await page(stage, mila, "/admin/connections")
    assert receiver.secret not in f"{shown.text} {rows}"


async def test_a_case_system_is_read_and_no_case_is_made(
    stage: Stage, primero: tuple[PrimeroStandIn, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, url = primero
    mila = await _mila(stage)
    await with_primero(stage, url)
    ask = {"agency": "house"}
    told = await page(stage, mila, "/admin/connections/case-systems", **ask)
    assert "lets us in, and its forms have every field that is sent" in told.text
    assert not (await _last(mila, "case_systems"))["fails"]
    async with transaction(stage.ground, PROGRAM) as work:
        types = typed_on(work, monkeypatch, connections.app, connections)
        for words in documented("connections test-case-system", {"safe-house": "house"}):
            assert "lets us in" in (await types(*words)).output
    there.fields = [field for field in there.fields if field["name"] != "sex"]
    lacks = await mila.ask("POST", "/connections/case_systems/test", ask)
    assert lacks.status_code == 409
    assert "lack fields that are sent: sex." in lacks.json()["detail"]
    await stage.advance(1)
    there.change_password("another")
    refused = await page(stage, mila, "/admin/connections/case-systems", **ask)
    assert "did not let us in (status 401)" in refused.text
    there.change_password("secret")
    there.busy = 1
    assert (
        "(status 503)" in (await page(stage, mila, "/admin/connections/case-systems", **ask)).text
    )
    assert (await _last(mila, "case_systems"))["fails"]
    assert not there.cases
    assert not any(asked.startswith(("POST", "PATCH")) for asked in there.asked), "it only reads"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (TryAgain("ConnectError"), (Found.NO_CONNECTION, None)),
        (Uncertain("ReadTimeout"), (Found.NO_ANSWER, None)),
        (Refused("its response does not match its API"), (Found.NOT_ITS_API, None)),
        (Uncertain("status 302", status=302), (Found.REDIRECTED, 302)),
        (Refused("status 403", status=403), (Found.NOT_LET_IN, 403)),
        (Uncertain("status 404", status=404), (Found.NOT_THERE, 404)),
        (TryAgain("status 429", status=429), (Found.TOO_BUSY, 429)),
        (Uncertain("status 418", status=418), (Found.REFUSED, 418)),
        (Uncertain("status 503", status=503), (Found.THEIR_FAULT, 503)),
    ],
)
def test_what_failed_says_what_is_wrong(
    error: RequestFailed, found: tuple[Found, int | None]
) -> None:
    assert result_of(error) == found
