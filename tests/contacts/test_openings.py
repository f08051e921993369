"""Earlier contacts are opened for a talk that goes on, and a supervisor reviews that."""

import pytest
from sqlalchemy import select

from app.calls.models import Call
from app.calls.states import CallState, Outcome
from app.contacts import contacts, openings
from app.contacts.models import Contact, Opening
from app.contacts.scopes import may_read_any
from app.errors import Conflict, Invalid, NotAllowed, NotFound, Refusal
from app.jobs.transaction import send_rows
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_contact, a_counsellor, a_supervisor, a_talk

WHY = "She says that it is as it was in June."


async def _known(work: Work) -> tuple[Staff, Staff, Contact, Contact]:
    """A child whom ana knows, and who talks with bora now: both, and their contacts."""
    ana, bora = await a_counsellor(work, "ana"), await a_counsellor(work, "bora")
    call, _ = await a_talk(work, bora)
    await contacts.open_for_call(work, call, bora.id)
    await send_rows(work)
    mine = (await work.session.scalars(select(Contact).where(Contact.call_id == call.id))).one()
    earlier = await a_contact(work, ana)
    earlier.profile_id = mine.profile_id
    await work.session.flush()
    return ana, bora, earlier, mine


async def _opened(work: Work, staff: Staff, during: Contact) -> Opening:
    await openings.open_earlier(work, staff, during.id, WHY)
    await send_rows(work)
    return (await work.session.scalars(select(Opening))).one()


async def test_a_supervisor_reviews_it(work: Work) -> None:
    ana, bora, earlier, mine = await _known(work)
    chief = await a_supervisor(work)
    seen = await _opened(work, bora, mine)
    assert await may_read_any(work, bora, earlier.id)
    refusals: list[tuple[Staff, str, type[Refusal]]] = [
        (bora, "x", NotFound),
        (ana, "x", NotAllowed),
        (chief, " ", Invalid),
    ]
    for who, words, refused in refusals:
        with pytest.raises(refused):
            await openings.review(work, who, seen.id, fitting=False, words=words)
    await openings.review(work, chief, seen.id, fitting=False, words="Ring me first.")
    assert not await may_read_any(work, bora, earlier.id)
    assert await openings.openings_for(work, chief) == []
    with pytest.raises((NotFound, Conflict)):
        await openings.review(work, chief, seen.id, fitting=True, words="")


async def test_a_talk_of_this_morning_opens_nothing(work: Work) -> None:
    _, bora, earlier, mine = await _known(work)
    call = await work.session.get_one(Call, mine.call_id)
    call.state, call.outcome, call.ended_at = CallState.ENDED, Outcome.ANSWERED, work.now
    work.now += openings.JUST * 1.01
    with pytest.raises(NotAllowed):
        await openings.open_earlier(work, bora, mine.id, WHY)
    assert not await may_read_any(work, bora, earlier.id)
    # A talk that is just over opens them.
    call.ended_at = work.now - openings.JUST
    await _opened(work, bora, mine)
    assert await may_read_any(work, bora, earlier.id)
