"""The pages of definitions: sets of files are imported, looked at, put in force and taken back."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from app.country import archive, sets
from app.country.archive import Received
from app.country.sets import BadSet
from app.dashboard.records.form_views import FieldView, SectionView, form_sections, spelling
from app.dashboard.settings.retention_pages import KIND_WORDS
from app.dashboard.templating import page
from app.definitions import in_force
from app.definitions import library as libraries
from app.definitions.answers import Answers
from app.definitions.datafile import BadDefinition
from app.definitions.library import Library
from app.definitions.models import DefinitionOrder
from app.errors import Invalid, NotFound, Refusal
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.form_language import form_languages, language_of
from app.words.pages import N_, _, instant_words, message_words, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_DEFINITIONS)]
Keeps = Annotated[Staff, reader_with(Permission.KEEP_DEFINITIONS)]
Short = Annotated[str, Form(max_length=100)]
PART_WORDS = {
    "contact_form": N_("Form of a contact"),
    "case_form": N_("Form of a case"),
    "referral_form": N_("Form of a referral"),
    "categories": N_("Categories"),
    "places": N_("Places"),
    "workflow": N_("Workflow of a case"),
    "risk": N_("Signs of danger"),
    "family_support": N_("Family support"),
    "guidance": N_("Guidance"),
    "protocol": N_("Protocol"),
}


# -- the list ------------------------------------------------------------------------------------


@router.get("/admin/definitions")
async def definitions_page(request: Request, work: InWork, staff: Sees) -> Response:
    """Show what is in force and what will be, every set, and a form for a new one."""
    return await _list(request, work, staff)


async def _list(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    notice: str = "",
    problems: list[BadDefinition] | None = None,
    typed: str = "",
) -> Response:
    all_sets, all_orders = await sets.all_sets(work), await sets.all_orders(work)
    order = in_force.order_at(await in_force.read_orders(work), work.now)
    _set_id, folder = await sets.folder_at(work, work.now)
    people = {one.uploaded_by for one in all_sets} | {one.ordered_by for one in all_orders}
    return page(
        request,
        "settings/definitions.html",
        staff=staff,
        may_keep=may(staff.role, Permission.KEEP_DEFINITIONS),
        parts=[(_(PART_WORDS[name]), of) for name, of in sets.versions_of(folder).items()],
        sets=all_sets,
        titles={one.id: one.name for one in all_sets},
        orders=[_shown_order(work, one, order.id if order else None) for one in all_orders],
        in_force=order,
        names=await accounts.names_of(work, {one for one in people if one}),
        zone=str(sets.zone_of(work)),
        most_files=archive.MOST_FILES,
        notice=notice,
        problems=problems or [],
        typed=typed,
    )


def _shown_order(work: Work, order: DefinitionOrder, now: int | None) -> dict[str, Any]:
    if order.taken_back_at is not None:
        state = "taken_back"
    elif order.from_at > work.now:
        state = "to_come"
    else:
        state = "in_force" if order.id == now else "earlier"
    begins = instant_words(order.from_at.astimezone(sets.zone_of(work)))
    return {"row": order, "state": state, "begins": begins}


@router.post("/admin/definitions", max_body_size=archive.LARGEST_UPLOAD)
async def upload(request: Request, work: InWork, staff: Keeps) -> Response:
    """Import a folder or a .zip as a set, or show everything that is wrong with it."""
    # A slow upload must not hold a database connection.
    await work.let_go()
    typed = ""
    try:
        typed, received = await _sent(request)
        taken = await sets.upload(work, typed, received)
    except BadSet as refused:
        await work.undo()
        notice = _(
            "Nothing was imported. Correct these places in the files, and import them again."
        )
        return await _list(
            request, work, staff, notice=notice, problems=refused.problems, typed=typed
        )
    except Refusal as refusal:
        await work.undo()
        return await _list(request, work, staff, notice=refusal_words(refusal), typed=typed)
    return RedirectResponse(f"/admin/definitions/{taken.set.id}", status_code=303)


async def _sent(request: Request) -> tuple[str, Received]:
    """Return the name and the files that were sent. Raises BadSet and Invalid."""
    try:
        sent = await request.form(max_files=archive.MOST_ENTRIES + 1, max_fields=20)
    except HTTPException:
        raise Invalid(
            "These are too many files. Choose a folder that holds only definitions."
        ) from None
    name, files = str(sent.get("name", "")).strip(), list[tuple[str, bytes]]()
    packed = None
    for field, part in sent.multi_items():
        if isinstance(part, UploadFile) and part.filename:
            if field == "archive":
                packed = part.filename, await part.read()
            else:
                files.append((part.filename, await part.read()))
    try:
        if packed is not None:
            return name or packed[0].removesuffix(".zip"), archive.from_zip(packed[1])
        if not files:
            raise Invalid("Choose a folder with definitions, or a .zip of one.")
        folder = files[0][0].replace("\\", "/").rpartition("/")[0].partition("/")[0]
        return name or folder or _("Definitions"), archive.from_files(files)
    except BadDefinition as bad:
        raise BadSet(bad.all()) from None


# -- one set -------------------------------------------------------------------------------------


@router.get("/admin/definitions/{set_id}")
async def set_page(
    request: Request,
    work: InWork,
    staff: Sees,
    set_id: int,
    against: Annotated[str, Query(max_length=19, pattern="^[0-9]*$")] = "",
) -> Response:
    """Show what a set changes, and put it in force; `against` another set only what differs."""
    return await _one(request, work, staff, set_id, against=int(against) if against else None)


async def _one(
    request: Request,
    work: Work,
    staff: Staff,
    set_id: int,
    *,
    notice: str = "",
    typed: str = "",
    against: int | None = None,
) -> Response:
    found = await sets.read_set(work, set_id)
    other = await sets.read_set(work, against) if against is not None else None
    problems: list[BadDefinition] = []
    compared = None
    try:
        compared = await sets.compare_set(
            work, set_id, against=against, language=language_of(request, work)
        )
    except BadSet as refused:
        problems = refused.problems
    groups: dict[str, list[tuple[str, bool]]] = {}
    for change in compared.comparison.changes if compared else ():
        place = groups.setdefault(message_words(change.where), [])
        place.append((message_words(change.words), change.caution))
    now, _folder = await sets.folder_at(work, work.now)
    effects = compared.effects if compared else None
    return page(
        request,
        "settings/definition_set.html",
        staff=staff,
        may_keep=may(staff.role, Permission.KEEP_DEFINITIONS),
        chosen=found,
        is_in_force=now == set_id,
        other=other,
        others=[one for one in await sets.all_sets(work) if one.id != set_id],
        problems=problems,
        compared=compared,
        groups=groups,
        stops=[message_words(one) for one in effects.stops] if effects else [],
        cautions=[message_words(one) for one in effects.cautions] if effects else [],
        notes=[message_words(one) for one in effects.notes] if effects else [],
        rules=[(said(KIND_WORDS[one.kind]), one) for one in compared.rules] if compared else [],
        names=await accounts.names_of(work, {found.uploaded_by} if found.uploaded_by else set()),
        zone=str(sets.zone_of(work)),
        notice=notice,
        typed=typed,
    )


@router.post("/admin/definitions/{set_id}/put-in-force")
async def put_in_force(
    request: Request,
    work: InWork,
    staff: Keeps,
    set_id: int,
    begins: Short = "",
    accept: Short = "",
) -> Response:
    """Let a set be in force from a time on, or from now."""
    try:
        wall = datetime.fromisoformat(begins) if begins else None
        at = sets.instant_of(work, wall) if wall is not None else None
        await sets.put_in_force(work, set_id, from_at=at, accept=bool(accept))
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
        return await _one(request, work, staff, set_id, notice=notice, typed=begins)
    except ValueError:
        notice = _("Write the time as a day and a time of day.")
        return await _one(request, work, staff, set_id, notice=notice, typed=begins)
    return RedirectResponse("/admin/definitions", status_code=303)


@router.post("/admin/definitions/orders/{order_id}/take-back")
async def take_back(request: Request, work: InWork, staff: Keeps, order_id: int) -> Response:
    """Take back that a set is in force, or will be."""
    try:
        await sets.take_back(work, order_id)
    except Refusal as refusal:
        await work.undo()
        return await _list(request, work, staff, notice=refusal_words(refusal))
    return RedirectResponse("/admin/definitions", status_code=303)


# -- what counsellors will see -------------------------------------------------------------------


@router.get("/admin/definitions/{set_id}/preview/{record}")
async def preview(
    request: Request,
    work: InWork,
    staff: Sees,
    set_id: int,
    record: Literal["contact", "case", "referral"],
    every: bool = False,
) -> Response:
    """Show a form as counsellors will see it; `every`: also what is asked only after an answer."""
    found = await sets.read_set(work, set_id)
    try:
        library = libraries.load(sets.folder_of(found))
    except BadDefinition:
        raise NotFound("This set cannot be used any more. Look at its page.") from None
    language = language_of(request, work)
    return page(
        request,
        "settings/definition_preview.html",
        staff=staff,
        chosen=found,
        record=record,
        title=_(PART_WORDS[f"{record}_form"]),
        every=every,
        preview=True,
        # Where the script of the page asks what follows from the answers; not if all are shown.
        api="" if every else f"/api/v1/definitions/sets/{set_id}/forms/{record}",
        sections=_sections(library, record, language, every),
        spelling=spelling(),
        recent=[],
        language=language,
        languages=form_languages(work),
    )


def _sections(library: Library, record: str, language: str, every: bool) -> list[SectionView]:
    """Return the sections of an empty form, with one entry where a section repeats."""
    sheet = library.sheet_for(record)
    sections = sheet.form.sections
    answers: Answers = {f"{section.code}.a1": 1 for section in sections if section.repeats}
    views = form_sections(sheet, library, answers, language)
    return [_open(view) for view in views] if every else views


def _open(section: SectionView) -> SectionView:
    def shown(fields: list[FieldView]) -> list[FieldView]:
        return [replace(field, hidden=False) for field in fields]

    entries = [replace(entry, fields=shown(entry.fields)) for entry in section.entries]
    return replace(section, hidden=False, entries=entries)
