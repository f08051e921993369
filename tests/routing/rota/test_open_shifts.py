"""Open shifts: people sign up, the first have it, and a sign-up can be taken back."""

from typing import Any

import pytest

from app.errors import Invalid, NotAllowed, NotFound
from app.routing.rota import changes, free, open_shifts, stretches
from app.routing.rota.models import OpenShift
from app.routing.rota.shifts import Layer
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work
from tests.support.duties import a_taker, at, duties_on, log_of, place
from tests.support.verbs import a_line, a_supervisor


async def an_open_shift(work: Work, by: Staff, **more: Any) -> OpenShift:
    return await open_shifts.open_shift(work, by, at(16, 8), at(16, 16), **more)


async def left(work: Work) -> list[int]:
    return [one.left for one in await open_shifts.offered_between(work, at(16, 0), at(17, 0))]


async def test_the_first_who_sign_up_have_the_shift(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    boris, olga = await a_taker(work, "boris"), await a_taker(work, "olga")
    made = await an_open_shift(work, vera, places=2)
    assert log_of(work, AuditLog.OPEN_SHIFT_MADE)["after"]["places"] == 2
    for person in (ana, boris):
        await open_shifts.sign_up(work, person, made.id)
    assert await left(work) == [0]
    with pytest.raises(open_shifts.NoPlaceLeft):
        await open_shifts.sign_up(work, olga, made.id)
    with pytest.raises(open_shifts.SignedUpAlready):
        await open_shifts.sign_up(work, ana, made.id)
    assert await duties_on(work, 16) == {place(ana, 16, 8, 16), place(boris, 16, 8, 16)}
    await open_shifts.sign_off(work, ana, made.id)
    assert log_of(work, AuditLog.ROTA_CHANGE_WITHDRAWN)["after"]["state"] == "withdrawn"
    await open_shifts.sign_up(work, olga, made.id)
    assert await duties_on(work, 16) == {place(olga, 16, 8, 16), place(boris, 16, 8, 16)}
    with pytest.raises(NotFound):
        await open_shifts.sign_off(work, ana, made.id)


async def test_a_person_who_is_not_free_or_does_not_speak_it_cannot_sign_up(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    boris, olga = await a_taker(work, "boris"), await a_taker(work, "olga")
    ana.languages = ["sr"]
    made = await an_open_shift(work, vera, places=3, language="en", layer=Layer.BACKUP)
    with pytest.raises(NotAllowed):
        await open_shifts.sign_up(work, ana, made.id)
    await stretches.add(work, vera, place(boris, 16, 15, 20, Layer.BACKUP))
    with pytest.raises(free.OnDutyAlready):
        await open_shifts.sign_up(work, boris, made.id)
    await changes.be_absent(work, olga, olga.id, at(16, 0), at(16, 9))
    with pytest.raises(free.AbsentThen):
        await open_shifts.sign_up(work, olga, made.id)
    assert await left(work) == [3]


async def test_a_withdrawn_shift_is_not_open_and_those_signed_up_keep_it(
    work: Work, three: tuple[Staff, Staff, Staff]
) -> None:
    vera, ana, boris = three
    made = await an_open_shift(work, vera, places=2)
    await open_shifts.sign_up(work, ana, made.id)
    with pytest.raises(NotAllowed):
        await open_shifts.withdraw(work, ana, made.id)
    await open_shifts.withdraw(work, vera, made.id)
    detail = log_of(work, AuditLog.OPEN_SHIFT_WITHDRAWN)
    assert (detail["before"]["withdrawn_at"], bool(detail["after"]["withdrawn_at"])) == (None, True)
    for verb in (
        open_shifts.sign_up(work, boris, made.id),
        open_shifts.withdraw(work, vera, made.id),
    ):
        with pytest.raises(open_shifts.NotOpen):
            await verb
    assert (await duties_on(work, 16), await left(work)) == ({place(ana, 16, 8, 16)}, [])


async def test_a_shift_that_has_begun_is_neither_taken_nor_given_back(
    work: Work, three: tuple[Staff, Staff, Staff]
) -> None:
    vera, ana, boris = three
    made = await an_open_shift(work, vera, places=2)
    await open_shifts.sign_up(work, ana, made.id)
    work.now = at(16, 8)
    for verb in (
        open_shifts.sign_up(work, boris, made.id),
        open_shifts.sign_off(work, ana, made.id),
    ):
        with pytest.raises(open_shifts.NotOpen):
            await verb


async def test_a_sign_up_that_a_planner_moves_leaves_its_place(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    made = await an_open_shift(work, vera)
    await open_shifts.sign_up(work, ana, made.id)
    await stretches.move(work, vera, place(ana, 16, 8, 16), place(ana, 16, 10, 18))
    assert await left(work) == [1]


async def test_what_cannot_be_offered_is_refused(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    with pytest.raises(NotAllowed):
        await an_open_shift(work, ana)
    for wrong in ({"places": 0}, {"places": 21}, {"language": "klingon"}, {"note": "x" * 201}):
        with pytest.raises(Invalid):
            await an_open_shift(work, vera, **wrong)
    with pytest.raises(Invalid):
        await open_shifts.open_shift(work, vera, at(13, 8), at(16, 16))
    with pytest.raises(NotFound):
        await open_shifts.sign_up(work, ana, ana.id)
