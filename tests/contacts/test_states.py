"""The whole grid of a contact's states and events."""

import pytest

from app.contacts.states import TRANSITIONS, ContactEvent, ContactState

S, E = ContactState, ContactEvent
GRID = {
    S.DRAFT: {E.SAVE: S.DRAFT, E.COMPLETE: S.COMPLETE, E.CLOSE: S.COMPLETE, E.REOPEN: None},
    S.COMPLETE: {E.SAVE: None, E.COMPLETE: None, E.CLOSE: None, E.REOPEN: S.REOPENED},
    S.REOPENED: {E.SAVE: S.REOPENED, E.COMPLETE: S.COMPLETE, E.CLOSE: S.COMPLETE, E.REOPEN: None},
}


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("event", list(E))
def test_every_state_and_event(state: ContactState, event: ContactEvent) -> None:
    assert TRANSITIONS.get((state, event)) == GRID[state][event]
