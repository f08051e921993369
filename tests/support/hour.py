"""The scripted hour, played to its end: none of its callers is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.demo.hour import play_hour
from app.demo.lengths import Length
from app.demo.stage import Stage, stage_on


@asynccontextmanager
async def played_hour(database: str, seed: int, length: Length) -> AsyncIterator[Stage]:
    """Play an hour, check what came of its callers, and yield the helpline that it leaves."""
    async with stage_on(database, seed=seed, wrap_up_seconds=20, long_wait_seconds=60) as stage:
        told = await play_hour(stage, seed, length)
        assert told["broken"] == []
        assert told["rings"] == told["calls"]
        assert told["lost"] == 0
        assert told["answered"] > told["rings"] / 2
        assert told["urgent"] == told["acknowledged"] > 0
        assert told["chats_answered"] > told["chats"] / 2
        assert told["chat_reassigned"] > 0
        assert told["chat_messages_left"] > 1
        # Children who text are among them: all but the one who came when no counsellor was there.
        assert told["texts_answered"] == told["texts"] - 1 == length.texters
        # The server was away; which callbacks are lost is left to the dice.
        assert told["unreachable"] > 0
        yield stage
