"""A person whose records lead to very many rows, as that of an institution with one telephone."""

from uuid import uuid4

from app.retention.data_requests.held_or_open import seen_by_program
from app.retention.data_requests.kinds import Because, ItemKind
from app.work import Work
from tests.support.profile import nightly


@nightly
async def test_what_is_still_in_work_is_asked_of_more_rows_than_one_statement_can_name(
    work: Work,
) -> None:
    """By day it is asked of few rows, in the tests of what is held or open."""
    calls = {uuid4(): Because.NUMBER for _ in range(9_000)}
    assert await seen_by_program(work, {ItemKind.CALL: calls}) == {}
