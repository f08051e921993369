import pytest

from app.privacy.numbers import read_caller


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "  ",
        "anonymous",
        "Anonymous",
        "ANONYMOUS",
        "restricted",
        "unavailable",
        "unknown",
        "private",
        "blocked",
        "withheld",
        "+266696687",
        "266696687",
        "+1266696687",
        "+7378742833",
        "+86282452253",
        "+2562533",
        "+8656696",
        "8656696",
        "+18656696",
        "sip:anonymous@anonymous.invalid",
        "No Caller ID",
        "0000",
    ],
)
def test_withheld_numbers_match_no_caller(raw: str | None) -> None:
    assert read_caller(raw) == ("withheld", None)


def test_numbers_clients_and_sip_addresses_are_told_apart() -> None:
    assert read_caller("+381641234567") == ("e164", "+381641234567")
    assert read_caller("+381 64 123 4567") == ("e164", "+381641234567")
    assert read_caller("client:c_1") == ("client", "client:c_1")
    assert read_caller("sip:ana@example.org") == ("sip", "sip:ana@example.org")
    assert read_caller("00381641234567") == ("e164", "+381641234567")
    assert read_caller("0641234567") == ("other", None)
    assert read_caller("1234") == ("other", None)
    assert read_caller("12345678901234567890123") == ("other", None)
