"""A whole shift by keyboard alone: the focus is always seen, and no step loses it."""

import asyncio
import re

from playwright.async_api import Locator, Page, expect

from app.demo.stage import Stage
from app.practice.legs import Leg
from app.staff.roles import Role
from tests.support.browser import PASSWORD, give_password, picture, press, ring
from tests.support.contacts import new_contact
from tests.support.profile import WHOLE
from tests.support.referrals import add_agency, phone

HEADLINE = "Does not want to go home"

# What is wrong with the focus, or nothing.
_FOCUS = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "lost";
  const name = one.outerHTML.slice(0, 90);
  const box = one.getBoundingClientRect();
  const inView = box.bottom > 0 && box.top < innerHeight;
  if (!one.checkVisibility() || !inView) return `not in view: ${name}`;
  // A part that is read, and not used, is not marked.
  if (one.tabIndex === -1 && !one.matches("button, a, input")) return "";
  const style = getComputedStyle(one);
  const outline = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none";
  const seen = outline || style.boxShadow !== "none";
  return one.matches(":focus-visible") && seen ? "" : `not seen: ${name}`;
}
"""
# Whether the place that is wanted has the focus; null where it is not known, or was drawn anew.
_IS_THERE = "globalThis.wanted?.isConnected ? wanted === document.activeElement : null"


class Hands:
    """A person who has only a keyboard."""

    def __init__(self, page: Page) -> None:
        self.page, self.keys = page, page.keyboard

    async def sees_focus(self, after: str) -> None:
        """Wait until the focus is somewhere and seen. Raises AssertionError."""
        found = "lost"
        for _ in range(30):
            found = await self.page.evaluate(_FOCUS)
            if not found:
                return
            await self.page.wait_for_timeout(100)
        raise AssertionError(f"the focus after {after}: {found}")

    async def to(self, place: Locator, key: str = "Tab", most: int = 60) -> None:
        """Go to a place with Tab, as often as it takes."""
        for _ in range(most):
            # To find the place at each step would cost more than the step.
            while (is_there := await self.page.evaluate(_IS_THERE)) is None:
                await place.evaluate("one => { globalThis.wanted = one; }")
            if is_there:
                await place.evaluate("() => { delete globalThis.wanted; }")
                await self.sees_focus(f"Tab to {place}")
                return
            await self.keys.press(key)
        raise AssertionError(f"not reached with {key}: {place}")

    async def letter(self, letter: str, then: str) -> None:
        """Act with a letter and Enter; the focus stays somewhere."""
        await self.keys.press(letter)
        await self.sees_focus(f"the letter {letter}")
        await self.keys.press("Enter")
        await expect(self.page.locator(".callbar")).to_contain_text(then)
        await self.sees_focus(f"{letter} and Enter")


async def test_a_whole_shift_by_keyboard_alone(live: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 1440, "height": 900})
    # By day one phone is rung, which answers; the phones before it are in `test_night_of_danger`.
    numbers = ("+381113000001", "+381113000002")[: 2 if WHOLE else 1]
    await add_agency(live, "house", "shelter", name="Sigurna kuća", phones=numbers)
    if WHOLE:
        phone(live, numbers[0], busy=True)
    phone(live, numbers[-1], picks_up=0.5, presses="1", press_after=0.5)
    await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await live.add_counsellor("ana", state=None)
    await give_password(live, ana)
    await new_contact(ana, {"contact.kind": "child", "contact.headline": "From yesterday"})
    hands = Hands(page)

    await signs_in(live, page, hands)
    await checks_the_microphone_and_is_available(page, hands)
    await opens_and_leaves_a_row(page, hands)
    leg = await takes_a_call(live, page, hands)
    await fills_in_the_form(page, hands)
    await agrees_a_callback(live, page, hands)
    await sends_an_urgent_referral(page, hands)
    await tells_the_supervisor_and_sends_a_key(live, page)
    await sees_who_has_the_referral(page)
    await ends_the_talk_and_the_shift(page, hands)
    call = await live.call_of(leg)
    assert (call["ended_by"], call["answered_at"] is not None) == ("counsellor", True)


async def signs_in(live: Stage, page: Page, hands: Hands) -> None:
    keys = page.keyboard
    # Signing in.
    await page.goto(live.settings.public_url)
    await hands.to(page.get_by_label("Name"))
    await keys.type("ana")
    await hands.to(page.get_by_label("Password"))
    await keys.type(PASSWORD)
    await keys.press("Enter")
    await expect(page.locator("#connection")).to_have_text("● live")


async def checks_the_microphone_and_is_available(page: Page, hands: Hands) -> None:
    keys = page.keyboard
    # The microphone check, and going available.
    telephone = page.locator("#telephone > summary")
    await hands.to(telephone)
    await keys.press("Enter")
    check = page.get_by_role("button", name="Microphone and headset")
    await hands.to(check)
    await keys.press("Enter")
    await expect(page.locator("dialog#microphone")).to_have_attribute("data-heard", "yes")
    await hands.to(page.locator("dialog#microphone").get_by_role("button", name="Done"))
    await keys.press("Enter")
    await expect(page.locator("dialog#microphone")).to_be_hidden()
    await hands.sees_focus("the microphone check")
    await keys.press("Escape")
    await expect(telephone).to_be_focused()
    await hands.to(page.locator("#presence"), "Shift+Tab")
    await keys.press("Enter")
    await hands.to(page.locator("#be-available"))
    await keys.press("Enter")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await hands.sees_focus("going available")


async def opens_and_leaves_a_row(page: Page, hands: Hands) -> None:
    """A row of the inbox."""
    keys = page.keyboard
    row = page.locator("#tasks summary.row")
    await hands.to(row)
    await keys.press("Enter")
    await expect(page.locator("#tasks [data-record][data-ready]")).to_have_count(1)
    await hands.sees_focus("opening a row")
    await keys.press("Enter")
    await expect(page.locator("#tasks [data-record]")).to_have_count(0)
    await expect(row).to_be_focused()


async def takes_a_call(live: Stage, page: Page, hands: Hands) -> Leg:
    """A ring, and the talk. Return the leg of the caller."""
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await hands.letter("a", "Talking")
    form = page.locator(".writing")
    await expect(form.locator("[data-record][data-ready]")).to_have_count(1)
    await hands.sees_focus("the form has come")
    # What to do stands beside the form, on both sides.
    columns = [page.locator(".caller"), form.locator("#record"), page.locator(".doing")]
    boxes = [await one.bounding_box() for one in columns]
    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(set(lefts))
    assert len(lefts) == 3
    await hands.letter("h", "On hold")
    await hands.letter("h", "Talking")
    await hands.letter("m", "Unmute")
    await hands.letter("m", "Mute")
    await expect(page.locator("#mute")).to_have_attribute("aria-pressed", "false")
    return leg


async def fills_in_the_form(page: Page, hands: Hands) -> None:
    """A category is found by a word of it, and brings up what to do and what to avoid."""
    form, keys = page.locator(".writing"), page.keyboard
    topics = page.locator(".caller [data-guidance] details")
    await expect(topics.first).to_be_hidden()
    await keys.press("w")
    await hands.sees_focus("the letter w")
    categories = form.get_by_role("combobox", name="What it is about")
    await hands.to(categories)
    chips = form.locator(".combo .chips li")
    for count, words in enumerate(("samoubistvo", "BATINE"), 1):
        await keys.type(words)
        await keys.press("Enter")
        await expect(chips).to_have_count(count)
    await expect(
        page.locator(".caller").get_by_text("Are you thinking about killing yourself?")
    ).to_be_visible()
    # The second was a mistake: taken away by keyboard, its guidance goes with it.
    await keys.press("Escape")
    await keys.press("ArrowLeft")
    await keys.press("Delete")
    await expect(chips).to_have_count(1)
    await expect(page.locator(".caller [data-guidance] details:not([hidden])")).to_have_count(1)
    await expect(page.locator("#saving")).to_have_text("All saved")
    await expect(categories).to_be_focused()
    link = form.locator(".sections a[data-of=contact]")
    await expect(link).to_have_attribute("data-state", "begun")
    await form.locator("#f-contact-headline").fill(HEADLINE)
    await expect(page.locator("#saving")).to_have_text("All saved")
    await categories.focus()
    await keys.press("Escape")
    await hands.to(page.locator("#call-title ~ #hold"), "Shift+Tab", 80)


async def agrees_a_callback(live: Stage, page: Page, hands: Hands) -> None:
    """One letter opens the call-back, and never sends it."""
    keys = page.keyboard
    await keys.press("b")
    await hands.sees_focus("the letter b")
    assert await live.rows("SELECT 1 FROM callbacks") == []
    callback = page.locator(".doing form[hx-post$='/callback']")
    await hands.to(callback.get_by_label("The caller says that it is safe"))
    await keys.press("Space")
    await hands.to(callback.get_by_role("button", name="Agree"))
    await keys.press("Enter")
    await expect(page.locator("#agreed-callback")).to_contain_text("only the caller may know")
    await hands.sees_focus("agreeing a call-back")


async def sends_an_urgent_referral(page: Page, hands: Hands) -> None:
    keys = page.keyboard
    # Urgent.
    await keys.press("u")
    await hands.sees_focus("the letter u")
    await hands.to(page.locator("#urgent-shelter"))
    await keys.press("Enter")
    await expect(page.locator(".doing .referred")).to_have_count(1)
    await hands.sees_focus("sending an urgent referral")


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
    assert len(await live.rows("SELECT 1 FROM team_messages")) == 1
    await form.locator("h1").click()
    await keys.press("k")
    await page.locator(".keypad").get_by_role("button", name="5").click()
    (hers,) = [one for one in live.exchange.legs.values() if one.to.startswith("client:")]
    assert await asyncio.wait_for(hers.digits.get(), 10) == "5"
    await keys.press("Escape")


async def sees_who_has_the_referral(page: Page) -> None:
    """Without a touch, the desk says that a person has it, after calls in real time; the desk was
    drawn anew meanwhile, and the form was not."""
    referred, form = page.locator(".referred"), page.locator(".writing")
    await expect(referred).to_contain_text("Sigurna kuća")
    await expect(referred).to_contain_text("acknowledged", timeout=60_000)
    await expect(form.locator("#f-contact-headline")).to_have_value(HEADLINE)
    await expect(referred.locator("a")).to_have_attribute("href", re.compile("^/referrals/"))
    await picture(page, "board")
    if WHOLE:
        await reads_the_story_of_the_referral(page)
    await page.locator("#call-title").click()


async def reads_the_story_of_the_referral(page: Page) -> None:
    """Then comes back to the form. By day `test_night_of_danger` has the story, and `test_frame`
    comes back."""
    await page.locator(".referred a").click()
    await expect(page.locator("#story")).to_contain_text("a person pressed 1")
    await expect(page.locator("#story")).to_contain_text("Sigurna kuća, phone: busy")
    await expect(page.locator("#record-state")).to_have_text("acknowledged")
    await picture(page, "story")
    await page.locator(".rail a[data-section=desk]").click()
    await expect(page.locator(".writing #f-contact-headline")).to_have_value(HEADLINE)


async def ends_the_talk_and_the_shift(page: Page, hands: Hands) -> None:
    """The end, wrap-up, a break, and the end of the shift."""
    keys = page.keyboard
    await press(page, "e")
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await hands.sees_focus("the end of the talk")
    await expect(page.locator("#agreed-callback")).to_be_visible()
    await expect(page.locator(".writing #f-contact-headline")).to_have_value(HEADLINE)
    await hands.letter("r", "Available")
    await hands.to(page.locator("#presence"), "Shift+Tab")
    await keys.press("Enter")
    await hands.to(page.locator("#be-break"))
    await keys.press("Enter")
    await expect(page.locator("#presence")).to_contain_text("On a break")
    await hands.sees_focus("the break")
    await hands.to(page.locator("#me > summary"))
    await keys.press("Enter")
    await hands.to(page.locator("#sign-out"))
    await keys.press("Enter")
    await page.wait_for_url("**/login")
    await hands.to(page.get_by_label("Name"))
