"""A person about whom there is everything there can be, and a request about their data."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select, text

from app.calls.caller_rows import FlagKind, WishKind
from app.calls.callers import flag_caller, wish
from app.calls.models import Call, CallQuestion
from app.calls.states import Channel
from app.chats import messages
from app.chats.models import Author, ReaderKind
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Contact, Profile, ProfileNumber
from app.contacts.states import Subject
from app.jobs.names import Task
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.retention.data_requests import erasing, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
)
from app.retention.data_requests.models import DataRequest
from app.routing.callbacks.callback_rows import Callback
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_referral, a_supervisor, an_administrator, rings

NUMBER = "+381641234567"
WORDS = "Her passport was seen on Monday."


@once
async def a_person(work: Work) -> tuple[Staff, Call, Contact]:
    """A child who rang, left a message, and about whom there is everything there can be."""
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work)
    contact = await planted.a_contact(work, boss, call)
    profile = Profile(id=uuid4(), code="P-AAA-AAA-AAA", created_at=work.now)
    work.session.add(profile)
    await work.session.flush()
    work.session.add(ProfileNumber(profile_id=profile.id, caller_key=call.caller_key))
    contact.profile_id = profile.id
    note_event(work, Subject.PROFILE, profile.id, RecordLog.SPLIT, words=f"{WORD} wrote twice.")
    await planted.a_case(work, boss, contact)
    referral = await planted.an_open_referral(work, boss, contact)
    planted.a_disclosure(work, referral, "child.name")
    await planted.close_referral(work, referral)
    as_person(work, boss)
    await flag_caller(work, boss, call, FlagKind.AT_RISK, f"{WORD} is at risk", timedelta(days=1))
    await wish(work, call, boss.id, WishKind.PREFER)
    await _rows_of_the_number(work, call)
    await flush(work)
    return boss, call, contact


@once
async def a_caller(work: Work) -> tuple[Staff, Call, Contact]:
    """A child who rang and left a message, and a contact of that call: for what is true of any
    erasure. To erase each of nine kinds of rows takes three times as long.
    """
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work)
    contact = await planted.a_contact(work, boss, call)
    return boss, call, contact


async def _rows_of_the_number(work: Work, call: Call) -> None:
    """A call-back that is over, and a question that was answered by key."""
    callback_id = uuid4()
    number = work.keys.seal(
        f"{WORD} number".encode(), table="callbacks", column="number_sealed", row=callback_id
    )
    work.session.add(
        Callback(
            id=callback_id,
            call_id=call.id,
            caller_key=call.caller_key,
            number_sealed=number,
            line_id=call.line_id,
            language="sr",
            who="caller",
            window_from=work.now,
            window_until=work.now + timedelta(hours=1),
            first_due_until=work.now + timedelta(hours=1),
            state="given_up",
            next_at=work.now,
            agreed_at=work.now,
            done_at=work.now,
        )
    )
    question_id = uuid4()
    work.session.add(
        CallQuestion(
            id=question_id,
            call_id=call.id,
            code="safe",
            state="answered",
            answer_sealed=work.keys.seal(
                f"{WORD} no".encode(),
                table="call_questions",
                column="answer_sealed",
                row=question_id,
            ),
            asked_at=work.now,
        )
    )
    await work.session.flush()


async def found_by(
    work: Work, boss: Staff, typed: str = NUMBER, kind: RequestKind = RequestKind.ERASURE
) -> DataRequest:
    """A request of the child, for which the officer has looked at what may be another person's.

    A neighbour rang about it, so that this is everything.
    """
    as_person(work, boss)
    request = await requests.find(work, boss, kind, AskingPerson.CHILD, typed)
    await release(work, boss, request)
    return request


async def rang_itself(work: Work, contact: Contact) -> None:
    """For a contact: the child rang, and not a neighbour."""
    await work.session.execute(
        text(
            "UPDATE contacts SET answers = answers - 'caller.relationship' - 'caller.name'"
            """ || '{"contact.kind": "child"}',"""
            " sealed = sealed - 'caller.relationship' - 'caller.name' WHERE id = :id"
        ),
        {"id": contact.id},
    )
    await work.session.refresh(contact)


async def referred_since(work: Work, boss: Staff, contact: Contact) -> Referral:
    """Refer the child of a contact once more, and close that, while a request waits."""
    work.now += timedelta(hours=1)
    as_person(work, boss)
    referral = await a_referral(work, boss)
    referral.contact_id = contact.id
    await planted.close_referral(work, referral)
    await flush(work)
    return referral


async def release(work: Work, boss: Staff | None, request: DataRequest) -> None:
    """Take the mark of another person away from every row."""
    items = await requests.items_of(work, request)
    marked = [one for one in items if one.keep == Keep.ANOTHER_PERSON]
    wanted = {(ItemKind(one.kind), one.subject_id): None for one in marked}
    await requests.set_kept(work, boss, request.id, wanted)


async def approved(work: Work, boss: Staff, request: DataRequest) -> None:
    as_person(work, boss)
    basis = (
        RequestBasis.NOT_NEEDED
        if request.kind == RequestKind.ERASURE
        else RequestBasis.RIGHT_OF_ACCESS
    )
    await requests.ask(work, boss, request.id, basis, IdentityCheck.DOCUMENT, WORDS)
    known = await work.session.scalar(select(Staff).where(Staff.name == "mila"))
    # The officer has not made the account of who decides.
    work.actor = PROGRAM
    mila = known or await an_administrator(work)
    as_person(work, mila)
    await requests.decide(work, mila, request.id, approve=True)
    await flush(work)


def one_work(work: Work) -> Callable[..., AbstractAsyncContextManager[Work]]:
    """Return what stands for `transaction`, so that a job does its parts in the work of a test."""

    @asynccontextmanager
    async def same(*_: Any, **__: Any) -> AsyncIterator[Work]:
        yield work

    return same


async def erase(work: Work, request: DataRequest) -> None:
    work.actor = PROGRAM
    waiting = await _waiting(work, request)
    for kind in ItemKind:
        # Each kind without a row would be locked and looked for.
        while kind in waiting and await erasing.erase_some(work, request.id, kind):
            await flush(work)
            waiting = await _waiting(work, request)
    await erasing.finish(work, request.id)
    await flush(work)


async def _waiting(work: Work, request: DataRequest) -> set[str]:
    """Return of which kinds a row is still to be erased."""
    items = await requests.items_of(work, request)
    return {one.kind for one in items if one.keep is None and one.erased_at is None}


async def wrote(work: Work, call: Call, said: str) -> None:
    """Let the child of a call have sent a text message."""
    call.channel = Channel.SMS.value
    await flush(work)
    await messages.add(
        work,
        call,
        Author.CHILD,
        text=said,
        client_key="message-1",
        staff_id=None,
        kind=ReaderKind.SAID,
        afterwards=True,
    )
    await flush(work)


def reminders(work: Work) -> list[tuple[str, str, str]]:
    """Return who is reminded of what and by which day, and take these jobs out."""
    jobs = [job.arguments for job in work.jobs if job.task == Task.REMIND_OF_REQUESTS]
    work.jobs.clear()
    return [(job["staff_id"], job["state"], job["by"][:10]) for job in jobs]


async def choose_all(work: Work, boss: Staff, request: DataRequest) -> None:
    """Take every mark away: so the officer has chosen."""
    items = await requests.items_of(work, request)
    wanted = {(ItemKind(one.kind), one.subject_id): None for one in items}
    await requests.set_kept(work, boss, request.id, wanted)


async def another_caller(work: Work) -> Call:
    """Another caller, of whom nothing may go."""
    call, _ = await rings(work, "CA9", From="+381641999999")
    await work.session.execute(
        text(
            "UPDATE calls SET state = 'ended', outcome = 'answered', ended_at = :now WHERE id = :id"
        ),
        {"now": work.now, "id": call.id},
    )
    return call
