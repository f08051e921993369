"""How agencies reply, in numbers without identities: each measure is defined once, here.

A measure counts the referrals that were offered to an agency in a window (half-open).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from app.referrals.states import LEFT, STAYED, Missing
from app.words.pages import N_
from app.work import Work

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
  count(*) AS offered,
  count(s.acknowledged_at) AS acknowledged,
  count(s.accepted_at) AS accepted,
  count(*) FILTER (WHERE s.state = 'rejected') AS rejected,
  count(*) FILTER (WHERE s.state = 'unanswered' AND s.tried_at IS NOT NULL) AS unanswered,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.acknowledged_at - s.offered_at))
    AS median_seconds_to_acknowledge,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM s.acknowledged_at - s.offered_at))
    AS p90_seconds_to_acknowledge,
  count(s.seen_at) AS seen,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.seen_at - s.offered_at))
    AS median_seconds_to_see_child,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM s.seen_at - s.offered_at))
    AS p90_seconds_to_see_child,
  coalesce(sum(late.breaches), 0) AS breaches,
  count(*) FILTER (WHERE s.completed) AS completed,
  count(*) FILTER (WHERE s.completed AND s.wants_feedback) AS feedback_wanted,
  count(*) FILTER (WHERE s.completed AND s.wants_feedback AND s.feedback_at IS NOT NULL)
    AS feedback_given,
  count(*) FILTER (WHERE s.completed AND s.separation_risk) AS separation_risk,
  count(*) FILTER (WHERE s.completed AND s.separation_risk AND s.outcome = ANY(:stayed))
    AS separation_prevented,
  count(*) FILTER (WHERE s.completed AND s.separation_risk AND s.outcome = ANY(:left))
    AS separated
FROM shown s JOIN agencies g ON g.id = s.agency_id LEFT JOIN late ON late.id = s.id
GROUP BY GROUPING SETS ((g.code), ())
ORDER BY grouping(g.code) DESC, g.code
"""

_REASONS = """
SELECT g.code AS agency, a.reason AS word, count(*) AS n
FROM recipients a JOIN agencies g ON g.id = a.agency_id
JOIN referrals r ON r.id = a.referral_id AND NOT is_practice(r.call_id, r.contact_id)
WHERE a.offered_at >= :since AND a.offered_at < :until AND a.state = 'rejected'
GROUP BY g.code, a.reason
"""
_OUTCOMES = """
SELECT g.code AS agency, coalesce(r.outcome, :missing) AS word, count(*) AS n
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
    statement = text(_SQL).bindparams(bindparam("stayed"), bindparam("left"))
    rows = (await work.session.execute(statement, {**window, **lists})).mappings().all()
    reasons = await _counted(work, _REASONS, window)
    outcomes = await _counted(work, _OUTCOMES, {**window, "missing": Missing.OUTCOME.value})
    found = []
    for row in rows:
        code = row["agency"]
        values = {name: plain_number(row[name]) for name in DEFINITIONS}
        found.append(
            Row(
                code or "all",
                row["name"] if code else N_("All agencies"),
                row["sector"] if code else "",
                values,
                _of(reasons, code),
                _of(outcomes, code),
            )
        )
    # Without any offer, keep the total row of zeros.
    return [row for row in found if row.values["offered"]] or found[:1]


async def _counted(work: Work, sql: str, window: dict[str, Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in (await work.session.execute(text(sql), window)).mappings():
        found.setdefault(row["agency"], {})[row["word"]] = row["n"]
    return found


def _of(counted: dict[str, dict[str, int]], code: str | None) -> dict[str, int]:
    if code is not None:
        return dict(sorted(counted.get(code, {}).items()))
    total: dict[str, int] = {}
    for words in counted.values():
        for word, n in words.items():
            total[word] = total.get(word, 0) + n
    return dict(sorted(total.items()))


def plain_number(value: Any) -> int | float | None:
    """Return a number of the database for a view: whole, or with one decimal."""
    if value is None:
        return None
    number = float(value)
    return int(number) if number.is_integer() else round(number, 1)
