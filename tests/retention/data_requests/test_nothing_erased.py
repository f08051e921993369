"""An erasure of which everything had to be kept is none: the person waits for the true answer."""

from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.calls.caller_rows import CallerFlag, CallerWish
from app.contacts import completing
from app.contacts.models import Profile
from app.demo.stage import Stage
from app.errors import Conflict
from app.jobs.transaction import flush
from app.retention.data_requests import deadlines, erasing, lists, requests
from app.retention.data_requests.kinds import (
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.retention.holds import hold
from app.retention.kinds import HeldKind
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support.calls.callers import talked
from tests.support.contacts import all_completed
from tests.support.planted import as_person
from tests.support.profile import nightly
from tests.support.referrals import page
from tests.support.retention.requested import (
    WORDS,
    a_person,
    approved,
    erase,
    found_by,
    one_work,
    reminders,
)
from tests.support.talks import CHILD

pytestmark = pytest.mark.whole

S = RequestState


async def log_of(work: Work, request: DataRequest) -> list[tuple[str, dict[str, object]]]:
    await flush(work)
    rows = await work.session.execute(
        select(AuditEntry.action, AuditEntry.detail)
        .where(AuditEntry.subject == f"data_request:{request.id}")
        .order_by(AuditEntry.id)
    )
    return [(action, detail) for action, detail in rows]


async def all_held(work: Work) -> tuple[Staff, DataRequest]:
    """An erasure that was approved, and since then a court asks for all of it."""
    boss, _, contact = await a_person(work)
    for table in ("caller_flags", "caller_wishes"):
        await work.session.execute(text(f"DELETE FROM {table}"))
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")
    return boss, request


async def nothing_erased(work: Work, request: DataRequest) -> None:
    """Carry it out; the jobs that follow are still to be sent."""
    work.actor = PROGRAM
    for kind in ItemKind:
        while await erasing.erase_some(work, request.id, kind):
            pass
    await erasing.finish(work, request.id)


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_an_erasure_that_keeps_everything_is_not_done_and_the_person_still_waits(
    work: Work,
) -> None:
    boss, request = await all_held(work)
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss.email = "vera@x.example"
    await flush(work)
    work.jobs.clear()
    await nothing_erased(work, request)
    assert (request.state, request.counts, request.kept) == (S.FOUND, {}, {"legal_hold": 7})
    assert (request.done_at, request.decided_by, request.decided_at) == (None, None, None)
    assert deadlines.is_unanswered(request)
    assert {item.keep for item in await requests.items_of(work, request)} == {Keep.LEGAL_HOLD}
    # Its officer hears of it at once, and is reminded near the day. Nothing of it is looked for at
    # the provider.
    assert len(work.jobs) == 1
    assert [(who, why) for who, why, _ in reminders(work)] == [(str(boss.id), "found")]
    assert request.reminded_at is None
    # What it was about is needed: it is answered, or begun again.
    assert request.sought_sealed is not None
    action, detail = (await log_of(work, request))[-1]
    assert (action, detail["after"]) == (AuditLog.DATA_REQUEST_KEPT, {"legal_hold": 7})
    assert AuditLog.DATA_REQUEST_ERASED not in {one for one, _ in await log_of(work, request)}
    assert await lists.is_first(work)


@nightly
@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_flags_and_wishes_do_not_go_alone_while_work_on_all_else_is_open(work: Work) -> None:
    """After the approval a counsellor writes in the contact again."""
    boss, _, contact = await a_person(work)
    # It has no contact any more.
    merged = Profile(
        id=uuid4(), code="P-BBB-BBB-BBB", created_at=work.now, merged_into=contact.profile_id
    )
    work.session.add(merged)
    await flush(work)
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss.email = "vera@x.example"
    request = await found_by(work, boss)
    await approved(work, boss, request)
    as_person(work, boss)
    await completing.reopen(work, boss, contact.id, "She rang again.")
    await flush(work)
    work.jobs.clear()
    await nothing_erased(work, request)
    assert (request.state, request.counts, request.kept) == (S.FOUND, {}, {Keep.STILL_OPEN: 10})
    assert [(who, why) for who, why, _ in reminders(work)] == [(str(boss.id), "found")]
    for model in (CallerFlag, CallerWish):
        assert len((await work.session.scalars(select(model.id))).all()) == 1


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_nor_if_all_else_was_open_already_when_it_was_searched(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "transaction", one_work(work))
    boss, _, contact = await a_person(work)
    as_person(work, boss)
    await completing.reopen(work, boss, contact.id, "She rang again.")
    await flush(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    work.actor = PROGRAM
    await erasing.carry_out(work.ground, request.id)
    assert (request.state, request.counts, request.kept) == (S.FOUND, {}, {Keep.STILL_OPEN: 9})
    assert len((await work.session.scalars(select(CallerFlag.id))).all()) == 1


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_it_is_refused_by_a_second_person_with_the_grounds(work: Work) -> None:
    boss, request = await all_held(work)
    await erase(work, request)
    as_person(work, boss)
    how = (RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS)
    await requests.ask(work, boss, request.id, *how)
    mila = (await work.session.scalars(select(Staff).where(Staff.name == "mila"))).one()
    as_person(work, mila)
    with pytest.raises(Conflict, match="Nothing was found"):
        await requests.decide(work, mila, request.id, approve=True)
    await requests.decide(work, mila, request.id, approve=False)
    assert (request.state, request.counts, request.kept) == (S.REFUSED, {}, {"legal_hold": 7})
    assert (request.sought_sealed, await requests.items_of(work, request)) == (None, [])
    assert not deadlines.is_unanswered(request)
    assert deadlines.can_be_replaced(request)
    action, detail = (await log_of(work, request))[-1]
    assert action == AuditLog.DATA_REQUEST_REFUSED
    assert detail == {"kind": "erasure", "kept": {"legal_hold": 7}}


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_what_is_kept_from_the_search_on_is_refused_and_not_withdrawn(work: Work) -> None:
    """A report of nothing is still not asked for: the officer withdraws it."""
    boss, _, contact = await a_person(work)
    await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")
    as_person(work, boss)
    how = (IdentityCheck.DOCUMENT, WORDS)
    for kind in RequestKind:
        request = await found_by(work, boss, contact.code, kind)
        items = await requests.items_of(work, request)
        free = dict.fromkeys(
            [(ItemKind(one.kind), one.subject_id) for one in items if not one.keep], Keep.LEGAL_DUTY
        )
        await requests.set_kept(work, boss, request.id, free)
        if kind is RequestKind.ACCESS:
            with pytest.raises(Conflict, match="Nothing was found"):
                await requests.ask(work, boss, request.id, RequestBasis.RIGHT_OF_ACCESS, *how)
            continue
        await requests.ask(work, boss, request.id, RequestBasis.BY_LAW, *how)
        assert request.state == S.ASKED


@pytest.mark.usefixtures("readings_at_once")
@pytest.mark.situation
async def test_who_refuses_rows_that_could_be_erased_gives_no_ground_for_them(work: Work) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    await requests.ask(
        work, boss, request.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
    )
    await requests.decide(work, None, request.id, approve=False)
    assert (request.state, request.kept) == (S.REFUSED, {})


async def test_its_page_and_the_receipt_say_that_nothing_was_erased(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await talked(stage, ana)
    await all_completed(stage)
    sought = {"kind": "erasure", "person": "child", "sought": CHILD}
    begun = (await vera.ask("POST", "/data-requests", sought)).json()
    path, here = f"/data-requests/{begun['id']}", f"/admin/data-requests/{begun['id']}"
    free = [{"kind": one["kind"], "id": one["id"], "keep": None} for one in begun["items"]]
    assert (await vera.ask("PUT", f"{path}/kept", {"items": free})).status_code == 200
    ground = {"basis": "not_needed", "identity": "called_back", "words": "Called on Monday."}
    assert (await vera.ask("POST", f"{path}/ask", ground)).status_code == 200
    assert "data-changed" not in (await page(stage, vera, here)).text
    (contact,) = [one["id"] for one in begun["items"] if one["kind"] == "contact"]
    parted = await vera.ask("POST", f"/contacts/{contact}/profile", {})
    assert parted.status_code == 204, parted.text
    assert (await mila.ask("POST", f"{path}/decision", {"approve": True})).status_code == 200
    await stage.settle()
    told = (await vera.ask("GET", path)).json()
    assert (told["state"], told["counts"], told["kept"]) == ("found", {}, {})
    assert {one["kind"] for one in told["items"] if one["changed"]} == {"contact", "call"}
    assert (await page(stage, vera, here)).text.count("data-changed") == 2
    assert (await vera.ask("POST", f"{path}/ask", ground)).status_code == 200
    assert (await mila.ask("POST", f"{path}/decision", {"approve": True})).status_code == 200
    # The child of the contact is another one when the job begins.
    await stage.change_rows("UPDATE data_request_items SET keep = 'another_person'")
    await stage.settle()
    told = (await vera.ask("GET", path)).json()
    assert (told["state"], told["counts"], set(told["kept"])) == ("found", {}, {"another_person"})
    assert told["answer_by"] is not None
    shown = (await page(stage, vera, here)).text
    assert 'id="nothing-free"' in shown
    assert 'id="data-receipt"' in shown
    assert 'id="kept-elsewhere"' not in shown
    assert (await page(stage, vera, f"{here}/ask", **ground)).status_code == 303
    of_second = (await page(stage, mila, here)).text
    assert 'value="refuse"' in of_second
    assert 'value="approve"' not in of_second
    assert (await page(stage, mila, f"{here}/decision", decision="refuse")).status_code == 303
    told = (await vera.ask("GET", path)).json()
    assert (told["state"], told["answer_by"], told["counts"]) == ("refused", None, {})
    assert set(told["kept"]) == {"another_person"}
    shown = (await page(stage, vera, here)).text
    assert "It is about another person, too" in shown
    assert "Erased:" not in shown
    (call,) = await stage.rows("SELECT count(*) FROM calls WHERE caller_key IS NOT NULL")
    assert call["count"] == 1
