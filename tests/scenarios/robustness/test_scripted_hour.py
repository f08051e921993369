"""The scripted hour, with callbacks lost, doubled and delayed and the server away for a while."""

import re
from pathlib import Path

import pytest

from app.dashboard.settings.log_words import FIELD_WORDS
from app.demo.hour import play_hour
from app.demo.lengths import HOUR, PART, Length
from app.demo.stage import Stage, stage_on
from tests.support.pages.left_out import LEFT_OUT
from tests.support.pages.states import add_states, missing
from tests.support.profile import WHOLE
from tests.support.routes import add_cases, add_practice, open_every_route

# A part of it has nearly everything that happens in the hour.
PLAYED = [(1, HOUR), (2, HOUR), (3, HOUR)] if WHOLE else [(1, PART)]


def test_each_route_that_is_left_out_is_opened_by_a_test_that_runs_every_day() -> None:
    """Whether it does open it is looked up when it ends: `opens_its_routes`."""
    for named in set(LEFT_OUT.values()):
        file, _, name = named.partition("::")
        written = (Path(__file__).parents[3] / file).read_text()
        found = re.search(rf"((?:^@.*\n)*)^(?:async )?def {name}\(", written, re.MULTILINE)
        assert found is not None, named
        assert "@nightly" not in found[1], named


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("seed", "length"), PLAYED)
async def test_no_caller_is_lost_in_an_hour_and_every_route_opens_with_every_row(
    database: str, anyio_backend: str, seed: int, length: Length
) -> None:
    """Calls, contacts, cases and referrals in every state, most of them as an hour leaves them."""
    async with stage_on(database, seed=seed, wrap_up_seconds=20, long_wait_seconds=60) as stage:
        told = await play_hour(stage, seed, length)
        assert told["broken"] == []
        assert told["rings"] == told["calls"]
        assert told["lost"] == 0
        assert told["answered"] > told["rings"] / 2
        assert told["urgent"] == told["acknowledged"] > 0
        assert told["chats_answered"] > told["chats"] / 2
        assert told["chat_reassigned"] > 0
        assert told["chat_messages_left"] > 1
        # Children who text are among them: all but the one who came when no counsellor was there.
        assert told["texts_answered"] == told["texts"] - 1 == length.texters
        # The server was away; which callbacks are lost is left to the dice.
        assert told["unreachable"] > 0
        # The routes read the rows of one hour: those of another are of the same kinds.
        if seed > 1:
            return
        await add_cases(stage)
        await add_practice(stage)
        await add_states(stage)
        assert await missing(stage) == {}, "a row in every state is opened"
        opened = await open_every_route(stage)
        fields = await _fields_of_the_log(stage)
    assert fields <= set(FIELD_WORDS), "the page of the log has words for each"
    assert opened.broken == []
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
