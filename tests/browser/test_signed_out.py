"""In a browser: the proof before a number, and signing in again over the page that was open."""

import asyncio
from datetime import timedelta

import pytest
from playwright.async_api import Dialog, Page, Request, Response, expect
from sqlalchemy import delete, update

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import session_tokens
from app.staff.models import StaffSession
from app.staff.roles import Role
from app.staff.sessions import accounts_changed
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.axe import faults, faults_again
from tests.support.browser import (
    PASSWORD,
    answered,
    answers_a_call,
    at,
    available,
    enter,
    give_password,
    picture,
    ring,
)
from tests.support.profile import nightly

HEADLINE = "Does not want to go home"
OTHERS = "Another person who signs in here does not see this page."
# Keeps what the telephone of a page has shown last, for the page that takes its place.
LAST_SHOWN = """
document.addEventListener("helpline:telephone", () => queueMicrotask(() => {
  const { hidden } = document.querySelector("[data-telephone=keypad]");
  sessionStorage.shown = `${helplineTelephone.state}, ${hidden ? "no" : "a"} keypad`;
}));
"""
# Milliseconds; it is reported every 20 s anyway.
REPORTED_WITHIN = 5000


async def proofs_are_old(live: Stage, who: Counsellor) -> None:
    async with transaction(live.ground, PROGRAM) as work:
        await work.session.execute(
            update(StaffSession)
            .where(StaffSession.staff_id == who.id)
            .values(proved_at=work.now - timedelta(hours=1))
        )


async def sign_ins_end(live: Stage, who: Counsellor) -> None:
    async with transaction(live.ground, PROGRAM) as work:
        await work.session.execute(delete(StaffSession).where(StaffSession.staff_id == who.id))
        accounts_changed(work)


async def test_a_proof_and_a_new_sign_in_come_over_the_page_and_it_goes_on(
    live: Stage, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_tokens, "FORMER_LASTS", timedelta(seconds=2))
    ana = await live.add_counsellor("ana")
    leg = await answers_a_call(live, ana)
    boss = await live.add_counsellor("boss", role=Role.AUDITOR, shift=False, state=None)
    for one in (ana, boss):
        await give_password(live, one)
    await live.exchange.hang_up(leg)
    call = (await live.call_of(leg))["id"]
    await enter(page, live, ana, f"/calls/{call}")

    await proofs_are_old(live, ana)
    other = await page.context.new_page()
    await other.goto(live.settings.public_url)
    await expect(other.locator("#connection")).to_have_text("● live")
    streams: list[Response] = []
    page.context.on("response", lambda one: streams.append(one) if is_stream(one) else None)
    await number_is_opened_after_a_proof(live, page)
    await both_windows_go_on_by_the_new_token(streams, page, other)
    await other.close()
    await sign_ins_end(live, ana)
    await what_is_typed_meanwhile_is_saved_after_it(live, page)
    await sign_ins_end(live, ana)
    await another_person_gets_their_own_page(live, page)


async def number_is_opened_after_a_proof(live: Stage, page: Page) -> None:
    """What was chosen stays, and the number is opened by itself."""
    form = page.get_by_role("form", name="Open the number")
    await form.locator("[name=reason]").select_option("call_back")
    await form.get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Prove again who you are")
    password = dialog.get_by_label("Your password")
    await expect(password).to_be_focused()
    await picture(page, "proof")
    assert await faults_again(page, "proof") == []
    await password.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(form.locator("output")).to_be_empty()
    # A call that rings is never behind it.
    await available(page)
    await form.get_by_role("button").click()
    await expect(dialog).to_be_visible()
    second = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await expect(dialog).to_be_hidden()
    await live.exchange.hang_up(second)
    await expect(page.locator("#offer")).to_have_count(0)
    await form.get_by_role("button").click()
    await password.fill("not this one")
    await password.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("password is wrong")
    await password.fill(PASSWORD)
    await password.press("Enter")
    await expect(form.locator("output")).to_have_text("+381641234567")
    await expect(dialog).to_be_hidden()
    await expect(form.locator("[name=reason]")).to_have_value("call_back")


def is_stream(answer: Response) -> bool:
    return "/board/live?" in answer.url


async def both_windows_go_on_by_the_new_token(streams: list[Response], *windows: Page) -> None:
    """Their streams, which the former token had opened, are opened again when that ends."""
    (token,) = [one["value"] for one in await windows[0].context.cookies() if one["name"] == COOKIE]
    async with asyncio.timeout(20):
        for window in windows:
            while not await is_open_by(token, [one for one in streams if one.frame.page == window]):
                await asyncio.sleep(0.1)
    for window in windows:
        await expect(window.locator("#connection")).to_have_text("● live")
        await expect(window.get_by_role("dialog", name="Sign in again")).to_have_count(0)


async def is_open_by(token: str, streams: list[Response]) -> bool:
    """Whether one of these streams was opened by a token."""
    sent = [(one.status, await one.request.header_value("cookie") or "") for one in streams]
    assert all(status == 200 for status, _ in sent)
    return any(token in cookie for _, cookie in sent)


async def what_is_typed_meanwhile_is_saved_after_it(live: Stage, page: Page) -> None:
    """The sign-in ends: the sheet covers the page."""
    sheet = page.get_by_role("dialog", name="Sign in again")
    await expect(sheet).to_be_visible()
    await picture(page, "signed-out")
    assert await faults(page, "signed out") == []
    headline = page.locator("#f-contact-headline")
    await expect(headline).to_be_hidden()
    await sheet.press("Escape")
    await expect(sheet).to_be_visible()
    await headline.evaluate(
        "(field, words) => { field.value = words;"
        " field.dispatchEvent(new Event('input', { bubbles: true })); }",
        HEADLINE,
    )
    await sheet.get_by_label("Password").fill(PASSWORD)
    # The telephone is reported at once, by the new session: calls ring there.
    async with page.expect_request("**/board/telephone/state", timeout=REPORTED_WITHIN):
        await sheet.get_by_label("Password").press("Enter")
    await expect(sheet).to_be_hidden()
    await expect(headline).to_have_value(HEADLINE)
    await expect(page.locator("#saving")).to_have_text("All saved")
    await expect(page.locator("#connection")).to_have_text("● live")
    (kept,) = await live.rows("SELECT headline FROM contacts")
    assert kept["headline"] == HEADLINE


async def another_person_gets_their_own_page(live: Stage, page: Page) -> None:
    """Another person signs in: they get their own first page, and nothing of this one."""
    sheet = page.get_by_role("dialog", name="Sign in again")
    await expect(sheet).to_be_visible()
    await sheet.get_by_label("Name").fill("boss")
    password = sheet.get_by_label("Password")
    await password.fill(PASSWORD)
    # The page of before is still there when it is left: a reader who is asked may keep it.
    await password.evaluate(
        "field => addEventListener('pagehide', () => { sessionStorage.left = `.${field.value}`; })"
    )
    await password.press("Enter")
    await expect(page.locator("#me .name")).to_have_text("boss")
    await expect(page).to_have_url(f"{live.settings.public_url}/")
    assert await page.evaluate("sessionStorage.left") == ".", "no password stays in a page"
    assert HEADLINE not in await page.content()


async def another_signs_in(live: Stage, page: Page, name: str) -> None:
    """Another person signs in by another window of the same browser."""
    url = live.settings.public_url
    form: dict[str, str | float | bool] = {"username": name, "password": PASSWORD, "next": "/"}
    await page.context.request.post(f"{url}/login", form=form, headers={"Origin": url})


@nightly
async def test_a_page_gives_way_to_a_person_who_signs_in_by_another_window_but_no_talk_does(
    live: Stage, page: Page
) -> None:
    """By day another person gets their own page above, and a talk goes on below."""
    bob, cai = [await live.add_counsellor(name, shift=False, state=None) for name in ("bob", "cai")]
    for one in (bob, cai):
        await give_password(live, one)
    ana, child = await answered(page, live)
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "talking")
    await another_signs_in(live, page, "bob")
    # The stream is opened anew, by the cookie of the other person.
    async with page.expect_response("**/board/live?**") as refused:
        await sign_ins_end(live, ana)
    assert (await refused.value).status == 403
    async with page.expect_response("**/api/v1/me"):
        pass
    await expect(page.locator("body")).to_have_attribute("data-me", str(ana.id))
    # Nothing of her page is done by the other person's cookie.
    await page.locator("#mute").click()
    await expect(page.locator("#refused")).to_have_text(OTHERS)
    await page.locator("#f-contact-headline").fill(HEADLINE)
    await expect(page.locator("#saving")).to_have_text("Not saved yet: sign in again.")
    await what_is_not_saved_is_not_sent_on_and_on(page)
    assert (await live.call_of(child))["state"] == "connected"
    await live.exchange.hang_up(child)
    await expect(page.locator("body")).to_have_attribute("data-me", str(bob.id))
    assert await telephone_pages_of(live, bob) == [], "what her page said at its end is not his"
    # With no talk it gives way at once.
    await another_signs_in(live, page, "cai")
    await expect(page.locator("body")).to_have_attribute("data-me", str(cai.id))


async def telephone_pages_of(live: Stage, who: Counsellor) -> list[str]:
    """Return the page that has the telephone of a person, if one has it."""
    its = "SELECT telephone_page FROM presences WHERE counsellor_id = %s"
    return [row["telephone_page"] for row in await live.rows(its, who.id) if row["telephone_page"]]


async def what_is_not_saved_is_not_sent_on_and_on(page: Page) -> None:
    """Her page asks whether she leaves it, and stays; the messages of the team are not opened."""
    puts: list[str] = []
    page.on("request", lambda one: puts.append(one.url) if one.method == "PUT" else None)
    page.once("dialog", Dialog.dismiss)
    async with page.expect_event("dialog"):
        await page.locator(".rail a[data-section=roster]").click()
    assert len(puts) < 4
    messages = page.locator("#team-messages")
    await messages.locator("summary").click()
    await expect(page.locator("#refused")).to_have_text(OTHERS)
    await expect(messages).not_to_have_attribute("open", "")


async def refused(page: Page) -> None:
    """The stream of the page is refused."""
    async with page.expect_response("**/board/live?**") as answer:
        pass
    assert (await answer.value).status == 403


async def test_a_page_keeps_a_call_without_a_microphone_and_gives_way_when_it_is_over(
    live: Stage, page: Page
) -> None:
    bob = await live.add_counsellor("bob", shift=False, state=None)
    await give_password(live, bob)
    ana, child = await answered(page, live)
    telephone = page.locator("#telephone")
    await expect(telephone).to_have_attribute("data-state", "talking")
    page.on("dialog", lambda dialog: dialog.accept())
    # Her headset is unplugged.
    await page.evaluate("helplineTelephone.unplugged = true; helplineTelephone.settle()")
    await expect(telephone).to_have_attribute("data-state", "no_microphone")
    await another_signs_in(live, page, "bob")
    await sign_ins_end(live, ana)
    await refused(page)
    await refused(page)
    assert (await live.call_of(child))["state"] == "connected"
    # Its stream waits for longer now, and it fetches nothing that would be the other person's.
    parts: list[str] = []

    def note(request: Request) -> None:
        if request.method == "GET" and "/board/" in request.url:
            parts.append(request.url)

    page.on("request", note)
    await page.wait_for_timeout(2000)
    assert parts == []
    await expect(page.locator("[data-telephone=keypad]")).to_be_visible()
    await page.evaluate(LAST_SHOWN)
    await live.exchange.hang_up(child)
    await expect(page.locator("body")).to_have_attribute("data-me", str(bob.id))
    # For the page itself the call was over, too.
    assert await page.evaluate("sessionStorage.shown") == "no_microphone, no keypad"


@nightly
async def test_a_page_gives_way_after_its_talk_and_the_other_person_has_their_telephone(
    live: Stage, page: Page
) -> None:
    """By day the page whose sign-in has ended in the talk gives way after it, too."""
    bob = await live.add_counsellor("bob", state=None)
    await give_password(live, bob)
    _, child = await answered(page, live)
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "talking")
    # Her session lasts as long as her talk, and with it the stream of her page.
    await another_signs_in(live, page, "bob")
    await live.exchange.hang_up(child)
    await expect(page.locator("body")).to_have_attribute("data-me", str(bob.id))
    assert await telephone_pages_of(live, bob) == []
    await available(page)


async def nothing_is_left_without_a_word(page: Page) -> None:
    """Whose page it is keeps its reader from the next one, and is said each time."""
    notice = page.locator("#refused")
    await page.go_back()
    await expect(notice).to_have_text(OTHERS)
    assert page.url.endswith("/reports")
    await page.locator(".rail a[data-section=roster]").click()
    await expect(notice).to_have_text(OTHERS)
    await notice.locator("p").click()
    await expect(notice).to_be_empty()
    await page.keyboard.press("Control+k")
    await expect(notice).to_have_text(OTHERS)
    await expect(page.locator("#palette")).to_be_hidden()


async def what_the_browser_sends_itself_is_asked_first(page: Page) -> None:
    """A form changes nothing of the other person, and no file is theirs: three clicks ask once."""
    asked: list[Response] = []
    page.on("response", lambda one: asked.append(one) if one.status == 403 else None)
    async with page.expect_response(is_refused):
        await in_another_language(page)
    await page.locator("#main").evaluate(
        "main => main.insertAdjacentHTML('beforeend', '<a download href=/api/v1/roster.ics>.</a>')"
    )
    async with page.expect_response(is_refused):
        await page.locator("[download]").click()
    notice = page.locator("#refused")
    await expect(notice).to_have_text(OTHERS)
    await notice.locator("p").click()
    await expect(notice).to_be_empty()
    assert [is_refused(one) for one in asked].count(True) == 2


def is_refused(answer: Response) -> bool:
    return answer.url.endswith("/api/v1/me") and answer.status == 403


async def in_another_language(page: Page) -> None:
    """Choose the other language of the pages: a form that the browser sends itself."""
    await page.locator("#me").evaluate("menu => { menu.open = true; }")
    await page.locator("#me [name=language][aria-pressed=false]").first.evaluate(
        "button => { for (const _ of '123') button.click(); }"
    )


async def a_form_is_sent_though_no_answer_comes(page: Page) -> None:
    """Whose page it is cannot be asked: the form waits for three seconds, a tenth of them here."""
    await expect(page.locator("#connection")).to_have_attribute("data-well", "true")
    await page.evaluate(
        "() => { const own = AbortSignal.timeout.bind(AbortSignal);"
        " AbortSignal.timeout = (time) => own(time === 3000 ? 300 : time); }"
    )
    await page.route("**/api/v1/me", lambda _: None)
    async with page.expect_navigation(timeout=5000):
        await in_another_language(page)
    await page.unroute("**/api/v1/me")


@nightly
async def test_a_reader_who_stays_is_not_asked_again_at_once(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", role=Role.ADMINISTRATOR, shift=False, state=None)
    bob = await live.add_counsellor("bob", shift=False, state=None)
    for one in (ana, bob):
        await give_password(live, one)
    await page.clock.install()
    await at(page, live, ana, "/roster")
    await page.locator(".rail a[data-section=reports]").click()
    what = page.locator("[name=what]")
    await what.select_option(index=1)
    chosen = await what.input_value()
    questions: list[Dialog] = []

    async def stay(dialog: Dialog) -> None:
        questions.append(dialog)
        await dialog.dismiss()

    page.on("dialog", stay)
    async with page.expect_event("dialog"):
        await another_signs_in(live, page, "bob")
        await sign_ins_end(live, ana)
    for _ in range(3):
        async with page.expect_response("**/board/live?**"):
            await page.clock.run_for(15_000)
    assert len(questions) == 1
    await what_the_browser_sends_itself_is_asked_first(page)
    await nothing_is_left_without_a_word(page)
    assert len(questions) == 1
    await expect(what).to_have_value(chosen)
    async with page.expect_event("dialog"):
        await page.clock.run_for(60_000)
    # She is back: what she leaves herself asks nothing.
    await another_signs_in(live, page, "ana")
    async with page.expect_response("**/board/live?**"):
        await page.clock.run_for(15_000)
    async with page.expect_navigation():
        await in_another_language(page)
    await a_form_is_sent_though_no_answer_comes(page)
    # Where her sign-in has ended, it goes on after the next one.
    await expect(page.locator("#connection")).to_have_attribute("data-well", "true")
    await page.context.clear_cookies()
    await in_another_language(page)
    await page.locator("#signed-out [name=password]").fill(PASSWORD)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{live.settings.public_url}/reports")
    # Where nothing is chosen or typed, the page gives way without a question.
    await expect(page.locator("#connection")).to_have_attribute("data-well", "true")
    await another_signs_in(live, page, "bob")
    await sign_ins_end(live, ana)
    await expect(page.locator("body")).to_have_attribute("data-me", str(bob.id))
    assert len(questions) == 2
