"""Every route, each role and token, one's own row and another's: as docs/security/access.csv says.

The table is decided by people, and nothing computes it. `scripts/docs --access` writes a draft
from what the application answers; read each line that it changes before you commit it.
"""

import os

import pytest

from app.demo.stage import Stage
from tests.support.access import table
from tests.support.access.asking import nothing_is_committed
from tests.support.access.cells import cell, places, without_a_row
from tests.support.access.turns import columns
from tests.support.access.world import a_world


# It asks some thousands of times: minutes, where others use the machine, too.
@pytest.mark.timeout(900)
async def test_every_route_answers_each_role_as_the_table_says(stage: Stage) -> None:
    world = await a_world(stage)
    await stage.settle()
    before = await _rows(stage)
    assert without_a_row(stage) == table.WITHOUT_A_ROW.keys()
    asked, written = places(stage), bool(os.environ.get("WRITE_ACCESS"))
    rows = {} if written else table.kept()
    found: dict[str, dict[str, str]] = {}
    with nothing_is_committed():
        for number, place in enumerate(asked):
            which = columns(number, place, rows.get(place.key))
            found[place.key] = {one: await cell(stage, world, place, one) for one in which}
    assert await _rows(stage) == before, "each question finds the same rows"
    if written:
        table.write(asked, found)
    wrong = table.wrong(asked, found)
    assert not wrong, "\n".join(wrong)


async def _rows(stage: Stage) -> list[dict[str, object]]:
    """What a request that is committed after all would change."""
    return await stage.rows(
        "SELECT id::text, state FROM calls UNION ALL SELECT id::text, status FROM cases"
        " UNION ALL SELECT id::text, state FROM referrals"
        " UNION ALL SELECT id::text, role FROM staff"
        " UNION ALL SELECT id::text, '' FROM staff_sessions"
        " UNION ALL SELECT id::text, '' FROM passkeys ORDER BY 1"
    )
