"""The page of languages: how far each is translated, and translations taken out and in."""

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from starlette.responses import RedirectResponse

from app import words
from app.administration import languages, unmarked
from app.administration.languages import Translated
from app.administration.models import OwnCatalogue
from app.dashboard.templating import page
from app.errors import Refusal
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.words.catalogues import CatalogueKind
from app.words.import_conflicts import Meanwhile
from app.words.pages import N_, language_name, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_DEFINITIONS)]
Keeps = Annotated[Staff, reader_with(Permission.KEEP_DEFINITIONS)]
KIND_WORDS = {
    CatalogueKind.PAGES: N_("Pages"),
    CatalogueKind.DEFINITIONS: N_("Forms and other definitions"),
    CatalogueKind.PROMPTS_AND_LETTERS: N_("What callers, children and agencies are told"),
    CatalogueKind.PRACTICE: N_("Practice calls"),
}
MEANWHILE_WORDS = {
    Meanwhile.REFUSE: N_("show them first, and import nothing"),
    Meanwhile.KEEP: N_("stay as they are now"),
    Meanwhile.REPLACE: N_("are said as in the file"),
}


@router.get("/admin/languages")
async def languages_page(request: Request, work: InWork, staff: Sees) -> Response:
    """Show every language, and the translations that were imported."""
    return await _show(request, work, staff)


async def _show(
    request: Request, work: Work, staff: Staff, *, notice: str = "", language: str = ""
) -> Response:
    own = await languages.all_own(work)
    counting = {one.id for one in languages.counting(own).values()}
    people = {one for row in own for one in (row.imported_by, row.taken_back_by) if one}
    return page(
        request,
        "settings/languages.html",
        staff=staff,
        may_keep=may(staff.role, Permission.KEEP_DEFINITIONS),
        translations=_by_language(await languages.translations(work)),
        about={one: words.about(one) for one in words.written()},
        base={one: words.spoken_as(one) for one in words.written()},
        to_translate=[one for one in words.languages() if one != words.SOURCE],
        kind_words=KIND_WORDS,
        meanwhile_words=MEANWHILE_WORDS,
        language_name=language_name,
        own=[(row, _state_of(row, counting)) for row in own],
        names=await accounts.names_of(work, people),
        unmarked=await unmarked.unmarked(work),
        why_words=unmarked.WORDS,
        notice=notice,
        chosen=language,
    )


def _by_language(found: list[Translated]) -> dict[str, list[Translated]]:
    return {code: list(kinds) for code, kinds in groupby(found, lambda one: one.language)}


def _state_of(row: OwnCatalogue, counting: set[int]) -> str:
    if row.taken_back_at is not None:
        return "taken_back"
    return "in_force" if row.id in counting else "earlier"


@router.get("/admin/languages/{language}/{which}.po")
async def save_catalogue(work: InWork, _staff: Sees, language: str, which: str) -> Response:
    """Send the catalogue of a language, as it is in force now."""
    text = await languages.export(work, language, which)
    headers = {"Content-Disposition": f'attachment; filename="{which}-{language}.po"'}
    return Response(text, media_type="text/x-gettext-translation; charset=utf-8", headers=headers)


@router.post("/admin/languages", max_body_size=languages.LARGEST + 10_000)
async def import_catalogue(
    request: Request,
    work: InWork,
    staff: Keeps,
    catalogue: UploadFile,
    language: Annotated[str, Form(max_length=20)],
    kind: Annotated[str, Form(max_length=20)],
    reviewed: Annotated[str, Form(max_length=5)] = "",
    meanwhile: Annotated[Meanwhile, Form()] = Meanwhile.REFUSE,
) -> Response:
    """Import a translation; it counts at once."""
    sent = await catalogue.read()
    try:
        await languages.import_catalogue(
            work, language, kind, sent, reviewed=bool(reviewed), meanwhile=meanwhile
        )
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, notice=refusal_words(refusal), language=language)
    return RedirectResponse("/admin/languages", 303)


@router.post("/admin/languages/{number}/take-back")
async def take_back(work: InWork, _staff: Keeps, number: int) -> Response:
    """Let the words before a translation count again."""
    await languages.take_back(work, number)
    return RedirectResponse("/admin/languages", 303)
