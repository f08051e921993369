"""The contact form in a real Chromium: nothing of it is lost.

`test_frame` fills one in by keyboard while a child talks.
"""

import asyncio
import os
import signal
from pathlib import Path

from playwright.async_api import BrowserContext, Page, Playwright, Route, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.web.access import COOKIE
from tests.support.browser import CHROMIUM, FLAGS, answered, enter, press
from tests.support.contacts import WHOLE, completed, new_contact
from tests.support.profile import nightly
from tests.support.waiting import until


@nightly
async def test_a_silent_call_is_closed_from_a_menu_by_keyboard_alone(
    live: Stage, page: Page
) -> None:
    """By day `tests/scenarios/talks/test_cannot_speak.py` has the silent call."""
    _ana, leg = await answered(page, live)
    await expect(page.locator("#contact-title")).to_be_visible()
    await page.keyboard.press("c")
    await press(page, "1")
    # Perhaps the child cannot speak: first it is asked, and answers with a key.
    refused = page.get_by_role("alert").filter(has_text="may not be able to speak")
    await expect(refused).to_be_visible()
    await page.locator("#by-key summary").click()
    await page.locator("#ask-alone").click()
    answers = page.get_by_role("list", name="Asked by key")
    await expect(answers).to_contain_text("is being asked")
    while not leg.has_heard("možeš da odgovaraš tasterima"):
        await live.clock.sleep(0.1)
    live.exchange.press(leg, "2")
    await expect(answers).to_contain_text("no", ignore_case=False)
    await expect(answers).not_to_contain_text("is being asked")
    await page.locator("#call-title").click()
    await page.keyboard.press("c")
    await press(page, "1")
    # The talk is over, the record is closed, and the next child can ring.
    await expect(page.locator("#presence")).to_contain_text("Available")
    rows = await live.rows("SELECT state, closed_as FROM contacts ORDER BY taken_at")
    assert rows[-1] == {"state": "complete", "closed_as": "silent"}
    assert (await live.call_of(leg))["ended_by"] == "counsellor"
    await expect(page.locator("#contact-title")).to_have_count(0)
    await page.goto(live.settings.public_url + "/contacts")
    await expect(page.locator("main")).to_contain_text("1 silent")


async def persistent(folder: Path, playwright: Playwright) -> BrowserContext:
    return await playwright.chromium.launch_persistent_context(
        str(folder), executable_path=CHROMIUM, args=FLAGS
    )


def browsers_with(folder: Path) -> list[int]:
    """The processes of the browser that keeps its things in that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"--user-data-dir={folder}".encode() in words:
                found.append(int(entry.name))
    return found


async def test_a_browser_killed_in_mid_word_has_lost_nothing(
    live: Stage, tmp_path: Path, playwright: Playwright
) -> None:
    ana = await live.add_counsellor("ana", state=None)
    contact_id = await new_contact(ana, {"contact.kind": "child"})
    said = "He says that nobody must know, and then he"
    context = await persistent(tmp_path, playwright)
    page = await context.new_page()
    await enter(page, live, ana, f"/contacts/{contact_id}")
    await page.locator("#f-actions-summary").focus()
    # The network is gone while it is typed: the server has none of it.
    await context.set_offline(True)
    await page.keyboard.insert_text(said[:-4])
    await page.keyboard.type(said[-4:])
    await expect(page.locator("#saving")).to_contain_text("kept on this machine")
    await asyncio.sleep(0.3)
    for pid in browsers_with(tmp_path):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not browsers_with(tmp_path), "the browser is gone")
    assert (await live.rows("SELECT sealed FROM contacts"))[0]["sealed"] == {}
    # Nothing legible stays on the disk.
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert b"nobody must know" not in file.read_bytes(), file
    context = await persistent(tmp_path, playwright)
    page = await context.new_page()
    await enter(page, live, ana, f"/contacts/{contact_id}")
    await expect(page.locator("#f-actions-summary")).to_have_value(said)
    await expect(page.locator("#saving")).to_have_text("All saved")
    await context.close()
    found = (await ana.ask("GET", f"/contacts/{contact_id}")).json()
    assert found["answers"]["actions.summary"] == said


@nightly
async def test_words_survive_a_closed_tab_and_a_server_restart(live: Stage, page: Page) -> None:
    """By day a killed browser keeps the words, and `test_away` lets the server go."""
    ana = await live.add_counsellor("ana", state=None)
    contact_id = await new_contact(ana, {"contact.kind": "child"})
    await enter(page, live, ana, f"/contacts/{contact_id}")
    await page.locator("#f-actions-summary").fill("before the restart")
    await expect(page.locator("#saving")).to_have_text("All saved")
    await stored(live, "actions.summary")
    await live.stop_server()
    await page.locator("#f-incident-account").fill("while nobody answers")
    await expect(page.locator("#saving")).to_contain_text("kept on this machine")
    await page.close(run_before_unload=False)
    await live.start_server()
    again = await page.context.new_page()
    await again.goto(f"{live.settings.public_url}/contacts/{contact_id}")
    await stored(live, "incident.account")
    await expect(again.locator("#saving")).to_have_text("All saved")
    found = (await ana.ask("GET", f"/contacts/{contact_id}")).json()["answers"]
    assert found["actions.summary"] == "before the restart"
    assert found["incident.account"] == "while nobody answers"


async def test_answers_are_checked_beside_the_question_and_decide_what_is_urgent(
    live: Stage, page: Page
) -> None:
    ana = await live.add_counsellor("ana", state=None)
    told = {**WHOLE, "contact.kind": "about_child"}
    del told["contact.headline"]
    contact_id = await new_contact(ana, told)
    await enter(page, live, ana, f"/contacts/{contact_id}")
    await expect(page.locator("[data-section=separation]")).to_be_hidden()
    age, saving = page.locator("#f-child-a1-age"), page.locator("#saving")
    await age.fill("eleven")
    trouble = page.locator("[data-path='child.a1.age'] .trouble")
    await expect(trouble).to_contain_text("Write a whole number in digits.")
    await expect(saving).to_contain_text("1 not saved")
    await age.fill("1")
    await expect(saving).to_have_text("All saved")
    await expect(trouble).to_be_hidden()
    # The family comes first, and the counsellor decides.
    await expect(page.locator("[data-service=outreach_worker]")).to_be_visible()
    await expect(page.locator("[data-service=cash_housing]")).to_be_hidden()
    await expect(page.locator("#suggestion")).to_contain_text("urgent, because a child under three")
    await page.locator("#urgency-form select").select_option("priority")
    await page.get_by_label("Why", exact=True).fill("the grandmother is there")
    await page.get_by_role("button", name="Decide").click()
    await expect(page.locator("#urgency")).to_have_text("priority")
    await expect(page.locator("main")).to_contain_text("suggested: urgent, a child under three")
    await page.locator("#complete").click()
    await expect(page.locator("#problem")).to_contain_text("Headline: not answered yet")
    await a_person_is_removed_while_still_being_saved(page)
    found = (await ana.ask("GET", f"/contacts/{contact_id}")).json()["answers"]
    assert {path.split(".")[1] for path in found if path.startswith("child.")} == {"a1"}


async def a_person_is_removed_while_still_being_saved(page: Page) -> None:
    sent, may_go = asyncio.Event(), asyncio.Event()

    async def later(route: Route) -> None:
        sent.set()
        await may_go.wait()
        await route.continue_()

    await page.route("**/answers", later)
    entries = page.locator("[data-entries=child] .entry")
    before = await entries.count()
    await page.locator("[data-add=child]").click()
    await page.keyboard.type("Somebody")
    await sent.wait()
    await entries.nth(before).get_by_role("button", name="Remove").click()
    may_go.set()
    await expect(page.locator("#saving")).to_have_text("All saved")
    await expect(page.locator("#troubles")).to_be_empty()
    await page.unroute("**/answers")


@nightly
async def test_two_tabs_of_one_contact_and_a_record_given_away(live: Stage, page: Page) -> None:
    """By day `tests/scenarios/contacts/test_contacts.py` has the conflict of two versions."""
    ana = await live.add_counsellor("ana", state=None)
    bora = await live.add_counsellor("bora", state=None)
    contact_id = await new_contact(ana, {"contact.kind": "child"})
    path = f"/contacts/{contact_id}"
    await enter(page, live, ana, path)
    other = await page.context.new_page()
    await enter(other, live, ana, path)
    # What one writes appears in the other.
    await page.locator("#f-contact-place").select_option("RS-BG")
    await page.locator("[data-add=child]").click()
    await page.keyboard.type("Mira")
    await expect(other.locator("#f-contact-place")).to_have_value("RS-BG")
    await expect(other.locator("[data-entries=child] .entry")).to_have_count(2)
    # Both change the same question at once: the second sees it and chooses.
    await other.context.set_offline(False)
    await other.route("**/answers", lambda route: route.abort())
    await other.locator("#f-actions-summary").fill("theirs is late")
    await page.locator("#f-actions-summary").fill("first")
    await expect(page.locator("#saving")).to_have_text("All saved")
    await other.unroute("**/answers")
    trouble = other.locator("[data-path='actions.summary'] .trouble")
    await expect(trouble).to_contain_text("Changed in another window: first")
    await trouble.get_by_role("button", name="Keep mine").click()
    await expect(other.locator("#saving")).to_have_text("All saved")
    await expect(page.locator("#f-actions-summary")).to_have_value("theirs is late")
    # Both write without a network, and are closed.
    await page.context.set_offline(True)
    await page.locator("#f-actions-summary").fill("typed in the first")
    await other.locator("#f-incident-account").fill("typed in the second")
    for tab in (page, other):
        await expect(tab.locator("#saving")).to_contain_text("kept on this machine")
    await asyncio.sleep(0.3)
    await other.close(run_before_unload=False)
    await page.close(run_before_unload=False)
    # Meanwhile it is given to a colleague: the words are shown all the same, and none is lost.
    (await ana.ask("POST", f"{path}/assign", {"staff_id": str(bora.id)})).raise_for_status()
    again = await page.context.new_page()
    await again.context.set_offline(False)
    await again.goto(live.settings.public_url + path)
    troubles = again.locator("#troubles")
    await expect(troubles).to_contain_text("typed in the first")
    await expect(troubles).to_contain_text("typed in the second")
    (await bora.ask("POST", f"{path}/assign", {"staff_id": str(ana.id)})).raise_for_status()
    await again.reload()
    await expect(again.locator("#f-actions-summary")).to_have_value("typed in the first")
    await expect(again.locator("#f-incident-account")).to_have_value("typed in the second")
    await stored(live, "incident.account")
    await expect(again.locator("#saving")).to_have_text("All saved")
    found = (await ana.ask("GET", path)).json()["answers"]
    assert found["actions.summary"] == "typed in the first"
    assert found["incident.account"] == "typed in the second"


@nightly
async def test_two_contacts_are_told_apart_and_make_a_case_whose_follow_up_turns_overdue(
    live: Stage, page: Page
) -> None:
    """By day `tests/scenarios/contacts` and `tests/scenarios/cases` have its steps."""
    ana = await live.add_counsellor("ana", state=None)
    first, second = await completed(ana), await completed(ana)
    code = (await ana.ask("GET", f"/contacts/{second}")).json()["code"]
    await told_apart(live, page, ana, (first, second))
    await enter(page, live, ana, f"/contacts/{first}")
    await page.get_by_role("button", name="Open a case").click()
    await expect(page).to_have_url(live.settings.public_url + "/cases/" + str(await case_of(live)))
    await page.get_by_label("Code of a contact").fill(code)
    await page.get_by_role("button", name="Add", exact=True).first.click()
    await expect(page.locator(".side")).to_contain_text(code)
    await page.get_by_label("What to do").fill("Ring the school")
    await page.get_by_role("button", name="Set", exact=True).click()
    await expect(page.locator(".follow-up")).to_contain_text("Ring the school")
    await page.get_by_label("Note (sealed)").fill("The school knows.")
    await page.get_by_role("button", name="Save note").click()
    await expect(page.locator(".events")).to_contain_text("The school knows.")
    await make_overdue(live)
    await page.reload()
    await expect(page.locator(".follow-up")).to_contain_text("⚠ overdue")
    await page.goto(live.settings.public_url)
    await expect(page.locator("#tasks")).to_contain_text("⚠ overdue")
    await page.goto(live.settings.public_url + "/cases")
    await expect(page.locator(".bells")).to_contain_text("⚠ overdue")
    await page.get_by_label("Name").fill("Йована")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#rows tbody tr")).to_have_count(1)


async def told_apart(live: Stage, page: Page, ana: Counsellor, contacts: tuple[str, str]) -> None:
    """Two contacts are linked as those of one person, and then told apart, on a page."""
    first, second = contacts
    code = (await ana.ask("GET", f"/contacts/{first}")).json()["code"]
    await enter(page, live, ana, f"/contacts/{second}")
    await page.get_by_label("Same person as the contact").fill("K-000-000-000")
    await page.get_by_role("button", name="Link").click()
    await expect(page.locator("#problem")).to_contain_text("check the code of the contact")
    await page.get_by_label("Same person as the contact").fill(code)
    await page.get_by_role("button", name="Link").click()
    await page.get_by_role("link", name="All contacts of this person").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_label(f"{code} is from another person").check()
    await page.get_by_label("The chosen contacts are from another person").fill("another voice")
    await page.get_by_role("button", name="Split").click()
    await expect(page).to_have_url(live.settings.public_url + "/contacts")
    rows = await live.rows("SELECT count(DISTINCT profile_id) AS n FROM contacts")
    assert rows == [{"n": 2}]


async def stored(live: Stage, path: str) -> None:
    """A sealed answer has reached the database."""
    for _ in range(300):
        if path in (await live.rows("SELECT sealed FROM contacts"))[0]["sealed"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} was not stored")


async def case_of(live: Stage) -> str:
    for _ in range(200):
        rows = await live.rows("SELECT id FROM cases")
        if rows:
            return str(rows[0]["id"])
        await asyncio.sleep(0.05)
    raise AssertionError("no case was opened")


async def make_overdue(live: Stage) -> None:
    """The end of the day comes: its job is due now, on the worker's own clock."""
    await live.rows(
        "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 s' "
        "WHERE task_name IN ('contacts:remind', 'contacts:overdue') RETURNING id"
    )
    for _ in range(400):
        rows = await live.rows("SELECT overdue_at FROM follow_ups")
        if rows[0]["overdue_at"] is not None:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the follow-up did not turn overdue")


@nightly
async def test_a_contact_from_paper_in_serbian(live: Stage, page: Page) -> None:
    """By day `tests/scenarios/contacts/test_contacts.py` records one from paper."""
    ana = await live.add_counsellor("ana", state=None)
    cookie = {"name": COOKIE, "value": ana.cookies[COOKIE], "url": live.settings.public_url}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]
    await page.goto(live.settings.public_url + "/contacts")
    await page.get_by_text("Record a contact without a call").click()
    await page.get_by_label("Channel").select_option("letter")
    await page.get_by_label("Recorded").select_option("paper")
    await page.get_by_role("button", name="Open the form").click()
    await expect(page.locator("#problem")).to_contain_text(
        "Give the time at which the contact took place"
    )
    await page.get_by_label("Taken at").fill("2026-11-20T10:30")
    await page.get_by_role("button", name="Open the form").click()
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    await page.get_by_role("button", name="Srpski", exact=True).click()
    await expect(page.locator("#missing")).to_contain_text("Ko se javlja: još nije odgovoreno")
    await expect(page.locator(".sections")).to_contain_text("Ovaj kontakt")
    rows = await live.rows("SELECT channel, source FROM contacts")
    assert rows == [{"channel": "letter", "source": "paper"}]
