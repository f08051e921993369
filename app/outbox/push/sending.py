"""Sending one message to a browser, through the push service that the browser named."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from procrastinate import Blueprint, JobContext

from app.jobs.names import Task
from app.outbox.once import Outgoing, send_once
from app.outbox.outside import client_for_outside, client_for_own
from app.outbox.push.models import PushMessage, PushSubscription
from app.outbox.push.subscriptions import is_own_service, may_send_to, private_key
from app.outbox.responses import Refused, RequestFailed, TryAgain, Uncertain
from app.outbox.states import Sending
from app.staff.models import Staff
from app.words.pages import _, spoken_in
from app.work import Ground, Work

# Statuses of a push service for an address that is no longer one (RFC 8030).
_GONE = (404, 410)
_TIMEOUT = 10.0
_REPEATED_AFTER = timedelta(seconds=10)
# How long the signature holds; services take at most a day.
_SIGNED_FOR = timedelta(hours=1)
# Messages with one topic replace each other while they wait: a repeat wakes no person twice.
_TOPIC = "helpline"


class PushOnce(Outgoing[PushMessage]):
    """A message to a browser. A push service cannot be asked: it is sent again under its topic."""

    repeat_after = timedelta(seconds=20)

    def __init__(self, ground: Ground, message_id: str) -> None:
        super().__init__(Task.SEND_PUSH, message_id=message_id)
        self._ground, self._id = ground, UUID(message_id)

    async def lock(self, work: Work) -> PushMessage | None:
        found: PushMessage | None = await work.session.get(
            PushMessage, self._id, with_for_update=True, populate_existing=True
        )
        return found

    async def prepare(self, work: Work, row: PushMessage) -> bool:
        to = await work.session.get_one(PushSubscription, row.subscription_id)
        staff = await work.session.get_one(Staff, to.staff_id)
        info = json.loads(
            work.ground.keys.open(
                to.endpoint_sealed, table="push_subscriptions", column="endpoint_sealed", row=to.id
            )
        )
        if (
            row.expires_at <= work.now
            or not staff.active
            or not may_send_to(work.settings, info["endpoint"])
        ):
            row.sending = Sending.FAILED.value
            return False
        with spoken_in(staff.page_language):
            words = _("The helpline needs you.")
        self.url = info["endpoint"]
        self.body = _sealed(info, words)
        left = int((row.expires_at - work.now).total_seconds())
        self.headers = {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(max(1, left)),
            "urgency": "high",
            "topic": _TOPIC,
            **_signed(work, self.url, await private_key(work)),
        }
        return True

    async def send(self) -> None:
        """Send it. The response's text is never read, and the address is never logged."""
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                self._service() as client,
                client.stream("POST", self.url, content=self.body, headers=self.headers) as answer,
            ):
                status = answer.status_code
        except httpx2.ConnectError as error:
            raise TryAgain(type(error).__name__) from None
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Uncertain(type(error).__name__) from None
        if status == 429:
            raise TryAgain("too many", status=status)
        if status >= 500:
            raise Uncertain("the push service failed", status=status)
        if not 200 <= status < 300:
            raise Refused("the push service refused", status=status)

    def _service(self) -> httpx2.AsyncClient:
        """Return the client for a push service: one of its maker is outside of our network. One of
        the helpline's own is where its operator says."""
        if is_own_service(self._ground.settings, self.url):
            return client_for_own()
        return client_for_outside(self._ground.settings)

    async def accepted(self, work: Work, row: PushMessage) -> None:
        to = await work.session.get_one(PushSubscription, row.subscription_id)
        to.used_at = work.now

    async def failed(self, work: Work, row: PushMessage, error: Refused | None) -> None:
        """Forget a browser that is gone, with all that was meant for it."""
        if error is not None and error.status in _GONE:
            to = await work.session.get_one(PushSubscription, row.subscription_id)
            await work.session.delete(to)

    async def put_off(self, work: Work, row: PushMessage, error: RequestFailed) -> bool:
        """Try again as long as it is of use."""
        wait = self.repeat_after if row.sending == Sending.SENDING else _REPEATED_AFTER
        if work.now + wait < row.expires_at:
            self.later(work, wait)
        else:
            row.sending = Sending.FAILED.value
        return True


def _sealed(info: dict[str, Any], words: str) -> bytes:
    """Return the words encrypted for one browser (RFC 8291)."""
    # Imported when it is needed: it brings two HTTP clients with it.
    from pywebpush import WebPusher

    body: bytes = WebPusher(info).encode(words.encode(), content_encoding="aes128gcm")["body"]
    return body


def _signed(work: Work, url: str, key: str) -> dict[str, str]:
    """Return the header by which the push service knows us (RFC 8292)."""
    from py_vapid import Vapid02

    parts, us = urlsplit(url), work.settings.public_url
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((work.now + _SIGNED_FOR).timestamp()),
        "sub": us if us.startswith("https://") else "mailto:nobody@localhost.localdomain",
    }
    header: dict[str, str] = Vapid02.from_string(key).sign(claims)
    return {"authorization": header["Authorization"]}


def outbox_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.SEND_PUSH.in_area, pass_context=True)
    async def send_push(context: JobContext, message_id: str) -> None:
        ground = context.additional_context["ground"]
        await send_once(ground, PushOnce(ground, message_id))

    return tasks
