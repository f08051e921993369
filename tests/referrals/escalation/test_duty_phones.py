"""Duty phones of an agency are rung in turn, and which key of which of them takes a referral."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.demo.stage import MONDAY
from app.jobs.transaction import flush
from app.referrals import staff_actions
from app.referrals.channels.models import Attempt
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.escalation.results import note_result
from app.referrals.escalation.trying import escalate_on
from app.referrals.models import Recipient, Referral
from app.referrals.states import AttemptResult, ReferralState
from app.staff.models import Staff
from app.telephony.duty_phones import duty
from app.telephony.provider.signature import Signed
from app.work import PROGRAM, Work
from tests.support.verbs import a_counsellor, a_referral

FIRST, SECOND, THIRD = (f"+38111300000{n}" for n in (1, 2, 3))
ON_CALL = "+381113000004"


async def _agency(work: Work, code: str, *phones: str | Phone, **more: Any) -> None:
    numbers = tuple(one if isinstance(one, Phone) else Phone(one) for one in phones)
    values: dict[str, Any] = {"sector": "shelter", "services": ("shelter",), "languages": ("en",)}
    entry = Entry(code=code, name=code.title(), duty_phones=numbers, **(values | more))
    work.actor = PROGRAM
    await save_agency(work, entry)


async def _at_night(work: Work) -> tuple[Staff, Referral]:
    """A referral that is sent at a quarter to the second minute after two in the night."""
    ana = await a_counsellor(work, "ana")
    work.now = MONDAY.replace(hour=1, second=45)
    return ana, await a_referral(work, ana)


async def _attempts(work: Work) -> list[Attempt]:
    await flush(work)
    return list(await work.session.scalars(select(Attempt).order_by(Attempt.number)))


async def _rung(work: Work) -> list[str]:
    return [one.target for one in await _attempts(work)]


async def _press(work: Work, rung: Attempt, digits: str, n: int) -> str:
    """Press a key after something was asked for the n-th time; return what is heard then."""
    return str(await duty.pressed(work, rung.id, Signed({"Digits": digits}, "/"), n))


def _confirming(rung: Attempt) -> str:
    """The second key, which differs from call to call."""
    return str(4 + rung.id.int % 6)


async def _not_answered(work: Work, referral: Referral) -> None:
    work.now += timedelta(seconds=45)
    await note_result(work, referral, (await _attempts(work))[-1], AttemptResult.NO_ANSWER)


async def _takes_it(work: Work, rung: Attempt) -> None:
    await _press(work, rung, "1", 1)
    await _press(work, rung, _confirming(rung), 11)


async def test_key_1_at_a_wrong_phone_ends_no_search_for_help(work: Work) -> None:
    """It is pressed again and again, as in a pocket, and the key of the agency never is."""
    await _agency(work, "house", FIRST, SECOND)
    _, referral = await _at_night(work)
    (rung,) = await _attempts(work)
    assert "If you are House, press" in await _press(work, rung, "1", 1)
    for n in range(11, 21):
        if rung.result is None:
            await _press(work, rung, "1", n)
    assert rung.result == AttemptResult.NOT_CONFIRMED
    assert await _rung(work) == [FIRST, SECOND]
    assert referral.state == ReferralState.SENT
    await _takes_it(work, (await _attempts(work))[1])
    assert referral.state == ReferralState.ACKNOWLEDGED


async def test_a_key_that_is_reported_after_the_end_of_the_leg_counts(work: Work) -> None:
    await _agency(work, "house", FIRST, SECOND)
    _, referral = await _at_night(work)
    (rung,) = await _attempts(work)
    await note_result(work, referral, rung, AttemptResult.NO_KEY)
    # Key 1 is not yet a yes: the question after it was never heard.
    await _press(work, rung, "1", 1)
    assert rung.result == AttemptResult.NO_KEY
    await _press(work, rung, _confirming(rung), 11)
    assert rung.result == AttemptResult.ACKNOWLEDGED
    assert referral.state == ReferralState.ACKNOWLEDGED


async def test_at_the_change_of_a_duty_phones_shift_no_phone_is_skipped(work: Work) -> None:
    await _agency(work, "house", Phone(FIRST, "00:00-02:01"), SECOND, THIRD)
    _, referral = await _at_night(work)
    assert await _rung(work) == [FIRST]
    await _not_answered(work, referral)
    assert await _rung(work) == [FIRST, SECOND]


async def test_an_agency_leaves_the_directory_while_it_is_asked(work: Work) -> None:
    await _agency(work, "house", FIRST, SECOND)
    await _agency(work, "other", THIRD)
    _, referral = await _at_night(work)
    assert await _rung(work) == [FIRST]
    gone = work.now.date() - timedelta(days=1)
    await _agency(work, "house", email="a@house.example", valid_until=gone)
    await _not_answered(work, referral)
    while THIRD not in await _rung(work):
        assert referral.escalates_at is not None
        work.now = referral.escalates_at
        assert work.now < MONDAY.replace(hour=1, minute=5)
        await escalate_on(work, referral)
    await _takes_it(work, (await _attempts(work))[-1])
    assert referral.state == ReferralState.ACKNOWLEDGED


async def test_where_no_agency_fits_our_own_staff_are_asked_and_are_no_agencys_deputy(
    work: Work,
) -> None:
    ours = {"sector": "own_house", "services": ("supervisor_on_call",)}
    await _agency(work, "on-call", ON_CALL, **ours)
    await _agency(work, "day", Phone(FIRST, "Mo-Fr 08:00-16:00"), deputy="on-call")
    ana, referral = await _at_night(work)
    (rung,) = await _attempts(work)
    assert rung.target == ON_CALL
    await _press(work, rung, "1", 1)
    assert rung.result == AttemptResult.ACKNOWLEDGED
    assert referral.held_by_staff
    assert (await work.session.scalars(select(Recipient))).all() == []
    # An agency is added, and it is sent there.
    await _agency(work, "house", SECOND)
    await staff_actions.send(work, ana, referral.id, "house")
    rung = (await _attempts(work))[-1]
    assert rung.target == SECOND
    await _takes_it(work, rung)
    assert referral.state == ReferralState.ACKNOWLEDGED
    assert not referral.held_by_staff
