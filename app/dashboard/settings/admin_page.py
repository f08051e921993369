"""The page of the administration: the definitions, and the ways to the other settings."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from app.contacts.registry import library_of
from app.dashboard.people.first_steps import steps_values
from app.dashboard.templating import page
from app.definitions.library import Shelf
from app.definitions.trees import label_in
from app.people import wallboards
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.form_language import language_of
from app.words.pages import N_, said

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
KIND_WORDS = {
    Shelf.FORMS: N_("Form"),
    Shelf.TREES: N_("Categories or places"),
    Shelf.WORKFLOWS: N_("Workflow of a case"),
    Shelf.RISKS: N_("Signs of danger"),
    Shelf.SUPPORTS: N_("Family support"),
    Shelf.GUIDANCES: N_("Guidance"),
}


@router.get("/admin")
async def admin_page(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show the definitions with unmapped categories, and the ways to the other settings."""
    values: dict[str, Any] = {"staff": staff}
    library, language = library_of(work.ground), language_of(request, work)
    if may(staff.role, Permission.SEE_DEFINITIONS):
        values["unmapped"] = [
            (n.code, label_in(n.label, language)) for n in library.categories.unmapped()
        ]
        values["definitions"] = [
            (kind, name, version, source)
            for (kind, name, version), (_text, source) in sorted(library.texts.items())
        ]
        values["kind_words"] = {kind: said(text) for kind, text in KIND_WORDS.items()}
        values["framework"] = library.framework
        values["tree"] = library.categories
    if may(staff.role, Permission.KEEP_WALLBOARDS):
        values["wallboards"] = await wallboards.in_use(work)
    if may(staff.role, Permission.KEEP_PEOPLE):
        values |= await steps_values(work)
    return page(request, "admin.html", **values)
