"""An administrator records a prompt in the browser, and the next caller hears it."""

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import at
from tests.support.sound import until


async def test_a_prompt_is_recorded_and_heard_by_the_next_caller(live: Stage, page: Page) -> None:
    mila = await live.add_counsellor("Mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await at(page, live, mila, "/admin")
    await page.get_by_role("link", name="Lines and prompts").click()
    await page.locator("th a").first.click()
    prompt = page.locator("#greeting")
    await prompt.locator("summary").click()
    record = prompt.get_by_role("button", name="Record", exact=True)
    await record.click()
    stop = prompt.get_by_role("button", name="Stop, and use the recording")
    await expect(stop).to_be_visible()
    await page.wait_for_timeout(600)
    await stop.click()
    await expect(prompt.locator("audio")).to_have_count(1)
    (kept,) = await live.rows("SELECT id, audio_type, length(audio) AS size FROM prompts")
    assert kept["audio_type"] == "audio/wav"
    assert kept["size"] > 8000, "half a second of sound"
    leg = live.ring("+381641234567")
    await until(lambda: leg.has_heard(str(kept["id"])), "the recording is played")
    await live.exchange.hang_up(leg)
    # Taken back, the line speaks the words of the program again.
    await prompt.locator("summary").click()
    await prompt.get_by_role("button", name="Take the last change back").click()
    await expect(prompt.locator("audio")).to_have_count(0)
    await expect(prompt.locator(".words")).to_contain_text("Plavi telefon")
