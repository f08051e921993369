"""The JSON interface of the directory of agencies."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from app.api.description import files
from app.api.urgent.referral_views import AgencyView, FoundView, agency_view, found_view
from app.errors import Invalid
from app.referrals.directory import addresses, agencies, directory_csv, right_agency
from app.referrals.directory.address_rows import AddressField
from app.referrals.states import Service
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires, refuse_cross_site
from app.web.strict_bodies import StrictRoute
from app.words.local_hours import stored_hours

router = APIRouter(tags=["agencies"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_DIRECTORY), scope="function")]
Keeps = Annotated[Staff, Depends(Requires(Permission.KEEP_DIRECTORY), scope="function")]
Uploads = Annotated[
    Staff, Depends(Requires(Permission.KEEP_DIRECTORY, json_only=False), scope="function")
]
_LARGEST = 5 * 1024 * 1024


Text = Annotated[str, Field(max_length=40)]


class Password(BaseModel):
    password: str = Field(max_length=500)


class Wanted(BaseModel):
    service: Service
    place: Annotated[str, Field(max_length=40)] | None = None
    age: Annotated[int, Field(ge=0, le=99)] | None = None


class Decided(BaseModel):
    # The changes that the person saw; a later one is not decided unread.
    ids: list[UUID] = Field(min_length=1, max_length=50)
    approve: bool


class ChangeView(BaseModel):
    id: UUID
    agency: str
    name: str
    field: AddressField
    # Secrets are never shown.
    value: Any
    before: Any
    asked_by: str
    asked_role: str
    asked_at: datetime
    may_decide: bool


class Matched(BaseModel):
    right: list[FoundView]
    left_out: list[FoundView]


@router.get("/agencies")
async def list_agencies(work: InWork, _staff: Sees) -> list[AgencyView]:
    """Return the whole directory."""
    return [agency_view(agency, entry) for agency, entry in await agencies.entries(work)]


@router.post("/agencies")
async def save_agency(
    work: InWork, _staff: Keeps, body: dict[Text, Annotated[str, Field(max_length=4000)]]
) -> dict[str, str]:
    """Add an agency, or change the one with this code. The keys are the columns of the CSV file.

    New addresses wait until a second person approves them. Opening hours may be written with the
    days and times of the reader's language.
    """
    body |= {"hours": stored_hours(body["hours"])} if "hours" in body else {}
    saved = await agencies.save_agency(work, directory_csv.read_entry(body))
    return {"code": saved.code, "id": saved.code}


@router.get("/agencies/address-changes")
async def list_address_changes(work: InWork, staff: Keeps) -> list[ChangeView]:
    """Return the changed addresses and secrets that wait for a second person."""
    return [
        ChangeView(
            id=one.change.id,
            agency=one.agency.code,
            name=one.agency.name,
            field=AddressField(one.change.field),
            value=one.change.value,
            before=one.change.before,
            asked_by=one.asked_by,
            asked_role=one.change.asked_role,
            asked_at=one.change.asked_at,
            may_decide=one.may_decide,
        )
        for one in await addresses.waiting(work, staff)
    ]


@router.post("/agencies/address-changes", status_code=204)
async def decide_address_changes(work: InWork, staff: Keeps, body: Decided) -> None:
    """Bring changed addresses and secrets into force, or refuse them."""
    await addresses.decide(work, staff, body.ids, approve=body.approve)


@router.post("/agencies/{code}/password", status_code=204)
async def set_password(work: InWork, _staff: Keeps, code: str, body: Password) -> None:
    """Store, sealed, the password of our account at the agency's case management system.

    It is in force once a second person has approved it.
    """
    await agencies.set_primero_password(work, code, body.password)


@router.get("/agencies.csv", **files("text/csv"))
async def export_agencies(work: InWork, _staff: Keeps) -> Response:
    """Export the directory as a file that can be imported again."""
    return _csv(directory_csv.write_directory(await agencies.entries(work)), "agencies")


@router.post("/agencies/match")
async def match(work: InWork, _staff: Sees, child: Wanted) -> Matched:
    """Return the agencies that fit now, the best first, and why the others do not fit.

    The facts about the child are in the body, so that no URL contains them.
    """
    found = await right_agency.find_right(work, child.service.value, child.place, child.age)
    return Matched(
        right=[found_view(one) for one in found.right],
        left_out=[found_view(one) for one in found.left_out],
    )


@router.post("/agencies/import", max_body_size=_LARGEST)
async def import_agencies(request: Request, work: InWork, _staff: Uploads) -> dict[str, int]:
    """Import a file (text/csv) as a whole, or refuse it with its errors by line."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "text/csv":
        raise Invalid("Send the file as text/csv.")
    refuse_cross_site(request, json_only=True)
    # A slow upload must not hold a database connection.
    await work.let_go()
    body = await request.body()
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(
            "The file is not UTF-8 at byte %(byte)s. Save it as UTF-8.", byte=error.start
        ) from None
    return {"agencies": await directory_csv.import_directory(work, text)}


@router.post("/agencies/{code}/secret")
async def make_secret(work: InWork, _staff: Keeps, code: str) -> dict[str, str]:
    """Create a new secret for the agency's signed events. It is shown only once.

    It is in force once a second person has approved it.
    """
    return {"secret": await agencies.set_webhook_secret(work, code)}


def _csv(text: str, name: str) -> Response:
    return PlainTextResponse(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
