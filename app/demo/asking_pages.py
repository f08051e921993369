"""When a page of the scripted hour asks the server: at news, and with every beat.

A page of the program has a stream that tells it what is new, and beats every twenty seconds. Pages
that ask every few seconds instead cost a third of the hour, and nearly all of them learn nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage

# As `heartbeat.js`.
_BEATS_EVERY = timedelta(seconds=20)
_NEWS = (
    "SELECT o.id, o.state,"
    " (SELECT count(*) FROM chat_messages m WHERE m.call_id = o.call_id) AS messages"
    " FROM offers o WHERE o.counsellor_id = %s AND o.released_at IS NULL ORDER BY o.id"
)


class Page:
    """The page of a counsellor; it knows what was new when it asked last."""

    def __init__(self, stage: Stage, counsellor: Counsellor) -> None:
        self._stage, self._counsellor = stage, counsellor
        self._seen: list[dict[str, Any]] = []
        self._asked_at: datetime | None = None
        # What the stage had counted when nothing was open and nothing new.
        self._quiet_at: int | None = None

    async def has_to_ask(self) -> bool:
        """Return whether an offer is open, something has changed, or the page beats."""
        now = self._stage.clock.now()
        beats = self._asked_at is None or now - self._asked_at >= _BEATS_EVERY
        changes = self._stage.changes() if self._stage.changes is not None else None
        if not beats and changes is not None and changes == self._quiet_at:
            return False
        news = await self._stage.rows(_NEWS, self._counsellor.id)
        is_new = news != self._seen or any(row["state"] == "open" for row in news)
        if not is_new and not beats:
            self._quiet_at = changes
            return False
        # If the server is away and does not answer, the next beat asks again.
        self._seen, self._asked_at = news, now
        return True
