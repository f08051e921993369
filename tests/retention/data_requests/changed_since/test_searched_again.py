"""What the search of a request does not lead to any more is neither shown nor erased."""

from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update

from app.calls.caller_rows import FlagKind
from app.calls.callers import flag_caller
from app.calls.models import Call, VoiceMessage
from app.chats.models import Message
from app.contacts import profiles
from app.contacts.cases.models import CaseContact
from app.contacts.consent.same_child import link_child
from app.contacts.models import Case, Contact, MatchKey, Profile, ProfileNumber
from app.contacts.saving import number_keys
from app.contacts.states import KeyKind
from app.errors import UnknownDefinition
from app.jobs.transaction import flush
from app.privacy.hash_kinds import HashOf
from app.retention.callers import forget_callers
from app.retention.data_requests import erasing, requests
from app.retention.data_requests.changed_since.before_erasure import of_others
from app.retention.data_requests.kinds import AskingPerson, ItemKind, Keep, RequestKind
from app.retention.data_requests.reports import report
from app.retention.data_requests.searched import changed_of
from app.retention.running import ERASING, NOT_ERASING
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.profile import by_day, nightly
from tests.support.retention.one_profile import OF_GIRL, SAID, kept_of, one_profile
from tests.support.retention.requested import (
    NUMBER,
    a_caller,
    a_person,
    approved,
    erase,
    found_by,
    one_work,
    rang_itself,
    release,
    wrote,
)
from tests.support.retention.siblings import SISTER, TWO, asked, one_record, told_in, write
from tests.support.verbs import a_line, a_supervisor

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

OTHER = Keep.ANOTHER_PERSON
# What a case says of its child.
NAMED = {"child.a1.name": planted.CHILD["child.a1.name"]}
# A number that was mistyped, and is put right later.
MISTYPED = "+381649998811"


@pytest.mark.parametrize(
    ("how", "kind"), by_day(product(["split", "told apart"], reversed(RequestKind)))
)
@pytest.mark.situation(by=one_profile)
async def test_who_was_told_apart_from_the_person_is_neither_shown_nor_erased(
    work: Work, kind: RequestKind, how: str
) -> None:
    boss, boy, girl = await one_profile(work)
    as_person(work, boss)
    if kind is RequestKind.ACCESS:
        call = await work.session.get_one(Call, girl.call_id)
        await flag_caller(work, boss, call, FlagKind.AT_RISK, "Her father", timedelta(days=1))
    request = await found_by(work, boss, NUMBER, kind)
    await release(work, boss, request)
    assert girl.profile_id is not None
    if how == "told apart":
        await profiles.tell_apart(work, boss, girl.id)
    else:
        await profiles.split(work, boss, girl.profile_id, [girl.id], "It is another child")
    await flush(work)
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert boy.code in told
        hidden = [girl.code, OF_GIRL["child.a1.wants"], SAID]
        # A profile that was split has kept all its numbers: they may be his.
        for one in hidden + (["Her father"] if how == "told apart" else []):
            assert str(one) not in told, one
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (boy, girl):
        await work.session.refresh(one)
    assert boy.erased_at is not None
    assert girl.erased_at is None
    gone = select(func.count()).select_from(Message).where(Message.erased_at.is_not(None))
    assert await work.session.scalar(gone) == 0
    assert request.kept[OTHER] >= 2


@pytest.mark.parametrize("kind", by_day(RequestKind))
async def test_a_contact_that_was_taken_out_of_the_case_is_neither_shown_nor_erased(
    work: Work, kind: RequestKind
) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    boy = await planted.a_contact(work, boss)
    girl = await planted.a_contact(work, boss, None, OF_GIRL)
    case = await planted.a_case(work, boss, boy, girl)
    request, _ = await asked(work, boss, case.code, kind)
    await release(work, boss, request)
    link = await work.session.get_one(CaseContact, (case.id, girl.id))
    await work.session.delete(link)
    await flush(work)
    if kind is RequestKind.ACCESS:
        assert girl.code not in await told_in(work, boss, request)
        assert girl.id in await kept_of(work, request)
        return
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(girl)
    assert girl.erased_at is None


@nightly
@pytest.mark.parametrize("kind", list(RequestKind))
@pytest.mark.situation(by=one_record)
async def test_a_mistyped_number_of_a_case_leads_to_nothing_when_it_is_put_right(
    work: Work, kind: RequestKind
) -> None:
    boss, _, referral = await one_record(work)
    lone = await planted.a_contact(work, boss, None, OF_GIRL)
    referral.contact_id, referral.child_entry = lone.id, "a1"
    await flush(work)
    name = planted.CHILD["child.a1.name"]
    more = {"child.a1.phone": MISTYPED, "child.a1.name": name}
    case = await planted.a_case(work, boss, lone, more=more)
    request, items = await asked(work, boss, MISTYPED, kind)
    assert items.keys() == {lone.id, case.id, referral.id}
    await release(work, boss, request)
    await write(
        work,
        await work.session.get_one(Case, case.id, populate_existing=True),
        {"child.a1.phone": "+381649990001"},
    )
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        for hidden in (lone, case, referral):
            assert hidden.code not in told
        return
    await approved(work, boss, request)
    await erase(work, request)
    for kept in (lone, case, referral):
        await work.session.refresh(kept)
        assert kept.erased_at is None
    assert request.kept == {OTHER: 3}


async def test_an_erasure_is_given_back_with_what_has_changed_and_a_new_search_finds_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number in the child's own case was put right: it leads there no more."""
    monkeypatch.setattr(erasing, "transaction", one_work(work))
    await a_line(work)
    boss = await a_supervisor(work)
    contact = await planted.a_contact(work, boss)
    lone = await planted.a_contact(work, boss, None, OF_GIRL)
    case = await planted.a_case(work, boss, lone, more=NAMED | {"child.a1.phone": MISTYPED})
    request, _ = await asked(work, boss, f"{MISTYPED}, {contact.code}", RequestKind.ERASURE)
    await release(work, boss, request)
    row = await work.session.get_one(Case, case.id, populate_existing=True)
    await write(work, row, {"child.a1.phone": NUMBER})
    for again in (False, True):
        await approved(work, boss, request)
        work.actor = PROGRAM
        await erasing.carry_out(work.ground, request.id)
        await work.session.refresh(contact)
        # The officer sees which rows they are, and may ask once more.
        assert (contact.erased_at is not None) is again
        if not again:
            assert (request.state, request.counts, request.kept) == ("found", {}, {})
            assert changed_of(work, request) == {case.id, lone.id}
    assert (request.state, request.kept) == ("done", {OTHER: 2})
    request, _ = await asked(work, boss, NUMBER, RequestKind.ERASURE)
    await release(work, boss, request)
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(case)
    assert case.erased_at is not None


async def test_an_erasure_leaves_a_call_to_which_a_contact_came_since(work: Work) -> None:
    """A colleague has heard the message of a sister on the same telephone meanwhile."""
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work, "CA1")
    await wrote(work, call, SAID)
    as_person(work, boss)
    await flag_caller(work, boss, call, FlagKind.AT_RISK, "Her father", timedelta(days=1))
    request = await requests.find(work, boss, RequestKind.ERASURE, AskingPerson.CHILD, NUMBER)
    of_sister = planted.CHILD | {"child.a1.name": SISTER}
    await planted.a_contact(work, boss, call, of_sister)
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(call)
    assert call.caller_key is not None
    message = (await work.session.scalars(select(VoiceMessage))).one()
    assert message.audio_sealed is not None
    assert (await work.session.scalars(select(Message))).one().erased_at is None
    assert request.counts == {}


@pytest.mark.parametrize("kind", by_day(RequestKind))
@pytest.mark.situation
async def test_that_a_number_was_forgotten_or_a_record_erased_tells_of_no_other_person(
    work: Work, kind: RequestKind
) -> None:
    """By a rule of retention, while the request waits: what is left is shown, and erased."""
    boss, call, contact = await a_person(work)
    await rang_itself(work, contact)
    request = await found_by(work, boss, NUMBER, kind)
    before = await kept_of(work, request)
    await work.session.execute(ERASING)
    await forget_callers(work, [call.id])
    await work.session.execute(delete(ProfileNumber))
    await work.session.execute(NOT_ERASING)
    await work.session.refresh(call)
    assert call.caller_key is None
    await flush(work)
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert contact.code in told
        assert WORD in told
        assert await kept_of(work, request) == before
        return
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(contact)
    assert contact.erased_at is not None
    assert OTHER not in request.kept


@pytest.mark.parametrize("kind", by_day(reversed(RequestKind)))
@pytest.mark.situation
async def test_a_server_that_has_not_read_the_form_yet_neither_reports_nor_erases(
    work: Work, kind: RequestKind
) -> None:
    """The server that searched knew the form: the job tries again until this one does."""
    boss, _, contact = await a_person(work)
    await rang_itself(work, contact)
    request = await found_by(work, boss, NUMBER, kind)
    await approved(work, boss, request)
    await work.session.execute(text("UPDATE contacts SET form_version = 9999"))
    await work.session.refresh(contact)
    work.actor = PROGRAM
    carry_out = report.read_all if kind is RequestKind.ACCESS else erase
    with pytest.raises(UnknownDefinition):
        await carry_out(work, request)
    assert {one.kind for one in await requests.items_of(work, request)} >= {ItemKind.CONTACT}


@pytest.mark.parametrize(
    ("named", "kind"),
    by_day([(False, RequestKind.ACCESS), *product([True, False], reversed(RequestKind))]),
)
async def test_a_contact_whose_child_is_none_of_the_cases_is_found_by_its_own_code_alone(
    work: Work, kind: RequestKind, named: bool
) -> None:
    """A colleague says so while the request waits."""
    await a_line(work)
    boss = await a_supervisor(work)
    one = await planted.a_contact(work, boss)
    other = await planted.a_contact(work, boss, None, OF_GIRL)
    case = await planted.a_case(work, boss, one, other, more=NAMED)
    typed = f"{case.code}, {other.code}" if named else case.code
    request, _ = await asked(work, boss, typed, kind)
    await release(work, boss, request)
    await link_child(work, case.id, None, other.id, "a1")
    await flush(work)
    _, items = await asked(work, boss, typed, kind)
    assert (other.id in items) is named
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert one.code in told
        assert (str(OF_GIRL["child.a1.wants"]) in told) is named
        return
    await approved(work, boss, request)
    await erase(work, request)
    for contact, goes in ((one, True), (other, named)):
        await work.session.refresh(contact)
        assert (contact.erased_at is not None) is goes


@pytest.mark.parametrize("kind", by_day(RequestKind))
async def test_a_case_that_is_not_about_the_child_of_a_contact_is_neither_shown_nor_erased(
    work: Work, kind: RequestKind
) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    # Of two children one is said to be none of the case's: it is about the other one.
    girl = await planted.a_contact(work, boss, None, OF_GIRL)
    both = await planted.a_contact(work, boss, None, TWO)
    case = await planted.a_case(work, boss, girl, both, more=NAMED)
    found = [await asked(work, boss, code, kind) for code in (girl.code, both.code)]
    for request, items in found:
        assert case.id in items
        await release(work, boss, request)
    for contact in (girl, both):
        await link_child(work, case.id, None, contact.id, "a1")
    await flush(work)
    for (request, _), shown in zip(found, (False, True), strict=True):
        if kind is RequestKind.ACCESS:
            assert (case.code in await told_in(work, boss, request)) is shown
            continue
        lost = await of_others(
            work,
            request,
            ItemKind.CASE,
            [one for one in await requests.items_of(work, request) if one.kind == ItemKind.CASE],
        )
        # The report of the second one shows what is about its other child. An erasure would take
        # the whole case, which tells of other children than when it was searched.
        assert lost == {case.id}


@pytest.mark.parametrize(
    ("kind", "into"),
    by_day(product(reversed(RequestKind), ["the one that was found", "the other"])),
)
@pytest.mark.situation(by=one_profile)
async def test_profiles_that_were_merged_while_it_waited_are_left_to_other_children(
    work: Work, kind: RequestKind, into: str
) -> None:
    boss, boy, girl = await one_profile(work)
    as_person(work, boss)
    await profiles.tell_apart(work, boss, girl.id)
    await flush(work)
    request = await found_by(work, boss, NUMBER, kind)
    before = await kept_of(work, request)
    assert boy.profile_id is not None
    assert girl.profile_id is not None
    two = (boy.profile_id, girl.profile_id)
    await profiles.merge(work, boss, *(two if into == "the other" else two[::-1]), "It is one boy")
    await flush(work)
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert boy.code in told
        assert girl.code not in told
        assert await kept_of(work, request) == before
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (boy, girl):
        await work.session.refresh(one)
    assert boy.erased_at is not None
    assert boy.profile_id is None
    assert girl.erased_at is None
    # One into which another child's was merged is that child's, too: it has lost the number alone.
    assert girl.profile_id == (two[1] if into == "the other" else two[0])
    assert request.kept == ({} if into == "the other" else {OTHER: 1})
    assert await profiles_with_number(work) == set()
    _, again = await asked(work, boss, NUMBER, kind)
    assert again == {}


@nightly
@pytest.mark.parametrize("named", by_day([False, True]))
@pytest.mark.situation(by=one_profile)
async def test_a_profile_into_which_a_sister_came_by_herself_since_is_kept_for_her(
    work: Work, named: bool
) -> None:
    """She rings from the number of their home, which has one profile."""
    boss, boy, _ = await one_profile(work)
    profile = await work.session.get_one(Profile, boy.profile_id)
    request = await found_by(work, boss, profile.code if named else NUMBER)
    call = await planted.a_call(work, "CA3")
    sister = await planted.a_contact(work, boss, call, OF_GIRL | {"child.a1.name": SISTER})
    sister.profile_id = await profiles.profile_of_caller(work, call.caller_key)
    await flush(work)
    assert sister.profile_id == profile.id
    await approved(work, boss, request)
    await erase(work, request)
    for one in (boy, sister, profile):
        await work.session.refresh(one)
    assert (boy.erased_at is None, boy.profile_id) == (False, None)
    assert (sister.erased_at, sister.profile_id, profile.erased_at) == (None, profile.id, None)
    assert request.kept == {OTHER: 1}
    assert await profiles_with_number(work) == {profile.id}


async def profiles_with_number(work: Work) -> set[UUID]:
    keys = work.keys.match_keys(HashOf.CALLER, NUMBER)
    rows = select(ProfileNumber.profile_id).where(ProfileNumber.caller_key.in_(keys))
    return set(await work.session.scalars(rows))


async def another_number(work: Work, contact: Contact) -> Call:
    """A call without a contact, from another number of the person's profile."""
    call = await planted.a_call(work, "CA9")
    await work.session.execute(
        update(Call)
        .where(Call.id == call.id)
        .values(caller_key=func.decode(func.md5("another number"), "hex"))
    )
    await work.session.refresh(call)
    assert contact.profile_id is not None
    assert call.caller_key is not None
    work.session.add(ProfileNumber(profile_id=contact.profile_id, caller_key=call.caller_key))
    await flush(work)
    return call


@pytest.mark.parametrize("killed_after", by_day([ItemKind.CONTACT, ItemKind.PROFILE, None]))
@pytest.mark.situation(by=one_profile)
async def test_what_an_erasure_has_erased_itself_leads_on_to_the_rest(
    work: Work, killed_after: ItemKind | None
) -> None:
    """Also if it is killed in the middle, and carried out again."""
    boss, boy, girl = await one_profile(work)
    call = await another_number(work, boy)
    request = await found_by(work, boss)
    await release(work, boss, request)
    await approved(work, boss, request)
    work.actor = PROGRAM
    for kind in ItemKind:
        while killed_after is not None and await erasing.erase_some(work, request.id, kind):
            await flush(work)
        if kind is killed_after:
            break
    await erase(work, request)
    for one in (boy, girl, call):
        await work.session.refresh(one)
    assert None not in (boy.erased_at, girl.erased_at)
    assert call.caller_key is None
    assert request.kept == {}


@nightly
@pytest.mark.situation(by=one_profile)
async def test_an_erasure_that_took_the_profile_apart_tells_of_no_other_person(work: Work) -> None:
    """Two erasures share a profile, and each has a contact that the other one keeps."""
    boss, one, other = await one_profile(work)
    both = await found_by(work, boss)
    own, _ = await asked(work, boss, one.code, RequestKind.ERASURE)
    await release(work, boss, own)
    kept = {(ItemKind.CONTACT, other.id): Keep.LEGAL_DUTY}
    await requests.set_kept(work, boss, own.id, kept)
    for request in (own, both):
        await approved(work, boss, request)
    await erase(work, own)
    await work.session.refresh(other)
    assert (other.erased_at, other.profile_id) == (None, None)
    await erase(work, both)
    await work.session.refresh(other)
    assert other.erased_at is not None
    assert both.kept == {}


@pytest.mark.parametrize("itself", by_day([False, True]))
@pytest.mark.situation(by=a_caller)
async def test_a_number_that_was_taken_out_of_the_record_may_be_that_from_which_the_child_rang(
    work: Work, itself: bool
) -> None:
    """A person who rang for another child may have left a mistyped number, and nothing else leads
    there."""
    boss, call, contact = await a_caller(work)
    if itself:
        await rang_itself(work, contact)
    key = MatchKey(
        kind=KeyKind.NUMBER.value,
        key=number_keys(work, NUMBER)[0],
        subject_kind="contact",
        subject_id=contact.id,
        path="child.a1.phone",
    )
    work.session.add(key)
    await flush(work)
    request, _ = await asked(work, boss, NUMBER, RequestKind.ERASURE)
    await release(work, boss, request)
    await work.session.delete(key)
    await approved(work, boss, request)
    await erase(work, request)
    for one in (contact, call):
        await work.session.refresh(one)
    assert (contact.erased_at is not None) is itself
    assert (call.caller_key is None) is itself
    assert (OTHER in request.kept) is not itself
