"""What the events of a conference say does not depend on the order in which they come."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from app.calls.labels import Label
from app.calls.log_kinds import ConferenceEvent
from app.calls.models import RecordedEvent
from app.demo.stage import MONDAY
from app.telephony.counsellor.conference import fold

JOIN, LEAVE = ConferenceEvent.JOIN, ConferenceEvent.LEAVE
# The caller joins; then the counsellor, who leaves and comes back.
TOLD = (
    (Label.CALLER, JOIN),
    (Label.COUNSELLOR, JOIN),
    (Label.COUNSELLOR, LEAVE),
    (Label.COUNSELLOR, JOIN),
)


def at(sequence: int) -> datetime:
    return MONDAY + timedelta(seconds=sequence)


def event(sequence: int) -> RecordedEvent:
    label, kind = TOLD[sequence]
    provider = {"ConferenceSid": "CF1"}
    detail = {"participant": label.value, "sequence": sequence, "provider": provider}
    return RecordedEvent(kind=kind.value, at=at(sequence), detail=detail)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_order_in_which_events_come_does_not_matter(count: int) -> None:
    for order in permutations(range(count)):
        found = fold([event(sequence) for sequence in order])
        assert found.caller.present, order
        assert found.counsellor.present == (count != 3), order
        assert found.both_at == at(1), order
