"""The frame in a real Chromium: a ring on any page, page changes that keep it, safe endings."""

import asyncio
import re
from datetime import time, timedelta
from typing import Any

import psycopg
import pytest
from playwright.async_api import Page, Route, expect
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app import words
from app.calls.log_kinds import Cause
from app.dashboard import desk
from app.dashboard.people.signing_in import safe_next
from app.dashboard.views import STATE_WORDS
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.routing import presence
from app.routing.models import Presence, PresenceState
from app.staff import tokens
from app.staff.roles import Role
from app.web.access import COOKIE
from app.words import pages
from app.work import PROGRAM
from tests.support.axe import faults_zoomed
from tests.support.browser import (
    HEAR,
    answered,
    at,
    picture,
    press,
    ring,
    said,
    signed_in,
    taken_back_for_a_moment,
    write,
)
from tests.support.profile import WHOLE, nightly
from tests.support.waiting import until

# That no page is too wide is tried by `test_every_page`, by day on those that it opens.
PAGES = (
    "/",
    "/contacts",
    "/cases",
    "/referrals",
    "/supervisor",
    "/roster",
    "/agencies",
    "/reports",
)


async def test_one_page_through_a_day_of_calls(live: Stage, page: Page) -> None:
    """The stories of the frame, one after the other on the page of one counsellor."""
    await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    await page.add_init_script(HEAR)
    ana, leg = await answered(page, live)
    await a_talk_stands_whatever_its_reader_opens_and_presses(live, page, leg)
    await the_form_is_filled_in_by_keyboard_alone(live, page, ana, leg)
    await the_end_of_a_talk_can_be_taken_back(live, page, leg)
    await is_ready_again(page)
    leg = await a_ring_reaches_every_page_and_leaves_the_focus_in_a_field(live, page)
    await page.locator(".rail a[data-section=desk]").click()
    await each_child_has_a_form_of_its_own(live, page, leg)


async def is_ready_again(page: Page) -> None:
    await press(page, "r")
    await expect(page.locator("#presence")).to_contain_text("Available")


async def takes_the_next_call(live: Stage, page: Page) -> None:
    await ring(live)
    await expect(page.locator("#accept")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)


async def a_ring_reaches_every_page_and_leaves_the_focus_in_a_field(live: Stage, page: Page) -> Leg:
    """Return the leg of the caller with whom she talks in the end."""
    await page.locator(".rail a[data-section=contacts]").click()
    await expect(page.locator("#main h1").first).to_have_text("Contacts")
    field = page.locator("#main input:visible").first
    await field.fill("Jov")
    await said(page)
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await expect(field).to_be_focused()
    await page.keyboard.type("ana")
    await expect(field).to_have_value("Jovana")
    # It is said once: not again when its seconds run, or another caller comes and goes.
    waited = page.locator("#offer [data-up]")
    first = await waited.inner_text()
    other = await ring(live, from_="+381641110009")
    await expect(page.locator(".rail a[data-section=desk] .count")).to_have_text("2")
    await expect(waited).not_to_have_text(first)
    assert await said(page) == [("assertive", "A call is waiting: Plavi telefon · Serbian")]
    await live.exchange.hang_up(other)
    await expect(page.locator(".rail a[data-section=desk] .count")).to_have_text("1")
    await live.exchange.hang_up(leg)
    await expect(page.locator("#offer")).to_have_count(0)
    # Where nothing is being typed, the focus goes to the ring.
    await page.locator(".rail a[data-section=cases]").click()
    await expect(page.locator("#main h1")).to_have_text("Cases")
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await expect(page.locator("#accept")).to_be_focused()
    assert await said(page) == [], "the focus in the ring says it; a changed queue is not said"
    await page.keyboard.press("Enter")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    assert page.url.endswith("/cases")
    assert live.exchange.conferences.of_leg(leg) is not None
    return leg


async def a_talk_stands_whatever_its_reader_opens_and_presses(
    live: Stage, page: Page, leg: Leg
) -> None:
    """Page changes, single letters and a refusal leave it as it is."""
    title, end = page.locator("#call-title"), page.locator("#hang-up")
    await page.evaluate("window.sameDocument = true")
    for section in ("cases", "contacts", "roster"):
        await page.locator(f".rail a[data-section={section}]").click()
        await page.wait_for_url(f"**/{section}")
        await expect(page.locator(".rail [aria-current=page]")).to_have_attribute(
            "data-section", section
        )
        await expect(title).to_contain_text("Talking")
    await page.go_back()
    await expect(page.locator("#main h1")).to_have_text("Contacts")
    await page.locator(".rail a[data-section=desk]").click()
    # The form of the same contact is there again, with the child still in the line.
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    assert await page.evaluate("window.sameDocument") is True

    # One letter alone does nothing.
    await title.click()
    for letter in "ehmp1":
        await page.keyboard.press(letter)
    await asyncio.sleep(0.5)
    await expect(title).to_contain_text("Talking")
    assert (await live.call_of(leg))["ended_at"] is None

    # A refusal never takes the bar away.
    await title.click()
    await page.locator("#mute").evaluate(
        "one => { one.setAttribute('hx-post', '/board/presence/nonsense'); htmx.process(one); }"
    )
    await press(page, "m")
    refused = page.locator("#refused [role=alert]")
    await expect(refused).to_be_visible()
    await expect(end).to_be_visible()
    await refused.click()
    await expect(refused).to_have_count(0)


async def the_form_is_filled_in_by_keyboard_alone(
    live: Stage, page: Page, ana: Counsellor, leg: Leg
) -> None:
    """It is there again after another page; the talk goes on all the while."""
    form, keys = page, page.keyboard
    await expect(form.locator("[data-record][data-ready]")).to_have_count(1)
    await keys.press("w")
    await expect(form.locator("#f-contact-kind")).to_be_focused()
    await keys.type("A child")
    await expect(form.locator("[data-section=child]")).to_be_visible()
    await keys.press("Tab")
    await write(page, "Zove Marko")
    await expect(form.locator("[data-path='contact.headline'] .trouble")).to_contain_text(
        "It looks like it holds a name"
    )
    await keys.press("ControlOrMeta+a")
    await write(page, "Bullied at school")
    await keys.press("Tab")
    # A child's word, in either script, finds the category.
    await keys.type("zadirk")
    await keys.press("Enter")
    await expect(form.locator(".combo .chips")).to_have_text("Bullying ×")
    await keys.type("туче")
    await expect(form.locator(".combo [role=option]").first).to_contain_text("Physical violence")
    await keys.press("Escape")
    await form.locator("#f-contact-place").focus()
    await keys.type("Belgrade")
    await form.locator("#f-child-a1-name").focus()
    await keys.type("Јована")
    await keys.press("Tab")
    await keys.type("11")
    await form.locator("#f-wishes-safe_to_contact").focus()
    await keys.type("No")
    for question in ("services", "authorities"):
        await form.locator(f"#f-consent-{question}").focus()
        await keys.type("No")
    await form.locator("#f-actions-taken input").first.focus()
    await keys.press("Space")
    await form.locator("#f-actions-summary").focus()
    await write(page, "She was told whom to talk to.")
    await keys.type("\nShe will.")
    await expect(form.locator("#saving")).to_have_text("All saved")
    await expect(form.locator("#missing li")).to_have_count(0)
    await page.locator(".rail a[data-section=cases]").click()
    await expect(form.locator("[data-record]")).to_have_count(0)
    await page.locator(".rail a[data-section=desk]").click()
    await expect(form.locator("#f-contact-headline")).to_have_value("Bullied at school")
    assert live.exchange.conferences.of_leg(leg) is not None
    await form.locator("#complete").focus()
    await keys.press("Enter")
    await expect(page.locator("#desk")).to_contain_text("The contact of this talk is complete")
    rows = await live.rows("SELECT state, kind, place FROM contacts")
    assert rows == [{"state": "complete", "kind": "child", "place": "RS-BG"}]
    call = await live.call_of(leg)
    found = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()["answers"]
    assert found["actions.summary"] == "She was told whom to talk to.\nShe will."
    assert found["contact.headline"] == "Bullied at school"
    assert found["contact.categories"] == ["V-BULLYING"]
    assert "Јована" in found.values()
    await expect(page.locator("#call-title")).to_contain_text("Talking")


async def the_end_of_a_talk_can_be_taken_back(live: Stage, page: Page, leg: Leg) -> None:
    """By mouse. While it is near, its button counts four times a second."""
    title, end = page.locator("#call-title"), page.locator("#hang-up")
    await end.click()
    await expect(end).to_contain_text("Undo")
    await end.click()
    await expect(end).not_to_contain_text("Undo")
    await asyncio.sleep(0.6)
    await expect(end).not_to_contain_text("Undo")
    await expect(title).to_contain_text("Talking")
    await taken_back_for_a_moment(end)
    await end.click()
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    assert (await live.call_of(leg))["ended_by"] == "counsellor"


async def each_child_has_a_form_of_its_own(live: Stage, page: Page, leg: Leg) -> None:
    """Once it holds text, keys do not close it."""
    record, saving = page.locator("[data-record][data-ready]"), page.locator("#saving")
    await expect(record).to_have_count(1)
    await expect(page.locator(".languages [aria-pressed=true]")).to_have_text("English")
    first = await record.get_attribute("data-record")
    await page.locator("#f-contact-headline").fill("Bullied at school")
    await expect(saving).to_have_text("All saved")
    await page.locator("#call-title").click()
    await page.keyboard.press("c")
    await press(page, "5")
    refused = page.locator("#refused")
    await expect(refused).to_contain_text("Something is written in this contact")
    # A change on the line draws the desk again. What was refused is still there to be read.
    async with page.expect_response(lambda one: one.url.endswith("/board/desk")) as drawn:
        bo = await live.add_counsellor("bo")
    await (await drawn.value).finished()
    await page.wait_for_function("() => !document.querySelector('.htmx-request')")
    await expect(refused).to_contain_text("Something is written in this contact")
    await bo.be("off_duty")
    assert (await live.call_of(leg))["ended_at"] is None
    await page.locator("#call-title").click()
    await press(page, "e")
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await is_ready_again(page)
    await takes_the_next_call(live, page)
    await expect(page.locator("#f-contact-headline")).to_have_value("")
    assert await record.get_attribute("data-record") != first
    await page.locator("#f-contact-headline").fill("Ran away")
    await expect(saving).to_have_text("All saved")
    rows = await live.rows("SELECT headline FROM contacts ORDER BY taken_at DESC LIMIT 2")
    assert [row["headline"] for row in rows] == ["Ran away", "Bullied at school"]
    await the_call_keeps_its_room_in_the_bar(page)
    await page.locator("#call-title").click()
    await the_wrap_up_goes_on(live, page)


async def the_wrap_up_goes_on(live: Stage, page: Page) -> None:
    """A wrap-up of a quarter of a minute lasts half a minute once the counsellor types: in the
    form, and in a note to the supervisor, which stays when the wrap-up ends all the same."""
    live.settings.wrap_up_seconds = 15
    await press(page, "e")
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await page.keyboard.press("w")
    await page.keyboard.press("Tab")
    await page.keyboard.type("abc ")
    await is_kept(live)
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await expect(page.locator("#saving")).to_have_text("All saved")
    # The page says at most every five seconds that its reader writes.
    await asyncio.sleep(5)
    async with transaction(live.ground, PROGRAM) as work:
        until_at = work.now + timedelta(seconds=15)
        await work.session.execute(update(Presence).values(until_at=until_at))
    note = page.get_by_label("Note to Jelena")
    await note.focus()
    await write(page, "Please read what she said of Ivan")
    await is_kept(live)
    await a_note_stays_until_it_is_sent(live, page)


async def is_kept(live: Stage) -> None:
    left = "SELECT coalesce(extract(epoch FROM max(until_at) - now()), 0) AS seconds FROM presences"

    async def is_kept() -> bool:
        return bool((await live.rows(left))[0]["seconds"] > presence.WRITES_ON - 7)

    await until(is_kept, "the wrap-up is kept")


# Another supervisor than the one of the kept note, in the form of a later talk: returns to whom the
# kept one is addressed then, and puts things right again.
LATER = """() => {
  const kept = document.querySelector("#unsent-notes form"), to = kept.elements.to.value;
  const now = kept.cloneNode(true);
  now.id = "note-later";
  now.elements.to.value = "another";
  document.getElementById("desk").append(now);
  document.dispatchEvent(new CustomEvent("htmx:afterSwap", {detail: {}}));
  const found = kept.elements.to.value;
  now.remove();
  kept.elements.to.value = to;
  return found;
}"""


async def a_note_stays_until_it_is_sent(live: Stage, page: Page) -> None:
    """The wrap-up ends while she types, and another page is opened: the note is there."""
    note, unsent = page.get_by_label("Note to Jelena"), page.locator("#unsent-notes")
    async with transaction(live.ground, PROGRAM) as work:
        row = (await work.session.scalars(select(Presence).filter_by(state="wrap_up"))).one()
        await presence.set_free(
            work, await presence.lock_presence(work, row.counsellor_id), Cause.OWN_CHOICE
        )
    await expect(page.locator("#presence")).to_contain_text("Available")
    await expect(unsent).to_contain_text("not sent yet")
    await expect(unsent.locator("time")).to_have_text(re.compile(r"\d\d:\d\d"))
    await expect(note).to_be_focused()
    # It is written anew, and empty in the moment in which the desk changes.
    words = await note.input_value()
    await note.fill("")
    await page.evaluate("document.dispatchEvent(new CustomEvent('htmx:afterSwap', {detail: {}}))")
    await expect(note).to_be_focused()
    await page.keyboard.type(f"{words}, too")
    assert await page.evaluate(LATER) == "another", "who left the team cannot be written to"
    await expect(note).to_be_focused()
    await page.locator(".rail a[data-section=cases]").click()
    await expect(page.locator("#main h1")).to_have_text("Cases")
    await page.locator(".rail a[data-section=desk]").click()
    await expect(note).to_have_value("Please read what she said of Ivan, too")
    await page.keyboard.press("Escape")
    await unsent.get_by_role("button", name="Send").click()
    await expect(unsent).to_contain_text("Sent.")
    assert len(await live.rows("SELECT id FROM team_messages")) == 1
    # Of two clicks the second one counts, also if the page of the first is slow.
    slow, clicked = "**/cases", asyncio.Event()

    async def later(route: Route) -> None:
        await clicked.wait()
        await route.continue_()

    await page.route(slow, later, times=1)
    await page.locator(".rail a[data-section=cases]").click()
    await page.locator(".rail a[data-section=desk]").click()
    clicked.set()
    await expect(page.locator("#desk")).to_have_count(1)
    await expect(note).to_have_count(0)


async def the_call_keeps_its_room_in_the_bar(page: Page) -> None:
    """Urgent is never behind the telephone, the tray of messages or the name."""
    before = page.viewport_size
    for width in (1440, 1280, 1024):
        await page.set_viewport_size({"width": width, "height": 800})
        urgent = await page.locator("#urgent summary").bounding_box()
        telephone = await page.locator("#telephone").bounding_box()
        assert urgent is not None
        assert telephone is not None
        assert urgent["x"] + urgent["width"] <= telephone["x"], width
    found = await faults_zoomed(page, "in a talk")
    assert not found, "\n".join(found)
    if before is not None:
        await page.set_viewport_size(before)


async def test_a_form_of_a_page_is_sent_as_a_browser_sends_it(live: Stage, page: Page) -> None:
    """All ticked boxes of one name, and to the address of the button that was pressed."""
    await live.add_counsellor("ana", recurrence="FREQ=DAILY", starts_at=time(8), minutes=480)
    vesna = await live.add_counsellor("vesna", role=Role.ADMINISTRATOR, shift=False, state=None)
    await at(page, live, vesna, "/admin/tokens")
    form = page.locator("#new-token form")
    await form.get_by_label("Name").fill("Yearly figures")
    for box in await form.locator("[name=scopes]").all():
        await box.check()
    await form.get_by_role("button", name="Make a token").click()
    await expect(page.locator("main")).to_contain_text("Yearly figures")
    made = await live.rows("SELECT cardinality(scopes) AS scopes FROM api_tokens")
    assert made == [{"scopes": len(tokens.SCOPES)}]

    await page.locator(".rail a[data-section=roster]").click()
    await page.get_by_label("Keep this week as a template called").fill("As now")
    await page.get_by_role("button", name="Keep").click()
    await page.get_by_role("button", name="Delete the template").click()
    await expect(page.locator("#put-template")).to_have_count(0)
    assert await live.rows("SELECT name FROM week_templates") == []


async def test_signing_in_leads_to_the_page_that_was_wanted_and_a_page_comes_when_it_can(
    live: Stage, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await signed_in(page, live, ana, "/cases")
    await expect(page.locator("#main h1")).to_have_text("Cases")

    asked = 0

    async def away(*_values: Any) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        raise OperationalError("SELECT", {}, psycopg.OperationalError("away"))

    async def is_asked_again() -> bool:
        return asked == 1

    # The page asks every few seconds: this clock goes on by itself, and jumps where it would wait.
    await page.clock.install()
    for opened_whole in (False, True):
        with monkeypatch.context() as without_database:
            without_database.setattr(desk, "desk_values", away)
            if opened_whole:
                await page.goto(live.settings.public_url)
            else:
                await page.locator(".rail a[data-section=desk]").click()
            await expect(page.locator("#main h1")).to_have_text("503")
            await expect(page.locator(".rail")).to_have_count(0 if opened_whole else 1)
            await expect(page.locator("#main")).to_contain_text("tries again by itself")
            await picture(page, f"error-503-{'whole' if opened_whole else 'in-the-frame'}")
            # It asks once, and then more rarely.
            asked = 0
            await page.clock.fast_forward(10_500)
            await until(is_asked_again, "the page asks again")
            await expect(page.locator("#main")).to_contain_text("tries again by itself")
            await page.clock.fast_forward(8_000)
            await asyncio.sleep(0.3)
            assert asked == 1
        await page.clock.fast_forward(21_000)
        await expect(page.locator("#desk")).to_have_count(1)
        await expect(page.locator(".rail [aria-current=page]")).to_have_attribute(
            "data-section", "desk"
        )


# What stands where the words of a person's state stand, in the bar at the top.
_OVER_THE_STATE = """
() => {
  const word = document.querySelector("#presence .word");
  const written = document.createRange();
  written.selectNodeContents(word);
  const boxes = [...written.getClientRects()];
  const over = (one) => boxes.some((box) =>
    box.left < one.right - 1 && one.left < box.right - 1
      && box.top < one.bottom - 1 && one.top < box.bottom - 1);
  const all = [...document.querySelectorAll(".bar :is(summary, button, a)")];
  return all
    .filter((one) => !one.contains(word) && !one.closest(".sheet") && one.checkVisibility())
    .filter((one) => over(one.getBoundingClientRect()))
    .map((one) => one.textContent.trim() || one.id);
}
"""


def _of_long_words() -> list[str]:
    """Return the languages in which the state is tried: by day the longest, and from the right."""
    lengths = {}
    for language in pages.page_languages():
        with pages.spoken_in(language):
            lengths[language] = len(pages.said(STATE_WORDS[PresenceState.OFF_DUTY]))
    longest = sorted(lengths, key=lambda one: lengths[one], reverse=True)
    from_right = [one for one in longest if words.about(one).right_to_left]
    return longest if WHOLE else [*longest[:2], *from_right[:1]]


@nightly
async def test_what_the_bar_says_has_room_on_the_narrowest_phone_in_every_language(
    live: Stage, page: Page
) -> None:
    """By day `test_every_page` looks at bars of pages in long words, this narrow."""
    ana = await live.add_counsellor("ana", state="off_duty")
    await page.set_viewport_size({"width": 320, "height": 700})
    await at(page, live, ana, "/")
    for language in _of_long_words():
        chosen = await ana.ask("PUT", "/me/page-language", {"language": language})
        assert chosen.status_code == 204, chosen.text
        await page.goto(live.settings.public_url + "/")
        await expect(page.locator("#presence .word")).to_be_visible()
        assert await page.evaluate(_OVER_THE_STATE) == [], language


def test_signing_in_never_leads_elsewhere() -> None:
    for wanted in ("//evil.example", "/\\evil.example", "https://evil.example", "/logout", "", "x"):
        assert safe_next(wanted) == "/"
    assert safe_next("/cases/1") == "/cases/1"


async def test_a_page_is_as_wide_as_a_phone_in_the_theme_that_was_chosen(
    live: Stage, page: Page
) -> None:
    jelena = await live.add_counsellor("jelena", role=Role.SUPERVISOR, shift=False)
    url = live.settings.public_url
    cookie = {"name": COOKIE, "value": jelena.cookies[COOKIE], "url": url}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]
    own = "document.documentElement.dataset.theme"
    for n, path in enumerate(PAGES if WHOLE else PAGES[:1]):
        chosen, other = ("light", "dark") if n % 2 else ("dark", "light")
        await page.context.add_cookies([{"name": "theme", "value": chosen, "url": url}])
        answer = await page.goto(url + path)
        assert answer is not None
        assert answer.status == 200
        assert await page.evaluate(own) == chosen
        for theme in (chosen, other):
            await page.evaluate(f"theme => {{ {own} = theme; }}", theme)
            for width in (320, 390):
                await page.set_viewport_size({"width": width, "height": 700})
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (theme, width, path, wide)
    # The rail holds four places there; the others stand above them when they are asked for.
    rota = page.locator(".rail a[data-section=roster]")
    await expect(rota).to_be_hidden()
    await page.locator("#rail-more").focus()
    await page.keyboard.press("Enter")
    await rota.click()
    await expect(page.locator("#main h1")).to_contain_text("Rota")
    await expect(rota).to_be_hidden()
