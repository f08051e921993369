"""Facts: one row for each call, and one for each contact without a call.

What a child told is sealed in the record where it is special (`app/definitions/special.py`). The
statistics open as many of these codes as a fact needs, after a row in the log, and keep the columns
that are made of them sealed (`days.py`).

They are read from the record with one query a day. Nothing is invented: what was not said is "?",
what does not exist is "-". All instants are cut to whole seconds before they are subtracted.
"""

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row

from app.calls.states import Outcome
from app.contacts.states import ContactState, channel_of_call
from app.definitions.library import Library
from app.privacy.keys import Keys
from app.statistics.facts.columns import Kind, Packed, pack
from app.statistics.facts.form_answers import Readers, said_value
from app.statistics.facts.questions import ONE, SEVERAL, Questions
from app.statistics.facts.unknowns import MISSING, NONE, NOT_SAID

# -- columns -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column of facts. `words` is its entry in the data dictionary."""

    name: str
    kind: Kind
    words: str
    # call: for all readers; staff: for those who may see single counsellors; record: if approved.
    part: Literal["call", "staff", "record"] = "call"


COLUMNS: dict[str, Column] = {
    c.name: c
    for c in [
        Column("id", "raw", "our id of the call, or of the contact if there is no call"),
        Column(
            "at",
            "number",
            "when the call arrived or the contact was taken; seconds since 1970, UTC",
        ),
        Column("is_call", "number", "1 for a call that came in, 0 for anything else"),
        Column(
            "outbound",
            "number",
            "2 for a call-back that reached a person, 1 for one that did not, 0 for anything else",
        ),
        Column("line", "word", "the number that was called"),
        Column("language", "word", "the language that the caller chose"),
        Column(
            "outcome",
            "word",
            "how the call ended; `open` while it goes on. `turned_away`: "
            "the caller was told on arrival that no counsellor was there. A caller who waited "
            "and left is abandoned, with or without a counsellor on duty. `voicemail`: with a "
            "voice message; `message_left`: with written words that no counsellor had read",
        ),
        Column(
            "circumstance",
            "word",
            "whether a counsellor was there: `staffed`, "
            "`no_counsellor_on_duty` (none had signed in), `out_of_hours` (none on shift)",
        ),
        Column("ended_by", "word", "who ended the call; `-` while it goes on"),
        Column("caller_kind", "word", "kind of the caller's number"),
        Column("queued", "number", "seconds from the arrival to the queue; -1: never"),
        Column("answered", "number", "seconds from the arrival to the answer; -1: never"),
        Column(
            "first_word",
            "number",
            "seconds from the arrival to the first word of a counsellor: the answer of a call, the "
            "first message of a conversation; -1: none",
        ),
        Column(
            "first_answer",
            "number",
            "seconds from the arrival to the first answer to a message or a wish to be called "
            "back: the call-back in which a counsellor and a person talked, or the first written "
            "answer; -1: none, or the call was answered",
        ),
        Column("ended", "number", "seconds from the arrival to the end; -1: not yet"),
        Column(
            "wait",
            "number",
            "seconds in the queue, until the answer, a message, a call-back or the end; -1: none",
        ),
        Column(
            "second_waits",
            "number",
            "how often the caller waited again after a lost line or a failed hand-over",
        ),
        Column("second_wait", "number", "seconds of these waits, together"),
        Column("second_longest", "number", "seconds of the longest of these waits; -1: none"),
        Column("talk", "number", "seconds of talk without hold"),
        Column("hold", "number", "seconds on hold"),
        Column("wrap", "number", "seconds of wrap-up after the call"),
        Column("offers", "number", "offers to counsellors"),
        Column("missed", "number", "offers that were missed"),
        Column("declined", "number", "offers that were declined"),
        Column("transfers", "number", "hand-overs to another counsellor"),
        Column(
            "inherited", "number", "talks that a colleague in the talk continued after a lost line"
        ),
        Column("outside", "number", "hand-overs to a partner outside the helpline"),
        Column("returned", "number", "returns to the queue after a lost line"),
        Column("danger", "number", "1 if the danger key was pressed"),
        Column("called_before", "number", "1 if the number had rung before, 0 if not, -1 unknown"),
        Column(
            "messages_of_child",
            "number",
            "messages that the child wrote; -1: it did not come in writing",
        ),
        Column(
            "messages_of_helpline",
            "number",
            "messages that counsellors wrote to the child, without those of the program; -1: it "
            "did not come in writing",
        ),
        Column(
            "left_typing",
            "number",
            "1 if the child left before a counsellor came while it was typing, or with words that "
            "it had not sent",
        ),
        Column(
            "code",
            "number",
            "2 if the child came back with the code of its message, 1 if it was given one and "
            "did not, 0 if it was given none",
        ),
        Column("counsellor", "word", "counsellor who talked last, or owns the contact", "staff"),
        Column(
            "channel",
            "word",
            "channel of the contact; without one `call`, or how the child wrote: `chat`, `sms`",
        ),
        Column("contact", "word", "state of the contact", "record"),
        Column("contact_id", "raw", "our id of the contact; zeros: none", "record"),
        Column(
            "closed_as",
            "word",
            "why the contact was closed as non-counselling; `not_closed` for the rest",
            "record",
        ),
        Column(
            "purpose",
            "word",
            "`counselling`, `information`, `none` (closed as "
            "non-counselling), or `draft` while it is not complete",
            "record",
        ),
        Column("kind", "word", "who made contact", "record"),
        Column("place", "word", "where the child lives", "record"),
        Column("urgency", "word", "the urgency that the counsellor set", "record"),
        Column(
            "suggested",
            "word",
            "the urgency that the signs of danger suggested at the time",
            "record",
        ),
        Column("relationship", "word", "relationship of the caller to the child", "record"),
        Column("role", "word", "profession of the professional who reports", "record"),
        Column("setting", "word", "where it happened", "record"),
        Column("settlement", "word", "whether the child lives in a town or a village", "record"),
        Column("felt_helped", "word", "whether the child felt helped", "record"),
        Column("follow_up", "word", "whether a call-back is needed", "record"),
        Column("categories", "words", "what the contact was about", "record"),
        Column("children", "number", "number of children described", "record"),
        Column("ages", "words", "age of each child in years", "record"),
        Column("sexes", "words", "gender of each child, in the same order", "record"),
        Column("disabilities", "words", "disabilities of the children", "record"),
        Column("living", "words", "living situations of the children", "record"),
        Column("residence", "words", "residence status of the children", "record"),
        Column("groups", "words", "vulnerable groups of the children", "record"),
        Column("danger_signs", "words", "signs of danger", "record"),
        Column("perpetrators", "words", "relationship of the perpetrators to the child", "record"),
        Column("actions", "words", "what was done", "record"),
    ]
}

# The columns that are made of what a child told: kept days hold them sealed.
SEALED = frozenset({"categories", "ages", "sexes", "children", *ONE, *SEVERAL})

# The kind of a contact, by the code of the form, in which no child is counselled.
_INFORMATION = "information"

# One query for a stretch of time. Instants are cut to seconds before every subtraction.
_SQL = """
WITH c AS (
  SELECT c.*, l.number AS line, floor(extract(epoch FROM c.opened_at))::bigint AS at_s,
    floor(extract(epoch FROM c.queued_at))::bigint AS queued_s,
    floor(extract(epoch FROM c.answered_at))::bigint AS answered_s,
    floor(extract(epoch FROM CASE WHEN c.channel = 'voice' THEN c.answered_at
      ELSE c.first_word_at END))::bigint AS word_s,
    floor(extract(epoch FROM c.ended_at))::bigint AS ended_s
  FROM calls c LEFT JOIN lines l ON l.id = c.line_id
  WHERE c.opened_at >= %(since)s AND c.opened_at < %(until)s AND NOT coalesce(l.practice, false)
), o AS (
  -- A hand-over opens and is accepted in one instant: it is no offer.
  SELECT o.call_id, count(*) FILTER (WHERE o.expires_at > o.opened_at) AS offers,
    count(*) FILTER (WHERE o.state = 'missed') AS missed,
    count(*) FILTER (WHERE o.state = 'declined') AS declined,
    count(o.connected_at) AS talks,
    sum(greatest(floor(extract(epoch FROM least(o.released_at, c.ended_at)))
      - floor(extract(epoch FROM o.connected_at)), 0))
      FILTER (WHERE o.connected_at IS NOT NULL) AS together,
    (array_agg(o.counsellor_id ORDER BY o.connected_at DESC)
      FILTER (WHERE o.connected_at IS NOT NULL))[1] AS counsellor_id,
    sum(greatest(floor(extract(epoch FROM w.until_at)) - floor(extract(epoch FROM w.at)), 0))
      AS wrap
  FROM c JOIN offers o ON o.call_id = c.id
  LEFT JOIN LATERAL (
    SELECT p.at, (SELECT n.at FROM presence_changes n WHERE n.counsellor_id = p.counsellor_id
      AND n.id > p.id ORDER BY n.id LIMIT 1) AS until_at
    FROM presence_changes p WHERE o.connected_at IS NOT NULL
      AND p.counsellor_id = o.counsellor_id AND p.at = o.released_at AND p.after = 'wrap_up'
    LIMIT 1
  ) w ON true
  GROUP BY o.call_id
), moved AS (
  SELECT c.id,
    count(*) FILTER (WHERE e.kind = 'handed_over' AND e.detail->>'inherited' IS NULL) AS transfers,
    count(*) FILTER (WHERE e.kind = 'handed_over' AND e.detail->>'inherited' IS NOT NULL)
      AS inherited,
    count(*) FILTER (WHERE e.kind = 'handed_outside') AS outside
  FROM c JOIN call_events e ON e.call_id = c.id AND e.kind IN ('handed_over', 'handed_outside')
  GROUP BY c.id
), held AS (
  SELECT DISTINCT c.id FROM c JOIN call_events e ON e.call_id = c.id AND e.kind = 'hold'
), h AS (
  -- A hold that the provider refused was none; after a refused resume it goes on.
  SELECT call_id, sum(greatest(next_s - s, 0)) AS hold FROM (
    SELECT e.call_id, e.kind, floor(extract(epoch FROM e.at)) AS s,
      lag(e.kind) OVER log AS before, lead(e.kind) OVER log AS after,
      lead(floor(extract(epoch FROM e.at))) OVER log AS next_s
    FROM held JOIN call_events e ON e.call_id = held.id
      AND e.kind IN ('hold', 'resume', 'hold_failed', 'counsellor_lost', 'end')
    WINDOW log AS (PARTITION BY e.call_id ORDER BY e.id)
  ) s WHERE kind = 'hold' AND after IS DISTINCT FROM 'hold_failed'
    OR kind = 'resume' AND after = 'hold_failed' OR kind = 'hold_failed' AND before = 'resume'
  GROUP BY call_id
), again AS (
  SELECT call_id, count(next_s) AS second_waits, sum(greatest(next_s - s, 0)) AS second_wait,
    max(greatest(next_s - s, 0)) FILTER (WHERE next_s IS NOT NULL) AS second_longest
  FROM (
    SELECT e.call_id, e.kind, floor(extract(epoch FROM e.at)) AS s,
      lead(floor(extract(epoch FROM e.at))) OVER (PARTITION BY e.call_id ORDER BY e.id) AS next_s
    FROM c JOIN call_events e ON e.call_id = c.id AND c.returned > 0
      AND e.kind IN ('counsellor_lost', 'connect', 'leave_queue', 'end')
  ) s WHERE kind = 'counsellor_lost' GROUP BY call_id
), went AS (
  SELECT c.id, floor(extract(epoch FROM max(e.at)))::bigint AS left_s
  FROM c JOIN call_events e ON e.call_id = c.id AND e.kind = 'leave_queue'
  WHERE c.outcome IN ('voicemail', 'callback_requested') GROUP BY c.id
), said AS (
  SELECT c.id, count(*) FILTER (WHERE m.author = 'child') AS by_child,
    count(*) FILTER (WHERE m.author IN ('counsellor', 'supervisor')) AS by_helpline,
    floor(extract(epoch FROM min(m.at) FILTER (WHERE m.author IN ('counsellor', 'supervisor'))))
      ::bigint AS answer_s
  FROM c JOIN chat_messages m ON m.call_id = c.id AND m.kind <> 'whisper'
  WHERE c.channel <> 'voice' GROUP BY c.id
), noted AS (
  SELECT c.id, bool_or(e.kind = 'left_typing') AS left_typing,
    max(CASE e.kind WHEN 'child_back' THEN 2 WHEN 'code_given' THEN 1 ELSE 0 END) AS code
  FROM c JOIN call_events e ON e.call_id = c.id
    AND e.kind IN ('left_typing', 'child_back', 'code_given')
  WHERE c.channel <> 'voice' GROUP BY c.id
), back AS (
  SELECT c.id, floor(extract(epoch FROM min(r.answered_at)))::bigint AS answer_s
  FROM c JOIN callbacks b ON b.call_id = c.id
  JOIN calls r ON r.callback_id = b.id AND r.answered_at IS NOT NULL
  WHERE c.outcome IN ('voicemail', 'callback_requested') GROUP BY c.id
)
SELECT c.id, c.at_s, (c.direction = 'inbound')::int AS is_call,
  CASE WHEN c.direction = 'inbound' THEN 0 WHEN c.answered_at IS NULL THEN 1 ELSE 2 END
    AS outbound,
  coalesce(c.line, '?') AS line, c.language,
  coalesce(c.outcome, 'open') AS outcome, c.unstaffed, c.ended_by, c.caller_kind, c.queued_s,
  c.answered_s, c.word_s, c.ended_s, went.left_s, nullif(c.channel, 'voice') AS written,
  coalesce(o.offers, 0) AS offers, coalesce(o.missed, 0) AS missed,
  coalesce(o.declined, 0) AS declined, coalesce(o.talks, 0) AS talks,
  o.together::bigint AS together, coalesce(h.hold, 0)::bigint AS hold,
  coalesce(o.wrap, 0)::bigint AS wrap, c.returned, c.danger,
  coalesce(moved.transfers, 0) AS transfers, coalesce(moved.inherited, 0) AS inherited,
  coalesce(moved.outside, 0) AS outside, coalesce(again.second_waits, 0) AS second_waits,
  coalesce(again.second_wait, 0)::bigint AS second_wait, again.second_longest::bigint,
  CASE WHEN c.called_before IS NOT NULL THEN c.called_before
    WHEN c.caller_key IS NULL OR c.direction <> 'inbound' THEN NULL ELSE EXISTS (
    SELECT FROM calls e LEFT JOIN lines el ON el.id = e.line_id
    WHERE e.caller_key = c.caller_key AND e.opened_at < c.opened_at
      AND NOT coalesce(el.practice, false) AND e.direction = 'inbound'
  ) END AS called_before,
  CASE WHEN c.outcome NOT IN ('voicemail', 'callback_requested') THEN NULL
    WHEN c.channel = 'voice' THEN back.answer_s ELSE said.answer_s END AS answer_s,
  CASE WHEN c.channel <> 'voice' THEN coalesce(said.by_child, 0) END AS by_child,
  CASE WHEN c.channel <> 'voice' THEN coalesce(said.by_helpline, 0) END AS by_helpline,
  coalesce(noted.left_typing, false) AS left_typing, coalesce(noted.code, 0) AS code,
  o.counsellor_id,
  k.id AS contact_id, k.state, k.channel, k.closed_as, k.kind, k.place, k.urgency,
  k.urgency_suggested, k.form, k.form_version, k.answers, special.codes
FROM c LEFT JOIN o ON o.call_id = c.id LEFT JOIN h ON h.call_id = c.id
LEFT JOIN moved ON moved.id = c.id LEFT JOIN again ON again.call_id = c.id
LEFT JOIN went ON went.id = c.id LEFT JOIN said ON said.id = c.id
LEFT JOIN noted ON noted.id = c.id LEFT JOIN back ON back.id = c.id
LEFT JOIN contacts k ON k.call_id = c.id
{special}
UNION ALL
SELECT k.id, floor(extract(epoch FROM k.taken_at))::bigint, 0, 0, '-', NULL, '-', NULL, NULL, '-',
  NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, 0, false, 0, 0, 0, 0, 0, NULL, NULL,
  NULL, NULL, NULL, false, 0, k.owner_id,
  k.id, k.state, k.channel, k.closed_as, k.kind, k.place, k.urgency, k.urgency_suggested, k.form,
  k.form_version, k.answers, special.codes
FROM contacts k
{special}
WHERE k.call_id IS NULL AND k.taken_at >= %(since)s AND k.taken_at < %(until)s
ORDER BY 2, 1
"""

# Only the codes that a fact is made of are taken from sealed answers: no text leaves the database.
_SPECIAL = """
LEFT JOIN LATERAL (
  SELECT jsonb_object_agg(s.key, s.value) AS codes FROM jsonb_each_text(k.sealed) s
  WHERE split_part(s.key, '.', 1) || '.' || split_part(s.key, '.', -1) = ANY(%(places)s)
) special ON true
"""
_NO_SPECIAL = "CROSS JOIN (SELECT NULL::jsonb AS codes) special"

Connection = psycopg.AsyncConnection[Any]


async def facts_of(
    connection: Connection,
    since: datetime,
    until: datetime,
    library: Library,
    asked: Questions,
    keys: Keys | None,
) -> tuple[int, dict[str, Packed]]:
    """Return the facts of a stretch of time: the number of records, and their columns.

    Without keys, what is sealed counts as not said: the columns of `SEALED` are then of no use.
    """
    readers = Readers(library, asked)
    sql = _SQL.replace("{special}", _NO_SPECIAL if keys is None else _SPECIAL)
    cursor = connection.cursor(row_factory=namedtuple_row, binary=True)
    values = {"since": since, "until": until, "places": readers.places}
    await cursor.execute(sql, values)
    rows = await cursor.fetchall()
    # In a thread: a busy day has thousands of rows, and callers must not wait for them.
    packed = await asyncio.to_thread(_packed, rows, readers, keys)
    return len(rows), packed


def _told(row: Any, keys: Keys | None) -> dict[str, Any]:
    """Return the answers of a contact with the special codes that facts are made of."""
    answers: dict[str, Any] = row.answers or {}
    if keys is None or not row.codes:
        return answers
    opened = {
        path: json.loads(
            keys.open(base64.b64decode(sealed), table="contacts", column=path, row=row.contact_id)
        )
        for path, sealed in row.codes.items()
    }
    return {**answers, **opened}


def _packed(rows: list[Any], reader: "Readers", keys: Keys | None) -> dict[str, Packed]:
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        for name, value in _fact(row, reader, keys).items():
            columns[name].append(value)
    return {name: pack(name, column.kind, columns[name]) for name, column in COLUMNS.items()}


def day_bounds(day: Any) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a day in UTC."""
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begins, begins + timedelta(days=1)


def _after(at: int, value: int | None) -> int:
    return MISSING if value is None else value - at


def _outcome(row: Any) -> str:
    """Return how a call ended. Whether a counsellor was there is the fact `circumstance`."""
    if row.outbound:
        return NONE
    if row.outcome in (Outcome.NO_COUNSELLOR_ON_DUTY, Outcome.OUT_OF_HOURS):
        return "turned_away" if row.queued_s is None else Outcome.ABANDONED_IN_QUEUE.value
    if row.written and row.outcome == Outcome.VOICEMAIL:
        return "message_left"
    return str(row.outcome)


def _fact(row: Any, reader: "Readers", keys: Keys | None) -> dict[str, Any]:
    at = row.at_s
    together = row.together
    if together is None and row.answered_s is not None and row.ended_s is not None:
        # Reported late: both were in the conference, but it is not known through which offer.
        together = max(row.ended_s - row.answered_s, 0)
    wait = MISSING
    if row.queued_s is not None:
        until = next((s for s in (row.answered_s, row.left_s, row.ended_s) if s is not None), None)
        wait = MISSING if until is None else max(until - row.queued_s, 0)
    there = row.contact_id is not None
    return {
        "id": row.id.bytes,
        "at": at,
        "is_call": row.is_call,
        "outbound": row.outbound,
        "line": row.line,
        "language": row.language or (NOT_SAID if row.is_call else NONE),
        "outcome": _outcome(row),
        "circumstance": (row.unstaffed or "staffed") if row.is_call else NONE,
        "ended_by": row.ended_by or NONE,
        "caller_kind": row.caller_kind,
        "queued": _after(at, row.queued_s),
        "answered": _after(at, row.answered_s),
        "first_word": _after(at, row.word_s),
        "first_answer": _after(at, row.answer_s),
        "ended": _after(at, row.ended_s),
        "wait": wait,
        "second_waits": row.second_waits,
        "second_wait": row.second_wait,
        "second_longest": MISSING if row.second_longest is None else row.second_longest,
        "talk": max((together or 0) - row.hold, 0),
        "hold": min(row.hold, together or 0),
        "wrap": row.wrap,
        "offers": row.offers,
        "missed": row.missed,
        "declined": row.declined,
        "transfers": row.transfers,
        "inherited": row.inherited,
        "outside": row.outside,
        "returned": row.returned,
        "danger": int(row.danger),
        "called_before": MISSING if row.called_before is None else int(row.called_before),
        "messages_of_child": MISSING if row.by_child is None else row.by_child,
        "messages_of_helpline": MISSING if row.by_helpline is None else row.by_helpline,
        "left_typing": int(row.left_typing),
        "code": row.code,
        "counsellor": str(row.counsellor_id) if row.counsellor_id else NONE,
        "channel": row.channel or _channel(row),
        "contact": row.state if there else NONE,
        "contact_id": row.contact_id.bytes if there else UUID(int=0).bytes,
        "closed_as": (row.closed_as or "not_closed") if there else NONE,
        "purpose": _purpose(row) if there else NONE,
        "kind": said_value(there, row.kind),
        "place": said_value(there, row.place),
        "urgency": said_value(there, row.urgency),
        "suggested": (row.urgency_suggested or NONE) if there else NONE,
        **reader.of(row).read(there, _told(row, keys)),
    }


def _channel(row: Any) -> str:
    """Return the channel of a call without a contact."""
    if row.written:
        return channel_of_call(row.written).value
    return "call" if row.is_call or row.outbound else NOT_SAID


def _purpose(row: Any) -> str:
    """Return what a contact was for; only a complete record is counselling or information."""
    if row.closed_as is not None:
        return "none"
    if row.state != ContactState.COMPLETE:
        return "draft"
    return _INFORMATION if row.kind == _INFORMATION else "counselling"
