"""A webhook asks the database no more than it must: under load that is what callers wait for."""

from app.demo.bench.statements import statements_per_webhook
from app.demo.stage import Stage


async def test_each_webhook_of_a_caller_who_waits_sends_few_statements(stage: Stage) -> None:
    await stage.add_counsellor("ana", state="break")
    # The call, what changed of it, and its event.
    assert await statements_per_webhook(stage) == {"voice": 2, "menu": 3, "wait": 2, "status": 3}
