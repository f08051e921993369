"""By when a person is answered: the month, who is reminded of it, and what is listed first."""

from datetime import date, timedelta

import pytest

from app.jobs.transaction import flush
from app.retention.data_requests import deadlines, letters, reminding, requests
from app.retention.data_requests.kinds import (
    IdentityCheck,
    Reminder,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.work import PROGRAM, Work
from tests.support.planted import as_person
from tests.support.retention.requested import (
    NUMBER,
    WORDS,
    a_person,
    found_by,
    reminders,
)
from tests.support.verbs import a_supervisor, an_administrator

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]
S = RequestState


@pytest.mark.situation
async def test_who_can_go_on_with_a_request_is_reminded_once_before_its_month_is_over(
    work: Work,
) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    work.actor = PROGRAM
    nora = await a_supervisor(work, "nora")
    mila = await an_administrator(work)
    for one in (boss, nora, mila):
        one.email = f"{one.name}@x.example"
    erasure = await found_by(work, boss)
    await requests.ask(
        work, boss, erasure.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
    )
    seen = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await requests.ask(
        work, boss, seen.id, RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT, WORDS
    )
    prepared = await found_by(work, boss)
    await flush(work)
    work.actor = PROGRAM
    work.settings.data_request_reminder_days = 19
    work.now += timedelta(days=19, seconds=-1)
    assert (await reminding.remind(work), reminders(work)) == (0, [])
    assert not deadlines.is_near(work, prepared)
    work.now += timedelta(seconds=1)
    assert deadlines.is_near(work, prepared)
    by = deadlines.answer_by(work, prepared)
    assert by is not None
    # An erasure is decided by another role; a report by any second person; and once to each.
    assert await reminding.remind(work) == 3
    assert sorted(reminders(work)) == sorted(
        [(str(one.id), "asked", f"{by:%Y-%m-%d}") for one in (nora, mila)]
        + [(str(boss.id), "found", f"{by:%Y-%m-%d}")]
    )
    assert (await reminding.remind(work), reminders(work)) == (0, [])
    for reminder in Reminder:
        letter = await letters.reminder_of(work, mila.id, reminder, by)
        assert letter is not None
        assert str(by.year) in letter[2]
    # Now it is the second person who has to go on with it.
    as_person(work, boss)
    await requests.ask(
        work, boss, prepared.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
    )
    await flush(work)
    assert await reminding.remind(work) == 1
    assert reminders(work) == [(str(mila.id), "asked", f"{by:%Y-%m-%d}")]
    # A request that is decided is not near any end.
    as_person(work, mila)
    await requests.decide(work, mila, prepared.id, approve=False)
    assert (deadlines.answer_by(work, prepared), deadlines.is_near(work, prepared)) == (None, False)


@pytest.mark.situation
async def test_if_no_person_can_decide_all_are_reminded_whose_role_decides(work: Work) -> None:
    work.settings.smtp_url = "smtp://127.0.0.1:1"
    boss, _, _ = await a_person(work)
    boss.email = "boss@x.example"
    request = await found_by(work, boss)
    await requests.ask(
        work, boss, request.id, RequestBasis.NOT_NEEDED, IdentityCheck.DOCUMENT, WORDS
    )
    await flush(work)
    work.actor = PROGRAM
    work.now += timedelta(days=20)
    await reminding.remind(work)
    assert [(id_, state) for id_, state, _ in reminders(work)] == [(str(boss.id), "asked")]


@pytest.mark.parametrize(
    ("began", "over"),
    [("2027-01-31", "2027-02-28"), ("2028-01-30", "2028-02-29"), ("2027-12-05", "2028-01-05")],
)
def test_a_month_ends_on_the_same_day_or_the_last(began: str, over: str) -> None:
    assert deadlines.months_after(date.fromisoformat(began), 1) == date.fromisoformat(over)


@pytest.mark.situation
async def test_each_request_whose_person_waits_is_listed_the_most_urgent_first(work: Work) -> None:
    boss, _, _ = await a_person(work)
    old = await found_by(work, boss)
    work.now += timedelta(days=3)
    waits = await found_by(work, boss)
    over = []
    for _ in range(3):
        work.now += timedelta(days=1)
        over.append(await found_by(work, boss))
        await requests.withdraw(work, boss, over[-1].id)
    await flush(work)
    listed = await requests.list_requests(work, limit=2)
    assert [one.id for one in listed] == [old.id, waits.id, over[2].id, over[1].id]
