"""The JSON interface of definitions: what is in force, and the sets that are imported, compared,
put in force and taken back.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from app.api.description import files
from app.api.records.form_views import FormView, PreviewView, form_view, preview_state
from app.api.records.record_bodies import Changes
from app.contacts.registry import library_of
from app.country import archive, sets, whole
from app.country.archive import Received
from app.country.sets import BadSet
from app.definitions import library as libraries
from app.definitions.datafile import BadDefinition
from app.definitions.folder import Folder
from app.definitions.library import Library
from app.definitions.models import DefinitionOrder, DefinitionSet
from app.errors import Invalid, NotFound
from app.retention.kinds import DataKind
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, ReadsRecords, Requires
from app.web.strict_bodies import StrictRoute
from app.words import SOURCE
from app.words.pages import message_words
from app.work import Work

router = APIRouter(tags=["definitions"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_DEFINITIONS), scope="function")]
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_DEFINITIONS), scope="function")]
_TYPES = ("application/zip", "application/octet-stream")


class SetView(BaseModel):
    """A set of definition files, as it was imported. It never changes."""

    id: int
    name: str
    files: list[str]
    uploaded_at: datetime


class OrderView(BaseModel):
    """That a set is in force from an instant on, until it is taken back."""

    id: int
    set: int
    from_at: datetime
    taken_back_at: datetime | None


class DefinitionsView(BaseModel):
    """What is in force, and what there is. Without a set, the program's own files and its folder
    are in force."""

    in_force: int | None
    # The name and version of each definition that new records are written with.
    versions: dict[str, str]
    orders: list[OrderView]
    sets: list[SetView]


class ProblemView(BaseModel):
    """Something that is wrong with a file."""

    file: str
    line: int
    words: str


class CheckView(BaseModel):
    problems: list[ProblemView]
    # What is no definition, or is as it comes with the program.
    left_out: list[str]


class TakenView(BaseModel):
    """A set that was imported; `new` is false if the same files were there before."""

    id: int
    new: bool
    left_out: list[str]


class ChangeView(BaseModel):
    """One change: in which definition, and what. With `caution` it has to be accepted."""

    where: str
    words: str
    caution: bool


class RuleChangeView(BaseModel):
    """What becomes of a rule of retention; null: for ever."""

    kind: DataKind
    before_days: int | None
    after_days: int | None
    # If the set is in force from now on; null: never, because the helpline has a rule of its own.
    from_at: datetime | None
    # Something is erased that would have been kept: it has to be accepted.
    caution: bool


class CompareView(BaseModel):
    """What a set changes against what is in force now."""

    # What keeps it from coming into force.
    stops: list[str]
    # What has to be accepted.
    cautions: list[str]
    notes: list[str]
    changes: list[ChangeView]
    more: bool
    retention: list[RuleChangeView]


class InForceIn(BaseModel):
    """`from` is an instant with its zone, now if it is left out. `accept`: the changes that need
    caution are meant."""

    from_: AwareDatetime | None = None
    accept: bool = False

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class Unmapped(BaseModel):
    code: str
    label: dict[str, str]


def _set_view(one: DefinitionSet) -> SetView:
    names = sorted(one.files)
    return SetView(id=one.id, name=one.name, files=names, uploaded_at=one.uploaded_at)


def _order_view(one: DefinitionOrder) -> OrderView:
    return OrderView(
        id=one.id, set=one.set_id, from_at=one.from_at, taken_back_at=one.taken_back_at
    )


async def _sent(request: Request, work: Work) -> Received:
    """Return the archive that was sent. Raises BadSet."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() not in _TYPES:
        raise Invalid("Send the folder as a .zip, with content-type application/zip.")
    # A slow upload must not hold a database connection.
    await work.let_go()
    try:
        return archive.from_zip(await request.body())
    except BadDefinition as bad:
        raise BadSet(bad.all()) from None


def _zip(folder: Folder, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(archive.to_zip(folder), media_type="application/zip", headers=headers)


@router.get("/definitions")
async def definitions(work: InWork, _staff: Sees) -> DefinitionsView:
    """Return what is in force, every set, and when each was, is and will be in force."""
    set_id, folder = await sets.folder_at(work, work.now)
    return DefinitionsView(
        in_force=set_id,
        versions=sets.versions_of(folder),
        orders=[_order_view(one) for one in await sets.all_orders(work)],
        sets=[_set_view(one) for one in await sets.all_sets(work)],
    )


@router.get("/definitions/in-force.zip", **files("application/zip"))
async def files_in_force(work: InWork, _staff: Sees) -> Response:
    """Return every file that is in force, with those of the program: a folder to begin with."""
    _, folder = await sets.folder_at(work, work.now)
    return _zip(whole.all_files(folder), "definitions")


@router.get("/forms/{record}")
async def get_form(work: InWork, _staff: ReadsRecords, record: str) -> FormView:
    """Return the form in force for a contact or a case: sections, fields, export columns."""
    if record not in ("contact", "case"):
        raise NotFound("There is no such form. Ask for `contact` or `case`.")
    return form_view(library_of(work.ground), record)


@router.get("/definitions/unmapped")
async def unmapped(work: InWork, _staff: Sees) -> list[Unmapped]:
    """Return the country's own category codes that map to no category of the framework."""
    write_entry(work, AuditLog.UNMAPPED_LIST_READ, "definitions")
    nodes = library_of(work.ground).categories.unmapped()
    return [Unmapped(code=node.code, label=node.label) for node in nodes]


@router.post("/definitions/check", max_body_size=archive.LARGEST_UPLOAD)
async def check(request: Request, work: InWork, _staff: Keeps) -> CheckView:
    """Return what is wrong with an archive, with file and line. Nothing is imported."""
    try:
        _, left_out = await sets.check(work, await _sent(request, work))
    except BadSet as refused:
        wrong = [
            ProblemView(file=one.source, line=one.line, words=message_words(one.message))
            for one in refused.problems
        ]
        return CheckView(problems=wrong, left_out=[])
    return CheckView(problems=[], left_out=left_out)


@router.post("/definitions/sets", status_code=201, max_body_size=archive.LARGEST_UPLOAD)
async def upload(
    request: Request, work: InWork, _staff: Keeps, name: Annotated[str, Query(max_length=200)]
) -> TakenView:
    """Import an archive of a folder as a set, or refuse it as a whole. Nothing is in force by
    this."""
    taken = await sets.upload(work, name, await _sent(request, work))
    return TakenView(id=taken.set.id, new=taken.new, left_out=taken.left_out)


@router.get("/definitions/sets/{set_id}")
async def one_set(work: InWork, _staff: Sees, set_id: int) -> SetView:
    """Return a set."""
    return _set_view(await sets.read_set(work, set_id))


@router.get("/definitions/sets/{set_id}/files.zip", **files("application/zip"))
async def files_of_set(work: InWork, _staff: Sees, set_id: int) -> Response:
    """Return the files of a set, as they came."""
    found = await sets.read_set(work, set_id)
    return _zip(sets.folder_of(found), f"definitions-{set_id}")


@router.get("/definitions/sets/{set_id}/compare")
async def compare(
    work: InWork,
    _staff: Sees,
    set_id: int,
    language: Annotated[str, Query(pattern="^[a-z]{2,3}$")] = SOURCE,
    against: int | None = None,
) -> CompareView:
    """Return what a set changes, in words, and what keeps it from coming into force.

    It is compared with what is in force, or `against` another set: then only the changes are said.
    """
    found = await sets.compare_set(work, set_id, against=against, language=language)
    return CompareView(
        stops=[message_words(one) for one in found.effects.stops],
        cautions=[message_words(one) for one in found.effects.cautions],
        notes=[message_words(one) for one in found.effects.notes],
        changes=[
            ChangeView(
                where=message_words(one.where), words=message_words(one.words), caution=one.caution
            )
            for one in found.comparison.changes
        ],
        more=found.comparison.more,
        retention=[
            RuleChangeView(
                kind=one.kind,
                before_days=one.before,
                after_days=one.after,
                from_at=one.from_at,
                caution=one.erases_more,
            )
            for one in found.rules
        ],
    )


@router.get("/definitions/sets/{set_id}/forms/{record}")
async def form_of_set(
    work: InWork, _staff: Sees, set_id: int, record: Literal["contact", "case", "referral"]
) -> FormView:
    """Return a form of a set, as records would be written with it."""
    return form_view(await _library_of(work, set_id), record)


@router.put("/definitions/sets/{set_id}/forms/{record}/answers")
async def try_form(
    work: InWork,
    _staff: Sees,
    set_id: int,
    record: Literal["contact", "case", "referral"],
    body: Changes,
) -> PreviewView:
    """Return what a form of a set asks after these answers to an empty one. Nothing is stored.

    Send every answer each time, in the order in which they were given.
    """
    return preview_state(await _library_of(work, set_id), record, body.made())


async def _library_of(work: Work, set_id: int) -> Library:
    folder = sets.folder_of(await sets.read_set(work, set_id))
    try:
        return libraries.load(folder)
    except BadDefinition as bad:
        raise NotFound("This set cannot be used any more: %(why)s", why=bad.located) from None


@router.post("/definitions/sets/{set_id}/put-in-force", status_code=201)
async def put_in_force(work: InWork, _staff: Keeps, set_id: int, body: InForceIn) -> OrderView:
    """Let a set be in force from an instant on. Every process follows without a restart."""
    order = await sets.put_in_force(work, set_id, from_at=body.from_, accept=body.accept)
    return _order_view(order)


@router.post("/definitions/orders/{order_id}/take-back")
async def take_back(work: InWork, _staff: Keeps, order_id: int) -> dict[str, int | None]:
    """Take back that a set is in force, or will be. The set before counts again."""
    return {"in_force": await sets.take_back(work, order_id)}
