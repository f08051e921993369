"""Every page and every GET route is opened, with rows in every state, as every role."""

import pytest

from app.dashboard.settings.log_words import FIELD_WORDS
from app.demo.lengths import HOUR, PART
from app.demo.stage import Stage
from tests.support.hour import played_hour
from tests.support.pages.states import add_states, missing
from tests.support.pages.undrawn import undrawn
from tests.support.profile import WHOLE
from tests.support.routes import add_cases, add_practice, open_every_route


@pytest.mark.timeout(1200)
async def test_no_caller_is_lost_in_an_hour_and_every_route_opens_with_every_row(
    database: str, anyio_backend: str
) -> None:
    """Calls, contacts, cases and referrals in every state, most of them as an hour leaves them.

    A part of the hour has nearly everything that happens in it; by night it is the whole.
    """
    async with played_hour(database, 1, HOUR if WHOLE else PART) as stage:
        await add_cases(stage)
        await add_practice(stage)
        await add_states(stage)
        assert await missing(stage) == {}, "a row in every state is opened"
        with undrawn():
            opened = await open_every_route(stage)
        fields = await _fields_of_the_log(stage)
    assert fields <= set(FIELD_WORDS), "the page of the log has words for each"
    assert opened.broken == []
    assert opened.not_answered == []
    assert opened.opened_by_others == []
    assert opened.never_well == set()
    assert opened.in_no_row == {}
    assert opened.no_routes == set()
    assert opened.never_well_in == set()
    assert opened.excused_in_vain == set()
    # What is read is in the log before the first byte leaves, also if the server is killed then.
    assert opened.late == []
    # Accounts, settings and the log are kept without reading of a child by any way; and a
    # counsellor reads no record of a colleague.
    assert opened.identities == []
    assert opened.read_by_supervisor
    assert opened.requests > 500


async def _fields_of_the_log(stage: Stage) -> set[str]:
    """The names of what lines of the log say; sets of definitions name files of their own."""
    rows = await stage.rows(
        "SELECT detail FROM audit_entries WHERE subject NOT LIKE 'definitions%%'"
    )
    inner = [
        row["detail"][side]
        for row in rows
        for side in ("before", "after")
        if isinstance(row["detail"].get(side), dict)
    ]
    return {name for one in (*(row["detail"] for row in rows), *inner) for name in one} - {
        "before",
        "after",
    }
