"""The page of the rules of signing in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.dashboard.people.accounts import Keeps
from app.dashboard.templating import templates
from app.errors import Refusal
from app.staff.models import Staff
from app.staff.roles import Role
from app.staff.sign_in_rules import LONGEST_HOURS, Rules, set_sign_in_rules, sign_in_rules
from app.web.access import InWork
from app.words.pages import _, refusal_words

router = APIRouter(include_in_schema=False)


@router.get("/admin/sign-in")
async def rules_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the rules of signing in."""
    return _show(request, staff, await sign_in_rules(work))


def _show(
    request: Request, staff: Staff, rules: Rules, *, told: str = "", problem: str = ""
) -> Response:
    values = {
        "staff": staff,
        "rules": rules,
        "roles": list(Role),
        "longest": LONGEST_HOURS,
        "told": told,
        "problem": problem,
    }
    return templates.TemplateResponse(request, "settings/sign_in.html", values)


@router.post("/admin/sign-in")
async def change_rules(
    request: Request, work: InWork, staff: Keeps, hours: Annotated[int, Form()]
) -> Response:
    """Change the rules of signing in."""
    sent = await request.form()
    wanted = Rules(tuple(role for role in Role if f"role.{role.value}" in sent), hours)
    try:
        await set_sign_in_rules(work, wanted)
    except Refusal as refusal:
        await work.undo()
        return _show(request, staff, wanted, problem=refusal_words(refusal))
    return _show(request, staff, wanted, told=_("Saved."))
