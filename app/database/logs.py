"""The logs that only grow, and the two ways in which one of them loses anything.

The program's role may read these tables and append to them. What retention empties and what is
sealed anew goes through a function of the owner of the tables, whose trigger says what of a row may
change: see the migration `0023_roles.py`. Another function of the owner erases the oldest part of a
log, and writes where the log begins now: see `0092_where_a_log_begins.py` and
`0096_what_stays_of_leavers.py`.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Of these, a sealed value may be erased or sealed anew. All other logs never change at all.
WITH_SEALS = frozenset(
    {"completed_versions", "consents", "earlier_answers", "record_events", "urgency_decisions"}
)


class Why(StrEnum):
    """Why a row of a log changes."""

    ERASING = "erasing"
    RESEALING = "resealing"


_CHANGE = text("SELECT change_log(:why, :log, CAST(:sought AS jsonb), CAST(:put AS jsonb))")
_ERASE = text("SELECT erase_log(:log, :up_to, :days, :run)")


async def change_rows(
    session: AsyncSession,
    why: Why,
    log: str,
    changes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> int:
    """Change rows of a log. A change has the values by which rows are found, and what they are to
    hold.

    Return how many rows changed. What the trigger of the log does not allow is refused.
    """
    done = 0
    for found, put in changes:
        values = {"why": why.value, "log": log, "sought": _as_json(found), "put": _as_json(put)}
        done += await session.scalar(_CHANGE, values) or 0
    return done


async def erase_up_to(session: AsyncSession, log: str, up_to: int, days: int, run_id: UUID) -> int:
    """Erase all entries of a log up to one of them. Return how many; 0 if another run does it now.

    Raises IntegrityError if one of them is younger than `days` by the clock of the database, or if
    they do not fit their chain, if the rule in force keeps them, or if one names a held record.
    """
    values = {"log": log, "up_to": up_to, "days": days, "run": run_id}
    return await session.scalar(_ERASE, values) or 0


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps({name: _plain(value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return f"\\x{bytes(value).hex()}"
    return str(value) if isinstance(value, UUID) else value
