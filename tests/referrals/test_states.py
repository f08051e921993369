"""The whole grid of a referral's states and events."""

import itertools

from app.referrals.states import (
    CAME_BACK,
    HELD,
    OVER,
    TRANSITIONS,
    UNACKNOWLEDGED,
    ReferralEvent,
    ReferralState,
)

S, E = ReferralState, ReferralEvent


def test_the_grid_of_states() -> None:
    for state, event in itertools.product(S, E):
        after = TRANSITIONS.get((state, event))
        if state in OVER:
            assert after is None, "what is over stays over"
        if event is E.CLOSE and after is not None:
            assert state in (S.COMPLETED, S.REDIRECTED, S.ACKNOWLEDGED, *CAME_BACK)
        if event is E.REJECT and after is not None:
            assert after is S.REJECTED
            assert after in UNACKNOWLEDGED, "rejecting opens the duty again"
        if event is E.ACKNOWLEDGE and after is not None:
            assert state in UNACKNOWLEDGED
            assert after in HELD
    # Each state that is not over has a way on, and everything can be left by a person.
    for state in S:
        if state not in OVER:
            assert [a for (s, _), a in TRANSITIONS.items() if s is state and a is not state]
    # In each state in which a deadline to acknowledge runs, an agency can acknowledge.
    for state in UNACKNOWLEDGED - {S.DRAFT}:
        assert TRANSITIONS[state, E.ACKNOWLEDGE] is S.ACKNOWLEDGED
    assert not UNACKNOWLEDGED & {*HELD, *OVER}
    assert {*UNACKNOWLEDGED, *HELD, *OVER, S.COMPLETED} == set(S)
