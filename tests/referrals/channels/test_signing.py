"""Signatures of events, as the specification has them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import standardwebhooks

from app.referrals.channels.webhook.signing import BadEvent, StaleEvent, check, headers_for
from tests.support.systems import signing_by

SECRET = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SIGN = signing_by(SECRET)
NOON = datetime(2026, 11, 24, 11, tzinfo=UTC)


def test_the_vector_of_the_page_for_integrators() -> None:
    """What the page tells others to test their code with is what we send."""
    page = (Path(__file__).parents[3] / "docs" / "integrators.md").read_text()
    vector = page[page.index("secret     whsec_") :].split("```")[0].splitlines()
    values = dict(line.split(maxsplit=1) for line in vector if not line.startswith("{"))
    at = datetime.fromtimestamp(int(values["timestamp"]), UTC)
    headers = headers_for(signing_by(values["secret"]), values["id"], at, vector[4].encode())
    assert headers["webhook-signature"] == values["signature"]
    assert headers["webhook-timestamp"] == values["timestamp"]


def test_a_receiver_verifies_our_headers_with_the_library() -> None:
    body, now = '{"type": "referral.offered", "name": "Peraš"}'.encode(), datetime.now(UTC)
    headers = headers_for(SIGN, "msg_1", now, body)
    assert standardwebhooks.Webhook(SECRET).verify(body, headers)["type"] == "referral.offered"


def test_what_is_forged_or_stale_is_refused() -> None:
    body = b"{}"
    good = headers_for(SIGN, "1", NOON, body)
    at, signature = good["webhook-timestamp"], good["webhook-signature"]
    check(SIGN, "1", at, signature, body, NOON + timedelta(minutes=4))
    check(SIGN, "1", at, "v1,other " + signature, body, NOON)
    for args in (
        ("2", at, signature, body),
        ("1", at, signature, b"{ }"),
        ("1", "1", signature, body),
        ("1", "²", signature, body),
        ("1", "", signature, body),
        ("1", "9" * 12, signature, body),
        ("1", at, "", body),
        ("1", at, signature.replace("v1,", "v2,"), body),
        ("1", at, "v1," + "é" * 44, body),
        ("1", at, signature, b"\xff"),
    ):
        with pytest.raises(BadEvent):
            check(SIGN, *args, NOON)
    for off in (-6, 6):
        with pytest.raises(StaleEvent):
            check(SIGN, "1", at, signature, body, NOON + timedelta(minutes=off))
