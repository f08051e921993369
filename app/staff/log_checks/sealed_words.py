"""The check of the sealed words of the logs: the checksum of each is worked out again.

Beside sealed words a log keeps their checksum, which no role of the program can change: see
`app/privacy/safe.py`. Replaced words, and words of another row, have another checksum. Words are
gone only where the log says that their record was erased, or the other one that they are about.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, TextClause, text

from app.privacy.keys import SALT_COLUMN, Bound, CannotOpen
from app.privacy.safe import SALT, SEALED_NOTHING, start_of
from app.staff.log_checks.beginnings import ChainReport
from app.work import Work

# Values that are checked together, and how many broken rows are named.
_AT_ONCE, _NAMED = 200, 20
# What stands before the name of a log whose words were checked.
WORDS_OF = "words_of_"
# Words without a checksum: a check sees only whether they open.
BEFORE_SUMS = "words_before_sums"

# The values of a log, one a line: what names the row, to what the value is bound, and its record.
_WORDS = """
SELECT {id} AS id, '{table}' AS bound_table, '{column}' AS bound_column, {row} AS bound_row,
       '' AS path, {column} AS sealed, words_sum, salt_sealed AS salt,
       words_sum IS NOT NULL AS has_sums, {record} AS record, {other} AS other
FROM {table}
"""
_NONE = "NULL::uuid"
# Words about two profiles are in the log of one of them, and go with either.
_OTHER = "CASE subject_kind WHEN 'profile' THEN (detail ->> 'other')::uuid END"
# What a consent is for, whose checksum has its salt within it.
_NAMED_BY_CONSENTS = "for_what_sealed"
_FOR_WHAT = """
UNION ALL
SELECT number AS id, 'consents' AS bound_table, 'for_what_sealed' AS bound_column,
       id AS bound_row, '' AS path, for_what_sealed AS sealed, for_what_sum AS words_sum,
       NULL::bytea AS salt, true AS has_sums, referral_id AS record, NULL::uuid AS other
FROM consents
"""
_EARLIER = """
SELECT id, subject_kind || 's' AS bound_table, path AS bound_column, subject_id AS bound_row,
       path, decode(sealed, 'base64') AS sealed, words_sum, salt_sealed AS salt,
       words_sum IS NOT NULL AS has_sums, subject_id AS record, NULL::uuid AS other
FROM earlier_answers
"""
_VERSIONS = """
SELECT contact_id || '/' || number AS id, 'contacts' AS bound_table, path AS bound_column,
       contact_id AS bound_row, path, decode(s, 'base64') AS sealed, decode(w, 'hex') AS words_sum,
       salt_sealed AS salt, words_sums IS NOT NULL AS has_sums, contact_id AS record,
       NULL::uuid AS other
FROM completed_versions CROSS JOIN LATERAL (
  SELECT path, s, w FROM jsonb_each_text(sealed) AS a (path, s)
  FULL JOIN jsonb_each_text(coalesce(words_sums, '{}')) AS b (path, w) USING (path)) AS each_answer
"""
_LOGS = {
    "record_events": _WORDS.format(
        table="record_events",
        column="words_sealed",
        id="id",
        row="words_id",
        record="subject_id",
        other=_OTHER,
    ),
    "urgency_decisions": _WORDS.format(
        table="urgency_decisions",
        column="reason_sealed",
        id="id",
        row="id",
        record="contact_id",
        other=_NONE,
    ),
    "consents": _WORDS.format(
        table="consents",
        column="words_sealed",
        id="number",
        row="id",
        record="referral_id",
        other=_NONE,
    )
    + _FOR_WHAT,
    "earlier_answers": _EARLIER,
    "completed_versions": _VERSIONS,
}
_CHECK = """
SELECT *, CASE WHEN salt IS NULL AND has_sums THEN EXISTS (
    SELECT FROM record_events e WHERE e.subject_id IN (v.record, v.other) AND e.kind = 'erased')
  END AS is_erased
FROM ({values}) AS v WHERE (sealed IS NOT NULL OR words_sum IS NOT NULL)
"""
_CHECK_AGAIN = f"{_CHECK} AND id::text = ANY(:sought)"


class _Seen(NamedTuple):
    """How many values of a log have checksums, how many have none, and those that do not fit."""

    rows: int
    before: int
    broken: set[int | str]
    unopened: set[int | str]


async def verify_words(work: Work) -> list[ChainReport]:
    """Work out every checksum of the logs again, and report the rows whose words have another one.

    A row is named if it does not fit twice: a statement sees the rows as they were when it began,
    and they may have been sealed anew, and their key retired, before they were opened.
    """
    reports, before = [], 0
    unopened: list[int | str] = []
    for log, values in _LOGS.items():
        seen = await _look(work, log, text(_CHECK.format(values=values)))
        broken, closed = seen.broken, seen.unopened
        if broken or closed:
            sought = [str(row) for row in broken | closed]
            again = text(_CHECK_AGAIN.format(values=values)).bindparams(sought=sought)
            _, _, broken, closed = await _look(work, log, again)
        before += seen.before
        unopened += [f"{log} {row}" for row in closed]
        reports.append(
            ChainReport(f"{WORDS_OF}{log}", seen.rows, sorted(broken, key=_by_number)[:_NAMED], "")
        )
    reports.append(ChainReport(BEFORE_SUMS, before, sorted(unopened, key=_by_number)[:_NAMED], ""))
    return reports


async def _look(work: Work, log: str, statement: TextClause) -> _Seen:
    rows = before = 0
    broken: set[int | str] = set()
    unopened: set[int | str] = set()
    found = await work.session.stream(statement)
    async for batch in found.partitions(_AT_ONCE):
        for row, fits in zip(batch, await _fitting(work, log, batch), strict=True):
            rows += row.has_sums
            before += not row.has_sums
            if not fits:
                name = row.id if isinstance(row.id, int) else str(row.id)
                (broken if row.has_sums else unopened).add(name)
    return _Seen(rows, before, broken, unopened)


async def _fitting(work: Work, log: str, rows: Sequence[Row[Any]]) -> list[bool]:
    """Return whether each value fits its checksum; without a checksum, whether it opens."""
    salts = await _salts(work, log, rows)
    opened = iter(
        await work.keys.sums_all(
            [
                (
                    start_of(salts.get(row.salt, b""), row.path),
                    Bound(row.bound_table, row.bound_column, row.bound_row),
                    bytes(row.sealed),
                )
                for row in rows
                if row.sealed is not None
            ]
        )
    )
    return [_fits(row, salts, None if row.sealed is None else next(opened)) for row in rows]


def _fits(row: Row[Any], salts: dict[bytes, bytes], summed: bytes | CannotOpen | None) -> bool:
    if not row.has_sums:
        return not isinstance(summed, CannotOpen)
    if row.bound_column == _NAMED_BY_CONSENTS:
        return bool(summed == row.words_sum)
    if row.salt is None and row.words_sum is not None:
        return bool(row.is_erased) and (row.sealed is None or len(row.sealed) == SEALED_NOTHING)
    return len(salts.get(row.salt, b"")) == SALT and summed == row.words_sum


async def _salts(work: Work, log: str, rows: Sequence[Row[Any]]) -> dict[bytes, bytes]:
    """Return the salts of rows that open, each by how it is sealed."""
    bound = {row.salt: Bound(log, SALT_COLUMN, row.bound_row) for row in rows if row.salt}
    opened = await work.keys.open_all([(place, sealed) for sealed, place in bound.items()])
    return {
        sealed: salt
        for sealed, salt in zip(bound, opened, strict=True)
        if not isinstance(salt, CannotOpen)
    }


def _by_number(row: int | str) -> tuple[int, str]:
    return len(str(row)), str(row)
