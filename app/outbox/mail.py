"""E-mail to agencies and to our own staff, through the server of `HELPLINE_SMTP_URL`.

`smtp://user:password@host:port?from=address` (STARTTLS if the server supports it; required
with `smtp+starttls`), or `smtps://…` for TLS from the first byte.
"""

import asyncio
import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

from app.log import log
from app.outbox.at_most_once import send_at_most_once
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.settings import Mailbox, read_smtp_url
from app.work import Ground

# Seconds that one exchange with the server may take.
TIMEOUT = 10


async def write_to_staff(
    ground: Ground, to: str, subject: str, body: str, *, message_id: UUID, area: str, what: str
) -> bool:
    """Send a letter to our own staff, of which no row is kept; return whether it was accepted.

    It is sent at most once (`at_most_once.py`), under one id: it says only what a page says too.
    `what` names it in the log. Raises TryAgain, so that its job runs again.
    """
    if ground.settings.smtp_url is None:
        log().warning(f"{what} is not mailed: HELPLINE_SMTP_URL is not set", area=area)
        return False
    return await send_at_most_once(
        lambda: send_mail(ground, to, subject, body, message_id=message_id), area=area, what=what
    )


async def send_mail(
    ground: Ground,
    to: str,
    subject: str,
    body: str,
    *,
    message_id: UUID,
    attached: tuple[str, bytes] | None = None,
) -> None:
    """Send one message. If an id is sent twice, most mail systems show the message once.

    The settings must have `smtp_url`. `attached`: the name and the bytes of a file of JSON.

    Raises TryAgain, Refused, and Uncertain if the connection broke after it was handed over.
    """
    assert ground.settings.smtp_url is not None
    box = read_smtp_url(ground.settings.smtp_url)
    message = EmailMessage()
    message["From"] = box.sender
    try:
        message["To"] = to
    except ValueError:
        raise Refused("the address has a line end") from None
    # A name in it may have one: a line end would begin another header.
    message["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    message["Date"] = format_datetime(ground.clock.now())
    message["Message-ID"] = f"<{message_id}@{box.sender.rpartition('@')[2]}>"
    # Tells mail systems not to reply to it, for example that the recipient is absent (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    if attached is not None:
        name, data = attached
        message.add_attachment(data, maintype="application", subtype="json", filename=name)
    await asyncio.to_thread(converse, box, message)


def converse(box: Mailbox, message: EmailMessage) -> None:
    """Hand a letter over to the mail server. Raises TryAgain, Refused, Uncertain."""
    try:
        server = _connect(box)
    except (OSError, smtplib.SMTPException) as error:
        raise TryAgain(type(error).__name__) from None
    try:
        server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if all(code >= 500 for code in codes):
            raise Refused(f"recipient refused ({codes[0]})") from None
        raise TryAgain(f"recipient not accepted now ({codes[0]})") from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        kind = Refused if error.smtp_code >= 500 else TryAgain
        raise kind(f"{type(error).__name__} ({error.smtp_code})") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Uncertain(type(error).__name__) from None
    finally:
        # The result is known by now: a failed QUIT does not change it.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()


def _connect(box: Mailbox) -> smtplib.SMTP:
    if box.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            box.host, box.port, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    else:
        server = smtplib.SMTP(box.host, box.port, timeout=TIMEOUT)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif box.scheme == "smtp+starttls":
            server.close()
            raise smtplib.SMTPNotSupportedError("the server does not support STARTTLS")
    if box.user is not None:
        server.login(box.user, box.password or "")
    return server
