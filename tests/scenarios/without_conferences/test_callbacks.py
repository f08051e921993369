"""Call-backs on a platform without conferences."""

import pytest

from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.contacts import until_later
from tests.support.platforms import VERA, agreed_callback, at_phone, list_is_silent
from tests.support.profile import nightly
from tests.support.talks import CHILD

pytestmark = pytest.mark.usefixtures("each_minute")


async def test_a_callback_waits_for_a_counsellor_whose_phone_can_dial(stage: Stage) -> None:
    """A SIP address cannot be rung first, so its leg cannot dial the caller."""
    vera, _ = await at_phone(stage, "vera", VERA)
    child = await agreed_callback(stage, vera)
    await vera.be("off_duty")
    desk = "sip:ana@desk.example"
    stage.exchange.phones[desk] = Phone(picks_up=1, presses=None)
    ana = await stage.add_counsellor("ana", endpoint=desk)
    await stage.advance(70)
    assert await ana.offer() is None
    (row,) = await stage.rows("SELECT state, attempts FROM callbacks")
    assert (row["state"], child.rung) == ("trying", 0)
    await vera.sign_in()
    await vera.be("available")
    await until_later(stage, lambda: child.rung == 1, 120, "the child's phone rings")


@nightly
async def test_a_callback_that_is_accepted_by_a_click_reaches_the_child(stage: Stage) -> None:
    vera, phone = await at_phone(stage, "vera", VERA)
    child = await agreed_callback(stage, vera)
    phone.picks_up = 8
    await vera.be("available")
    await stage.until(vera.offer, limit=120, what="the call-back is offered")
    await stage.advance(1)
    assert (await vera.accept()).status_code == 200
    await stage.until(lambda: child.rung == 1, limit=60, what="the child's phone rings")


@nightly
async def test_a_callback_that_the_list_shows_late_is_not_cut_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    child = await agreed_callback(stage, vera)
    await vera.be("available")
    await stage.until(lambda: child.rung == 1, limit=120)
    list_is_silent(stage, monkeypatch, 60)
    await stage.advance(100)
    mine = next(x for x in stage.exchange.legs.values() if x.to == CHILD)
    assert not mine.over, f"cut off after {mine.seconds} s by {mine.ending}"
