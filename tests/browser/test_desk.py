"""The desk: an inbox whose rows open beside it. `test_shift` has what stands beside a talk."""

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.referrals.states import ForWhom
from tests.support.browser import visit
from tests.support.contacts import new_case, new_contact
from tests.support.verbs import a_late_referral


async def test_a_row_of_the_inbox_opens_beside_the_list(live: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 1440, "height": 900})
    ana = await live.add_counsellor("ana", state=None)
    headlines = ["First of the day", "Second of the day"]
    for headline in headlines:
        await new_contact(ana, {"contact.kind": "child", "contact.headline": headline})
    await a_late_referral(live, ana.staff, for_whom=ForWhom.OWNER)
    await visit(page, live, ana, "/")
    # The group with the most urgent row stands first.
    groups = "[...document.querySelectorAll('.inbox > section')].map((one) => one.id).join(' ')"
    await page.wait_for_function(f"() => /notices .*tasks/.test({groups})")
    rows = page.locator("#tasks details[name=inbox]")
    await expect(rows).to_have_count(2)
    await rows.nth(0).locator("summary.row").press("Enter")
    place = rows.nth(0).locator("#f-contact-headline")
    await expect(rows.nth(0).locator("[data-record][data-ready]")).to_have_count(1)
    await expect(place).to_have_value(headlines[0])
    left = await rows.nth(1).locator("summary.row").bounding_box()
    right = await place.bounding_box()
    assert left
    assert right
    assert right["x"] > left["x"] + left["width"], "beside the list, not over it"
    await place.fill("First, written on")
    # Another row: the first is saved and put away, so one record is open at a time.
    await rows.nth(1).locator("summary.row").click()
    await expect(page.locator("[data-record]")).to_have_count(1)
    await expect(rows.nth(1).locator("#f-contact-headline")).to_have_value(headlines[1])
    await expect(rows.nth(0).locator("summary.row")).to_contain_text("First, written on")
    kept = await live.rows("SELECT headline FROM contacts ORDER BY opened_at")
    assert [row["headline"] for row in kept] == ["First, written on", headlines[1]]
    # A follow-up that is due opens its case in the same place.
    case = await new_case(ana)
    due = {"due_on": f"{live.today}", "about": "review"}
    made = await ana.ask("POST", f"/cases/{case['id']}/follow-ups", due)
    made.raise_for_status()
    await live.watch.execute("UPDATE follow_ups SET reminded_at = now()")
    await page.reload()
    row = page.locator(f"#follow-up-{made.json()['id']}")
    await row.locator("summary.row").click()
    await expect(row.locator(".record h1")).to_contain_text(case["code"])
    await expect(page.locator("[data-record]")).to_have_count(1)
