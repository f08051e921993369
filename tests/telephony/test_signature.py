"""Right signatures of the provider in every form; everything else is refused with 403."""

import json
from urllib.parse import urlencode

import pytest

from app.demo.stage import Stage, stage_on
from app.log import set_up_logging
from tests.support.calls.signed import FIELDS, FORM, post


async def test_right_signatures(stage: Stage) -> None:
    assert await post(stage) == 200
    assert await post(stage, "/telephony/voice?x=%C3%A9&y=a%20b") == 200
    repeated = [*FIELDS, ("Digits", "1"), ("Digits", "2"), ("Digits", "1")]
    assert await post(stage, fields=repeated) == 200
    assert await post(stage, kind=FORM + "; charset=UTF-8") == 200
    assert await post(stage, Host="evil.example.org") == 200, "the host header does not count"


async def test_forged_signatures_are_refused(stage: Stage) -> None:
    url = stage.settings.public_url
    tampered = urlencode([*FIELDS[:2], ("From", "+381649999999"), *FIELDS[3:]])
    assert await post(stage, token="other") == 403
    assert await post(stage, signature=None) == 403
    assert await post(stage, signature="") == 403
    assert await post(stage, signature="not base64 at all") == 403
    assert await post(stage, body=tampered) == 403
    assert (
        await post(stage, signed_url=url.replace("127.0.0.1", "localhost") + "/telephony/voice")
        == 403
    )
    assert await post(stage, signed_url=url + "/telephony/status") == 403
    assert (
        await post(stage, signed_url="https" + url.removeprefix("http") + "/telephony/voice") == 403
    )
    assert await stage.rows("SELECT 1 FROM calls") == []


async def test_a_forged_webhook_is_in_the_operators_log(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with it, and with nothing of what it says."""
    foreign = [(n, "AC" + "9" * 32 if n == "AccountSid" else v) for n, v in FIELDS]
    set_up_logging("WARNING")
    assert await post(stage, signature=None) == 403
    assert await post(stage, token="other") == 403
    assert await post(stage, fields=foreign) == 403
    assert await post(stage, "/telephony/calls/Zorica%20Petrovic/wait", signature=None) == 403
    told = capsys.readouterr().err
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    refused = [one["path"] for one in lines if one["event"] == "refused a webhook"]
    assert refused == ["/telephony/voice"] * 3 + ["/telephony/calls/{call_id}/wait"]
    assert "38164" not in told


async def test_a_foreign_account_is_refused_even_with_our_token(stage: Stage) -> None:
    foreign = [(n, "AC" + "9" * 32 if n == "AccountSid" else v) for n, v in FIELDS]
    assert await post(stage, fields=foreign) == 403
    assert await post(stage, fields=[f for f in FIELDS if f[0] != "AccountSid"]) == 403


async def test_other_bodies_are_refused_and_never_an_error(stage: Stage) -> None:
    for kind, body in [
        ("application/json", '{"CallSid": "CA1"}'),
        ("text/plain", "CallSid=CA1"),
        (None, "x"),
        (FORM, "%%%&&&==="),
        (FORM, ""),
        (FORM, "a" * 200_000),
        ("multipart/form-data; boundary=x", "--x--"),
    ]:
        assert await post(stage, body=body, kind=kind) == 403, (kind, body[:20])
    assert (
        await post(stage, "/telephony/voice?bodySHA256=00", kind="application/json", body="{}")
        == 403
    )
    assert (
        await stage.client.get(stage.settings.public_url + "/telephony/voice")
    ).status_code == 405


async def test_a_signed_request_about_another_call_moves_nothing(stage: Stage) -> None:
    assert await post(stage) == 200
    call = (await stage.rows("SELECT id FROM calls"))[0]["id"]
    other = [(n, "CA2" if n == "CallSid" else v) for n, v in FIELDS]
    # From the beginning, for a caller of whom we know nothing; and nothing moves.
    assert await post(stage, f"/telephony/calls/{call}/menu?n=1", other) == 200
    unknown = "00000000-0000-4000-8000-000000000000"
    assert await post(stage, f"/telephony/calls/{unknown}/menu?n=1") == 200
    states = await stage.rows("SELECT state FROM calls")
    assert [row["state"] for row in states] == ["greeting"]
    assert await post(stage, "/telephony/calls/not-an-id/menu?n=1") == 422
    assert await post(stage, f"/telephony/calls/{call}/menu?n=rubbish") == 200


async def test_both_tokens_count_while_they_are_rotated(database: str) -> None:
    async with stage_on(database, twilio_previous_auth_token="the old one") as stage:
        await stage.add_line()
        assert await post(stage) == 200
        assert await post(stage, token="the old one") == 200
        assert await post(stage, token="an older one") == 403


async def test_missing_fields_still_get_a_document(stage: Stage) -> None:
    for number, missing in enumerate(("CallSid", "From", "To", "CallStatus")):
        # Each is of a call that is not known yet.
        ours = [(name, f"CA{number}" if name == "CallSid" else value) for name, value in FIELDS]
        fields = [field for field in ours if field[0] != missing]
        assert await post(stage, fields=fields) == 200, missing


async def test_kept_payloads_hold_nothing_personal(stage: Stage) -> None:
    personal = [
        *FIELDS,
        ("CallerName", "Milica"),
        ("CallToken", "eyJ.secret"),
        ("FromCity", "Beograd"),
        ("Digits", "9"),
        ("ForwardedFrom", "+381641234567"),
        ("StirVerstat", "x"),
    ]
    assert await post(stage, fields=personal) == 200
    kept = (await stage.rows("SELECT detail::text AS words FROM call_events"))[0]["words"]
    for word in ("Milica", "secret", "Beograd", "38164", "Digits"):
        assert word not in kept
