"""The JSON interface of languages: translations are taken out, in and back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from app import words
from app.administration import languages, unmarked
from app.administration.models import OwnCatalogue
from app.api.description import files
from app.errors import Invalid
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.words.catalogues import CatalogueKind
from app.words.import_conflicts import Meanwhile

router = APIRouter(tags=["languages"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_DEFINITIONS), scope="function")]
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_DEFINITIONS), scope="function")]
_PO = "text/x-gettext-translation"
_TYPES = (_PO, "text/plain", "application/octet-stream")


class TranslationView(BaseModel):
    """How far one kind of words is translated into a language. `own`: the number of the
    translation that was imported and counts."""

    language: str
    name: str
    kind: CatalogueKind
    translated: int
    messages: int
    reviewed: bool
    own: int | None


class OwnView(BaseModel):
    """A translation that was imported."""

    id: int
    language: str
    kind: CatalogueKind
    translated: int
    reviewed: bool
    imported_at: datetime
    taken_back_at: datetime | None


class UnmarkedView(BaseModel):
    """Words of danger that were imported and mark nothing, with the reason."""

    language: str
    why: unmarked.Why
    words: list[str]


class LanguagesView(BaseModel):
    translations: list[TranslationView]
    own: list[OwnView]
    unmarked: list[UnmarkedView]


def _own_view(row: OwnCatalogue) -> OwnView:
    return OwnView(
        id=row.id,
        language=row.language,
        kind=CatalogueKind(row.kind),
        translated=row.translated,
        reviewed=row.reviewed,
        imported_at=row.imported_at,
        taken_back_at=row.taken_back_at,
    )


@router.get("/languages")
async def all_languages(work: InWork, _staff: Sees) -> LanguagesView:
    """Return every language of the pages, and the translations that were imported."""
    found = [
        TranslationView(
            language=one.language,
            name=words.about(one.language).name,
            kind=one.kind,
            translated=one.progress.translated,
            messages=one.progress.messages,
            reviewed=one.reviewed,
            own=one.own.id if one.own is not None else None,
        )
        for one in await languages.translations(work)
    ]
    own = [_own_view(row) for row in await languages.all_own(work)]
    more = [UnmarkedView(**one._asdict()) for one in await unmarked.unmarked(work)]
    return LanguagesView(translations=found, own=own, unmarked=more)


@router.get("/languages/{language}/{which}.po", **files(_PO))
async def catalogue(work: InWork, _staff: Sees, language: str, which: str) -> Response:
    """Return the catalogue of a language, as it is in force now."""
    text = await languages.export(work, language, which)
    headers = {"Content-Disposition": f'attachment; filename="{which}-{language}.po"'}
    return Response(text, media_type=_PO, headers=headers)


@router.post("/languages/{language}/{which}", status_code=201, max_body_size=languages.LARGEST)
async def import_catalogue(
    request: Request,
    work: InWork,
    _staff: Keeps,
    language: str,
    which: str,
    reviewed: Annotated[bool, Query()] = False,
    meanwhile: Annotated[Meanwhile, Query()] = Meanwhile.REFUSE,
) -> OwnView:
    """Import a catalogue of gettext, which is the body. It counts at once.

    `meanwhile`: what counts of the messages that others have changed since it was exported.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() not in _TYPES:
        raise Invalid("Send the catalogue as it is, with content-type text/x-gettext-translation.")
    # A slow upload must not hold a database connection.
    await work.let_go()
    sent = await request.body()
    return _own_view(
        await languages.import_catalogue(
            work, language, which, sent, reviewed=reviewed, meanwhile=meanwhile
        )
    )


@router.post("/languages/own/{number}/take-back")
async def take_back(work: InWork, _staff: Keeps, number: int) -> OwnView:
    """Let the words before a translation count again."""
    return _own_view(await languages.take_back(work, number))
