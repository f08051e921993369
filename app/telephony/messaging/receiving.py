"""What a child writes by a carrier is received: once, in a conversation, and in the queue."""

import contextlib
import hashlib
from collections.abc import Mapping

from app.calls import callers
from app.calls.chat_rules import read_chat
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.calls.states import CallState, Channel
from app.chats import by_carrier, ending, media, messages, opening, sendings, stopped_numbers
from app.chats.left import left
from app.chats.media import Attached
from app.chats.models import Author
from app.dialling import outward
from app.log import log
from app.privacy.hash_kinds import HashOf
from app.referrals.reading import has_open_urgent_referral
from app.routing import staff_phones
from app.routing.plan import URGENT_REFERRAL_PRIORITY
from app.sealing.hashes import carry_caller
from app.telephony.inbound import staff_phone
from app.telephony.messaging import registry
from app.telephony.messaging.base import Arrived, Carrier
from app.telephony.messaging.stopping import means_stop
from app.telephony.provider.signature import Signed
from app.work import Work


async def text_arrived(work: Work, signed: Signed) -> str:
    """Handle a text that the provider brings. Return what is answered at once; often nothing."""
    carrier = registry.by_prefix(signed.fields.get("From", ""))
    line = await line_of_child(work, carrier, signed.fields) if carrier is not None else None
    if carrier is None or line is None:
        # Answered here and now: it is not found again as one that never reached us.
        sid, again = signed.fields.get("MessageSid", ""), False
        if carrier is not None and sid:
            again = not await by_carrier.claim(work, carrier.channel, sid)
        said = await staff_phone.text_message(work, signed, again=again)
        if said is None and carrier is not None:
            await _keep(work, carrier, signed.fields)
        return said or ""
    arrived = carrier.read(signed.fields)
    if arrived is None:
        # No sender whom we could answer: a short code, an advertisement, a withheld number.
        return ""
    await receive(work, carrier.channel, line, arrived)
    return ""


async def _keep(work: Work, carrier: Carrier, fields: Mapping[str, str]) -> None:
    """Keep what a child wrote to a line that takes no messages, and whom no answer may ask to ring:
    a person sees it, and there is no other way to help."""
    arrived = carrier.read(fields)
    line = await finding_lines.line_of_number(work, carrier.line_in(fields))
    if arrived is None or line is None or not (arrived.text or arrived.has_media):
        return
    if await outward.many_unanswered(work):
        log().error("very many texts cannot be answered", area="chats", line=line.number)
        return
    await carry_caller(work, arrived.address)
    key = work.keys.match_key(HashOf.CALLER, arrived.address)
    await by_carrier.only_one(work, line, carrier.channel, key)
    await _receive(work, carrier.channel, line, key, arrived)


async def line_of_child(
    work: Work, carrier: Carrier, fields: Mapping[str, str]
) -> LineScript | None:
    """Return the line to which a child writes by this carrier; None for what no line takes.

    A conversation that has begun goes on, also if its line has been retired since, or has given
    its number away. A counsellor's phone sets their presence by SMS.
    """
    if await staff_phones.owner_of(work, fields.get("From")) is not None:
        return None
    ours, arrived = carrier.line_in(fields), carrier.read(fields)
    if arrived is not None and ours is not None:
        await carry_caller(work, arrived.address)
        key = work.keys.match_key(HashOf.CALLER, arrived.address)
        line_id = await by_carrier.line_written_to(work, carrier.channel, key, ours)
        if line_id is not None:
            return await finding_lines.line_of_id(work, line_id)
    line = await finding_lines.line_of_number(work, ours)
    return line if line is not None and takes(line, carrier.channel) else None


def takes(line: LineScript, channel: Channel) -> bool:
    """Return whether children begin to write to a line by a carrier."""
    rules = read_chat(line.chat)
    return line.active and rules.on and channel.value in rules.by


async def receives(work: Work, line: LineScript, channel: Channel) -> bool:
    """Return whether a line receives messages: it takes them, or has an open conversation."""
    return takes(line, channel) or await by_carrier.has_open(work, line.id, channel)


async def receive(work: Work, channel: Channel, line: LineScript, arrived: Arrived) -> None:
    """Receive what a child wrote. The same message is received once, however often it is brought.

    A line that takes no messages any more goes on with its open conversations; what another child
    writes to it meanwhile is left for later, so that it is not lost.
    """
    await carry_caller(work, arrived.address)
    key = work.keys.match_key(HashOf.CALLER, arrived.address)
    await by_carrier.only_one(work, line, channel, key)
    if not await by_carrier.claim(work, channel, arrived.sid):
        return
    something = arrived.text or arrived.has_media or arrived.attached
    if something or arrived.stops or arrived.begins:
        await _receive(work, channel, line, key, arrived)


async def _receive(
    work: Work, channel: Channel, line: LineScript, key: bytes, arrived: Arrived
) -> None:
    if arrived.stops or means_stop(arrived.text):
        await _stop(work, channel, line, key, arrived)
        return
    await stopped_numbers.opt_in(work, line.id, channel.value, key)
    says_danger = await by_carrier.says_danger(work, line, channel, key, arrived.text)
    call = await by_carrier.running(work, line, channel, key)
    if call is not None:
        await _say(work, call, arrived)
        if says_danger and CallState(call.state) is not CallState.CONNECTED:
            await opening.say_danger(work, call, line)
        return
    language = await by_carrier.language_of(work, line, key, arrived.language)
    # A block ends nothing that has begun with danger: where the child is, and what it answers.
    even_if_blocked = says_danger or await by_carrier.had_danger_lately(work, line, channel, key)
    flood = await by_carrier.is_flood(work, line, channel, key)
    earlier = await _earlier(
        work, channel, line, key, language, says_danger=says_danger, even_if_blocked=even_if_blocked
    )
    if earlier is not None:
        # More of what was left before: one answer will do.
        answer = await left.answered_in(work, earlier)
        await _say(work, earlier, arrived, afterwards=True)
        await left.came_again(work, earlier, answer, again=says_danger)
    elif flood and not even_if_blocked and not by_carrier.is_danger(line, arrived.text, language):
        log().warning("a number opens very many conversations", area="chats", line=line.number)
        await by_carrier.refuse_flood(work, line, channel, key, arrived.ours, arrived.sid)
    else:
        await _begin(
            work,
            channel,
            line,
            arrived,
            language,
            says_danger=says_danger,
            even_if_blocked=even_if_blocked,
        )


async def _earlier(
    work: Work,
    channel: Channel,
    line: LineScript,
    key: bytes,
    language: str,
    *,
    says_danger: bool,
    even_if_blocked: bool,
) -> Call | None:
    """Return the message that a number left before, locked, if what it writes belongs to it."""
    if says_danger:
        if await by_carrier.is_staffed(work, line, language, danger=True):
            return None
        return await by_carrier.danger_of_this_hour(work, line, channel, key)
    if not even_if_blocked and await callers.is_blocked(work, key):
        return None
    if takes(line, channel) and await by_carrier.is_staffed(work, line, language):
        return None
    return await by_carrier.unanswered(work, line, channel, key)


async def _begin(
    work: Work,
    channel: Channel,
    line: LineScript,
    arrived: Arrived,
    language: str,
    *,
    says_danger: bool,
    even_if_blocked: bool,
) -> None:
    call = await by_carrier.begin(
        work,
        line,
        channel,
        arrived.address,
        language=language,
        says_danger=says_danger,
        even_if_blocked=even_if_blocked,
    )
    if await has_open_urgent_referral(work, call):
        call.priority += URGENT_REFERRAL_PRIORITY
    await _say(work, call, arrived)
    if call.blocked:
        await by_carrier.refuse(work, call)
    elif not takes(line, channel) and not call.danger:
        await by_carrier.leave(work, call)
    else:
        await by_carrier.queue_or_leave(work, call, line)


async def _say(work: Work, call: Call, arrived: Arrived, *, afterwards: bool = False) -> None:
    """Add what the child wrote to a locked conversation, and send what waited for that."""
    if CallState(call.state) is not CallState.ENDED:
        call.heard_at = work.now
    attached = await _taken(work, call, arrived)
    try:
        await _add(work, call, arrived, attached, afterwards=afterwards)
    except messages.TooFast:
        # More than a person can type. What came before it is kept, and the child is told.
        log().warning("a number floods its conversation", area="chats", call=str(call.id))
        await messages.tell(work, call, Sentence.TOO_FAST, f"{work.now:%Y%m%d%H}")
    if arrived.has_media or len(attached) < len(arrived.attached):
        await messages.tell(work, call, Sentence.NO_MEDIA, key_of(arrived.sid)[-32:])
    await sendings.release(work, call)
    await by_carrier.note_arrival(work, call, arrived.sid, arrived.ours)


async def _taken(work: Work, call: Call, arrived: Arrived) -> list[Attached]:
    """Return what the line takes of what came with a message."""
    line = await finding_lines.line_of_id(work, call.line_id) if arrived.attached else None
    if line is None:
        return []
    kinds = read_chat(line.chat).media
    found = [one for one in arrived.attached if one.kind.value in kinds]
    return found[: await media.room_for(work, call)] if found else []


async def _add(
    work: Work, call: Call, arrived: Arrived, attached: list[Attached], *, afterwards: bool
) -> None:
    """Add the words of a message, and have fetched what came with it. Raises TooFast."""
    words = arrived.text or "".join(media.SYMBOLS[one.kind] for one in attached)
    for begins in range(0, len(words), messages.LONGEST):
        message = await messages.add(
            work,
            call,
            Author.CHILD,
            text=words[begins : begins + messages.LONGEST],
            client_key=key_of(arrived.sid + (f" from {begins}" if begins else "")),
            afterwards=afterwards,
            sent_at=arrived.at,
        )
        if begins == 0:
            media.want(work, call, message, attached)


def key_of(sid: str) -> str:
    """Return the key of a message within its conversation."""
    return hashlib.sha256(sid.encode()).hexdigest()[:40]


async def _stop(
    work: Work, channel: Channel, line: LineScript, key: bytes, arrived: Arrived
) -> None:
    """Send no more to a number, and end its conversation; the word is kept in it. The child is told
    so, unless the carrier has told it.

    A word that was found late counts for nothing if the child has written since.
    """
    call = await by_carrier.latest(work, line, channel, key)
    if call is None:
        return
    # Clocks differ by seconds: only a word that was found long after counts as late.
    late = (
        arrived.at is not None
        and not arrived.stops
        and work.now - arrived.at > messages.LATE
        and arrived.at < await sendings.last_word_at(work, call)
    )
    if CallState(call.state) is not CallState.ENDED and arrived.text:
        with contextlib.suppress(messages.TooFast):
            await _add(work, call, arrived, [], afterwards=False)
    if late:
        return
    if not await stopped_numbers.is_out(work, call):
        await stopped_numbers.opt_out(work, call)
        if not arrived.stops:
            await messages.tell(work, call, Sentence.OPTED_OUT, f"{work.now:%Y%m%d%H%M%S}")
    await ending.end_as_child(work, call.id)
