"""Which numbers are dialled: countries, kinds, short numbers, and what never is."""

import pytest

from app.dialling.rules import NumberKind, Rules, Why, why_not, why_not_address, words_of

HOME = Rules(home=("RS",))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+381641234567", None),
        ("+38111300000", None),
        ("+38111116111", None),
        ("+381800123456", None),
        # Short numbers of services: the helpline's own, the police, an ambulance, fire, emergency.
        ("116111", None),
        ("192", None),
        ("194", None),
        ("193", None),
        ("112", None),
        ("12345", Why.NOT_A_NUMBER),
        ("police", Why.NOT_A_NUMBER),
        ("+38", Why.NOT_A_NUMBER),
        # Premium rate at home and abroad, and shared cost, which is found before the country.
        ("+381900123456", Why.EXPENSIVE),
        ("+449098790000", Why.EXPENSIVE),
        ("+448451234567", Why.EXPENSIVE),
        # Satellites, international networks, and the international premium rate.
        ("+870772001799", Why.EXPENSIVE),
        ("+881612345678", Why.EXPENSIVE),
        ("+88213300655", Why.EXPENSIVE),
        ("+979123456789", Why.EXPENSIVE),
        # Abroad, also where the code is shared by several countries.
        ("+385911234567", Why.COUNTRY),
        ("+12423456789", Why.COUNTRY),
        # A number of the whole company, and one of no known range.
        ("+381700123456", Why.KIND),
        ("+38111000111", Why.KIND),
    ],
)
def test_which_numbers_are_dialled(number: str, expected: Why | None) -> None:
    assert why_not(number, HOME) is expected


def test_what_an_administrator_allows_is_dialled_but_never_what_is_expensive() -> None:
    wide = Rules(home=("RS",), countries=("HR", "GB"), kinds=tuple(NumberKind))
    for number in ("+385911234567", "+381700123456", "+38111000111", "+443301234567"):
        assert why_not(number, wide) is None, number
    for number in ("+381900123456", "+449098790000", "+448451234567", "+881612345678"):
        assert why_not(number, wide) is Why.EXPENSIVE, number


def test_a_number_that_can_be_of_two_kinds_needs_both() -> None:
    only_mobile = Rules(home=("US",), kinds=("mobile",))
    assert why_not("+14158675309", only_mobile) is Why.KIND
    assert why_not("+14158675309", Rules(home=("US",))) is None


def test_without_a_line_no_country_is_refused_but_what_is_expensive_is() -> None:
    assert why_not("+385911234567", Rules()) is None
    assert why_not("+881612345678", Rules()) is Why.EXPENSIVE


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("client:c_123", None),
        ("sip:ana@pbx.example", None),
        ("sip:1001@pbx.example", None),
        ("sip:+381641234567@pbx.example", None),
        ("sip:+881612345678@trunk.example;transport=tls", Why.EXPENSIVE),
        ("sip:0900123456@trunk.example", Why.EXPENSIVE),
        ("sip:+385911234567@trunk.example", Why.COUNTRY),
        # As some gateways dial: with the code of a country and no plus.
        ("sip:38268123456@gw.example", Why.COUNTRY),
        ("sip:381641234567@gw.example", None),
        # Marks are not dialled, nor what follows a colon or a star.
        ("sip:38-268-123456@gw.example", Why.COUNTRY),
        ("sip:38.268.123456@gw.example", Why.COUNTRY),
        ("sip:(382)68123456@gw.example", Why.COUNTRY),
        ("sip:0900123456%23@gw.example", Why.EXPENSIVE),
        ("sip:0900123456:x@gw.example", Why.EXPENSIVE),
        ("sip:*67*0900123456@gw.example", Why.EXPENSIVE),
        ("sip:%EF%BC%8B881612345678@gw.example", Why.EXPENSIVE),
        # Behind what is dialled for a line to the outside, or to another country.
        ("sip:9881612345678@gw.example", Why.EXPENSIVE),
        ("sip:90900123456@gw.example", Why.EXPENSIVE),
        ("sip:01138268123456@gw.example", Why.COUNTRY),
        ("sip:900385911234567@gw.example", Why.COUNTRY),
        ("sip:8~10385911234567@gw.example", Why.COUNTRY),
        ("sip:90641234567@gw.example", None),
        # Of Belgrade, whose area code is the way abroad elsewhere; extensions; an address.
        ("sip:0113826812@gw.example", None),
        ("sip:064/123-4567@gw.example", None),
        ("sip:300123@pbx.example", None),
        ("sip:*98@pbx.example", None),
        ("sip:38268123456abc@pbx.example", None),
        ("sip:192.168.100.25", None),
    ],
)
def test_a_number_in_a_sip_address_is_checked_too(address: str, expected: Why | None) -> None:
    assert why_not_address(address, HOME) is expected


@pytest.mark.parametrize("home", [("US",), (), ("RS",)])
@pytest.mark.parametrize("before", ["00", "٠٠", "+00", "+٠٠", "9+00"])
def test_the_way_abroad_is_known_however_it_is_written(before: str, home: tuple[str, ...]) -> None:
    address = f"sip:{before}881612345678@gw.example"
    assert why_not_address(address, Rules(home=home)) is Why.EXPENSIVE


def test_a_refusal_says_what_to_do() -> None:
    assert "Enter another number" in str(words_of(Why.EXPENSIVE, "+381900123456"))
    abroad = str(words_of(Why.COUNTRY, "sip:+385911234567@trunk.example"))
    assert "HR" in abroad
    assert "HR" in str(words_of(Why.COUNTRY, "sip:900385-911234567@trunk.example"))
    assert "Administration, Dialling" in abroad
    assert "company number" in str(words_of(Why.KIND, "+381700123456"))
    assert "country code" in str(words_of(Why.NOT_A_NUMBER, "12"))
