"""An agency is added and changed by choosing, and the directory holds what was meant."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.axe import AXE, LOOKS, faults, faults_zoomed
from tests.support.browser import picture, visit
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import add_a_house_with_dates, approve_all


async def _row(live: Stage) -> dict[str, Any]:
    (found,) = await live.rows("SELECT * FROM agencies")
    return found


async def _phones(live: Stage) -> list[tuple[str, str]]:
    rows = await live.rows(
        "SELECT number, hours FROM duty_phones WHERE gone_at IS NULL ORDER BY position"
    )
    return [(row["number"], row["hours"]) for row in rows]


async def _choose_place(page: Page, typed: str, place: str) -> None:
    """Type into the list of places, and take one with the keyboard alone."""
    await page.get_by_role("combobox", name="Places that it serves").press_sequentially(typed)
    await expect(page.locator("#list-areas [aria-selected=true]")).to_contain_text(place)
    await page.keyboard.press("Enter")
    await expect(page.locator(".chips")).to_contain_text(place)


async def _fill_in(page: Page) -> None:
    await page.get_by_label("Name", exact=True).fill("Сигурна кућа Нада")
    await page.get_by_label("Sector").select_option(label="shelter")
    services = page.get_by_role("group", name="Services", exact=True)
    for service in ("shelter", "family support"):
        await services.get_by_role("checkbox", name=service).check()
    await _choose_place(page, "belgrad", "Belgrade")
    await _choose_place(page, "војвод", "Vojvodina")
    await _choose_place(page, "kosovo", "Kosovo and Metohija")
    await page.get_by_role("button", name="Remove Kosovo and Metohija").click()
    await page.get_by_label("Youngest age").fill("3")
    await page.get_by_label("Oldest age").fill("17")
    languages = page.get_by_role("group", name="Languages", exact=True)
    await languages.get_by_label("First language").select_option(label="Serbian")
    await languages.get_by_role("checkbox", name="Albanian").check()
    await page.get_by_label("Time zone").select_option("Europe/Belgrade")
    for day in ("Saturday", "Sunday"):
        await page.get_by_role("combobox", name=day).select_option(label="closed all day")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        await page.get_by_role("combobox", name=day).select_option(label="open from – until")
        await page.get_by_label(f"{day}: From").first.fill("08:00")
        await page.get_by_label(f"{day}: Until").first.fill("16:00")
    first, second = (page.get_by_role("group", name=f"Phone {n}") for n in (1, 2))
    await first.get_by_label("Number", exact=True).fill("011 3000001")
    await second.get_by_label("Number", exact=True).fill("+381 11 300 0002")
    await second.get_by_label("Answered").select_option(label="every day")
    await second.get_by_label("From").fill("22:00")
    await second.get_by_label("Until").fill("06:00")
    await second.get_by_label("Place in the order").select_option("1")
    await page.get_by_label("Checked on").fill("2026-11-01")
    await page.get_by_text("Recipient by law", exact=True).click()
    law = page.get_by_role("group", name="Recipient by law 1")
    await law.get_by_label("Services").select_option(label="shelter")
    await law.get_by_label("Place").select_option(label="Vojvodina")


async def _save(page: Page) -> None:
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".saved")).to_have_text("Saved.")


async def test_an_agency_is_added_by_choosing(live: Stage, page: Page) -> None:
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await visit(page, live, mila, "/agencies")
    await page.get_by_role("button", name="Add an agency").click()
    await _fill_in(page)
    await picture(page, "agency-form")
    await _save(page)
    await expect(page).to_have_url(re.compile("/agencies/sigurna-kuca-nada/entry$"))
    await expect(page.locator("main")).to_contain_text("duty phones: A second person")
    await approve_all(live)
    row = await _row(live)
    assert row["code"] == "sigurna-kuca-nada"
    assert row["sector"] == "shelter"
    assert set(row["services"]) == {"shelter", "family_support"}
    assert row["areas"] == ["RS-BG", "RS-VO"]
    assert (row["age_from"], row["age_to"]) == (3, 17)
    assert (row["hours"], row["timezone"]) == ("Mo-Fr 08:00-16:00", "Europe/Belgrade")
    assert row["languages"] == ["sr", "sq"]
    assert str(row["verified_on"]) == "2026-11-01"
    assert await _phones(live) == [("+381113000002", "22:00-06:00"), ("+381113000001", "")]
    assert await live.rows("SELECT service, place FROM mandates") == [
        {"service": "shelter", "place": "RS-VO"}
    ]
    if WHOLE:
        await _is_changed(live, page)


async def _is_changed(live: Stage, page: Page) -> None:
    """By day `tests/referrals/directory/test_agency_form.py` changes one by its form."""
    await page.locator(".path").get_by_role("link", name="Agencies").click()
    await page.get_by_role("link", name="sigurna-kuca-nada").click()
    await expect(page.locator("h1")).to_have_text("Сигурна кућа Нада")
    await page.get_by_role("button", name="Remove Belgrade").click()
    await page.get_by_role("checkbox", name="family support").uncheck()
    await page.get_by_role("combobox", name="Friday").select_option(label="closed all day")
    await _save(page)
    row = await _row(live)
    assert (row["areas"], row["services"]) == (["RS-VO"], ["shelter"])
    assert row["hours"] == "Mo-Th 08:00-16:00"
    # What was not touched is as it was.
    assert await _phones(live) == [("+381113000002", "22:00-06:00"), ("+381113000001", "")]
    assert row["languages"] == ["sr", "sq"]


@nightly
async def test_a_refused_agency_keeps_all_that_was_filled_in(live: Stage, page: Page) -> None:
    """By day `tests/referrals/directory/test_agency_form.py` reads the page that comes back."""
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await visit(page, live, mila, "/agencies/new")
    await _fill_in(page)
    await page.get_by_role("checkbox", name="shelter").uncheck()
    await page.get_by_label("E-mail").fill("nada at example")
    await page.get_by_label("Youngest age").fill("18")
    first = page.get_by_role("group", name="Phone 1")
    await first.get_by_label("Number", exact=True).fill("12")
    await first.get_by_label("Answered").select_option(label="at other times")
    await first.get_by_label("At which times").fill("pon 8-16")
    await page.get_by_role("button", name="Save").click()
    problems = page.locator("#problems")
    await expect(problems).to_contain_text("E-mail: not an address")
    shown = await problems.inner_text()
    assert "Youngest age: it is above the oldest age" in shown
    assert "Recipient by law: 'shelter' is not a service of this agency." in shown
    assert "Duty phones: '12' needs a +" in shown
    assert "Duty phones: 'pon 8-16' is not understood. Write days and times like Mon–Fri" in shown
    assert not any(code in shown for code in ("duty_phones", "RS-VO", "mandated_for", "Mo-Fr"))
    await picture(page, "agency-refused")
    for label, value in (
        ("E-mail", "nada at example"),
        ("Youngest age", "18"),
        ("Oldest age", "17"),
        ("Checked on", "2026-11-01"),
        ("Monday: From", "08:00"),
    ):
        await expect(page.get_by_label(label).first).to_have_value(value)
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Сигурна кућа Нада")
    await expect(page.get_by_role("combobox", name="Saturday")).to_have_value("closed")
    await expect(page.locator(".chips button")).to_have_text(["Belgrade ×", "Vojvodina ×"])
    await expect(page.get_by_role("checkbox", name="family support")).to_be_checked()
    await expect(first.get_by_label("At which times")).to_have_value("pon 8-16")
    law = page.get_by_role("group", name="Recipient by law 1")
    await expect(law.get_by_label("Place")).to_have_value("RS-VO")
    assert await live.rows("SELECT 1 FROM agencies") == []
    # The link of a problem leads to its field.
    await problems.get_by_role("link", name="E-mail").click()
    await expect(page.locator("#f-email")).to_be_in_viewport()


@nightly
@pytest.mark.skipif(not AXE.exists(), reason="npm packages are not installed")
async def test_the_form_can_be_used_by_all(live: Stage, page: Page) -> None:
    """By day `tests/referrals/directory` saves it as it is."""
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await add_a_house_with_dates(live)
    await visit(page, live, mila, "/agencies/house/entry")
    found: list[str] = []
    for theme, width in LOOKS if WHOLE else ():
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(
            color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
        )
        found += await faults(page, f"{width} {theme}")
        await picture(page, f"agency-{width}-{theme}")
    assert [*found, *(await faults_zoomed(page, "agency") if WHOLE else [])] == []
    # What the days of a week cannot say stands as a text, and stays as it is.
    before = await _row(live)
    await _save(page)
    assert await _row(live) == before
    assert await _phones(live) == [
        ("+381113000001", "22:00-06:00"),
        ("+381113000002", "Dec 24-26 08:00-16:00"),
    ]
    assert await live.rows("SELECT service, place FROM mandates") == [
        {"service": "shelter", "place": "*"}
    ]
