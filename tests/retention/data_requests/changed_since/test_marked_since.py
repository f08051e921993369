"""What a search would mark as perhaps another child's, and did not then, is not the person's."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.calls.caller_rows import CallerFlag, FlagKind
from app.calls.callers import flag_caller
from app.calls.models import Call
from app.contacts import profiles
from app.contacts.models import Contact
from app.jobs.transaction import flush
from app.retention.data_requests import erasing, lists, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    ItemKind,
    Keep,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.reports import report
from app.staff.models import Staff
from app.work import Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.profile import by_day, each_once, nightly
from tests.support.retention.one_profile import kept_of
from tests.support.retention.one_telephone import WHO, one_telephone
from tests.support.retention.requested import NUMBER, approved, erase, rang_itself
from tests.support.retention.siblings import told_in, write

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

HERS = {"child.a1.name": "Jovana Markovic", "child.a1.birth_date": "2018-02-03"}
Change = Callable[[Work, Staff, Contact, Contact], Awaitable[None]]


async def name_hers(work: Work, boss: Staff, boy: Contact, girl: Contact) -> None:
    """A colleague completes her record with her own name."""
    await write(work, girl, HERS)


async def tell_hers_apart(work: Work, boss: Staff, boy: Contact, girl: Contact) -> None:
    await profiles.tell_apart(work, boss, girl.id)


async def tell_his_apart(work: Work, boss: Staff, boy: Contact, girl: Contact) -> None:
    """The other way round: hers stays in the profile that both had."""
    await profiles.tell_apart(work, boss, boy.id)


async def split_his_off(work: Work, boss: Staff, boy: Contact, girl: Contact) -> None:
    assert boy.profile_id is not None
    await profiles.split(work, boss, boy.profile_id, [boy.id], "Her brother")


CHANGES: dict[str, Change] = {
    "named": name_hers,
    "told apart": tell_hers_apart,
    "he was told apart": tell_his_apart,
    "he was split off": split_his_off,
}


async def _of_both(work: Work) -> tuple[Staff, Contact, Contact]:
    """The number stands in her record, and nothing else of her; his says who he is."""
    boss, boy, girl = await one_telephone(work)
    await write(work, girl, {"child.a1.phone": NUMBER} | dict.fromkeys(WHO))
    as_person(work, boss)
    return boss, boy, girl


async def without_who(work: Work, boss: Staff) -> Contact:
    """A third call from the number, of which no name is written down."""
    bare = {path: value for path, value in planted.CHILD.items() if path not in WHO}
    third = await planted.a_contact(work, boss, await planted.a_call(work, "CA3"), bare)
    await rang_itself(work, third)
    return third


async def _searched(
    work: Work, boss: Staff, typed: str = NUMBER, kind: RequestKind = RequestKind.ERASURE
) -> DataRequest:
    """Return a request as it was searched: the officer has released nothing."""
    as_person(work, boss)
    return await requests.find(work, boss, kind, AskingPerson.CHILD, typed)


async def _went(work: Work, boss: Staff, request: DataRequest, *children: Contact) -> list[bool]:
    """Return of which children the contact is shown, or erased."""
    if request.kind == RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        return [one.code in told for one in children]
    await approved(work, boss, request)
    await erase(work, request)
    for one in children:
        await work.session.refresh(one)
    return [one.erased_at is not None for one in children]


@pytest.mark.parametrize(("kind", "how"), by_day(each_once(RequestKind, CHANGES)))
@pytest.mark.situation(by=one_telephone)
async def test_a_record_that_is_known_since_to_be_a_sisters_stays_with_her(
    work: Work, kind: RequestKind, how: str
) -> None:
    boss, boy, girl = await _of_both(work)
    request = await _searched(work, boss, f"{NUMBER}, {boy.code}", kind)
    assert await kept_of(work, request) == set(), "nothing said so when it was searched"
    await CHANGES[how](work, boss, boy, girl)
    await flush(work)
    assert await _went(work, boss, request, boy, girl) == [True, False]


@pytest.mark.parametrize("how", by_day(["named", "he was told apart"]))
@pytest.mark.situation(by=one_telephone)
async def test_by_their_number_alone_it_is_not_known_which_of_them_asks(
    work: Work, how: str
) -> None:
    """The officer has the request again, and begins a new one with a code."""
    boss, boy, girl = await _of_both(work)
    request = await _searched(work, boss)
    assert await kept_of(work, request) == set()
    await CHANGES[how](work, boss, boy, girl)
    await flush(work)
    assert await _went(work, boss, request, boy, girl) == [False, False]
    assert request.state == RequestState.FOUND


@nightly
@pytest.mark.situation(by=one_telephone)
async def test_a_contact_that_is_put_into_the_profile_of_a_sister_is_hers(work: Work) -> None:
    boss, boy, girl = await _of_both(work)
    hers = await profiles.tell_apart(work, boss, girl.id)
    third = await without_who(work, boss)
    third.profile_id = boy.profile_id
    await flush(work)
    request = await _searched(work, boss, f"{NUMBER}, {boy.code}")
    assert third.id not in await kept_of(work, request)
    as_person(work, boss)
    await profiles.link(work, boss, third.id, hers)
    await flush(work)
    assert await _went(work, boss, request, boy, third) == [True, False]


@nightly
@pytest.mark.situation(by=one_telephone)
async def test_what_a_neighbour_turns_out_to_have_said_is_not_the_childs(work: Work) -> None:
    """A colleague puts right who rang."""
    boss, _, girl = await one_telephone(work)
    request = await _searched(work, boss)
    is_neighbour = {"contact.kind": "about_child", "caller.relationship": "neighbour"}
    await write(work, girl, is_neighbour)
    assert await _went(work, boss, request, girl) == [False]
    call = await work.session.get_one(Call, girl.call_id, populate_existing=True)
    assert call.caller_key is not None


@pytest.mark.parametrize("kind", by_day(RequestKind))
@pytest.mark.situation(by=one_telephone)
async def test_the_flag_of_a_number_stays_with_the_child_that_is_seen_to_ring_from_it(
    work: Work, kind: RequestKind
) -> None:
    boss, boy, girl = await _of_both(work)
    call = await work.session.get_one(Call, girl.call_id, populate_existing=True)
    await flag_caller(work, boss, call, FlagKind.AT_RISK, "Her father", timedelta(days=1))
    await flush(work)
    request = await _searched(work, boss, f"{NUMBER}, {boy.code}", kind)
    assert await kept_of(work, request) == set()
    await write(work, girl, HERS)
    if kind is RequestKind.ACCESS:
        assert "Her father" not in await told_in(work, boss, request)
        return
    assert await _went(work, boss, request, boy, girl) == [True, False]
    assert len((await work.session.scalars(select(CallerFlag.id))).all()) == 1


@nightly
@pytest.mark.situation(by=one_telephone)
async def test_what_the_officer_released_stays_released(work: Work) -> None:
    """It was marked when it was searched, and the officer has looked at it."""
    boss, boy, girl = await _of_both(work)
    await profiles.tell_apart(work, boss, girl.id)
    await flush(work)
    request = await _searched(work, boss)
    assert {boy.id, girl.id} <= await kept_of(work, request)
    await requests.set_kept(work, boss, request.id, {(ItemKind.CONTACT, boy.id): None})
    assert await _went(work, boss, request, boy, girl) == [True, False]


@nightly
@pytest.mark.parametrize("kind", list(RequestKind))
@pytest.mark.situation(by=one_telephone)
async def test_a_contact_of_no_profile_that_is_put_into_another_childs_since_is_hers(
    work: Work, kind: RequestKind
) -> None:
    """The search has not found her: she has no call."""
    boss, boy, _ = await _of_both(work)
    third = await without_who(work, boss)
    other = await planted.a_contact(work, boss, None, planted.CHILD | HERS)
    request = await _searched(work, boss, f"{NUMBER}, {boy.code}", kind)
    assert third.id not in await kept_of(work, request)
    as_person(work, boss)
    await profiles.link_to_contact(work, boss, third.id, other.code)
    await flush(work)
    assert await _went(work, boss, request, boy, third) == [True, False]


@pytest.mark.parametrize(
    ("kind", "way"),
    by_day(
        each_once(
            RequestKind,
            [
                ("his", "hers"),
                ("none", "hers"),
                ("his", "merged"),
                *(("none", to) for to in ("merged", "stays", "his")),
                ("his", "stays"),
            ],
        ),
        3,
    ),
)
@pytest.mark.situation(by=one_telephone)
async def test_a_released_contact_that_is_put_into_the_profile_of_a_sister_since_is_hers(
    work: Work, kind: RequestKind, way: tuple[str, str]
) -> None:
    """The officer has looked at it while it was in his, or in none: two share the number, and the
    program has left it to a colleague to choose."""
    of, to = way
    boss, boy, girl = await _of_both(work)
    hers = await profiles.tell_apart(work, boss, girl.id)
    third = await planted.a_contact(work, boss, await planted.a_call(work, "CA3"))
    await rang_itself(work, third)
    his = boy.profile_id
    assert his is not None
    third.profile_id = his if of == "his" else None
    await flush(work)
    request = await _searched(work, boss, kind=kind)
    assert {boy.id, third.id, girl.id} <= await kept_of(work, request)
    free = {(ItemKind.CONTACT, one.id): None for one in (boy, third)}
    await requests.set_kept(work, boss, request.id, free | {(ItemKind.PROFILE, his): None})
    as_person(work, boss)
    if to in ("hers", "his"):
        await profiles.link(work, boss, third.id, hers if to == "hers" else his)
    elif to == "merged":
        # Both of his are in the other one now, into which that of before was merged.
        other = await profiles.tell_apart(work, boss, third.id)
        await profiles.merge(work, boss, his, other, "It is one boy")
    await flush(work)
    for one in (boy, third):
        await work.session.refresh(one)
    if kind is RequestKind.ACCESS:
        await approved(work, boss, request)
        await report.read_all(work, request)
        kept = await kept_of(work, request)
        went = [one.id not in kept for one in (boy, third, girl)]
    else:
        went = await _went(work, boss, request, boy, third, girl)
    assert went == [True, to != "hers", False]


@pytest.mark.situation(by=one_telephone)
async def test_what_is_kept_as_another_childs_stands_on_no_list_by_which_it_is_erased_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is restored while an erasure runs knows nothing of what it has kept."""
    boss, boy, girl = await _of_both(work)
    request = await _searched(work, boss, f"{NUMBER}, {boy.code}")
    await profiles.tell_apart(work, boss, girl.id)
    await approved(work, boss, request)
    await erasing.keep_first(work, request.id)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    assert listed.rows["contact"] == [str(boy.id)]
    kept = {one.keep for one in await requests.items_of(work, request) if one.subject_id == girl.id}
    assert kept == {Keep.ANOTHER_PERSON}
