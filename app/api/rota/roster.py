"""The JSON interface of the rota, for programs and the rota page."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from app.api.description import files
from app.api.rota.roster_bodies import (
    ChangeIn,
    ChangeView,
    CopyView,
    CoverageView,
    Day,
    DutyView,
    Ending,
    HolidayIn,
    LeftOutView,
    Move,
    NewDuty,
    OpenShiftIn,
    OpenShiftView,
    PlaceView,
    Removal,
    RosterView,
    ShiftIn,
    UncoveredView,
    WeekCopy,
    instant_of,
)
from app.errors import Invalid
from app.routing.rota import (
    calendar_import,
    calendars,
    changes,
    copying,
    coverage,
    ending_shifts,
    holidays,
    later,
    on_duty,
    open_shifts,
    roster,
    stretches,
)
from app.routing.rota import recurrence as roster_recurrence
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import ALWAYS_UNTIL, Layer, Place, first_instant, last_instant
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires, TakesCalls, refuse_cross_site
from app.web.strict_bodies import StrictRoute
from app.words.pages import message_words
from app.work import Work

router = APIRouter(tags=["roster"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_ROSTER), scope="function")]
Plans = Annotated[Staff, Depends(Requires(Permission.PLAN_ROSTER), scope="function")]
Uploads = Annotated[
    Staff, Depends(Requires(Permission.PLAN_ROSTER, json_only=False), scope="function")
]
_LARGEST = 5 * 1024 * 1024
_LONGEST = timedelta(days=100)


@router.get("/roster")
async def read_roster(
    work: InWork, _staff: Sees, begins: date | None = None, ends: date | None = None
) -> RosterView:
    """Return who is on duty from one day until before another (default: a week), and the uncovered
    shifts."""
    since, until = await _window(work, begins, ends)
    found = on_duty.stretches(await roster.rota_of(work), since, until)
    return RosterView(
        duties=[
            DutyView(
                counsellor_id=d.counsellor_id,
                layer=d.layer,
                begins_at=d.start,
                ends_at=min(d.end, until) if d.end == ALWAYS_UNTIL else d.end,
                shift_id=d.shift_id,
                change_id=d.change_id,
            )
            for d in found
        ],
        coverage=[
            CoverageView(
                line=c.line,
                number=c.number,
                language=c.language,
                uncovered_minutes=int(c.missing.total_seconds() // 60),
                uncovered=[UncoveredView(begins_at=b, ends_at=e) for b, e in c.uncovered],
            )
            for c in await coverage.coverage(work, since, until)
        ],
    )


async def _window(work: Work, begins: date | None, ends: date | None) -> tuple[datetime, datetime]:
    """Return the instants of a window of days (default: a week from today). Raises Invalid."""
    zone = await roster.home_zone(work)
    first = roster_recurrence.check_day(begins or work.now.astimezone(zone).date())
    last = roster_recurrence.check_day(ends or first + timedelta(days=7))
    if not timedelta() < last - first <= _LONGEST:
        raise Invalid("Ask for 1 to 100 days.")
    since, until = (first_instant(datetime.combine(day, time()), zone) for day in (first, last))
    return since, until


@router.get("/roster/open-shifts")
async def list_open_shifts(
    work: InWork, _staff: Sees, begins: date | None = None, ends: date | None = None
) -> list[OpenShiftView]:
    """Return the open shifts of a window of days, and who has signed up."""
    since, until = await _window(work, begins, ends)
    return [
        OpenShiftView(
            id=one.row.id,
            begins_at=one.row.from_at,
            ends_at=one.row.until_at,
            layer=Layer(one.row.layer),
            places=one.row.places,
            language=one.row.language,
            note=one.row.note,
            taken_by=list(one.taken_by),
        )
        for one in await open_shifts.offered_between(work, since, until)
    ]


@router.post("/roster/open-shifts", status_code=201)
async def add_open_shift(work: InWork, staff: Plans, body: OpenShiftIn) -> dict[str, UUID]:
    """Offer a shift for which people sign up."""
    zone = await roster.home_zone(work)
    row = await open_shifts.open_shift(
        work,
        staff,
        instant_of(body.begins_at, zone, first_instant),
        instant_of(body.ends_at, zone, last_instant),
        layer=body.layer,
        places=body.places,
        language=body.language,
        note=body.note,
    )
    return {"id": row.id}


@router.post("/roster/open-shifts/{open_id}/sign-up", status_code=204)
async def sign_up(work: InWork, staff: TakesCalls, open_id: UUID) -> None:
    """Sign yourself up for an open shift; the duty counts at once."""
    await open_shifts.sign_up(work, staff, open_id)


@router.post("/roster/open-shifts/{open_id}/sign-off", status_code=204)
async def sign_off(work: InWork, staff: TakesCalls, open_id: UUID) -> None:
    """Take your own sign-up back, before the shift begins."""
    await open_shifts.sign_off(work, staff, open_id)


@router.post("/roster/open-shifts/{open_id}/withdraw", status_code=204)
async def withdraw_open_shift(work: InWork, staff: Plans, open_id: UUID) -> None:
    """Withdraw an open shift; those who have signed up keep their duty."""
    await open_shifts.withdraw(work, staff, open_id)


@router.post("/roster/shifts", status_code=201)
async def add_shift(work: InWork, _staff: Plans, body: ShiftIn) -> dict[str, UUID]:
    """Add a shift to a counsellor's rota."""
    row = await roster.add_shift(
        work,
        await changes.taker(work, body.staff_id),
        recurrence=body.rule(),
        starts_at=body.begins.replace(second=0, microsecond=0, tzinfo=None),
        minutes=body.minutes(),
        timezone=body.timezone or (await roster.home_zone(work)).key,
        first_on=body.first_on,
        last_on=body.last_on,
        layer=body.layer,
        on_holidays=body.on_holidays,
    )
    return {"id": row.id}


@router.post("/roster/shifts/{shift_id}/end", status_code=204)
async def end_shift(work: InWork, _staff: Plans, shift_id: UUID, body: Ending) -> None:
    """End a shift after its last day; without a day, it never begins again."""
    await ending_shifts.end_shift(work, shift_id, body.last_on)


@router.post("/roster/shifts/{shift_id}/leave-out", status_code=204)
async def leave_out(work: InWork, _staff: Plans, shift_id: UUID, body: Day) -> None:
    """Leave one day out of a shift."""
    await ending_shifts.leave_out(work, shift_id, body.day)


@router.post("/roster/duties", status_code=201)
async def add_duty(work: InWork, staff: Plans, body: NewDuty) -> dict[str, UUID]:
    """Add one stretch of duty."""
    place = body.place(await roster.home_zone(work))
    return {"id": (await stretches.add(work, staff, place, body.reason)).id}


@router.post("/roster/duties/move")
async def move_duty(work: InWork, staff: Plans, body: Move) -> PlaceView:
    """Move a stretch of duty: its times, its person, its kind. For a shift, this day alone, or with
    `later` this day and all later ones."""
    zone = await roster.home_zone(work)
    was, to = body.was.place(zone), body.to.place(zone)
    return _view(await (later if body.later else stretches).move(work, staff, was, to))


def _view(place: Place) -> PlaceView:
    return PlaceView(
        counsellor_id=place.counsellor_id,
        begins_at=place.start,
        ends_at=place.end,
        layer=place.layer,
    )


@router.post("/roster/duties/remove", status_code=204)
async def remove_duty(work: InWork, staff: Plans, body: Removal) -> None:
    """Remove a stretch of duty; one that has begun ends now. For a shift, this day alone, or with
    `later` this day and all later ones."""
    was = body.was.place(await roster.home_zone(work))
    await (later if body.later else stretches).remove(work, staff, was)


@router.post("/roster/weeks/copy")
async def copy_week(work: InWork, staff: Plans, body: WeekCopy) -> CopyView:
    """Copy the duty of a week into another; what cannot be copied is listed."""
    return copy_view(await copying.copy_week(work, staff, body.from_on, body.to_on))


def copy_view(done: copying.Copied) -> CopyView:
    return CopyView(made=done.made, there=done.there, left_out=left_out_views(done.left_out))


def left_out_views(left_out: Iterable[copying.LeftOut]) -> list[LeftOutView]:
    return [
        LeftOutView(**_view(one.place).model_dump(), why=message_words(one.why)) for one in left_out
    ]


@router.post("/roster/changes", status_code=201)
async def add_change(work: InWork, staff: Sees, body: ChangeIn) -> ChangeView:
    """Add an absence, an extra stretch, or a swap that a counsellor asks a colleague for."""
    zone = await roster.home_zone(work)
    begins = instant_of(body.from_at, zone, first_instant)
    ends = instant_of(body.until_at, zone, last_instant)
    fallen: list[Place] = []
    match body.kind:
        case ChangeKind.ABSENCE:
            fallen = await changes.fallen_out(work, body.staff_id, begins, ends)
            row = await changes.be_absent(work, staff, body.staff_id, begins, ends, body.reason)
        case ChangeKind.EXTRA:
            place = Place(body.staff_id, begins, ends, body.layer)
            row = await stretches.add(work, staff, place, body.reason)
        case ChangeKind.SWAP:
            if body.instead_id is None:
                raise Invalid("Choose the colleague who takes over.")
            row = await changes.swap(
                work, staff, body.staff_id, body.instead_id, begins, ends, body.reason
            )
    return ChangeView(id=row.id, state=row.state, fallen_out=[_view(one) for one in fallen])


@router.post("/roster/changes/{change_id}/{answer}", status_code=204)
async def answer_change(
    work: InWork, staff: Sees, change_id: UUID, answer: Literal["agree", "refuse", "withdraw"]
) -> None:
    """Agree to a swap, refuse it, or withdraw a change."""
    if answer == "withdraw":
        await changes.withdraw(work, staff, change_id)
    else:
        await changes.answer_swap(work, staff, change_id, answer == "agree")


@router.post("/roster/holidays", status_code=204)
async def set_holiday(work: InWork, _staff: Plans, body: HolidayIn) -> None:
    """Make a day a holiday, or one of the country's holidays a working day."""
    await holidays.set_holiday(work, body.day, body.name, free=body.free)


@router.post("/roster/holidays/clear", status_code=204)
async def clear_holiday(work: InWork, _staff: Plans, body: Day) -> None:
    """Remove our own rule for a day; the country's calendar applies again."""
    await holidays.clear_holiday(work, body.day)


@router.get("/roster.ics", **files("text/calendar"))
async def export_roster(work: InWork, _staff: Plans) -> Response:
    """Export the whole rota as iCalendar, which can be imported again."""
    return Response(
        await calendars.export_rota(work),
        media_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="rota.ics"'},
    )


@router.post("/roster/import", max_body_size=_LARGEST)
async def import_roster(request: Request, work: InWork, _staff: Uploads) -> dict[str, int]:
    """Import a file (text/calendar) as a whole, or refuse it with a list of its problems."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "text/calendar":
        raise Invalid("Send the file as text/calendar.")
    refuse_cross_site(request, json_only=True)
    # A slow upload must not hold a database connection.
    await work.let_go()
    body = await request.body()
    shifts, changed = await calendar_import.import_rota(work, body)
    return {"shifts": shifts, "changes": changed}
