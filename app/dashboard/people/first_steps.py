"""The check list of a new helpline on the page of administrators."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from app.dashboard.templating import page
from app.people.setting_up.first_steps import StepKey, are_over, steps
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, message_words
from app.work import Work

router = APIRouter(include_in_schema=False)
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


async def steps_values(work: Work) -> dict[str, Any]:
    """Return the check list for a page; nothing once a call has been answered."""
    if await are_over(work):
        return {"steps": [], "step_words": STEP_WORDS}
    found = await steps(work)
    return {
        "steps": [(one, message_words(one.why) if one.why else "") for one in found],
        "step_words": STEP_WORDS,
    }


@router.get("/admin/first-steps")
async def first_steps(request: Request, work: InWork, _staff: Keeps) -> Response:
    """Return the check list alone, for a page that is open while steps are done."""
    return page(request, "fragments/people/first_steps.html", **await steps_values(work))
