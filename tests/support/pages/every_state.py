"""The states that the models allow, and rows in those in which an hour leaves none.

What a row may be in is read from its table, so a new state, or a new table with states, fails the
test of the pages until a row is in it, or `NOT_SHOWN` says why no page shows one.
"""

import re
from collections.abc import Iterator

from sqlalchemy import CheckConstraint

from app.demo.stage import Stage
from app.tables import metadata
from tests.support.pages.made_rows import CHANGED, MADE, change, make

# Columns that say where a row stands, or how it ended. What is of one kind or another is no state;
# `sending` is of the outbox, and what became of it is in the row's own state.
_OF_STATES = ("state", "status", "result", "outcome", "ended_how", "telephone")
_ONE_OF = re.compile(r"(\w+) IN \(([^()]*)\)")
# By table and column, or by one state of it: why no page shows it.
NOT_SHOWN: dict[str, str] = {
    "rota_proposals.state=asked": "one proposal is open at a time, and `ready` shows more",
}


def demanded() -> dict[tuple[str, str], set[str]]:
    """Return all that a row may say about its state, by table and column."""
    found = {(table, column): states for table, column, states in _declared()}
    assert len(found) > 30, "the models declare their states in another way"
    declared = {f"{table}.{column}={one}" for (table, column), of in found.items() for one in of}
    assert NOT_SHOWN.keys() <= declared | {f"{table}.{column}" for table, column in found}
    return {
        (table, column): {one for one in states if f"{table}.{column}={one}" not in NOT_SHOWN}
        for (table, column), states in found.items()
        if f"{table}.{column}" not in NOT_SHOWN
    }


def _declared() -> Iterator[tuple[str, str, set[str]]]:
    for table in metadata.sorted_tables:
        for one in table.constraints:
            if isinstance(one, CheckConstraint):
                said = _ONE_OF.fullmatch(str(one.sqltext))
                if said and said[1] in _OF_STATES:
                    yield table.name, said[1], set(re.findall(r"'([^']*)'", said[2]))


async def in_no_row(stage: Stage) -> dict[str, set[str]]:
    """Return the demanded states in which no row is, by table and column."""
    found = {}
    for (table, column), states in demanded().items():
        rows = await stage.rows(f"SELECT DISTINCT {column} AS said FROM {table}")
        found[f"{table}.{column}"] = states - {row["said"] for row in rows}
    return {where: states for where, states in found.items() if states}


async def add_every_state(stage: Stage) -> None:
    """Make a row in each demanded state in which none is, of the tables that are made so."""
    for where, states in (await in_no_row(stage)).items():
        if where in MADE:
            for number, state in enumerate(sorted(states), 1):
                await make(stage, where, state, number)
        if where in CHANGED:
            for state in sorted(states):
                await change(stage, where, state)
    stage.ground.memory.forget("everything")
