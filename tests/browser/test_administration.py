"""What an administrator sets in the browser, and what follows: prompts, lines, retention, keys."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import update

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import hashing
from app.staff.models import Staff, StaffSession
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.axe import AXE, faults
from tests.support.browser import at, enter, picture, visit
from tests.support.contacts import completed
from tests.support.profile import WHOLE, nightly
from tests.support.waiting import until


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


async def test_a_record_is_held_and_let_go_on_its_page(page: Page, live: Stage) -> None:
    ana = await live.add_counsellor("ana", shift=False, state=None)
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    contact = await completed(ana)
    await enter(page, live, vera, f"/contacts/{contact}")
    hold = page.locator("#hold")
    await hold.get_by_label("Why this record must not be erased").fill("A court asks for it.")
    await hold.get_by_role("button", name="Hold").click()
    await expect(hold).to_contain_text("Held: not erased until the hold is lifted.")
    await expect(hold).to_contain_text("A court asks for it.")
    await picture(page, "retention-record")
    await page.locator("#lift-hold").click()
    await expect(hold.get_by_role("button", name="Hold")).to_be_visible()

    await visit(page, live, mila, "/admin/retention")
    days = page.get_by_label("Days: Names and texts of contacts")
    await days.fill("1825")
    await page.locator("#save-retention").click()
    await expect(page.locator("#retention-told")).to_contain_text("The rules are saved.")
    await expect(days).to_have_value("1825")
    row = page.locator('#retention-kinds tr[data-kind="contacts"]')
    await expect(row).to_contain_text("Your own rule")
    await picture(page, "retention-own")
    # The key Enter in a field saves, and gives no rule up.
    await days.press("Enter")
    await expect(row).to_contain_text("Your own rule")
    await row.get_by_role("button", name="Back to the default").click()
    await expect(row).to_contain_text("Default")
    if WHOLE:
        await the_rules_fit_every_width(page)
        await an_auditor_reads_the_answer_in_another_language(live, page)


async def the_rules_fit_every_width(page: Page) -> None:
    """With `TESTS=whole`, as in `test_every_page`, which by day looks at some pages."""
    for width in (320, 768, 1440):
        await page.set_viewport_size({"width": width, "height": 900})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"the page is {wide} px wide on a screen of {width}"
        await picture(page, f"retention-{width}")
    await page.emulate_media(color_scheme="dark")
    await picture(page, "retention-dark")


async def an_auditor_reads_the_answer_in_another_language(live: Stage, page: Page) -> None:
    """An auditor compares the logs with a file; by day `tests/safekeeping/test_anchors.py` does."""
    olga = await live.add_counsellor("olga", role=Role.AUDITOR, shift=False, state=None)
    await visit(page, live, olga, "/admin/log")
    await page.get_by_label("Compare with a file of anchors").set_input_files(
        {"name": "a", "mimeType": "text/plain", "buffer": b'{"anchor":9}'}
    )
    await page.get_by_role("button", name="Compare", exact=True).click()
    newer = "The file was written by a newer version of the program."
    await expect(page.locator("main")).to_contain_text(newer)
    await page.request.post(
        f"{live.settings.public_url}/page-language",
        form={"language": "sr"},
        headers={"Referer": page.url, "Origin": live.settings.public_url},
    )
    await page.goto(page.url)
    await expect(page).to_have_url(re.compile("/admin/log#anchors$"))


WIDTHS = (1440, 390, 320)


async def _faults(page: Page, where: str) -> list[str]:
    """Return what axe finds in each width, with `TESTS=whole`."""
    found = []
    for one in WIDTHS if WHOLE else ():
        await page.set_viewport_size({"width": one, "height": 900})
        # What is drawn for another width fades over.
        await page.reload()
        await picture(page, f"{where}-{one}")
        found += await faults(page, f"{where} {one}")
    await page.set_viewport_size({"width": 1440, "height": 900})
    return found


@nightly
@pytest.mark.skipif(not Path(AXE).exists(), reason="npm packages are not installed")
async def test_a_line_is_retired_and_used_again_and_everything_is_sealed_anew(
    page: Page, live: Stage
) -> None:
    mila = await live.add_counsellor("Mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await live.add_line("+381113334444", "sr", "Druga linija")
    await visit(page, live, mila, "/admin/lines")
    await page.get_by_role("link", name="+381113334444").click()
    facts = page.locator("#facts")
    await facts.get_by_label("Time zone").select_option("Europe/Zagreb")
    await facts.get_by_role("button", name="Save").click()
    await expect(page.locator("#changes")).to_contain_text("Croatia – Zagreb")
    assert await _faults(page, "line") == []
    # The proof is too old: it is asked for first, although the browser sends this form itself.
    async with transaction(live.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, mila.id)
        staff.password_hash = await hashing.hash_password("correct horse battery")
        await work.session.execute(update(StaffSession).values(proved_at=None))
    await page.locator("#retire").get_by_role("button", name="Retire the line").click()
    await page.get_by_label("Your password").fill("correct horse battery")
    await page.keyboard.press("Enter")
    await expect(page.locator("#retired")).to_contain_text("Druga linija")
    # The address is that of the list: the page of the line is gone.
    await expect(page).to_have_url(re.compile("/admin/lines#retired$"))
    assert await _faults(page, "lines") == []
    await page.get_by_role("button", name="Take Druga linija back into use").click()
    await expect(page.get_by_role("heading", name="Druga linija")).to_be_visible()
    if WHOLE:
        await everything_is_sealed_anew(live, page)


async def everything_is_sealed_anew(live: Stage, page: Page) -> None:
    """By day `tests/sealing/test_resealing.py` has the act."""
    await page.goto(f"{live.settings.public_url}/admin/keys")
    assert await _faults(page, "keys") == []
    await page.get_by_role("button", name="Seal everything anew").click()
    await expect(page.locator("#resealing")).to_contain_text("Under way since")
