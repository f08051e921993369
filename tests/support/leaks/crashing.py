"""Faults of a program that runs, each with a child's words at hand: in variables and in messages.

A note of a case whose text begins with `Crash` and a kind causes one; see `Program` and its
`sooner`.
"""

import asyncio
import os
import threading
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text as sql

from app.contacts.cases import cases
from app.staff.models import Staff
from app.work import Work

_add_note = cases.add_note


class Crash(StrEnum):
    REQUEST = "crash-request"
    DATABASE = "crash-database"
    THREAD = "crash-thread"
    TASK = "crash-task"
    REFERENCE = "crash-reference"
    PROCESS = "crash-process"


class Unplanned(Exception):
    """An error that nothing in the program knows."""


def fail(words: str) -> None:
    local = f"of the child: {words}"
    raise Unplanned(f"cannot read {local!r}")


async def _fail_later(words: str) -> None:
    fail(words)


class _FailsAtItsEnd:
    def __init__(self, words: str) -> None:
        self.words = words

    def __del__(self) -> None:
        fail(self.words)


async def add_note(work: Work, staff: Staff, case_id: UUID, text: str) -> None:
    """Stand in for the verb: fail as the text says, and else carry it out."""
    match text.split(" ")[0]:
        case Crash.REQUEST:
            fail(text)
        case Crash.DATABASE:
            # The database refuses it, and says the value.
            await work.session.execute(sql("SELECT CAST(:given AS integer)"), {"given": text})
        case Crash.THREAD:
            threading.Thread(target=fail, args=(text,)).start()
        case Crash.TASK:
            # Nothing waits for it.
            asyncio.get_running_loop().create_task(_fail_later(text))
        case Crash.REFERENCE:
            _FailsAtItsEnd(text)
        case Crash.PROCESS:
            # As a library that finds its memory broken.
            os.abort()
        case _:
            await _add_note(work, staff, case_id, text)


FAULTS: tuple[tuple[str, str, Any], ...] = (("app.contacts.cases.cases", "add_note", add_note),)
