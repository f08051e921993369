"""Letters whose places are filled with texts of people: the letter keeps its form."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from uuid import uuid4

import pytest

from app.outbox import mail
from app.outbox.responses import Refused
from app.settings import Settings
from app.work import make_ground
from tests.support.program.made_up import TEXT, tried

pytestmark = pytest.mark.whole

HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


async def test_no_text_of_a_person_adds_a_header_to_a_letter(
    monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    sent: list[EmailMessage] = []
    monkeypatch.setattr(mail, "converse", lambda box, message: sent.append(message))
    ground = make_ground(
        Settings(
            database_url="postgresql:///x",
            secret_key="practice-secret-key-practice-secret-key",
            field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
            smtp_url="smtp://127.0.0.1?from=line@example.org",
        )
    )

    async def attempt(words: str) -> None:
        for to, subject, body in (
            ("duty@example.org", f"Reminder for {words}", f"Dear {words}"),
            (f"{words}@example.org", "Reminder", words),
        ):
            sent.clear()
            try:
                await mail.send_mail(ground, to, subject, body, message_id=uuid4())
            except Refused:
                assert sent == []
                continue
            raw = sent[0].as_bytes(policy=policy.SMTP)
            read = BytesParser(policy=policy.default).parsebytes(raw)
            assert set(read.keys()) <= HEADERS
            assert read["Message-ID"].endswith("@example.org>")

    bad = "ana\r\nBcc: stranger@example.org\r\n\r\nhello"
    for one in (bad, "ana\nBcc: x@example.org", "\u2028Bcc: x", "a\x85b", "\x00"):
        await attempt(one)
    await tried(TEXT, attempt, 60)
    await ground.database.close()
