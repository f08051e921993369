"""Two links of an agency at once: which code opens which, and how often one may be asked for."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from app.definitions.risk import Urgency
from app.errors import TooMany
from app.jobs.transaction import flush
from app.referrals.channels import code_limits, links
from app.referrals.channels.attempts import payload_of
from app.referrals.channels.models import Attempt, Link
from app.referrals.directory.models import Agency
from app.referrals.models import Notice, Referral
from app.referrals.replies import link_codes
from app.referrals.replies.links import Step, StepByLink, take_step, visit
from app.referrals.states import Purpose
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral, an_agency

# Together they take seconds, and are not among the fast ones.
pytestmark = pytest.mark.whole

MAIL, TEXTS, DUTY = "a@house.example", "+381640000001", "+381640000002"
BOTH = {"email": MAIL, "sms": TEXTS}
_DAY = timedelta(days=1)
# Longer than what was just sent counts.
_A_WHILE = timedelta(seconds=61)
_WRONG = "000000"


@pytest.fixture
def few_a_day(monkeypatch: pytest.MonkeyPatch) -> int:
    """An agency asks for as many codes and links a day as show what comes after them."""
    assert code_limits.MOST_A_DAY == 10
    monkeypatch.setattr(code_limits, "MOST_A_DAY", 2)
    return 2


class _Asked:
    """An agency that was asked to take a referral, and what it gets from then on."""

    def __init__(self, work: Work, referral: Referral) -> None:
        self.work, self.referral = work, referral

    async def agency(self) -> Agency:
        return await self.work.session.get_one(Agency, self.referral.agency_id)

    async def sent(self, what: str, purpose: Purpose | None = None) -> list[str]:
        """What its messages held, those by e-mail first of those that were sent at once."""
        rows = select(Attempt).where(Attempt.referral_id == self.referral.id)
        if purpose is not None:
            rows = rows.where(Attempt.purpose == purpose)
        # As at the end of each request: what was asked for is in the log from then on.
        await flush(self.work)
        found = await self.work.session.scalars(rows.order_by(Attempt.wanted_at, Attempt.kind))
        said = [payload_of(self.work, one).get(what) for one in found]
        return [one for one in said if one]

    async def write(self) -> None:
        """Send its links, as the escalation does."""
        house, recipient_id = await self.agency(), self.referral.recipient_id
        await links.send_links(self.work, self.referral, house, recipient_id, lives=_DAY)

    async def pair(self, n: int) -> tuple[str, str]:
        """The link of its e-mail with this number, and the code of it, which is in the text."""
        mails = (await self.sent("token"))[::2]
        return mails[n], (await self.sent("code"))[1::2][n]

    async def code(self, token: str) -> str:
        """The code that it asks for at a link."""
        await link_codes.ask_for_code(self.work, token)
        return (await self.sent("code", Purpose.CODE))[-1]

    async def link(self, token: str) -> str:
        """The link, the one by e-mail if there are two, that it asks for at another."""
        before = set(await self.sent("token"))
        await link_codes.ask_for_link(self.work, token)
        return next(one for one in await self.sent("token") if one not in before)


async def _asked(
    work: Work, *phones: str, urgency: Urgency = Urgency.IMMEDIATE, **ways: Any
) -> _Asked:
    await an_agency(work, "house", *phones, **(ways or BOTH))
    referral = await a_referral(work, await a_counsellor(work, "ana"))
    referral.urgency = urgency
    await work.session.execute(delete(Attempt))
    await work.session.execute(delete(Link))
    return _Asked(work, referral)


async def _written_to(work: Work, **how: Urgency) -> _Asked:
    """An agency with an e-mail address and texts, which has a link by each."""
    house = await _asked(work, **how)
    await house.write()
    return house


async def _single(work: Work, urgency: Urgency = Urgency.IMMEDIATE) -> tuple[_Asked, str]:
    """An agency with one written address and a duty phone; its link by e-mail."""
    house = await _asked(work, DUTY, urgency=urgency, email=MAIL)
    await house.write()
    work.now += _A_WHILE
    return house, (await house.sent("token"))[0]


async def _entered(work: Work, token: str, code: str) -> str:
    """What becomes of a code: it is right, wrong, or no more is taken at that link."""
    try:
        proof = await link_codes.prove(work, token, code)
    except TooMany:
        return "locked"
    await flush(work)
    return "right" if proof else "wrong"


async def _lock(work: Work, token: str) -> None:
    tried = [await _entered(work, token, _WRONG) for _ in range(links.MOST_ATTEMPTS + 1)]
    assert tried == ["wrong"] * links.MOST_ATTEMPTS + ["locked"]


async def _told_of_codes(work: Work) -> list[str]:
    """The agencies of which supervisors were told that their codes fail."""
    await flush(work)
    found = await work.session.scalars(select(Notice))
    of_codes = [one for one in found if one.detail.get("purpose") == "codes"]
    assert {one.for_whom for one in of_codes} <= {"supervisors"}
    return sorted(one.detail["agency"] for one in of_codes)


@pytest.mark.parametrize("urgency", [Urgency.URGENT, Urgency.IMMEDIATE])
async def test_wrong_codes_at_an_old_link_lock_no_new_one(
    work: Work, few_a_day: int, urgency: Urgency
) -> None:
    """Nor do the codes that are asked for at it, though they use up those of the day."""
    house = await _written_to(work, urgency=urgency)
    work.now += _A_WHILE
    (old, _), new = await house.pair(0), await house.link((await house.pair(0))[0])
    _, second = await house.pair(1)
    last = ""
    for n in range(few_a_day + 1):
        await _lock(work, old)
        work.now += _A_WHILE
        if n < few_a_day:
            last = await house.code(old)
    with pytest.raises(code_limits.AskedTooOften):
        await link_codes.ask_for_code(work, new)
    # What was sent to the old one last opens the new one, too, and so does its own.
    is_long = urgency is Urgency.IMMEDIATE
    assert len(last) == (links.LONG_DIGITS if is_long else links.CODE_DIGITS)
    assert [await _entered(work, new, one) for one in (last, second)] == ["right"] * 2


@pytest.mark.parametrize("is_used", [True, False])
async def test_the_holder_of_an_old_link_keeps_no_agency_with_one_address_out(
    work: Work, few_a_day: int, *, is_used: bool
) -> None:
    """They ask for all codes of the day and use the old link up: the last code opens the new one,
    and our people are told."""
    house, old = await _single(work)
    last = ""
    for _ in range(few_a_day):
        assert await _told_of_codes(work) == []
        work.now += _A_WHILE
        last = await house.code(old)
    assert await _told_of_codes(work) == ["house"]
    if is_used:
        await take_step(work, old, Step(StepByLink.ACKNOWLEDGE, "Mira"))
    work.now += _A_WHILE
    new = await house.link(old)
    with pytest.raises(code_limits.AskedTooOften):
        await link_codes.ask_for_code(work, new)
    proof = await link_codes.prove(work, new, last)
    assert proof
    assert (await visit(work, new, proof)).proven


@pytest.mark.parametrize("what", ["code", "link"])
async def test_an_agency_of_an_urgent_referral_is_slowed_down_and_never_refused_for_good(
    work: Work, few_a_day: int, what: str
) -> None:
    """Twice as long each time: so the holder of an old link does not ring it all night, also once
    the link was used up, which brings a new link still."""
    house, path = await _single(work)
    ask = house.code if what == "code" else house.link
    used = path
    path = await take_step(work, path, Step(StepByLink.ACKNOWLEDGE, "Mira"))
    at = path if what == "code" else used
    for _ in range(few_a_day):
        await ask(at)
        work.now += _A_WHILE
    for minutes in (10, 20, 40, 80, 120, 120):
        begun = work.now - _A_WHILE
        for part in (0.1, 0.5, 0.99):
            work.now = begun + timedelta(minutes=minutes * part) + _A_WHILE * (part < 0.5)
            with pytest.raises(code_limits.AskedTooOften):
                await ask(at)
        work.now = begun + timedelta(minutes=minutes)
        sent = await ask(at)
        assert what == "link" or await _entered(work, path, f"{int(sent) ^ 1}") == "wrong"
        work.now += _A_WHILE


async def test_links_of_a_referral_that_is_not_immediate_are_refused_after_those_of_a_day(
    work: Work, few_a_day: int
) -> None:
    """Its codes are slowed down, and have six digits, however many are asked for."""
    house, path = await _single(work, Urgency.URGENT)
    for _ in range(few_a_day):
        assert len(await house.code(path)) == links.CODE_DIGITS
        await house.link(path)
        with pytest.raises(TooMany, match="already on its way"):
            await house.link(path)
        await _lock(work, path)
        work.now += _A_WHILE
    assert await _told_of_codes(work) == []
    for ask in (house.code, house.link):
        with pytest.raises(code_limits.AskedTooOften):
            await ask(path)
    work.now += code_limits.SLOWED_APART
    assert len(await house.code(path)) == links.CODE_DIGITS
    work.now += timedelta(hours=22)
    with pytest.raises(code_limits.AskedTooOften):
        await house.link(path)
    work.now += timedelta(hours=3)
    await house.link(path)


@pytest.mark.parametrize("urgency", [Urgency.URGENT, Urgency.IMMEDIATE])
async def test_a_duty_worker_who_enters_each_code_is_refused_none(
    work: Work, few_a_day: int, urgency: Urgency
) -> None:
    """The details can be read for half an hour each time."""
    house, path = await _single(work, urgency)
    for _ in range(few_a_day + 1):
        work.now += timedelta(minutes=35)
        assert await _entered(work, path, await house.code(path)) == "right"
    assert await _told_of_codes(work) == []
    # Those that are not entered are counted as ever.
    for _ in range(few_a_day):
        work.now += _A_WHILE
        await house.code(path)
    work.now += _A_WHILE
    with pytest.raises(code_limits.AskedTooOften):
        await link_codes.ask_for_code(work, path)


async def _slowed_down(work: Work, house: _Asked, path: str, few_a_day: int) -> None:
    """Ask for codes at a link until the next one is 40 minutes apart; enter none."""
    for n in range(few_a_day + 2):
        work.now += code_limits.apart_after(n - few_a_day) if n >= few_a_day else _A_WHILE
        await house.code(path)


async def test_the_holder_of_an_old_urgent_link_lets_a_newer_one_wait_ten_minutes(
    work: Work, few_a_day: int
) -> None:
    house, old = await _single(work)
    new = await house.link(old)
    await _slowed_down(work, house, old, few_a_day)
    for waits, path in ((2, new), (7.9, new), (0.1, old)):
        work.now += timedelta(minutes=waits)
        with pytest.raises(code_limits.AskedTooOften):
            await link_codes.ask_for_code(work, path)
    assert await _entered(work, new, await house.code(new)) == "right"


async def test_a_right_code_ends_the_long_wait_at_an_urgent_link(
    work: Work, few_a_day: int
) -> None:
    """The agency and another person hold the same link."""
    house, path = await _single(work)
    await _slowed_down(work, house, path, few_a_day)
    work.now += timedelta(minutes=31)
    with pytest.raises(code_limits.AskedTooOften):
        await link_codes.ask_for_code(work, path)
    new = await house.link(path)
    for at in (new, path):
        assert await _entered(work, at, await house.code(at)) == "right"
        work.now += _A_WHILE


async def test_the_holder_of_an_urgent_link_cannot_lock_it_by_wrong_codes(
    work: Work, few_a_day: int
) -> None:
    """Our people are told at once; the code that was sent last opens it, also when no more are
    sent on that day, and after any number of wrong ones."""
    house = await _written_to(work)
    path, _ = await house.pair(0)
    last = ""
    for _ in range(few_a_day):
        await _lock(work, path)
        assert await _told_of_codes(work) == ["house"], "once, until it was seen"
        work.now += _A_WHILE
        last = await house.code(path)
    await _lock(work, path)
    assert len(last) == links.LONG_DIGITS
    for n in range(links.MOST_ATTEMPTS + 1):
        wrong = f"{(int(last) + 1 + n) % 10**links.LONG_DIGITS:0{links.LONG_DIGITS}d}"
        assert await _entered(work, path, wrong) == "wrong"
    assert await _entered(work, path, last[:6]) == "locked"
    # A link that is sent now has a code as long.
    await house.link(path)
    assert {len(one) for one in (await house.sent("code", Purpose.LINK))} == {links.LONG_DIGITS}
    assert await _entered(work, path, last) == "right"


async def _taken_at_the_phone(work: Work, house: _Asked) -> tuple[str, str]:
    """The link that is written to an agency with one written way, and the code that it hears."""
    to = work, house.referral, await house.agency()
    assert house.referral.recipient_id is not None
    code = await links.send_links_with_code(
        *to, house.referral.recipient_id, lives=_DAY, read_out_to=DUTY
    )
    return (await house.sent("token"))[-1], code


@pytest.mark.parametrize("at", ["its own", "a new one", "a new one, and it was used"])
async def test_an_agency_with_one_telephone_is_not_locked_out_of_an_urgent_referral(
    work: Work, at: str
) -> None:
    """It can ask for no second code: that which it heard is too long to be guessed."""
    house = await _asked(work, DUTY, sms=DUTY)
    path, code = await _taken_at_the_phone(work, house)
    assert len(code) == links.LONG_DIGITS
    assert not (await visit(work, path)).can_ask
    await _lock(work, path)
    work.now += _A_WHILE
    if at == "a new one, and it was used":
        await take_step(work, path, Step(StepByLink.ACCEPT, "Mira"))
    if at != "its own":
        path = await house.link(path)
        await _lock(work, path)
    assert (await visit(work, path)).has_code
    assert await _entered(work, path, code) == "right"
    work.now += links.CODE_LIVES
    assert not (await visit(work, path)).has_code


@pytest.mark.parametrize("way", ["sms", "email"])
async def test_the_code_heard_at_the_telephone_opens_a_link_that_is_asked_for_again(
    work: Work, way: str
) -> None:
    ways: dict[str, Any] = {way: BOTH[way]}
    house = await _asked(work, DUTY, **ways)
    path, code = await _taken_at_the_phone(work, house)
    assert len(code) == links.CODE_DIGITS
    work.now += _A_WHILE
    assert await _entered(work, await house.link(path), code) == "right"


async def test_a_code_of_a_phone_that_is_the_agencys_no_more_opens_no_link_without_a_code(
    work: Work,
) -> None:
    house, path = await _single(work)
    code = await house.code(path)
    await an_agency(work, email=MAIL)
    work.now += _A_WHILE
    assert await _entered(work, await house.link(path), code) == "wrong"


async def test_a_code_is_compared_with_those_of_three_links_at_most_and_one_slip_locks_none(
    work: Work,
) -> None:
    house = await _written_to(work)
    for _ in range(4):
        work.now += _A_WHILE
        await house.link((await house.pair(0))[0])
    path, own = await house.pair(0)
    third, code = await house.pair(2)
    (_, second), (_, last) = await house.pair(1), await house.pair(4)
    # Several codes are open, and a slip counts once.
    assert [await _entered(work, third, _WRONG) for _ in range(4)] == ["wrong"] * 4
    assert await _entered(work, third, code) == "right"
    tried = [await _entered(work, path, one) for one in (second, last, own)]
    assert tried == ["wrong", "right", "right"]


@pytest.mark.parametrize("column", ["used_at", "expires_at"])
async def test_the_code_of_a_link_that_is_over_opens_no_other(work: Work, column: str) -> None:
    house = await _written_to(work)
    work.now += _A_WHILE
    await house.link((await house.pair(0))[0])
    (_, first), (new, second) = await house.pair(0), await house.pair(1)
    begun = min(await work.session.scalars(select(Link.created_at)))
    for one in await work.session.scalars(select(Link).where(Link.created_at == begun)):
        setattr(one, column, work.now)
    assert await _entered(work, new, first) == "wrong"
    assert await _entered(work, new, second) == "right"


async def test_a_code_goes_on_with_its_link_and_opens_the_other_one(work: Work) -> None:
    """A step was taken with the first link: what its SMS said still opens the new one."""
    house = await _written_to(work)
    work.now += _A_WHILE
    await house.link((await house.pair(0))[0])
    (old, first), (new, _) = await house.pair(0), await house.pair(1)
    await take_step(work, old, Step(StepByLink.ACKNOWLEDGE, "Mira"))
    assert await _entered(work, new, first) == "right"


@pytest.mark.parametrize("way", ["sms", "email"])
async def test_what_went_to_an_address_from_before_opens_nothing_sent_to_the_new_one(
    work: Work, way: str
) -> None:
    house = await _written_to(work)
    old, first = await house.pair(0)
    await an_agency(work, **(BOTH | {way: DUTY if way == "sms" else "b@house.example"}))
    work.now += _A_WHILE
    new = await house.link(old)
    _, second = await house.pair(1)
    assert await _entered(work, new, first) == "wrong"
    assert await _entered(work, old, second) == "wrong"
    assert await _entered(work, new, second) == "right"


async def test_of_two_agencies_each_has_its_own_codes_and_our_people_are_told_of_each(
    work: Work,
) -> None:
    """Also at the same addresses."""
    house = await _written_to(work)
    await an_agency(work, "second", **BOTH)
    second = await work.session.scalar(select(Agency).where(Agency.code == "second"))
    assert second is not None
    work.now += _A_WHILE
    ids: tuple[UUID, UUID | None] = (second.id, house.referral.recipient_id)
    to = work, house.referral, second
    await links.send_links(*to, ids[1], lives=_DAY)
    (path, _), (other, code) = await house.pair(0), await house.pair(1)
    assert await _entered(work, path, code) == "wrong"
    assert await _entered(work, other, code) == "right"
    for at in (path, other):
        while await _entered(work, at, _WRONG) != "locked":
            pass
    assert await _told_of_codes(work) == ["house", "second"]
