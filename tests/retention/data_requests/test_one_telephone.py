"""Brother and sister ring from one telephone: what is put right meanwhile leaves each her own."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.calls.caller_rows import CallerFlag, CallerWish, FlagKind, WishKind
from app.calls.callers import flag_caller, wish
from app.calls.models import Call
from app.contacts import profiles
from app.contacts.models import Contact
from app.jobs.transaction import flush
from app.retention.data_requests.kinds import Keep, RequestKind
from app.retention.data_requests.models import DataRequest
from app.staff.models import Staff
from app.work import Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.profile import by_day, each_once, nightly
from tests.support.retention.one_profile import kept_of, one_profile
from tests.support.retention.one_telephone import WHO, one_telephone
from tests.support.retention.requested import (
    NUMBER,
    approved,
    erase,
    found_by,
    rang_itself,
)
from tests.support.retention.siblings import told_in, write
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

OTHERS = "+381649990001"


@once
async def a_child(work: Work) -> tuple[Staff, Call, Contact]:
    """A child rang, and the number stands in its record."""
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work, "CA1")
    child = await planted.a_contact(work, boss, call, planted.CHILD | {"child.a1.phone": NUMBER})
    await rang_itself(work, child)
    return boss, call, child


async def _is_kept_as_anothers(
    work: Work, boss: Staff, request: DataRequest, child: Contact
) -> None:
    """Neither the report shows the contact nor the erasure takes it, and the receipt says why."""
    if request.kind == RequestKind.ACCESS:
        assert child.code not in await told_in(work, boss, request)
        return
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(child)
    assert child.erased_at is None
    assert Keep.ANOTHER_PERSON in request.kept


@nightly
@pytest.mark.parametrize("kind", by_day(reversed(RequestKind)))
@pytest.mark.situation(by=one_telephone)
async def test_what_is_hers_stays_hers_when_a_sister_is_told_apart(
    work: Work, kind: RequestKind
) -> None:
    """The referral leads back to her contact; the flag belongs to the number of both."""
    boss, boy, girl = await one_telephone(work)
    referral = await planted.an_open_referral(work, boss, girl)
    planted.a_disclosure(work, referral, "child.name")
    await planted.close_referral(work, referral)
    as_person(work, boss)
    call = await work.session.get_one(Call, girl.call_id, populate_existing=True)
    await flag_caller(work, boss, call, FlagKind.AT_RISK, "Her father", timedelta(days=1))
    await wish(work, call, boss.id, WishKind.PREFER)
    await flush(work)
    request = await found_by(work, boss, f"{NUMBER}, {boy.code}", kind)
    assert await kept_of(work, request) == set()
    as_person(work, boss)
    await profiles.tell_apart(work, boss, girl.id)
    await flush(work)
    (flag,), (wished,) = [
        (await work.session.scalars(select(model.id))).all() for model in (CallerFlag, CallerWish)
    ]
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert boy.code in told
        for hidden in (girl.code, referral.code, "Her father"):
            assert hidden not in told
        assert {referral.id, flag, wished} <= await kept_of(work, request)
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (boy, girl, referral):
        await work.session.refresh(one)
    assert boy.erased_at is not None
    assert (girl.erased_at, referral.erased_at) == (None, None)
    assert (await work.session.scalars(select(CallerFlag.id))).all() == [flag]
    assert (await work.session.scalars(select(CallerWish.id))).all() == [wished]


@nightly
@pytest.mark.parametrize(("kind", "number"), by_day(each_once(RequestKind, [None, OTHERS])))
@pytest.mark.situation(by=a_child)
async def test_whose_call_it_was_says_more_than_the_number_in_its_record(
    work: Work, kind: RequestKind, number: str | None
) -> None:
    """It is the only number in the record: it is taken out of it, or put right."""
    boss, call, child = await a_child(work)
    case = await planted.a_case(work, boss, child)
    request = await found_by(work, boss, NUMBER, kind)
    await write(work, child, {"child.a1.phone": number})
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert child.code in told
        assert case.code in told
        assert await kept_of(work, request) == set()
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (child, case, call):
        await work.session.refresh(one)
    assert None not in (child.erased_at, case.erased_at)
    assert call.caller_key is None
    assert request.kept == {}


@nightly
@pytest.mark.parametrize(
    ("kind", "added"),
    by_day(
        each_once(
            RequestKind,
            [
                {"child.a1.birth_date": "2018-02-03"},
                {"child.a1.name": "Jovana"},
                {"child.a1.age": 12},
            ],
        )
    ),
)
async def test_a_record_that_a_colleague_completes_meanwhile_stays_that_of_the_child(
    work: Work, kind: RequestKind, added: dict[str, Any]
) -> None:
    """It had the number alone, from which the child rang, and has it still."""
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work, "CA1")
    answers = {path: value for path, value in planted.CHILD.items() if path not in WHO}
    child = await planted.a_contact(work, boss, call, answers | {"child.a1.phone": NUMBER})
    await rang_itself(work, child)
    request = await found_by(work, boss, NUMBER, kind)
    await write(work, child, added)
    if kind is RequestKind.ACCESS:
        assert child.code in await told_in(work, boss, request)
        assert await kept_of(work, request) == set()
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (child, call):
        await work.session.refresh(one)
    assert child.erased_at is not None
    assert call.caller_key is None
    assert request.kept == {}


@pytest.mark.parametrize(
    ("kind", "over"),
    by_day(
        each_once(
            RequestKind,
            [{"child.a1.name": "Treci"}, {"child.a1.birth_date": "2026-03-02", "child.a1.age": 3}],
        )
    ),
)
@pytest.mark.situation(by=a_child)
async def test_the_number_that_stays_does_not_say_that_who_is_written_over_is_the_same(
    work: Work, kind: RequestKind, over: dict[str, Any]
) -> None:
    boss, _, child = await a_child(work)
    request = await found_by(work, boss, NUMBER, kind)
    await write(work, child, over)
    await _is_kept_as_anothers(work, boss, request, child)


@pytest.mark.parametrize(
    ("kind", "change"), by_day(each_once(RequestKind, ["told apart", "named"]))
)
@pytest.mark.situation(by=a_child)
async def test_a_call_from_the_number_does_not_say_that_a_replaced_child_is_the_same(
    work: Work, kind: RequestKind, change: str
) -> None:
    boss, _, child = await a_child(work)
    if change == "named":
        await write(work, child, dict.fromkeys(WHO))
    request = await found_by(work, boss, NUMBER, kind)
    named = {"child.a1.name": "Treci"} if change == "named" else {}
    if change == "told apart":
        as_person(work, boss)
        await profiles.tell_apart(work, boss, child.id)
    await write(work, child, named | {"child.a1.phone": None})
    await _is_kept_as_anothers(work, boss, request, child)


@nightly
@pytest.mark.parametrize("kind", by_day(reversed(RequestKind)))
@pytest.mark.situation(by=one_profile)
async def test_a_mistaken_number_is_not_that_from_which_a_sister_rang(
    work: Work, kind: RequestKind
) -> None:
    """She rang from her own, and is put into the profile of the boy when his is taken out."""
    boss, boy, girl = await one_profile(work)
    as_person(work, boss)
    await profiles.tell_apart(work, boss, girl.id)
    await flush(work)
    await write(work, girl, {"caller.phone": NUMBER})
    request = await found_by(work, boss, NUMBER, kind)
    await write(work, girl, {"caller.phone": None})
    as_person(work, boss)
    assert boy.profile_id is not None
    await profiles.link(work, boss, girl.id, boy.profile_id)
    await flush(work)
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert boy.code in told
        assert girl.code not in told
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (boy, girl):
        await work.session.refresh(one)
    assert boy.erased_at is not None
    assert girl.erased_at is None
    assert Keep.ANOTHER_PERSON in request.kept
