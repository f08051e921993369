from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calls.states import (
    TRANSITIONS,
    CallEvent,
    CallFacts,
    CallState,
    LegStatus,
    Outcome,
    Unstaffed,
    is_over,
    outcome_of,
    supersedes,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SHORT = timedelta(seconds=10)


def test_the_whole_grid_of_a_call() -> None:
    """Every pair of state and event, allowed or not."""
    allowed = {
        ("greeting", "enter_queue"): "queued",
        ("queued", "leave_queue"): "greeting",
        ("queued", "offer"): "offered",
        ("offered", "offer"): "offered",
        ("offered", "offer_ended"): "queued",
        ("offered", "connect"): "connected",
        ("offered", "counsellor_lost"): "queued",
        ("connected", "counsellor_lost"): "queued",
        ("greeting", "end"): "ended",
        ("queued", "end"): "ended",
        ("offered", "end"): "ended",
        ("connected", "end"): "ended",
    }
    for state, event in product(CallState, CallEvent):
        assert TRANSITIONS.get((state, event)) == allowed.get((state.value, event.value))


def test_an_ended_call_changes_no_more() -> None:
    assert not [key for key in TRANSITIONS if key[0] is CallState.ENDED]


def facts(**known: object) -> CallFacts:
    values: dict[str, object] = {
        "greeted": True,
        "queued_at": None,
        "answered_at": None,
        "ended_at": NOW,
        "unstaffed": None,
        "has_message": False,
        "lost": False,
    }
    return CallFacts(**{**values, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        ({}, Outcome.ABANDONED_IN_GREETING),
        ({"greeted": False}, Outcome.UNREACHABLE),
        ({"greeted": False, "refused": True}, Outcome.FAILED),
        ({"queued_at": NOW - timedelta(seconds=9)}, Outcome.SHORT_ABANDON),
        ({"queued_at": NOW - timedelta(seconds=10)}, Outcome.ABANDONED_IN_QUEUE),
        ({"queued_at": NOW - timedelta(seconds=60), "answered_at": NOW}, Outcome.ANSWERED),
        ({"unstaffed": Unstaffed.OUT_OF_HOURS}, Outcome.OUT_OF_HOURS),
        ({"unstaffed": Unstaffed.OUT_OF_HOURS, "has_message": True}, Outcome.VOICEMAIL),
        ({"unstaffed": Unstaffed.NO_COUNSELLOR_ON_DUTY}, Outcome.NO_COUNSELLOR_ON_DUTY),
        ({"lost": True}, Outcome.LOST),
        ({"lost": True, "answered_at": NOW}, Outcome.ANSWERED),
    ],
)
def test_what_is_known_of_a_call_decides_its_outcome(
    known: dict[str, object], outcome: Outcome
) -> None:
    assert outcome_of(facts(**known), short_abandon=SHORT) is outcome


@given(st.lists(st.sampled_from(list(LegStatus)), min_size=1, max_size=8))
def test_a_leg_never_goes_back(words: list[LegStatus]) -> None:
    known: LegStatus | None = None
    for word in words:
        before = known
        if supersedes(word, known):
            known = word
        if before is not None and is_over(before):
            assert known is before
    assert known is not None
    assert is_over(known) == any(is_over(word) for word in words)
