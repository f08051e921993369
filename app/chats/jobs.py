"""Background tasks of written conversations. Each may run twice."""

from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.calls.sentences import Sentence
from app.chats import by_carrier, ending, opening, typing
from app.chats.left import left
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import run_verb, transaction
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(max_attempts=12, exponential_wait=2, retry_exceptions=set(PASSING))


async def forget_chats(ground: Ground) -> None:
    """Forget what was being typed a while ago, and codes and visits whose time is over."""
    async with transaction(ground, PROGRAM) as work:
        await typing.forget_old(work)
        await left.forget_codes(work)
        await opening.forget_visits(work)


def chat_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.FOLLOW_CONVERSATION.in_area, retry=_RETRY, pass_context=True)
    async def follow_conversation(
        context: JobContext, call_id: str, sentence: str, key: str
    ) -> None:
        ground: Ground = context.additional_context["ground"]
        await run_verb(
            ground,
            PROGRAM,
            lambda work: ending.follow(work, UUID(call_id), Sentence(sentence), key),
        )

    @tasks.task(name=Task.WATCH_CARRIED.in_area, retry=_RETRY, pass_context=True)
    async def watch_carried(context: JobContext, call_id: str) -> None:
        ground: Ground = context.additional_context["ground"]
        await run_verb(ground, PROGRAM, lambda work: by_carrier.watch(work, UUID(call_id)))

    return tasks
