"""The desk: guidance and call-back beside the form in a talk, and an inbox that opens beside."""

import asyncio

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.referrals.states import ForWhom
from app.staff.roles import Role
from tests.support.browser import answered, visit
from tests.support.contacts import new_case, new_contact
from tests.support.verbs import a_late_referral


async def test_guidance_sections_and_a_callback_stand_beside_the_form(
    live: Stage, page: Page
) -> None:
    await page.set_viewport_size({"width": 1440, "height": 900})
    await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    _, leg = await answered(page, live)
    form, keys = page.locator(".writing"), page.keyboard
    await expect(form.locator("[data-record][data-ready]")).to_have_count(1)
    columns = [page.locator(".caller"), form.locator("#record"), page.locator(".doing")]
    boxes = [await one.bounding_box() for one in columns]
    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)
    assert len(set(lefts)) == 3
    # What the child tells brings up what to do and what to avoid.
    topics = page.locator(".caller [data-guidance] details")
    await expect(topics.first).to_be_hidden()
    categories = form.get_by_role("combobox", name="What it is about")
    await categories.focus()
    await keys.type("samoubistvo")
    await keys.press("Enter")
    await keys.type("BATINE")
    await keys.press("Enter")
    chips = form.locator(".combo .chips li")
    await expect(chips).to_have_count(2)
    topic = page.locator(".caller").get_by_text("Are you thinking about killing yourself?")
    await expect(topic).to_be_visible()
    # The second was a mistake: taken away by keyboard, its guidance goes with it.
    await keys.press("Escape")
    await keys.press("ArrowLeft")
    await keys.press("Delete")
    await expect(chips).to_have_count(1)
    await expect(page.locator(".caller [data-guidance] details:not([hidden])")).to_have_count(1)
    await expect(categories).to_be_focused()
    link = form.locator(".sections a[data-of=contact]")
    await expect(link).to_have_attribute("data-state", "begun")
    await form.locator("#f-contact-headline").fill("Does not want to go home")
    await agrees_a_callback(live, page)
    await tells_the_supervisor_and_sends_a_key(live, page)
    await keys.press("Escape")
    # The desk was drawn again; the form was not.
    await expect(form.locator("#f-contact-headline")).to_have_value("Does not want to go home")
    await expect(topic).to_be_visible()
    await live.exchange.hang_up(leg)
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await expect(page.locator("#agreed-callback")).to_be_visible()
    await expect(form.locator("#f-contact-headline")).to_have_value("Does not want to go home")
    assert len(await live.rows("SELECT 1 FROM callbacks WHERE state = 'agreed'")) == 1


async def agrees_a_callback(live: Stage, page: Page) -> None:
    """One letter opens the call-back, and never sends it."""
    form, keys = page.locator(".writing"), page.keyboard
    await form.locator("h1").click()
    await keys.press("b")
    callback = page.locator(".doing form[hx-post$='/callback']")
    await expect(callback).to_be_visible()
    assert await live.rows("SELECT 1 FROM callbacks") == []
    await callback.get_by_label("The caller says that it is safe").check()
    await callback.get_by_role("button", name="Agree").click()
    await expect(page.locator("#agreed-callback")).to_contain_text("only the caller may know")


async def tells_the_supervisor_and_sends_a_key(live: Stage, page: Page) -> None:
    """A line to the supervisor, and a key for a menu at the other end."""
    form, keys = page.locator(".writing"), page.keyboard
    await page.locator("[data-note] [name=words]").fill("I stay with her until six")
    # She types on before the answer comes.
    await page.locator("[data-note]").evaluate(
        "(form) => { form.requestSubmit(); form.elements.words.value = 'and then'; }"
    )
    await expect(page.locator("[data-note] output")).to_have_text("Sent.")
    await expect(page.locator("[data-note] [name=words]")).to_have_value("and then")
    await page.locator("[data-note] [name=words]").fill("")
    assert await live.rows("SELECT 1 FROM team_messages") == [{"?column?": 1}]
    await form.locator("h1").click()
    await keys.press("k")
    await page.locator(".keypad").get_by_role("button", name="5").click()
    (hers,) = [one for one in live.exchange.legs.values() if one.to.startswith("client:")]
    assert await asyncio.wait_for(hers.digits.get(), 10) == "5"


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
    await live._watch.execute("UPDATE follow_ups SET reminded_at = now()")
    await page.reload()
    row = page.locator(f"#follow-up-{made.json()['id']}")
    await row.locator("summary.row").click()
    await expect(row.locator(".record h1")).to_contain_text(case["code"])
    await expect(page.locator("[data-record]")).to_have_count(1)
