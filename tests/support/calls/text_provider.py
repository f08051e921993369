"""A provider to which jobs send texts, and what goes wrong with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from app.outbox.responses import TryAgain
from app.referrals.directory.address_rows import AddressChange
from app.staff.models import Staff
from app.work import Work


class Killed(BaseException):
    """The process dies here."""


class TextProvider:
    """What a job that texts works with. `does` happens to each text in turn, whether it was taken
    before or not."""

    def __init__(self, work: Work, *does: type[BaseException] | None) -> None:
        self._work, self._does, self.texts = work, list(does), list[str]()
        self.platform = self

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        yield self._work
        await self._work.session.flush()

    async def send_message(self, *, to: str, from_: str, body: str, told: str) -> str:
        what = self._does.pop(0)
        if what is not TryAgain:
            self.texts.append(f"{to}: {body}")
        if what is not None:
            raise what("of this test")
        return "SM1"

    async def run(self, job: Any, about: Staff | AddressChange, run: int = 0) -> None:
        parts = {"parts": self}
        context = SimpleNamespace(additional_context=parts, job=SimpleNamespace(id=7, attempts=run))
        await job(context, str(about.id))
