"""Pages that are read without an account: the set-up, the sign-in, an invitation, an agency's link.

Each in its reader's language, with axe in one look, the next page in the next, and at 400 %. With
`TESTS=whole` in every language and every look.
"""

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from app import words
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.words import pages
from app.work import PROGRAM
from tests.support.axe import LOOKS, faults, faults_zoomed
from tests.support.browser import picture, visit
from tests.support.mail import code_in, link_in
from tests.support.profile import WHOLE, by_day
from tests.support.referrals import OVERRIDE, add_agency, by_hand, phone
from tests.support.waiting import until

LANGUAGES = words.written() if WHOLE else ("ar", "uk")
PHONE = "+381113000001"
_SPEAKS = text("UPDATE agencies SET languages = :languages")


@pytest.mark.parametrize("language", LANGUAGES if WHOLE else LANGUAGES[:1])
async def test_pages_before_the_sign_in_can_be_used_in_each_language(
    live: Stage, page: Page, language: str
) -> None:
    await page.set_extra_http_headers({"Accept-Language": language})
    public = live.settings.public_url
    await page.goto(f"{public}/setup")
    wrong = await _looked_at(page, language, 0, "setup")
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    link = await _invitation(page, live, mila)
    await page.context.clear_cookies()
    others = (
        ("login", "/login?next=/contacts"),
        ("invitation", link.removeprefix(public)),
        ("no invitation", "/welcome?ended"),
        ("no page", "/no-such-page"),
    )
    # By day without the last two, which are like the sign-in.
    for place, (where, address) in enumerate(by_day(others, 2), 1):
        await page.goto(public + address)
        wrong += await _looked_at(page, language, place, where)
    assert wrong == [], "\n".join(wrong)


async def test_the_link_of_an_agency_can_be_used_without_an_account(
    live: Stage, page: Page
) -> None:
    await add_agency(live, "house", "shelter", sms="+381640000001", phones=(PHONE,))
    texts = phone(live, "+381640000001").texts
    duty = phone(live, PHONE, busy=True)
    ana = await live.add_counsellor("ana", state=None)
    told = {"child.name": "Jovana", "child.age": 9, "reason.why": "Sama je kod kuće. " * 20}
    await by_hand(ana, override=OVERRIDE, send=True, answers=told)
    await until(lambda: bool(texts))
    link = live.settings.public_url + link_in(texts[0].text)
    wrong: list[str] = []
    for language in LANGUAGES if WHOLE else LANGUAGES[:1]:
        await _speaks(live, language)
        await page.goto(link)
        wrong += await _looked_at(page, language, 0, "agency")
    await _speaks(live, "en")
    await page.goto(link)
    duty = phone(live, PHONE, presses="1")
    await page.locator("#send-code").click()
    await until(lambda: any("code is" in heard.text for heard in duty.heard))
    spoken = next(heard.text for heard in duty.heard if "code is" in heard.text)
    await page.locator("[name=code]").fill(code_in(spoken.replace(" ", "")))
    await page.locator("#prove").click()
    await expect(page.locator("main")).to_contain_text("Jovana")
    for language in LANGUAGES if WHOLE else LANGUAGES[1:]:
        await _speaks(live, language)
        await page.goto(link)
        await expect(page.locator("main")).to_contain_text("Jovana")
        wrong += await _looked_at(page, language, 1, "agency with details")
    assert wrong == [], "\n".join(wrong)


async def _looked_at(page: Page, language: str, place: int, where: str) -> list[str]:
    """Return what is wrong with the page that is open, in its language, in the look of its place.

    The languages begin with different looks.
    """
    about = words.about(language)
    html = page.locator("html")
    await expect(html).to_have_attribute("lang", about.locale.replace("_", "-"))
    assert (await html.get_attribute("dir") == "rtl") == about.right_to_left, where
    found = []
    first = (place + 3 * LANGUAGES.index(language)) % len(LOOKS)
    for theme, width in LOOKS if WHOLE else [LOOKS[first]]:
        await page.emulate_media(
            color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
        )
        await page.set_viewport_size({"width": width, "height": 900})
        found += await faults(page, f"{where} {language} {width} {theme}")
        await picture(page, f"outside-{where}-{language}-{width}-{theme}")
    return [*found, *await faults_zoomed(page, f"{where} {language}")]


async def _invitation(page: Page, live: Stage, mila: Counsellor) -> str:
    await visit(page, live, mila, "/admin/people")
    await page.locator("#invite").click()
    await page.locator("[name=name]").fill("Nova")
    await page.locator("#invite-and-show").click()
    return await page.locator("#link-address").inner_text()


async def _speaks(live: Stage, language: str) -> None:
    async with transaction(live.ground, PROGRAM) as work:
        await work.session.execute(_SPEAKS, {"languages": [language]})
    live.ground.memory.forget("everything")
    pages.forget()
