"""E-mail to agencies and to our own staff, through the server of `HELPLINE_SMTP_URL`.

`smtp://user:password@host:port?from=address` (STARTTLS if the server supports it; required
with `smtp+starttls`), or `smtps://…` for TLS from the first byte.
"""

import asyncio
import contextlib
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from app.errors import BadSettings

# Seconds that one exchange with the server may take.
TIMEOUT = 10
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NotMailed(Exception):
    """The server has not accepted the message, so it is safe to send it again."""


class MailRefused(Exception):
    """The server refuses the message for good."""


class MailUncertain(Exception):
    """The connection broke after the message was handed over."""


@dataclass(frozen=True)
class Mailbox:
    """The server of `HELPLINE_SMTP_URL`."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    sender: str


def read_smtp_url(url: str) -> Mailbox:
    """Read the mail server and the sender from a URL. Raises BadSettings."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadSettings(
            "HELPLINE_SMTP_URL must look like smtp://user:password@host:587?from=line@example.org; "
            "the schemes are smtp, smtp+starttls and smtps."
        )
    sender = parse_qs(parts.query).get("from", [""])[0] or f"helpline@{parts.hostname}"
    return Mailbox(
        parts.scheme,
        parts.hostname,
        port or _PORTS[parts.scheme],
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        sender,
    )


async def send_mail(
    box: Mailbox, to: str, subject: str, body: str, *, message_id: UUID, at: datetime
) -> None:
    """Send one message. If an id is sent twice, most mail systems show the message once.

    Raises NotMailed, MailRefused, MailUncertain.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = box.sender, to, subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{message_id}@{box.sender.rpartition('@')[2]}>"
    # Tells mail systems not to reply to it, for example that the recipient is absent (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    await asyncio.to_thread(_converse, box, message)


def _converse(box: Mailbox, message: EmailMessage) -> None:
    try:
        server = _connect(box)
    except (OSError, smtplib.SMTPException) as error:
        raise NotMailed(type(error).__name__) from None
    try:
        server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if all(code >= 500 for code in codes):
            raise MailRefused(f"recipient refused ({codes[0]})") from None
        raise NotMailed(f"recipient not accepted now ({codes[0]})") from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        kind = MailRefused if error.smtp_code >= 500 else NotMailed
        raise kind(f"{type(error).__name__} ({error.smtp_code})") from None
    except (OSError, smtplib.SMTPException) as error:
        raise MailUncertain(type(error).__name__) from None
    finally:
        # The result is known by now: a failed QUIT does not change it.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()


def _connect(box: Mailbox) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if box.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            box.host, box.port, timeout=TIMEOUT, context=context
        )
    else:
        server = smtplib.SMTP(box.host, box.port, timeout=TIMEOUT)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif box.scheme == "smtp+starttls":
            server.close()
            raise smtplib.SMTPNotSupportedError("the server does not support STARTTLS")
    if box.user is not None:
        server.login(box.user, box.password or "")
    return server
