"""What the stories of referrals have in common: agencies, mail, and a child in danger."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from app.demo.stage import Counsellor, Stage, free_port
from app.jobs.transaction import transaction
from app.practice.parties import Phone
from app.referrals.accountability import accountability
from app.referrals.directory.agencies import Entry, save_agency
from app.referrals.directory.agencies import Phone as DutyPhone
from app.staff.roles import Role
from app.work import PROGRAM

NIGHT = "2030-01-14T01:00:00+00:00"


class Mail:
    """A real SMTP server that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.answer = "250 OK"
        # Takes the message and goes away without a word.
        self.hangs_up_after_data = False
        self.quits_badly = False
        self.port = free_port()
        self._controller: Controller | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            message = email.message_from_bytes(
                envelope.original_content or b"", policy=email.policy.default
            )
            part: Any = message.get_body()
            text = f"{message['Subject']}\n{part.get_content()}"
            self.messages.append((envelope.rcpt_tos[0], text))
            self.ids.append(str(message["Message-ID"]))
        if self.hangs_up_after_data:
            assert server.transport is not None
            server.transport.close()
        return self.answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "421 going away" if self.quits_badly else "221 Bye"

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop(no_assert=True)
            self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=line@example.org"

    def to(self, address: str) -> list[str]:
        return [body for to, body in self.messages if to == address]


@asynccontextmanager
async def mail() -> AsyncIterator[Mail]:
    made = Mail()
    made.start()
    try:
        yield made
    finally:
        made.stop()


def link_in(text: str) -> str:
    """The path of the link in a message."""
    found = re.search(r"http://[^/\s]+(/r/\S+)", text)
    assert found, text
    return found[1]


def code_in(text: str) -> str:
    found = re.search(r"(?<!\d)(\d{6})(?!\d)", re.sub(r"http\S+", "", text))
    assert found, text
    return found[1]


async def add_agency(stage: Stage, code: str, services: str, **more: Any) -> None:
    """An agency of the directory; phones are numbers, or (number, hours)."""
    phones = tuple(
        DutyPhone(*p) if isinstance(p, tuple) else DutyPhone(p) for p in more.pop("phones", ())
    )
    values: dict[str, Any] = {"sector": more.pop("sector", "shelter"), "languages": ("en",)}
    values |= more
    async with transaction(stage.ground, PROGRAM) as work:
        await save_agency(
            work,
            Entry(
                code=code,
                name=values.pop("name", code.replace("-", " ").title()),
                services=tuple(services.split(",")),
                duty_phones=phones,
                **values,
            ),
        )
    stage.ground.memory.forget("everything")


def phone(stage: Stage, number: str, **how: Any) -> Phone:
    """How a phone behaves when it is rung."""
    made = Phone(**how)
    stage.exchange.phones[number] = made
    return made


async def referral_of(who: Counsellor, referral_id: str) -> dict[str, Any]:
    answer = await who.ask("GET", f"/referrals/{referral_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def agency_figures(stage: Stage) -> dict[str, dict[str, Any]]:
    """The exact figures of each agency over all time, as they are before they are rounded."""
    since, until = datetime(2000, 1, 1, tzinfo=UTC), stage.clock.now() + timedelta(days=1)
    async with transaction(stage.ground, PROGRAM) as work:
        rows = await accountability(work, since, until)
    return {
        row.agency: {**row.values, "rejections": row.rejections, "outcomes": row.outcomes}
        for row in rows
    }


async def _second_person(stage: Stage) -> Counsellor:
    return await stage.add_counsellor(
        f"second-{uuid4().hex[:6]}", role=Role.SUPERVISOR, state=None, shift=False
    )


async def withdraw(stage: Stage, who: Counsellor, referral_id: str) -> dict[str, Any]:
    """The child no longer agrees, and a supervisor confirms it where it is immediate."""
    path = f"/referrals/{referral_id}"
    answer = await who.ask("POST", f"{path}/withdraw-consent", {"by": "child", "words": "no"})
    assert answer.status_code == 200, answer.text
    if answer.json()["state"] != "consent_withdrawn":
        chief = await _second_person(stage)
        answer = await chief.ask("POST", f"{path}/confirm-withdrawal", {"words": "no ground"})
        assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def take_back(stage: Stage, who: Counsellor, referral_id: str) -> dict[str, Any]:
    """It is taken back; by two of us where it is immediate."""
    path = f"/referrals/{referral_id}/recall"
    answer = await who.ask("POST", path, {"words": "found"})
    assert answer.status_code == 200, answer.text
    if answer.json()["state"] != "recalled":
        answer = await (await _second_person(stage)).ask("POST", path, {"words": "found"})
        assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def click(
    stage: Stage, path: str, form: dict[str, str] | None = None, *, as_: Any = None
) -> Any:
    """A visitor without an account at a page of ours; `as_` carries what a browser keeps."""
    url = stage.settings.public_url + path
    headers = {"origin": stage.settings.public_url}
    kept = as_.headers.get("set-cookie", "").split(";")[0] if as_ is not None else ""
    if kept:
        headers["cookie"] = kept
    if form is None:
        answer = await stage.client.get(url, headers=headers)
    else:
        answer = await stage.client.post(url, data=form, headers=headers)
    # Each visitor is somebody else.
    stage.client.cookies.clear()
    return answer


def story(found: dict[str, Any]) -> list[str]:
    """The log of a referral, in words."""
    told = []
    for event in found["events"]:
        detail = event["detail"]
        more = detail.get("result") or detail.get("to") or ""
        told.append(" ".join(part for part in (event["kind"], str(more)) if part))
    return told
