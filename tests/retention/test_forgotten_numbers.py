"""The number of a person who asks is nowhere left, and that of another person stays."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from app.calls.caller_rows import CallerFlag, CallerWish, FlagKind, WishKind
from app.calls.callers import flag_caller, wish
from app.calls.models import Call
from app.calls.states import Channel
from app.chats.carrier_rows import OptOut
from app.contacts import completing, contacts, profiles
from app.contacts.models import Contact, Profile, ProfileNumber
from app.contacts.states import ContactChannel
from app.jobs.transaction import flush
from app.privacy.hash_kinds import HashOf
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import AskingPerson, ItemKind, Keep, RequestKind
from app.retention.data_requests.models import DataRequest
from app.retention.holds import hold
from app.retention.kinds import HeldKind
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.staff.models import Staff
from app.work import Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import approved, erase, found_by, rang_itself
from tests.support.retention.siblings import SISTER
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor, rings

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

BOY, BOYS_SECOND, GIRL = "+381641234567", "+381642222222", "+381643333333"
OF_GIRL = planted.CHILD | {"child.a1.name": SISTER, "child.a1.phone": GIRL}


class House:
    """Children who rang, each contact in the profile that the first call of its number made."""

    def __init__(self, work: Work, boss: Staff) -> None:
        self.work, self.boss, self.count = work, boss, 0

    async def rang(self, number: str, answers: dict[str, object] = planted.CHILD) -> Contact:
        """A child rang itself from a number, and a colleague wrote it down."""
        call = await self.call(number)
        contact = await planted.a_contact(self.work, self.boss, call, answers)
        await rang_itself(self.work, contact)
        contact.profile_id = await profiles.profile_of_caller(self.work, call.caller_key)
        await flush(self.work)
        return contact

    async def call(self, number: str) -> Call:
        self.count += 1
        call, _ = await rings(self.work, f"CA{self.count}", From=number)
        await self.work.session.execute(
            text(
                "UPDATE calls SET state = 'ended', outcome = 'answered', ended_at = :now"
                " WHERE id = :id"
            ),
            {"now": self.work.now, "id": call.id},
        )
        await flush(self.work)
        await self.work.session.refresh(call)
        return call

    async def merge(self, gone: UUID | None, into: UUID | None) -> None:
        assert gone is not None
        assert into is not None
        as_person(self.work, self.boss)
        await profiles.merge(self.work, self.boss, gone, into, "It is one child.")
        await flush(self.work)
        await self.read_anew()

    async def erasure(self, typed: str, *kept: Contact) -> DataRequest:
        """Erase what is found, without these contacts of other children and their calls."""
        request = await found_by(self.work, self.boss, typed)
        others = {one.id for one in kept} | {one.call_id for one in kept}
        others |= {one.profile_id for one in kept}
        items = await requests.items_of(self.work, request)
        wanted: dict[tuple[ItemKind, UUID], Keep | None] = {
            (ItemKind(one.kind), one.subject_id): Keep.ANOTHER_PERSON
            for one in items
            if one.subject_id in others and one.keep is None
        }
        await requests.set_kept(self.work, self.boss, request.id, wanted)
        await approved(self.work, self.boss, request)
        await erase(self.work, request)
        await self.read_anew()
        return request

    async def read_anew(self) -> None:
        for one in list(self.work.session.identity_map.values()):
            if isinstance(one, Contact | Profile | Call):
                await self.work.session.refresh(one)

    async def profiles_with(self, number: str) -> set[UUID]:
        keys = self.work.keys.match_keys(HashOf.CALLER, number)
        rows = await self.work.session.scalars(
            select(ProfileNumber.profile_id).where(ProfileNumber.caller_key.in_(keys))
        )
        return set(rows)


@pytest.fixture
async def house(work: Work) -> House:
    await a_line(work)
    return House(work, await a_supervisor(work))


@once
async def two_rang(work: Work) -> tuple[Staff, Contact, Contact]:
    """A boy and a girl rang, each from a number of its own."""
    await a_line(work)
    house = House(work, await a_supervisor(work))
    return house.boss, await house.rang(BOY), await house.rang(GIRL, OF_GIRL)


Two = tuple[House, Contact, Contact]


@pytest.fixture
async def two(work: Work) -> Two:
    boss, boy, girl = await two_rang(work)
    return House(work, boss), boy, girl


@pytest.mark.parametrize("typed", by_day(["the number", "the contact"]))
@pytest.mark.situation(by=two_rang)
async def test_a_profile_that_is_anothers_too_loses_the_number_that_a_merge_brought(
    two: Two, typed: str
) -> None:
    house, boy, girl = two
    await house.merge(boy.profile_id, girl.profile_id)
    code = (await house.work.session.get_one(Contact, boy.id)).code
    girl = await house.work.session.get_one(Contact, girl.id)
    girls = girl.profile_id
    request = await house.erasure(BOY if typed == "the number" else code, girl)
    assert request.kept[Keep.ANOTHER_PERSON] >= 2
    assert (await house.work.session.get_one(Contact, boy.id)).erased_at is not None
    assert (await house.work.session.get_one(Contact, girl.id)).erased_at is None
    assert await house.profiles_with(BOY) == set()
    assert girls in await house.profiles_with(GIRL)


@nightly
async def test_profiles_that_were_merged_one_after_the_other_go_whatever_number_is_shared(
    house: House,
) -> None:
    """A household shares the number of the first of them, and its own profile stays."""
    first, second, third = [await house.rang(one) for one in (GIRL, BOY, BOYS_SECOND)]
    merged = [one.profile_id for one in (first, second, third)]
    sister = await house.rang(GIRL, OF_GIRL)
    await profiles.tell_apart(house.work, house.boss, sister.id)
    await flush(house.work)
    await house.merge(merged[0], merged[1])
    await house.merge(merged[1], merged[2])
    codes = {one.id: one.code for one in await house.work.session.scalars(select(Contact))}
    sister = await house.work.session.get_one(Contact, sister.id)
    await house.erasure(codes[third.id], sister)
    assert await house.profiles_with(GIRL) == {sister.profile_id}
    assert await house.profiles_with(BOY) == await house.profiles_with(BOYS_SECOND) == set()
    for profile in merged:
        assert profile is not None
        assert (await house.work.session.get_one(Profile, profile)).erased_at is not None


@nightly
async def test_the_code_of_a_profile_that_was_merged_leads_to_the_one_that_is_in_use(
    house: House,
) -> None:
    one, other = await house.rang(BOY), await house.rang(BOYS_SECOND)
    await house.merge(one.profile_id, other.profile_id)
    gone = await house.work.session.scalar(
        select(Profile.code).where(Profile.merged_into.is_not(None))
    )
    assert gone is not None
    await house.erasure(gone)
    for contact in (one, other):
        assert (await house.work.session.get_one(Contact, contact.id)).erased_at is not None
    assert await house.profiles_with(BOY) == await house.profiles_with(BOYS_SECOND) == set()


@nightly
@pytest.mark.situation(by=two_rang)
async def test_after_a_merge_that_was_wrong_each_child_has_its_own_number_alone(
    two: Two,
) -> None:
    """Two profiles were merged and split again: both have both numbers since then."""
    house, boy, girl = two
    await house.merge(boy.profile_id, girl.profile_id)
    girl = await house.work.session.get_one(Contact, girl.id)
    assert girl.profile_id is not None
    as_person(house.work, house.boss)
    await profiles.split(house.work, house.boss, girl.profile_id, [boy.id], "Another child.")
    await flush(house.work)
    assert len(await house.profiles_with(BOY)) == 3
    call = await house.work.session.get_one(Call, boy.call_id)
    await wish(house.work, call, house.boss.id, WishKind.PREFER)
    await flush(house.work)
    code = (await house.work.session.get_one(Contact, boy.id)).code
    request = await house.erasure(code, girl)
    assert (await house.work.session.scalars(select(CallerWish.id))).all() == []
    assert request.counts["wish"] == 1
    assert await house.profiles_with(BOY) == set()
    girl = await house.work.session.get_one(Contact, girl.id, populate_existing=True)
    assert girl.erased_at is None
    assert await house.profiles_with(GIRL) == {girl.profile_id}


@nightly
@pytest.mark.situation(by=two_rang)
async def test_profiles_that_are_merged_while_the_erasure_waits_lose_the_number(
    two: Two,
) -> None:
    house, boy, girl = two
    request = await found_by(house.work, house.boss, BOY)
    await house.merge(boy.profile_id, girl.profile_id)
    request = await house.work.session.get_one(DataRequest, request.id)
    await approved(house.work, house.boss, request)
    await erase(house.work, request)
    assert await house.profiles_with(BOY) == set()
    girl = await house.work.session.get_one(Contact, girl.id, populate_existing=True)
    assert (girl.erased_at, await house.profiles_with(GIRL)) == (None, {girl.profile_id})


async def test_a_profile_that_is_held_keeps_its_numbers(house: House) -> None:
    boy, second = await house.rang(BOY), await house.rang(BOYS_SECOND)
    await house.merge(boy.profile_id, second.profile_id)
    second = await house.work.session.get_one(Contact, second.id)
    kept = second.profile_id
    await hold(house.work, None, HeldKind.CONTACT, second.id, "A court asks for it.")
    await house.erasure(BOY)
    assert (await house.work.session.get_one(Contact, boy.id)).erased_at is not None
    assert kept in await house.profiles_with(BOY)


@nightly
async def test_what_is_kept_for_open_work_is_found_by_the_number_when_the_work_is_done(
    house: House,
) -> None:
    """A child rang, and came by later: a counsellor still writes of that."""
    work, boss = house.work, house.boss
    boy = await house.rang(BOY)
    assert boy.profile_id is not None
    as_person(work, boss)
    without = {path: value for path, value in planted.CHILD.items() if not path.endswith("phone")}
    draft, _ = await contacts.create_contact(
        work, boss, channel=ContactChannel.WALK_IN, changes=planted.changes_of(without)
    )
    await flush(work)
    await profiles.link(work, boss, draft.id, boy.profile_id)
    await flush(work)
    draft_id, profile = draft.id, boy.profile_id
    request = await house.erasure(BOY)
    boy, draft = [await work.session.get_one(Contact, one) for one in (boy.id, draft_id)]
    assert (boy.erased_at is None, draft.erased_at) == (False, None)
    assert request.kept == {Keep.STILL_OPEN: 2}
    as_person(work, boss)
    await completing.complete(work, boss, draft_id)
    await flush(work)
    await house.erasure(BOY)
    assert (await work.session.get_one(Contact, draft_id)).erased_at is not None
    assert (await work.session.get_one(Profile, profile)).erased_at is not None
    assert await house.profiles_with(BOY) == set()


async def test_children_whom_a_colleague_has_told_apart_are_not_taken_to_be_one(
    house: House,
) -> None:
    """They share a number, and of neither a name is written down."""
    nameless = {path: value for path, value in planted.CHILD.items() if "name" not in path}
    nameless = {path: value for path, value in nameless.items() if path != "child.a1.phone"}
    one, other = await house.rang(BOY, nameless), await house.rang(BOY, nameless)
    as_person(house.work, house.boss)
    await profiles.tell_apart(house.work, house.boss, other.id)
    await flush(house.work)
    ids = {one.id, other.id}
    for typed, own in ((BOY, set()), (f"{BOY}, {one.code}", {one.id})):
        as_person(house.work, house.boss)
        request = await requests.find(
            house.work, house.boss, RequestKind.ERASURE, AskingPerson.CHILD, typed
        )
        items = await requests.items_of(house.work, request)
        free = {item.subject_id for item in items if item.keep is None}
        assert free & ids == own


async def test_a_number_wants_no_messages_for_as_long_as_a_child_writes_from_it(
    house: House,
) -> None:
    boy, girl = await house.rang(BOY), await house.rang(BOY, OF_GIRL)
    await profiles.tell_apart(house.work, house.boss, girl.id)
    call = await house.work.session.get_one(Call, boy.call_id)
    house.work.session.add(
        OptOut(
            id=uuid4(),
            line_id=call.line_id,
            channel=Channel.SMS.value,
            caller_key=call.caller_key,
            at=house.work.now,
        )
    )
    await flush(house.work)
    await house.erasure(boy.code, girl)
    assert (await house.work.session.scalars(select(OptOut.id))).all() != []
    girl = await house.work.session.get_one(Contact, girl.id)
    assert await house.profiles_with(BOY) == {girl.profile_id}
    await house.erasure(girl.code)
    assert (await house.work.session.scalars(select(OptOut.id))).all() == []
    assert await house.profiles_with(BOY) == set()


async def test_a_flag_that_is_kept_stays_though_no_call_of_its_number_is_left(house: House) -> None:
    boy = await house.rang(BOY)
    call = await house.work.session.get_one(Call, boy.call_id)
    as_person(house.work, house.boss)
    at_risk = (FlagKind.AT_RISK, "Her father", timedelta(days=1))
    await flag_caller(house.work, house.boss, call, *at_risk)
    await wish(house.work, call, house.boss.id, WishKind.PREFER)
    await flush(house.work)
    request = await found_by(house.work, house.boss, boy.code)
    (flag,) = await house.work.session.scalars(select(CallerFlag.id))
    kept = {(ItemKind.FLAG, flag): Keep.PROTECTS_CHILD}
    await requests.set_kept(house.work, house.boss, request.id, kept)
    await approved(house.work, house.boss, request)
    await erase(house.work, request)
    assert (await house.work.session.scalars(select(CallerFlag.id))).all() == [flag]
    assert (await house.work.session.scalars(select(CallerWish.id))).all() == []
    assert request.kept == {Keep.PROTECTS_CHILD: 1}


@pytest.mark.parametrize("how", by_day(["split", "merged"]))
@pytest.mark.situation(by=two_rang)
async def test_why_profiles_were_merged_or_split_goes_with_either_of_them(
    two: Two, how: str
) -> None:
    """The words stand in the log of the profile that is left, and name both children."""
    house, boy, girl = two
    work = house.work
    as_person(work, house.boss)
    assert boy.profile_id is not None
    assert girl.profile_id is not None
    if how == "merged":
        await profiles.merge(work, house.boss, boy.profile_id, girl.profile_id, f"{SISTER} said")
    else:
        await house.merge(girl.profile_id, boy.profile_id)
        await profiles.split(work, house.boss, boy.profile_id, [girl.id], f"{SISTER} said")
    await flush(work)
    await house.read_anew()

    async def told() -> list[str]:
        assert girl.profile_id is not None
        _, _, trail = await profiles.open_profile(work, house.boss, girl.profile_id)
        return [words for _, words in trail if words]

    assert await told() == [f"{SISTER} said"]
    code = (await work.session.get_one(Contact, boy.id)).code
    await house.erasure(code, girl)
    girl = await work.session.get_one(Contact, girl.id)
    assert girl.erased_at is None
    assert await told() == []
    await flush(work)
    reports = [*await verify_chains(work.session), *await verify_words(work)]
    assert [one.broken for one in reports if one.broken] == []
