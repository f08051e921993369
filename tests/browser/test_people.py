"""A person's first day: invited by an administrator, a password of their own, the first call; and
a second factor, of a telephone or a passkey."""

import asyncio
from urllib.parse import urlsplit

import pyotp
from playwright.async_api import Locator, Page, expect
from sqlalchemy import delete, select, update

from app.calls.lines.line_rows import Line
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.practice.people import Phone
from app.routing.rota.roster import add_shift
from app.staff import sessions
from app.staff.models import Staff, StaffSession
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM
from tests.support.axe import faults, faults_again
from tests.support.browser import (
    HERS,
    PASSWORD,
    available,
    give_password,
    picture,
    press,
    ring,
    visit,
)
from tests.support.identity.second_step import with_telephone
from tests.support.profile import nightly


async def invited(page: Page, live: Stage) -> str:
    """Invite Nova on the pages of an administrator; return the link, which is shown once."""
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await visit(page, live, mila, "/admin/people")
    await page.locator("#invite").click()
    await page.get_by_label("Name").fill("Nova")
    await page.locator("#invite-and-show").click()
    link = await page.locator("#link-address").inner_text()
    await expect(page.locator("h1")).to_have_text("Nova")
    async with transaction(live.ground, PROGRAM) as work:
        nova = await work.session.scalar(select(Staff).where(Staff.name == "Nova"))
        assert nova is not None
        await add_shift(work, nova, recurrence=None)
    return link


async def chosen(page: Page, link: str) -> None:
    """Choose a password in a browser of one's own, and sign in with it."""
    await page.goto(link)
    await expect(page.locator("#own-name")).to_have_text("Nova")
    # The secret is in no address that a bookmark or a log could keep.
    assert page.url.endswith("/welcome")
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.locator("#choose-password").click()
    await page.locator("#to-sign-in").click()
    await page.get_by_label("Name").fill("Nova")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Password").press("Enter")
    await expect(page.locator("#connection")).to_have_text("● live")


async def _is_moved_and_leaves(page: Page, live: Stage, leg: Leg) -> None:
    """Her team changes while she talks; then she leaves, and a colleague goes on with the child."""
    # The account has changed since the page was opened: she chose a password.
    await page.reload()
    await page.locator("[name=team]").fill("north")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#main")).to_contain_text("north")
    await live.add_counsellor("vera", endpoint="+38164999001")
    live.exchange.phones["+38164999001"] = Phone(picks_up=0.5, presses="1")
    await page.locator("#leave").click()
    await expect(page.locator("#main")).to_contain_text("This person is in a talk now.")
    # The contact of this talk is a draft of hers.
    await page.locator("#everything").select_option(label="vera")
    await page.locator("#deactivate").click()
    # She is on duty herself at these hours, and cannot be there twice.
    await expect(page.locator("main .notice")).to_contain_text("vera is not free")
    await page.get_by_label("Leave the duty uncovered").check()
    await page.locator("#deactivate").click()
    await expect(page.locator("#main")).to_contain_text("inactive")
    for _ in range(300):
        phone = next((one for one in live.exchange.legs.values() if one.to == "+38164999001"), None)
        call = await live.call_of(leg)
        if phone is not None and phone.status == "in-progress" and call["state"] == "connected":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nobody went on with the child")


@nightly
async def test_a_counsellor_is_invited_takes_a_call_is_moved_and_leaves_in_the_talk(
    live: Stage, page: Page
) -> None:
    """By day `test_first_run` invites, and `tests/people/test_leaving.py` leaves in a talk."""
    link = await invited(page, live)
    assert page.context.browser is not None
    own = await page.context.browser.new_context(**HERS)
    second = await own.new_page()
    await chosen(second, link)
    await available(second)
    leg = await ring(live)
    await expect(second.locator("#offer")).to_be_visible()
    await press(second, "a")
    await expect(second.locator("#call-title")).to_contain_text("Talking")
    await _is_moved_and_leaves(page, live, leg)
    # Her page opens nothing any more.
    await second.goto(f"{live.settings.public_url}/contacts")
    await expect(second.locator("h1")).to_have_text("Sign in")

    # Opened once more, the link says what to do.
    await page.goto(link)
    await expect(page.get_by_role("alert")).to_contain_text("used already")


async def typed_and_entered(page: Page, field: str, words: str, key: str = "Enter") -> None:
    await expect(page.locator(f"main [name={field}]")).to_be_focused()
    await page.keyboard.type(words)
    await page.keyboard.press(key)


async def tabbed_to(page: Page, wanted: Locator) -> None:
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("no Tab leads there")


async def test_no_box_is_squeezed_by_a_long_name_of_a_line(live: Stage, page: Page) -> None:
    async with transaction(live.ground, PROGRAM) as work:
        words = "The national line for children and young people, " * 3
        await work.session.execute(update(Line).values(name=words.strip(" ,")))
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    ana = await live.add_counsellor("ana", shift=False, state=None)
    await visit(page, live, mila, f"/admin/people/{ana.id}")
    for width in (390, 320):
        await page.set_viewport_size({"width": width, "height": 844})
        boxes = page.locator(".person-form input[type=checkbox]")
        sizes = await boxes.evaluate_all(
            "boxes => boxes.map(box => [box.offsetWidth, box.offsetHeight])"
        )
        assert await page.locator("[name^='line.']").count()
        assert len({tuple(size) for size in sizes}) == 1, sizes
        assert min(sizes[0]) >= 18
        await picture(page, f"people-boxes-{width}")


@nightly
async def test_a_second_factor_is_set_up_and_used_by_keyboard(live: Stage, page: Page) -> None:
    """By day `test_first_run` sets one up, and `tests/people/test_second_factor.py` uses it."""
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await give_password(live, vera)
    async with transaction(live.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.SUPERVISOR,)))
    await page.goto(f"{live.settings.public_url}/reports")
    await typed_and_entered(page, "username", "vera", "Tab")
    await typed_and_entered(page, "password", PASSWORD)
    await expect(page.locator("h1")).to_have_text("Set up the second factor")
    await expect(page.get_by_role("img", name="Code for the app")).to_be_visible()
    assert await faults_again(page, "setting up") == []
    telephone = pyotp.TOTP((await page.locator("#secret").inner_text()).replace(" ", ""))
    await tabbed_to(page, page.locator("main [name=code]"))
    await typed_and_entered(page, "code", telephone.at(live.clock.now()))
    await expect(page.locator("#recovery-codes li")).to_have_count(10)
    recovery, *others = await page.locator("#recovery-codes li").all_inner_texts()
    await tabbed_to(page, page.locator("#codes-kept"))
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{live.settings.public_url}/reports")

    await page.goto(f"{live.settings.public_url}/account")
    await page.locator("#me > summary").click()
    await page.locator("#sign-out").click()
    await typed_and_entered(page, "username", "vera", "Tab")
    await typed_and_entered(page, "password", PASSWORD)
    await typed_and_entered(page, "code", "000000")
    await expect(page.get_by_role("alert")).to_contain_text("used already")
    await typed_and_entered(page, "code", recovery)
    await expect(page.locator("#connection")).to_have_text("● live")
    await page.goto(f"{live.settings.public_url}/account")
    await expect(page.locator("#second-factor")).to_contain_text("Recovery codes left: 9.")
    await _sets_another_one_up_for_longer_than_a_proof_lasts(live, page, others)


async def _sets_another_one_up_for_longer_than_a_proof_lasts(
    live: Stage, page: Page, recovery: list[str]
) -> None:
    """The page asks for the proof, and goes on with the code that was typed."""
    await page.locator("#factor-form [name=proof]").fill(recovery[0])
    await page.locator("#set-factor").press("Enter")
    telephone = pyotp.TOTP((await page.locator("#secret").inner_text()).replace(" ", ""))
    async with transaction(live.ground, PROGRAM) as work:
        await work.session.execute(update(StaffSession).values(proved_at=None))
    await page.locator("main [name=code]").fill(telephone.at(live.clock.now()))
    await page.locator("#confirm-factor").press("Enter")
    await page.locator("#proof input").fill(recovery[1])
    await page.keyboard.press("Enter")
    await expect(page.locator("#recovery-codes li")).to_have_count(10)


# -- passkeys ---------------------------------------------------------------------------


async def device(page: Page) -> None:
    """Give the browser a device that asks for a finger, and gets it."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def _sign_in(page: Page, origin: str) -> None:
    await page.goto(f"{origin}/login?next=/account")
    await page.get_by_label("Name").fill("vera")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")


@nightly
async def test_a_passkey_is_set_up_used_asked_for_again_and_removed(
    live: Stage, page: Page
) -> None:
    # By its name: passkeys do not belong to an address.
    origin = f"http://localhost:{urlsplit(live.settings.public_url).port}"
    live.settings.public_url = origin
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await give_password(live, vera)
    async with transaction(live.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.SUPERVISOR,)))
    await _sign_in(page, origin)
    await expect(page.locator("#set-up-passkey")).to_be_visible()
    assert await faults_again(page, "setting up") == []
    name = page.get_by_label("Name of the passkey")
    await name.fill("my phone")
    await device(page)
    await name.press("Enter")
    await expect(page.locator("#recovery-codes li")).to_have_count(10)
    await page.locator("#codes-kept").press("Enter")
    await expect(page.locator("#own-passkeys")).to_contain_text("my phone")
    await picture(page, "passkeys")
    assert await faults_again(page, "account") == []

    await page.locator("#me > summary").click()
    await page.locator("#sign-out").click()
    await _sign_in(page, origin)
    await expect(page.locator("#use-passkey")).to_be_focused()
    await picture(page, "passkey-sign-in")
    assert await faults_again(page, "second step") == []
    await page.keyboard.press("Enter")
    await expect(page.locator("#own-passkeys")).to_contain_text("last used")

    # The proof is too old: the dialog asks for the passkey, and then the page goes on.
    async with transaction(live.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules(), knowingly=True)
        await work.session.execute(update(StaffSession).values(proved_at=None))
    await page.get_by_role("button", name="Remove : my phone").press("Enter")
    await expect(page.locator("#proof-passkey")).to_be_focused()
    await picture(page, "passkey-proof")
    assert await faults(page, "proof") == []
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="removed")).to_be_visible()
    await expect(page.locator("#own-passkeys")).to_have_count(0)


async def test_a_passkey_that_is_demanded_is_set_up_after_the_code_and_alone_counts(
    live: Stage, page: Page
) -> None:
    origin = f"http://localhost:{urlsplit(live.settings.public_url).port}"
    live.settings.public_url = origin
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await give_password(live, vera)
    role = (Role.SUPERVISOR,)
    async with transaction(live.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, vera.id)
        _telephone, recovery = await with_telephone(work, staff)
        await set_sign_in_rules(work, Rules(role, passkey_roles=role))
    await _sign_in(page, origin)
    # A code of the telephone would be of another step when the clock goes on meanwhile.
    await typed_and_entered(page, "code", recovery[0])
    await expect(page.locator("#set-up-passkey")).to_be_visible()
    await expect(page.locator("#secret")).to_have_count(0)
    await picture(page, "passkey-demanded")
    assert await faults_again(page, "setting up") == []
    await device(page)
    name = page.get_by_label("Name of the passkey")
    await name.fill("my phone")
    await name.press("Enter")
    await expect(page.locator("#own-passkeys")).to_contain_text("my phone")
    await expect(page.locator("#second-factor [name=proof]")).to_have_count(0)

    # An old proof is renewed by the passkey alone: there is nothing to type.
    async with transaction(live.ground, PROGRAM) as work:
        await work.session.execute(update(StaffSession).values(proved_at=None))
    await page.get_by_role("button", name="Remove : my phone").press("Enter")
    await expect(page.locator("#proof-passkey")).to_be_focused()
    await expect(page.locator("#proof input:visible")).to_have_count(0)
    await picture(page, "passkey-demanded-proof")
    assert await faults(page, "proof") == []
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="Add another one")).to_be_visible()

    # So is a sign-in that has ended while the page is open.
    async with transaction(live.ground, PROGRAM) as work:
        await work.session.execute(delete(StaffSession))
        sessions.accounts_changed(work)
    await page.get_by_role("button", name="Remove : my phone").press("Enter")
    sheet = page.locator("#signed-out")
    await sheet.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(sheet.get_by_role("button", name="Use a passkey")).to_be_focused()
    await expect(sheet.locator("[name=code]")).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(sheet).to_have_count(0)


@nightly
async def test_a_supervisor_is_invited_by_one_person_and_approved_by_another(
    live: Stage, page: Page
) -> None:
    """By day `tests/people/approval/test_access_requests.py` has the rule."""
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await give_password(live, vera)
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    browser = page.context.browser
    assert browser is not None
    other, third = [await browser.new_page() for _ in range(2)]
    await visit(page, live, mila, "/admin/people/invite")
    await page.get_by_label("Name").fill("Nova")
    await page.get_by_label("Role").select_option("supervisor")
    await page.locator("#invite-and-show").click()
    link = await page.locator("#link-address").inner_text()
    waits = page.locator("#access-requests")
    await expect(waits).to_contain_text("Nova")
    await expect(waits.get_by_role("button", name="Approve")).to_have_count(0)
    assert await faults_again(page, "the page of a person who waits") == []
    await third.goto(link)
    await expect(third.get_by_role("alert")).to_contain_text("second person has not approved")
    await visit(other, live, vera, "/team")
    inbox = other.locator("#access-requests")
    await expect(inbox).to_contain_text("Nova")
    assert await faults(other, "the team page with a request") == []
    await picture(other, "access-requests")
    await inbox.get_by_role("button", name="Approve").click()
    await expect(inbox).not_to_contain_text("Nova")
    # What she decided is seen at once where it was asked.
    await expect(waits).not_to_contain_text("Nova")
    await chosen(await browser.new_page(), link)
