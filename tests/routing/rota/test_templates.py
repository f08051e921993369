"""Weeks that are kept as templates, and put on other weeks."""

from datetime import date

import pytest

from app.errors import Invalid, NotAllowed, NotFound
from app.routing.rota import changes, roster, stretches, templates
from app.routing.rota.shifts import Layer, Place
from app.staff.log_kinds import AuditLog
from app.work import Work
from tests.support.duties import a_taker, at, daily, duties_on, log_of, place
from tests.support.verbs import a_line, a_supervisor

WEEK = date(2030, 1, 17)


async def test_a_template_is_put_on_a_week_as_a_week_is_copied(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    boris, olga = await a_taker(work, "boris"), await a_taker(work, "olga")
    await stretches.add(work, vera, place(ana, 16, 8, 16))
    await stretches.add(work, vera, Place(boris.id, at(20, 22), at(21, 6)))
    await stretches.add(work, vera, place(olga, 17, 8, 12, Layer.BACKUP))
    kept = await templates.save(work, vera, "  A usual   week ", WEEK)
    assert (kept.row.name, kept.duties) == ("A usual week", 3)
    assert log_of(work, AuditLog.WEEK_TEMPLATE_SAVED)["after"]["duties"] == 3
    await stretches.add(work, vera, place(ana, 23, 8, 16))
    await changes.be_absent(work, vera, olga.id, at(24, 0), at(25, 0))
    done = await templates.put(work, vera, kept.row.id, date(2030, 1, 27))
    assert (done.made, done.there) == (1, 1)
    assert ["olga is absent" in str(one.why) for one in done.left_out] == [True]
    assert Place(boris.id, at(27, 22), at(28, 6)) in await duties_on(work, 27)
    boris.active = False
    await work.session.flush()
    left = await templates.put(work, vera, kept.row.id, date(2030, 1, 30))
    assert (left.made, [one.place.counsellor_id for one in left.left_out]) == (2, [boris.id])


async def test_templates_are_listed_found_by_name_and_deleted(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await daily(work, ana)
    kept = await templates.save(work, vera, "Summer", WEEK)
    assert [(one.row.name, one.duties) for one in await templates.all_templates(work)] == [
        ("Summer", 7)
    ]
    assert (await templates.named(work, "summer")).id == kept.row.id
    with pytest.raises(templates.NameTaken):
        await templates.save(work, vera, "SUMMER", WEEK)
    await templates.put(work, vera, kept.row.id, date(2030, 2, 4))
    with pytest.raises(NotAllowed):
        await templates.delete(work, ana, kept.row.id)
    await templates.delete(work, vera, kept.row.id)
    assert log_of(work, AuditLog.WEEK_TEMPLATE_DELETED)["before"] == {"name": "Summer"}
    assert await templates.all_templates(work) == []
    with pytest.raises(NotFound):
        await templates.put(work, vera, kept.row.id, WEEK)


async def test_what_cannot_be_kept_or_put_is_refused(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    with pytest.raises(Invalid, match="no duty in that week"):
        await templates.save(work, vera, "Empty", WEEK)
    olga = await a_taker(work, "olga")
    await roster.add_shift(work, olga, recurrence=None)
    with pytest.raises(Invalid, match="only shifts without an end"):
        await templates.save(work, vera, "Always", WEEK)
    await stretches.add(work, vera, place(ana, 16, 8, 16))
    for name in ("", " ", "x" * 61):
        with pytest.raises(Invalid):
            await templates.save(work, vera, name, WEEK)
    with pytest.raises(NotAllowed):
        await templates.save(work, ana, "Mine", WEEK)
    kept = await templates.save(work, vera, "Usual", WEEK)
    with pytest.raises(Invalid, match="That week is over"):
        await templates.put(work, vera, kept.row.id, date(2030, 1, 2))
    with pytest.raises(NotAllowed):
        await templates.put(work, ana, kept.row.id, date(2030, 1, 23))


async def test_a_template_keeps_the_time_on_the_wall_when_the_clocks_change(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await stretches.add(work, vera, place(ana, 16, 8, 16))
    kept = await templates.save(work, vera, "Usual", WEEK)
    done = await templates.put(work, vera, kept.row.id, date(2030, 4, 1))
    assert done.made == 1
    (row,) = await changes.changes_between(work, at(31, 0), at(31, 0).replace(month=5))
    # Eight o'clock in Belgrade is six o'clock UTC in summer.
    assert row.from_at.isoformat() == "2030-04-03T06:00:00+00:00"
