"""The page of tokens: programs that read figures, and what each may read."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import templates
from app.errors import Refusal
from app.staff import accounts, tokens
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_TOKENS)]


# What each scope lets a program read.
SCOPE_WORDS = {
    "statistics": N_("figures"),
    "single_calls": N_("single calls, without what was said"),
    "staff_statistics": N_("figures of single people"),
    "accounts": N_("accounts, for a directory that adds people and lets them leave (SCIM)"),
}


@router.get("/admin/tokens")
async def tokens_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the tokens, and a form for a new one."""
    return await _show(request, work, staff)


async def _show(
    request: Request, work: Work, staff: Staff, *, made: str = "", notice: str = "", name: str = ""
) -> Response:
    found = await tokens.list_tokens(work)
    values = {
        "staff": staff,
        "tokens": found,
        "makers": await accounts.names_of(
            work, {one.revoked_with for one in found if one.revoked_with}
        ),
        "scopes": {scope: said(SCOPE_WORDS[scope]) for scope in tokens.SCOPES},
        "now": work.now,
        "made": made,
        "notice": notice,
        "name": name,
    }
    answer = templates.TemplateResponse(request, "settings/tokens.html", values)
    if made:
        answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/admin/tokens")
async def make_token(
    request: Request,
    work: InWork,
    staff: Keeps,
    name: Annotated[str, Form(max_length=200)],
    days: Annotated[int, Form()] = 365,
    scopes: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Make a token, and show it this once."""
    try:
        made = await tokens.add_token(work, name.strip(), scopes, days)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, notice=refusal_words(refusal), name=name)
    return await _show(request, work, staff, made=made, name=name.strip())


@router.post("/admin/tokens/revoke")
async def revoke_token(
    work: InWork, _staff: Keeps, name: Annotated[str, Form(max_length=200)]
) -> Response:
    """Revoke a token: from now on it opens nothing."""
    await tokens.revoke_token(work, name)
    return RedirectResponse("/admin/tokens", 303)
