"""Words of danger are noted with a conversation, while no counsellor has them before their eyes.

People are shown that, and which words they are; nothing is decided by it but that a block of the
visit does not hold.
"""

from collections.abc import Iterable

from sqlalchemy import select

from app.calls import danger_words, lines
from app.calls.models import Call
from app.calls.states import CallState
from app.chats.noticing import danger_in
from app.database.topics import Topic
from app.routing.models import Offer
from app.work import Work


async def notice(work: Work, call: Call, texts: Iterable[str], *, ends_talk: bool = False) -> None:
    """Note the first words in these texts of a child that speak of danger, on a locked call, unless
    a counsellor has them or some are noted already. Those who see it waiting are told.

    `ends_talk`: the talk is about to end. Then it is noted that there were such words, not which:
    its counsellor has read them, or finds them on their desk.
    """
    talks = CallState(call.state) is CallState.CONNECTED
    if call.alarming or (talks and not ends_talk):
        return
    line = await lines.line_of_id(work, call.line_id)
    spoken = (one.language for one in line.languages) if line is not None else ()
    languages = tuple(dict.fromkeys((*((call.language,) if call.language else ()), *spoken)))
    found = next(filter(None, (danger_in(text, languages) for text in texts)), None)
    if found is None:
        return
    call.alarming = True
    # A child in danger is never kept out.
    call.blocked = False
    if talks:
        return
    call.danger_words_sealed = danger_words.sealed(work, call.id, found)
    if CallState(call.state) is CallState.QUEUED:
        work.announce(Topic.QUEUE)
    elif CallState(call.state) is CallState.OFFERED:
        work.announce(Topic.QUEUE)
        asked = select(Offer.counsellor_id).where(
            Offer.call_id == call.id, Offer.released_at.is_(None)
        )
        for who in await work.session.scalars(asked):
            work.announce(Topic.OFFERS.of(who))
