"""Systems of agencies: one that takes signed events, and Primero."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import standardwebhooks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.demo.counsellor import Counsellor
from app.demo.served import free_port
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.privacy.secret_uses import signature_of
from app.referrals.channels.webhook.signing import Sign, headers_for
from app.referrals.directory.agencies import set_primero_password, set_webhook_secret
from app.work import PROGRAM
from tests.support.referrals import OVERRIDE, add_agency, by_hand, referral_of


class Receiver:
    """An agency's own system: it checks what it is sent with a library of the specification."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.taken: list[dict[str, Any]] = []
        self.attempts: list[tuple[str, int]] = []
        self.status = 200
        # Keeps a request waiting until it is set.
        self.pause: asyncio.Event | None = None
        # How many seconds it takes an event without answering.
        self.answers_late = 0.0
        # The address and the headers of each request: what is not in its body.
        self.seen_on_the_way: list[str] = []
        self.secret = ""
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        headers = {k: v for k, v in request.headers.items() if k.startswith("webhook-")}
        event = json.loads(body)
        if self.pause is not None:
            await self.pause.wait()
        self.attempts.append((headers["webhook-id"], event["data"]["sequence"]))
        if self.secret:
            at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            right = standardwebhooks.Webhook(self.secret).sign(
                headers["webhook-id"], at, body.decode()
            )
            assert right == headers["webhook-signature"]
        self.seen_on_the_way.append(f"{request.url} {dict(request.headers)}")
        if self.status == 200:
            self.taken.append(event)
        if self.answers_late:
            await asyncio.sleep(self.answers_late)
        return Response(status_code=self.status)


async def with_system(stage: Stage, receiver: Receiver, code: str = "house") -> str:
    await add_agency(stage, code, "shelter", webhook_url=receiver.url)
    async with transaction(stage.ground, PROGRAM) as work:
        receiver.secret = await set_webhook_secret(work, code)
    return receiver.secret


async def told(
    stage: Stage,
    secret: str,
    event: dict[str, Any],
    *,
    event_id: str = "",
    off: float = 0,
    code: str = "house",
    signature: str = "",
) -> Any:
    """The agency's system tells us something."""
    body = json.dumps(event).encode()
    at = stage.clock.now() + timedelta(seconds=off)
    headers = headers_for(signing_by(secret), event_id or str(uuid4()), at, body)
    if signature:
        headers["webhook-signature"] = signature
    url = f"{stage.settings.public_url}/api/v1/agencies/{code}/events"
    return await stage.client.post(url, content=body, headers=headers)


def signing_by(secret: str) -> Sign:
    """Return what signs events as an agency with this secret does."""
    return partial(signature_of, secret)


def event(referral: str, sequence: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"referral": referral, "sequence": sequence, **data}}


HOUSE = {"agency": "house", "name": "Mira"}


async def sent(stage: Stage, ana: Counsellor, **more: Any) -> dict[str, Any]:
    made = await by_hand(
        ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana", "child.age": 9}, **more
    )
    await stage.settle()
    return await referral_of(ana, made["id"])


async def with_primero(stage: Stage, url: str, services: str = "shelter", **more: Any) -> None:
    config = {
        "url": url,
        "user": "line",
        "owned_by": "cp_intake",
        "refer_to": "shelter_worker",
        "mapping": "primero-cp",
        **more,
    }
    await add_agency(stage, "house", services, primero=config)
    async with transaction(stage.ground, PROGRAM) as work:
        await set_primero_password(work, "house", "secret")


ANSWERS = {
    "child.name": "Jovana Petrović",
    "child.age": 9,
    "child.age_is": "estimated",
    "child.gender": "girl",
    "danger.signs": ["injured"],
    "child.found_at": "Kod tetke",
}
