"""A kept message waits for a person once more, because its child has said something new."""

from app.calls.models import Call
from app.chats.models import ReturnCode
from app.database.topics import Topic
from app.work import Work


async def wait_again(work: Work, call: Call) -> None:
    """Let a kept message wait for every team, from now on, also one that was done."""
    found = await work.session.get_one(ReturnCode, call.id, populate_existing=True)
    found.taken_at = found.done_at = found.done_by = None
    found.waits_since = work.now
    work.announce(Topic.MESSAGES)
