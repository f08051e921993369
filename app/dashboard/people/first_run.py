"""The first steps in a browser: the first administrator, and a check list that measures itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from limits import RateLimitItemPerMinute
from starlette.responses import RedirectResponse

from app.dashboard.templating import page
from app.errors import Refusal, TooMany
from app.people import first_run
from app.people.first_run import StepKey
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web import decisions
from app.web.access import InWork, Public, reader_with
from app.web.decisions import Right
from app.web.limits import Limiter, client_of
from app.words.pages import N_, message_words, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
_NO_ACCOUNT = [Depends(Public("while there is no account, a code of the program gives access"))]
_ATTEMPTS = RateLimitItemPerMinute(10)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_PEOPLE)]
STEP_WORDS = {
    StepKey.ADMINISTRATOR: (
        N_("An administrator"),
        N_(
            "You. Invite a second one: an account that cannot be opened must not stop the helpline."
        ),
        "/admin/people",
    ),
    StepKey.LINE: (
        N_("A line"),
        N_("The number that children ring, its languages, and when it is open."),
        "/admin/lines",
    ),
    StepKey.PROMPTS: (
        N_("What callers hear"),
        N_("Every prompt in every language of the line, as text or recorded."),
        "/admin/lines",
    ),
    StepKey.TELEPHONY: (
        N_("The telephony"),
        N_("The provider leads the number to this program. One click sets it up."),
        "/admin/numbers",
    ),
    StepKey.TEST_CALL: (
        N_("Ring a phone"),
        N_("The provider rings a phone of yours, which hears that it is a test."),
        "/admin/connections",
    ),
    StepKey.PEOPLE: (
        N_("A counsellor"),
        N_("A counsellor who can take calls, at a page or on a phone. Invite them by a link."),
        "/admin/people",
    ),
    StepKey.ROTA: (
        N_("A shift"),
        N_("A counsellor is on duty now or within a day. Calls ring only counsellors on duty."),
        "/roster",
    ),
    StepKey.DIRECTORY: (
        N_("Agencies"),
        N_("Whom urgent cases are handed to: child protection, police, shelters."),
        "/agencies",
    ),
    StepKey.MAIL: (
        N_("Mail"),
        N_("For invitations and agencies. It is set up in the settings of the server."),
        "/admin/connections",
    ),
    StepKey.CALL: (
        N_("The first call"),
        N_("Ring the number from any phone. A counsellor who is available answers."),
        "/",
    ),
}


# -- the first administrator ---------------------------------------------------------------------


@router.get("/setup", dependencies=_NO_ACCOUNT)
async def set_up_page(request: Request, work: InWork) -> Response:
    """Show the form for the first administrator, while there is no account."""
    if await first_run.has_accounts(work):
        return RedirectResponse("/login", 303)
    return _form(request)


def _form(request: Request, *, problem: str = "", name: str = "", email: str = "") -> Response:
    values = {"problem": problem, "name": name, "email": email}
    return page(request, "first_run.html", staff=None, **values)


@router.post("/setup", dependencies=_NO_ACCOUNT)
async def set_up(
    request: Request,
    work: InWork,
    code: Annotated[str, Form(max_length=100)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    email: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Make the first administrator, and lead on to the choice of a password."""
    limiter: Limiter = request.app.state.limiter
    if not await limiter.hit(_ATTEMPTS, "setup", client_of(request)):
        raise TooMany
    try:
        link = await first_run.make_first(work, code, name, email)
    except first_run.HasAccounts:
        return RedirectResponse("/login", 303)
    except Refusal as refusal:
        await work.undo()
        decisions.deny(request, refusal, Right.FIRST_CODE)
        return _form(request, problem=refusal_words(refusal), name=name, email=email)
    decisions.grant(request, Right.FIRST_CODE)
    return RedirectResponse(link, 303)


# -- the check list ------------------------------------------------------------------------------


async def steps_values(work: Work) -> dict[str, Any]:
    """Return the check list for a page; nothing once a call has been answered."""
    if await first_run.are_over(work):
        return {"steps": [], "step_words": STEP_WORDS}
    found = await first_run.steps(work)
    return {
        "steps": [(one, message_words(one.why) if one.why else "") for one in found],
        "step_words": STEP_WORDS,
    }


@router.get("/admin/first-steps")
async def first_steps(request: Request, work: InWork, _staff: Keeps) -> Response:
    """Return the check list alone, for a page that is open while steps are done."""
    return page(request, "fragments/people/first_steps.html", **await steps_values(work))
