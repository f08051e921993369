"""Answers as people type them: local dates and digits are read, and stored in one form."""

import pytest

from app.definitions import library
from app.definitions.answers import NotAnAnswer
from app.definitions.days import read_day
from app.privacy.numbers import dialled_from
from app.words.pages import spoken_in


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-04",
        "4.11.2026",
        "4. 11. 2026.",
        "04.11.2026.",
        "٢٠٢٦-١١-٠٤",
        "٠٤.١١.٢٠٢٦",
        "2026/11/4",
    ],
)
def test_a_date_is_read_as_it_is_typed(text: str) -> None:
    assert read_day(text) == "2026-11-04"


def test_the_order_of_day_and_month_is_that_of_the_reader() -> None:
    with spoken_in("ro"):
        assert read_day("04/11/2026") == "2026-11-04"
    assert read_day("11/04/2026") == "2026-11-04"


@pytest.mark.parametrize(
    "text", ["", "soon", "31.2.2026", "4.11.26", "4.11/2026", "20261104", "1.1.1"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_day(text)


def test_a_number_is_read_in_the_digits_of_any_script() -> None:
    sheet = library.load(None).sheet_for("contact")
    [path] = [
        f"{section.code}.e1.{field.code}"
        for section in sheet.form.sections
        for field in section.fields
        if field.means == "child_age"
    ]
    assert [sheet.check(path, one) for one in (12, "12", "١٢")] == [12, 12, 12]
    for wrong in ("²", "1.5", "-1", "999", ""):
        with pytest.raises(NotAnAnswer):
            sheet.check(path, wrong)


@pytest.mark.parametrize(
    ("typed", "countries", "dialled"),
    [
        ("011/300-0000", ["RS"], "+381113000000"),
        ("064 123 4567", ["RS"], "+381641234567"),
        ("+381 64 123 4567", ["HR"], "+381641234567"),
        ("00381641234567", [], "+381641234567"),
        ("192", ["RS"], "192"),
        ("064 123 4567", [], None),
        ("whatsapp:0641234567", ["RS"], None),
        ("not a number", ["RS"], None),
    ],
)
def test_a_number_without_a_country_code_is_one_of_the_lines_country(
    typed: str, countries: list[str], dialled: str | None
) -> None:
    assert dialled_from(typed, countries) == dialled


def test_a_number_that_two_countries_have_needs_its_country_code() -> None:
    assert dialled_from("030 123 456", ["BA", "RS"]) is None
