"""The values for the conversations of one counsellor, and what a page asks about one of them."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.calls.lines import finding_lines
from app.chats import at_desk, ended_without_counsellor, media, messages, reading
from app.chats.at_desk import AtDesk
from app.contacts import reading_contacts
from app.dashboard import views as desk_views
from app.dashboard.chats import views
from app.dashboard.chats.views import ChatCard, Tools
from app.jobs.transaction import ask
from app.privacy.hash_kinds import HashOf
from app.routing.callbacks import callbacks
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words import spoken_as
from app.words.pages import reader
from app.work import Work

_WRITTEN_IN = "SELECT line_id, coalesce(language, '') AS language FROM calls WHERE id = %(call_id)s"
_REMEMBERED = timedelta(seconds=30)
_WORDS = {"kinds": views.PERSONAL, "media_problems": views.MEDIA_PROBLEMS}


async def chats_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return the conversations that a counsellor has and is offered."""
    found = await at_desk.conversations(work, staff)
    held = [one for one in found if one.seconds_left is None]
    cards = await _cards(work, staff, held)
    offered = [one for one in found if one.seconds_left is not None]
    return {
        "chats": cards,
        **_WORDS,
        "gone": [
            views.gone_card(one)
            for one in await ended_without_counsellor.conversations(work, staff)
        ],
        "chat_offers": [_offered(work, one) for one in offered],
        "now": work.now,
        "knows_callers": may(staff.role, Permission.KNOW_CALLERS),
        # The language into which this server can translate; empty if it cannot.
        "translates_to": spoken_as(reader()) if work.settings.translation_url else "",
        "longest_text": messages.LONGEST,
        "chat_outbox": f"chat:{staff.id}",
        # What is half-typed is kept on the counsellor's own machine, sealed with this key.
        "chat_outbox_key": ",".join(
            base64.b64encode(key).decode()
            for key in work.keys.secrets_of(HashOf.OUTBOX, f"chat:{staff.id}")
        ),
    }


async def news_values(work: Work, staff: Staff, call_id: UUID, after: int) -> dict[str, Any]:
    """Return what is new in one conversation of a counsellor, after a message. Raises NotYours."""
    found = await at_desk.news(work, staff, call_id, after)
    one, said = found.of, found.words
    line = await finding_lines.line_of_id(work, one.line_id)
    others = _writers(said) - {staff.id}
    names = {staff.id: staff.name, **await accounts.names_of(work, others)}
    came = await media.of_messages(work, said) if one.channel.is_carried else None
    tools = views.tools_of(line, one.language)
    return {
        "c": views.chat_card(one, 0, said, tools, work.now, names, None, "", came),
        "delivered": found.delivered,
        "seen": found.seen,
        **_WORDS,
    }


async def states_values(work: Work, staff: Staff) -> list[ChatCard]:
    """Return how the conversations of a counsellor stand, without what was written."""
    found = await at_desk.conversations(work, staff)
    held = [one for one in found if one.seconds_left is None]
    return [views.chat_card(one, 0, [], Tools(), work.now, {}, None, "") for one in held]


async def now_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return how many children write with a counsellor, and what waits."""
    found = await at_desk.conversations(work, staff)
    held = [one for one in found if one.seconds_left is None]
    waits = [one.waits_since for one in held if one.waits_since is not None]
    return {
        "conversations": len(held),
        "unread": sum(one.unread for one in held),
        "waits": int((work.now - min(waits)).total_seconds()) if waits else None,
    }


async def tools_for(work: Work, call_id: UUID) -> Tools:
    """Return what a conversation is written with. The line and the language of a call are
    remembered for a moment: they are asked for with each message. Raises NotYours."""
    memory = work.ground.memory
    known: tuple[UUID | None, str] | None = memory.recall("tools", call_id, work.now)
    if known is None:
        rows = await ask(work, _WRITTEN_IN, call_id=call_id)
        if not rows:
            raise reading.NotYours()
        known = rows[0]["line_id"], rows[0]["language"]
        memory.keep("tools", call_id, known, work.now + _REMEMBERED)
    return views.tools_of(await finding_lines.line_of_id(work, known[0]), known[1])


async def _cards(work: Work, staff: Staff, held: list[AtDesk]) -> list[ChatCard]:
    """Return the conversations of a counsellor. What all of them need is read at once."""
    if not held:
        return []
    calls = [one.call_id for one in held]
    words = {}
    for one in held:
        after = max(0, one.last_number - views.SHOWN)
        words[one.call_id] = await reading.read_as_staff(work, staff, one.call_id, after)
    agreed = await callbacks.agreed_in_each(work, calls)
    own = await reading_contacts.at_hand_of_each(work, staff, calls)
    names = await accounts.names_of(work, _writers([m for said in words.values() for m in said]))
    cards = []
    for place, one in enumerate(held, 1):
        line = await finding_lines.line_of_id(work, one.line_id)
        callback, said = agreed.get(one.call_id), words[one.call_id]
        when = ""
        if callback is not None and line is not None:
            when = desk_views.callback_row(callback, line.name, line.timezone, work.now).when
        came = await media.of_messages(work, said) if one.channel.is_carried else None
        tools, contact = views.tools_of(line, one.language), own.get(one.call_id)
        card = views.chat_card(one, place, said, tools, work.now, names, contact, when, came)
        # Words of danger stay before the counsellor's eyes, however much is written after them.
        card = replace(card, alarming=card.alarming or one.danger_words or None)
        cards.append(card)
    return cards


def _offered(work: Work, one: AtDesk) -> ChatCard:
    return views.chat_card(one, 0, [], Tools(), work.now, {}, None, "")


def _writers(words: list[reading.ShownMessage]) -> set[UUID]:
    return {message.staff_id for message in words if message.staff_id}


async def words_values(
    work: Work, call_id: UUID, words: list[reading.ShownMessage]
) -> dict[str, Any]:
    """Return a conversation to be read: by a supervisor, or on the page of its contact."""
    tools = await tools_for(work, call_id)
    names = await accounts.names_of(work, _writers(words))
    came = await media.of_messages(work, words)
    return {
        "bubbles": [views.bubble(message, tools, names, came) for message in words],
        **_WORDS,
    }
