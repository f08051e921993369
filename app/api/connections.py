"""The JSON interface of connections: what the program is connected to, and whether it works."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.people import connection_test_rows, connection_tests, dead_letters
from app.people.connection_rows import ConnectionTest, Found, Means
from app.people.connection_words import words_of
from app.people.connections import all_connections
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["connections"], route_class=StrictRoute)
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_CONNECTIONS), scope="function")]


class TestView(BaseModel):
    """A test. `result` is null while it is under way; `said` is the result as a sentence.

    `status` is that of HTTP, or the code of the telephony provider; `details` names fields that the
    forms of a case system lack.
    """

    id: UUID
    means: Means
    agency: str
    wanted_at: datetime
    ended_at: datetime | None
    worked: bool
    result: Found | None
    status: int | None
    details: list[str]
    said: str


class ConnectionView(BaseModel):
    """A connection, within the last 30 days. `waiting`: what waits to be sent."""

    means: Means
    is_set_up: bool
    fails: bool
    last_success: datetime | None
    last_failure: datetime | None
    waiting: int
    last_test: TestView | None


class DeadLetterView(BaseModel):
    """What did not arrive, within the last 30 days. It says nothing of a child or a referral.

    `to`: the agency, or the entry of people on call. `target`: the ends of a number or an address,
    or the host of a system. `again`: it can be sent again as it is.
    """

    id: UUID
    means: Means
    at: datetime
    to: str
    target: str
    what: str
    problem: str
    again: bool


class Text(BaseModel):
    """The phone that gets the text; empty: the one at which your own calls ring."""

    number: Annotated[str, Field(max_length=40)] = ""


class TestCall(BaseModel):
    """The phone that is rung, and what it hears.

    `number`: empty for the one at which your own calls ring. `line` and `key`: a prompt of a line,
    in its first language unless `language` names another; without them the phone hears that this
    is a test.
    """

    number: Annotated[str, Field(max_length=40)] = ""
    line: UUID | None = None
    language: Annotated[str, Field(max_length=20)] = ""
    key: Annotated[str, Field(max_length=60)] = ""


class AtAgency(BaseModel):
    """The agency whose system is tested, by its code."""

    agency: Annotated[str, Field(max_length=60)]


def _view(test: ConnectionTest, agency: str) -> TestView:
    kept: dict[str, Any] = {
        name: getattr(test, name) for name in (*TestView.model_fields.keys() - {"agency", "said"},)
    }
    return TestView(**kept, agency=agency, said=str(words_of(test, agency)))


@router.get("/connections")
async def connections(work: InWork, _staff: Keeps) -> list[ConnectionView]:
    """Return every connection. Nothing is sent to find it out."""
    return [
        ConnectionView(
            means=one.means,
            is_set_up=one.is_set_up,
            fails=one.fails,
            last_success=one.last_success,
            last_failure=one.last_failure,
            waiting=one.waiting,
            last_test=_view(one.last_test, one.tested_agency) if one.last_test else None,
        )
        for one in await all_connections(work)
    ]


@router.get("/connections/dead-letters")
async def all_dead_letters(work: InWork, _staff: Keeps) -> list[DeadLetterView]:
    """Return events, cases, mails and texts that did not arrive, the newest first."""
    return [
        DeadLetterView.model_validate(one, from_attributes=True)
        for one in await dead_letters.dead_letters(work)
    ]


@router.post("/connections/dead-letters/{delivery_id}/again", status_code=204)
async def send_again(work: InWork, _staff: Keeps, delivery_id: UUID) -> None:
    """Send an event again, once the cause is mended."""
    await dead_letters.send_again(work, delivery_id)


@router.get("/connections/tests/{test_id}")
async def read_test(work: InWork, _staff: Keeps, test_id: UUID) -> TestView:
    """Return a test, and what came of it."""
    return _view(*await connection_test_rows.read_test(work, test_id))


@router.post("/connections/mail/test", status_code=204)
async def test_mail(work: InWork, staff: Keeps) -> None:
    """Send a test letter to your own address. 409 if the mail server did not take it."""
    await connection_tests.send_test_letter(work, staff)


@router.post("/connections/telephony/test", status_code=202)
async def test_call(work: InWork, staff: Keeps, call: TestCall) -> TestView:
    """Let a phone be rung once. GET /connections/tests/{id} says whether it was answered."""
    test = await connection_tests.ring_test_phone(
        work, staff, call.number, line_id=call.line, language=call.language, key=call.key
    )
    return _view(test, "")


@router.post("/connections/sms/test", status_code=202)
async def test_sms(work: InWork, staff: Keeps, text: Text) -> TestView:
    """Let a test text be sent to a phone. GET /connections/tests/{id} says whether it arrived."""
    return _view(await connection_tests.send_test_text(work, staff, text.number), "")


@router.post("/connections/webhooks/test")
async def test_webhook(work: InWork, staff: Keeps, at: AtAgency) -> TestView:
    """Send one signed event of the type `test` to an agency's system. 409 if it was not taken."""
    return _view(*await connection_tests.send_test_event(work, at.agency, staff))


@router.post("/connections/case_systems/test")
async def test_case_system(work: InWork, staff: Keeps, at: AtAgency) -> TestView:
    """Read the forms of an agency's case system. 409 if it cannot be read or a field is missing."""
    return _view(*await connection_tests.ask_case_system(work, at.agency, staff))
