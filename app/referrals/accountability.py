"""How agencies reply, in numbers without identities: each measure is defined once, here.

A measure counts the referrals that were offered to an agency in a window (half-open).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from app.referrals.counted import ID_BYTES, counts_sql, members_sql
from app.referrals.states import LEFT, STAYED, Missing
from app.words.pages import N_
from app.work import Work

# The code of the row of all agencies, and the value of all referrals.
ALL = "all"
# Printed beside the numbers, in every view and file.
DEFINITIONS = {
    "offered": "referrals offered to the agency in the window; a reminder in a later round is not "
    "another offer",
    "acknowledged": "offered referrals that a person at the agency acknowledged",
    "accepted": "offered referrals that the agency accepted",
    "rejected": "offered referrals that the agency rejected",
    "unanswered": "offered referrals that went on to another agency without a reply, although "
    "this agency was rung or written to",
    "median_seconds_to_acknowledge": "median of the seconds from the offer to the "
    "acknowledgement, over the acknowledged referrals",
    "p90_seconds_to_acknowledge": "seconds within which nine in ten were acknowledged "
    "(linear interpolation)",
    "seen": "offered referrals in which the child was seen",
    "median_seconds_to_see_child": "median of the seconds from the offer to the contact "
    "with the child, over the referrals in which the child was seen",
    "p90_seconds_to_see_child": "seconds within which nine in ten children were seen",
    "breaches": "deadlines that the agency missed: to acknowledge, if it was rung or written to "
    "before; to open the details, to see the child and to follow up, if it had acknowledged before "
    "(the written form and the feedback are ours, and are not counted)",
    "completed": "offered referrals that the agency completed",
    "feedback_wanted": "completed referrals whose reporter wanted to hear the outcome",
    "feedback_given": "of these, referrals whose reporter was told",
    "separation_risk": "completed referrals in which a child might have been separated "
    "from its family",
    "separation_prevented": "of these, referrals in which the child stayed with its family or its "
    "relatives",
    "separated": "of these, referrals in which the child was placed elsewhere",
}


@dataclass(frozen=True)
class Row:
    """The measures of one agency, or of all."""

    agency: str
    name: str
    sector: str
    values: dict[str, int | float | None]
    rejections: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    # What these count (see `counted.py`); the row of all has no members.
    members: bytes = b""
    rejected_ids: dict[str, bytes] = field(default_factory=dict)
    outcome_ids: dict[str, bytes] = field(default_factory=dict)


# What each count of referrals counts.
COUNTED = {
    "offered": "true",
    "acknowledged": "s.acknowledged_at IS NOT NULL",
    "accepted": "s.accepted_at IS NOT NULL",
    "rejected": "s.state = 'rejected'",
    "unanswered": "s.state = 'unanswered' AND s.tried_at IS NOT NULL",
    "seen": "s.seen_at IS NOT NULL",
    "completed": "s.completed",
    "feedback_wanted": "s.completed AND s.wants_feedback",
    "feedback_given": "s.completed AND s.wants_feedback AND s.feedback_at IS NOT NULL",
    "separation_risk": "s.completed AND s.separation_risk",
    "separation_prevented": "s.completed AND s.separation_risk AND s.outcome = ANY(:stayed)",
    "separated": "s.completed AND s.separation_risk AND s.outcome = ANY(:left)",
}
# One pass over the window. The agency that missed a deadline was written down with the breach.
_SQL = """
WITH mine AS (
  SELECT a.id, a.agency_id, a.referral_id, a.state, a.reason, a.offered_at, a.acknowledged_at,
         a.accepted_at, a.seen_at, r.outcome, r.wants_feedback, r.feedback_at, r.separation_risk,
         (r.recipient_id = a.id AND r.completed_at IS NOT NULL) AS completed,
         least(
           (SELECT min(g.sent_at) FROM attempts g WHERE g.recipient_id = a.id),
           (SELECT min(d.created_at) FROM deliveries d
            WHERE d.referral_id = a.referral_id AND d.agency_id = a.agency_id
              AND d.created_at >= a.offered_at AND d.attempts > 0),
           (SELECT p.asked_at FROM agency_cases p WHERE p.recipient_id = a.id)
         ) AS tried_at
  FROM recipients a JOIN referrals r ON r.id = a.referral_id
  WHERE NOT is_practice(r.call_id, r.contact_id)
), shown AS (
  SELECT * FROM mine WHERE offered_at >= :since AND offered_at < :until
), late AS (
  SELECT s.id, count(*) AS breaches
  FROM shown s JOIN deadline_breaches b ON b.recipient_id = s.id
  JOIN deadlines c ON c.id = b.deadline_id
  WHERE (c.kind = 'acknowledge' AND s.tried_at < b.due_at)
     OR (c.kind IN ('details', 'seen', 'follow_up') AND s.acknowledged_at < b.due_at)
  GROUP BY s.id
)
SELECT CASE WHEN grouping(g.code) = 1 THEN NULL ELSE g.code END AS agency,
  max(g.name) AS name, max(g.sector) AS sector,
  {counts},
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.acknowledged_at - s.offered_at))
    AS median_seconds_to_acknowledge,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM s.acknowledged_at - s.offered_at))
    AS p90_seconds_to_acknowledge,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.seen_at - s.offered_at))
    AS median_seconds_to_see_child,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM s.seen_at - s.offered_at))
    AS p90_seconds_to_see_child,
  coalesce(sum(late.breaches), 0) AS breaches,
  {members}
FROM shown s JOIN agencies g ON g.id = s.agency_id LEFT JOIN late ON late.id = s.id
GROUP BY GROUPING SETS ((g.code), ())
ORDER BY grouping(g.code) DESC, g.code
"""

_REASONS = """
SELECT g.code AS agency, a.reason AS word,
  string_agg(uuid_send(r.id), ''::bytea) AS ids
FROM recipients a JOIN agencies g ON g.id = a.agency_id
JOIN referrals r ON r.id = a.referral_id AND NOT is_practice(r.call_id, r.contact_id)
WHERE a.offered_at >= :since AND a.offered_at < :until AND a.state = 'rejected'
GROUP BY g.code, a.reason
"""
_OUTCOMES = """
SELECT g.code AS agency, coalesce(r.outcome, :missing) AS word,
  string_agg(uuid_send(r.id), ''::bytea) AS ids
FROM recipients a JOIN agencies g ON g.id = a.agency_id
JOIN referrals r ON r.id = a.referral_id AND r.recipient_id = a.id
  AND NOT is_practice(r.call_id, r.contact_id)
WHERE a.offered_at >= :since AND a.offered_at < :until AND r.completed_at IS NOT NULL
GROUP BY 1, 2
"""


async def accountability(work: Work, since: datetime, until: datetime) -> list[Row]:
    """Return the measures of all agencies together, then of each agency."""
    window = {"since": since, "until": until}
    lists = {"stayed": sorted(STAYED), "left": sorted(LEFT)}
    sql = _SQL.format(
        counts=counts_sql(COUNTED),
        members=members_sql("s.referral_id", COUNTED, "coalesce(late.breaches, 0)", "g.code"),
    )
    statement = text(sql).bindparams(bindparam("stayed"), bindparam("left"))
    rows = (await work.session.execute(statement, {**window, **lists})).mappings().all()
    reasons = await _of_agencies(work, _REASONS, window)
    outcomes = await _of_agencies(work, _OUTCOMES, {**window, "missing": Missing.OUTCOME.value})
    found = []
    for row in rows:
        code = row["agency"]
        values = {name: plain_number(row[name]) for name in DEFINITIONS}
        rejected, ended = reasons.get(code, {}), outcomes.get(code, {})
        found.append(
            Row(
                code or ALL,
                row["name"] if code else N_("All agencies"),
                row["sector"] if code else "",
                values,
                _numbers(rejected),
                _numbers(ended),
                row["members"] or b"",
                rejected,
                ended,
            )
        )
    # Without any offer, keep the total row of zeros.
    return [row for row in found if row.values["offered"]] or found[:1]


async def _of_agencies(
    work: Work, sql: str, window: dict[str, Any]
) -> dict[str | None, dict[str, bytes]]:
    """Return the referrals of each word, by agency; under None those of all agencies."""
    found: dict[str | None, dict[str, bytes]] = {}
    every: dict[str, list[bytes]] = {}
    for agency, word, ids in await work.session.execute(text(sql), window):
        found.setdefault(agency, {})[word] = ids
        every.setdefault(word, []).append(ids)
    found[None] = {word: b"".join(parts) for word, parts in every.items()}
    return found


def _numbers(ids: dict[str, bytes]) -> dict[str, int]:
    return {word: len(some) // ID_BYTES for word, some in sorted(ids.items())}


def plain_number(value: Any) -> int | float | None:
    """Return a number of the database for a view: whole, or with one decimal."""
    if value is None:
        return None
    number = float(value)
    return int(number) if number.is_integer() else round(number, 1)
