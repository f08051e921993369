"""What was said in written conversations, as it is printed with a case. Whispers stay inside."""

from typing import Any
from zoneinfo import ZoneInfo

from app.calls.models import Call
from app.chats import reading
from app.chats.models import Author, ReaderKind
from app.contacts.models import Contact
from app.contacts.registry import library_of
from app.staff.models import Staff
from app.words import days
from app.words.pages import code_words, spoken_in
from app.work import Work


async def conversations_of(
    work: Work, staff: Staff, contacts: list[Contact], language: str
) -> list[dict[str, Any]]:
    """Return the conversations of the contacts that had one. Each reading is logged."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    found = []
    for contact in contacts:
        call = await work.session.get(Call, contact.call_id) if contact.call_id else None
        if call is None or not call.is_written or contact.erased_at is not None:
            continue
        words = await reading.read_whole(work, staff, call.id)
        with spoken_in(language):
            title = f"{contact.code}, {code_words(contact.channel)}"
            authors = {one: code_words(one.value) for one in (Author.CHILD, Author.COUNSELLOR)}
        found.append(
            {
                "title": title,
                "messages": [
                    {
                        "at": days.moment(one.at, language, zone),
                        "who": authors[one.author],
                        "words": one.words,
                    }
                    for one in words
                    if one.words and one.kind is ReaderKind.SAID and one.author in authors
                ],
            }
        )
    return found
