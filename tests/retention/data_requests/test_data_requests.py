"""One person's data: everything is found and erased by whom it may be, and no figure changes."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from app.calls.caller_rows import CallerFlag, CallerWish
from app.calls.models import Call, CallQuestion
from app.contacts.models import Profile, ProfileNumber
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.transaction import flush
from app.retention.data_requests import copies, requests
from app.retention.data_requests.finding import read_sought
from app.retention.data_requests.kinds import (
    AskingPerson,
    Copy,
    CopyKind,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest, ProviderCopy, RequestItem
from app.retention.holds import hold
from app.retention.kinds import HeldKind
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.statistics.models import Export, ExportPart, ExportState
from app.work import Work
from tests.support import planted
from tests.support.planted import WORD, as_person, planted_in
from tests.support.profile import nightly
from tests.support.retention.erasing import facts
from tests.support.retention.figures import cells_of, figures_of
from tests.support.retention.requested import (
    NUMBER,
    WORDS,
    a_caller,
    a_person,
    another_caller,
    approved,
    erase,
    found_by,
    rang_itself,
)
from tests.support.verbs import a_counsellor, a_line, a_supervisor, an_administrator, logged

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]


Kind, K = ItemKind, Keep


async def kinds_of(work: Work, request: DataRequest) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in await requests.items_of(work, request):
        found[item.kind] = found.get(item.kind, 0) + 1
    return found


@pytest.mark.situation
async def test_a_number_leads_to_everything_and_nothing_of_it_is_left(work: Work) -> None:
    boss, call, _ = await a_person(work)
    other = await another_caller(work)
    # The year is over, so that its figures can be published.
    then, work.now = work.now, work.now + timedelta(days=400)
    figures, shown = await facts(work), await figures_of(work, then)
    assert cells_of(shown) > 200, "of nothing, two figures are the same"
    assert (await planted_in(work)).all
    request = await found_by(work, boss)
    assert await kinds_of(work, request) == {
        "referral": 1,
        "case": 1,
        "contact": 1,
        "voice_message": 1,
        "callback": 1,
        "flag": 1,
        "wish": 1,
        "profile": 1,
        "call": 1,
    }
    await approved(work, boss, request)
    await erase(work, request)
    left = (await planted_in(work)).all
    assert left == set(), left
    # Every report, file, release and summary says the same when it is made again, in each cell.
    assert await facts(work) == figures
    again_shown = await figures_of(work, then)
    assert again_shown.keys() == shown.keys()
    for name, one in shown.items():
        assert again_shown[name] == one, name
    gone = await work.session.get(Call, call.id, populate_existing=True)
    assert gone is not None
    assert (gone.caller_key, gone.caller_number_sealed, gone.called_before) == (None, None, False)
    for model in (CallerFlag, CallerWish, ProfileNumber, RequestItem):
        assert await work.session.scalar(select(func.count()).select_from(model)) == 0
    assert await work.session.scalar(select(CallQuestion.answer_sealed)) is None
    kept = await work.session.get(Call, other.id, populate_existing=True)
    assert kept is not None
    assert kept.caller_key is not None
    done = await requests.read_request(work, request.id)
    assert (done.state, done.counts["contact"], done.kept) == ("done", 1, {})
    again = await found_by(work, boss)
    assert await kinds_of(work, again) == {}


async def test_whether_a_number_had_rung_before_is_still_counted(work: Work) -> None:
    """Of three calls the first is erased: the others had rung before, and stay so."""
    await a_line(work)
    boss = await a_supervisor(work)
    calls = []
    for n in range(3):
        calls.append(await planted.a_call(work, f"CA{n}"))
        work.now += timedelta(days=1)
    figures = await facts(work)
    request = await found_by(work, boss)
    rows = [(Kind(one.kind), one.subject_id) for one in await requests.items_of(work, request)]
    keep = {row: K.LEGAL_DUTY for row in rows if row[0] is Kind.CALL and row[1] != calls[0].id}
    await requests.set_kept(work, boss, request.id, keep)
    await approved(work, boss, request)
    await erase(work, request)
    assert await facts(work) == figures
    assert list(
        await work.session.scalars(select(Call.called_before).order_by(Call.opened_at))
    ) == [False, True, True]
    done = await requests.read_request(work, request.id)
    assert done.kept == {"legal_duty": 2}
    assert done.counts == {"call": 1, "voice_message": 3}


@pytest.mark.situation
async def test_what_is_held_or_open_stays_and_says_so(work: Work) -> None:
    boss, _, contact = await a_person(work)
    as_person(work, boss)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    # A court asks for it between the decision and the job.
    await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")
    await erase(work, request)
    done = await requests.read_request(work, request.id)
    # The case, the referral, the profile and the call stay with the contact, and so does what is
    # noted of the number of that call.
    assert done.kept == {"legal_hold": 9}
    assert done.counts == {}
    later = await found_by(work, boss, contact.code)
    keeps = {one.kind: one.keep for one in await requests.items_of(work, later)}
    assert keeps["contact"] == keeps["case"] == keeps["call"] == "legal_hold"
    (held,) = [one for one in await requests.items_of(work, later) if one.kind == "contact"]
    with pytest.raises(Conflict, match="Lift the hold"):
        await requests.set_kept(work, boss, later.id, {(Kind.CONTACT, held.subject_id): None})


@pytest.mark.situation
async def test_an_open_case_is_finished_first(work: Work) -> None:
    boss, _, contact = await a_person(work)
    await work.session.execute(text("UPDATE cases SET closed_at = NULL, status = 'open'"))
    request = await found_by(work, boss)
    keeps = {one.kind: one.keep for one in await requests.items_of(work, request)}
    assert keeps["case"] == keeps["contact"] == keeps["call"] == "still_open"
    assert keeps["flag"] is None
    seen = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    assert {one.keep for one in await requests.items_of(work, seen)} == {None}
    assert contact.erased_at is None


@pytest.mark.situation
async def test_a_second_person_of_another_role_decides(work: Work) -> None:
    boss, _, _ = await a_person(work)
    nora = await a_supervisor(work, "nora")
    mila = await an_administrator(work)
    ana = await a_counsellor(work, "ana")
    request = await found_by(work, boss)
    with pytest.raises(Invalid, match="at least 10"):
        await requests.ask(
            work, boss, request.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, "seen"
        )
    with pytest.raises(Invalid, match="right of access"):
        await requests.ask(
            work, boss, request.id, RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT, WORDS
        )
    with pytest.raises(NotAllowed):
        await requests.ask(
            work, nora, request.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
        )
    await requests.ask(
        work, boss, request.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
    )
    for who, why in ((boss, "own request"), (nora, "another role"), (ana, "Only supervisors")):
        with pytest.raises(NotAllowed, match=why):
            await requests.decide(work, who, request.id, approve=True)
    with pytest.raises(NotAllowed, match="Only supervisors"):
        await requests.find(work, mila, RequestKind.ACCESS, AskingPerson.CHILD, NUMBER)
    as_person(work, mila)
    await requests.decide(work, mila, request.id, approve=False)
    assert request.state == RequestState.REFUSED
    assert request.sought_sealed is None
    assert await requests.items_of(work, request) == []
    with pytest.raises(Conflict):
        await requests.decide(work, mila, request.id, approve=True)
    told = [action for action, _ in logged(work) if action.startswith("data_request")]
    acts = ("begun", "kept", "asked", "refused")
    assert told == [f"data_request_{act}" for act in acts]
    # A report is decided by any second person who may.
    seen = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await requests.ask(
        work, boss, seen.id, RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT, WORDS
    )
    await requests.decide(work, nora, seen.id, approve=True)
    assert seen.state == RequestState.APPROVED


@nightly
@pytest.mark.situation
async def test_the_log_and_its_chains_stay_and_hold_nothing(work: Work) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    count = await work.session.scalar(text("SELECT count(*) FROM record_events"))
    await erase(work, request)
    assert await work.session.scalar(text("SELECT count(*) FROM record_events")) == count + 4
    reports = [*await verify_chains(work.session), *await verify_words(work)]
    assert [report for report in reports if report.broken] == []
    told = await work.session.scalar(
        text("SELECT detail FROM audit_entries WHERE action = 'data_request_erased'")
    )
    assert told["before"]["contact"] == 1
    assert told["after"]["contact"] == 0
    everything = str(list(await work.session.scalars(text("SELECT detail FROM audit_entries"))))
    assert NUMBER not in everything
    assert WORD not in everything


@pytest.mark.parametrize(
    ("person", "kept"),
    [
        (AskingPerson.CHILD, {}),
        (
            AskingPerson.CALLER,
            {
                **dict.fromkeys(("contact", "case", "referral", "profile"), "another_person"),
                **dict.fromkeys(("flag", "wish"), "another_person"),
                # The contact says that a neighbour rang, and not that it is the one who asks.
                **dict.fromkeys(("call", "voice_message", "callback"), "another_person"),
            },
        ),
        (AskingPerson.GUARDIAN, None),
    ],
)
@pytest.mark.situation
async def test_what_is_kept_at_first_depends_on_who_asks(
    work: Work, person: AskingPerson, kept: dict[str, str | None] | None
) -> None:
    boss, _, _ = await a_person(work)
    as_person(work, boss)
    request = await requests.find(work, boss, RequestKind.ERASURE, person, NUMBER)
    items = [one for one in await requests.items_of(work, request) if one.keep != "still_open"]
    assert items
    for one in items:
        if kept is None:
            assert one.keep == "protects_child", one.kind
        elif one.kind in kept:
            assert one.keep == kept[one.kind]


@nightly
@pytest.mark.situation
async def test_copies_at_the_provider_are_noted_once_and_numbers_forgotten(work: Work) -> None:
    boss, call, _ = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    assert await copies.numbers_to_ask(work, request.id) == [NUMBER]
    other = await another_caller(work)
    assert other.provider_sid is not None
    found = [Copy(CopyKind.CALL, "CA1"), Copy(CopyKind.CALL, "CAX"), Copy(CopyKind.MESSAGE, "SM1")]
    found.append(Copy(CopyKind.CALL, other.provider_sid))
    for _ in range(2):
        await copies.note_copies(work, request.id, found, asked=True)
    rows = await work.session.execute(select(ProviderCopy.kind, ProviderCopy.sid))
    assert sorted((kind, sid) for kind, sid in rows) == [
        ("call", "CA1"),
        ("call", "CAX"),
        ("message", "SM1"),
        ("recording", "RECA1"),
    ]
    assert await copies.numbers_to_ask(work, request.id) == []
    assert call.provider_sid == "CA1"


@pytest.mark.situation(by=a_caller)
async def test_no_file_of_single_records_outlasts_an_erasure(work: Work) -> None:
    boss, _, _ = await a_caller(work)
    files = {}
    for name, personal in (("records", True), ("counts", False)):
        files[name] = Export(
            id=uuid4(),
            what="records" if personal else "summary",
            format="csv",
            begins="2030-01-01",
            ends="2030-01-31",
            options={},
            state=ExportState.READY.value,
            personal=personal,
            asked_by=None,
            asked_role="supervisor" if personal else None,
            asked_at=work.now,
            reason_sealed=b"x" if personal else None,
            decided_by=boss.id if personal else None,
        )
    work.session.add_all(files.values())
    await work.session.flush()
    for one in files.values():
        part = ExportPart(
            export_id=one.id, number=1, begins_at=0, size=1, id=uuid4(), data_sealed=b"x"
        )
        work.session.add(part)
    await flush(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    left = await work.session.scalars(select(ExportPart.export_id))
    assert list(left) == [files["counts"].id]
    await work.session.refresh(files["records"])
    assert files["records"].state == ExportState.EXPIRED


@pytest.mark.situation(by=a_caller)
async def test_where_the_platform_deletes_nothing_a_person_does_it(work: Work) -> None:
    boss, _, _ = await a_caller(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    await copies.note_copies(work, request.id, [], asked=False)
    assert await requests.copies_of(work, request) == [
        ("call", "by_hand", 1),
        ("recording", "by_hand", 1),
    ]
    assert set(await work.session.scalars(select(ProviderCopy.sid))) == {"CA1", "RECA1"}


@pytest.mark.situation
async def test_a_code_leads_to_the_number_unless_another_person_shares_it(work: Work) -> None:
    boss, call, contact = await a_person(work)
    await rang_itself(work, contact)
    second = await planted.a_call(work, "CA2")
    assert second.caller_key == call.caller_key
    request = await found_by(work, boss, contact.code)
    assert (await kinds_of(work, request))["call"] == 2
    shared = Profile(id=uuid4(), code="P-BBB-BBB-BBB", created_at=work.now)
    work.session.add(shared)
    await work.session.flush()
    work.session.add(ProfileNumber(profile_id=shared.id, caller_key=call.caller_key))
    await work.session.flush()
    request = await found_by(work, boss, contact.code)
    found = await kinds_of(work, request)
    assert found["call"] == 1
    assert "flag" not in found


@pytest.mark.parametrize(
    ("typed", "why"),
    [("", "Write the number"), ("12", "Entry 1 is neither"), (f"{NUMBER}, x", "Entry 2")],
)
def test_what_was_typed_is_read_or_refused_without_repeating_it(typed: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        read_sought(typed, ["RS"])
    assert NUMBER not in str(refused.value)


def test_numbers_and_codes_are_told_apart() -> None:
    typed = "064 123 4567\n k-7f3-9qd-2xc, +381641234567"
    assert read_sought(typed, ["RS"]) == ([NUMBER], ["K-7F3-9QD-2XC"])


async def test_an_unknown_code_of_a_record_is_refused_by_name(work: Work) -> None:
    await a_line(work)
    with pytest.raises(NotFound, match="K-000-000-000"):
        await found_by(work, await a_supervisor(work), "K-000-000-000")
