"""A child opens a written conversation, and comes back to it with its secret."""

import base64
import re
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.exc import IntegrityError

from app.calls import callers, record
from app.calls.chat_rules import ChatRules, read_chat
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState, Channel
from app.chats import ended_without_counsellor, news
from app.chats.left import kept
from app.chats.models import Access, Author
from app.contacts import contacts
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.jobs.transaction import ask
from app.privacy.hash_kinds import HashOf
from app.routing.plan import DANGER_PRIORITY, NEAR_BLOCKED_PRIORITY, read_plan
from app.routing.rota import staffing
from app.work import Work

# The page makes it by chance: a person who knows it can read the conversation.
_OPENING_KEY = re.compile(r"[A-Za-z0-9_-]{32,64}")
# How long a request to open a conversation can be repeated.
_REPEATED_WITHIN = timedelta(minutes=5)
# The most danger calls of one visit or number within an hour that ask an agency by themselves.
MOST_DANGER_CALLS = 3
_HOUR = timedelta(hours=1)
# How long a secret opens a conversation that has ended, or one to which the child came back with a
# code: long enough to read once more what was said and to rate it, and over before the next person
# sits down at a shared phone or computer with a copy of it.
SECRET_LASTS = timedelta(hours=3)
# Whose secret it is, as a process remembers it, and how long before it must be noted again that the
# page is there.
_SECRETS = "secrets of conversations"
_IN_TIME = timedelta(seconds=2)
# The page says this often at most that it is there.
HEARD_EVERY = timedelta(seconds=10)
# A child who was away for this long is noted as back.
_AWAY = timedelta(seconds=60)


class NotWritten(NotFound):
    default = "You cannot write to this line. Call it instead."


class WrongSecret(NotFound):
    default = "There is no such conversation. Begin a new one."


class KeyUsed(Conflict):
    default = "This key has opened a conversation before. Choose a new key."


class Origin(NamedTuple):
    """Where a child writes, without who it is. `visit`: the hash of the chance number of the page.
    `near_blocked`: a visit from the same network was blocked a while ago. `danger_again`: danger
    was written from this network again and again within the hour."""

    visit: bytes | None = None
    near_blocked: bool = False
    danger_again: bool = False


class Visitor(NamedTuple):
    """The conversation of a secret. `blocked`: its visit of the page has just been blocked."""

    call_id: UUID
    blocked: bool = False


class Opened(NamedTuple):
    """A conversation, and the secret with which its child comes back."""

    call: Call
    secret: str


def visit_key(work: Work, visit: str) -> bytes | None:
    """Return the hash of the chance number of a page; None if it has none."""
    return work.keys.match_key(HashOf.VISIT, visit) if visit else None


def rules_of(line: LineScript | None) -> ChatRules:
    """Return how children write to a line. Raises NotWritten."""
    rules = read_chat(line.chat) if line is not None else ChatRules()
    if not rules.on:
        raise NotWritten()
    return rules


def languages_of(line: LineScript) -> list[str]:
    """Return the languages in which children can write to a line, the first one first."""
    rules = read_chat(line.chat)
    return [one.language for one in line.languages if rules.speaks(one.language)]


async def open_conversation(
    work: Work,
    line: LineScript,
    *,
    language: str,
    danger: bool,
    client_key: str,
    origin: Origin = Origin(),
    leaves: bool = False,
) -> Opened:
    """Open a conversation and queue the child, if a counsellor who writes is on duty.

    The same `client_key` opens one conversation, however often it arrives. `leaves`: the child has
    left, and only its words are to be said, so the key is never too old. Raises NotWritten,
    Invalid, KeyUsed.
    """
    rules_of(line)
    if language not in languages_of(line):
        raise Invalid(
            "Choose one of the languages of this line: %(languages)s.",
            languages=languages_of(line),
        )
    if not _OPENING_KEY.fullmatch(client_key):
        raise Invalid("Send a key of 32 to 64 letters, digits, hyphens or underscores.")
    opened_with = _opened_with(work, client_key)
    secret = _secret(work, client_key)
    known = await _opened_before(work, opened_with, leaves=leaves)
    if known is not None:
        if danger:
            # It was said after the first request, whose answer did not arrive.
            await say_danger(work, known, line, again=origin.danger_again)
        return Opened(known, secret)
    try:
        async with work.session.begin_nested():
            call = await record.open_conversation(
                work,
                channel=Channel.WEB,
                line_id=line.id,
                language=language,
                danger=danger,
                visit_key=origin.visit,
            )
            work.session.add(
                Access(
                    call_id=call.id,
                    secret_key=work.keys.session_key(secret),
                    opened_with=opened_with,
                )
            )
            await work.session.flush()
    except IntegrityError:
        known = await _opened_before(work, opened_with, leaves=leaves)
        if known is None:
            raise
        return Opened(known, secret)
    await _begin(work, call, line, origin)
    return Opened(call, secret)


async def _begin(work: Work, call: Call, line: LineScript, origin: Origin) -> None:
    """Queue the child of a new conversation, by what is known of where it writes."""
    danger = call.danger
    call.priority = read_plan(line.plan).priority
    if origin.near_blocked:
        # It waits a little longer than others, and is never kept out: a school is one network.
        call.priority += NEAR_BLOCKED_PRIORITY
    call.danger_again = danger and (origin.danger_again or await _said_danger_often(work, call))
    call.blocked = (
        not danger and origin.visit is not None and await callers.is_blocked(work, origin.visit)
    )
    await record.record(
        work,
        call,
        CallLog.CONVERSATION_OPENED,
        language=call.language,
        danger=danger,
        again=call.danger_again or None,
    )
    if call.blocked:
        await record.record(work, call, CallLog.BLOCKED)
    await admit(work, call, line)


async def has_opened(work: Work, client_key: str) -> bool:
    """Return whether a key has opened a conversation."""
    opened_with = _opened_with(work, client_key)
    found = select(Access.call_id).where(Access.opened_with == opened_with)
    return await work.session.scalar(found) is not None


def _opened_with(work: Work, client_key: str) -> bytes:
    return work.keys.text_key(f"chat opened with:{client_key}")


async def _said_danger_often(work: Work, call: Call) -> bool:
    """Return whether other conversations of a visit were in danger again and again."""
    if call.visit_key is None:
        return False
    return await said_danger_often(work, call, Call.visit_key == call.visit_key)


async def said_danger_often(work: Work, call: Call, *alike: ColumnElement[bool]) -> bool:
    """Return whether other conversations were in danger again and again within the hour. `alike`:
    what they have in common, such as the page or the number that they came from."""
    lately = await work.session.scalar(
        select(func.count()).where(
            *alike,
            Call.id != call.id,
            Call.danger,
            Call.opened_at > work.now - _HOUR,
        )
    )
    return (lately or 0) >= MOST_DANGER_CALLS


async def _opened_before(work: Work, opened_with: bytes, *, leaves: bool) -> Call | None:
    call_id = await work.session.scalar(
        select(Access.call_id).where(Access.opened_with == opened_with)
    )
    if call_id is None:
        return None
    call = await record.lock_call(work, call_id)
    if not leaves and work.now - call.opened_at > _REPEATED_WITHIN:
        raise KeyUsed()
    return call


def _secret(work: Work, client_key: str) -> str:
    """Return the secret of a conversation: 256 bits that only this helpline can make of the key,
    so that a repeated request gets the same one and it is stored nowhere."""
    made = work.keys.text_key(f"chat secret:{client_key}")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


async def admit(work: Work, call: Call, line: LineScript) -> None:
    """Queue a child whose conversation is not queued, if a counsellor who writes is on duty.

    If none is, the conversation says why, and the child can leave a message. A child in danger is
    referred if no counsellor answers. One whose visit is blocked waits for a word of danger.
    """
    if call.blocked or CallState(call.state) is not CallState.GREETING:
        return
    language = call.language or languages_of(line)[0]
    found = await staffing.staffing(work, line, language, danger=call.danger, written=True)
    if found.unstaffed is not None:
        call.unstaffed = found.unstaffed.value
        await record.record(
            work, call, CallLog.UNSTAFFED, why=found.unstaffed.value, danger=call.danger
        )
        if call.danger:
            work.defer(Task.DANGER_UNANSWERED, call_id=str(call.id))
        work.announce(Topic.CALLS, Topic.CHATS.of(call.id))
        return
    call.unstaffed = None
    if call.danger:
        work.defer(Task.WATCH_DANGER, call_id=str(call.id))
    await record.enter_queue(
        work,
        call,
        language=language,
        danger=call.danger,
        priority=DANGER_PRIORITY if call.danger else call.priority,
    )
    work.announce(Topic.CHATS.of(call.id))


async def admit_again(work: Work, call: Call) -> None:
    """Queue a child whose words have just opened its blocked visit, and tell its page."""
    line = await finding_lines.line_of_id(work, call.line_id)
    if line is not None:
        await admit(work, call, line)
    work.announce(Topic.CHATS.of(news.of_child(call.id)))


async def say_danger(work: Work, call: Call, line: LineScript, *, again: bool = False) -> None:
    """Note that the child is in danger, on a locked call: it is served before all others, also if
    its visit is blocked. `again`: it was said from its network again and again within the hour.

    On a conversation that has ended, people act on it: after a talk the counsellor and our own
    staff, otherwise as on danger that no counsellor answers.
    """
    if call.danger:
        return
    again = again or await _said_danger_often(work, call)
    call.danger, call.danger_again, call.blocked = True, again, False
    call.priority = max(call.priority, DANGER_PRIORITY)
    await record.record(work, call, CallLog.DANGER, state=call.state, again=again or None)
    if CallState(call.state) is CallState.ENDED:
        await _hear_late_danger(work, call)
        return
    if CallState(call.state) in (CallState.QUEUED, CallState.OFFERED):
        work.defer(Task.WATCH_DANGER, call_id=str(call.id))
    await admit(work, call, line)
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.QUEUE)
    await news.announce(work, call.id)


async def _hear_late_danger(work: Work, call: Call) -> None:
    """Have people act on danger that was said after the end, on a locked call."""
    if call.answered_at is not None:
        await ended_without_counsellor.keep(work, call)
        await contacts.note_danger(work, call.id)
    else:
        if call.messages:
            await kept.wait_again(work, call)
        work.defer(Task.DANGER_UNANSWERED, call_id=str(call.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
    await news.announce(work, call.id)


# One statement for each request of a child's page: whose secret it is, and that it was heard.
_OF_SECRET = """
WITH found AS MATERIALIZED (
  SELECT c.id, c.state, c.heard_at, EXISTS (SELECT FROM caller_flags g
    WHERE g.caller_key = c.visit_key AND g.kind = 'blocked' AND g.lifted_at IS NULL
      AND g.expires_at > %(at)s) AS blocked
  FROM calls c JOIN chat_access a ON a.call_id = c.id
  WHERE a.secret_key = %(secret_key)s
    AND (c.ended_at IS NULL OR greatest(c.ended_at, a.given_at) >= %(over_before)s)
), heard AS (
  UPDATE calls c SET heard_at = %(at)s FROM found f
  WHERE c.id = f.id AND f.heard_at <= %(heard_since)s AND c.state <> 'ended'
)
SELECT id, state, heard_at, blocked FROM found
"""


async def conversation_of(work: Work, secret: str) -> Visitor:
    """Return the conversation of a secret, and note that the child's page is there.

    While it was noted a moment ago, a process remembers whose secret it is: a page asks and tells
    several things with each message. Raises WrongSecret.
    """
    memory, key = work.ground.memory, work.keys.session_key(secret)
    known: UUID | None = memory.recall(_SECRETS, key, work.now)
    if known is not None:
        return Visitor(known)
    found = await ask(
        work,
        _OF_SECRET,
        secret_key=key,
        at=work.now,
        heard_since=work.now - HEARD_EVERY,
        over_before=work.now - SECRET_LASTS,
    )
    if not found:
        raise WrongSecret()
    call_id: UUID = found[0]["id"]
    visitor = Visitor(call_id, found[0]["blocked"])
    away = work.now - found[0]["heard_at"] >= _AWAY
    if found[0]["state"] == CallState.ENDED:
        return visitor
    work.keys.keep_session_key(secret, of_chat=True)
    if away:
        await news.announce(work, call_id, Author.CHILD)
    noted = found[0]["heard_at"]
    if noted <= work.now - HEARD_EVERY:
        noted = work.now
    memory.keep(_SECRETS, key, call_id, noted + HEARD_EVERY - _IN_TIME)
    return visitor


# How long the visit of a page is known after the end of its conversation.
_VISIT_LASTS = timedelta(hours=24)
# What is forgotten changes no figure.
_NOT_COUNTED = text("SELECT set_config('helpline.erasing', 'on', true)")


async def forget_visits(work: Work) -> None:
    """Forget which conversations came from one visit of a page, a day after they ended."""
    await work.session.execute(_NOT_COUNTED)
    await work.session.execute(
        update(Call)
        .where(Call.visit_key.is_not(None), Call.ended_at < work.now - _VISIT_LASTS)
        .values(visit_key=None)
        .execution_options(synchronize_session=False)
    )
