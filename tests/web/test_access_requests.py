"""Access to the records of others, end to end: asked on a page, seen and decided by another."""

from urllib.parse import urlsplit

import httpx2
import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.provider import access
from app.people.provider.mapping import MappingWanted
from app.staff import passwords
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.pages.readers import seen
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage

PROVIDER = MappingWanted(
    name="City", issuer="https://id.example", client_id="x", roles=(("help", "counsellor"),)
)
PASSWORD = "correct horse battery"
TITLE = "Access to the records of others:"


async def person(stage: Stage, name: str, role: Role) -> Counsellor:
    return await stage.add_counsellor(name, role=role, shift=False, state=None)


async def who_could_approve(stage: Stage, name: str, role: Role) -> Counsellor:
    found = await person(stage, name, role)
    async with transaction(stage.ground, PROGRAM) as work:
        await passwords.give_password(work, await work.session.get_one(Staff, found.id), PASSWORD)
    return found


async def sent(stage: Stage, who: Counsellor, path: str, **form: str) -> httpx2.Response:
    headers = {"Cookie": who.cookie_header, "Origin": stage.settings.public_url}
    url = f"{stage.settings.public_url}{path}"
    answer = await stage.client.post(url, data=form, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def opened(stage: Stage, link: str, password: str = "a word of one's own") -> str:
    """Return what the page of a link says, and choose the password there if it lets us."""
    url = f"{stage.settings.public_url}/welcome/choose"
    form = {"token": urlsplit(link).fragment, "password": password, "again": password}
    headers = {"Origin": stage.settings.public_url}
    sent = {**form, "language": "en"}
    return (await stage.client.post(url, data=sent, headers=headers)).text


def link_in(page: str) -> str:
    return page.partition('id="link-address">')[2].partition("<")[0]


@pytest.mark.parametrize(
    ("role", "inbox", "invited_as"),
    by_day(
        [
            (Role.SUPERVISOR, "/team", "counsellor"),
            (Role.REFERRAL_OFFICER, "/referrals", "supervisor"),
        ]
    ),
)
async def test_who_reads_such_records_finds_the_request_and_approves(
    quiet: QuietStage, role: Role, inbox: str, invited_as: str
) -> None:
    mila = await person(quiet, "mila", Role.ADMINISTRATOR)
    other = await person(quiet, "nina", Role.ADMINISTRATOR)
    vera = await who_could_approve(quiet, "vera", role)
    invited = await sent(
        quiet, mila, "/admin/people/invite", name="Nova", role=invited_as, send="show"
    )
    link = link_in(invited.text)
    assert "opens nothing until a second person" in invited.text
    assert "A second person has not approved" in await opened(quiet, link)
    for reader, path in ((mila, "/admin/people"), (other, "/admin/people"), (vera, inbox)):
        shown = await seen(quiet, reader, path)
        assert TITLE in shown
        assert ("Approve" in shown) is (reader is vera)
    (one,) = (await vera.ask("GET", "/access-requests")).json()
    assert (one["kind"], one["name"], one["new_role"], one["asked_by"]) == (
        "account",
        "Nova",
        invited_as,
        "mila",
    )
    at = f"/access-requests/{one['id']}"
    for wrong in (mila, other):
        answer = await wrong.ask("POST", at, {"approve": True})
        assert (answer.status_code, answer.json()["error"]) == (403, "NotSecondPerson")
    assert (await vera.ask("POST", at, {"approve": True})).status_code == 204
    assert (await vera.ask("POST", at, {"approve": True})).status_code == 404
    assert TITLE not in await seen(quiet, vera, inbox)
    assert "Your password is set" in await opened(quiet, link)
    acts = await quiet.rows(
        "SELECT action, actor FROM audit_entries WHERE action LIKE 'access%%' ORDER BY id"
    )
    assert [one["action"] for one in acts] == ["access_asked", "access_asked", "access_approved"]
    assert [one["actor"] for one in acts] == [str(mila.id), str(mila.id), str(vera.id)]


async def test_what_is_asked_for_an_existing_person_leaves_them_at_work(quiet: QuietStage) -> None:
    mila = await person(quiet, "mila", Role.ADMINISTRATOR)
    vera = await who_could_approve(quiet, "vera", Role.SUPERVISOR)
    rada = await who_could_approve(quiet, "rada", Role.SUPERVISOR)
    at = f"/admin/people/{rada.id}"
    shown = await sent(quiet, mila, f"{at}/link", send="show")
    link = link_in(shown.text)
    assert "A second person has not approved" in await opened(quiet, link)
    assert (await rada.ask("GET", "/me")).status_code == 200
    (one,) = (await rada.ask("GET", "/access-requests")).json()
    assert (one["kind"], one["by_mail"], one["may_approve"]) == ("link", False, False)
    request = f"/access-requests/{one['id']}"
    assert (await rada.ask("POST", request, {"approve": True})).status_code == 403
    # The one it is about may refuse it.
    assert (await rada.ask("POST", request, {"approve": False})).status_code == 204
    assert "withdrawn" in await opened(quiet, link)
    # An account that left comes back when a second person approves.
    revision = (await quiet.rows("SELECT revision FROM staff WHERE name = 'rada'"))[0]["revision"]
    leaves = await mila.ask("POST", f"/people/{rada.id}/deactivate", {"revision": revision})
    assert leaves.status_code == 200, leaves.text
    back = await sent(quiet, mila, f"{at}/reactivate")
    assert "Active again" not in back.text
    assert "waits for a second person" in back.text
    (one,) = (await vera.ask("GET", "/access-requests")).json()
    assert (await vera.ask("POST", f"/access-requests/{one['id']}", {"approve": True})).is_success
    assert "Your password is set" in await opened(quiet, link_in(back.text))


async def gets(stage: Stage, mila: Counsellor, of: Counsellor, **change: str) -> None:
    held = (await mila.ask("GET", f"/people/{of.id}")).json()
    answer = await mila.ask("POST", f"/people/{of.id}", {"revision": held["revision"], **change})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("what", "forgotten"),
    by_day([("link", True), ("nothing", False), ("shown, not used", False), ("email", True)], 2),
)
async def test_an_account_keeps_no_way_in_of_another_person_when_it_gets_the_role(
    quiet: QuietStage, what: str, forgotten: bool
) -> None:
    mila = await person(quiet, "mila", Role.ADMINISTRATOR)
    vera = await who_could_approve(quiet, "vera", Role.SUPERVISOR)
    rada = await who_could_approve(quiet, "rada", Role.SUPERVISOR)
    await gets(quiet, mila, rada, role="counsellor")
    link = ""
    if what == "email":
        await gets(quiet, mila, rada, email="mine@elsewhere.example")
    elif what != "nothing":
        shown = await sent(quiet, mila, f"/admin/people/{rada.id}/link", send="show")
        link = link_in(shown.text)
    if link:
        # As her counsellor's account by two people, which is not the role that she gets then.
        (one,) = (await vera.ask("GET", "/access-requests")).json()
        await vera.ask("POST", f"/access-requests/{one['id']}", {"approve": True})
    if what == "link":
        assert "Your password is set" in await opened(quiet, link)
        async with transaction(quiet.ground, PROGRAM) as work:
            staff = await work.session.get_one(Staff, rada.id)
            await access.link_own(work, staff, PROVIDER, {"sub": "1", "groups": ["help"]})
    await rada.sign_in()
    await gets(quiet, mila, rada, role="supervisor")
    (one,) = (await vera.ask("GET", "/access-requests")).json()
    assert (await vera.ask("POST", f"/access-requests/{one['id']}", {"approve": True})).is_success
    (now,) = await quiet.rows(
        "SELECT role, password_hash IS NULL AS forgotten, by_provider FROM staff"
        " WHERE name = 'rada'"
    )
    assert now == {"role": "supervisor", "forgotten": forgotten, "by_provider": False}
    assert (await rada.ask("GET", "/me")).status_code == 401, "it signs in again"
    if what == "shown, not used":
        assert "withdrawn" in await opened(quiet, link)


async def test_the_first_one_is_given_alone_and_the_page_says_so(quiet: QuietStage) -> None:
    mila = await person(quiet, "mila", Role.ADMINISTRATOR)
    alone = 'id="alone"'
    assert alone in await seen(quiet, mila, "/admin/people/invite")
    invited = await sent(
        quiet, mila, "/admin/people/invite", name="Vera", role="supervisor", send="show"
    )
    assert alone in invited.text
    assert "Your password is set" in await opened(quiet, link_in(invited.text))
    assert alone not in await seen(quiet, mila, "/admin/people/invite")
    invited = await sent(
        quiet, mila, "/admin/people/invite", name="Nova", role="supervisor", send="show"
    )
    assert "A second person has not approved" in await opened(quiet, link_in(invited.text))
    acts = await quiet.rows("SELECT action FROM audit_entries WHERE action LIKE 'access%%'")
    assert {one["action"] for one in acts} == {"access_given_alone", "access_asked"}
