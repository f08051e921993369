"""Referrals in numbers: by sector, urgency and outcome; times, breaches, separation prevented.

A referral belongs to the period in which it was opened. Times are in seconds from the opening
(or, for agencies, from the offer: see `referrals/accountability.py`).

The service that a referral asks for is sealed: to count by it, those of the window are opened in
one pass before, and given to the statement beside their ids.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from app.referrals.accountability import ALL, plain_number
from app.referrals.counted import counts_sql, members_sql
from app.referrals.services import services_of_all
from app.referrals.states import LEFT, STAYED, Missing
from app.work import Work


class ReferralsBy(StrEnum):
    """What referrals can be counted by."""

    SECTOR = "sector"
    URGENCY = "urgency"
    SERVICE = "service"
    OUTCOME = "outcome"
    STATE = "state"
    OPENED_HOW = "opened_how"


WORDS = {
    "opened": "referrals opened in the window",
    "acknowledged": "of these, those that a person has acknowledged",
    "median_seconds_to_acknowledge": "seconds from the opening within which half of the "
    "acknowledged ones were acknowledged",
    "p90_seconds_to_acknowledge": "seconds from the opening within which nine in ten of the "
    "acknowledged ones were acknowledged",
    "seen": "of these, those in which the child has been seen",
    "median_seconds_to_see_child": "seconds from the opening within which half of the children "
    "seen were seen",
    "p90_seconds_to_see_child": "seconds from the opening within which nine in ten of the children "
    "seen were seen",
    "breaches": "deadlines of these referrals that were missed",
    "completed": "of these, those that the agency has completed",
    "separation_risk": "of these, those in which a child might be separated from its family",
    "separation_prevented": "of these, those completed in which the child stayed with its family",
    "separated": "of these, those completed in which the child was placed elsewhere",
}
# What each count counts.
COUNTED = {
    "opened": "true",
    "acknowledged": "acknowledged_at IS NOT NULL",
    "seen": "seen_at IS NOT NULL",
    "completed": "completed_at IS NOT NULL",
    "separation_risk": "separation_risk",
    "separation_prevented": "separation_risk AND completed_at IS NOT NULL "
    "AND outcome = ANY(:stayed)",
    "separated": "separation_risk AND completed_at IS NOT NULL AND outcome = ANY(:left)",
}
_SQL = """
WITH r AS (
  SELECT r.*, {service} coalesce(a.sector, '{no_agency}') AS sector,
    (SELECT count(*) FROM deadlines c JOIN deadline_breaches b ON b.deadline_id = c.id
      WHERE c.referral_id = r.id)
      AS breaches
  FROM referrals r LEFT JOIN agencies a ON a.id = r.agency_id {asked}
  WHERE {counted}
)
SELECT {by} AS value, {counts},
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM acknowledged_at - opened_at))
    AS median_seconds_to_acknowledge,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM acknowledged_at - opened_at))
    AS p90_seconds_to_acknowledge,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM seen_at - opened_at))
    AS median_seconds_to_see_child,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM seen_at - opened_at))
    AS p90_seconds_to_see_child,
  coalesce(sum(breaches), 0)::bigint AS breaches,
  {members}
FROM r GROUP BY GROUPING SETS (({by}), ())
ORDER BY grouping({by}), 1
"""
_COUNTED = (
    "r.opened_at >= :since AND r.opened_at < :until AND NOT is_practice(r.call_id, r.contact_id)"
)
_SEALED = "SELECT r.id, r.services_sealed FROM referrals r WHERE {counted}"
_ASKED = (
    "JOIN unnest(CAST(:ids AS uuid[]), CAST(:services AS text[])) AS o(id, service) ON o.id = r.id"
)
# Fixed SQL, never user input.
_BY = {by: by.value for by in ReferralsBy} | {
    ReferralsBy.OUTCOME: f"coalesce(outcome, '{Missing.OUTCOME}')"
}


@dataclass(frozen=True)
class Figures:
    """The figures of one value, or of all referrals."""

    value: str
    numbers: dict[str, Any]
    # What the numbers count (see `referrals/counted.py`); those of all have no members.
    members: bytes = b""


async def referral_figures(
    work: Work, since: datetime, until: datetime, by: ReferralsBy
) -> tuple[list[Figures], Figures]:
    """Return the figures by one property, and those of all referrals."""
    values: dict[str, Any] = {"since": since, "until": until}
    is_sealed = by is ReferralsBy.SERVICE
    if is_sealed:
        sealed = await work.session.execute(text(_SEALED.format(counted=_COUNTED)), values)
        stored = [(row, bytes(value)) for row, value in sealed]
        values["ids"] = [row for row, _ in stored]
        values["services"] = await asyncio.to_thread(services_of_all, work.keys, stored)
    sql = _SQL.format(
        service="o.service," if is_sealed else "",
        asked=_ASKED if is_sealed else "",
        counted=_COUNTED,
        by=_BY[by],
        no_agency=Missing.AGENCY,
        counts=counts_sql(COUNTED),
        members=members_sql("id", COUNTED, "breaches", _BY[by]),
    )
    values |= {"stayed": sorted(STAYED), "left": sorted(LEFT)}
    rows = (await work.session.execute(text(sql), values)).mappings().all()
    found = [
        Figures(
            row["value"] or ALL, {n: plain_number(row[n]) for n in WORDS}, row["members"] or b""
        )
        for row in rows
    ]
    if not found:
        return [], Figures(ALL, dict.fromkeys(WORDS, 0))
    return found[:-1], found[-1]
