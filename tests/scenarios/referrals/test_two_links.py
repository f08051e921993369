"""Two links of an agency at once: a referral that was sent again, and two referrals.

By day, which code opens which link, and how often one is sent, is shown by
`tests/referrals/replies/test_two_links.py`.
"""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage
from app.referrals.channels import code_limits, links
from tests.support.contacts import skip
from tests.support.mail import Mail, code_in, link_in
from tests.support.profile import nightly
from tests.support.referrals import (
    ADDRESSES,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    phone,
    referral_of,
)

TOLD = {"child.name": "Jovana"}
OTHER = "+381640000002"
# What is read instead of a message: one is to wait, or to ring.
_WAITS = ("already on its way", "too often today")


def texts(night: Stage, number: str = ADDRESSES["sms"]) -> list[str]:
    return [one.text for one in night.exchange.phones[number].texts]


def pair(night: Stage, post: Mail, n: int) -> tuple[str, str]:
    """The link of the e-mail with this number, and its code, which came by SMS."""
    return link_in(post.messages[n][1]), code_in(texts(night)[n])


async def sent(night: Stage, post: Mail, who: Counsellor, **more: Any) -> str:
    count = len(post.messages)
    made = await by_hand(who, override=OVERRIDE, send=True, answers=TOLD, **more)
    await night.until(lambda: len(post.messages) > count)
    await night.advance(3)
    return str(made["id"])


async def again(night: Stage, post: Mail, path: str) -> None:
    """The referral is sent again, as the agency asks for a new link."""
    count = len(post.messages)
    await skip(night, 61 / 3600)
    assert (await click(night, f"{path}/send-link", {"x": "y"})).status_code == 200
    await night.until(lambda: len(post.messages) > count)
    await night.advance(3)


@pytest.fixture
def few_a_day(monkeypatch: pytest.MonkeyPatch) -> int:
    """An agency asks for as many codes and links a day as show what comes after them."""
    assert code_limits.MOST_A_DAY == 10
    monkeypatch.setattr(code_limits, "MOST_A_DAY", 2)
    return 2


@pytest.fixture
async def ana(night: Stage) -> Counsellor:
    await add_agency(night, "house", "shelter", **ADDRESSES)
    for number in (ADDRESSES["sms"], OTHER):
        phone(night, number)
    return await night.add_counsellor("ana", shift=False, state=None)


async def status(night: Stage, path: str, code: str) -> int:
    return int((await click(night, f"{path}/code", {"code": code})).status_code)


@nightly
async def test_the_code_of_a_link_that_was_sent_again_opens_the_one_before_and_back(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    await sent(night, post, ana)
    await again(night, post, pair(night, post, 0)[0])
    (old, first), (new, second) = pair(night, post, 0), pair(night, post, 1)
    for path, code in ((old, second), (new, first)):
        proved = await click(night, f"{path}/code", {"code": code})
        assert proved.is_redirect
        for one in (old, new):
            assert "Jovana" in (await click(night, one, as_=proved)).text, "in the same browser"
        # Each counts once, and in the browser in which it was entered.
        assert "Jovana" not in (await click(night, path)).text
        assert await status(night, path, code) == 422
    # What came beside a link never opens it.
    assert await status(night, old, code_in(post.messages[1][1])) == 422


# What a link of an immediate referral bears is told in `test_links.py`.
@nightly
@pytest.mark.parametrize("urgency", ["urgent", "immediate"])
async def test_wrong_codes_at_an_old_link_lock_no_new_one(
    night: Stage, post: Mail, ana: Counsellor, few_a_day: int, urgency: str
) -> None:
    """Nor do the codes that are asked for at it, though they use up those of the day."""
    await sent(night, post, ana)
    await again(night, post, pair(night, post, 0)[0])
    await night.watch.execute("UPDATE referrals SET urgency = %s", (urgency,))
    (old, _), (new, second) = pair(night, post, 0), pair(night, post, 1)
    for _ in range(few_a_day + 1):
        tried = [await status(night, old, "000000") for _ in range(6)]
        assert tried == [422] * 5 + [429]
        await skip(night, 61 / 3600)
        await click(night, f"{old}/send-code", {"x": "y"})
        await night.advance(3)
    assert "too often today" in (await click(night, f"{new}/send-code", {"x": "y"})).text
    # What was sent to the old one last opens the new one, too, and so does its own.
    last = code_in([one for one in texts(night) if "code that you asked" in one][-1])
    assert len(last) == (14 if urgency == "immediate" else 6)
    assert await status(night, new, last) == 303
    assert await status(night, new, second) == 303


@pytest.fixture
async def single(night: Stage, post: Mail) -> str:
    """The link of an immediate referral to an agency with one written address and a duty phone."""
    await add_agency(night, "house", "shelter", email=ADDRESSES["email"], phones=(OTHER,))
    phone(night, OTHER, busy=True)
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await sent(night, post, ana, urgency="immediate")
    phone(night, OTHER)
    return link_in(post.messages[0][1])


def codes_heard(night: Stage) -> list[str]:
    return [one.text for one in night.exchange.phones[OTHER].heard if "ode is" in one.text]


def heard_code(night: Stage) -> str:
    found = re.search(r"code is[^0-9]*([0-9][0-9 ,.]*)", codes_heard(night)[-1])
    assert found is not None
    return re.sub(r"\D", "", found[1])[:14]


async def told_of_codes(night: Stage) -> int:
    rows = await night.rows("SELECT FROM notices WHERE detail ->> 'purpose' = 'codes'")
    return len(rows)


@nightly
@pytest.mark.parametrize("is_used", [True, False])
async def test_the_holder_of_an_old_link_keeps_no_agency_with_one_address_out(
    night: Stage, post: Mail, single: str, few_a_day: int, is_used: bool
) -> None:
    """They ask for all codes of the day and use the old link up: the last code opens the new one,
    and our people are told."""
    for n in range(few_a_day):
        assert await told_of_codes(night) == 0, n
        await skip(night, 61 / 3600)
        assert (await click(night, f"{single}/send-code", {"x": "y"})).status_code == 200
        await night.advance(30)
    assert await told_of_codes(night) == 1
    if is_used:
        step = {"kind": "acknowledge", "name": "Mira"}
        assert (await click(night, f"{single}/step", step)).is_redirect
    await again(night, post, single)
    new = link_in(post.messages[-1][1])
    assert "too often today" in (await click(night, f"{new}/send-code", {"x": "y"})).text
    proved = await click(night, f"{new}/code", {"code": heard_code(night)})
    assert proved.is_redirect
    assert "Jovana" in (await click(night, new, as_=proved)).text


@nightly
async def test_an_agency_of_an_urgent_referral_is_slowed_down_and_never_refused_for_good(
    night: Stage, post: Mail, single: str, few_a_day: int
) -> None:
    asks = ("send-code", "send-link")
    for _ in range(few_a_day):
        await skip(night, 61 / 3600)
        for what in asks:
            await click(night, f"{single}/{what}", {"x": "y"})
        await night.advance(30)
    await skip(night, 61 / 3600)
    for n in range(2):
        for what in asks:
            answer = await click(night, f"{single}/{what}", {"x": "y"})
            assert answer.status_code in (422, 429)
        await skip(night, code_limits.apart_after(n).total_seconds() / 3600)
        before, count = heard_code(night), len(post.messages)
        for what in asks:
            answer = await click(night, f"{single}/{what}", {"x": "y"})
            assert "too often today" not in answer.text
        await night.until(lambda: len(post.messages) > count)  # noqa: B023
        # The telephone may ring for the referral itself meanwhile.
        await night.until(lambda: heard_code(night) != before, limit=600)  # noqa: B023
        assert await status(night, single, heard_code(night)) == 303


def test_an_agency_is_slowed_down_twice_as_much_each_time_and_not_without_end() -> None:
    minutes = [code_limits.apart_after(n).total_seconds() / 60 for n in range(7)]
    assert minutes == [10, 20, 40, 80, 120, 120, 120]
    assert code_limits.apart_after(10**6) == code_limits.MOST_APART


@nightly
@pytest.mark.parametrize(
    ("what", "is_used"), [("send-code", False), ("send-code", True), ("send-link", True)]
)
async def test_the_holder_of_an_old_urgent_link_does_not_ring_the_agency_all_night(
    night: Stage, post: Mail, single: str, few_a_day: int, what: str, *, is_used: bool
) -> None:
    """A person who asks in between is told to ring the helpline: no message is on its way."""
    path = single
    if is_used:
        step = {"kind": "acknowledge", "name": "Mira"}
        after = (await click(night, f"{path}/step", step)).headers["location"].split("?")[0]
        # A link that was used up brings no code, and still a new link.
        path = after if what == "send-code" else single
    for _ in range(few_a_day):
        await skip(night, 61 / 3600)
        await click(night, f"{path}/{what}", {"x": "y"})
        await night.advance(5)
    # After 10, 20, 40, 80 and 120 minutes. That it goes on like this is said above and below.
    _, ring = _WAITS
    told, due = list[str](), list[str]()
    for tens in (1, 2, 4, 8, 12):
        asked = [(1, ring)] * (tens > 2) + [(tens - 1, ring)] * (tens > 1) + [(tens, "sent")]
        gone = 0
        for at, says in asked:
            await skip(night, (at - gone) * 10.1 / 60)
            answer = await click(night, f"{path}/{what}", {"x": "y"})
            told.append(next((one for one in _WAITS if one in answer.text), "sent"))
            due.append(says)
            await night.advance(5)
            gone = at
    if what == "send-code":
        assert told == due
    else:
        # The calls of the referral bring the agency links, too: then fewer are sent from here.
        assert 1 <= told.count("sent") <= 6


async def told_by(night: Stage, path: str, what: str = "send-code") -> str:
    """What is read after asking: that one is to wait, or to ring; else that it was sent."""
    answer = await click(night, f"{path}/{what}", {"x": "y"})
    return next((one for one in _WAITS if one in answer.text), "sent")


async def opened_by_a_new_code(night: Stage, path: str) -> int:
    """Ask for a code at a link, hear it at the telephone and enter it."""
    count = len(codes_heard(night))
    assert await told_by(night, path) == "sent"
    await night.until(lambda: len(codes_heard(night)) > count, limit=600)
    return await status(night, path, heard_code(night))


@nightly
@pytest.mark.parametrize("urgency", ["urgent", "immediate"])
async def test_a_duty_worker_who_enters_each_code_is_refused_none(
    night: Stage, post: Mail, single: str, few_a_day: int, urgency: str
) -> None:
    """The details can be read for half an hour each time."""
    await night.watch.execute("UPDATE referrals SET urgency = %s", (urgency,))
    for _ in range(few_a_day + 1):
        await skip(night, 35 / 60)
        assert await opened_by_a_new_code(night, single) == 303
    assert await told_of_codes(night) == 0
    # Those that are not entered are counted as ever.
    told = []
    for _ in range(few_a_day + 1):
        await skip(night, 61 / 3600)
        told.append(await told_by(night, single))
        await night.advance(5)
    assert told == ["sent"] * few_a_day + ["too often today"]


async def slow_down(night: Stage, path: str, few_a_day: int) -> None:
    """Ask for codes at a link until the next one is 40 minutes apart; enter none."""
    for n in range(few_a_day + 2):
        slowed = n >= few_a_day
        wait = code_limits.apart_after(n - few_a_day) if slowed else timedelta(seconds=61)
        await skip(night, (wait.total_seconds() + 1) / 3600)
        assert await told_by(night, path) == "sent", n
        await night.advance(30)


@nightly
async def test_the_holder_of_an_old_urgent_link_lets_a_newer_one_wait_ten_minutes(
    night: Stage, post: Mail, single: str, few_a_day: int
) -> None:
    await again(night, post, single)
    new = link_in(post.messages[-1][1])
    await slow_down(night, single, few_a_day)
    await skip(night, 2 / 60)
    assert await told_by(night, new) == "too often today"
    await skip(night, 8 / 60)
    assert await told_by(night, single) == "too often today"
    assert await opened_by_a_new_code(night, new) == 303


@nightly
async def test_a_right_code_ends_the_long_wait_at_an_urgent_link(
    night: Stage, post: Mail, single: str, few_a_day: int
) -> None:
    """The agency and another person hold the same link. Its last code has ended, and a new link,
    which has no long wait, is offered in its place."""
    await slow_down(night, single, few_a_day)
    await skip(night, 31 / 60)
    refused = (await click(night, f"{single}/send-code", {"x": "y"})).text
    assert "too often today" in refused
    assert f'action="{single}/send-link"' in refused
    assert "send-link" not in (await click(night, single)).text
    await again(night, post, single)
    assert await opened_by_a_new_code(night, link_in(post.messages[-1][1])) == 303
    await skip(night, 61 / 3600)
    assert await opened_by_a_new_code(night, single) == 303


async def taken_at_the_phone(
    night: Stage, post: Mail, urgency: str = "immediate", **addresses: str
) -> tuple[str, str]:
    """The link that is sent to an agency that takes an urgent referral at its telephone, and the
    code that it hears there."""
    await add_agency(night, "house", "shelter", phones=(OTHER,), **addresses)
    for number in (OTHER, ADDRESSES["sms"]):
        phone(night, number)
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await by_hand(ana, override=OVERRIDE, send=True, answers=TOLD, urgency=urgency)
    await night.until(lambda: bool(codes_heard(night)), limit=900)
    await night.advance(5)
    return written(night, post, addresses)[-1], heard_code(night)


def written(night: Stage, post: Mail, addresses: dict[str, str]) -> list[str]:
    """The links that came to the one written address of an agency."""
    mails = [text for _, text in post.messages]
    return [link_in(one) for one in (texts(night, addresses.get("sms", OTHER)) or mails)]


async def asked_again(night: Stage, post: Mail, path: str, addresses: dict[str, str]) -> str:
    count = len(written(night, post, addresses))
    await skip(night, 61 / 3600)
    assert (await click(night, f"{path}/send-link", {"x": "y"})).status_code == 200
    await night.until(lambda: len(written(night, post, addresses)) > count)
    return written(night, post, addresses)[-1]


@nightly
@pytest.mark.parametrize("at", ["its own", "a new one", "a new one, and it was used"])
async def test_an_agency_with_one_telephone_is_not_locked_out_of_an_urgent_referral(
    night: Stage, post: Mail, at: str
) -> None:
    """It can ask for no second code: that which it heard is too long to be guessed."""
    addresses = {"sms": OTHER}
    path, code = await taken_at_the_phone(night, post, **addresses)
    assert len(code) == links.LONG_DIGITS
    assert 'id="send-code"' not in (await click(night, path)).text, "it would be refused"
    assert [await status(night, path, "000000") for _ in range(6)] == [422] * 5 + [429]
    assert 'id="prove"' in (await click(night, path)).text
    if at == "a new one, and it was used":
        step = {"kind": "accept", "name": "Mira"}
        assert (await click(night, f"{path}/step", step)).is_redirect
    if at != "its own":
        path = await asked_again(night, post, path, addresses)
        assert [await status(night, path, "000000") for _ in range(6)] == [422] * 5 + [429]
    proved = await click(night, f"{path}/code", {"code": code})
    assert proved.is_redirect
    assert "Jovana" in (await click(night, path, as_=proved)).text
    # After ten minutes the page offers no code, which cannot be had, and says where to ring.
    await skip(night, 10.5 / 60)
    shown = (await click(night, path)).text
    assert 'id="no-code"' in shown
    assert "Ring the helpline" in shown
    assert LINE in shown
    assert 'id="send-code"' not in shown


@nightly
async def test_a_short_code_that_was_locked_at_the_only_telephone_opens_a_new_link(
    night: Stage, post: Mail
) -> None:
    """The page says where to ring meanwhile, in the agency's language, and our people are told."""
    addresses = {"sms": OTHER}
    path, code = await taken_at_the_phone(night, post, "urgent", **addresses)
    assert len(code) == links.CODE_DIGITS
    await night.watch.execute("UPDATE agencies SET languages = '{sr}'")
    assert [await status(night, path, "000000") for _ in range(5)] == [422] * 5
    assert await told_of_codes(night) == 1
    refused = await click(night, f"{path}/code", {"code": code})
    assert refused.status_code == 429
    for shown in (refused.text, (await click(night, path)).text):
        assert 'lang="sr' in shown
        assert LINE in shown
        found = re.findall(r'id="(no-code|send-link|send-code|prove)"', shown)
        assert found == ["send-link", "no-code"]
    new = await asked_again(night, post, path, addresses)
    shown = (await click(night, new)).text
    assert re.findall(r'id="(no-code|send-link|send-code|prove)"', shown) == ["prove"]
    assert await status(night, new, code) == 303


@nightly
@pytest.mark.parametrize("kind", ["sms", "email"])
async def test_the_code_heard_at_the_telephone_opens_a_link_that_is_asked_for_again(
    night: Stage, post: Mail, kind: str
) -> None:
    addresses = {kind: ADDRESSES[kind]}
    path, code = await taken_at_the_phone(night, post, **addresses)
    assert len(code) == links.CODE_DIGITS
    new = await asked_again(night, post, path, addresses)
    assert new != path
    assert await status(night, new, code) == 303


@nightly
async def test_a_code_of_a_phone_that_is_the_agencys_no_more_opens_no_link_without_a_code(
    night: Stage, post: Mail, single: str
) -> None:
    await skip(night, 61 / 3600)
    assert (await click(night, f"{single}/send-code", {"x": "y"})).status_code == 200
    await night.advance(30)
    await add_agency(night, "house", "shelter", email=ADDRESSES["email"])
    await again(night, post, single)
    new = link_in(post.messages[-1][1])
    assert new != single
    assert await status(night, new, heard_code(night)[:6]) == 422


@nightly
async def test_a_code_is_compared_with_those_of_three_links_at_most_and_one_slip_locks_none(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    await sent(night, post, ana)
    for _ in range(3):
        await again(night, post, pair(night, post, 0)[0])
    path, own = pair(night, post, 0)
    third, code = pair(night, post, 2)
    _, second = pair(night, post, 1)
    _, last = pair(night, post, len(post.messages) - 1)
    # Several codes are open, and a slip counts once.
    assert [await status(night, third, "000000") for _ in range(4)] == [422] * 4
    assert await status(night, third, code) == 303
    assert [await status(night, path, code) for code in (second, last, own)] == [422, 303, 303]


@nightly
@pytest.mark.parametrize("column", ["used_at", "expires_at"])
async def test_the_code_of_a_link_that_is_over_opens_no_other(
    night: Stage, post: Mail, ana: Counsellor, column: str
) -> None:
    await sent(night, post, ana)
    await again(night, post, pair(night, post, 0)[0])
    (_, first), (new, second) = pair(night, post, 0), pair(night, post, 1)
    await night.watch.execute(
        f"UPDATE links SET {column} = %s WHERE created_at = (SELECT min(created_at) FROM links)",
        (night.clock.now() - timedelta(seconds=1),),
    )
    assert await status(night, new, first) == 422
    assert (await click(night, f"{new}/code", {"code": second})).is_redirect


@nightly
async def test_a_code_goes_on_with_its_link_and_opens_the_other_one(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    """A step was taken with the first link: what its SMS said still opens the new one."""
    await sent(night, post, ana)
    await again(night, post, pair(night, post, 0)[0])
    (old, first), (new, _) = pair(night, post, 0), pair(night, post, 1)
    step = {"kind": "acknowledge", "name": "Mira"}
    assert (await click(night, f"{old}/step", step)).is_redirect
    assert (await click(night, f"{new}/code", {"code": first})).is_redirect


@nightly
@pytest.mark.parametrize("way", ["sms", "email"])
async def test_what_went_to_an_address_from_before_opens_nothing_sent_to_the_new_one(
    night: Stage, post: Mail, ana: Counsellor, way: str
) -> None:
    await sent(night, post, ana)
    old, first = pair(night, post, 0)
    now = {**ADDRESSES, way: OTHER if way == "sms" else "b@house.example"}
    await add_agency(night, "house", "shelter", **now)
    night.stepped.move_to(night.clock.now() + timedelta(seconds=61))
    count = len(post.messages)
    assert (await click(night, f"{old}/send-link", {"x": "y"})).status_code == 200
    await night.until(lambda: len(post.messages) > count)
    await night.advance(3)
    assert post.messages[-1][0] == now["email"]
    new, second = link_in(post.messages[-1][1]), code_in(texts(night, now["sms"])[-1])
    assert await status(night, new, first) == 422
    assert await status(night, old, second) == 422
    assert (await click(night, f"{new}/code", {"code": second})).is_redirect


async def test_two_referrals_are_told_apart_and_are_read_beside_each_other(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    """Each message and each page begins with the reference; no code opens the other referral."""
    ids = [await sent(night, post, ana) for _ in range(2)]
    codes = [(await referral_of(ana, one))["code"] for one in ids]
    pairs = [pair(night, post, n) for n in range(2)]
    for n, code in enumerate(codes):
        assert texts(night)[n].startswith(f"{code}.")
        assert f"Referral {code}" in post.messages[n][1]
        assert code in (await click(night, pairs[n][0])).text
    assert await status(night, pairs[0][0], pairs[1][1]) == 422
    kept = None
    for path, code in pairs:
        kept = await click(night, f"{path}/code", {"code": code}, as_=kept)
        assert kept.is_redirect
    for path, _ in pairs:
        assert "Jovana" in (await click(night, path, as_=kept)).text, "in one browser, both"


@nightly
async def test_a_code_of_another_agency_opens_nothing(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    """Not even at the same addresses."""
    await add_agency(night, "second", "shelter", **ADDRESSES)
    await sent(night, post, ana)
    path, _ = pair(night, post, 0)
    await night.until(lambda: len(post.messages) > 1, limit=600)
    await night.advance(3)
    other, code = pair(night, post, 1)
    rows = await night.rows("SELECT count(DISTINCT agency_id) AS n FROM links")
    assert rows[0]["n"] == 2
    assert await status(night, path, code) == 422
    assert (await click(night, f"{other}/code", {"code": code})).is_redirect


@nightly
async def test_a_spoken_code_says_which_referral_it_is_for(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    await add_agency(night, "second", "police", email="a@second.example", phones=(OTHER,))
    phone(night, OTHER, busy=True)
    referral_id = await sent(night, post, ana, services=["police"])
    code = (await referral_of(ana, referral_id))["code"]
    duty = phone(night, OTHER)
    path = link_in(post.to("a@second.example")[0])
    assert (await click(night, f"{path}/send-code", {"x": "y"})).status_code == 200
    await night.until(lambda: any("code is" in one.text for one in duty.heard))
    heard = " ".join(one.text for one in duty.heard)
    assert f"{' '.join(code.replace('-', ''))}. Your code is" in heard


@nightly
async def test_our_people_are_told_of_each_agency_whose_link_is_locked(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    await add_agency(night, "second", "shelter", **ADDRESSES)
    await sent(night, post, ana, urgency="immediate")
    await night.until(lambda: len(post.messages) > 1, limit=600)
    await night.advance(3)
    for path, _ in (pair(night, post, 0), pair(night, post, 1)):
        assert [await status(night, path, "000000") for _ in range(6)] == [422] * 5 + [429]
    told = await night.rows(
        "SELECT DISTINCT detail ->> 'agency' AS agency FROM notices"
        " WHERE kind = 'ring_them' AND detail ->> 'purpose' = 'codes'"
    )
    assert {row["agency"] for row in told} == {"house", "second"}
