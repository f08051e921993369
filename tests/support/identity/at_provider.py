"""A browser that goes to the provider of identities and comes back; and the provider, served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from app.demo.served import Served
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.provider import keeping
from app.people.provider.mapping import MappingWanted
from app.work import PROGRAM
from tests.support.identity.provider import CLIENT, SECRET, Provider

ANA: dict[str, Any] = {"sub": "1", "name": "Ana", "groups": ["help"]}


@asynccontextmanager
async def a_provider(stage: Stage) -> AsyncIterator[Provider]:
    """Serve a provider that is set up here. Ana signs in there next."""
    # It is served by HTTP, on this machine.
    stage.settings.reach_own_network = True
    made = Provider(stage.clock, f"{stage.settings.public_url}{keeping.BACK}", ANA)
    server = Served(made.app, made.port)
    await server.start()
    await set_up(stage, made)
    yield made
    await server.stop()


async def set_up(stage: Stage, provider: Provider, **rules: Any) -> None:
    wanted = MappingWanted(
        name="City",
        issuer=provider.issuer,
        client_id=CLIENT,
        roles=(("lead", "supervisor"), ("help", "counsellor")),
        unknown="create",
        **rules,
    )
    async with transaction(stage.ground, PROGRAM) as work:
        await keeping.save(work, wanted, SECRET, by=None)


async def go(page: httpx2.AsyncClient, path: str = "/login/provider?next=/account") -> str:
    """Go to the provider. Return the address of the way back, not opened yet."""
    sent = await page.get(path)
    assert sent.status_code == 303, sent.text
    there = await page.get(sent.headers["location"])
    assert there.status_code == 302, there.text
    return there.headers["location"]


async def sign_in(page: httpx2.AsyncClient) -> httpx2.Response:
    return await page.get(await go(page))
