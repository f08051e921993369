"""For the report: what was written with the person, as it stands in their conversations.

A child reads both sides, without what staff whispered, unless another wrote for it who did not
agree to be named. Another person reads what they wrote
themselves, where the officer has released the conversation and the contact says that it was not the
child who wrote; a guardian reads nothing of it. Whatever is shown is marked, so that the officer
reads it before it is handed over.
"""

from uuid import UUID

from sqlalchemy import select

from app.calls.models import Call
from app.chats import media, reading
from app.chats.models import Author, MediaKind, MediaState, ReaderKind
from app.chats.reading import ShownMessage
from app.retention.data_requests.kinds import READ_BECAUSE, AskingPerson
from app.retention.data_requests.own_calls import by_another_than_child, by_hidden_reporter
from app.retention.data_requests.reports.parts import Block, Paper
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.words.pages import N_, _, code_words, said

# Whose words each person may have.
_AUTHORS: dict[AskingPerson, tuple[Author, ...]] = {
    AskingPerson.CHILD: (Author.CHILD, Author.COUNSELLOR),
    # A person who writes for a child is the author that the program calls `child`.
    AskingPerson.CALLER: (Author.CHILD,),
    AskingPerson.GUARDIAN: (),
}

_OF_CHILD = N_("What was written is left out: the child may have written it.")
_LEFT_OUT = {
    AskingPerson.CHILD: N_("What was written is left out: another person may have written it."),
    AskingPerson.CALLER: _OF_CHILD,
    AskingPerson.GUARDIAN: _OF_CHILD,
}

_CAME = {
    MediaKind.PICTURE: N_("Picture that the child sent"),
    MediaKind.VOICE: N_("Voice note of the child"),
}


async def conversations(paper: Paper, call_ids: list[UUID]) -> list[Block]:
    """Return what was written in calls that are about the person. Each reading is logged first."""
    calls = await paper.work.session.scalars(
        select(Call).where(Call.id.in_(call_ids)).order_by(Call.opened_at)
    )
    blocks = []
    for call in calls.all():
        if not call.is_written:
            continue
        block = Block(paper.at(call.opened_at))
        if await _may_have(paper, call):
            await write_reading(
                paper.work, AuditLog.CONVERSATION_READ, str(call.id), reason=READ_BECAUSE
            )
            await _write(paper, block, await reading.all_of(paper.work, call.id))
        else:
            block.notes.append(said(_LEFT_OUT[paper.person]))
        blocks.append(block)
    return blocks


async def _may_have(paper: Paper, call: Call) -> bool:
    """Return whether the words of a conversation that was released may be shown."""
    match paper.person:
        case AskingPerson.CHILD:
            return not await by_hidden_reporter(paper.work, call.id)
        case AskingPerson.CALLER:
            return await by_another_than_child(paper.work, call.id)
    return False


async def _write(paper: Paper, block: Block, found: list[ShownMessage]) -> None:
    authors = _AUTHORS[paper.person]
    shown = [one for one in found if one.kind is ReaderKind.SAID and one.author in authors]
    came = await media.of_messages(paper.work, shown)
    for one in shown:
        who = f", {code_words(one.author.value)}" if len(authors) > 1 else ""
        words = one.words if one.words is not None else _("erased")
        block.say(f"{paper.at(one.at)}{who}", words, marked=one.words is not None)
        for each in came.get(one.id, ()):
            there = each.state is MediaState.KEPT
            kept = _("kept; a copy is given on request") if there else _("erased")
            block.say(said(_CAME[each.kind]), kept)
