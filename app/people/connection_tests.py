"""Tests of connections: a call, a letter, a text, an event, and a read of a case system.

A test holds nothing about a child. It is tried once; its row says what came of it. A call and a
text go through the outbox, as every one does; the others are answered at once.
"""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.calls import prompts
from app.calls.lines import finding_lines
from app.calls.lines.finding_lines import any_line
from app.database.topics import Topic
from app.definitions.datafile import BadDefinition
from app.dialling import outward
from app.dialling.models import DialledFor, DialWay
from app.errors import Conflict, Invalid, NotFound, TooMany
from app.jobs.names import Task
from app.jobs.transaction import run_verb, transaction
from app.log import log
from app.outbox.mail import send_mail
from app.outbox.outside import client_for_outside
from app.outbox.responses import Refused, RequestFailed
from app.outbox.states import Sending
from app.people.connection_rows import WORKED, ConnectionTest, Found, Means
from app.people.connection_words import words_of
from app.referrals.channels.primero.agency_cases import account_of
from app.referrals.channels.primero.primero import Primero, lacking
from app.referrals.channels.webhook.delivery import post, secret_of
from app.referrals.channels.webhook.signing import headers_for
from app.referrals.directory.agencies import agency_of_code
from app.referrals.directory.models import Agency
from app.referrals.library import protocols_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import EndpointKind, Staff
from app.words.keys import SOUNDS
from app.words.pages import _
from app.work import PROGRAM, Ground, Work

# How many tests of one kind there may be within the time.
MOST, WITHIN = 10, timedelta(minutes=10)
# After this time a text or a call is given up: its person looks at the page no longer.
GIVEN_UP_AFTER = timedelta(minutes=2)
# How long a test is kept.
_KEPT = timedelta(days=31)
# The type of the event by which an agency's system is tested.
TEST_EVENT = "test"
_MOST_NAMED = 20
# How httpx says that there was no connection.
_NOT_CONNECTED = frozenset({"ConnectError", "ConnectTimeout", "ProxyError"})


class DoesNotWork(Conflict):
    """The other side was asked, and it does not work."""


_TESTS = select(ConnectionTest, func.coalesce(Agency.name, "")).outerjoin(
    Agency, Agency.id == ConnectionTest.agency_id
)


class Tested(NamedTuple):
    """A test, and the name of the agency whose system was asked; empty if none was."""

    test: ConnectionTest
    agency: str


# -- what may be tested --------------------------------------------------------------------------


async def agencies_with_webhook(work: Work) -> list[tuple[str, str]]:
    """Return code and name of the agencies whose system takes events."""
    return await _agencies(
        work, Agency.webhook_url.is_not(None), Agency.webhook_secret_sealed.is_not(None)
    )


async def agencies_with_case_system(work: Work) -> list[tuple[str, str]]:
    """Return code and name of the agencies that have a case system."""
    return await _agencies(
        work, Agency.primero.is_not(None), Agency.primero_password_sealed.is_not(None)
    )


async def _agencies(work: Work, *having: Any) -> list[tuple[str, str]]:
    chosen = select(Agency.code, Agency.name).where(*having).order_by(Agency.name)
    return [(code, name) for code, name in await work.session.execute(chosen)]


# -- the tests -----------------------------------------------------------------------------------


async def send_test_letter(work: Work, staff: Staff) -> str:
    """Send a letter to the person's own address, now; return where it went.

    Raises Invalid if no mail server or address is set, and DoesNotWork if the server did not take
    the letter.
    """
    if work.settings.smtp_url is None:
        raise Invalid(
            "No mail server is set up. The operator of the server enters it in the settings of "
            "the server."
        )
    if not staff.email:
        raise Invalid("Your account has no e-mail address. Enter one first.")
    to, ground = staff.email, work.ground
    subject, body = _("A test of the helpline"), _("The mail of the helpline works.")
    test = await _begin(work, Means.MAIL, staff=staff)
    try:
        await send_mail(ground, to, subject, f"{body}\n", message_id=test.id)
    except RequestFailed as error:
        found = Found.REFUSED if isinstance(error, Refused) else Found.NO_ANSWER
        await _end(work, test, found, details=[str(error)[:60]])
    else:
        await _end(work, test, Found.ACCEPTED)
    return to


async def send_test_text(work: Work, staff: Staff, number: str = "") -> ConnectionTest:
    """Let a text be sent to a number, or to the person's phone; return the test.

    Raises Invalid if no text can be sent, NotDialled, DialledTooOften and TooMany.
    """
    _need_provider(work)
    if await any_line(work) is None:
        raise Invalid("There is no line yet. Add one first: a text shows the number of a line.")
    to = await _typed_or_own(work, staff, number)
    if not to.startswith("+"):
        raise Invalid("A text goes to the whole number of a phone, with + and the country code.")
    test = await _add(work, Means.SMS, staff=staff)
    await outward.count_for_person(work, staff.id, test.id, to, DialledFor.TEST, way=DialWay.SMS)
    test.target, test.language = to, staff.page_language
    work.defer(Task.SEND_TEST_MESSAGE, test_id=str(test.id))
    write_entry(work, AuditLog.CONNECTION_TESTED, Means.SMS.value)
    work.announce(Topic.CONNECTIONS)
    await work.session.flush()
    return test


async def ring_test_phone(
    work: Work,
    staff: Staff,
    number: str = "",
    *,
    line_id: UUID | None = None,
    language: str = "",
    key: str = "",
) -> ConnectionTest:
    """Let a number be rung once, or the person's phone; return the test.

    The phone hears a prompt of a line, in its first language unless another is named; without a
    line, that it is a test. Raises NotFound, Invalid if no call can be made or the prompt says
    nothing, NotDialled, DialledTooOften and TooMany.
    """
    _need_provider(work)
    if await any_line(work) is None:
        raise Invalid("There is no line yet. Add one first: a call shows the number of a line.")
    if (line_id is None) != (not key) or (language and line_id is None):
        raise Invalid("Name a line and the key of one of its prompts, or neither.")
    prompt: dict[str, str] = {}
    if line_id is not None:
        prompt = await _prompt_to_say(work, line_id, language, key)
    to = await _typed_or_own(work, staff, number)
    if not to.startswith("+"):
        raise Invalid("A test rings the whole number of a phone, with + and the country code.")
    test = await _add(work, Means.TELEPHONY, staff=staff)
    await outward.count_for_person(work, staff.id, test.id, to, DialledFor.TEST)
    test.target, test.language = to, prompt.get("language", staff.page_language)
    if prompt:
        test.line_id, test.key = line_id, prompt["key"]
    work.defer(Task.RING_TEST_PHONE, test_id=str(test.id))
    work.defer(Task.END_TEST_CALL, delay=GIVEN_UP_AFTER, test_id=str(test.id))
    write_entry(work, AuditLog.CONNECTION_TESTED, Means.TELEPHONY.value, **prompt)
    work.announce(Topic.CONNECTIONS)
    await work.session.flush()
    return test


async def ring_to_prove(work: Work, staff: Staff, number: str) -> ConnectionTest:
    """Let a person's own telephone be rung, which asks for a code; return the row of the call.

    Raises Invalid if no call can be made, DialledTooOften and TooMany.
    """
    _need_provider(work)
    if await any_line(work) is None:
        raise Invalid("There is no line yet. Add one first: a call shows the number of a line.")
    test = await _add(work, Means.TELEPHONY, staff=staff)
    await outward.count_for_person(work, staff.id, test.id, number, DialledFor.TEST)
    test.target, test.language, test.proves = number, staff.page_language, True
    work.defer(Task.RING_TEST_PHONE, test_id=str(test.id))
    work.defer(Task.END_TEST_CALL, delay=GIVEN_UP_AFTER, test_id=str(test.id))
    await work.session.flush()
    return test


async def _prompt_to_say(work: Work, line_id: UUID, language: str, key: str) -> dict[str, str]:
    """Return line, language and key of a prompt with words. Raises NotFound, Invalid."""
    _row, line = await finding_lines.read_line(work, line_id)
    spoken = prompts.check_spoken(line, language or line.languages[0].language)
    prompt_key = prompts.check_key(key)
    said = line.prompt(spoken, prompt_key)
    if not said.text and said.recording is None and prompt_key not in SOUNDS:
        raise Invalid("This prompt has no words in this language yet. Write or record them first.")
    return {"line_id": str(line_id), "language": spoken, "key": prompt_key.value}


def _need_provider(work: Work) -> None:
    if not work.settings.has_telephony:
        raise Invalid(
            "No telephony provider is set up. The operator of the server enters it in the "
            "settings of the server."
        )


async def _typed_or_own(work: Work, staff: Staff, number: str) -> str:
    """Return the number that was typed, or that of the person's phone. Raises Invalid."""
    own = staff.endpoint if staff.endpoint_kind == EndpointKind.PHONE else None
    if not number.strip() and own is None:
        raise Invalid("Calls of your account ring at no phone. Enter the number of one.")
    return await outward.read_number(work, number if number.strip() else own or "")


async def send_test_event(work: Work, code: str, staff: Staff | None = None) -> Tested:
    """Send one signed event to an agency's system, now, and never again; return the test.

    Raises NotFound, Invalid if the agency takes no events, TooMany, and DoesNotWork if its system
    did not take the event.
    """
    agency = await agency_of_code(work, code)
    if not agency.webhook_url or agency.webhook_secret_sealed is None:
        raise Invalid(
            "%(agency)s takes no events: its system has no address or no secret here. Enter them "
            "in the directory.",
            agency=agency.name,
        )
    url, secret, ground = agency.webhook_url, secret_of(work, agency), work.ground
    test = await _begin(work, Means.WEBHOOKS, staff=staff, agency=agency)
    now = ground.clock.now()
    # The sequence of a referral begins at 1: no referral has this event.
    data = {"agency": code, "sequence": 0}
    event = {"type": TEST_EVENT, "timestamp": now.isoformat(), "data": data}
    body = json.dumps(event).encode()
    try:
        await post(ground.settings, url, headers_for(secret, str(test.id), now, body), body)
    except RequestFailed as error:
        return await _end(work, test, *result_of(error))
    return await _end(work, test, Found.ACCEPTED)


async def ask_case_system(work: Work, code: str, staff: Staff | None = None) -> Tested:
    """Read the forms of an agency's case system, now; return the test. No case is made there.

    Raises NotFound, Invalid if the agency has none, TooMany, and DoesNotWork if the system cannot
    be read, or its forms lack a field that is sent.
    """
    agency = await agency_of_code(work, code)
    if agency.primero is None or agency.primero_password_sealed is None:
        raise Invalid(
            "%(agency)s has no case system here, or its password is missing. Enter them in the "
            "directory.",
            agency=agency.name,
        )
    try:
        mapping = protocols_of(work.ground).mapping(agency.primero["mapping"])
    except BadDefinition:
        raise Invalid(
            "The mapping %(mapping)s, which %(agency)s needs, is not in force. Put definitions in "
            "force that hold it, or choose another one in the directory.",
            mapping=agency.primero["mapping"],
            agency=agency.name,
        ) from None
    account, ground = account_of(work, agency), work.ground
    test = await _begin(work, Means.CASE_SYSTEMS, staff=staff, agency=agency)
    try:
        async with client_for_outside(ground.settings) as client:
            missing = lacking(await Primero(client, account).forms(mapping.module), mapping)
    except RequestFailed as error:
        return await _end(work, test, *result_of(error))
    result = Found.MISFITS if missing else Found.ACCEPTED
    return await _end(work, test, result, details=missing[:_MOST_NAMED])


# -- the row of a test ---------------------------------------------------------------------------


async def _add(
    work: Work, means: Means, *, staff: Staff | None = None, agency: Agency | None = None
) -> ConnectionTest:
    """Add the row of a test. Raises TooMany."""
    # Of two requests at once, the second counts the first.
    await work.session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(means.value, 710032)))
    )
    lately = await work.session.scalar(
        select(func.count())
        .select_from(ConnectionTest)
        .where(ConnectionTest.means == means, ConnectionTest.wanted_at > work.now - WITHIN)
    )
    if (lately or 0) >= MOST:
        raise TooMany(
            "This was tested %(count)s times within ten minutes. Wait ten minutes, then test it "
            "again.",
            count=MOST,
        )
    test = ConnectionTest(
        id=uuid4(),
        means=means.value,
        staff_id=staff.id if staff else None,
        agency_id=agency.id if agency else None,
        wanted_at=work.now,
        details=[],
    )
    work.session.add(test)
    await work.session.flush()
    return test


async def _begin(
    work: Work, means: Means, *, staff: Staff | None = None, agency: Agency | None = None
) -> ConnectionTest:
    """Commit the row of a test whose answer is waited for. Raises TooMany."""
    test = await _add(work, means, staff=staff, agency=agency)
    test.sending, test.sent_at = Sending.SENDING.value, work.now
    await work.session.flush()
    # Another system takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    return test


async def _end(
    work: Work,
    test: ConnectionTest,
    result: Found,
    status: int | None = None,
    *,
    details: Iterable[str] = (),
) -> Tested:
    """Write down what came of a test, and who asked for it; return the test.

    Raises DoesNotWork if it failed. What was written down stays.
    """

    async def verb(after: Work) -> Tested:
        row = await after.session.get_one(ConnectionTest, test.id)
        note_result(after, row, result, status, details)
        said = {"result": result.value, "status": status, "agency": str(row.agency_id or "")}
        write_entry(
            after, AuditLog.CONNECTION_TESTED, row.means, **{k: v for k, v in said.items() if v}
        )
        agency = await after.session.get(Agency, row.agency_id) if row.agency_id else None
        return Tested(row, agency.name if agency else "")

    tested = await run_verb(work.ground, work.actor, verb)
    if not tested.test.worked:
        raise DoesNotWork(words_of(*tested))
    return tested


def note_result(
    work: Work,
    test: ConnectionTest,
    result: Found,
    status: int | None = None,
    details: Iterable[str] = (),
) -> None:
    """Note what came of a test. The number that was rung is not kept longer."""
    test.result, test.status, test.ended_at = result.value, status, work.now
    sent = result in WORKED or result is Found.UNDELIVERED
    test.sending = (Sending.SENT if sent else Sending.FAILED).value
    test.target, test.details = None, list(details)
    if result not in WORKED:
        log().warning("a test failed", area="people", kind=test.means, cause=result.value)
    work.announce(Topic.CONNECTIONS)


def result_of(error: RequestFailed) -> tuple[Found, int | None]:
    """Return what a failed request says of a connection, and the status it came with."""
    status = error.status or None
    if status is None:
        if isinstance(error, Refused):
            return Found.NOT_ITS_API, None
        gone = error.what in _NOT_CONNECTED
        return (Found.NO_CONNECTION if gone else Found.NO_ANSWER), None
    if 300 <= status < 400:
        return Found.REDIRECTED, status
    if status >= 500:
        return Found.THEIR_FAULT, status
    known = {
        401: Found.NOT_LET_IN,
        403: Found.NOT_LET_IN,
        404: Found.NOT_THERE,
        410: Found.NOT_THERE,
        429: Found.TOO_BUSY,
    }
    return known.get(status, Found.REFUSED), status


# -- reading -------------------------------------------------------------------------------------


async def read_test(work: Work, test_id: UUID) -> Tested:
    """Return a test. Raises NotFound."""
    found = (await work.session.execute(_TESTS.where(ConnectionTest.id == test_id))).one_or_none()
    if found is None:
        raise NotFound()
    return Tested(*found)


async def last_tests(work: Work) -> dict[Means, Tested]:
    """Return the newest test of each connection."""
    newest = _TESTS.ext(distinct_on(ConnectionTest.means)).order_by(
        ConnectionTest.means, ConnectionTest.wanted_at.desc(), ConnectionTest.id
    )
    return {
        Means(test.means): Tested(test, name) for test, name in await work.session.execute(newest)
    }


async def forget_old_tests(ground: Ground) -> None:
    """Delete old tests."""
    async with transaction(ground, PROGRAM) as work:
        old = work.now - _KEPT
        await work.session.execute(delete(ConnectionTest).where(ConnectionTest.wanted_at < old))
