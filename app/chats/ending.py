"""A conversation begins to be a talk, goes on with another counsellor, and ends.

Words that no counsellor has read when it ends are kept as a message that waits in the inbox.
"""

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.calls.states import CallState, EndedBy
from app.chats import danger_marks, ended_without_counsellor, messages, opening, reading, typing
from app.chats.left import kept, left
from app.chats.models import Author
from app.contacts import contacts
from app.database.topics import Topic
from app.errors import Conflict, Refusal
from app.routing import in_hand, offers, releasing
from app.routing.models import Offer, OfferState
from app.staff.models import Staff
from app.work import Work


async def accept(work: Work, call: Call, offer: Offer) -> None:
    """Accept an offer of a call or a conversation, which is a talk at once, with its contact.

    Both are locked. Raises OfferNoLongerOpen.
    """
    fresh = offer.state == OfferState.OPEN
    await offers.accept_offer(work, call, offer)
    if call.is_written and fresh and offer.state == OfferState.CONNECTED:
        await contacts.open_for_call(work, call, offer.counsellor_id)
        await messages.tell(work, call, Sentence.COUNSELLOR_HERE, str(offer.id))


async def follow(work: Work, call_id: UUID, sentence: Sentence, key: str) -> None:
    """Tell the child that its counsellor changed or is busy, and give the contact to the
    counsellor who has the conversation now. May run twice."""
    call = await record.lock_call(work, call_id)
    if CallState(call.state) is CallState.ENDED:
        return
    talk = await offers.live_offer_of_call(work, call_id)
    talks = talk is not None and talk.state == OfferState.CONNECTED
    if sentence is Sentence.BUSY_A_MOMENT and not talks:
        return
    if sentence is Sentence.COUNSELLOR_HERE and talk is not None and talks:
        await contacts.open_for_call(work, call, talk.counsellor_id)
    await messages.tell(work, call, sentence, key)


async def end_as_child(
    work: Work,
    call_id: UUID,
    last: Sequence[tuple[str, str]] = (),
    *,
    typing_on: bool = False,
    stays: bool = False,
) -> None:
    """End the conversation because the child leaves. Ending it again changes nothing.

    `last`: the keys and the words of messages that are perhaps still on their way, in their order.
    Each is said once; what cannot be said keeps no child from leaving. `typing_on`: its page holds
    words that it has not sent. `stays`: its page may come back; the words are said, and nothing
    ends.
    """
    call = await record.lock_call(work, call_id)
    # What is said now ends the sign of the typing.
    waits = CallState(call.state) not in (CallState.CONNECTED, CallState.ENDED)
    typed = waits and (typing_on or await typing.is_typing(work, call_id, work.now))
    before = await messages.last_of(work, call, Author.CHILD)
    for client_key, text in last:
        if call.blocked and CallState(call.state) is CallState.ENDED:
            # Words of danger get through also then.
            await danger_marks.notice(work, call, (text,))
        with contextlib.suppress(Refusal):
            await messages.add(
                work,
                call,
                Author.CHILD,
                text=text,
                client_key=client_key,
                afterwards=left.may_be_read(call),
                last=True,
            )
    if CallState(call.state) is not CallState.ENDED:
        if stays:
            # The page that is loaded again may have read before this came.
            await messages.announce(work, call.id)
        else:
            await _end(work, call, EndedBy.CALLER, typed=typed)
    elif await messages.last_of(work, call, Author.CHILD) > before:
        await _came_late(work, call)


async def _came_late(work: Work, call: Call) -> None:
    """Have a person read words that came after the end, on a locked conversation: one who has put
    it away, or has answered it, sees it once more."""
    if call.messages:
        await kept.wait_again(work, call)
    elif call.answered_at is not None:
        await ended_without_counsellor.keep(work, call)
    else:
        await left.keep_late(work, call)


async def say_danger(work: Work, call: Call, line: LineScript, *, again: bool = False) -> None:
    """Note that the child is in danger, on a locked call, as `opening.say_danger`. What a blocked
    visit wrote before its end, and no person was to read, is kept as a message then."""
    await opening.say_danger(work, call, line, again=again)
    over = CallState(call.state) is CallState.ENDED and call.answered_at is None
    unkept = over and not call.messages and left.may_be_read(call)
    if unkept and await messages.last_of(work, call, Author.CHILD):
        await left.keep_late(work, call)


async def end_as_staff(work: Work, staff: Staff, call_id: UUID) -> None:
    """End a conversation for its counsellor. Raises NotYours, and Conflict for one that waits."""
    call = await record.lock_call(work, call_id)
    if not await in_hand.has_in_hand(work, staff, call_id):
        raise reading.NotYours()
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("This child is still waiting. Only a talk can be ended.")
    await _end(work, call, EndedBy.COUNSELLOR)


async def end_away(work: Work, call_id: UUID) -> None:
    """End a conversation whose child is away: the page is closed, or the network lost for good."""
    call = await record.lock_call(work, call_id)
    if CallState(call.state) is CallState.ENDED:
        return
    settings = work.settings
    talks = CallState(call.state) is CallState.CONNECTED
    seconds = settings.chat_return_seconds if talks else settings.chat_silence_seconds
    if call.heard_at < work.now - timedelta(seconds=seconds):
        await record.record(work, call, CallLog.CHILD_NOT_HEARD, state=call.state)
        typed = not talks and await typing.is_typing(work, call_id, call.heard_at)
        await _end(work, call, EndedBy.AWAY, typed=typed)


async def _end(work: Work, call: Call, by: EndedBy, *, typed: bool = False) -> None:
    await messages.announce(work, call.id)
    if typed:
        await record.record(work, call, CallLog.LEFT_TYPING)
    if await left.holds_unread(work, call):
        await left.keep(work, call, by)
    else:
        await releasing.end_call(work, call, ended_by=by)
    await typing.forget(work, call.id)
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
