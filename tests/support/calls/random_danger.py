"""Acts of the random machine about danger: blocks, words of danger, the danger digit, danger that
is said again and again, and numbers that text. What must hold is checked after each event."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from app.calls import callers
from app.calls.caller_rows import CallerFlag, FlagKind
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState, Channel
from app.chats import by_carrier, ending, messages, opening, typing
from app.chats.left import answering
from app.chats.models import Message, ReturnCode
from app.errors import Refusal
from app.jobs.names import Task
from app.privacy.hash_kinds import HashOf
from app.staff.models import Staff
from app.telephony.messaging import receiving
from app.telephony.messaging.base import Arrived
from app.work import DeferredJob, Work
from tests.support.calls.conversations import a_key, forget

DANGER = "Hoću da se ubijem"
ACTS = {
    "a number texts": 8,
    "a number texts of danger": 1.5,
    "a number texts the digit": 4,
    "a number wants no more": 0.5,
    "a child says words of danger": 1,
    "a child comes late": 2,
    "a child says danger again": 1,
    "a child types": 2,
    "a caller is blocked": 3,
    "a block is lifted": 0.7,
    "a message is answered": 3,
    "a message is done": 1,
    "texts are turned on or off": 1.5,
}
_NUMBERS = tuple(f"+3816500000{n:02}" for n in range(2))
# What must hold of words and blocks at every moment.
_NEVER = (
    (
        "SELECT k.call_id FROM chat_codes k JOIN calls c ON c.id = k.call_id WHERE c.blocked",
        "a blocked caller has left a message",
    ),
    (
        "SELECT t.call_id FROM chat_typing t JOIN calls c ON c.id = t.call_id"
        " WHERE c.state = 'ended'",
        "words are typed in a conversation that is over",
    ),
    (
        "SELECT m.id FROM chat_messages m JOIN calls c ON c.id = m.call_id WHERE c.state = 'ended'"
        " AND m.author = 'child' AND m.seen_at IS NULL AND NOT c.blocked"
        " AND NOT EXISTS (SELECT FROM chat_codes k WHERE k.call_id = c.id)"
        " AND NOT EXISTS (SELECT FROM offers o WHERE o.call_id = c.id AND o.kept_on_desk)",
        "no person has words before their eyes that were not seen before the end",
    ),
    (
        "SELECT m.id FROM chat_messages m JOIN calls c ON c.id = m.call_id WHERE c.state = 'ended'"
        " AND m.author = 'counsellor' AND m.at > c.ended_at"
        " AND NOT EXISTS (SELECT FROM chat_codes k WHERE k.call_id = c.id)",
        "a counsellor wrote into a conversation that is over",
    ),
)


def know_within(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is known of a caller read in the transaction of the test."""

    async def known(work: Work, call: Call) -> callers.KnownCaller:
        flags = select(CallerFlag.kind).where(
            CallerFlag.caller_key == call.caller_key,
            CallerFlag.lifted_at.is_(None),
            CallerFlag.expires_at > work.now,
        )
        return callers.KnownCaller(frozenset(map(FlagKind, await work.session.scalars(flags))))

    monkeypatch.setattr(callers, "known", known)


class Danger:
    """The children of a random machine who are in danger, or are blocked, or text."""

    work: Work
    line: LineScript
    crew: list[Staff]
    dice: random.Random
    pages: set[UUID]
    said: dict[UUID, list[str]]

    def __init__(self) -> None:
        # The conversations in which danger was said, and by what: "danger" or "words".
        self.dangers: dict[UUID, set[str]] = {}
        # Those of which people are told if no counsellor answers.
        self.pushed: set[UUID] = set()
        self.takes_texts = True
        # Where a child comes back from, as long as its page is loaded.
        self.visits = [opening.visit_key(self.work, f"visit {n}") for n in range(2)]

    async def _some(self, *states: CallState, written: bool | None = None) -> Call:
        raise NotImplementedError

    def note_job(self, job: DeferredJob) -> None:
        if job.task in (Task.DANGER_UNANSWERED, Task.WATCH_DANGER):
            self.pushed.add(UUID(job.arguments["call_id"]))

    def note_danger(self, call_id: UUID, what: str) -> None:
        self.dangers.setdefault(call_id, set()).add(what)

    # -- numbers that text ---------------------------------------------------------------------

    async def _text(self, words: str) -> Call | None:
        """Let a number text. Return the conversation in which that stands, if it was heard."""
        forget(self.work)
        sid, numbers = uuid4().hex, [self.dice.choice(_NUMBERS), *_NUMBERS]
        keys = {one: self.work.keys.match_key(HashOf.CALLER, one) for one in numbers}
        barred = [one for one in numbers if await callers.is_blocked(self.work, keys[one])]
        # Most often a number that is blocked: what it writes is looked at with care.
        number = (barred if barred and self.dice.random() < 0.7 else numbers)[0]
        key, blocked = keys[number], number in barred
        begins = await by_carrier.running(self.work, self.line, Channel.SMS, key) is None
        by = ["sms"] if self.takes_texts else []
        line = replace(self.line, chat={**(self.line.chat or {}), "by": by})
        arrived = Arrived(sid=sid, address=number, text=words)
        even_if_blocked = await by_carrier.had_danger_lately(self.work, line, Channel.SMS, key)
        for _ in range(self.dice.choice((1, 2))):
            await receiving.receive(self.work, Channel.SMS, line, arrived)
        call = await self._holder(receiving.key_of(sid))
        if call is not None:
            self.said.setdefault(call.id, []).append(words)
            if blocked and begins and words not in (DANGER, self.line.danger_digit):
                assert call.blocked or even_if_blocked, "the words of a blocked number reach people"
                assert not (call.blocked and even_if_blocked), (
                    "what follows danger reaches no person"
                )
        if blocked and words == self.line.danger_digit:
            assert call is not None, "a danger call is lost"
            talks = CallState(call.state) is CallState.CONNECTED
            assert call.danger or talks, "a block keeps danger out"
        return call

    async def _holder(self, client_key: str) -> Call | None:
        """Return the conversation in which a message stands."""
        found: Call | None = await self.work.session.scalar(
            select(Call)
            .join(Message, Message.call_id == Call.id)
            .where(Message.client_key == client_key)
            .execution_options(populate_existing=True)
        )
        return found

    async def _a_number_texts(self) -> None:
        await self._text(f"tekst {self.dice.random()}")

    async def _a_number_texts_of_danger(self) -> None:
        call = await self._text(DANGER)
        assert call is not None, "words of danger are lost"
        self.note_danger(call.id, "words")

    async def _a_number_texts_the_digit(self) -> None:
        call = await self._text(self.line.danger_digit)
        assert call is not None, "a danger call is lost"
        if call.danger:
            self.note_danger(call.id, "danger")

    async def _a_number_wants_no_more(self) -> None:
        call = await self._text("STOP")
        assert call is None or CallState(call.state) is CallState.ENDED

    # -- children on the page ------------------------------------------------------------------

    async def _a_child_says_words_of_danger(self) -> None:
        call = await self._some(written=True)
        await messages.say_as_child(self.work, call.id, text=DANGER, client_key=a_key())
        self.said.setdefault(call.id, []).append(DANGER)
        self.note_danger(call.id, "words")

    async def _a_child_comes_late(self) -> None:
        """The last words of a page arrive, perhaps after the end."""
        call = await self._some(written=True)
        key, danger = a_key(), self.dice.random() < 0.3
        words = DANGER if danger else f"kasno {self.dice.random()}"
        await ending.end_as_child(self.work, call.id, [(key, words)])
        holder = await self._holder(key)
        if holder is not None:
            self.said.setdefault(call.id, []).append(words)
        if danger:
            assert holder is not None, "words of danger are lost"
            self.note_danger(call.id, "words")

    async def _a_child_says_danger_again(self) -> None:
        visit = self.dice.choice(self.visits)
        opened = await opening.open_conversation(
            self.work,
            self.line,
            language="sr",
            danger=True,
            client_key=a_key(),
            origin=opening.Origin(visit=visit),
        )
        self.pages.add(opened.call.id)
        self.note_danger(opened.call.id, "danger")

    async def _a_child_types(self) -> None:
        call = await self._some(written=True)
        await typing.type_as_child(self.work, call.id, self.dice.choice(("Bojim", "", None)))

    # -- people --------------------------------------------------------------------------------

    async def _a_caller_is_blocked(self) -> None:
        """Block a number that texts, or a visit of the page."""
        call = await self._some(written=True)
        if self.dice.random() < 0.7:
            texts = select(Call).where(Call.channel == Channel.SMS)
            rows = await self.work.session.scalars(texts.order_by(Call.opened_at, Call.id))
            call = self.dice.choice(rows.all() or [call])
        lasts, why = timedelta(hours=1), "vređa druge"
        await callers.flag_caller(self.work, self.crew[0], call, FlagKind.BLOCKED, why, lasts)

    async def _a_block_is_lifted(self) -> None:
        call = await self._some(written=True)
        for flag in await callers.flags_of(self.work, call):
            await callers.lift_flag(self.work, self.crew[0], call, flag.id)

    async def _a_message(self) -> UUID:
        rows = await self.work.session.scalars(
            select(ReturnCode.call_id)
            .where(ReturnCode.done_at.is_(None))
            .order_by(ReturnCode.made_at, ReturnCode.call_id)
        )
        found = rows.all()
        if not found:
            raise Refusal("no message waits")
        return self.dice.choice(found)

    async def _a_message_is_answered(self) -> None:
        call_id, key = await self._a_message(), a_key()
        await answering.answer(self.work, self.crew[0], call_id, text="Tu smo", client_key=key)

    async def _a_message_is_done(self) -> None:
        await answering.mark_done(self.work, self.crew[1], await self._a_message())

    async def _texts_are_turned_on_or_off(self) -> None:
        """What is written to a line that takes no texts is left for later."""
        self.takes_texts = not self.takes_texts

    # -- what must hold ------------------------------------------------------------------------

    async def check_danger(self) -> None:
        """Check that all who said that there is danger are heard, or wait for a person."""
        for sql, words in _NEVER:
            found = (await self.work.session.execute(text(sql))).all()
            assert not found, (words, found[:2])
        rows: Any = await self.work.session.scalars(
            select(Call).where(Call.id.in_(self.dangers)).execution_options(populate_existing=True)
        )
        for call in rows:
            kinds = self.dangers[call.id]
            assert not call.blocked, "a block keeps danger out"
            assert call.danger or "danger" not in kinds
            assert "words" not in kinds or (call.alarming and call.danger_words_sealed)
            if CallState(call.state) is CallState.ENDED:
                heard = call.answered_at is not None or call.messages > 0
                assert heard or call.id in self.pushed, "danger reaches no person"
            elif CallState(call.state) is CallState.GREETING:
                assert call.unstaffed, "it waits for nothing"
