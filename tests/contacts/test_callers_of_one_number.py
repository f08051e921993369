"""Contacts of one number are of one person, until a counsellor says that they are of two."""

import pytest
from sqlalchemy import select

from app.contacts import contacts, profiles
from app.contacts.models import Contact, RecordEvent
from app.errors import NotFound
from app.jobs.transaction import flush
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, rings


async def _rings_again(work: Work, owner: Staff, n: int) -> Contact:
    """The contact of the next call of that number, which its owner takes."""
    call, _ = await rings(work, f"CA{n}")
    await contacts.open_for_call(work, call, owner.id)
    await flush(work)
    return (await work.session.scalars(select(Contact).where(Contact.call_id == call.id))).one()


async def _profiles(work: Work, *of: Contact) -> list[object]:
    await flush(work)
    for one in of:
        await work.session.refresh(one)
    return [one.profile_id for one in of]


async def test_two_callers_behind_one_number_are_told_apart_and_put_together(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    first, second, third = [await _rings_again(work, ana, n) for n in (1, 2, 3)]
    first_id = first.profile_id
    assert first_id is not None
    assert await _profiles(work, second, third) == [first_id] * 2
    other = await profiles.tell_apart(work, ana, second.id)
    assert await _profiles(work, second) == [other] != [first_id]
    # From now on the program does not choose between the two.
    fourth = await _rings_again(work, ana, 4)
    assert fourth.profile_id is None
    await profiles.link(work, ana, fourth.id, other)
    assert await _profiles(work, fourth) == [other]
    await profiles.merge(work, ana, other, first_id, "her voice")
    whole = [first, second, third, fourth]
    assert await _profiles(work, *whole) == [first_id] * 4
    apart = await profiles.split(work, ana, first_id, [second.id, fourth.id], "it was her brother")
    assert await _profiles(work, *whole) == [first_id, apart, first_id, apart]
    bora = await a_counsellor(work, "bora")
    theirs = work, bora
    for act in (
        lambda: profiles.split(*theirs, apart, [second.id], "x"),
        lambda: profiles.merge(*theirs, apart, first_id, "x"),
        lambda: profiles.tell_apart(*theirs, second.id),
    ):
        with pytest.raises(NotFound):
            await act()
    kinds = await work.session.scalars(
        select(RecordEvent.kind).where(RecordEvent.subject_kind == "profile")
    )
    assert {"profile_made", "merged", "merged_into", "split", "split_from"} <= set(kinds)
