"""How long a request may take: until its body is there, and until its response begins."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds until the whole body is there: a document of a case may come over a slow line.
BODY_SECONDS = 300.0
# Seconds until the response begins: a report over years takes some of them.
RESPONSE_SECONDS = 420.0


class Patience:
    """Ends requests whose sender or whose work takes too long.

    `without_limit`: paths that have a shorter limit of their own, and are never cut off here.
    """

    def __init__(
        self,
        app: ASGIApp,
        without_limit: str,
        for_programs: tuple[str, ...],
        body_seconds: float = BODY_SECONDS,
        response_seconds: float = RESPONSE_SECONDS,
    ) -> None:
        self._app = app
        self._without_limit, self._for_programs = without_limit, for_programs
        self._body_seconds, self._response_seconds = body_seconds, response_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        patient = _Patient(receive, self._body_seconds)
        if scope["path"].startswith(self._without_limit):
            await self._app(scope, patient.receive, send)
            return
        began = False
        try:
            async with asyncio.timeout(self._response_seconds) as limit:

                async def begin(message: Message) -> None:
                    nonlocal began
                    if not began:
                        began = True
                        # A download and a live stream take as long as they take.
                        limit.reschedule(None)
                    await send(message)

                await self._app(scope, patient.receive, begin)
        except TimeoutError:
            if began or not limit.expired():
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        words = "The request took too long. Nothing was changed. Try again with a smaller one."
        if scope["path"].startswith(self._for_programs):
            problem = {"error": "TookTooLong", "detail": words}
            await JSONResponse(problem, status_code=503)(scope, receive, send)
        else:
            await PlainTextResponse(words, status_code=503)(scope, receive, send)


class _Patient:
    """Receives a body, for a limited time. After the body only the end of the connection can
    come, and that is waited for without a limit."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends_at):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "The body did not arrive in time. Send it again.") from None
        self._complete = not message.get("more_body", False)
        return message
