"""A counsellor has a conversation translated: each message under its words, and hers before she
sends it."""

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.demo.writing import a_child
from tests.support.browser import at, available, picture, press
from tests.support.calls.engine import KEY, engine
from tests.support.profile import nightly


@nightly
async def test_translations_stand_under_the_words_and_she_sends_knowingly(
    live: Stage, page: Page
) -> None:
    """By day `tests/scenarios/chats/test_translation.py` has the routes of it."""
    await live.let_write()
    ana = await live.add_counsellor("ana", state=None, chats=3)
    child = a_child(live)
    async with engine() as stand_in:
        live.settings.translation_url, live.settings.translation_key = stand_in.url, KEY
        await at(page, live, ana, "/")
        await available(page)
        await child.open()
        await child.say("Bojim se")
        await press(page, "a")
        chat, field = page.locator(".chat"), page.locator(".chat textarea[name=text]")
        await expect(chat.locator(".said")).to_contain_text("Bojim se")
        await expect(chat.get_by_role("button", name="Translate before sending")).to_be_hidden()
        assert stand_in.asked == [], "only when she turns it on"
        toggle = chat.locator("[data-translate]")
        await toggle.click()
        made = chat.locator(".bubble .translated")
        await expect(made).to_have_text("by a machine sr>en ES MIJOB")
        # What comes later is translated, too, and nothing twice, though all is drawn again.
        await child.say("Dolazi")
        await expect(made).to_have_count(2)
        await page.evaluate("htmx.trigger('#chats', 'refresh')")
        await expect(made).to_have_count(2)
        await expect(toggle).to_have_attribute("aria-pressed", "true")
        assert [one["q"] for one in stand_in.asked] == [["Bojim se"], ["Dolazi"]]
        await field.fill("I am here")
        await chat.get_by_role("button", name="Translate before sending").click()
        await expect(chat.locator(".preview")).to_contain_text("I am here")
        await expect(field).to_have_value("I am here")
        await picture(page, "chat-translated")
        await chat.get_by_role("button", name="Put the translation into the field").click()
        await expect(field).to_have_value("en>sr EREH MA I")
        await expect(chat.locator(".preview")).to_contain_text("I am here")
        await field.press("Enter")
        await expect(chat.locator('.bubble[data-by="counsellor"] .words')).to_have_text(
            "en>sr EREH MA I"
        )
        await expect(chat.locator(".preview")).to_have_count(0)
        await expect(made).to_have_count(3)
        # The engine fails: it is said, and she writes on.
        stand_in.instead = (500, {"error": "x"})
        await child.say("Halo")
        await expect(chat.locator("[data-translation-trouble]")).to_contain_text("Go on without it")
        await toggle.click()
        await expect(made).to_have_count(0)
