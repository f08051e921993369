"""The page on which an agency is added to the directory, or changed."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.dashboard.directory import choices, problems
from app.dashboard.directory.filled import Filled, as_sent, as_stored
from app.dashboard.directory.reading import code_for, read_entry
from app.dashboard.records.lists import labels_of
from app.dashboard.settings.hours_form import hours_rows
from app.dashboard.templating import page
from app.dialling import outward
from app.errors import Conflict, NotFound, Refusal
from app.referrals.directory import addresses, agencies
from app.referrals.directory.entries import BadEntry, Entry, Problem, check_entry
from app.referrals.directory.models import Agency
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_DIRECTORY)]


@router.get("/agencies/new")
async def new_agency(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show an empty form."""
    return await _show(request, work, staff, Filled(), None)


@router.get("/agencies/{code}/entry")
async def agency_entry(request: Request, work: InWork, staff: Keeps, code: str) -> Response:
    """Show the form of an agency with what is entered, also where an address still waits."""
    agency, entry = await _entered(work, code)
    return await _show(request, work, staff, as_stored(entry), (agency, entry))


@router.post("/agencies/new")
async def add_agency(request: Request, work: InWork, staff: Keeps) -> Response:
    """Add an agency. After a refusal the form keeps what was filled in."""
    filled = as_sent(await request.form())
    return await _save(request, work, staff, filled, None)


@router.post("/agencies/{code}/entry")
async def change_agency(request: Request, work: InWork, staff: Keeps, code: str) -> Response:
    """Change an agency. After a refusal the form keeps what was filled in."""
    filled = as_sent(await request.form())
    return await _save(request, work, staff, filled, await _entered(work, code))


async def _entered(work: Work, code: str) -> tuple[Agency, Entry]:
    """Return an agency with what was entered. Raises NotFound."""
    rows = await agencies.entries(work)
    found = next((one for one in rows if one[1].code == code), None)
    if found is None:
        raise NotFound("There is no agency '%(code)s' in the directory.", code=code[:60])
    return found[0], await addresses.as_asked(work, *found)


async def _save(
    request: Request, work: Work, staff: Staff, filled: Filled, known: tuple[Agency, Entry] | None
) -> Response:
    try:
        code = known[1].code if known else await _new_code(work, filled)
        entry, wrong = read_entry(filled, code, known[1] if known else None)
        wrong += [*_changed_meanwhile(filled, known), *await _checked(work, entry, wrong)]
        if not wrong:
            await agencies.save_agency(work, entry)
    except Refusal as refusal:
        await work.undo()
        wrong = problems.problems_of(refusal, labels_of(request, work))
    if wrong:
        if known:
            known = await _entered(work, known[1].code)
        return await _show(request, work, staff, filled, known, wrong)
    known = await _entered(work, code)
    answer = await _show(request, work, staff, as_stored(known[1]), known, saved=True)
    # A new agency has an address of its own from now on.
    answer.headers["HX-Push-Url"] = f"/agencies/{code}/entry"
    return answer


async def _checked(work: Work, entry: Entry, wrong: list[Problem]) -> list[Problem]:
    """Return what else is wrong with an entry, so that a person can mend all of it at once."""
    try:
        check_entry(work, entry, await outward.rules_now(work))
    except BadEntry as refusal:
        # For a phone, this form says only what its hours lack.
        told = {one.column for one in wrong} - {"duty_phones"}
        return [one for one in refusal.problems if one.column not in told]
    return []


async def _new_code(work: Work, filled: Filled) -> str:
    """Return the code of a new agency: the one filled in, or one made of its name."""
    taken = {entry.code for _agency, entry in await agencies.entries(work)}
    asked = filled.one("code")
    if asked in taken:
        raise problems.CodeTaken()
    return asked or code_for(filled.one("name"), taken)


def _seen(agency: Agency) -> str:
    return agency.changed_at.isoformat()


def _changed_meanwhile(filled: Filled, known: tuple[Agency, Entry] | None) -> list[Problem]:
    if known is None or filled.one("seen") == _seen(known[0]):
        return []
    return [Problem("", Conflict().message)]


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    filled: Filled,
    known: tuple[Agency, Entry] | None,
    wrong: list[Problem] | None = None,
    *,
    saved: bool = False,
) -> Response:
    code = known[1].code if known else ""
    others = [entry for _agency, entry in await agencies.entries(work) if entry.code != code]
    return page(
        request,
        "directory/entry.html",
        staff=staff,
        filled=filled,
        agency=known[0] if known else None,
        saved=saved,
        waits=[one for one in await addresses.waiting(work, staff) if one.agency.code == code],
        seen=_seen(known[0]) if known else "",
        hours_rows=hours_rows(known[1].hours if known else "", filled.flat()),
        labels=problems.labels(),
        problems=problems.shown(wrong or []),
        choices=choices.choices_of(request, work, filled, others),
    )
