"""A webhook is decided within the provider's patience, committed, and then replied to."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response

from app.calls.lines import line_scripts
from app.errors import NotFound, Refusal
from app.jobs.transaction import run_verb
from app.log import fault, log
from app.telephony import script
from app.telephony.answers import Answer
from app.telephony.documents import document
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.signature import Signed, read_number
from app.telephony.script import Scene
from app.telephony.steps import HangUp, Step
from app.work import PROVIDER, Ground, Work

T = TypeVar("T")
# Seconds that a decision may take; the provider asks again a little later.
PATIENCE = 4.0

Asked = Callable[[Work], Awaitable[tuple[Answer, Scene | None]]]


def ground_of(request: Request) -> Ground:
    ground: Ground = request.app.state.ground
    return ground


def number_in(text: str | None, default: int = 0) -> int:
    """Return the number in a field, or the default."""
    number = read_number(text or "")
    return default if number is None else number


def reply(request: Request, steps: list[Step]) -> Response:
    """Return the document of these steps, as the platform of the settings reads it."""
    return document(steps, platform_of(ground_of(request).settings))


def trouble_steps(request: Request, path: str) -> list[Step]:
    """Return comfort in every language of the lines, and the request that comes after it."""
    return script.trouble_steps(path, line_scripts.spoken_languages(ground_of(request)))


async def speak(request: Request, signed: Signed, asked: Asked) -> Response:
    """Decide in one transaction, commit, then answer.

    If anything fails (above all, a stopped database), the caller hears that we are still
    there, and the same document is asked for again a few seconds later.
    """
    ground = ground_of(request)
    try:
        answer, scene = await in_time(run_verb(ground, PROVIDER, asked))
        if scene is not None:
            return reply(request, script.steps_for(answer, scene))
    except Refusal as refusal:
        # Signed, but about something that we do not have: start from the beginning.
        log().warning("a webhook was not understood", area="telephony", kind=type(refusal).__name__)
        return reply(request, trouble_steps(request, "/telephony/voice"))
    except Exception as error:  # a child is on the line: an HTTP error would drop the call
        log().error(
            "a webhook failed",
            area="telephony",
            **fault(error),
            path=request.scope["path"][-24:],
        )
    return reply(request, trouble_steps(request, _again(request, signed)))


async def in_time(deciding: Coroutine[Any, Any, T]) -> T:
    """Return the decision, or raise TimeoutError. What is still under way then is cancelled.

    A database that hangs must not outlast the provider's timeout of fifteen seconds.
    """
    task = asyncio.ensure_future(deciding)
    done, _ = await asyncio.wait({task}, timeout=PATIENCE)
    if not done:
        task.cancel()
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        raise TimeoutError
    return task.result()


def _again(request: Request, signed: Signed) -> str:
    path = signed.path_and_query
    if "again=" in path:
        return path
    path += ("&" if "?" in path else "?") + "again=1"
    return path + platform_of(ground_of(request).settings).repeated(signed)


async def note(request: Request, verb: Callable[[Work], Awaitable[Any]]) -> Response:
    """Receive a callback; an error response makes the provider send it again."""
    try:
        await in_time(run_verb(ground_of(request), PROVIDER, verb))
    except NotFound:
        return Response(status_code=204)
    except Exception as error:
        log().error(
            "a callback failed",
            area="telephony",
            **fault(error),
            path=request.scope["path"][-24:],
        )
        return Response(status_code=503)
    return Response(status_code=204)


async def tell_other_leg(request: Request, asked: Asked) -> Response:
    """Say what a partner or participant hears. After an error it is asked for again."""

    async def steps(work: Work) -> list[Step]:
        answer, scene = await asked(work)
        return script.steps_for(answer, scene) if scene is not None else [HangUp()]

    return await tell(request, steps)


async def tell(request: Request, asked: Callable[[Work], Awaitable[list[Step]]]) -> Response:
    """Say what a phone hears that is not a caller's. After an error it is asked for again."""
    ground = ground_of(request)
    steps: list[Step]
    try:
        steps = await in_time(run_verb(ground, PROVIDER, asked))
    except NotFound:
        steps = [HangUp()]
    except Exception as error:
        log().error(
            "a duty phone's webhook failed",
            area="telephony",
            **fault(error),
            path=request.scope["path"][-24:],
        )
        # The same request once more, a few seconds later.
        path = request.scope["path"] + "?" + request.scope["query_string"].decode("latin-1")
        steps = trouble_steps(request, path.rstrip("?"))
    return reply(request, steps)
