"""Every kind of what is due is found, and something is done about it: one more would stop calls."""

from uuid import UUID

from app.routing import sweep
from app.routing.sweep import Due
from app.work import Work


async def _end_away(work: Work, call_id: UUID) -> None:
    """Stand for the end of a written conversation."""


def test_each_kind_that_is_due_is_asked_for_and_has_a_verb() -> None:
    asked = sweep.DUE.compile().params.values()
    assert {one for one in asked if type(one) is str} == set(Due)
    assert set(sweep.verbs_of(_end_away)) == set(Due) - {Due.MATCH}
