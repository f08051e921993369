"""After a start, the webhooks of calls come before all else."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from app.main import TelephoneFirst, until_quiet


async def test_the_rest_is_loaded_once_the_webhooks_that_came_first_are_answered() -> None:
    under_way: set[object] = set()
    answered = asyncio.Event()

    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        await answered.wait()

    async def nothing() -> Message:
        return {"type": "http.request"}

    async def unheard(message: Message) -> None: ...

    first = TelephoneFirst(answers, asyncio.Event(), under_way)
    scope = {"type": "http", "path": "/telephony/voice"}
    webhook = asyncio.create_task(first(scope, nothing, unheard))
    await asyncio.sleep(0)
    loading = asyncio.create_task(until_quiet(under_way))
    await asyncio.sleep(0.12)
    assert not loading.done()
    answered.set()
    await webhook
    assert not under_way
    await loading
