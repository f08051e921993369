"""Wrap-up goes on while the counsellor writes, and not for ever."""

from datetime import datetime, timedelta

import pytest

from app.calls.log_kinds import Cause
from app.routing import presence as presences
from app.routing.models import Presence
from app.work import Work
from tests.support.profile import WHOLE
from tests.support.verbs import a_counsellor

pytestmark = pytest.mark.whole

# In seconds: she types before what she has typed counts no more.
EVERY = 15 if WHOLE else presences.WRITES_ON


async def written_until(work: Work, presence: Presence, end: datetime) -> datetime | None:
    """A counsellor types in time, as long as her wrap-up lasts."""
    while presence.until_at is not None and work.now < min(end, presence.until_at):
        work.now += timedelta(seconds=EVERY)
        await presences.keep_wrap_up(work, presence.counsellor_id)
        await work.session.refresh(presence)
    return presence.until_at


async def test_a_wrap_up_goes_on_while_she_writes_for_half_an_hour_at_most(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await a_counsellor(work, "ana")
    presence = await presences.lock_presence(work, ana.id)
    await presences.start_wrap_up(work, presence, Cause.HANDED_OVER)
    await work.session.flush()
    began = work.now
    until = await written_until(work, presence, began + timedelta(minutes=20))
    assert until == began + timedelta(minutes=20, seconds=presences.WRITES_ON)
    until = await written_until(work, presence, began + timedelta(minutes=40))
    assert until == began + timedelta(minutes=30)
    # Where a wrap-up may last longer, its writer has three times as long.
    await presences.set_free(work, presence, Cause.OWN_CHOICE)
    monkeypatch.setattr(work.settings, "wrap_up_seconds", 900)
    await presences.start_wrap_up(work, presence, Cause.HANDED_OVER)
    await work.session.flush()
    began = work.now
    until = await written_until(work, presence, began + timedelta(hours=2))
    assert until == began + timedelta(minutes=45)
