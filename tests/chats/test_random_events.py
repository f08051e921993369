"""Children who write and children who call, counsellors who come and go: whatever happens in
whatever order, the invariants hold after each event.

The verbs run on a real database, without a wire, so that hundreds of events take seconds; see
`tests/scenarios/robustness` for the whole helpline.
"""

import random
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.calls import record
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.calls.states import CallState, EndedBy
from app.chats import as_child, ending, messages
from app.chats.left import answering
from app.chats.models import Author
from app.demo.invariants import ALWAYS
from app.errors import Refusal
from app.jobs.transaction import send_rows
from app.routing import offers, offers_held, own_presence, queue, releasing, sweep
from app.routing.models import CHOICES, Offer, OfferState, Presence, PresenceState
from app.routing.participants import inviting
from app.routing.sweep import Due
from app.staff.models import Staff
from app.work import DeferredJob, Work
from tests.support.calls import random_danger
from tests.support.calls.conversations import (
    a_chat_line,
    a_child,
    a_key,
    a_writer,
    forget,
)
from tests.support.calls.random_danger import Danger
from tests.support.profile import WHOLE
from tests.support.verbs import a_counsellor, rings

pytestmark = pytest.mark.whole

# How many verbs of the sweep belong to what is played here.
_SWEPT: dict[Due, sweep.Verb] = {
    kind: verb
    for kind, verb in sweep.verbs_of(ending.end_away).items()
    if kind in {Due.OFFER, Due.WRAP_UP, Due.STALE, Due.STUCK, Due.PAGE_LOST, Due.CHILD_GONE}
}
_ACTS = {
    "a child writes": 5,
    "a child calls": 3,
    "a child says": 8,
    "a child is in danger": 1,
    "a child leaves": 2,
    "a page of a child is closed": 1,
    "a child is soon gone": 5,
    "accept": 10,
    "decline": 2,
    "say": 6,
    "hang up": 3,
    "hand on": 1,
    "choose": 4,
    "sign out": 0.5,
    "a page of a counsellor is closed": 0.7,
    "time passes": 6,
    **random_danger.ACTS,
}


class Room(Danger):
    """A line, five counsellors, and the children who come."""

    def __init__(
        self, work: Work, line: LineScript, crew: list[Staff], dice: random.Random
    ) -> None:
        self.work, self.line, self.crew, self.dice = work, line, crew, dice
        self.rings = 0
        # Children whose page is open; counsellors whose page is closed.
        self.pages: set[UUID] = set()
        self.closed: set[UUID] = set()
        self.said: dict[UUID, list[str]] = {}
        self.met: set[str] = set()
        super().__init__()

    async def play(self, act: str) -> None:
        try:
            async with self.work.session.begin_nested():
                await getattr(self, "_" + act.replace(" ", "_"))()
            self.met.add(act)
        except Refusal:
            # As in a request that was refused: nothing is left of it.
            await self.work.session.flush()
            self.work.jobs.clear()
            self.work.rows.clear()
        await self.settle()
        await self.check()

    # -- children ------------------------------------------------------------------------------

    async def _some(self, *states: CallState, written: bool | None = None) -> Call:
        rows = await self.work.session.scalars(
            select(Call)
            .where(Call.state.in_(states or tuple(CallState)))
            .order_by(Call.opened_at, Call.id)
            .execution_options(populate_existing=True)
        )
        found = [one for one in rows if written in (None, one.is_written)]
        if not found:
            raise Refusal("nobody is there")
        return self.dice.choice(found)

    async def _a_child_writes(self) -> None:
        call = await a_child(
            self.work,
            self.line,
            danger=self.dice.random() < 0.15,
            visit=self.dice.choice((None, *self.visits)),
        )
        self.pages.add(call.id)
        if call.danger:
            self.note_danger(call.id, "danger")

    async def _a_child_calls(self) -> None:
        self.rings += 1
        call, _ = await rings(self.work, f"CA{self.rings}", From=f"+38164{self.rings:07d}")
        danger = self.dice.random() < 0.3
        priority = 3600 if danger else 0
        await record.enter_queue(self.work, call, language="sr", danger=danger, priority=priority)

    async def _a_child_says(self) -> None:
        call = await self._some(written=True)
        words, key = f"{len(self.said.get(call.id, ()))}", a_key()
        for _ in range(self.dice.choice((1, 1, 2))):
            await messages.say_as_child(self.work, call.id, text=words, client_key=key)
        self.said.setdefault(call.id, []).append(words)

    async def _a_child_is_in_danger(self) -> None:
        call = await self._some(written=True)
        locked = await record.lock_call(self.work, call.id)
        await ending.say_danger(self.work, locked, self.line)
        self.note_danger(call.id, "danger")

    async def _a_child_leaves(self) -> None:
        open_ = (CallState.GREETING, CallState.QUEUED, CallState.OFFERED, CallState.CONNECTED)
        call = await self._some(*open_)
        if call.is_written:
            await ending.end_as_child(self.work, call.id)
        else:
            locked = await record.lock_call(self.work, call.id)
            await releasing.end_call(self.work, locked, ended_by=EndedBy.CALLER)

    async def _a_page_of_a_child_is_closed(self) -> None:
        self.pages.discard((await self._some(written=True)).id)

    async def _a_child_is_soon_gone(self) -> None:
        """A child writes and leaves, or closes its page, before any counsellor has come."""
        if self.dice.random() < 0.5:
            await self._a_child_leaves_its_words()
        else:
            await self._begun_with_words()

    async def _a_child_leaves_its_words(self) -> None:
        await ending.end_as_child(self.work, (await self._begun_with_words()).id)

    async def _begun_with_words(self) -> Call:
        call = await a_child(self.work, self.line)
        self.said[call.id] = ["0"]
        await messages.say_as_child(self.work, call.id, text="0", client_key=a_key())
        return call

    # -- counsellors ---------------------------------------------------------------------------

    async def _held(self, *states: OfferState) -> tuple[Call, Offer]:
        rows = await self.work.session.scalars(
            select(Offer.id)
            .where(Offer.released_at.is_(None), Offer.state.in_(states))
            .order_by(Offer.opened_at, Offer.id)
        )
        found = rows.all()
        if not found:
            raise Refusal("nothing is held")
        return await offers.lock_offer(self.work, self.dice.choice(found))

    async def _accept(self) -> None:
        call, offer = await self._held(OfferState.OPEN)
        await ending.accept(self.work, call, offer)
        if not call.is_written:
            await offers.connect_offer(self.work, call, offer, at=self.work.now)

    async def _decline(self) -> None:
        call, offer = await self._held(OfferState.OPEN)
        await offers.decline_offer(self.work, call, offer)

    async def _say(self) -> None:
        call, offer = await self._held(OfferState.CONNECTED)
        staff = next(one for one in self.crew if one.id == offer.counsellor_id)
        if call.is_written:
            await messages.say_as_staff(
                self.work, staff, call.id, text="Tu sam", client_key=a_key()
            )

    async def _hang_up(self) -> None:
        call, offer = await self._held(OfferState.CONNECTED)
        staff = next(one for one in self.crew if one.id == offer.counsellor_id)
        if call.is_written:
            await ending.end_as_staff(self.work, staff, call.id)
        else:
            await releasing.hang_up(self.work, call)

    async def _hand_on(self) -> None:
        call, offer = await self._held(OfferState.CONNECTED)
        if not call.is_written:
            return
        if self.dice.random() < 0.5:
            await inviting.to_skill(self.work, call, ["violence"])
        else:
            staff = next(one for one in self.crew if one.id == offer.counsellor_id)
            to = self.dice.choice(self.crew)
            await inviting.transfer(self.work, staff, call, staff_id=to.id)

    async def _choose(self) -> None:
        staff = self.dice.choice(self.crew)
        state = self.dice.choice((*CHOICES, *[PresenceState.AVAILABLE] * 5))
        await own_presence.choose_presence(self.work, staff, state)

    async def _sign_out(self) -> None:
        await own_presence.sign_out(self.work, self.dice.choice(self.crew), "no session")

    async def _a_page_of_a_counsellor_is_closed(self) -> None:
        self.closed ^= {self.dice.choice(self.crew).id}

    # -- the program ---------------------------------------------------------------------------

    async def _time_passes(self) -> None:
        for _ in range(self.dice.choice((1, 2, 8))):
            await self._pass(self.dice.choice((1, 5, 10)))

    async def _pass(self, seconds: int) -> None:
        work = self.work
        work.now += timedelta(seconds=seconds)
        await work.session.execute(
            update(Presence)
            .where(Presence.counsellor_id.not_in(self.closed))
            .values(heartbeat_at=work.now)
        )
        await work.session.execute(
            update(Call)
            .where(Call.id.in_(self.pages), Call.state != CallState.ENDED)
            .values(heard_at=work.now)
        )
        await self.settle()

    async def settle(self) -> None:
        """Do what the program does by itself: its jobs, what is due, and matching."""
        for _ in range(20):
            await send_rows(self.work)
            jobs, self.work.jobs = self.work.jobs, []
            for job in jobs:
                await self._carry_out(job)
            due = [one for one in await self._due() if one[0] in _SWEPT]
            for kind, row_id in due:
                await _SWEPT[kind](self.work, row_id)
            forget(self.work)
            offered = (await queue.match_once(self.work))[queue.Claimed.OFFERED]
            if not offered and not due and not self.work.jobs:
                return

    async def _carry_out(self, job: DeferredJob) -> None:
        self.note_job(job)
        if job.task == "chats:follow_conversation":
            told = Sentence(job.arguments["sentence"])
            call_id = UUID(job.arguments["call_id"])
            for _ in range(2):
                await ending.follow(self.work, call_id, told, job.arguments["key"])

    async def _due(self) -> list[tuple[Due, UUID]]:
        await self.work.session.flush()
        settings, now = self.work.settings, self.work.now
        values = sweep.limits_of(settings, now)
        rows = await self.work.session.execute(sweep.DUE, values)
        return [(Due(row[0]), row[1]) for row in rows]

    async def check(self) -> None:
        forget(self.work)
        assert await queue.pairs_now(self.work) == []
        for sql, words in ALWAYS:
            if "contacts" in sql:
                # A voice call's contact is opened by the telephone's part.
                continue
            found = (await self.work.session.execute(text(sql.replace("%%", "%")))).all()
            assert not found, (words, found[:2])
        await self.check_danger()
        for staff in self.crew:
            now = await offers_held.in_hand(self.work, staff.id)
            assert len(now.slots) <= staff.chats_at_once + 1

    async def close(self) -> None:
        for call_id, words in self.said.items():
            read = (await as_child.conversation(self.work, call_id)).words
            mine = [one.words for one in read if one.author == Author.CHILD]
            assert mine == words
            assert [one.number for one in read] == sorted({one.number for one in read})
            await self._is_readable(call_id, words)

    async def _is_readable(self, call_id: UUID, words: list[str]) -> None:
        """Check that a counsellor can read what a child wrote, once its conversation is over."""
        call = await self.work.session.get_one(Call, call_id, populate_existing=True)
        if CallState(call.state) is not CallState.ENDED or call.answered_at is not None:
            return
        if call.blocked:
            # The child was told that nothing but danger is read.
            return
        read = await answering.read_left(self.work, self.crew[0], call_id)
        assert [one.words for one in read if one.author == Author.CHILD] == words
        self.met.add("kept")


# What each play has to meet.
_WANTED = (
    *("accept", "say", "a child says", "time passes", "hang up"),
    *("a caller is blocked", "a number texts the digit", "a child comes late"),
    "a child leaves its words",
)


@pytest.mark.parametrize("seed", range(40) if WHOLE else range(1))
async def test_whatever_happens_in_writing_and_by_voice_the_invariants_hold(
    work: Work, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random_danger.know_within(monkeypatch)
    dice = random.Random(seed)
    reserve, seconds = dice.choice((0, 1)), dice.choice((10, 60))
    line = await a_chat_line(work, by=("sms",), at_once=3, reserve=reserve, reserve_seconds=seconds)
    crew = [await a_writer(work, name, at_once=n) for name, n in zip("abc", (1, 2, 3), strict=True)]
    crew.append(await a_counsellor(work, "d"))
    room = Room(work, line, crew, dice)
    for _ in range(120 if WHOLE else 25):
        await room.play(dice.choices(list(_ACTS), list(_ACTS.values()))[0])
    # What happens depends on ids, which are random. The rare acts are brought about on purpose.
    for rare in _WANTED:
        for _ in range(20):
            if rare not in room.met:
                await room.play(rare)
    await room.close()
    assert {"kept", *_WANTED} <= room.met
