"""Words of danger are noted with a conversation, and stay with it as long as what was written.

People are shown that, and which words they are, however much is written after them; nothing is
decided by it but that a block of the visit does not hold.
"""

from collections.abc import Iterable

from sqlalchemy import select

from app.calls import danger_words
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.calls.states import CallState
from app.chats.noticing import danger_in
from app.database.topics import Topic
from app.routing.models import Offer
from app.work import Work


async def notice(work: Work, call: Call, texts: Iterable[str]) -> None:
    """Note the first words in these texts of a child that speak of danger, on a locked call, unless
    some are noted already. Those who see it waiting are told."""
    if call.alarming:
        return
    found = await find(work, call, texts)
    if found is None:
        return
    call.alarming = True
    # A child in danger is never kept out.
    call.blocked = False
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


async def find(work: Work, call: Call, texts: Iterable[str]) -> str | None:
    """Return the first words in these texts that speak of danger, in a language of the call or of
    its line."""
    line = await finding_lines.line_of_id(work, call.line_id)
    spoken = (one.language for one in line.languages) if line is not None else ()
    languages = tuple(dict.fromkeys((*((call.language,) if call.language else ()), *spoken)))
    return next(filter(None, (danger_in(text, languages) for text in texts)), None)
