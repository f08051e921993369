"""A call that the browser does not answer rings at the counsellor's second telephone, and then at a
colleague."""

import re
from collections.abc import Awaitable, Callable

from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.profile import nightly
from tests.support.referrals import page
from tests.support.talks import waits

PHONE = "+381641111111"


async def by_page(stage: Stage, who: Counsellor) -> str:
    """Choose the telephone on the page of the account. Return the code that the page shows."""
    assert "not proven" not in (await page(stage, who, "/account")).text
    shown = (await page(stage, who, "/account/second-phone", number="064 111 1111")).text
    assert "Not proven yet" in shown
    found = re.search(r'id="second-phone-code">(\d{6})<', shown)
    assert found
    return found[1]


async def by_program(stage: Stage, who: Counsellor) -> str:
    chosen = await who.ask("PUT", "/me/second-phone", {"number": PHONE})
    assert chosen.status_code == 200, chosen.text
    return str(chosen.json()["code"])


async def with_a_telephone(
    stage: Stage, phone: Phone, chosen: Callable[[Stage, Counsellor], Awaitable[str]]
) -> Counsellor:
    """A counsellor who has chosen a telephone, and proves it when it is rung."""
    ana = await stage.add_counsellor("ana")
    stage.exchange.phones[PHONE] = phone
    behaves, phone.understands = phone.presses, False
    phone.presses = await chosen(stage, ana)
    assert (await ana.ask("GET", "/me/second-phone")).json() == {"number": PHONE, "proven": False}
    await stage.advance(20)
    assert (await ana.ask("GET", "/me/second-phone")).json() == {"number": PHONE, "proven": True}
    phone.presses, phone.rung = behaves, 0
    return ana


async def test_the_second_telephone_takes_the_call_that_the_browser_missed(stage: Stage) -> None:
    phone = Phone()
    ana = await with_a_telephone(stage, phone, by_page)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    child = await waits(stage)
    assert await ana.offer() is not None
    await stage.advance(5)
    assert phone.rung == 0, "the browser rings alone at first"
    # The provider takes the request, and its answer is lost with the process that waited for it.
    stage.exchange.knobs.turn("accept_and_time_out", "POST /2010-04-01")
    await stage.until(lambda: phone.rung == 1, limit=6, what="the telephone rings")
    assert "telephone rings instead" in (await page(stage, chief, "/team")).text
    await stage.advance(8)
    call = await stage.call_of(child)
    assert (call["state"], phone.rung) == ("connected", 1)
    assert "at your phone" in (await page(stage, ana, "/board/frame")).text
    conference = stage.exchange.conferences.of_leg(child)
    assert conference is not None
    assert len(conference[0].participants) == 2, "the child, and one leg of the counsellor"
    # She hangs up at the telephone.
    (leg,) = [one for one in stage.exchange.legs.values() if one.to == PHONE and not one.over]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    call = await stage.call_of(child)
    assert (call["outcome"], call["ended_by"]) == ("answered", "counsellor")
    assert await ana.presence() == "wrap_up"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_only_after_the_telephone_does_the_call_go_to_a_colleague(stage: Stage) -> None:
    phone = Phone(picks_up=None)
    ana = await with_a_telephone(stage, Phone(), by_program)
    child = await waits(stage)
    assert await ana.offer() is not None
    stage.exchange.phones[PHONE] = phone
    boris = await stage.add_counsellor("boris")
    # The tab crashes, and the server is replaced before the telephone is due.
    ana.unplug()
    await stage.restart_server()
    await stage.until(lambda: phone.rung == 1, limit=10, what="the telephone rings")
    assert await boris.offer() is None
    await stage.until(boris.offer, limit=16, what="the colleague is asked")
    assert (await ana.ask("GET", "/me")).json()["presence"]["cause"] == (
        "missed_in_browser_and_at_telephone"
    )
    await boris.accept()
    await stage.advance(4)
    assert (await stage.call_of(child))["state"] == "connected"
    assert all(one.over for one in stage.exchange.legs.values() if one.to == PHONE)
    await stage.exchange.hang_up(child)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
