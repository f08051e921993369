"""Whom an escalation tries next."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.referrals.escalation.next_step import Act, Around, Position, Step, StepKind, next_turn
from tests.support.profile import WHOLE

pytestmark = pytest.mark.whole

STEPS = [
    Step(StepKind.DUTY_PHONES, 30),
    Step(StepKind.MESSAGES, 120),
    Step(StepKind.NEXT_AGENCY, 0),
    Step(StepKind.SUPERVISOR, 90),
    Step(StepKind.DIRECTOR, 120),
]


def test_an_escalation_goes_step_by_step_and_around() -> None:
    fresh = Around(
        phones=2,
        messages=True,
        supervisor_phones=1,
        supervisor_messages=True,
        director_messages=True,
    )
    around, position, acts = fresh, Position(), []
    for _ in range(8):
        turn = next_turn(STEPS, position, around)
        acts.append(turn.act)
        position = turn.position
        # A phone that was rung in this round is not rung again in it.
        if turn.act is Act.RING:
            around = replace(around, phones=around.phones - 1)
        elif turn.act is Act.RING_SUPERVISOR:
            around = replace(around, supervisor_phones=0)
        elif turn.act is Act.AROUND:
            around = fresh
    assert acts == [
        Act.RING,
        Act.RING,
        Act.SEND,
        Act.RING_SUPERVISOR,
        Act.SEND_SUPERVISOR,
        Act.SEND_DIRECTOR,
        Act.AROUND,
        Act.RING,
    ]
    assert position.round == 1


@settings(max_examples=100 if WHOLE else 15)
@given(
    st.lists(
        st.builds(
            Around,
            st.integers(0, 4),
            st.booleans(),
            st.booleans(),
            st.integers(0, 2),
            st.booleans(),
            st.integers(0, 2),
            st.booleans(),
        ),
        min_size=30,
        max_size=60,
    )
)
def test_an_escalation_never_stands_still_and_never_spins(surroundings: list[Around]) -> None:
    """Whatever there is at each turn: it always has something to do, and moves on."""
    position = Position()
    shortest = min(step.wait for step in STEPS if step.wait)
    for around in surroundings:
        turn = next_turn(STEPS, position, around)
        if turn.act is Act.NEXT_AGENCY:
            assert around.more_agencies
        else:
            assert turn.wait >= shortest, "only going to the next agency takes no time"
        after, before = turn.position, position
        forward = (after.round, after.step, after.phone) > (before.round, before.step, before.phone)
        assert forward or turn.act is Act.NEXT_AGENCY
        position = after
