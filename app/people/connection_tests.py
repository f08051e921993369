"""Tests of connections: a call, a letter, a text, an event, and a read of a case system.

A test holds nothing about a child. It is tried once; its row says what came of it. A call and a
text go through the outbox, as every one does; the others are answered at once.
"""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.abilities import EndpointKind
from app.calls import prompts
from app.calls.lines import finding_lines
from app.calls.lines.finding_lines import any_line
from app.database.topics import Topic
from app.definitions.datafile import BadDefinition
from app.dialling import outward
from app.dialling.models import DialledFor, DialWay
from app.errors import Invalid
from app.jobs.names import Task
from app.outbox.mail import send_mail
from app.outbox.outside import client_for_outside
from app.outbox.responses import Refused, RequestFailed
from app.people.connection_rows import ConnectionTest, Found, Means
from app.people.connection_test_rows import (
    GIVEN_UP_AFTER,
    Tested,
    add_test,
    begin_test,
    end_test,
    result_of,
)
from app.referrals.channels.primero.agency_cases import account_of
from app.referrals.channels.primero.primero import Primero, lacking
from app.referrals.channels.webhook.delivery import post, sign_for
from app.referrals.channels.webhook.signing import headers_for
from app.referrals.directory.agencies import agency_of_code
from app.referrals.directory.models import Agency
from app.referrals.library import protocols_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.words.keys import SOUNDS
from app.words.pages import _
from app.work import Work

# The type of the event by which an agency's system is tested.
TEST_EVENT = "test"
_MOST_NAMED = 20


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
    test = await begin_test(work, Means.MAIL, staff=staff)
    try:
        await send_mail(ground, to, subject, f"{body}\n", message_id=test.id)
    except RequestFailed as error:
        found = Found.REFUSED if isinstance(error, Refused) else Found.NO_ANSWER
        await end_test(work, test, found, details=[str(error)[:60]])
    else:
        await end_test(work, test, Found.ACCEPTED)
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
    test = await add_test(work, Means.SMS, staff=staff)
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
    test = await add_test(work, Means.TELEPHONY, staff=staff)
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
    """Let a person's phone be rung, which asks for a code; return the row of the call.

    Raises Invalid if no call can be made, DialledTooOften and TooMany.
    """
    _need_provider(work)
    if await any_line(work) is None:
        raise Invalid("There is no line yet. Add one first: a call shows the number of a line.")
    test = await add_test(work, Means.TELEPHONY, staff=staff)
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
    url, sign, ground = agency.webhook_url, sign_for(work, agency), work.ground
    test = await begin_test(work, Means.WEBHOOKS, staff=staff, agency=agency)
    now = ground.clock.now()
    # The sequence of a referral begins at 1: no referral has this event.
    data = {"agency": code, "sequence": 0}
    event = {"type": TEST_EVENT, "timestamp": now.isoformat(), "data": data}
    body = json.dumps(event).encode()
    try:
        await post(ground.settings, url, headers_for(sign, str(test.id), now, body), body)
    except RequestFailed as error:
        return await end_test(work, test, *result_of(error))
    return await end_test(work, test, Found.ACCEPTED)


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
    test = await begin_test(work, Means.CASE_SYSTEMS, staff=staff, agency=agency)
    try:
        async with client_for_outside(ground.settings) as client:
            missing = lacking(await Primero(client, account).forms(mapping.module), mapping)
    except RequestFailed as error:
        return await end_test(work, test, *result_of(error))
    result = Found.MISFITS if missing else Found.ACCEPTED
    return await end_test(work, test, result, details=missing[:_MOST_NAMED])
