"""A real mail server, and what is read from a message: its link and its code."""

import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from app.demo.served import free_port


def _all_of(message: Any) -> str:
    """All that a reader can see of a message, and what only a program sees of it."""
    found = [f"{name}: {value}" for name, value in message.items()]
    for part in message.walk():
        found.append(f"{part.get_content_type()} {part.get_filename() or ''}")
        if not part.is_multipart():
            content = part.get_payload(decode=True) or b""
            found.append(content.decode(part.get_content_charset() or "utf-8", "replace"))
    return "\n".join(found)


class Mail:
    """A real SMTP server that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.ids: list[str] = []
        # For each message, the address and all of it: headers, text, HTML and what is attached.
        self.whole: list[tuple[str, str]] = []
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
            self.whole += [(to, _all_of(message)) for to in envelope.rcpt_tos]
        if self.hangs_up_after_data:
            assert server.transport is not None
            server.transport.close()
        return self.answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "421 going away" if self.quits_badly else "221 Bye"

    def start(self, **tls: ssl.SSLContext) -> None:
        """Serve: with `ssl_context` by TLS from the first byte, with `tls_context` by STARTTLS."""
        # The library does not say the types of what it hands on.
        values: dict[str, Any] = dict(tls)
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **values)
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
    found = re.search(r"(?<!\d)(\d{14}|\d{6})(?!\d)", re.sub(r"http\S+", "", text))
    assert found, text
    return found[1]
