"""Any sequence of events: an urgent referral has an owner and a running deadline until a person
acknowledges it, or closes it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.definitions.risk import Urgency
from app.demo.stage import Stage
from app.errors import Refusal
from app.jobs.transaction import run_verb, transaction
from app.referrals import staff_actions
from app.referrals.channels.models import Attempt
from app.referrals.consent import withdrawing
from app.referrals.consent.consenting import Agreed, Override
from app.referrals.consent.grounds import Basis
from app.referrals.consent.rules import GivenBy, How, Scope
from app.referrals.deadlines.urgency import change_urgency
from app.referrals.escalation import breaches, results
from app.referrals.jobs import check_deadline, escalate_if_due
from app.referrals.models import Deadline, Recipient, Referral
from app.referrals.opening import opening
from app.referrals.opening.opening import Wish
from app.referrals.replies import details, replying
from app.referrals.scopes import lock_referral
from app.referrals.states import (
    HELD,
    OVER,
    UNACKNOWLEDGED,
    AttemptResult,
    DeadlineKind,
    OpenedHow,
    RecipientState,
    ReferralEvent,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
    Service,
    ToldHow,
)
from app.referrals.trail import By, Via, can
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM, Actor, Work, make_ground
from tests.support.profile import WHOLE
from tests.support.program.quiet import QuietStage
from tests.support.referrals import add_agency

pytestmark = pytest.mark.whole

Verb = Callable[[Work], Awaitable[Any]]
BY = By(Via.LINK, "house-1", "Mira")


class Play:
    """One referral, and whatever may happen to it."""

    def __init__(self, stage: Stage, staff: Staff, chief: Staff, dice: random.Random) -> None:
        self.stage, self.staff, self.chief, self.dice = stage, staff, chief, dice
        self.referral_id: UUID
        self.happened: list[str] = []

    async def run(self, verb: Verb, actor: Actor | None = None) -> Any:
        return await run_verb(self.stage.ground, actor or actor_of(self.staff), verb)

    async def open(self, urgency: Urgency) -> None:
        async def verb(work: Work) -> UUID:
            wish = Wish(urgency, OpenedHow.BY_HAND, (Service.SHELTER,))
            return (await opening.refer(work, self.staff, wish))[0].id

        self.referral_id = await self.run(verb)

    async def recipient(self, work: Work) -> tuple[Referral, Recipient]:
        referral = await lock_referral(work, self.referral_id)
        rows = (
            await work.session.scalars(
                select(Recipient).where(Recipient.referral_id == referral.id)
            )
        ).all()
        if not rows:
            raise Refusal("no agency was asked")
        return referral, self.dice.choice(list(rows))

    async def _escalate(self, work: Work) -> None:
        referral = await lock_referral(work, self.referral_id)
        if referral.escalates_at is not None:
            referral.escalates_at = work.now
            await escalate_if_due(work, self.referral_id, referral.turn)

    async def _breach(self, work: Work) -> None:
        rows = (
            await work.session.scalars(
                select(Deadline).where(
                    Deadline.referral_id == self.referral_id, Deadline.stopped_at.is_(None)
                )
            )
        ).all()
        if rows:
            deadline = self.dice.choice(list(rows))
            deadline.due_at = work.now - timedelta(seconds=1)
            await work.session.flush()
            kind = DeadlineKind(deadline.kind)
            await check_deadline(work, deadline.id)
            referral = await lock_referral(work, self.referral_id)
            if deadline.breached_at is not None and deadline.stopped_at is None:
                await breaches.breached(work, referral, kind)

    async def _result(self, work: Work) -> None:
        referral = await lock_referral(work, self.referral_id)
        rows = (
            await work.session.scalars(
                select(Attempt).where(
                    Attempt.referral_id == self.referral_id, Attempt.ended_at.is_(None)
                )
            )
        ).all()
        if rows:
            unreached = [
                r
                for r in AttemptResult
                if r
                not in (
                    AttemptResult.ACKNOWLEDGED,
                    AttemptResult.CALL_BACK,
                    AttemptResult.WRONG_NUMBER,
                )
            ]
            await results.note_result(
                work, referral, self.dice.choice(list(rows)), self.dice.choice(unreached)
            )

    async def _open_details(self, work: Work) -> None:
        referral, recipient = await self.recipient(work)
        await details.note_opened(work, referral, recipient, ToldHow.LINK_BY_SMS)

    async def _write(self, work: Work) -> None:
        referral = await lock_referral(work, self.referral_id)
        await details.announce_soon(work, referral)
        referral.update_due_at = work.now if referral.update_due_at else None
        await details.announce_update(work, self.referral_id)

    async def _urgency(self, work: Work) -> None:
        to = self.dice.choice([Urgency.IMMEDIATE, Urgency.URGENT])
        await change_urgency(work, self.staff, self.referral_id, to, "why")

    async def _in_house(self, work: Work) -> None:
        await replying.acknowledge_by_staff(work, await lock_referral(work, self.referral_id), BY)

    def verbs(self) -> dict[str, tuple[Verb, Actor | None]]:
        rid, staff, chief, dice = self.referral_id, self.staff, self.chief, self.dice
        of_chief = actor_of(chief)

        def by_agency(act: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Verb:
            async def verb(work: Work) -> None:
                await act(work, *(await self.recipient(work)), *args, **more)

            return verb

        agreed = Agreed(GivenBy.CHILD, How.SPOKEN, (Scope.SERVICES,))
        override = Override(Basis.LEGAL_OBLIGATION, "why")
        withdrawal = withdrawing.Withdrawal(GivenBy.CHILD, How.SPOKEN)
        return {
            "consent": (lambda w: staff_actions.consent(w, staff, rid, agreed), None),
            "override": (lambda w: staff_actions.consent(w, staff, rid, override), None),
            "withdraw": (lambda w: withdrawing.withdraw_consent(w, staff, rid, withdrawal), None),
            "confirm": (lambda w: withdrawing.confirm_withdrawal(w, chief, rid, ""), of_chief),
            "chief overrides": (lambda w: staff_actions.consent(w, chief, rid, override), of_chief),
            "chief recalls": (lambda w: staff_actions.recall(w, chief, rid, "why"), of_chief),
            "send": (lambda w: staff_actions.send(w, staff, rid, None), None),
            "send there": (
                lambda w: staff_actions.send(
                    w, staff, rid, dice.choice(["house-1", "house-2", "house-3"])
                ),
                None,
            ),
            "acknowledge": (by_agency(replying.acknowledge, BY), PROGRAM),
            "accept": (by_agency(replying.accept, BY), PROGRAM),
            "reject": (by_agency(replying.reject, RejectionReason.NO_CAPACITY, BY), PROGRAM),
            "progress": (by_agency(replying.progress, BY), PROGRAM),
            "complete": (by_agency(replying.complete, ReferralOutcome.OTHER, BY), PROGRAM),
            "in house": (self._in_house, PROGRAM),
            "details": (self._open_details, PROGRAM),
            "write": (self._write, PROGRAM),
            "urgency": (self._urgency, None),
            "take in hand": (lambda w: staff_actions.take_in_hand(w, staff, rid), None),
            "escalate": (self._escalate, PROGRAM),
            "breach": (self._breach, PROGRAM),
            "result": (self._result, PROGRAM),
            "close": (lambda w: staff_actions.close(w, staff, rid, "why"), None),
            "recall": (lambda w: staff_actions.recall(w, staff, rid, "why"), None),
        }

    async def step(self, name: str) -> None:
        verb, actor = self.verbs()[name]
        # Time goes by, so that a person who was tried may be tried again.
        self.stage.stepped.move_to(self.stage.clock.now() + timedelta(seconds=45))
        try:
            await self.run(verb, actor)
        except Refusal:
            # Its transaction was rolled back: everything is as it was when it was looked at last.
            self.happened.append(f"({name})")
            return
        self.happened.append(name)
        await self.check()

    async def check(self) -> None:
        async with transaction(self.stage.ground, PROGRAM) as work:
            referral = await work.session.get(Referral, self.referral_id)
            assert referral is not None
            deadlines = (
                await work.session.scalars(
                    select(Deadline).where(
                        Deadline.referral_id == referral.id, Deadline.stopped_at.is_(None)
                    )
                )
            ).all()
            told = " ".join(self.happened)
            state = ReferralState(referral.state)
            assert referral.owner_id is not None
            running = {c.kind for c in deadlines}
            if state in UNACKNOWLEDGED:
                assert "acknowledge" in running, told
                if state is not ReferralState.DRAFT:
                    assert can(referral, ReferralEvent.ACKNOWLEDGE), told
                    # And a person is being tried, or will be: the escalation has a next moment.
                    # Or a supervisor is alarmed, who decides whether it may go on at all.
                    undecided = referral.withdrawal_at is not None
                    assert undecided or referral.escalates_at is not None, told
            elif state in OVER:
                assert not running, told
                assert referral.escalates_at is None, told
            else:
                assert referral.escalates_at is None, told
                if referral.held_by_staff:
                    assert "hand_over" in running, told
                else:
                    assert referral.recipient_id is not None, told
                    await self.check_details(work, referral, running)
            await self.check_replies(work, referral)

    async def check_details(self, work: Work, referral: Referral, running: set[str]) -> None:
        """The agency that acknowledged it has the details, or has a deadline to open them."""
        holder = await work.session.get(Recipient, referral.recipient_id)
        assert holder is not None
        if referral.state == ReferralState.ACKNOWLEDGED and holder.details_at is None:
            assert "details" in running, " ".join(self.happened)

    async def check_replies(self, work: Work, referral: Referral) -> None:
        """Each reply stands with the agency that gave it: at most one holds the referral."""
        rows = (
            await work.session.scalars(
                select(Recipient).where(Recipient.referral_id == referral.id)
            )
        ).all()
        held = (RecipientState.ACKNOWLEDGED, RecipientState.ACCEPTED, RecipientState.IN_PROGRESS)
        holders = [a for a in rows if a.state in held]
        assert len(holders) <= 1, " ".join(self.happened)
        if holders and ReferralState(referral.state) in HELD:
            assert holders[0].id == referral.recipient_id, " ".join(self.happened)


NAMES = [
    "consent",
    "override",
    "withdraw",
    "send",
    "send there",
    "acknowledge",
    "accept",
    "reject",
    "reject",
    "progress",
    "complete",
    "details",
    "write",
    "urgency",
    "in house",
    "take in hand",
    "escalate",
    "escalate",
    "breach",
    "breach",
    "result",
    "result",
    "close",
    "close",
    "recall",
    "consent",
    "withdraw",
    "confirm",
    "chief overrides",
    "chief recalls",
]

# What must have happened before these can happen.
BEFORE: dict[str, tuple[str, ...]] = {
    "progress": ("acknowledge", "accept"),
    "complete": ("acknowledge", "accept", "progress"),
    "in house": ("escalate",) * 8,
    "chief recalls": ("withdraw",),
    "close": ("acknowledge", "accept", "progress", "complete"),
    "withdraw": ("consent",),
    "confirm": ("consent", "withdraw"),
}


async def bring_about(
    stage: Stage, staff: Staff, chief: Staff, name: str, before: Sequence[str]
) -> None:
    """Play what leads to an event until it happens. Raises AssertionError if it never does."""
    for seed in range(20):
        played = Play(stage, staff, chief, random.Random(seed))
        await played.open(Urgency.IMMEDIATE)
        for step in ("override", "send", *before, name):
            await played.step(step)
        if name in played.happened:
            return
    raise AssertionError(f"never happened: {name}")


async def test_any_sequence_of_events(stage: Stage) -> None:
    who = await stage.add_counsellor("ana", state=None)
    chief = await stage.add_counsellor("chief", state=None, role=Role.SUPERVISOR)
    for n in (1, 2, 3):
        await add_agency(
            stage,
            f"house-{n}",
            "shelter",
            phones=(f"+38111300000{n}",),
            email=f"a@house{n}.example",
        )
    await add_agency(
        stage, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000009",)
    )
    # Only the verbs are looked at: what they ask to be done is not carried out.
    await stage.stop_server()
    stage.ground = make_ground(stage.settings, stage.clock)
    loop = asyncio.get_running_loop()
    tried: set[str] = set()

    @settings(
        # Fewer and longer: more events meet what earlier ones have brought about.
        max_examples=200 if WHOLE else 4,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(st.sampled_from(NAMES), min_size=6, max_size=30),
        st.sampled_from([Urgency.IMMEDIATE, Urgency.URGENT]),
        st.integers(0, 1000),
    )
    def play(names: list[str], urgency: Urgency, seed: int) -> None:
        async def one() -> None:
            played = Play(stage, who.staff, chief.staff, random.Random(seed))
            await played.open(urgency)
            await played.check()
            # Most of it is about referrals that were sent.
            begins = [("override", "consent")[seed % 3 == 0], "send"]
            if seed % 5 == 1:
                # As far as our own people, where few sequences come by themselves.
                begins += ["escalate"] * 8 + ["in house"]
            for name in [*begins, *names] if seed % 4 else names:
                await played.step(name)
            tried.update(n for n in played.happened if not n.startswith("("))

        asyncio.run_coroutine_threadsafe(one(), loop).result(60)

    await asyncio.to_thread(play)
    # What an event can do depends on ids, which are others each time: what did not come by itself
    # is brought about.
    for name in sorted(set(NAMES) - tried):
        await bring_about(stage, who.staff, chief.staff, name, BEFORE.get(name, ()))


async def test_the_database_refuses_it_too(quiet: QuietStage) -> None:
    """Whatever the program does: such a row cannot be stored."""
    ana = await quiet.add_counsellor("ana", state=None)
    stop = "UPDATE deadlines SET stopped_at = now() WHERE referral_id = %s"
    graver = "UPDATE referrals SET urgency = 'immediate' WHERE id = %s"
    address = quiet.settings.database_url
    assert address is not None
    for urgency in ("urgent", "routine"):
        made = await ana.ask("POST", "/referrals", {"urgency": urgency, "services": ["shelter"]})
        referral_id = made.json()["id"]
        async with await psycopg.AsyncConnection.connect(address) as connection:
            await connection.execute(stop, (referral_id,))
            if urgency == "routine":
                # For what is not urgent it may stand still; then it cannot become urgent.
                await connection.commit()
                await connection.execute(graver, (referral_id,))
            with pytest.raises(psycopg.errors.CheckViolation):
                await connection.commit()
