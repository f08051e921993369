"""The pages and the JSON API alone: no exchange, no worker, and no socket between them and a test.

For stories in which no telephone rings and no job is waited for. A stage costs several times as
much. What a request defers stays in the database, and time goes by only where a test moves it.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx2
import psycopg

from app.demo.counsellor import Counsellor
from app.demo.stage import MONDAY, PASSWORD_ALONE, Stage
from app.demo.stepped_clock import SteppedClock
from app.main import make_app
from app.settings import Settings
from app.work import make_ground

_URL = "http://127.0.0.1:1"


class QuietStage(Stage):
    """A stage with its people and lines, of which only the pages and the API answer."""

    async def add_counsellor(self, name: str, **how: Any) -> Counsellor:
        """Add a counsellor who is signed in and, without a telephone, takes no calls."""
        return await super().add_counsellor(name, **{"state": None, **how})

    async def settle(self) -> None:
        """Jobs are not carried out here: there is nothing to wait for."""

    async def advance(self, seconds: float) -> None:
        raise NotImplementedError("a story in which time goes by needs a stage")

    def browser(self) -> httpx2.AsyncClient:
        """Return what keeps its own cookies, and is closed by who asked for it.

        Other addresses than that of the helpline are reached by sockets.
        """
        here = {"all://*:1": httpx2.ASGITransport(self.app)}
        return httpx2.AsyncClient(base_url=self.settings.public_url, mounts=here)

    @contextlib.asynccontextmanager
    async def answering(self, *, lines: bool = False) -> AsyncIterator["QuietStage"]:
        """Answer requests until the context is left. `lines`: the database has lines already."""
        url = self.settings.database_url
        assert url is not None
        await self.client.aclose()
        self.ground = make_ground(self.settings, self.clock)
        self.app = make_app(self.ground, with_worker=False)
        async with (
            await psycopg.AsyncConnection.connect(self.watched_as(url), autocommit=True) as watch,
            self.app.router.lifespan_context(self.app),
            self.browser() as self.client,
        ):
            self.watch = watch
            await self.change_rows(PASSWORD_ALONE)
            if not lines:
                await self.add_line()
            yield self


@contextlib.asynccontextmanager
async def quiet_stage_on(
    database_url: str, now: datetime = MONDAY, *, lines: bool = False
) -> AsyncIterator[QuietStage]:
    """Run a quiet stage on a migrated database. `lines`: it has lines already."""
    settings = Settings(
        database_url=database_url,
        public_url=_URL,
        secret_key="practice-secret-key-practice-secret-key",
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
    )
    async with QuietStage(settings, SteppedClock(now), 1).answering(lines=lines) as made:
        yield made
