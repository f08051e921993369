"""The statements that are sent with every message of a conversation on the page: one for each
request, which reads, writes and announces together."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from app.calls.log_kinds import CallLog
from app.chats.feedback import WAS_DANGER
from app.chats.models import Author, Message, ReaderKind
from app.chats.news import Mark, child_in_sql, conversation_in_sql, holder_in_sql, types
from app.database.bus import CHANNEL
from app.database.quick import Row
from app.jobs.transaction import ask
from app.work import Work

# -- writing -----------------------------------------------------------------------------------

# The call is locked before the message is numbered and the event gets its id. What a concurrent
# transaction wrote meanwhile is not seen here: then the number or the key is not unique, and
# nothing is written. The offer is read with a lock, too, so that its latest state counts.
_SAY = """
WITH conversation AS MATERIALIZED (
  SELECT c.id AS call_id, {holder} AS holder_id,
    (SELECT coalesce(max(m.number), 0) + 1 FROM chat_messages m WHERE m.call_id = c.id) AS number
  FROM calls c {offer}
  WHERE c.id = %(call_id)s AND {may_say}
    AND NOT EXISTS (SELECT FROM chat_messages m
      WHERE m.call_id = c.id AND m.client_key = %(client_key)s)
  FOR UPDATE OF c {lock}
), written AS (
  INSERT INTO chat_messages
    (id, call_id, number, author, kind, staff_id, text_sealed, client_key, at)
  SELECT %(id)s, call_id, number, %(author)s, %(kind)s, %(staff_id)s, %(text_sealed)s,
    %(client_key)s, %(at)s
  FROM conversation
), logged AS (
  INSERT INTO call_events (call_id, kind, source, at, detail, previous, hash)
  SELECT call_id, %(event)s, %(source)s, %(at)s,
    %(detail)s || jsonb_build_object('number', number), ''::bytea, ''::bytea
  FROM conversation
), typed AS (
  DELETE FROM chat_typing WHERE call_id = %(call_id)s AND author = %(author)s
    AND EXISTS (SELECT FROM conversation)
)
SELECT number, pg_notify(%(channel)s, {conversation}), {notify}
FROM conversation
"""

_SAY_AS_CHILD = _SAY.format(
    conversation=conversation_in_sql("call_id"),
    holder="""(SELECT o.counsellor_id FROM offers o
      WHERE o.call_id = c.id AND o.released_at IS NULL AND o.state = 'connected' LIMIT 1)""",
    offer="",
    may_say="""c.state = 'connected' AND c.heard_at > %(heard_since)s
    AND (SELECT count(*) FROM chat_messages m WHERE m.call_id = c.id AND m.author = 'child'
      AND m.at > %(minute_ago)s) < %(most)s""",
    lock="",
    notify=f"""CASE WHEN holder_id IS NOT NULL
    THEN pg_notify(%(channel)s, {holder_in_sql("holder_id", "call_id")}) END""",
)
_SAY_AS_STAFF = _SAY.format(
    conversation=conversation_in_sql("call_id"),
    holder="o.counsellor_id",
    offer="JOIN offers o ON o.call_id = c.id",
    may_say="""c.state = 'connected' AND c.channel = 'web' AND c.first_word_at IS NOT NULL
    AND o.counsellor_id = %(staff_id)s AND o.released_at IS NULL AND o.state = 'connected'""",
    lock="FOR SHARE OF o",
    notify=f"pg_notify(%(channel)s, {child_in_sql('call_id')})",
)


async def say(
    work: Work,
    call_id: UUID,
    text: str,
    client_key: str,
    *,
    staff_id: UUID | None = None,
    **limits: Any,
) -> Message | None:
    """Add a checked message to an open conversation, with its event and what is announced, in one
    statement that is a transaction by itself. `staff_id`: its counsellor, or the child writes.

    Return None, with nothing written, if anything is in the way: the caller finds out what, under
    the lock of the call.
    """
    if work.opened is not None:
        return None
    author = Author.CHILD if staff_id is None else Author.COUNSELLOR
    message = Message(
        id=uuid4(),
        call_id=call_id,
        author=author.value,
        kind=ReaderKind.SAID.value,
        staff_id=staff_id,
        client_key=client_key,
        at=work.now,
    )
    message.text_sealed = work.keys.seal(
        text.encode(), table="chat_messages", column="text_sealed", row=message.id
    )
    detail: dict[str, Any] = {"author": author.value, "whisper": None}
    if work.actor.staff_id is not None:
        detail["staff_id"] = str(work.actor.staff_id)
    columns = ("id", "author", "kind", "staff_id", "text_sealed")
    try:
        rows = await ask(
            work,
            _SAY_AS_CHILD if staff_id is None else _SAY_AS_STAFF,
            **{name: getattr(message, name) for name in columns},
            call_id=call_id,
            client_key=client_key,
            at=work.now,
            event=CallLog.MESSAGE_WRITTEN.value,
            source=work.actor.kind.value,
            detail=Jsonb(detail),
            channel=CHANNEL,
            **limits,
        )
    except UniqueViolation:
        return None
    if not rows:
        return None
    message.number = rows[0]["number"]
    return message


# -- reading -----------------------------------------------------------------------------------

# The most messages that one answer holds.
PAGE = 200
# Who is told of what the child did, and of what its counsellor did. The other side is told all of
# it, so that its page need not ask.
_CALL = "%(call_id)s::uuid"
_OF_CHILD = f"""
topics AS (
  SELECT {conversation_in_sql(_CALL)} AS topic, false AS marks UNION ALL
  SELECT {holder_in_sql("o.counsellor_id", "o.call_id")}, true FROM offers o
  WHERE o.call_id = %(call_id)s AND o.released_at IS NULL AND o.state = 'connected'
)"""
_OF_STAFF = f"""
topics AS (
  SELECT {conversation_in_sql(_CALL)} AS topic, false AS marks UNION ALL
  SELECT {child_in_sql(_CALL)}, true
), mine AS MATERIALIZED (
  SELECT EXISTS (SELECT FROM offers o WHERE o.call_id = %(call_id)s
    AND o.counsellor_id = %(staff_id)s AND o.released_at IS NULL
    AND o.state IN ('accepted', 'connected')) AS holds
)"""
# What is read is delivered by this, and the side that wrote it is told.
_FETCH = """
found AS MATERIALIZED (
  SELECT m.*{sent} FROM chat_messages m {of_sent}
  WHERE m.call_id = %(call_id)s AND m.number > %(after)s AND {which}
  ORDER BY m.number LIMIT {page}
), fetched AS (
  UPDATE chat_messages m SET delivered_at = %(at)s FROM found f
  WHERE m.id = f.id AND m.delivered_at IS NULL AND {to_deliver}
  RETURNING m.number
), told AS (
  SELECT pg_notify(%(channel)s, topic || CASE WHEN marks THEN '{delivered}' || last ELSE '' END)
  FROM topics, (SELECT max(number) AS last FROM fetched) f WHERE last IS NOT NULL
)
"""
_FETCH_AS_CHILD = _FETCH.format(
    delivered=Mark.DELIVERED.begin,
    sent="",
    of_sent="",
    which="m.kind = 'said'",
    page=PAGE,
    to_deliver="m.author <> 'child'",
)
_FETCH_AS_STAFF = _FETCH.format(
    delivered=Mark.DELIVERED.begin,
    sent=", s.sending, s.held_at",
    of_sent="LEFT JOIN chat_sent s ON s.message_id = m.id",
    which="(SELECT holds FROM mine)",
    page=PAGE,
    to_deliver="m.author = 'child'",
)
_READ_AS_CHILD = f"""
WITH {_OF_CHILD}, {_FETCH_AS_CHILD}
SELECT c.state, c.language, c.danger,
  CASE WHEN c.state = 'ended' THEN {WAS_DANGER} END AS was_danger, c.returned,
  c.ended_by, c.messages, c.answered_at,
  a.rated, a.given_at IS NOT NULL AS by_code, a.letters, reached.*, t.id AS typing_id,
  t.text_sealed AS typed_sealed, f.*, (SELECT count(*) FROM told) AS told
FROM calls c
JOIN LATERAL (
  SELECT coalesce(max(m.number) FILTER (WHERE m.delivered_at IS NOT NULL), 0) AS delivered,
    coalesce(max(m.number) FILTER (WHERE m.seen_at IS NOT NULL), 0) AS seen
  FROM chat_messages m WHERE m.call_id = c.id AND m.author = 'child'
) reached ON true
LEFT JOIN chat_access a ON a.call_id = c.id
LEFT JOIN chat_typing t
  ON t.call_id = c.id AND t.author = 'counsellor' AND t.at >= %(typed_since)s
LEFT JOIN found f ON true
WHERE c.id = %(call_id)s ORDER BY f.number
"""
_READ_AS_STAFF = f"""
WITH {_OF_STAFF}, {_FETCH_AS_STAFF}
SELECT c.channel, f.*, (SELECT count(*) FROM told) AS told
FROM calls c JOIN mine ON mine.holds LEFT JOIN found f ON true
WHERE c.id = %(call_id)s ORDER BY f.number
"""
# What the screen of its counsellor shows of one conversation, and its messages. The columns of a
# message come last: they keep their names.
_NEWS_AS_STAFF = f"""
WITH {_OF_STAFF}, {_FETCH_AS_STAFF}
SELECT o.id AS offer_id, o.slot, o.state, o.expires_at, c.id AS holds_id, c.language, c.danger,
  c.danger_again, c.alarming, c.danger_words_sealed, c.returned, c.channel, c.line_id,
  c.rings_only_id, c.heard_at, counted.*,
  t.id AS typing_id, t.text_sealed AS typed_sealed,
  (SELECT a.letters FROM chat_access a WHERE a.call_id = c.id) AS letters, f.*,
  (SELECT count(*) FROM told) AS told
FROM mine JOIN offers o ON mine.holds AND o.call_id = %(call_id)s
  AND o.counsellor_id = %(staff_id)s AND o.released_at IS NULL AND o.slot IS NOT NULL
JOIN calls c ON c.id = o.call_id
JOIN LATERAL (
  SELECT count(*) FILTER (WHERE m.author = 'child' AND m.seen_at IS NULL) AS unread,
    coalesce(max(m.number), 0) AS last,
    min(m.at) FILTER (WHERE m.author = 'child' AND m.number > answered.last) AS waits_since,
    coalesce(max(m.number) FILTER (WHERE m.delivered_at IS NOT NULL AND m.author = 'counsellor'), 0)
      AS delivered,
    coalesce(max(m.number) FILTER (WHERE m.seen_at IS NOT NULL AND m.author = 'counsellor'), 0)
      AS seen
  FROM chat_messages m, (SELECT coalesce(max(number), 0) AS last FROM chat_messages
    WHERE call_id = %(call_id)s AND author = 'counsellor' AND kind = 'said') AS answered
  WHERE m.call_id = c.id
) counted ON true
LEFT JOIN chat_typing t ON t.call_id = c.id AND t.author = 'child' AND t.at >= %(typed_since)s
LEFT JOIN found f ON true
ORDER BY f.number
"""
_SEE = """
, seen AS (
  UPDATE chat_messages SET seen_at = %(at)s, delivered_at = coalesce(delivered_at, %(at)s)
  WHERE call_id = %(call_id)s AND number <= %(number)s AND seen_at IS NULL AND {which}
  RETURNING number
), told AS (
  SELECT pg_notify(%(channel)s, topic || CASE WHEN marks THEN '{mark}' || last ELSE '' END)
  FROM topics, (SELECT max(number) AS last FROM seen) s WHERE last IS NOT NULL
)
SELECT {holds} AS holds, (SELECT count(*) FROM told) AS told
"""
_SEE_AS_CHILD = f"WITH {_OF_CHILD}" + _SEE.format(
    mark=Mark.SEEN.begin, which="author <> 'child' AND kind = 'said'", holds="true"
)
_SEE_AS_STAFF = f"WITH {_OF_STAFF}" + _SEE.format(
    mark=Mark.SEEN.begin,
    which="author = 'child' AND (SELECT holds FROM mine)",
    holds="(SELECT holds FROM mine)",
)


# Words bound to a row must be read with that row: each sign is a row of its own.
_TYPE = """
, writes AS (
  SELECT c.id FROM calls c WHERE c.id = %(call_id)s AND c.state <> 'ended' AND {holds}
), noted AS (
  INSERT INTO chat_typing (call_id, author, id, at, text_sealed)
  SELECT w.id, %(author)s, %(id)s, %(at)s, %(text_sealed)s FROM writes w
  WHERE NOT %(stopped)s AND (%(text_sealed)s::bytea IS NOT NULL OR NOT EXISTS (
    SELECT FROM chat_typing t
    WHERE t.call_id = w.id AND t.author = %(author)s AND t.at > %(told_since)s))
  ON CONFLICT (call_id, author) DO UPDATE
    SET id = excluded.id, at = excluded.at, text_sealed = excluded.text_sealed
  RETURNING true
), gone AS (
  DELETE FROM chat_typing t USING writes w
  WHERE %(stopped)s AND t.call_id = w.id AND t.author = %(author)s RETURNING true
), told AS (
  SELECT pg_notify(%(channel)s, topic || CASE WHEN marks THEN %(marks)s ELSE '' END) FROM topics
  WHERE EXISTS (SELECT FROM noted) OR EXISTS (SELECT FROM gone)
)
SELECT {holds} AS holds, (SELECT count(*) FROM told) AS told
"""
_TYPE_AS_CHILD = f"WITH {_OF_CHILD}" + _TYPE.format(holds="true")
_TYPE_AS_STAFF = f"WITH {_OF_STAFF}" + _TYPE.format(holds="(SELECT holds FROM mine)")


class Read(NamedTuple):
    """What is known of a conversation, and its messages after a number."""

    facts: Row
    # Their columns: many are read at once, and an object of each would cost more than reading it.
    messages: list[Row]


async def read_as_child(
    work: Work, call_id: UUID, after: int, typed_since: datetime
) -> Read | None:
    """Return what the child's page shows of a conversation; what it fetches is delivered."""
    return await _read(work, _READ_AS_CHILD, call_id, after, typed_since=typed_since)


async def read_as_holder(work: Work, staff_id: UUID, call_id: UUID, after: int) -> Read | None:
    """Return what was said and whispered, which is delivered by this to the counsellor of the
    conversation; None if it is not theirs."""
    return await _read(work, _READ_AS_STAFF, call_id, after, staff_id=staff_id)


async def read_news(
    work: Work, staff_id: UUID, call_id: UUID, after: int, typed_since: datetime
) -> Read | None:
    """Return what the screen of a counsellor shows of one conversation, with the messages after a
    number, which are delivered by this; None if it is not theirs."""
    return await _read(
        work, _NEWS_AS_STAFF, call_id, after, staff_id=staff_id, typed_since=typed_since
    )


async def _read(work: Work, sql: str, call_id: UUID, after: int, **more: Any) -> Read | None:
    rows = await ask(work, sql, call_id=call_id, after=after, at=work.now, channel=CHANNEL, **more)
    if not rows:
        return None
    return Read(rows[0], [row for row in rows if row["id"] is not None])


async def see_as_child(work: Work, call_id: UUID, number: int) -> None:
    """Note that the child has seen the messages up to a number."""
    await ask(work, _SEE_AS_CHILD, call_id=call_id, number=number, at=work.now, channel=CHANNEL)


async def see_as_holder(work: Work, staff_id: UUID, call_id: UUID, number: int) -> bool:
    """Note that the counsellor has seen the messages up to a number. Return whether the
    conversation is theirs."""
    (row,) = await ask(
        work,
        _SEE_AS_STAFF,
        call_id=call_id,
        staff_id=staff_id,
        number=number,
        at=work.now,
        channel=CHANNEL,
    )
    holds: bool = row["holds"]
    return holds


async def note_typing(
    work: Work, call_id: UUID, text: str | None, told_since: datetime, staff_id: UUID | None = None
) -> bool:
    """Note that the child types, or with `staff_id` its counsellor; or with an empty text, that
    all was deleted. Return whether the conversation is theirs.

    The other side is told of typing only if it was not told since `told_since`, and of words
    always.
    """
    row_id = uuid4()
    sealed = None
    if text:
        sealed = work.keys.seal(
            text.encode(), table="chat_typing", column="text_sealed", row=row_id
        )
    (row,) = await ask(
        work,
        _TYPE_AS_CHILD if staff_id is None else _TYPE_AS_STAFF,
        call_id=call_id,
        author=(Author.CHILD if staff_id is None else Author.COUNSELLOR).value,
        id=row_id,
        at=work.now,
        text_sealed=sealed,
        stopped=text == "",
        told_since=told_since,
        marks="" if text else types(text is None),
        channel=CHANNEL,
        **({} if staff_id is None else {"staff_id": staff_id}),
    )
    holds: bool = row["holds"]
    return holds
