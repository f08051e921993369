"""What the report of a person's data holds of written conversations, and for whom."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.calls.models import Call
from app.calls.states import Channel
from app.chats import messages
from app.chats.models import Author, ReaderKind
from app.contacts.models import Contact
from app.definitions.forms import Option
from app.jobs.transaction import flush
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
)
from app.retention.data_requests.reports import report
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor, an_administrator

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

NUMBER = "+381641234567"
ASKED, ANSWERED, WHISPERED = "Mama me udarila", "Tu sam za tebe", "Pitaj za sestru"


@once
async def a_conversation(work: Work) -> tuple[Staff, Call]:
    """A conversation by SMS that is over, with a whisper of the supervisor."""
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work)
    call.channel = Channel.SMS.value
    await flush(work)
    said = (
        (Author.CHILD, ASKED, ReaderKind.SAID),
        (Author.COUNSELLOR, ANSWERED, ReaderKind.SAID),
        (Author.SUPERVISOR, WHISPERED, ReaderKind.WHISPER),
    )
    for number, (author, words, kind) in enumerate(said):
        await messages.add(
            work,
            call,
            author,
            text=words,
            client_key=f"message-{number}",
            staff_id=None if author is Author.CHILD else boss.id,
            kind=kind,
            afterwards=True,
        )
    await flush(work)
    return boss, call


async def report_of(
    work: Work, boss: Staff, person: AskingPerson, keep: tuple[Call, Keep] | None = None
) -> str:
    """Return the report as text, as it is made after a second person has decided."""
    as_person(work, boss)
    request = await requests.find(work, boss, RequestKind.ACCESS, person, NUMBER)
    if keep is not None or person is not AskingPerson.CHILD:
        items = await requests.items_of(work, request)
        wanted: dict[tuple[ItemKind, UUID], Keep | None]
        # For anyone else the supervisor chooses each row.
        wanted = {(ItemKind(one.kind), one.subject_id): None for one in items}
        wanted |= {(ItemKind.CALL, keep[0].id): keep[1]} if keep is not None else {}
        await requests.set_kept(work, boss, request.id, wanted)
    await requests.ask(
        work,
        boss,
        request.id,
        RequestBasis.RIGHT_OF_ACCESS,
        IdentityCheck.DOCUMENT,
        "Her passport.",
    )
    mila = await an_administrator(work)
    as_person(work, mila)
    await requests.decide(work, mila, request.id, approve=True)
    await flush(work)
    work.actor = PROGRAM
    files = await report.files_of(await report.read_all(work, request))
    assert files["pdf"].startswith(b"%PDF")
    return json.dumps(json.loads(files["json"]), ensure_ascii=False)


async def readings_of(work: Work, call: Call) -> list[Any]:
    await flush(work)
    rows = await work.session.scalars(
        select(AuditEntry.detail).where(
            AuditEntry.action == AuditLog.CONVERSATION_READ, AuditEntry.subject == str(call.id)
        )
    )
    return list(rows)


@pytest.mark.situation(by=a_conversation)
async def test_the_child_reads_both_sides_and_no_whisper(work: Work) -> None:
    boss, call = await a_conversation(work)
    shown = await report_of(work, boss, AskingPerson.CHILD)
    assert ASKED in shown
    assert ANSWERED in shown
    assert "may name other people" in shown
    assert WHISPERED not in shown, "the helpline's own work"
    assert boss.name not in shown
    assert await readings_of(work, call) == [{"reason": "by_law"}]


@pytest.mark.situation(by=a_conversation)
async def test_what_was_erased_is_said_to_be(work: Work) -> None:
    boss, call = await a_conversation(work)
    await work.session.execute(
        text("UPDATE chat_messages SET text_sealed = NULL, erased_at = :now WHERE call_id = :id"),
        {"now": work.now, "id": call.id},
    )
    shown = await report_of(work, boss, AskingPerson.CHILD)
    assert ASKED not in shown
    assert shown.count('"value": "erased"') == 2


@pytest.mark.parametrize("person", [AskingPerson.GUARDIAN, AskingPerson.CALLER])
@pytest.mark.situation(by=a_conversation)
async def test_no_other_account_reads_what_the_child_may_have_written(
    work: Work, person: AskingPerson
) -> None:
    boss, call = await a_conversation(work)
    shown = await report_of(work, boss, person)
    for words in (ASKED, ANSWERED, WHISPERED):
        assert words not in shown
    assert "the child may have written it" in shown
    assert await readings_of(work, call) == []


@pytest.mark.situation(by=a_conversation)
async def test_another_caller_reads_their_own_words_once_the_officer_releases_them(
    work: Work,
) -> None:
    boss, call = await a_conversation(work)
    contact: Contact = await planted.a_contact(work, boss, call)
    assert contact.call_id == call.id
    # The contact says that another than the child wrote, and not that it is the one who asks.
    as_person(work, boss)
    found = await requests.find(work, boss, RequestKind.ACCESS, AskingPerson.CALLER, NUMBER)
    at_first = await requests.items_of(work, found)
    assert {(one.kind, one.keep) for one in at_first} >= {("call", "another_person")}
    await requests.withdraw(work, boss, found.id)
    shown = await report_of(work, boss, AskingPerson.CALLER)
    assert ASKED in shown
    assert ANSWERED not in shown
    assert WHISPERED not in shown


@pytest.mark.situation(by=a_conversation)
async def test_what_they_are_to_the_child_has_to_be_said_before_another_caller_reads(
    work: Work,
) -> None:
    """A child may have asked for information, and said its name."""
    boss, call = await a_conversation(work)
    asked = {
        path: planted.CHILD[path]
        for path in ("contact.headline", "contact.categories", "caller.name", "actions.taken")
    }
    await planted.a_contact(work, boss, call, asked | {"contact.kind": "information"})
    shown = await report_of(work, boss, AskingPerson.CALLER)
    assert ASKED not in shown
    assert "the child may have written it" in shown


@pytest.mark.situation(by=a_conversation)
async def test_a_form_says_which_option_is_the_child_before_another_caller_reads(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form from before that had to be said. What they are to the child says "unknown", too."""
    boss, call = await a_conversation(work)
    await planted.a_contact(work, boss, call)
    monkeypatch.setattr(Option, "is_child", False)
    shown = await report_of(work, boss, AskingPerson.CALLER)
    assert ASKED not in shown
    assert "the child may have written it" in shown


@pytest.mark.situation(by=a_conversation)
async def test_a_conversation_of_another_person_is_left_out(work: Work) -> None:
    boss, call = await a_conversation(work)
    shown = await report_of(work, boss, AskingPerson.CHILD, (call, Keep.ANOTHER_PERSON))
    assert ASKED not in shown
    assert await readings_of(work, call) == []
