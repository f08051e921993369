"""The exchange's wire formats against published vectors and the provider's own SDK."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from app.practice.wire import read_overrides, sign

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FIELDS = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]


def test_the_published_vectors() -> None:
    assert sign("12345", URL, FIELDS) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    repeated = [("Sid", "CA123"), ("SidAccount", "AC123")]
    repeated += [("Digits", d) for d in ("5678", "1234", "1234")]
    assert sign("12345", URL, repeated) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=6),
    st.sampled_from(["http://127.0.0.1:8000/a%20b?x=1", "http://localhost/%C3%A9"]),
)
def test_the_sdk_accepts_our_signature(fields: dict[str, str], url: str) -> None:
    signature = sign("token", url, list(fields.items()))
    assert RequestValidator("token").validate(url, fields, signature)


def test_overrides_are_read_and_limited() -> None:
    wishes = read_overrides("https://a.org/x?y=1#rc=2&rp=ct,5xx&rt=4000")
    assert (wishes.address, wishes.retries, wishes.read) == ("https://a.org/x?y=1", 2, 4.0)
    for bad in ("/relative", "https://a.org/#rc=9", "https://a.org/#rp=maybe", "ftp://a.org/"):
        with pytest.raises(ValueError):
            read_overrides(bad)
