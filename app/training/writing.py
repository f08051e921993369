"""Practice in writing: a scripted child writes with a trainee, at the desk like any other.

The conversation belongs to the line of practice calls, is offered to its trainee alone, and is in
no figure. Its words are messages; what the child answers follows from the acts that the trainee
notes, as in a practice call.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import CallState, Channel
from app.chats import ending, messages
from app.chats.models import Author, Message
from app.jobs.names import Task
from app.routing import offers, presence
from app.routing.models import PresenceState
from app.staff.models import Staff
from app.training.models import Practice
from app.training.scenarios import Scenario, Silence, common
from app.training.script import Turn
from app.work import Work

# Messages that begin with this in their key ask whether the counsellor is still there.
_ASKS = "practice-asks"


async def begin(
    work: Work, practice: Practice, scenario: Scenario, staff: Staff, line_id: UUID
) -> None:
    """Let the child write its first words, and offer the conversation to its trainee."""
    call = await record.open_conversation(
        work, channel=Channel.WEB, line_id=line_id, language=practice.language, danger=False
    )
    practice.call_id, call.rings_only_id = call.id, staff.id
    await record.record(
        work, call, CallLog.CONVERSATION_OPENED, language=practice.language, danger=False
    )
    for n, words in enumerate(scenario.opens):
        await _write(work, call, f"practice-opens-{n}", words.in_(practice.language))
    await record.enter_queue(work, call, language=practice.language, danger=False, priority=0)
    now = await presence.lock_presence(work, staff.id)
    if now.state == PresenceState.BREAK:
        now.after_call = PresenceState.BREAK.value
    await offers.open_offer(work, call, staff, now, slot=1)
    _watch(work, practice, scenario)


async def _write(work: Work, call: Call, key: str, words: str) -> None:
    await messages.add(work, call, Author.CHILD, text=words, client_key=key)


async def answer(work: Work, practice: Practice, turns: list[Turn]) -> None:
    """Let the child write what it answers to the acts so far; each answer is written once.

    It leaves after its last words.
    """
    assert practice.call_id is not None
    call = await record.lock_call(work, practice.call_id)
    if CallState(call.state) is not CallState.CONNECTED:
        return
    for number, turn in enumerate(turns, 1):
        for n, words in enumerate(turn.says):
            key = f"practice-says-{number}-{n}"
            await _write(work, call, key, words.in_(practice.language))
    if turns and turns[-1].ends is not None:
        await ending.end_as_child(work, call.id)


async def watch(work: Work, practice: Practice, scenario: Scenario) -> bool:
    """Let a child who is not answered ask, and leave in the end. Return whether it has left.

    May run twice: what is asked depends on what was written, and when.
    """
    assert practice.call_id is not None
    call = await record.lock_call(work, practice.call_id)
    if CallState(call.state) is CallState.ENDED:
        return False
    silence = silence_of(scenario)
    if CallState(call.state) is CallState.CONNECTED:
        rows = await work.session.execute(
            select(Message.author, Message.client_key, Message.at)
            .where(
                Message.call_id == call.id, Message.author.in_((Author.CHILD, Author.COUNSELLOR))
            )
            .order_by(Message.number.desc())
        )
        asked, since = 0, call.answered_at or call.opened_at
        for author, key, at in rows:
            if author == Author.CHILD and (key or "").startswith(_ASKS):
                asked += 1
                continue
            since = max(since, at)
            break
        waited = (work.now - since).total_seconds()
        if waited >= silence.hangs_up_after:
            await ending.end_as_child(work, call.id)
            return True
        if waited >= silence.asks_after * (asked + 1):
            words = silence.asks[min(asked, len(silence.asks) - 1)]
            key = f"{_ASKS}-{since:%H%M%S}-{asked}"
            await _write(work, call, key, words.in_(practice.language))
    _watch(work, practice, scenario)
    return False


def silence_of(scenario: Scenario) -> Silence:
    return scenario.silence or common().written_silence


def _watch(work: Work, practice: Practice, scenario: Scenario) -> None:
    delay = timedelta(seconds=silence_of(scenario).asks_after / 3)
    work.defer(Task.WATCH_WRITTEN_PRACTICE, delay=delay, practice_id=str(practice.id))
