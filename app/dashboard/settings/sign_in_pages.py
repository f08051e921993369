"""The page of the rules of signing in."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.datastructures import FormData

from app.dashboard.people.accounts import Keeps
from app.dashboard.templating import templates
from app.errors import Invalid, Refusal
from app.staff.models import Staff
from app.staff.roles import Role
from app.staff.sign_in_rules import (
    LONGEST_HOURS,
    LONGEST_IDLE,
    LONGEST_PROOF_MINUTES,
    Demand,
    Limits,
    PasskeyRelaxed,
    Relaxed,
    Rules,
    set_sign_in_rules,
    sign_in_rules,
)
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
        "demands": list(Demand),
        "longest": LONGEST_HOURS,
        "longest_proof": LONGEST_PROOF_MINUTES,
        "longest_idle": LONGEST_IDLE,
        "no_limits": Limits(),
        "told": told,
        "problem": problem,
    }
    return templates.TemplateResponse(request, "settings/sign_in.html", values)


def _limits_of(sent: FormData, role: Role) -> Limits:
    """Read what differs for a role. Raises ValueError."""
    hours, idle = (str(sent.get(f"{name}.{role.value}", "")).strip() for name in ("hours", "idle"))
    return Limits(int(hours) if hours else None, int(idle) if idle else None)


def _demanded(sent: FormData, present: Rules) -> Rules:
    """Return the rules with what the people of each role need, as the form says it."""
    wanted = {role: str(sent.get(f"role.{role.value}", Demand.NOTHING.name)) for role in Role}
    passkeys = [role for role, one in wanted.items() if one == Demand.PASSKEY.name]
    factors = [role for role, one in wanted.items() if one != Demand.NOTHING.name]
    return present.demanding(factors, passkeys)


@router.post("/admin/sign-in")
async def change_rules(
    request: Request,
    work: InWork,
    staff: Keeps,
    hours: Annotated[int, Form()],
    proof_minutes: Annotated[int, Form()],
    idle_minutes: Annotated[int, Form()],
    knowingly: Annotated[str, Form()] = "",
) -> Response:
    """Change the rules of signing in."""
    sent = await request.form()
    try:
        of_roles = {role: _limits_of(sent, role) for role in Role}
    except ValueError:
        raise Invalid("Write hours and minutes as whole numbers.") from None
    wanted = replace(
        _demanded(sent, await sign_in_rules(work)),
        session_hours=hours,
        proof_minutes=proof_minutes,
        idle_minutes=idle_minutes,
        of_roles={role: limits for role, limits in of_roles.items() if limits != Limits()},
    )
    try:
        await set_sign_in_rules(work, wanted, knowingly=bool(knowingly))
    except Relaxed as refusal:
        await work.undo()
        problem = _(
            "Nothing was changed: a role would no longer need a second factor. If you intend "
            "this, tick the box that says what it means."
        )
        if isinstance(refusal, PasskeyRelaxed):
            problem = _(
                "Nothing was changed: a role would no longer need a passkey. If you intend this, "
                "tick the box that says what it means."
            )
        return _show(request, staff, wanted, problem=problem)
    except Refusal as refusal:
        await work.undo()
        return _show(request, staff, wanted, problem=refusal_words(refusal))
    return _show(request, staff, wanted, told=_("Saved."))
