"""From an empty database: a check list that measures itself."""

import re
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.demo.stage import Stage, stage_on
from app.jobs.transaction import transaction
from app.people import links
from app.practice.people import Phone
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.referrals import add_agency, page


@pytest.fixture
async def empty(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The helpline as it is after its installation: no account, no line."""
    async with stage_on(database) as made:
        yield made


async def test_the_check_list_measures_each_step_until_a_call_is_answered(empty: Stage) -> None:
    mila = await empty.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)

    async def done() -> list[str]:
        text = (await page(empty, mila, "/admin/first-steps")).text
        return re.findall(r'data-step="(\w+)" data-done', text)

    assert 'id="first-steps"' in (await page(empty, mila, "/admin")).text
    asked = (await mila.ask("GET", "/first-steps")).json()
    assert [one["step"] for one in asked if not one["done"] and not one["can_wait"]] == [
        *("administrator", "line", "prompts", "telephony", "people", "rota", "call")
    ]
    # No person can sign in yet: this account has no password.
    assert await done() == []
    vuk = await empty.add_counsellor("vuk", role=Role.ADMINISTRATOR, shift=False, state=None)
    await _choose_password(empty, vuk.id)
    assert await done() == ["administrator"]
    await empty.add_line()
    assert await done() == ["administrator", "line", "prompts"]
    for half in ("twilio_account_sid", "twilio_auth_token"):
        account = getattr(empty.settings, half)
        setattr(empty.settings, half, None)
        shown = (await page(empty, mila, "/admin/first-steps")).text
        assert "Account SID and Auth Token" in shown, half
        assert "docs/" not in shown, "what to do stands there, and not in which file"
        setattr(empty.settings, half, account)
    set_up = await page(empty, mila, "/admin/numbers", go="yes")
    assert "Everything is set up" in set_up.text
    assert await done() == ["administrator", "line", "prompts", "telephony"]
    empty.exchange.phones["+381641111111"] = Phone(picks_up=2)
    rung = await mila.ask("POST", "/connections/telephony/test", {"number": "+381641111111"})
    assert rung.status_code == 202, rung.text
    await empty.advance(20)
    assert (await done())[-2:] == ["telephony", "test_call"]
    await empty.add_counsellor("iva", shift=False, state=None)
    shown = (await page(empty, mila, "/admin/first-steps")).text
    assert "No counsellor has opened the invitation yet." in shown
    await empty.add_counsellor("vera", endpoint="+38164999001")
    assert (await done())[-2:] == ["people", "rota"]
    await add_agency(empty, "city-csw", "shelter", email="csw@example.org")
    assert (await done())[-1] == "directory"
    empty.exchange.phones["+38164999001"] = Phone(picks_up=2, presses="1")
    await talk_with_anyone(empty)
    assert await done() == []
    assert 'id="first-steps"' not in (await page(empty, mila, "/admin")).text


async def _choose_password(stage: Stage, staff_id: UUID) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        link = await links.make_link(work, staff_id, by=None, by_mail=False)
    assert link is not None
    password = "three gentle horses"
    form = {"token": link.rpartition("#")[2], "password": password, "again": password}
    base = stage.settings.public_url
    chosen = await stage.client.post(f"{base}/welcome/choose", data={**form, "language": "en"})
    assert chosen.status_code == 200, chosen.text


async def talk_with_anyone(stage: Stage) -> None:
    """A child rings, and the counsellor on duty answers."""
    leg = stage.ring("+381601234567")
    for _ in range(60):
        await stage.advance(1)
        if (await stage.call_of(leg))["state"] == "connected":
            return
    raise AssertionError("no counsellor answered")


async def test_a_counsellor_has_no_check_list(empty: Stage) -> None:
    iva = await empty.add_counsellor("iva", shift=False, state=None)
    assert (await page(empty, iva, "/admin/first-steps")).status_code == 403
    assert 'id="first-steps"' not in (await page(empty, iva, "/admin")).text
