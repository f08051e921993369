"""What the program is connected to: whether it works, a test letter, and what may be tested."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.calls.lines.line_rows import Line
from app.database.topics import Topic
from app.demo.stage import Stage
from app.dialling.models import Dial, DiallingRules
from app.dialling.outward import DialledTooOften
from app.errors import Invalid, NotFound, TooMany
from app.jobs.names import Task
from app.outbox.states import Sending
from app.people import connection_test_rows, connection_tests
from app.people.connection_rows import Means
from app.people.connection_tests import ring_test_phone, send_test_text
from app.people.connections import all_connections
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry
from app.referrals.states import AttemptResult, Sector
from app.routing.alarm_rows import AlarmAttempt, AlarmKind
from app.routing.rota.unstaffed_alarms import open_alarm
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.mail import Mail
from tests.support.referrals import page
from tests.support.verbs import a_line


@pytest.mark.parametrize(
    ("attempts", "fails"),
    [
        ([(9, Sending.SENT, None)], False),
        ([(9, Sending.SENT, None), (3, Sending.FAILED, None)], True),
        ([(9, Sending.FAILED, None), (3, Sending.SENT, None)], False),
        ([(9, Sending.SENT, None), (3, Sending.FAILED, AttemptResult.STOPPED)], False),
        ([(60 * 24 * 40, Sending.FAILED, None)], False),
    ],
)
async def test_the_last_attempt_to_send_a_text_says_whether_it_works(
    work: Work, attempts: list[tuple[int, Sending, AttemptResult | None]], fails: bool
) -> None:
    await a_line(work)
    line = (await work.session.scalars(select(Line))).one()
    alarm = await open_alarm(work, AlarmKind.LONG_WAIT, line_id=line.id, language="sr")
    for number, (minutes, sending, result) in enumerate(attempts):
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
    await night.advance(1)
    refused = await page(night, mila, "/admin/connections/mail", send="")
    assert "The mail server did not take the letter" in refused.text
    assert (await mila.ask("POST", "/connections/mail/test")).status_code == 409
    rows = await night.rows(
        "SELECT subject, detail FROM audit_entries WHERE action = 'connection_tested' ORDER BY id"
    )
    assert [row["detail"]["result"] for row in rows] == ["accepted"] * 2 + ["refused"] * 2
    assert {row["subject"] for row in rows} == {"mail"}
    (mail,) = [
        one for one in (await mila.ask("GET", "/connections")).json() if one["means"] == "mail"
    ]
    assert mail["is_set_up"]
    assert mail["fails"]
    assert (mail["last_test"]["result"], mail["last_test"]["worked"]) == ("refused", False)
    assert "The mail server did not take the letter" in mail["last_test"]["said"]


async def an_administrator(work: Work, endpoint: str = "browser") -> Staff:
    return await accounts.add_staff(work, name="mila", role=Role.ADMINISTRATOR, endpoint=endpoint)


async def test_a_test_text_is_one_job_and_counts_as_dialled_by_its_person(work: Work) -> None:
    await a_line(work)
    mila = await an_administrator(work, "+381641111111")
    own = await send_test_text(work, mila)
    other = await send_test_text(work, mila, "+381 64 2222222")
    assert [own.target, other.target] == ["+381641111111", "+381642222222"]
    assert [(one.task, one.arguments) for one in work.jobs] == [
        (Task.SEND_TEST_MESSAGE, {"test_id": str(test.id)}) for test in (own, other)
    ]
    dials = (await work.session.scalars(select(Dial).order_by(Dial.id))).all()
    assert {(d.way, d.purpose, d.staff_id, d.refused) for d in dials} == {
        ("sms", "test", mila.id, None)
    }
    assert {d.id for d in dials} == {own.id, other.id}, "counted under the ids of the texts"
    (sms,) = [one for one in await all_connections(work) if one.means is Means.SMS]
    assert sms.waiting == 2
    work.session.add(
        DiallingRules(
            id=1,
            countries=[],
            kinds=["mobile"],
            person_hour=2,
            person_day=9,
            alarm_hour=9,
            alarm_day=9,
            minutes_hour=9,
            minutes_day=9,
        )
    )
    await work.session.flush()
    work.ground.memory.forget(Topic.LINES)
    with pytest.raises(DialledTooOften):
        await send_test_text(work, mila)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("", "Enter the number of one"),
        ("+1 202 555 0143", "of the country US are not dialled"),
        ("+381 900 123456", "are never dialled"),
        ("112", "whole number of a phone"),
        ("mila", "not a phone number"),
    ],
)
async def test_a_test_text_goes_only_to_a_number_that_is_dialled(
    work: Work, number: str, says: str
) -> None:
    await a_line(work)
    mila = await an_administrator(work)
    with pytest.raises(Invalid, match=says):
        await send_test_text(work, mila, number)
    assert work.jobs == []


async def test_a_test_call_is_one_job_and_remembers_only_the_prompt(work: Work) -> None:
    await a_line(work)
    (line_id,) = await work.session.scalars(select(Line.id))
    mila = await an_administrator(work, "+381641111111")
    call = await ring_test_phone(work, mila)
    prompt = await ring_test_phone(work, mila, line_id=line_id, key="comfort")
    assert (call.target, call.language, call.line_id, call.key) == (
        "+381641111111",
        mila.page_language,
        None,
        None,
    )
    assert (prompt.language, prompt.line_id, prompt.key) == ("sr", line_id, "comfort")
    rings = [one.arguments for one in work.jobs if one.task == Task.RING_TEST_PHONE]
    assert rings == [{"test_id": str(test.id)} for test in (call, prompt)]
    ends = [one.delay for one in work.jobs if one.task == Task.END_TEST_CALL]
    assert ends == [connection_test_rows.GIVEN_UP_AFTER] * 2
    dials = (await work.session.scalars(select(Dial))).all()
    assert {(d.id, d.way, d.purpose, d.staff_id) for d in dials} == {
        (test.id, "call", "test", mila.id) for test in (call, prompt)
    }
    for number, says in (
        ("+1 202 555 0143", "of the country US are not dialled"),
        ("112", "whole number of a phone"),
    ):
        with pytest.raises(Invalid, match=says):
            await ring_test_phone(work, mila, number)
    with pytest.raises(Invalid, match="or neither"):
        await ring_test_phone(work, mila, language="sr")
    for _nth in range(connection_test_rows.MOST - 2):
        await ring_test_phone(work, mila)
    with pytest.raises(TooMany, match="within ten minutes"):
        await ring_test_phone(work, mila)


async def test_tests_of_a_kind_are_limited_in_time_and_need_something_to_test(work: Work) -> None:
    mila = await an_administrator(work, "+381641111111")
    with pytest.raises(Invalid, match="There is no line yet"):
        await send_test_text(work, mila)
    await a_line(work)
    for _nth in range(connection_test_rows.MOST):
        await send_test_text(work, mila)
    with pytest.raises(TooMany, match="within ten minutes"):
        await send_test_text(work, mila)
    work.now += connection_test_rows.WITHIN + timedelta(seconds=1)
    await send_test_text(work, mila)
    await save_agency(
        work,
        Entry(
            code="house",
            name="House",
            sector=Sector.SHELTER,
            services=("shelter",),
            sms="+381601234567",
        ),
    )
    for ask in (connection_tests.send_test_event, connection_tests.ask_case_system):
        with pytest.raises(Invalid, match="Enter them in the directory"):
            await ask(work, "house", mila)
        with pytest.raises(NotFound):
            await ask(work, "nobody", mila)
