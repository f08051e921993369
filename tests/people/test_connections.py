"""What the program is connected to: whether it works, and a test letter."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.calls.line_rows import Line
from app.demo.stage import Stage
from app.outbox.states import Sending
from app.people.connections import Means, all_connections
from app.referrals.states import AttemptResult
from app.routing.alarm_rows import AlarmAttempt, AlarmKind
from app.routing.rota.watch import open_alarm
from app.staff.roles import Role
from app.work import Work
from tests.support.mail import Mail
from tests.support.referrals import page
from tests.support.verbs import a_line


@pytest.mark.parametrize(
    ("tries", "fails"),
    [
        ([(9, Sending.SENT, None)], False),
        ([(9, Sending.SENT, None), (3, Sending.FAILED, None)], True),
        ([(9, Sending.FAILED, None), (3, Sending.SENT, None)], False),
        ([(9, Sending.SENT, None), (3, Sending.FAILED, AttemptResult.STOPPED)], False),
        ([(60 * 24 * 40, Sending.FAILED, None)], False),
    ],
)
async def test_the_last_try_of_a_text_says_whether_it_works(
    work: Work, tries: list[tuple[int, Sending, AttemptResult | None]], fails: bool
) -> None:
    await a_line(work)
    line = (await work.session.scalars(select(Line))).one()
    alarm = await open_alarm(work, kind=AlarmKind.LONG_WAIT.value, line_id=line.id, language="sr")
    for number, (minutes, sending, result) in enumerate(tries):
        at = work.now - timedelta(minutes=minutes)
        values: dict[str, Any] = {"wanted_at": at, "ended_at": at, "sending": sending.value}
        values |= {"sent_at": at if sending == Sending.SENT else None}
        work.session.add(
            AlarmAttempt(
                id=uuid4(),
                alarm_id=alarm,
                number=number,
                turn=1,
                kind="sms",
                who="own",
                target="+381641234567",
                language="sr",
                result=result.value if result else None,
                **values,
            )
        )
    await work.session.flush()
    found = {one.means: one for one in await all_connections(work)}
    assert found[Means.SMS].fails is fails
    assert found[Means.SMS].waiting == 0
    assert not found[Means.MAIL].fails
    assert not found[Means.MAIL].is_set_up
    assert found[Means.SMS].is_set_up


async def test_a_test_letter_goes_to_ones_own_address_or_the_page_says_why_not(
    night: Stage, post: Mail
) -> None:
    mila = await night.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    refused = await page(night, mila, "/admin/connections/mail", send="")
    assert "Your account has no e-mail address." in refused.text
    told = (await mila.ask("GET", f"/people/{mila.staff.id}")).json()
    body = {"revision": told["revision"], "email": "mila@example.org"}
    assert (await mila.ask("POST", f"/people/{mila.staff.id}", body)).status_code == 200
    await night.settle()
    post.messages.clear()
    sent = await page(night, mila, "/admin/connections/mail", send="")
    assert "took a letter to mila@example.org" in sent.text
    assert len(post.to("mila@example.org")) == 1
    assert (await mila.ask("POST", "/connections/mail/test")).status_code == 204
    assert len(post.to("mila@example.org")) == 2
    post.answer = "550 no such user"
    refused = await page(night, mila, "/admin/connections/mail", send="")
    assert "The mail server did not take the letter" in refused.text
    assert (await mila.ask("POST", "/connections/mail/test")).status_code == 409
    rows = await night.rows("SELECT subject FROM audit_entries WHERE action = 'connection_tested'")
    assert [row["subject"] for row in rows] == ["mail", "mail"]
    (mail,) = [
        one for one in (await mila.ask("GET", "/connections")).json() if one["means"] == "mail"
    ]
    assert mail["is_set_up"]
