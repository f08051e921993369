"""Counts of referrals in SQL, each with the referrals that it counts.

A count that is shown is rounded by the referrals in it (see `statistics/protection`). So each
condition is written once, and makes both the count and its members.
"""

from collections.abc import Mapping

# A member: the referral's id of 16 bytes, a bit for each count that it is in, and its missed
# deadlines; both numbers have 4 bytes, the highest first.
MEMBER_BYTES = 24
ID_BYTES = 16


def counts_sql(conditions: Mapping[str, str]) -> str:
    """Return a column for each count; conditions are fixed SQL, never user input."""
    return ",\n  ".join(f"count(*) FILTER (WHERE {sql}) AS {n}" for n, sql in conditions.items())


def members_sql(referral: str, conditions: Mapping[str, str], breaches: str, by: str) -> str:
    """Return the column `members` of each group by `by`; the row of all has none.

    The bits follow the order of the conditions, the lowest first.
    """
    bits = " + ".join(
        f"CASE WHEN {sql} THEN {1 << n} ELSE 0 END" for n, sql in enumerate(conditions.values())
    )
    return (
        f"CASE WHEN grouping({by}) = 0 THEN string_agg(\n"
        f"    uuid_send({referral}) || int4send({bits}) || int4send({breaches}::int), ''::bytea)\n"
        "  END AS members"
    )
