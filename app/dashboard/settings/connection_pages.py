"""The page of connections: what the program is connected to, whether it works, and tests."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.abilities import EndpointKind
from app.dashboard.templating import page
from app.errors import Message, Refusal
from app.people import connection_tests, dead_letters
from app.people.connection_rows import Means
from app.people.connection_words import words_of
from app.people.connections import all_connections
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, message_words, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_CONNECTIONS)]
MEANS_WORDS = {
    Means.TELEPHONY: N_("Telephony"),
    Means.SMS: N_("Texts to agencies and people on call"),
    Means.MAIL: N_("Mail to agencies and people on call"),
    Means.PUSH: N_("Messages to browsers of people on call"),
    Means.WEBHOOKS: N_("Signed events to agencies' systems"),
    Means.CASE_SYSTEMS: N_("Case management systems of agencies"),
    Means.SIGN_IN: N_("Sign-in by a provider"),
}
# Where each is set up; None: in the settings of the server.
PLACES = {
    Means.TELEPHONY: "/admin/numbers",
    Means.SMS: "/admin/numbers",
    Means.MAIL: None,
    Means.PUSH: None,
    Means.WEBHOOKS: "/agencies",
    Means.CASE_SYSTEMS: "/agencies",
    Means.SIGN_IN: "/admin/provider",
}


@router.get("/admin/connections")
async def connections_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show every connection."""
    return await _show(request, work, staff)


@router.get("/admin/connections/state")
async def connections_fragment(request: Request, work: InWork, staff: Keeps) -> Response:
    """Render the table of connections, after a test has ended."""
    return await _show(request, work, staff, template="fragments/team/connections.html")


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    told: Message | None = None,
    problem: str = "",
    chosen: str = "",
    number: str = "",
    template: str = "settings/connections.html",
) -> Response:
    found = await all_connections(work)
    last = {one.means: one for one in found if one.last_test is not None}
    return page(
        request,
        template,
        staff=staff,
        connections=found,
        dead=await dead_letters.dead_letters(work),
        means_words=MEANS_WORDS,
        places=PLACES,
        # What the last test found, in words.
        results={
            means: message_words(words_of(one.last_test, one.tested_agency))
            for means, one in last.items()
            if one.last_test is not None
        },
        agencies={
            Means.WEBHOOKS: await connection_tests.agencies_with_webhook(work),
            Means.CASE_SYSTEMS: await connection_tests.agencies_with_case_system(work),
        },
        number=number or (staff.endpoint if staff.endpoint_kind == EndpointKind.PHONE else ""),
        chosen=chosen,
        told=message_words(told) if told else "",
        problem=problem,
    )


@router.post("/admin/connections/mail")
async def test_mail(request: Request, work: InWork, staff: Keeps) -> Response:
    """Send a test letter to one's own address."""
    try:
        to = await connection_tests.send_test_letter(work, staff)
    except Refusal as refusal:
        return await _refused(request, work, staff, refusal)
    told = Message(
        "The mail server took a letter to %(address)s. Look whether it arrives.", address=to
    )
    return await _show(request, work, staff, told=told)


@router.post("/admin/connections/telephony")
async def ring_phone(
    request: Request,
    work: InWork,
    staff: Keeps,
    number: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Let a phone be rung, which hears that this is a test."""
    try:
        test = await connection_tests.ring_test_phone(work, staff, number)
    except Refusal as refusal:
        return await _refused(request, work, staff, refusal, number=number)
    return await _show(request, work, staff, told=words_of(test, ""), number=number)


@router.post("/admin/connections/sms")
async def send_text(
    request: Request,
    work: InWork,
    staff: Keeps,
    number: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Let a test text be sent to a phone."""
    try:
        test = await connection_tests.send_test_text(work, staff, number)
    except Refusal as refusal:
        return await _refused(request, work, staff, refusal, number=number)
    return await _show(request, work, staff, told=words_of(test, ""), number=number)


@router.post("/admin/connections/webhooks")
async def test_webhook(
    request: Request,
    work: InWork,
    staff: Keeps,
    agency: Annotated[str, Form(max_length=60)],
) -> Response:
    """Send a test event to the system of an agency."""
    try:
        tested = await connection_tests.send_test_event(work, agency, staff)
    except Refusal as refusal:
        return await _refused(request, work, staff, refusal, chosen=agency)
    return await _show(request, work, staff, told=words_of(*tested), chosen=agency)


@router.post("/admin/connections/case-systems")
async def test_case_system(
    request: Request,
    work: InWork,
    staff: Keeps,
    agency: Annotated[str, Form(max_length=60)],
) -> Response:
    """Read the forms of an agency's case system."""
    try:
        tested = await connection_tests.ask_case_system(work, agency, staff)
    except Refusal as refusal:
        return await _refused(request, work, staff, refusal, chosen=agency)
    return await _show(request, work, staff, told=words_of(*tested), chosen=agency)


async def _refused(
    request: Request,
    work: Work,
    staff: Staff,
    refusal: Refusal,
    *,
    chosen: str = "",
    number: str = "",
) -> Response:
    await work.undo()
    problem = refusal_words(refusal)
    return await _show(request, work, staff, problem=problem, chosen=chosen, number=number)
