"""Kinds that are no record: known callers, flags, third parties, drafts, reasons."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from app.calls.caller_rows import CallerFlag, CallerWish, FlagKind, WishKind
from app.calls.callers import flag_caller, wish
from app.calls.models import Call
from app.contacts.contacts import create_contact
from app.contacts.models import Case, Contact, Profile, ProfileNumber
from app.contacts.reading_contacts import open_drafts
from app.contacts.states import ContactChannel
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.retention.data_requests import (
    requests,
)
from app.retention.data_requests.kinds import (
    AskingPerson,
    RequestKind,
)
from app.retention.data_requests.models import DataRequest
from app.retention.holds import hold, lift
from app.retention.kinds import DataKind, HeldKind
from app.routing.participants.participants import Participant
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.statistics.models import Export
from app.work import Work
from tests.support import planted
from tests.support.planted import WORD, as_person, planted_in
from tests.support.retention.erasing import D, due_rows, erase, facts, is_erased, row, rule
from tests.support.retention.requested import (
    NUMBER,
    a_person,
    choose_all,
)
from tests.support.retention.siblings import (
    told_in,
)
from tests.support.verbs import a_counsellor, a_line, a_supervisor, offered

pytestmark = pytest.mark.whole

DAY = timedelta(days=1)


async def test_a_caller_is_forgotten_after_the_last_call_and_the_figures_stay(work: Work) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    first = await planted.a_call(work)
    as_person(work, boss)
    await wish(work, first, boss.id, WishKind.PREFER)
    profile = Profile(id=uuid4(), code="P-AAA-AAA-AAA", created_at=work.now)
    work.session.add(profile)
    await work.session.flush()
    work.session.add(ProfileNumber(profile_id=profile.id, caller_key=first.caller_key))
    await flush(work)
    work.now += 50 * DAY
    second = await planted.a_call(work, "CA2")
    figures = await facts(work)
    await rule(work, D.CALLER_NUMBERS, 1)
    await rule(work, D.CALLER_HASHES, 90)
    work.now += 60 * DAY
    # The number itself goes first; then the second call keeps the first one known.
    assert await due_rows(work, D.CALLER_HASHES) == 0
    await is_erased(work, D.CALLER_NUMBERS)
    assert await due_rows(work, D.CALLER_HASHES) == 0
    work.now += 40 * DAY
    await is_erased(work, D.CALLER_HASHES)
    for call, before in ((first, False), (second, True)):
        found = await row(work, Call, call.id)
        assert (found.caller_key, found.called_before) == (None, before)
    for model in (CallerWish, ProfileNumber):
        assert await work.session.scalar(select(func.count()).select_from(model)) == 0
    assert await facts(work) == figures


async def test_a_flag_goes_after_its_end(work: Work) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work)
    as_person(work, boss)
    await flag_caller(work, boss, call, FlagKind.AT_RISK, f"{WORD} is at risk", 10 * DAY)
    await flush(work)
    await rule(work, D.CALLER_FLAGS, 5)
    work.now += 14 * DAY
    assert await due_rows(work, D.CALLER_FLAGS) == 0
    work.now += 2 * DAY
    await is_erased(work, D.CALLER_FLAGS)
    assert await work.session.scalar(select(func.count()).select_from(CallerFlag)) == 0


@pytest.mark.situation
async def test_what_is_noted_of_a_number_stays_with_a_held_call_until_the_hold_is_lifted(
    work: Work,
) -> None:
    """Also if the number has another call, which is not held; and if what is held is the case or
    the referral of the call."""
    boss, _, contact = await a_person(work)
    await planted.a_call(work, "CA2")
    as_person(work, boss)
    case = await work.session.scalar(select(Case))
    referral = await work.session.scalar(select(Referral))
    assert case is not None
    assert referral is not None
    kinds = [D.CALLER_NUMBERS, D.CALLER_FLAGS, D.CALLER_HASHES]
    for kind in kinds:
        await rule(work, kind, 100)
    work.now += timedelta(days=365)
    for held, record in ((HeldKind.CASE, case), (HeldKind.REFERRAL, referral)):
        await hold(work, boss, held, record.id, "A court asks for it.")
        await flush(work)
        assert [await due_rows(work, kind) for kind in kinds] == [1, 0, 0], held
        await lift(work, boss, held, record.id)
    # The referral of a case, of which no contact is named, holds the calls of the case.
    referral.contact_id, referral.case_id = None, case.id
    await hold(work, boss, HeldKind.REFERRAL, referral.id, "A court asks for it.")
    await flush(work)
    assert [await due_rows(work, kind) for kind in kinds] == [1, 0, 0], "of its case"
    await lift(work, boss, HeldKind.REFERRAL, referral.id)
    await hold(work, boss, HeldKind.CONTACT, contact.id, "A court asks for it.")
    await flush(work)
    for kind, rows in zip(kinds, (1, 0, 0), strict=True):
        assert await due_rows(work, kind) == await erase(work, kind) == rows, kind
    for model in (CallerFlag, CallerWish, ProfileNumber):
        assert await work.session.scalar(select(func.count()).select_from(model)) == 1
    await lift(work, boss, HeldKind.CONTACT, contact.id)
    await flush(work)
    for kind, rows in zip(kinds, (1, 1, 2), strict=True):
        assert await due_rows(work, kind) == await erase(work, kind) == rows, kind


async def test_the_number_of_a_third_party_goes_and_their_part_stays(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    call = await planted.a_call(work)
    (offer,) = await offered(work, call, ana)
    participant_id = uuid4()
    number = f"{WORD} number".encode()
    participant = Participant(
        id=participant_id,
        call_id=call.id,
        room_id=offer.id,
        purpose="third_party",
        state="left",
        number_sealed=work.keys.seal(
            number, table="participants", column="number_sealed", row=participant_id
        ),
        role="police",
        wanted_at=work.now,
        left_at=work.now,
    )
    work.session.add(participant)
    await flush(work)
    assert "participants.number_sealed" in (await planted_in(work)).sealed
    await rule(work, D.THIRD_PARTY_NUMBERS, 30)
    work.now += 31 * DAY
    await is_erased(work, D.THIRD_PARTY_NUMBERS)
    assert "participants.number_sealed" not in (await planted_in(work)).all
    assert (await row(work, Participant, participant_id)).role == "police"


async def test_a_draft_goes_by_its_own_rule_and_is_no_work_any_more(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    as_person(work, ana)
    contact, _ = await create_contact(
        work, ana, channel=ContactChannel.EMAIL, changes=planted.changes_of(planted.CHILD)
    )
    await flush(work)
    figures = await facts(work)
    for kind in (D.CONTACTS, D.DRAFTS):
        await rule(work, kind, 90)
    work.now += 91 * DAY
    assert await due_rows(work, D.CONTACTS) == 0
    assert [one.id for one in await open_drafts(work, ana)] == [contact.id]
    await is_erased(work, D.DRAFTS)
    assert (await planted_in(work)).all == set()
    assert (await row(work, Contact, contact.id)).state == "draft"
    assert await open_drafts(work, ana) == []
    assert await facts(work) == figures


async def test_reasons_go_and_who_asked_stays(work: Work) -> None:
    boss = await a_supervisor(work)
    export = await planted.a_file(work)
    planted.seal_row(work, export, "reason_sealed")
    request = DataRequest(
        id=uuid4(),
        code="D-AAA-AAA-AAA",
        kind="erasure",
        person="child",
        state="refused",
        began_at=work.now,
        asked_by=boss.id,
        asked_role=boss.role,
        done_at=work.now,
        counts={},
        kept={},
    )
    planted.seal_row(work, request, "words_sealed")
    await flush(work)
    kinds: dict[DataKind, str] = {
        D.FILE_REASONS: "exports.reason_sealed",
        D.DATA_REQUESTS: "data_requests.words_sealed",
    }
    work.now += 1096 * DAY
    for kind, column in kinds.items():
        assert column in (await planted_in(work)).sealed
        await is_erased(work, kind)
        assert column not in (await planted_in(work)).all
    kept = await row(work, Export, export.id)
    assert kept.reason_sealed is not None
    assert (await row(work, DataRequest, request.id)).asked_by == boss.id


async def test_where_a_person_was_reached_goes_with_the_referral(work: Work) -> None:
    boss = await a_supervisor(work)
    referral = await planted.an_open_referral(work, boss)
    await planted.close_referral(work, referral)
    targets = text("SELECT count(*) FROM attempts WHERE target <> ''")
    assert await work.session.scalar(targets)
    await rule(work, D.REFERRALS, 90)
    work.now += 91 * DAY
    assert await erase(work, D.REFERRALS) == 1
    assert await work.session.scalar(targets) == 0


@pytest.mark.parametrize("person", AskingPerson)
@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_why_a_number_was_flagged_is_read_by_the_child_alone_and_the_log_says_so(
    work: Work, person: AskingPerson
) -> None:
    boss, _, _ = await a_person(work)
    as_person(work, boss)
    request = await requests.find(work, boss, RequestKind.ACCESS, person, NUMBER)
    await choose_all(work, boss, request)
    told = await told_in(work, boss, request)
    (flag,) = [one for one in await requests.items_of(work, request) if one.kind == "flag"]
    of_child = person is AskingPerson.CHILD
    assert (f"{WORD} is at risk" in told) is of_child
    assert ('"label": "Flag"' in told) is of_child
    assert "Notes about the number" in told
    await flush(work)
    of_flags = AuditEntry.action == AuditLog.CALLER_FLAGS_READ
    rows = await work.session.execute(select(AuditEntry.subject, AuditEntry.detail).where(of_flags))
    read = [(f"data_request:{request.id}", {"flag": str(flag.subject_id), "reason": "by_law"})]
    assert [(subject, detail) for subject, detail in rows] == (read if of_child else [])
    assert flag.label == ""
