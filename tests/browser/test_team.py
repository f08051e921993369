"""The supervisor's team page and the call for help on every page, in real browsers."""

import re

from playwright.async_api import Page, expect

from app.calls.lines import finding_lines
from app.database.topics import Topic
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.routing.alarm_rows import AlarmKind
from app.routing.rota.unstaffed_alarms import open_alarm
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.browser import (
    HEAR,
    HEARD_BEFORE,
    HERS,
    LISTEN,
    answers_a_call,
    at,
    available,
    picture,
    press,
    ring,
    said,
    taken_back_for_a_moment,
)
from tests.support.profile import WHOLE, nightly
from tests.support.verbs import a_late_referral
from tests.support.waiting import until


async def another(page: Page) -> Page:
    """A second browser, of another person."""
    browser = page.context.browser
    assert browser is not None
    context = await browser.new_context(**HERS)
    await context.add_init_script(HEARD_BEFORE)
    return await context.new_page()


async def an_alarm(live: Stage) -> None:
    """Let an alarm begin whose seconds run on the page of the team."""
    async with transaction(live.ground, PROGRAM) as work:
        line = await finding_lines.any_line(work)
        assert line is not None
        await open_alarm(work, AlarmKind.DIALLING_HOUR, line_id=line.id)
        work.announce(Topic.ALARMS)


@nightly
async def test_a_supervisor_sets_a_state_and_ends_a_talk(live: Stage, page: Page) -> None:
    """By day `tests/routing/test_team.py` has what both do."""
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False)
    ana = await live.add_counsellor("Ana", languages="sr")
    boris = await live.add_counsellor("Boris", state=None)
    await live.add_counsellor("Vera", shift=False, state=None)
    await page.add_init_script(LISTEN)
    await page.add_init_script(HEAR)
    await at(page, live, chief, "/team")
    await said(page)
    await a_late_referral(live, ana.staff)
    await expect(page.locator(".rail a[aria-current]")).to_contain_text("Team")
    await alerts_are_said_once_until_they_are_seen(live, page)
    await expect(page.locator("#now-present")).to_contain_text("2 planned")
    await expect(page.locator(f"#person-{boris.id}")).to_contain_text("on the rota now")
    row = page.locator(f"#person-{ana.id}")
    await expect(row).to_contain_text("Available")
    leg = await answers_a_call(live, ana)
    await expect(row).to_contain_text("On a call")
    await expect(page.locator("#now-answered")).to_contain_text("100 % within 20 s")

    async def set_to(state: str) -> None:
        await row.locator("summary").click()
        await row.locator("[name=state]").select_option(state)
        await row.locator("[name=reason]").select_option("needs_rest")

    # An incomplete form stays open, and a talk is not cut.
    await row.locator("summary").click()
    await row.get_by_role("button", name="Set", exact=True).click()
    await expect(row.locator("form")).to_be_visible()
    await page.keyboard.press("Escape")
    await set_to("off_duty")
    await picture(page, "team")
    await row.get_by_role("button", name="Set", exact=True).click()
    await expect(page.locator("#refused [role=alert]")).to_contain_text("after this call")
    await set_to("break")
    await row.get_by_label("after this call").check()
    await row.get_by_role("button", name="Set", exact=True).click()
    await expect(row).to_contain_text("then: On a break")
    await ends_the_talk_but_not_at_once(page, ana)
    while leg.status != "completed":
        await live.clock.sleep(0.1)
    await expect(row).not_to_contain_text("On a call")


async def alerts_are_said_once_until_they_are_seen(live: Stage, page: Page) -> None:
    """An urgent deadline has passed: it rings softly and takes no focus, until it is seen."""
    await expect(page).to_have_title("⚠ A deadline of an urgent referral has passed")
    await expect(page.locator(".rail a[data-section=referrals] .count")).to_be_visible()
    assert await page.evaluate("globalThis.rings.length") == 1
    await an_alarm(live)
    seconds = page.locator("#dialling-box [data-up]")
    # The seconds have run on.
    await expect(seconds).to_have_text(re.compile(r"^\d+:(?!0[01])\d\d"))
    heard = await said(page)
    assert len(set(heard)) == len(heard), "each is said once, and not with its seconds"
    assert {
        ("polite", "⚠ A deadline of an urgent referral has passed Open Seen"),
        ("assertive", "More was dialled or sent within an hour than usual."),
    } <= set(heard)
    assert await page.evaluate("document.activeElement.closest('.alert-bar') === null")
    await page.locator(".alert-bar").get_by_role("button", name="Seen").click()
    await expect(page.locator(".alert-bar")).to_have_count(0)
    await expect(page).to_have_title("Team – Helpline")
    assert await page.evaluate("globalThis.rings.length") == 0


async def ends_the_talk_but_not_at_once(page: Page, ana: Counsellor) -> None:
    """The end of a talk can be taken back for five seconds, also by keyboard."""
    end = page.locator("#talks-box").get_by_role("button", name="End")
    await end.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#talks-box")).to_contain_text("Ending the talk in")
    await page.keyboard.press("Enter")
    await expect(page.locator("#talks-box")).not_to_contain_text("Ending the talk in")
    assert await ana.presence() == "on_call"
    await taken_back_for_a_moment(end)
    await end.click()
    await expect(page.locator("#talks")).to_contain_text("No talk is going on.")


async def test_one_of_two_takes_the_call_and_help_is_called_until_one_takes_it(
    live: Stage, page: Page
) -> None:
    """Two counsellors and a supervisor: a ring at both, and the call for help, which is on every
    page of every supervisor until one of them has taken it.

    With `TESTS=whole` Ana is at a browser, too; by day `tests/routing/test_offers.py` has that her
    page is told.
    """
    jelena = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    mira = await live.add_counsellor("Mira", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await live.add_counsellor("Ana", state=None if WHOLE else "available")
    boris = await live.add_counsellor("Boris", state=None)
    boriss = await another(page)
    await page.add_init_script(HEAR)
    await at(page, live, jelena, "/reports")
    leg = await one_of_two_takes_a_call_in_danger(live, boriss, ana, boris)
    # Boris calls for help.
    await said(page)
    await press(boriss, "p")
    await expect(page.locator(".help-bar")).to_contain_text("Boris needs a supervisor now")
    await expect(page).to_have_title("⚠ A counsellor needs help – Helpline")
    help_ = live.settings.public_url + "/board/calls-for-help"
    cookie = {"Cookie": mira.cookie_header}
    assert "Boris needs a supervisor now" in (await live.client.get(help_, headers=cookie)).text
    # It stays when the page changes, and is said once.
    await page.locator(".rail a[data-section=agencies]").click()
    await expect(page.locator("h1")).to_be_focused()
    await expect(page.locator(".help-bar")).to_be_visible()
    called = [words for how, words in await said(page) if how == "assertive"]
    assert called == ["⚠ Boris needs a supervisor now Plavi telefon Take it"]
    await picture(page, "call-for-help")
    await page.get_by_role("button", name="Take it").click()
    await expect(page.locator(".help-bar")).to_have_count(0)
    await expect(page).not_to_have_title("⚠ A counsellor needs help – Helpline")
    assert "needs a supervisor" not in (await live.client.get(help_, headers=cookie)).text
    # The page that took it is a telephone now, and its supervisor is in the talk.
    conference = next(iter(live.exchange.conferences.all.values()))
    mine = f"client:{jelena.staff.identity}"
    while mine not in {p.leg.to for p in conference.participants.values()}:
        await live.clock.sleep(0.1)
    await page.locator(".rail a[data-section=team]").click()
    await expect(page.locator("#talks-box")).to_contain_text("help taken by Jelena")
    await a_message_reaches_a_counsellor_in_a_talk(boriss, page)
    await live.exchange.hang_up(leg)
    await expect(boriss.locator("#presence")).to_contain_text("Writing up")


async def one_of_two_takes_a_call_in_danger(
    live: Stage, boriss: Page, ana: Counsellor, boris: Counsellor
) -> Leg:
    """It rings at both; taken by one, it rings no more at the other."""
    await at(boriss, live, boris, "/")
    await available(boriss)
    anas = await another(boriss) if WHOLE else None
    if anas:
        await at(anas, live, ana, "/")
        await available(anas)
    leg = await ring(live, "9")
    await until(ana.offer, "it rings at Ana, too")
    for one in filter(None, (anas, boriss)):
        await expect(one.locator("#offer-title")).to_contain_text("A caller in danger")
    await press(boriss, "a")
    await expect(boriss.locator("#call-title")).to_contain_text("Talking")
    await until(lambda: rings_no_more(ana), "it rings at Ana no more")
    assert await ana.presence() == "available"
    if anas:
        await expect(anas.locator("#offer")).to_have_count(0)
        await expect(anas.locator("#presence")).to_contain_text("Available")
        await anas.context.close()
    return leg


async def rings_no_more(who: Counsellor) -> bool:
    return await who.offer() is None


async def test_a_wallboard_refreshes_itself_and_says_when_it_is_not_current(
    live: Stage, page: Page
) -> None:
    admin = await live.add_counsellor("Olga", role=Role.ADMINISTRATOR, shift=False, state=None)
    await at(page, live, admin, "/admin")
    await page.get_by_label("Where the screen hangs").fill("Hall")
    await page.get_by_role("button", name="Make an address").click()
    address = await page.locator("#wall-address").text_content()
    assert address is not None
    # The screen has no session.
    screen = await another(page)
    # Its clock goes on by itself, and jumps where the screen would only wait.
    await screen.clock.install()
    await screen.goto(address)
    await expect(screen.locator("#wall-waiting")).to_have_text("0")
    ana = await live.add_counsellor("Ana")
    leg = await answers_a_call(live, ana)
    await screen.clock.fast_forward(6_000)
    await expect(screen.locator("#wall-talking")).to_have_text("1")
    await picture(screen, "wall")
    await expect(screen.locator("#wall-stale")).to_be_hidden()
    await screen.context.set_offline(True)
    await screen.clock.fast_forward(13_000)
    await expect(screen.locator("#wall-stale")).to_contain_text("Not connected", timeout=30_000)
    await screen.context.set_offline(False)
    await screen.clock.fast_forward(6_000)
    await expect(screen.locator("#wall-stale")).to_be_hidden()
    withdraw = page.get_by_role("button", name="Withdraw it")
    await withdraw.click()
    await expect(withdraw).to_have_count(0)
    await screen.clock.fast_forward(6_000)
    await expect(screen.locator("#wall-stale")).to_contain_text("This address was withdrawn.")
    await expect(screen.locator("#wall-waiting")).to_have_count(0)
    await live.exchange.hang_up(leg)
    await screen.context.close()


async def a_message_reaches_a_counsellor_in_a_talk(page: Page, other: Page) -> None:
    """It does not take the focus."""
    await page.locator("#presence").focus()
    await other.locator("#team-messages summary").click()
    await other.get_by_label("To", exact=True).select_option(label="Boris")
    await other.get_by_label("Message", exact=True).fill("Come to my room after this one.")
    await other.get_by_role("button", name="Send", exact=True).click()
    await expect(other.locator(".team-talk")).to_contain_text("You to Boris")
    await expect(other.get_by_label("Message", exact=True)).to_have_value("")
    await expect(page.locator("#team-messages-unread")).to_contain_text("1")
    await expect(page.locator("#presence")).to_be_focused()
    await expect(page).to_have_title("Desk – Helpline")
    assert "Come to my room" not in await page.content()
    await page.locator("#team-messages summary").click()
    await expect(page.locator(".team-talk")).to_contain_text("Come to my room after this one.")
    await picture(page, "messages")
    await expect(other.locator(".team-talk")).to_contain_text("✓ read")
    # What is being written stays when a message comes.
    await page.get_by_label("Message", exact=True).fill("Coming")
    await other.get_by_label("Message", exact=True).fill("And bring the plan.")
    await other.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".team-talk")).to_contain_text("bring the plan")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("Coming")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
