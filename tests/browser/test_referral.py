"""Referrals in a real Chromium: a story that grows, and an agency without account.

`test_shift` has the urgent one, of two keys.
"""

import asyncio
from pathlib import Path

from playwright.async_api import Page, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import PICTURES, at, enter, picture
from tests.support.contacts import WHOLE, new_contact
from tests.support.mail import code_in, link_in
from tests.support.profile import nightly
from tests.support.referrals import BROTHERS, OVERRIDE, add_agency, approve_all, by_hand, phone


@nightly
async def test_an_agency_answers_without_an_account(live: Stage, page: Page) -> None:
    """By day `test_without_an_account` has its pages, and the rest is in
    `tests/scenarios/referrals/test_links.py`.
    """
    await add_agency(
        live,
        "house",
        "shelter",
        name="Sigurna kuća",
        sms="+381640000001",
        phones=("+381113000001",),
        languages=("sr",),
    )
    phone(live, "+381113000001", busy=True)
    texts = phone(live, "+381640000001").texts
    ana = await live.add_counsellor("ana", state=None)
    made = await by_hand(
        ana,
        override=OVERRIDE,
        send=True,
        answers={"child.name": "Jovana", "child.age": 9, "reason.why": "Sama je kod kuće."},
    )

    for _ in range(200):
        if texts:
            break
        await asyncio.sleep(0.1)
    # A phone, in a browser that knows nothing of us, without scripts.
    assert page.context.browser is not None
    context = await page.context.browser.new_context(
        viewport={"width": 390, "height": 800}, java_script_enabled=False
    )
    agency = await context.new_page()
    await agency.goto(live.settings.public_url + link_in(texts[0].text))
    await expect(agency.locator("h1")).to_contain_text("Uput R-")
    assert "Jovana" not in await agency.content()
    await picture(agency, "agency")
    await agency.get_by_label("Vaše ime i funkcija").fill("Mira, dežurna")
    await agency.get_by_role("button", name="Primili smo").click()
    await expect(agency.get_by_role("status")).to_contain_text("Zabeleženo")
    await expect(agency.locator("#state")).to_have_text("primljeno")
    await proves_itself_by_a_spoken_code(live, agency)
    await has_no_place(agency)
    await context.close()
    await enter(page, live, ana, f"/referrals/{made['id']}")
    await expect(page.locator("#story")).to_contain_text("rejected: no capacity by link")
    await expect(page.locator("#story")).to_contain_text("Mira")
    await page.get_by_text("Disclosures (").click()
    await expect(page.locator("#disclosures")).to_contain_text("Sigurna kuća, link by sms")
    await picture(page, "disclosures")


async def proves_itself_by_a_spoken_code(live: Stage, agency: Page) -> None:
    """There is one way for messages only: the code is spoken by telephone."""
    duty = phone(live, "+381113000001", presses="1")
    await agency.locator("#send-code").click()
    await expect(agency.get_by_role("status")).to_contain_text("telefon")
    for _ in range(200):
        if any("šifra je" in h.text for h in duty.heard):
            break
        await asyncio.sleep(0.1)
    spoken = next(h.text for h in duty.heard if "šifra je" in h.text)
    await agency.get_by_label("Šifra").fill(code_in(spoken.replace(" ", "")))
    await agency.locator("#prove").click()
    await expect(agency.locator("main")).to_contain_text("Jovana")
    await expect(agency.locator("main")).to_contain_text("Uzrast")
    await picture(agency, "agency-details")


async def has_no_place(agency: Page) -> None:
    """The agency rejects, by its link."""
    await agency.get_by_text("Ne možemo da preuzmemo").first.click()
    await agency.get_by_label("Razlog").select_option("no_capacity")
    await agency.get_by_label("Vaše ime i funkcija").first.fill("Mira")
    await agency.get_by_role("button", name="Ne možemo da preuzmemo").click()
    await expect(agency.get_by_role("status")).to_contain_text("Obraćamo se drugoj službi")


@nightly
async def test_a_referral_from_a_contact_to_the_end_of_it(live: Stage, page: Page) -> None:
    """By day the last test of this file opens one from a contact and writes down the consent;
    `tests/scenarios/referrals/test_whole_stories.py` has its end.
    """
    await add_agency(live, "house", "shelter", name="Safe House", email="a@house.example")
    ana = await live.add_counsellor("ana", state=None)
    contact_id = await new_contact(ana, {**WHOLE, "child.a1.age": 9})
    await enter(page, live, ana, f"/contacts/{contact_id}")
    await page.get_by_text("Refer to an agency").click()
    form = page.locator("details", has_text="Refer to an agency")
    await form.get_by_label("Urgency").select_option("urgent")
    await form.get_by_label("Service needed").select_option("shelter")
    await form.get_by_role("button", name="Open a referral").click()
    await expect(page.locator("#record-state")).to_have_text("draft")
    await expect(page.locator("#f-child-age")).to_have_value("9")
    # Without consent nothing is sent, and the page says why.
    await page.locator("#send").click()
    await expect(page.locator("#problem")).to_contain_text("neither consent")
    await page.get_by_label("Given by").select_option("child")
    await page.get_by_label("services", exact=True).check()
    await page.get_by_role("button", name="Write down").first.click()
    await expect(page.locator(".side")).to_contain_text("consent for services")
    # What is typed is kept, as on every form.
    await page.locator("#f-reason-why").fill("She cannot go home tonight.")
    await expect(page.locator("#saving")).to_contain_text("All saved")
    await page.locator("#send").click()
    await expect(page.locator("#record-state")).to_have_text("sent")
    await page.reload()
    await page.get_by_text("Record a reply from Safe House").click()
    await page.get_by_label("Who at the agency has it").fill("Mira")
    await page.get_by_role("button", name="They have it").click()
    await expect(page.locator("#record-state")).to_have_text("acknowledged")
    await goes_on_to_its_end(page)


async def goes_on_to_its_end(page: Page) -> None:
    async with page.expect_download() as got:
        await page.get_by_role("button", name="Send, and get the PDF").click()
    assert (await got.value).suggested_filename == "referral.pdf"
    await expect(page.locator("#story")).to_contain_text("sent the written confirmation")
    # The page comes anew after a reply; what is opened before that would be closed again.
    await page.reload()
    await page.get_by_text("Record a reply from Safe House").click()
    await page.get_by_label("Who accepts").fill("Mira")
    await page.get_by_role("button", name="They accept").click()
    await expect(page.locator("#record-state")).to_have_text("accepted")
    await page.reload()
    await page.get_by_text("Record a reply from Safe House").click()
    await page.get_by_label("Outcome", exact=True).select_option("family_supported")
    await page.get_by_role("button", name="They are done").click()
    await expect(page.locator("#record-state")).to_have_text("completed")
    await page.get_by_role("button", name="Close", exact=True).click()
    await expect(page.locator("#record-state")).to_have_text("closed")
    # A tick is for what was done; the agency has not said that it saw her.
    await page.reload()
    await expect(page.locator("#deadlines-box")).to_contain_text("✓ to acknowledge")
    await expect(page.locator("#deadlines-box")).not_to_contain_text("✓ to see the child")
    await expect(page.locator("#deadlines-box")).to_contain_text("not done, stopped")
    await picture(page, "closed")


async def test_the_supervisor_sees_what_is_due(live: Stage, page: Page) -> None:
    await add_agency(live, "house", "shelter", name="Sigurna kuća", email="a@house.example")
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, state=None)
    ana = await live.add_counsellor("ana", state=None)
    await at(page, live, vera, "/agencies")
    await what_is_due_is_seen(live, page, ana)


@nightly
async def test_the_supervisor_keeps_the_directory(live: Stage, page: Page, tmp_path: Path) -> None:
    """By day `tests/referrals/directory` has the import, the form and the second person."""
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, state=None)
    await at(page, live, vera, "/")
    await page.get_by_role("link", name="Agencies").click()
    await imports_a_directory(page, tmp_path)
    await page.get_by_role("link", name="house", exact=True).click()
    await page.wait_for_url("**/agencies/house/entry")
    await page.get_by_label("Oldest age").fill("17")
    languages = page.get_by_role("group", name="Languages", exact=True)
    await languages.get_by_label("First language").select_option(label="Serbian (Cyrillic)")
    await languages.get_by_role("checkbox", name="English").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".saved")).to_have_text("Saved.")
    await page.locator(".path").get_by_role("link", name="Agencies").click()
    await expect(page.locator("table")).to_contain_text("0–17")
    kept = await live.rows("SELECT languages FROM agencies WHERE code = 'house'")
    assert kept[0]["languages"] == ["sr-Cyrl", "en"]
    # Nothing is sent to a new address before a second person has approved it.
    waits = page.locator("#address-changes")
    await expect(waits).to_contain_text("a@house.example")
    await expect(waits.get_by_role("button", name="Approve")).to_have_count(0)
    await approve_all(live)
    await page.reload()
    await expect(waits).not_to_contain_text("a@house.example")
    await page.get_by_label("Service needed").select_option("shelter")
    await page.get_by_label("Age", exact=True).fill("18")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#left-out")).to_contain_text("takes children up to 17 years")
    await picture(page, "agencies")
    await page.goto(live.settings.public_url + "/referrals/accountability")
    # The month has to be over: no single child is seen in a difference.
    await expect(page.get_by_text("No referrals were offered to agencies")).to_be_visible()
    await picture(page, "accountability")


async def imports_a_directory(page: Page, tmp_path: Path) -> None:
    """A file with a mistake is refused with its line; the right one is taken."""
    await expect(page.locator("main")).to_contain_text("The directory is empty")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("code,name,sector,services,email\nx,Y,castle,shelter,a@b\n")
    await page.get_by_label("A CSV file").set_input_files(wrong)
    await page.get_by_role("button", name="Import").click()
    await expect(page.locator("#problem")).to_contain_text("line 2: code")
    right = tmp_path / "right.csv"
    right.write_text(
        "code,name,sector,services,email,verified_on\n"
        "house,Sigurna kuća,shelter,shelter,a@house.example,2026-11-01\n"
        "old,Stara kuća,shelter,shelter,b@house.example,2020-01-01\n"
    )
    await page.get_by_label("A CSV file").set_input_files(right)
    await page.get_by_role("button", name="Import").click()
    await expect(page.locator("table")).to_contain_text("Sigurna kuća")
    await expect(page.locator("table")).to_contain_text("long ago")


async def what_is_due_is_seen(live: Stage, page: Page, ana: Counsellor) -> None:
    """A referral that waits: its deadline is on the page, and an override has to be seen."""
    await by_hand(ana, override=OVERRIDE, send=True)
    await page.get_by_role("link", name="What is due").click()
    await expect(page.locator("#deadlines")).to_contain_text("to acknowledge")
    await expect(page.locator("#notices-box")).to_contain_text("made without consent")
    await picture(page, "supervisor")
    overrides = page.locator(".bells li", has_text="made without consent")
    await expect(overrides).to_have_count(1)
    # A row that comes in above keeps its hands off the button under the pointer.
    button = await overrides.get_by_role("button", name="Seen").element_handle()
    assert button is not None
    address = await button.get_attribute("data-post")
    await by_hand(ana, override=OVERRIDE, send=True)
    await expect(overrides).to_have_count(2)
    assert await button.get_attribute("data-post") == address
    await button.click()
    await expect(page.locator(f'[data-post="{address}"]')).to_have_count(0)
    await expect(overrides).to_have_count(1)


async def test_what_came_close_is_confirmed_and_who_must_not_be_told_is_found_by_name(
    live: Stage, page: Page
) -> None:
    await add_agency(
        live, "centre", "child_protection", sector="social_welfare", email="h@a.example"
    )
    await add_agency(live, "house", "shelter", name="Sigurna kuća", email="h@a.example")
    ana = await live.add_counsellor("ana", state=None)
    await answers_that_are_only_close_are_confirmed_on_the_page(live, page, ana)
    await who_must_not_be_told_is_found_by_name(live, page, ana)


async def answers_that_are_only_close_are_confirmed_on_the_page(
    live: Stage, page: Page, ana: Counsellor
) -> None:
    """From a contact with two children: one is chosen, and what came close is confirmed."""
    contact_id = await new_contact(ana, BROTHERS | {"actions.summary": "They are afraid."})
    await enter(page, live, ana, f"/contacts/{contact_id}")
    await page.get_by_text("Refer to an agency").click()
    form = page.locator('form[data-json="/api/v1/referrals"]')
    await form.get_by_label("Urgency").select_option("routine")
    await form.get_by_label("Service needed").select_option("child_protection")
    await form.get_by_label("Child 2, Pavle").check()
    await picture(page, "refer-one-child")
    await form.get_by_role("button", name="Open a referral").click()
    await expect(page.locator("h1")).to_contain_text("child protection")
    assert await page.locator("#f-child-name").input_value() == "Pavle"
    note = page.locator('[data-path="reason.why"] .to-confirm')
    await expect(note).to_contain_text("To be confirmed")
    for width in (390, 820, 1400) if PICTURES else ():
        await page.set_viewport_size({"width": width, "height": 900})
        await picture(page, f"to-confirm-{width}")
    await note.get_by_role("button").press("Enter")
    await expect(page.locator('[data-path="reason.why"] .to-confirm')).to_have_count(0)
    rows = await live.rows("SELECT to_confirm FROM referrals")
    assert rows == [{"to_confirm": []}]
    # Without consent nothing is sent, and the page says why.
    await page.locator("#send").click()
    await expect(page.locator("#problem")).to_contain_text("neither consent")


async def who_must_not_be_told_is_found_by_name(live: Stage, page: Page, ana: Counsellor) -> None:
    made = await by_hand(ana)
    await enter(page, live, ana, f"/referrals/{made['id']}")
    consent = page.locator('form[data-json$="/consent"]')
    await consent.get_by_label("Given by").select_option("child")
    await consent.get_by_role("checkbox", name="services", exact=True).check()
    for typed, found in (("сигурна", "Sigurna kuća"), ("polic", "police")):
        await consent.get_by_role("combobox", name="Not to").press_sequentially(typed)
        first = page.locator("#list-withheld_from [aria-selected=true]")
        await expect(first).to_contain_text(found)
        await page.keyboard.press("Enter")
    await picture(page, "consent")
    await consent.get_by_role("button", name="Write down").click()
    # In the consent, and in the history.
    told = page.get_by_text("for services; not to police, Sigurna kuća")
    await expect(told).to_have_count(2)
    (row,) = await live.rows("SELECT withheld_from FROM consents")
    assert sorted(row["withheld_from"]) == ["house", "police"]
